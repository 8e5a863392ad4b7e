-- Wallets of others whose trades are watched.
CREATE TABLE tracked_wallets (
    address TEXT NOT NULL PRIMARY KEY,
    -- Unlike all others; strategies know it by the signal "wallet:" and this.
    name TEXT NOT NULL UNIQUE,
    -- What people make of its trader.
    tier TEXT NOT NULL,
    followers INTEGER NOT NULL,
    -- 0 to 100, from what its trades have brought; 50 when nothing is known.
    reputation TEXT NOT NULL,
    added INTEGER NOT NULL
) STRICT;

-- Up to where everything of an address was dealt with: "wallet:" and an address, or "pools:" and the name of a program that
-- makes pools. What is in this slot and before can't leave the chain.
CREATE TABLE watch_cursors (
    watched TEXT NOT NULL PRIMARY KEY,
    slot INTEGER NOT NULL,
    -- The newest transaction there; NULL when there was none yet.
    signature TEXT
) STRICT;

-- Swaps of tracked wallets, by address, so that they stay when a wallet is no longer tracked.
CREATE TABLE leader_trades (
    wallet TEXT NOT NULL,
    signature TEXT NOT NULL,
    slot INTEGER NOT NULL,
    -- Its place among the wallet's transactions of that slot.
    ordinal INTEGER NOT NULL,
    -- When its block was made; NULL where the node did not know.
    time INTEGER,
    -- "confirmed", "final", or "undone" when the chain has left its block.
    standing TEXT NOT NULL,
    -- NULL when no market is of its tokens.
    instrument INTEGER,
    -- "buy" or "sell"; NULL when neither or both of its tokens are money.
    side TEXT,
    given_mint TEXT NOT NULL,
    given TEXT NOT NULL,
    got_mint TEXT NOT NULL,
    got TEXT NOT NULL,
    -- Money for each unit of the other token; NULL when the side is not known.
    price TEXT,
    -- Whether strategies were told.
    told INTEGER NOT NULL,
    PRIMARY KEY (wallet, signature)
) STRICT;

CREATE INDEX leader_trades_in_order ON leader_trades (wallet, slot, ordinal);

-- Pools that programs have made.
CREATE TABLE new_pools (
    program TEXT NOT NULL,
    signature TEXT NOT NULL,
    -- Whose the pool's vaults are.
    owner TEXT NOT NULL,
    slot INTEGER NOT NULL,
    time INTEGER,
    standing TEXT NOT NULL,
    instrument INTEGER,
    one_mint TEXT NOT NULL,
    one TEXT NOT NULL,
    other_mint TEXT NOT NULL,
    other TEXT NOT NULL,
    told INTEGER NOT NULL,
    PRIMARY KEY (program, signature, owner)
) STRICT;

CREATE INDEX new_pools_in_order ON new_pools (slot);
