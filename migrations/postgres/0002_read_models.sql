-- Rows for people and programs to read. They follow from the journal and are written in the transaction of the
-- records that cause them. `sequence` is the input that caused a row, `ordinal` its place among what that
-- input caused. Amounts of money, prices and quantities are exact decimals.

CREATE TABLE accounts (
    shard BIGINT NOT NULL PRIMARY KEY,
    sequence BIGINT NOT NULL,
    time BIGINT NOT NULL,
    cash NUMERIC NOT NULL,
    pool NUMERIC NOT NULL,
    deposited NUMERIC NOT NULL,
    equity NUMERIC NOT NULL,
    realised NUMERIC NOT NULL,
    fees NUMERIC NOT NULL,
    -- Why trading is halted, if it is.
    halted TEXT
);

CREATE TABLE instruments (
    shard BIGINT NOT NULL,
    instrument BIGINT NOT NULL,
    symbol TEXT NOT NULL,
    PRIMARY KEY (shard, instrument)
);

CREATE TABLE slots (
    shard BIGINT NOT NULL,
    strategy BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    time BIGINT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    mode TEXT NOT NULL,
    status TEXT NOT NULL,
    weight NUMERIC NOT NULL,
    cash NUMERIC NOT NULL,
    reserved NUMERIC NOT NULL,
    funded NUMERIC NOT NULL,
    realised NUMERIC NOT NULL,
    fees NUMERIC NOT NULL,
    faults BIGINT NOT NULL,
    PRIMARY KEY (shard, strategy)
);

CREATE TABLE orders (
    shard BIGINT NOT NULL,
    id BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    strategy BIGINT NOT NULL,
    tag BIGINT NOT NULL,
    instrument BIGINT NOT NULL,
    side TEXT NOT NULL,
    quantity NUMERIC NOT NULL,
    -- NULL for an order at the market.
    limit_price NUMERIC,
    origin TEXT NOT NULL,
    created BIGINT NOT NULL,
    reference_price NUMERIC NOT NULL,
    confidence DOUBLE PRECISION NOT NULL,
    reason TEXT NOT NULL,
    state TEXT NOT NULL,
    filled NUMERIC NOT NULL,
    changed BIGINT NOT NULL,
    end_reason TEXT NOT NULL,
    PRIMARY KEY (shard, id)
);

CREATE INDEX orders_by_state ON orders (shard, state, id);
CREATE INDEX orders_by_instrument ON orders (shard, instrument, id);
CREATE INDEX orders_by_strategy ON orders (shard, strategy, id);
CREATE INDEX orders_by_time ON orders (shard, created, id);

CREATE TABLE order_transitions (
    shard BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    order_id BIGINT NOT NULL,
    time BIGINT NOT NULL,
    state TEXT NOT NULL,
    filled NUMERIC NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (shard, sequence, ordinal)
);

CREATE INDEX order_transitions_by_order ON order_transitions (shard, order_id, sequence, ordinal);

CREATE TABLE fills (
    shard BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    order_id BIGINT NOT NULL,
    strategy BIGINT NOT NULL,
    tag BIGINT NOT NULL,
    instrument BIGINT NOT NULL,
    side TEXT NOT NULL,
    quantity NUMERIC NOT NULL,
    price NUMERIC NOT NULL,
    fee NUMERIC NOT NULL,
    time BIGINT NOT NULL,
    cause TEXT NOT NULL,
    PRIMARY KEY (shard, sequence, ordinal)
);

CREATE INDEX fills_by_order ON fills (shard, order_id, sequence, ordinal);
CREATE INDEX fills_by_instrument ON fills (shard, instrument, sequence, ordinal);
CREATE INDEX fills_by_strategy ON fills (shard, strategy, sequence, ordinal);
CREATE INDEX fills_by_time ON fills (shard, time);

-- Costs without a fill, such as the gas of a failed transaction.
CREATE TABLE charges (
    shard BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    strategy BIGINT NOT NULL,
    time BIGINT NOT NULL,
    amount NUMERIC NOT NULL,
    PRIMARY KEY (shard, sequence, ordinal)
);

CREATE TABLE trades (
    shard BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    strategy BIGINT NOT NULL,
    instrument BIGINT NOT NULL,
    side TEXT NOT NULL,
    entry_time BIGINT NOT NULL,
    exit_time BIGINT NOT NULL,
    entry_price NUMERIC NOT NULL,
    exit_price NUMERIC NOT NULL,
    quantity NUMERIC NOT NULL,
    fees NUMERIC NOT NULL,
    pnl NUMERIC NOT NULL,
    exit_reason TEXT NOT NULL,
    PRIMARY KEY (shard, sequence, ordinal)
);

CREATE INDEX trades_by_instrument ON trades (shard, instrument, sequence, ordinal);
CREATE INDEX trades_by_strategy ON trades (shard, strategy, sequence, ordinal);
CREATE INDEX trades_by_time ON trades (shard, exit_time);

-- Open positions only.
CREATE TABLE positions (
    shard BIGINT NOT NULL,
    strategy BIGINT NOT NULL,
    instrument BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    quantity NUMERIC NOT NULL,
    reserved NUMERIC NOT NULL,
    cost NUMERIC NOT NULL,
    entry_fees NUMERIC NOT NULL,
    opened BIGINT NOT NULL,
    entered NUMERIC NOT NULL,
    realised NUMERIC NOT NULL,
    PRIMARY KEY (shard, strategy, instrument)
);

-- The account's value over time.
CREATE TABLE equity (
    shard BIGINT NOT NULL,
    time BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    equity NUMERIC NOT NULL,
    cash NUMERIC NOT NULL,
    realised NUMERIC NOT NULL,
    fees NUMERIC NOT NULL,
    PRIMARY KEY (shard, time)
);

-- Every strategy version that ever ran, so that the journal can be replayed.
CREATE TABLE plugin_versions (
    -- SHA-256 of the file, 64 hexadecimal digits.
    hash TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    shard BIGINT NOT NULL,
    -- The first input of that shard that ran it.
    first_sequence BIGINT NOT NULL,
    wasm BYTEA NOT NULL
);

CREATE TABLE settings_history (
    shard BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    time BIGINT NOT NULL,
    actor TEXT NOT NULL,
    -- The whole of the settings from then on, as JSON.
    settings TEXT NOT NULL,
    PRIMARY KEY (shard, sequence)
);

CREATE TABLE audit (
    shard BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    time BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (shard, sequence, ordinal)
);

CREATE INDEX audit_by_time ON audit (shard, time);
