#!/usr/bin/env bash
# Installs one version of a Rust program into a folder of its own, whole or not at all:
# install-tool.sh CACHE NAME VERSION ESTIMATE [options of cargo install]
set -euo pipefail

cache=$1 name=$2 version=$3 estimate=$4
shift 4
target=$cache/$name-$version

# Several checkouts share the folder.
mkdir -p "$cache"
if [ -z "${INSTALL_LOCK_HELD:-}" ]; then
  INSTALL_LOCK_HELD=1 exec python3 "$(dirname "$0")/locked.py" "$cache/.lock" "$0" "$cache" "$name" "$version" "$estimate" "$@"
fi
[ -d "$target" ] && exit 0

# worker-build can download tools over TLS. It is never asked to here, but it links OpenSSL all the same.
if [ "$name" = worker-build ] && [ "$(uname)" = Linux ] && ! pkg-config --exists openssl 2>/dev/null; then
  echo "The headers of OpenSSL are missing, which $name needs: install pkg-config and libssl-dev (Fedora: openssl-devel), then run this again." >&2
  exit 1
fi

echo "Installing $name $version into $target, once: about $estimate on two idle cores." >&2
started=$SECONDS
unfinished=$cache/.unfinished-$name-$version
rm -rf "$unfinished"
# Each runs for a moment a build: that they are compiled soon matters more than that they are fast.
export CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
cargo install --root "$unfinished" --version "=$version" "$@" "$name" >&2
mv "$unfinished" "$target"
echo "Installed $name $version in $((SECONDS - started)) seconds." >&2
