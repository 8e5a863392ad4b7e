-- Rows for people and programs to read. They follow from the journal and are written in the transaction of the
-- records that cause them. `sequence` is the input that caused a row, `ordinal` its place among what that
-- input caused. Amounts of money, prices and quantities are exact decimals, as text:
-- SQLite has none of its own.

CREATE TABLE accounts (
    shard INTEGER NOT NULL PRIMARY KEY,
    sequence INTEGER NOT NULL,
    time INTEGER NOT NULL,
    cash TEXT NOT NULL,
    pool TEXT NOT NULL,
    deposited TEXT NOT NULL,
    equity TEXT NOT NULL,
    realised TEXT NOT NULL,
    fees TEXT NOT NULL,
    -- Why trading is halted, if it is.
    halted TEXT
) STRICT;

CREATE TABLE instruments (
    shard INTEGER NOT NULL,
    instrument INTEGER NOT NULL,
    symbol TEXT NOT NULL,
    PRIMARY KEY (shard, instrument)
) STRICT;

CREATE TABLE slots (
    shard INTEGER NOT NULL,
    strategy INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    time INTEGER NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    mode TEXT NOT NULL,
    status TEXT NOT NULL,
    weight TEXT NOT NULL,
    cash TEXT NOT NULL,
    reserved TEXT NOT NULL,
    funded TEXT NOT NULL,
    realised TEXT NOT NULL,
    fees TEXT NOT NULL,
    faults INTEGER NOT NULL,
    PRIMARY KEY (shard, strategy)
) STRICT;

CREATE TABLE orders (
    shard INTEGER NOT NULL,
    id INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    strategy INTEGER NOT NULL,
    tag INTEGER NOT NULL,
    instrument INTEGER NOT NULL,
    side TEXT NOT NULL,
    quantity TEXT NOT NULL,
    -- NULL for an order at the market.
    limit_price TEXT,
    origin TEXT NOT NULL,
    created INTEGER NOT NULL,
    reference_price TEXT NOT NULL,
    confidence REAL NOT NULL,
    reason TEXT NOT NULL,
    state TEXT NOT NULL,
    filled TEXT NOT NULL,
    changed INTEGER NOT NULL,
    end_reason TEXT NOT NULL,
    PRIMARY KEY (shard, id)
) STRICT;

CREATE INDEX orders_by_state ON orders (shard, state, id);
CREATE INDEX orders_by_instrument ON orders (shard, instrument, id);
CREATE INDEX orders_by_strategy ON orders (shard, strategy, id);
CREATE INDEX orders_by_time ON orders (shard, created, id);

CREATE TABLE order_transitions (
    shard INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    order_id INTEGER NOT NULL,
    time INTEGER NOT NULL,
    state TEXT NOT NULL,
    filled TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (shard, sequence, ordinal)
) STRICT;

CREATE INDEX order_transitions_by_order ON order_transitions (shard, order_id, sequence, ordinal);

CREATE TABLE fills (
    shard INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    order_id INTEGER NOT NULL,
    strategy INTEGER NOT NULL,
    tag INTEGER NOT NULL,
    instrument INTEGER NOT NULL,
    side TEXT NOT NULL,
    quantity TEXT NOT NULL,
    price TEXT NOT NULL,
    fee TEXT NOT NULL,
    time INTEGER NOT NULL,
    cause TEXT NOT NULL,
    PRIMARY KEY (shard, sequence, ordinal)
) STRICT;

CREATE INDEX fills_by_order ON fills (shard, order_id, sequence, ordinal);
CREATE INDEX fills_by_instrument ON fills (shard, instrument, sequence, ordinal);
CREATE INDEX fills_by_strategy ON fills (shard, strategy, sequence, ordinal);
CREATE INDEX fills_by_time ON fills (shard, time);

-- Costs without a fill, such as the gas of a failed transaction.
CREATE TABLE charges (
    shard INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    strategy INTEGER NOT NULL,
    time INTEGER NOT NULL,
    amount TEXT NOT NULL,
    PRIMARY KEY (shard, sequence, ordinal)
) STRICT;

CREATE TABLE trades (
    shard INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    strategy INTEGER NOT NULL,
    instrument INTEGER NOT NULL,
    side TEXT NOT NULL,
    entry_time INTEGER NOT NULL,
    exit_time INTEGER NOT NULL,
    entry_price TEXT NOT NULL,
    exit_price TEXT NOT NULL,
    quantity TEXT NOT NULL,
    fees TEXT NOT NULL,
    pnl TEXT NOT NULL,
    exit_reason TEXT NOT NULL,
    PRIMARY KEY (shard, sequence, ordinal)
) STRICT;

CREATE INDEX trades_by_instrument ON trades (shard, instrument, sequence, ordinal);
CREATE INDEX trades_by_strategy ON trades (shard, strategy, sequence, ordinal);
CREATE INDEX trades_by_time ON trades (shard, exit_time);

-- Open positions only.
CREATE TABLE positions (
    shard INTEGER NOT NULL,
    strategy INTEGER NOT NULL,
    instrument INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    quantity TEXT NOT NULL,
    reserved TEXT NOT NULL,
    cost TEXT NOT NULL,
    entry_fees TEXT NOT NULL,
    opened INTEGER NOT NULL,
    entered TEXT NOT NULL,
    realised TEXT NOT NULL,
    PRIMARY KEY (shard, strategy, instrument)
) STRICT;

-- The account's value over time.
CREATE TABLE equity (
    shard INTEGER NOT NULL,
    time INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    equity TEXT NOT NULL,
    cash TEXT NOT NULL,
    realised TEXT NOT NULL,
    fees TEXT NOT NULL,
    PRIMARY KEY (shard, time)
) STRICT;

-- Every strategy version that ever ran, so that the journal can be replayed.
CREATE TABLE plugin_versions (
    -- SHA-256 of the file, 64 hexadecimal digits.
    hash TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    shard INTEGER NOT NULL,
    -- The first input of that shard that ran it.
    first_sequence INTEGER NOT NULL,
    wasm BLOB NOT NULL
) STRICT;

CREATE TABLE settings_history (
    shard INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    time INTEGER NOT NULL,
    actor TEXT NOT NULL,
    -- The whole of the settings from then on, as JSON.
    settings TEXT NOT NULL,
    PRIMARY KEY (shard, sequence)
) STRICT;

CREATE TABLE audit (
    shard INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    time INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (shard, sequence, ordinal)
) STRICT;

CREATE INDEX audit_by_time ON audit (shard, time);
