-- The resources that a user consented to, separated by spaces; none: the authority's own API.
ALTER TABLE grants ADD COLUMN resources TEXT NOT NULL DEFAULT '';

-- The resource whose tokens a resource server may ask about; NULL: the authority's own API.
ALTER TABLE resource_servers ADD COLUMN resource TEXT;
