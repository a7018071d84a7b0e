#!/bin/sh
# A monitor in a shell: how many units each run has done. `sunline events --json` through jq.
#   monitor.sh BROKER [STREAM]
set -e
sunline --broker "$1" --json events --topic "${2:-all}" |
jq -r -n '
  reduce (inputs | select(.event == "UNITS_DONE") | .data) as $d ({};
    .[$d.run | tostring] += ([$d.units | range(1; length; 2) as $i | .[$i]] | add))
  | to_entries | sort_by(.key | tonumber)[] | "run \(.key): \(.value) done"'
