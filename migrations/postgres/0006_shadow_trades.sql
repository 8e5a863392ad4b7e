-- Whether a trade was a shadow's, whatever the strategy is now: 1 or 0. Of trades before this only what the strategy is
-- now is known.
ALTER TABLE trades ADD COLUMN shadow BIGINT NOT NULL DEFAULT 0;

UPDATE trades SET shadow = 1 WHERE EXISTS (
    SELECT 1 FROM slots
    WHERE slots.shard = trades.shard AND slots.strategy = trades.strategy AND slots.mode = 'shadow'
);
