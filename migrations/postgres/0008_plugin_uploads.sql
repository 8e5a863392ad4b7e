-- Who brought a file into the strategies directory through the host, so that what comes of it is done in that name. A file
-- is told from another of the same content, which somebody copied in by hand, by the time that it was written.
CREATE TABLE plugin_uploads (
    slot TEXT NOT NULL,
    -- SHA-256 of the file, 64 hexadecimal digits.
    version TEXT NOT NULL,
    -- When the file was written, by its file system: nanoseconds since 1970-01-01 UTC.
    modified BIGINT NOT NULL,
    actor TEXT NOT NULL,
    PRIMARY KEY (slot, version, modified)
);
