-- Of the vault among all vaults. Null until a node that knows of it opens the vault.
ALTER TABLE vault ADD COLUMN id TEXT;
