-- Differences between the books and what is really there that a person had booked: what came or went without a trade, and
-- what was lost. An adjustment that several strategies bear has a row for each. `strategy` is NULL for money that belongs
-- to none, `instrument` for cash.
CREATE TABLE adjustments (
    shard BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    time BIGINT NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    -- "adopted" or "written-off".
    kind TEXT NOT NULL,
    strategy BIGINT,
    instrument BIGINT,
    quantity NUMERIC NOT NULL,
    -- What the owner brought, or took away when negative.
    value NUMERIC NOT NULL,
    -- Profit or loss that is none of trading.
    gain NUMERIC NOT NULL,
    PRIMARY KEY (shard, sequence, ordinal)
);
