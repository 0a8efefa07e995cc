//! The configuration file of the vault with every setting, its default and the reason for it.

pub(in crate::vault) const SAMPLE: &str = r##"# vault.toml: every setting. What stands here without a # is needed or the default, the rest is an example. Unknown keys are refused.
# Relative paths are taken from the directory in which the command is started.
# Secrets stand in files that only their owner can read (chmod 600), never here.

# Where browsers reach the vault: https, or http on this machine. Its /callback is the redirect URI to register with the authority.
public_url = "https://connect.example.com"

# Plain HTTP on loopback only, for a proxy on the same machine that terminates TLS; or set [tls].
listen = "127.0.0.1:4400"

# The connections: an SQLite file for one machine, or postgres://user:password@host/database for several equal nodes.
store = "vault.db"

# Where there is no store, one is begun at the first start, and a mark beside the master key file keeps a later start from beginning another. Beside a key
# that comes from the environment or a read-only mount no mark can be kept: set this after the first start.
# store_must_exist = true

# 32 random bytes in base64, made at the first start beside the store. Move it: one backup should not hold both. Without it the store is worth nothing,
# to a thief and to you. KEYFOB_VAULT_MASTER_KEY may hold the key itself instead.
# master_key_file = "/etc/keyfob/vault.master-key"

# Prometheus metrics, on a listener of their own. Default: off.
# metrics_listen = "127.0.0.1:9101"

# text or json, on standard error. RUST_LOG chooses what is logged.
log = "text"

# An app whose users connect; callers call it fub. There may be several.
[apps.fub]
# followupboss; keyfob with issuer = "https://…"; or an issuer that publishes its metadata (RFC 8414), with api = "https://…".
authority = "followupboss"
# With followupboss: a running sandbox in its place (keyfob sandbox), to try everything out.
# sandbox = "http://127.0.0.1:4180"
# With an issuer, or to replace what followupboss and keyfob imply.
# api = "https://api.example.com/v1"
# What users read on the vault's pages. Default: the section's name.
# title = "Your Product"
client_id = "your client id"
client_secret_file = "fub.secret"
# In place of a secret, for an app that has none; PKCE is always used.
# public = true
# For X-System and X-System-Key, which Follow Up Boss gives partners.
# system = "Your System"
# system_key_file = "fub.system-key"
# As registered, byte for byte. Default: public_url with /callback. With apps at several authorities: that, a slash and the app's name, so that
# no authority's answer is taken for another's.
# redirect_uri = "https://connect.example.com/callback"
# A narrower scope than the app's default.
# scope = "people:read"
# Where the user's browser goes at the end, with app, connection and result in the query. Default: a page of the vault.
# after = "https://app.example.com/connected"
# Other places that a caller may name for that by return_to; each ends in /.
# return_prefixes = ["https://app.example.com/"]

# A program of yours. keyfob vault key makes the key and its digest.
[callers.backend]
key_sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
# connect: start connections; read: see them and their events; manage: refresh and revoke; token: see access tokens, which the proxy spares you.
rights = ["connect", "read", "manage"]
# What it may call through the proxy: a method or *, and a path; with * at its end every path that begins so. Default: nothing.
proxy = ["GET /v1/people", "GET /v1/people/*", "POST /v1/events"]
# Only these apps. Default: all.
# apps = ["fub"]

# Every change of a connection's state is posted here, signed (Keyfob-Signature), until it is taken.
# [webhooks.backend]
# url = "https://app.example.com/webhooks/keyfob"
# secret_file = "webhook.secret"

# Yours on every page.
# [brand]
# name = "Your Product"
# accent = "#2855c5"
# support_url = "https://example.com/help"

# [tls]
# certificate = "fullchain.pem"
# key = "privkey.pem"
"##;
