#!/bin/sh
# config_example.sh SHEPHERD ROOT: the documented example is accepted as it stands and with every setting switched on,
# and it names each setting that the daemon knows.
set -eu
shepherd=$1 root=$2
example=$root/config/shepherd.lua
"$shepherd" check --config "$example"

all=$(mktemp)
trap 'rm -f "$all"' EXIT
sed -E 's/^-- ([a-z_]+ = |  \{ |  [a-z_]+ = |\}$)/\1/' "$example" >"$all"
"$shepherd" check --config "$all"

keys=$(sed -n '/known_keys\[\] = {/,/};/p' "$root/core/cli/config.c" | grep -o '"[a-z_]*"' | tr -d '"')
[ -n "$keys" ] || { echo "no known_keys[] in core/cli/config.c: mend this test"; exit 1; }
for key in $keys; do
    grep -q "^$key = " "$all" || { echo "config/shepherd.lua: no '$key'"; exit 1; }
    grep -q "^| \`$key\` |" "$root/config/README.md" || { echo "config/README.md: no row for '$key'"; exit 1; }
done
