-- A signing key is published before it signs.
ALTER TABLE sealed_keys ADD COLUMN starts_at INTEGER NOT NULL DEFAULT 0;

-- Who may follow the revocation feed.
CREATE TABLE resource_servers (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          TEXT    NOT NULL UNIQUE,
    secret_digest BLOB    NOT NULL,
    enabled       INTEGER NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT;
