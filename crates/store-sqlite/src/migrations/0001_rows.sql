-- One row per grant, whatever happens to it. The id begins with the second of its making, so new rows lie together.
-- `stage`, `generation` and `branch` are what a conditional write compares; no indexed column ever changes.
CREATE TABLE grants (
    id              BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    stage           INTEGER NOT NULL,               -- 0 approved, 1 active, 2 ended
    generation      INTEGER NOT NULL DEFAULT 0,     -- 0 unless active
    branch          INTEGER NOT NULL DEFAULT 0,     -- 0 unless active
    parent_branch   INTEGER NOT NULL DEFAULT 0,     -- 0 unless active
    rotated_at      INTEGER,                        -- active
    last_used_at    INTEGER,                        -- active
    nonce           INTEGER NOT NULL,               -- of the write that made the row what it is
    app             INTEGER NOT NULL,
    user_id         INTEGER NOT NULL,
    root_key        INTEGER NOT NULL,
    salt            BLOB    NOT NULL,
    dialect         TEXT    NOT NULL,
    scope           TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    code_expires_at INTEGER,                        -- approved, or active while the code's lifetime lasts
    code_challenge  BLOB,                           -- likewise
    code_binding    TEXT,                           -- active: pkce, state or none
    request_digest  BLOB,                           -- active
    redirect_uri    TEXT,                           -- approved
    state_digest    BLOB,                           -- approved
    end_reason      TEXT,                           -- ended
    ended_at        INTEGER                         -- ended
) STRICT, WITHOUT ROWID;
CREATE INDEX grants_by_user ON grants (user_id);
CREATE INDEX grants_by_app ON grants (app);

-- Numbers are never reused: a grant outlives its user and its app.
CREATE TABLE accounts (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    name         TEXT    NOT NULL,
    domain       TEXT    NOT NULL UNIQUE,
    status       TEXT    NOT NULL,
    tokens_after INTEGER NOT NULL,
    created_at   INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    account       INTEGER NOT NULL REFERENCES accounts (id),
    email         TEXT    NOT NULL,
    email_folded  TEXT    NOT NULL UNIQUE,          -- in lower case
    name          TEXT    NOT NULL,
    role          TEXT    NOT NULL,
    status        TEXT    NOT NULL,
    password_hash TEXT,
    tokens_after  INTEGER NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX users_by_account ON users (account);

CREATE TABLE systems (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT    NOT NULL UNIQUE,
    key_digest BLOB    NOT NULL,
    enabled    INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE apps (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    system        INTEGER NOT NULL REFERENCES systems (id),
    name          TEXT    NOT NULL,
    client_id     TEXT    NOT NULL UNIQUE,
    enabled       INTEGER NOT NULL,
    redirect_uris TEXT    NOT NULL,                 -- a JSON array
    policy        TEXT    NOT NULL,                 -- a JSON object
    tokens_after  INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX apps_by_system ON apps (system);

CREATE TABLE app_secrets (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    app          INTEGER NOT NULL REFERENCES apps (id),
    name         TEXT    NOT NULL,
    digest       BLOB    NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER
) STRICT;
CREATE INDEX app_secrets_by_app ON app_secrets (app);

CREATE TABLE sessions (
    id               BLOB    NOT NULL PRIMARY KEY,
    user_id          INTEGER NOT NULL,
    authenticated_at INTEGER NOT NULL,
    last_seen_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_last_seen ON sessions (last_seen_at);

-- Append-only; swept by age. Read by grant and by user; by app it is searched from the newest entry backwards.
CREATE TABLE ledger (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,
    kind     TEXT    NOT NULL,
    grant_id BLOB,
    app      INTEGER,
    user_id  INTEGER,
    account  INTEGER,
    system   INTEGER,
    detail   TEXT    NOT NULL,
    once     TEXT
) STRICT;
CREATE INDEX ledger_by_grant ON ledger (grant_id) WHERE grant_id IS NOT NULL;
CREATE INDEX ledger_by_user ON ledger (user_id) WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX ledger_once ON ledger (once) WHERE once IS NOT NULL;

-- The numbers are positions in the revocation feed, so they must never be given twice.
CREATE TABLE revocations (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    kind        TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    not_before  INTEGER NOT NULL,
    until_time  INTEGER NOT NULL
) STRICT;
CREATE INDEX revocations_by_until ON revocations (until_time);

CREATE TABLE sealed_keys (
    id         INTEGER PRIMARY KEY,
    purpose    TEXT    NOT NULL,
    sealed     BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    retired_at INTEGER
) STRICT;

-- One row: whose store this is, and its counters.
CREATE TABLE store (
    one              INTEGER PRIMARY KEY CHECK (one = 1),
    issuer           TEXT,
    key_check        BLOB,
    sandbox          INTEGER,
    settings_version INTEGER NOT NULL DEFAULT 0,
    tick             INTEGER NOT NULL DEFAULT 0,
    tick_at          INTEGER NOT NULL DEFAULT 0,
    probes           INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO store (one) VALUES (1);
