#!/usr/bin/env bash
# Stops with one sentence when something that only the user can install is missing, and adds what
# rustup can add. Arguments: rustup components that are needed besides the compiler.
set -euo pipefail

stop() {
  echo "$1" >&2
  exit 1
}

command -v cargo >/dev/null || stop "Rust is missing: install it with rustup (https://rustup.rs), then run this again."
command -v node >/dev/null || stop "Node.js is missing: install version 20 or later (https://nodejs.org), then run this again."
command -v npm >/dev/null || stop "npm is missing: it comes with Node.js (https://nodejs.org); on some systems it is a package of its own."
command -v python3 >/dev/null || stop "Python is missing: install Python 3.11 or later (https://www.python.org), then run this again."
command -v cc >/dev/null || stop "A C compiler is missing, which Rust needs to link: install gcc or clang (Debian: apt-get install build-essential), then run this again."

node_version=$(node --version)
node_major=${node_version#v}
[ "${node_major%%.*}" -ge 20 ] || stop "Node.js 20 or later is needed, and this is $node_version: see https://nodejs.org."
python_version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
case $python_version in
  3.[0-9] | 3.10 | 2.*) stop "Python 3.11 or later is needed, and python3 is $python_version: install a later one (https://www.python.org) and have it first on the PATH." ;;
esac

# The marks are the folders that rustup makes, since asking rustup itself takes long.
sysroot=$(rustc --print sysroot)
if [ ! -d "$sysroot/lib/rustlib/wasm32-unknown-unknown" ]; then
  command -v rustup >/dev/null || stop "The Rust target wasm32-unknown-unknown is missing and rustup is not there to add it: install Rust with rustup (https://rustup.rs)."
  rustup target add wasm32-unknown-unknown
fi
for component in "$@"; do
  case $component in clippy) program=cargo-clippy ;; *) program=$component ;; esac
  if [ ! -e "$sysroot/bin/$program" ]; then
    command -v rustup >/dev/null || stop "$component is missing and rustup is not there to add it: install Rust with rustup (https://rustup.rs)."
    rustup component add "$component"
  fi
done
