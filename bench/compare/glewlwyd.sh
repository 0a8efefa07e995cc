#!/bin/sh
# Sets glewlwyd up for bench/compare.sh: one user, one confidential client, one plugin that signs access tokens with ES256.
#
#   glewlwyd.sh prepare DIRECTORY PORT     before it starts: database, configuration, key pair
#   glewlwyd.sh populate DIRECTORY PORT    while it runs: by its own API; prints a refresh token and an access token
#
# The administrator's password is the one that its database is delivered with; nothing of this outlives the directory.
set -eu
directory=$2 port=$3
api=http://127.0.0.1:$port/api
schema=/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3
modules=/usr/lib/glewlwyd

prepare() {
    mkdir -p "$directory"
    sqlite3 "$directory/glewlwyd.db" <"$schema"
    openssl ecparam -genkey -name prime256v1 -noout -out "$directory/private.pem"
    openssl ec -in "$directory/private.pem" -pubout -out "$directory/public.pem" 2>/dev/null
    cat >"$directory/glewlwyd.conf" <<END
port=$port
bind_address="127.0.0.1"
external_url="http://127.0.0.1:$port/"
login_url="login.html"
api_prefix="api"
log_mode="console"
log_level="ERROR"
cookie_secure=0
session_key="bench"
session_expiration=3600
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="$modules/user"
client_module_path="$modules/client"
user_auth_scheme_module_path="$modules/scheme"
plugin_module_path="$modules/plugin"
hash_algorithm="SHA512"
database = { type = "sqlite3" path = "$directory/glewlwyd.db" };
END
}

# post PATH: standard input as JSON.
post() {
    curl -sS -f -m 10 -b "$directory/cookies" -c "$directory/cookies" -o /dev/null -H 'Content-Type: application/json' \
        --data-binary @- "$api/$1"
}

# A PEM file as the inside of a JSON string.
pem() {
    awk '{ printf "%s\\n", $0 }' "$1"
}

# member NAME: of a flat JSON object on standard input.
member() {
    sed -n "s/.*\"$1\" *: *\"\([^\"]*\)\".*/\1/p"
}

populate() {
    post auth/ <<END
{ "username": "admin", "password": "password" }
END
    post mod/plugin/ <<END
{ "module": "oauth2-glewlwyd", "name": "bench", "display_name": "bench", "enabled": true, "parameters": {
  "jwt-type": "ecdsa", "jwt-key-size": "256",
  "key": "$(pem "$directory/private.pem")", "cert": "$(pem "$directory/public.pem")",
  "access-token-duration": 3600, "refresh-token-duration": 1209600, "code-duration": 600, "refresh-token-rolling": false,
  "auth-type-code-enabled": true, "auth-type-code-revoke-replayed": false, "auth-type-implicit-enabled": false,
  "auth-type-password-enabled": true, "auth-type-client-enabled": true, "auth-type-device-enabled": false,
  "auth-type-refresh-enabled": true, "scope": [], "additional-parameters": [], "pkce-allowed": false,
  "introspection-revocation-allowed": true, "introspection-revocation-auth-scope": [],
  "introspection-revocation-allow-target-client": true } }
END
    post scope/ <<END
{ "name": "bench", "display_name": "bench", "description": "bench", "password_required": true, "password_max_age": 0, "scheme": {} }
END
    # Introspection is for clients that may have tokens of their own.
    post client/ <<END
{ "client_id": "bench", "name": "bench", "confidential": true, "enabled": true, "scope": ["bench"],
  "password": "bench-secret-bench-secret-bench-secret", "client_secret": "bench-secret-bench-secret-bench-secret",
  "redirect_uri": ["https://app.example.com/callback"], "authorization_type": ["code", "password", "refresh_token", "client_credentials"],
  "token_endpoint_auth_method": ["client_secret_basic"] }
END
    post user/ <<END
{ "username": "sandy", "name": "Sandy", "password": "maple-otter-41", "scope": ["bench"], "enabled": true }
END
    # The only way to a refresh token without a browser.
    tokens=$(curl -sS -f -m 10 -u bench:bench-secret-bench-secret-bench-secret \
        -d 'grant_type=password&username=sandy&password=maple-otter-41&scope=bench' "$api/bench/token")
    echo "refresh $(echo "$tokens" | member refresh_token)"
    echo "access $(echo "$tokens" | member access_token)"
}

"$1"
