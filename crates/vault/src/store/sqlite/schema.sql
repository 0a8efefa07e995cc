CREATE TABLE vault (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL,
    key_check BLOB NOT NULL,
    id TEXT NOT NULL
) STRICT;

CREATE TABLE data_keys (
    number INTEGER PRIMARY KEY,
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- `state` and `since` repeat what is sealed, for lists and operators; the sealed part is what counts.
CREATE TABLE connections (
    id TEXT PRIMARY KEY,
    generation INTEGER NOT NULL,
    state TEXT NOT NULL,
    since INTEGER NOT NULL,
    data_key INTEGER NOT NULL REFERENCES data_keys (number),
    sealed BLOB NOT NULL
) STRICT;

CREATE INDEX connections_by_data_key ON connections (data_key);

-- Outlives its connection: the fence must never be given twice.
CREATE TABLE leases (
    id TEXT PRIMARY KEY,
    fence INTEGER NOT NULL,
    leased_until INTEGER
) STRICT;

CREATE TABLE intents (
    id TEXT PRIMARY KEY,
    generation INTEGER NOT NULL,
    digest BLOB NOT NULL,
    begun_at INTEGER NOT NULL
) STRICT;

-- How far each reader of events has got.
CREATE TABLE cursors (
    reader TEXT PRIMARY KEY,
    number INTEGER NOT NULL
) STRICT;

-- Users who were sent away and have not come back yet; what became of those who have.
CREATE TABLE attempts (
    name TEXT PRIMARY KEY,
    stage INTEGER NOT NULL,
    until INTEGER NOT NULL,
    data_key INTEGER NOT NULL,
    sealed BLOB NOT NULL
) STRICT;

CREATE INDEX attempts_by_end ON attempts (until);

CREATE TABLE events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    generation INTEGER NOT NULL,
    from_state TEXT,
    to_state TEXT NOT NULL,
    since INTEGER NOT NULL
) STRICT;
