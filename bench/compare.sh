#!/bin/sh
# Runs other authorization servers on this machine with the same kind of load, where they are installed: npm's oidc-provider (in
# memory) and Debian's glewlwyd (on SQLite). Best effort, for orientation; ./test never runs it.
#
#   bench/compare.sh [seconds]
#
# oidc-provider is looked for in bench/compare/node_modules (npm install --prefix bench/compare oidc-provider). Everything listens on 127.0.0.1 and is ended by its process id when the script ends.
set -u
seconds=${1:-10}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
started=""

finish() {
    for process in $started; do
        kill "$process" 2>/dev/null
        wait "$process" 2>/dev/null
    done
    rm -rf "$work"
}
trap finish EXIT INT TERM

bench() {
    cargo run --release -q -p keyfob-bench -- "$@"
}

# drive NAME PORT PATH FORM CLIENT: one line.
drive() {
    printf '%-44s ' "$1"
    bench post --port "$2" --path "$3" --form "$4" --client "$5" --seconds "$seconds" || echo "not driven"
}

wait_for() {
    tries=0
    until curl -s -o /dev/null "$1"; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || return 1
        sleep 0.1
    done
}

compare_oidc_provider() {
    if ! command -v node >/dev/null || [ ! -d "$here/compare/node_modules/oidc-provider" ]; then
        echo "oidc-provider: not installed, left out"
        return
    fi
    node "$here/compare/oidc-provider.mjs" >"$work/oidc" 2>&1 &
    started="$started $!"
    if ! wait_for http://127.0.0.1:13001/.well-known/openid-configuration; then
        echo "oidc-provider: did not start"
        return
    fi
    # Printed by the script: a refresh token and an access token that it made through its own models.
    refresh=$(sed -n 's/^refresh //p' "$work/oidc")
    access=$(sed -n 's/^access //p' "$work/oidc")
    drive "oidc-provider refresh, in memory" 13001 /token \
        "grant_type=refresh_token&refresh_token=$refresh" bench:bench-secret-bench-secret-bench-secret
    drive "oidc-provider introspection, in memory" 13001 /token/introspection \
        "token=$access" bench:bench-secret-bench-secret-bench-secret
}

compare_glewlwyd() {
    if ! command -v glewlwyd >/dev/null; then
        echo "glewlwyd: not installed, left out"
        return
    fi
    # It needs a database, an administrator, a plugin and a client; whoever compares sets these up once and says how to ask.
    if [ -z "${GLEWLWYD_CONFIG:-}" ] || [ -z "${GLEWLWYD_PORT:-}" ]; then
        echo "glewlwyd: set GLEWLWYD_CONFIG (its file, listening on 127.0.0.1), GLEWLWYD_PORT, GLEWLWYD_PATH"
        echo "          (of its token endpoint), GLEWLWYD_CLIENT (id:secret) and GLEWLWYD_REFRESH (a refresh token); left out"
        return
    fi
    glewlwyd --config-file="$GLEWLWYD_CONFIG" >"$work/glewlwyd" 2>&1 &
    started="$started $!"
    if ! wait_for "http://127.0.0.1:$GLEWLWYD_PORT/"; then
        echo "glewlwyd: did not start"
        return
    fi
    drive "glewlwyd refresh, SQLite" "$GLEWLWYD_PORT" "$GLEWLWYD_PATH" \
        "grant_type=refresh_token&refresh_token=$GLEWLWYD_REFRESH" "$GLEWLWYD_CLIENT"
}

compare_oidc_provider
compare_glewlwyd
echo
bench run --seconds "$seconds" --connections 64 --rate-seconds "$seconds"
