#!/bin/sh
# The demo: one broker, three hubs on three continents, 600 customer messages through a line of six stations.
#   deploy/demo/demo.sh [BUILD]
# Everything runs in a temporary directory, on loopback ports that the system chooses, and is ended at the end, by process id. The
# commands are shown as they are run. The finished work is left in BUILD/demo-output.csv.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
build=$(cd "${1:-$top/build}" && pwd)
output=$build/demo-output.csv
dir=$(mktemp -d "${TMPDIR:-/tmp}/sunline-demo.XXXXXX")
PATH=$build:$PATH
export PATH
pids=
failed=yes
interrupted=no

say() { printf '\n%s\n' "$*"; }

# Show a command as one would type it, then run it.
show() {
    printf '$'
    for word; do
        case $word in
        *\**) printf " '%s'" "$word" ;;
        *) printf ' %s' "$word" ;;
        esac
    done
}
run() {
    show "$@"
    echo
    "$@"
}

# Start a program in the background; its log goes to DIR/NAME.log.
launch() { # name, command...
    name=$1
    shift
    show "$@"
    echo ' &'
    "$@" >"$dir/$name.log" 2>&1 &
    pids="$! $pids"
}

# Wait until a command succeeds; gives up after 20 seconds and shows the log that may tell why.
wait_for() { # what, log, command...
    what=$1 log=$2
    shift 2
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ "$tries" -ge 200 ]; then
            echo "demo: waited 20 seconds for $what" >&2
            cat "$dir/$log.log" >&2
            exit 1
        fi
        sleep 0.1
    done
}

# Processes, other than this one, that work in the demo's directory: daemons, robots, and what robots start.
left_running() {
    for p in /proc/[0-9]*; do
        if [ "$(readlink "$p/cwd" 2>/dev/null)" = "$dir" ] && [ "${p#/proc/}" != $$ ]; then
            echo "${p#/proc/}"
        fi
    done
}

gone() { ! kill -0 "$1" 2>/dev/null; }

# End one program: SIGTERM, then wait. One that was gone already (Ctrl-C reaches all), takes too long, or does not end with 0 is told.
end() { # pid
    if [ "$interrupted" = no ] && gone "$1"; then
        early=' (it had ended before it was asked to)'
    else
        early=
        kill -TERM "$1" 2>/dev/null || true
    fi
    tries=0
    until gone "$1" || [ "$tries" -ge 150 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    if ! gone "$1"; then
        echo "demo: process $1 did not end within 15 seconds" >&2
        kill -KILL "$1" 2>/dev/null || true
    fi
    code=0
    wait "$1" 2>/dev/null || code=$?
    if [ "$code" -ne 0 ] || [ -n "$early" ]; then
        echo "demo: process $1 ended with status $code$early" >&2
        status=1 failed=yes
    fi
}

# Agents first, the broker last.
finish() {
    status=$?
    trap - EXIT
    trap '' INT TERM HUP
    for pid in $pids; do
        end "$pid"
    done
    cd "$top"
    left=$(left_running)
    if [ -n "$left" ]; then
        echo "demo: still running:" $left >&2
        status=1
    fi
    if [ "$failed" = yes ] && [ "$interrupted" = no ]; then
        [ "$status" -ne 0 ] || status=1
        echo "demo: failed; the logs are in $dir" >&2
    else
        rm -rf "$dir"
    fi
    exit "$status"
}
trap finish EXIT
trap 'interrupted=yes; exit 130' INT
trap 'interrupted=yes; exit 143' TERM HUP

cd "$dir"

say "1. A broker. What it acknowledges is on disk."
launch broker sunlined --data broker --clients "tcp://127.0.0.1:*" --agents "tcp://127.0.0.1:*" --events "tcp://127.0.0.1:*"
wait_for "the broker" broker test -s broker/endpoints
endpoint() { sed -n "s/^$1[:= ]*//p" broker/endpoints; }
SUNLINE_BROKER=$(endpoint clients)
export SUNLINE_BROKER
printf '$ export SUNLINE_BROKER=%s\n' "$SUNLINE_BROKER"
run sunline version

say "2. Three hubs. Each has its own roster of robots."
for hub in kathmandu nairobi medellin; do
    sed -e "s|@AGENTS@|$(endpoint agents)|" -e "s|@ROBOTS@|$here|" -e "s|@BUILD@|$build|" "$here/$hub.yml" >"$hub.yml"
    launch "$hub" sunline-agent --config "$hub.yml"
done
for hub in kathmandu nairobi medellin; do
    wait_for "hub $hub" "$hub" grep -q " session-up " "$hub.log"
done
run sunline hub list

say "3. A line: clean, then language and contact side by side, then ticket, which joins them; check reviews the urgent ones; for reply three compete."
cp "$here/inbox.yml" "$here/languages.csv" "$here/messages.csv" .
run sunline line check inbox.yml
run sunline line apply inbox.yml

say "4. A run: every row of the CSV becomes a unit."
begin=$(date +%s)
run sunline run start inbox --name march --input messages.csv

say "5. The hubs are at work."
run sunline run watch march
end=$(date +%s)

say "6. What came out."
rm -f "$output"
run sunline run output march -o "$output"
run sunline run show march
run sunline worker list
say "The story of one unit:"
run sunline unit show march/1
say "What the reviewers said: accepted, improved field by field, or sent back with a reason. The first three verdicts, and the story of one that was sent back:"
run sunline run output march --station check --answers --format jsonl -o verdicts.jsonl
head -n 3 verdicts.jsonl
sent_back=$(sed -n '/"check.verdict": *"reject"/s/.*"unit": *\([0-9]*\).*/\1/p' verdicts.jsonl | head -n 1)
run sunline unit show "march/$sent_back" | sed -n '/^  *ticket$/,$p'
say "Three robots competed for the answer to each who wants his money back, and a jury that does not know whose is whose chose. The entries for one unit, with their places, and the votes:"
run sunline run output march --station reply --answers --format jsonl -o entries.jsonl
head -n 3 entries.jsonl
run sunline run output march --station reply.jury --answers --format jsonl -o votes.jsonl
head -n 2 votes.jsonl

say "One task of five at station language was one whose answer is known (languages.csv). One robot knows neither Portuguese nor Swahili; the control tasks found it out:"
run sunline worker show nbo-language
run sunline worker show ktm-language

say "7. People work by shifts. Who is on in Kathmandu, and until when:"
run sunline hub show kathmandu
say "Who can do how much in the coming hours, by the times that were measured:"
run sunline coverage inbox
say "Round the clock: the same engine, twelve people in three places, and a clock that runs through a day and an hour in seconds."
"$build/round-the-clock"

units=$(sunline --json run show march | grep -o '"done": *[0-9]*' | head -n 1 | tr -dc 0-9)
say "Done: $units units in $((end - begin)) seconds. Tasks by hub:"
sunline worker list | cat | awk -F '\t' '{ done[$2] += $7 } END { for (hub in done) printf "    %-12s %6d\n", hub, done[hub] }' | sort
echo "The finished work, $(($(wc -c <"$output") / 1024)) KB with these columns, is in $output"
head -n 1 "$output" | tr ',' ' ' | fold -s -w 100 | sed 's/^/    /'
failed=no
