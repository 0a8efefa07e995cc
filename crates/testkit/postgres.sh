# A throwaway PostgreSQL that lives as long as its standard input is open: whoever started it may end as it likes, and nothing stays behind.
#
#   sh postgres.sh BIN PORT ADDRESSES
#
# BIN holds initdb and postgres. The server listens on a socket in the directory that the first line of output names, and on PORT of
# ADDRESSES (may be empty). Orders come line by line and are answered by "done": stop, crash, start. Run it as any user but root.
set -eu
trap '' INT TERM HUP
bin=$1 port=$2 addresses=$3
place=$(mktemp -d "${TMPDIR:-/tmp}/keyfob-postgres-XXXXXX")
trap 'rm -rf "$place"' EXIT
cd "$place"

say_log() {
  tr '\n' ' ' <"$place/log"
  echo
}

# Over TCP the password is the place's name: enough to prove that one is asked for.
basename "$place" >password
"$bin/initdb" -D data -U postgres --auth-local=trust --auth-host=scram-sha-256 --pwfile=password --no-sync -E UTF8 --locale=C \
  >log 2>&1 || { say_log; exit 1; }

start() {
  # Nothing here survives the machine, so nothing waits for the disk.
  "$bin/postgres" -D data -k "$place" -p "$port" -c "listen_addresses=$addresses" -c fsync=off -c max_connections=300 \
    -c shared_buffers=64MB -c autovacuum_naptime=5 </dev/null >>log 2>&1 &
  pid=$!
  for _ in $(seq 600); do
    "$bin/pg_isready" -q -h "$place" -p "$port" && return
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.05
  done
  say_log
  exit 1
}

stop() {
  kill "-$1" "$pid" 2>/dev/null || :
  wait "$pid" || :
}

start
echo "$place"
while read -r order; do
  case $order in
    stop) stop INT ;;
    crash) stop QUIT ;;
    start) start ;;
  esac
  echo done
done
stop QUIT
