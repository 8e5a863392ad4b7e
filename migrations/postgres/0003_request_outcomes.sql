-- What became of a request, as JSON: {"outcome":"applied","sequence":7}, or
-- {"outcome":"refused","sequence":7,"reason":"…"}, with null for the sequence when the request could not be read.
-- A request without one waits; `answered` is the sequence.
ALTER TABLE requests ADD COLUMN outcome TEXT;

-- Whoever asks again because the answer was lost gives the same key: the request is there once.
ALTER TABLE requests ADD COLUMN idempotency_key TEXT;

CREATE UNIQUE INDEX requests_by_key ON requests (idempotency_key);

-- Of those that were answered before it is not known whether the engine refused some.
UPDATE requests SET outcome = '{"outcome":"applied","sequence":' || answered || '}' WHERE answered IS NOT NULL;

DROP INDEX requests_waiting;

CREATE INDEX requests_waiting ON requests (shard, id) WHERE outcome IS NULL;
