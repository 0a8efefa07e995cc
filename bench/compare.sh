#!/bin/sh
# Drives other authorization servers on this machine as `run` drives Keyfob, and then Keyfob, for orientation; ./test never runs it.
#
#   bench/compare.sh [seconds a line]        10 by default; about ten times that in all
#
# What is not installed is named and left out:
#   oidc-provider   npm install --prefix bench/compare oidc-provider     in memory; opaque access tokens
#   glewlwyd        apt-get install glewlwyd sqlite3 openssl             on SQLite in a temporary directory; access tokens signed with ES256
# BENCH names a built load generator; without it cargo builds one. Everything listens on 127.0.0.1 and ends with this script, which
# ends only what it started.
set -u
here=$(cd "$(dirname "$0")" && pwd)
seconds=${1:-10}
case $seconds in
    '' | *[!0-9]* | 0) echo "compare: $seconds is not a number of seconds" >&2; exit 2 ;;
esac
work=$(mktemp -d)
# The process id of the server that runs now. Forgotten when it has ended, since the number may then become another's.
server=""

stop() {
    [ -n "$server" ] && kill "$server" 2>/dev/null && wait "$server" 2>/dev/null
    server=""
}

finish() {
    trap - EXIT INT TERM
    stop
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

# missing NAME PROGRAM...: says which of the programs are not here, and whether any is.
missing() {
    name=$1
    shift
    absent=""
    for program in "$@"; do
        command -v "$program" >/dev/null || absent="$absent $program"
    done
    [ -n "$absent" ] && echo "$name: left out, not installed:$absent"
}

# serve LOG PORT PROGRAM...: starts a server that ends by itself if this script cannot end it, and waits until it answers.
serve() {
    log=$1 port=$2
    shift 2
    if curl -s -m 2 -o /dev/null "http://127.0.0.1:$port/"; then
        echo "port $port is taken by another program" >"$log"
        return 1
    fi
    timeout $((seconds * 10 + 60)) "$@" >"$log" 2>&1 &
    server=$!
    tries=0
    until curl -s -m 2 -o /dev/null "http://127.0.0.1:$port/"; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] && kill -0 "$server" 2>/dev/null || return 1
        sleep 0.1
    done
}

# drive NAME PORT PATH FORM: one line. Both servers know the same client.
drive() {
    printf '%-40s ' "$1"
    timeout $((seconds + 30)) "$BENCH" post --port "$2" --path "$3" --form "$4" \
        --client bench:bench-secret-bench-secret-bench-secret --seconds "$seconds" || echo "not driven"
}

compare_oidc_provider() {
    missing oidc-provider node && return
    if [ ! -d "$here/compare/node_modules/oidc-provider" ]; then
        echo "oidc-provider: left out, not installed: npm install --prefix bench/compare oidc-provider"
        return
    fi
    if ! serve "$work/oidc" 13001 node "$here/compare/oidc-provider.mjs" 13001; then
        echo "oidc-provider: left out, it did not start: $(tail -n 1 "$work/oidc")"
        stop
        return
    fi
    drive "oidc-provider refresh, in memory" 13001 /token \
        "grant_type=refresh_token&refresh_token=$(sed -n 's/^refresh //p' "$work/oidc")"
    drive "oidc-provider introspection, in memory" 13001 /token/introspection \
        "token=$(sed -n 's/^access //p' "$work/oidc")"
    stop
}

compare_glewlwyd() {
    missing glewlwyd glewlwyd sqlite3 openssl && return
    if ! "$here/compare/glewlwyd.sh" prepare "$work/glewlwyd" 13002 >"$work/glewlwyd.log" 2>&1 ||
        ! serve "$work/glewlwyd.log" 13002 glewlwyd --config-file="$work/glewlwyd/glewlwyd.conf" ||
        ! "$here/compare/glewlwyd.sh" populate "$work/glewlwyd" 13002 >"$work/glewlwyd.tokens" 2>&1; then
        echo "glewlwyd: left out, it could not be set up: $(cat "$work/glewlwyd.log" "$work/glewlwyd.tokens" 2>/dev/null | tail -n 1)"
        stop
        return
    fi
    drive "glewlwyd refresh, SQLite" 13002 /api/bench/token \
        "grant_type=refresh_token&refresh_token=$(sed -n 's/^refresh //p' "$work/glewlwyd.tokens")"
    drive "glewlwyd introspection, SQLite" 13002 /api/bench/introspect \
        "token=$(sed -n 's/^access //p' "$work/glewlwyd.tokens")"
    stop
}

missing compare curl timeout && exit 1
if [ -z "${BENCH:-}" ]; then
    missing compare cargo && exit 1
    cargo build --release -q --manifest-path "$here/../Cargo.toml" -p keyfob-bench || exit 1
    BENCH=${CARGO_TARGET_DIR:-$here/../target}/release/keyfob-bench
fi
compare_oidc_provider
compare_glewlwyd
echo
# Few grants, so that seeding takes a moment; the numbers that count are those of `run` with its defaults.
timeout $((seconds * 10 + 120)) "$BENCH" run --data "$work/keyfob" --grants 20000 --codes 1000 --seconds "$seconds" \
    --rate-seconds "$seconds" --connections 64 --only refresh
