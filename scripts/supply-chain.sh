#!/usr/bin/env bash
# Holds the dependencies of each lock file against deny.toml: supply-chain.sh CARGO_DENY WITHOUT
# WITHOUT is `advisories` where their database on GitHub cannot be reached, else empty.
set -euo pipefail

deny=$1 without=$2
case $without in
  '') checks='advisories bans licenses sources' ;;
  advisories) checks='bans licenses sources' ;;
  *) echo "WITHOUT=$without: only advisories can be left out." >&2 && exit 2 ;;
esac
for manifest in Cargo.toml fuzz/Cargo.toml benches/gateway/null-worker/Cargo.toml; do
  echo "$manifest: $checks" >&2
  # shellcheck disable=SC2086 # words
  "$deny" --manifest-path "$manifest" --config deny.toml --locked --all-features check $checks
done
[ -z "$without" ] || echo 'Advisories were not looked at.' >&2
