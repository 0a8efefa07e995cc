-- The platform's own ids; NULL: it knows nothing of them.
ALTER TABLE accounts ADD COLUMN external TEXT;
CREATE UNIQUE INDEX accounts_by_external ON accounts (external);
ALTER TABLE users ADD COLUMN external TEXT;
CREATE UNIQUE INDEX users_by_external ON users (external);

-- Digests of tickets that were used, until nothing that names them is good any more.
CREATE TABLE used_tickets (
    id         BYTEA  NOT NULL PRIMARY KEY,
    until_time BIGINT NOT NULL
);
CREATE INDEX used_tickets_by_until ON used_tickets (until_time);
