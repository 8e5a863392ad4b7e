-- Who may use the admin API. A token's secret is nowhere: only the SHA-256 of its 256 random bits is kept, as 64
-- hexadecimal digits. Times are nanoseconds since 1970-01-01 UTC.
CREATE TABLE tokens (
    hash TEXT NOT NULL PRIMARY KEY,
    -- Unlike all others, and for ever: the audit names who did something by it.
    name TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    -- The only account that it is for; NULL for one that is for all.
    account TEXT,
    created INTEGER NOT NULL,
    -- Not valid from this moment on; NULL for a token that does not expire.
    expires INTEGER,
    revoked INTEGER,
    last_used INTEGER
) STRICT;
