-- Wallets of others whose trades are watched.
CREATE TABLE tracked_wallets (
    address TEXT NOT NULL PRIMARY KEY,
    -- Unlike all others; strategies know it by the signal "wallet:" and this.
    name TEXT NOT NULL UNIQUE,
    -- What people make of its trader.
    tier TEXT NOT NULL,
    followers BIGINT NOT NULL,
    -- 0 to 100, from what its trades have brought; 50 when nothing is known.
    reputation NUMERIC NOT NULL,
    added BIGINT NOT NULL
);

-- Up to where everything of an address was dealt with: "wallet:" and an address, or "pools:" and the name of a program that
-- makes pools. What is in this slot and before can't leave the chain.
CREATE TABLE watch_cursors (
    watched TEXT NOT NULL PRIMARY KEY,
    slot BIGINT NOT NULL,
    -- The newest transaction there; NULL when there was none yet.
    signature TEXT
);

-- Swaps of tracked wallets, by address, so that they stay when a wallet is no longer tracked.
CREATE TABLE leader_trades (
    wallet TEXT NOT NULL,
    signature TEXT NOT NULL,
    slot BIGINT NOT NULL,
    -- Its place among the wallet's transactions of that slot.
    ordinal BIGINT NOT NULL,
    -- When its block was made; NULL where the node did not know.
    time BIGINT,
    -- "confirmed", "final", or "undone" when the chain has left its block.
    standing TEXT NOT NULL,
    -- NULL when no market is of its tokens.
    instrument BIGINT,
    -- "buy" or "sell"; NULL when neither or both of its tokens are money.
    side TEXT,
    given_mint TEXT NOT NULL,
    given NUMERIC NOT NULL,
    got_mint TEXT NOT NULL,
    got NUMERIC NOT NULL,
    -- Money for each unit of the other token; NULL when the side is not known.
    price NUMERIC,
    -- Whether strategies were told.
    told BIGINT NOT NULL,
    PRIMARY KEY (wallet, signature)
);

CREATE INDEX leader_trades_in_order ON leader_trades (wallet, slot, ordinal);

-- Pools that programs have made.
CREATE TABLE new_pools (
    program TEXT NOT NULL,
    signature TEXT NOT NULL,
    -- Whose the pool's vaults are.
    owner TEXT NOT NULL,
    slot BIGINT NOT NULL,
    time BIGINT,
    standing TEXT NOT NULL,
    instrument BIGINT,
    one_mint TEXT NOT NULL,
    one NUMERIC NOT NULL,
    other_mint TEXT NOT NULL,
    other NUMERIC NOT NULL,
    told BIGINT NOT NULL,
    PRIMARY KEY (program, signature, owner)
);

CREATE INDEX new_pools_in_order ON new_pools (slot);
