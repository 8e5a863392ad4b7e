-- Differences between the books and what is really there that a person had booked: what came or went without a trade, and
-- what was lost. An adjustment that several strategies bear has a row for each. `strategy` is NULL for money that belongs
-- to none, `instrument` for cash.
CREATE TABLE adjustments (
    shard INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    time INTEGER NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    -- "adopted" or "written-off".
    kind TEXT NOT NULL,
    strategy INTEGER,
    instrument INTEGER,
    quantity TEXT NOT NULL,
    -- What the owner brought, or took away when negative.
    value TEXT NOT NULL,
    -- Profit or loss that is none of trading.
    gain TEXT NOT NULL,
    PRIMARY KEY (shard, sequence, ordinal)
) STRICT;
