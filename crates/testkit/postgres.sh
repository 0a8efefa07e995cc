# A throwaway PostgreSQL that lives as long as its standard input is open: whoever started it may end as it likes, and nothing stays behind.
#
#   sh postgres.sh BIN PORT ADDRESSES [durable]
#
# BIN holds initdb and postgres. The server listens on a socket in the directory that the first line of output names, and on PORT of
# ADDRESSES (may be empty). Orders come line by line and are answered by "done": stop, crash, start; standby makes a second server, on the
# socket of the next port, that follows the first and that every commit waits for; promote crashes the first and puts the second in its
# place, so that from then on orders are about that one, and the next standby is made on the port of the other. Run it as any user but root.
#
# fsync is off, unless the last word says durable, for measurements: nothing here survives the machine. A server that is killed keeps what it
# gave to the operating system all the same, so a crash of the server is a real one, and only a power cut cannot be tried.
set -eu
trap '' INT TERM HUP
bin=$1 addresses=$3 settings='-c fsync=off -c shared_buffers=64MB'
if [ "${4:-}" = durable ]; then settings='-c fsync=on -c shared_buffers=512MB -c max_wal_size=4GB'; fi
place=$(mktemp -d "${TMPDIR:-/tmp}/keyfob-postgres-XXXXXX")
trap 'rm -rf "$place"' EXIT
cd "$place"
# Each server is its port, and its data directory is named after it.
first=$2 second=$(($2 + 1)) second_pid=

say_log() {
  tr '\n' ' ' <"$place/log"
  echo
}

# Over TCP the password is the place's name: enough to prove that one is asked for.
basename "$place" >password
"$bin/initdb" -D "data-$first" -U postgres --auth-local=trust --auth-host=scram-sha-256 --pwfile=password --no-sync -E UTF8 --locale=C \
  >log 2>&1 || { say_log; exit 1; }

# Starts the server of a port, and leaves its process in $pid.
launch() {
  "$bin/postgres" -D "data-$1" -k "$place" -p "$1" -c "listen_addresses=$addresses" $settings -c max_connections=300 \
    -c autovacuum_naptime=5 -c wal_keep_size=64MB -c wal_retrieve_retry_interval=100ms </dev/null >>log 2>&1 &
  pid=$!
  for _ in $(seq 600); do
    "$bin/pg_isready" -q -h "$place" -p "$1" && return
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.05
  done
  say_log
  exit 1
}

start() {
  launch "$first"
  first_pid=$pid
}

end() {
  if [ -n "$2" ]; then
    kill "-$1" "$2" 2>/dev/null || :
    wait "$2" || :
  fi
}

sql() {
  "$bin/psql" -Xqtc "$1" -h "$place" -p "$first" -U postgres postgres 2>>log
}

# What answers a condition of the first server with "t", within half a minute.
until_true() {
  for _ in $(seq 600); do
    [ "$(sql "$1" | tr -d ' \n')" = t ] && return
    sleep 0.05
  done
  say_log
  exit 1
}

standby() {
  end QUIT "$second_pid"
  rm -rf "data-$second"
  "$bin/pg_basebackup" -D "data-$second" -d "host=$place port=$first user=postgres application_name=standby" -R -X stream \
    --checkpoint=fast --no-sync >>log 2>&1 || { say_log; exit 1; }
  launch "$second"
  second_pid=$pid
  until_true "SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'"
  # Only now, or the commits of those who work meanwhile would wait for a standby that is still being made.
  sql "ALTER SYSTEM SET synchronous_standby_names = 'standby'"
  sql "SELECT pg_reload_conf()" >/dev/null
  until_true "SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'"
}

promote() {
  end QUIT "$first_pid"
  former=$first first=$second second=$former
  first_pid=$second_pid second_pid=
  "$bin/pg_ctl" promote -D "data-$first" -w -t 30 >>log 2>&1 || { say_log; exit 1; }
}

start
echo "$place"
while read -r order; do
  case $order in
    stop) end INT "$first_pid" ;;
    crash) end QUIT "$first_pid" ;;
    start) start ;;
    standby) standby ;;
    promote) promote ;;
  esac
  echo done
done
end QUIT "$first_pid"
end QUIT "$second_pid"
