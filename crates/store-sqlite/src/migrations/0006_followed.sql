-- The `iat` of the platform's word that was followed last; NULL: none was. An older one that arrives late is not followed.
ALTER TABLE accounts ADD COLUMN followed_at INTEGER;
ALTER TABLE users ADD COLUMN followed_at INTEGER;

-- Sessions end with what let their user in.
CREATE INDEX sessions_by_user ON sessions (user_id);
