#!/usr/bin/env bash
# Lays out what the Worker serves beside itself: the dashboard's files, and uPlot from npm, under build/assets.
# Writes the list of its inputs into STAMP: assets.sh STAMP INPUT...
set -euo pipefail

stamp=$1
shift

# Dated before the copying, so that a file changed meanwhile is newer than the stamp.
list=$stamp.new
printf '%s\n' "$@" >"$list"

# Whole or not at all, for a running `wrangler dev` looks at the folder.
new=build/.assets-unfinished
rm -rf "$new"
mkdir -p "$new/admin/uplot"
cp -R admin/. "$new/admin/"
# Wrangler reads the headers at the root, and serves them with no file.
mv "$new/admin/_headers" "$new/_headers"
node_modules/.bin/esbuild node_modules/uplot/dist/uPlot.esm.js --minify --format=esm --legal-comments=inline \
  --log-level=warning --outfile="$new/admin/uplot/uplot.js" >&2
cp node_modules/uplot/dist/uPlot.min.css "$new/admin/uplot/uplot.css"
cp node_modules/uplot/LICENSE "$new/admin/uplot/LICENSE"

rm -rf build/assets
mv "$new" build/assets
mv "$list" "$stamp"
