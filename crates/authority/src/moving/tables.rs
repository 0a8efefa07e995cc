//! What a store holds, as a move sees it. The only list of its kind: each store has a test that compares it with its schema, so that a
//! column which a migration adds cannot stay behind unnoticed.

/// What a column can hold besides nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number.
    Int,
    /// A text.
    Text,
    /// Bytes.
    Blob,
    /// Yes or no.
    Bool,
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

/// A table.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Whether the store numbers its rows, never giving a number twice.
    pub numbered: bool,
    /// Its columns. The first is its primary key, a number or bytes: those have the same order in every store, while a text may not.
    pub columns: &'static [Column],
}

impl Table {
    /// The primary key.
    pub fn key(&self) -> Column {
        self.columns[0]
    }

    /// The columns, separated by commas, as in a statement.
    pub fn column_names(&self) -> String {
        self.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
    }
}

const fn int(name: &'static str) -> Column {
    Column { name, kind: Kind::Int }
}

const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::Text }
}

const fn blob(name: &'static str) -> Column {
    Column { name, kind: Kind::Blob }
}

const fn bool(name: &'static str) -> Column {
    Column { name, kind: Kind::Bool }
}

const fn numbered(name: &'static str, columns: &'static [Column]) -> Table {
    Table { name, numbered: true, columns }
}

const fn keyed(name: &'static str, columns: &'static [Column]) -> Table {
    Table { name, numbered: false, columns }
}

/// Every table but [`STORE`], those that others refer to first.
pub static TABLES: &[Table] = &[
    keyed(
        "sealed_keys",
        &[int("id"), text("purpose"), blob("sealed"), int("created_at"), int("retired_at"), int("starts_at")],
    ),
    numbered(
        "accounts",
        &[
            int("id"),
            text("name"),
            text("domain"),
            text("status"),
            int("tokens_after"),
            int("created_at"),
            text("external"),
            int("followed_at"),
        ],
    ),
    numbered(
        "users",
        &[
            int("id"),
            int("account"),
            text("email"),
            text("email_folded"),
            text("name"),
            text("role"),
            text("status"),
            text("password_hash"),
            int("tokens_after"),
            int("created_at"),
            text("external"),
            int("followed_at"),
        ],
    ),
    numbered("systems", &[int("id"), text("name"), blob("key_digest"), bool("enabled"), int("created_at")]),
    numbered(
        "apps",
        &[
            int("id"),
            int("system"),
            text("name"),
            text("client_id"),
            bool("enabled"),
            text("redirect_uris"),
            text("policy"),
            int("tokens_after"),
            int("created_at"),
            int("updated_at"),
        ],
    ),
    numbered(
        "app_secrets",
        &[
            int("id"),
            int("app"),
            text("name"),
            blob("digest"),
            int("created_at"),
            int("expires_at"),
            int("last_used_at"),
        ],
    ),
    numbered(
        "resource_servers",
        &[int("id"), text("name"), blob("secret_digest"), bool("enabled"), int("created_at"), text("resource")],
    ),
    keyed("used_tickets", &[blob("id"), int("until_time")]),
    keyed("sessions", &[blob("id"), int("user_id"), int("authenticated_at"), int("last_seen_at")]),
    keyed(
        "grants",
        &[
            blob("id"),
            int("stage"),
            int("generation"),
            int("branch"),
            int("parent_branch"),
            int("rotated_at"),
            int("last_used_at"),
            int("nonce"),
            int("app"),
            int("user_id"),
            int("root_key"),
            blob("salt"),
            text("dialect"),
            text("scope"),
            int("created_at"),
            int("code_expires_at"),
            blob("code_challenge"),
            text("code_binding"),
            blob("request_digest"),
            text("redirect_uri"),
            blob("state_digest"),
            text("end_reason"),
            int("ended_at"),
            text("resources"),
        ],
    ),
    numbered(
        "ledger",
        &[
            int("id"),
            int("at"),
            text("kind"),
            blob("grant_id"),
            int("app"),
            int("user_id"),
            int("account"),
            int("system"),
            text("detail"),
            text("once"),
            text("request_id"),
        ],
    ),
    numbered(
        "app_usage",
        &[int("id"), int("app"), int("day"), text("what"), int("count"), int("first_at"), int("last_at")],
    ),
    numbered("revocations", &[int("number"), text("kind"), text("id"), int("not_before"), int("until_time")]),
];

/// The table with one row: whose store it is, and its counters. It is not copied like the others; see [`StoreRow`](super::StoreRow).
pub static STORE: Table = keyed(
    "store",
    &[
        int("one"),
        text("issuer"),
        blob("key_check"),
        bool("sandbox"),
        int("settings_version"),
        int("tick"),
        int("tick_at"),
        int("probes"),
    ],
);
