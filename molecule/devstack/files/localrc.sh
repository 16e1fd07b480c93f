#!/bin/bash
# Prints the variables that a local.conf ($1) sets when DevStack sources its localrc section, "name=value" a line.
set -euo pipefail -o posix
before=$(compgen -v)
source <(awk '/^\[\[/ { on = $0 == "[[local|localrc]]"; next } on' "$1")
for name in $(comm -13 <(sort <<< "$before") <(compgen -v | sort)); do
    [[ $name = before ]] || { declare -n value=$name; echo "$name=${value[*]}"; }
done
