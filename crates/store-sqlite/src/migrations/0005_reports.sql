-- The request that wrote the entry; NULL: a command, or the node itself.
ALTER TABLE ledger ADD COLUMN request_id TEXT;
CREATE INDEX ledger_by_request ON ledger (request_id) WHERE request_id IS NOT NULL;

-- How an app uses the endpoints, counted by day (days since 1970 in UTC). Swept by age, as the ledger.
CREATE TABLE app_usage (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    app      INTEGER NOT NULL,
    day      INTEGER NOT NULL,
    what     TEXT    NOT NULL,
    count    INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL,
    UNIQUE (app, day, what)
) STRICT;
