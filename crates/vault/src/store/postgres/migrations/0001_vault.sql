CREATE TABLE vault (
    one       BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    key_check BYTEA  NOT NULL
);

CREATE TABLE data_keys (
    number     BIGINT NOT NULL PRIMARY KEY,
    sealed     BYTEA  NOT NULL,
    created_at BIGINT NOT NULL
);

-- Whoever writes anything of a connection holds the lock of its row here. It outlives its connection: the fence must never be given twice.
-- `nonce` is that of the last write on the connection, so that a write whose answer was lost recognises itself.
-- No indexed column changes, and every page keeps room, so that an update stays on its page and touches no index (HOT).
CREATE TABLE leases (
    id           TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    fence        BIGINT NOT NULL,
    leased_until BIGINT,
    nonce        BYTEA  NOT NULL
) WITH (fillfactor = 70);

-- `state` and `since` repeat what is sealed, for lists and operators; the sealed part is what counts.
CREATE TABLE connections (
    id         TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    generation BIGINT NOT NULL,
    state      TEXT   NOT NULL,
    since      BIGINT NOT NULL,
    data_key   BIGINT NOT NULL REFERENCES data_keys (number),
    sealed     BYTEA  NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX connections_by_data_key ON connections (data_key, id);

CREATE TABLE intents (
    id         TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    generation BIGINT NOT NULL,
    digest     BYTEA  NOT NULL,
    begun_at   BIGINT NOT NULL
);

-- Numbers come from one locked row and not from a sequence: they are seen in their order, so that whoever reads on from the last number
-- that they saw misses none that was committed late.
CREATE TABLE event_numbers (
    one  BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    last BIGINT NOT NULL
);
INSERT INTO event_numbers (one, last) VALUES (1, 0);

-- How far each reader of events has got.
CREATE TABLE cursors (
    reader TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL
);

-- Users who were sent away and have not come back yet; what became of those who have.
CREATE TABLE attempts (
    name     TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    stage    BIGINT NOT NULL,
    until    BIGINT NOT NULL,
    data_key BIGINT NOT NULL,
    sealed   BYTEA  NOT NULL
);
CREATE INDEX attempts_by_end ON attempts (until);

CREATE TABLE events (
    number     BIGINT NOT NULL PRIMARY KEY,
    id         TEXT   NOT NULL,
    generation BIGINT NOT NULL,
    from_state TEXT,
    to_state   TEXT   NOT NULL,
    since      BIGINT NOT NULL
);
