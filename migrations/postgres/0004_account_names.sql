-- The name of the account that a shard is of. An account keeps its shard for ever, whatever the order of the
-- configuration. What there was before accounts had names is called "main".
CREATE TABLE account_names (
    shard BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

INSERT INTO account_names (shard, name) SELECT DISTINCT shard, 'main' FROM journal WHERE shard = 0;
