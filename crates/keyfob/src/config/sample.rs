//! The configuration file with every setting, its default and the reason for it. A test reads it back.

pub(super) const SAMPLE: &str = r##"# keyfob.toml: every setting. What stands here without a # is the default, the rest is an example. Unknown keys are refused.
# Set issuer before the first start.
# KEYFOB_ISSUER, KEYFOB_LISTEN, KEYFOB_METRICS_LISTEN, KEYFOB_MASTER_KEY_FILE, KEYFOB_LOG and KEYFOB_DATA replace these.

# The one name of this authority, in every token and in the metadata. It can never change for existing data: tokens are derived from it.
# Default: http:// and the listening address, for a first try on one machine.
# issuer = "https://auth.example.com"

# Plain HTTP is accepted on loopback only, for a proxy on the same machine that terminates TLS.
listen = "127.0.0.1:8080"

# The store lies here, in a directory that only its owner can enter.
data = "keyfob-data"

# A PostgreSQL database, which any number of nodes share. Default: SQLite in the data directory, for one machine. Several hosts may stand
# there, and the options of libpq; TLS is wanted unless the database is on this machine. KEYFOB_STORE may hold it instead, since it has a password.
# store = "postgres://keyfob:password@db1.example.com,db2.example.com/keyfob"

# 32 random bytes in base64, mode 0600, made at the first start. Default: beside the data directory, so that one backup does not hold both.
# KEYFOB_MASTER_KEY may hold the key itself instead.
# master_key_file = "keyfob-data.master-key"

# Prometheus metrics, on a listener of their own, so that the public one never shows them. Default: off.
# metrics_listen = "127.0.0.1:9100"

# Signs access tokens made from now on: EdDSA (small, fast) or ES256 (for verifiers without EdDSA). Existing data keeps its keys.
signing_algorithm = "EdDSA"

# Days after which another key signs access tokens; 0: only by `keyfob key rotate`. It is published an hour before, and the earlier one until its
# last token has ended. Short enough to be practised, long enough that nobody's copy of the key set matters.
signing_key_days = 90

# Connections at once; further ones wait. Bounds memory.
connections = 4096

# Requests in work at once; one more is turned away at once (503, or 429 at the token endpoint), so that the others are answered soon.
requests_at_once = 1024

# Proxies whose X-Forwarded-For is believed, as networks. Limits against guessing tell people apart by address. Where the issuer is https and this
# listener is plain, a proxy must be there: until it is named, those limits hold for each person alone. Default: none, since a client can write
# that header, too.
# trusted_proxies = ["127.0.0.1/32", "10.0.0.0/8"]

# text or json, on standard error. RUST_LOG chooses what is logged.
log = "text"

# Statuses as Follow Up Boss lists them where they differ from RFC 6749 and RFC 6750. Off: standard clients expect the RFC's.
fub_status = false

# Whether GET /oauth/token works at all. On: it is the documented way of the followupboss dialect. Secrets in URLs end up in logs of proxies.
legacy_get = true

# The `aud` of access tokens for which no resource was asked, and the resource (RFC 8707) of resource servers that name none. Default: the issuer.
# api_audience = "https://api.example.com"

# Seconds a code lives, 60 to 900. 15 minutes is what Follow Up Boss documents.
code_lifetime = 900

# Your platform on every page.
[brand]
name = "Keyfob"
# A path on this host or a data: URI; nothing is loaded from elsewhere.
# logo_url = "data:image/svg+xml,%3Csvg%20xmlns='http://www.w3.org/2000/svg'/%3E"
# accent = "#2855c5"
# support_url = "https://example.com/help"

# Without [tls] the listener speaks plain HTTP. The files are read again when they change.
# [tls]
# certificate = "fullchain.pem"
# key = "privkey.pem"

# Where people sign in, if not here with a password: at your platform's own login, which knows them already (docs/sign-in.md). It signs what it says
# with a key of which Keyfob gets the public half only: a JWK or PEM, Ed25519 or P-256.
# [sign_in.platform]
# url = "https://app.example.com/keyfob-login"
# public_key_file = "platform-key.pem"

# Or at an OpenID provider: Okta, Entra ID, Google, Keycloak, Auth0 (docs/sign-in.md has the settings of each). One of the two, never both. Register
# the redirect URI <issuer>/sign-in/openid/callback there. It is asked when somebody signs in, so Keyfob starts while it is down.
# [sign_in.openid]
# issuer = "https://idp.example.com"                # as its discovery document spells it
# client_id = "keyfob"
# client_secret_file = "openid-client-secret"       # mode 0600; without it a public client, which PKCE alone protects
# scopes = ["openid", "email", "profile"]           # the default
# switch_prompt = "login"                           # of "sign in as somebody else"; "select_account" for Google, which knows no login
# The claim with the company's id, and the one with its name; without them everybody belongs to [sign_in.openid.account]. A dot leads into an object.
# account_claim = "org_id"
# account_name_claim = "org_name"
# Roles: the claim (one value or a list) and what its values mean, the strongest counts. Whoever has none gets default_role, or stays outside.
# role_claim = "groups"
# default_role = "Agent"
# [sign_in.openid.roles]
# "keyfob-owners" = "Owner"
# "keyfob-admins" = "Admin"
# [sign_in.openid.account]
# id = "acme"
# name = "Acme Homes"
# domain = "acme"

# Without scopes a grant is the user's whole role, as at Follow Up Boss. They bind the apps that are held to some (keyfob app add --scope).
# [[scopes]]
# name = "people:read"
# title = "Read people"
# sentence = "See the names and contact details of your people."
"##;
