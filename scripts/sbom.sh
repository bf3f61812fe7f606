#!/usr/bin/env bash
# Writes what is in a release as CycloneDX: the Worker, gatectl, and npm's packages, of which the dashboard has one and
# the others build and test. sbom.sh CARGO_CYCLONEDX
set -euo pipefail

cyclonedx=$1
out=build/sbom
mkdir -p "$out"
host=$(rustc -vV | sed -n 's/^host: //p')
# Dated by the commit, so that a release has one list.
if commit=$(git log -1 --format=%ct 2>/dev/null); then export SOURCE_DATE_EPOCH=$commit; fi
for part in worker:wasm32-unknown-unknown gatectl:"$host"; do
  # It writes beside the manifest, and nowhere else.
  "$cyclonedx" cyclonedx --format json --spec-version 1.5 --target "${part#*:}" --override-filename "${part%%:*}.cdx"
  mv "${part%%:*}.cdx.json" "$out/"
done
# Its version says nothing: nothing is published there.
npm sbom --sbom-format cyclonedx --package-lock-only >"$out/npm.cdx.json"
ls -l "$out"
