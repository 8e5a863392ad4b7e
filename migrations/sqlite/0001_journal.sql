-- The journal of every shard, the engine's snapshots, and what operators ask of a host that may not run.
-- Times are nanoseconds since 1970-01-01 UTC. A shard is an account with its engine and its journal.

CREATE TABLE journal (
    shard INTEGER NOT NULL,
    number INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    first_sequence INTEGER NOT NULL,
    last_sequence INTEGER NOT NULL,
    time INTEGER NOT NULL,
    encoding INTEGER NOT NULL,
    -- NULL once it was dropped because its retention is over; its hash stays.
    payload BLOB,
    payload_hash BLOB NOT NULL,
    checksum BLOB NOT NULL,
    PRIMARY KEY (shard, number)
) STRICT;

-- The records of the market (kind 1) whose payload may still be dropped.
CREATE INDEX journal_market_payloads ON journal (shard, number) WHERE kind = 1 AND payload IS NOT NULL;

CREATE TABLE snapshots (
    shard INTEGER NOT NULL,
    number INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    checksum BLOB NOT NULL,
    time INTEGER NOT NULL,
    encoding INTEGER NOT NULL,
    payload_hash BLOB NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (shard, number)
) STRICT;

CREATE TABLE requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    shard INTEGER NOT NULL,
    actor TEXT NOT NULL,
    command TEXT NOT NULL,
    asked INTEGER NOT NULL,
    -- The input that carried it out.
    answered INTEGER
) STRICT;

CREATE INDEX requests_waiting ON requests (shard, id) WHERE answered IS NULL;
