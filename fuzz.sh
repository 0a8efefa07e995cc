#!/usr/bin/env bash
# Looks for inputs that break a parser; see ./fuzz.sh --help.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
  cat <<'END'
./fuzz.sh SECONDS [TARGET]...   fuzzes each target (default: all) for SECONDS, on every core, with libFuzzer on stable Rust
./fuzz.sh --list                the targets

New inputs that reach new code are kept in target/fuzz/TARGET. An input that breaks something is written to fuzz/corpus/TARGET, where every
test run replays it: mend the parser and commit both. Exit code 1 if one was found. Needs a C++ compiler.
END
}

targets() { sed -n 's/.*Target { name: "\([a-z_0-9]*\)".*/\1/p' fuzz/src/lib.rs; }

case ${1:-} in
  '' | --help | -h) usage; exit 0 ;;
  --list) targets; exit 0 ;;
  *[!0-9]*) printf 'fuzz.sh: %s is no number of seconds; see ./fuzz.sh --help\n' "$1" >&2; exit 2 ;;
esac
seconds=$1
shift
if [ "$#" -eq 0 ]; then mapfile -t names < <(targets); else names=("$@"); fi

# What cargo-fuzz passes, less the sanitizer, which stable Rust does not have: there is no unsafe code of ours for it to look at.
export RUSTFLAGS='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
  -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1'
# With a target named, build scripts and macros, which run without the fuzzer, are built without these flags.
host=$(rustc -vV | sed -n 's/^host: //p')
cargo build --quiet --release --manifest-path fuzz/driver/Cargo.toml --target "$host" --target-dir target/fuzz-build
driver="target/fuzz-build/$host/release/keyfob-fuzz-driver"

found=0
for name in "${names[@]}"; do
  if [ ! -d "fuzz/corpus/$name" ]; then
    printf 'fuzz.sh: no target %s; there are: %s\n' "$name" "$(targets | tr '\n' ' ')" >&2
    exit 2
  fi
  mkdir -p "target/fuzz/$name"
  log="target/fuzz/$name.log"
  if KEYFOB_FUZZ_TARGET=$name "$driver" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -max_len=70000 \
    -artifact_prefix="fuzz/corpus/$name/" -print_final_stats=1 "target/fuzz/$name" "fuzz/corpus/$name" >"$log" 2>&1; then
    printf '%-14s %12s runs, %5s inputs kept, nothing found\n' "$name" \
      "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" "$(find "target/fuzz/$name" -type f | wc -l)"
  else
    found=1
    printf '%-14s FOUND: %s\n' "$name" "$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)"
    grep -m 3 -A 2 'panicked at' "$log" || tail -n 5 "$log"
  fi
done
exit "$found"
