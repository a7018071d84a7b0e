#!/bin/sh
# Install what is missing of the given groups of packages.txt (default: build).
#   deploy/install-deps.sh [--list] [build] [test] [lint] [peers]
# Nothing missing: says nothing, needs nobody's permission and no network. As root: installs from Debian's packages. Otherwise:
# prints the one command that would, and exits 1. --list only prints what is missing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

list_only=false
if [ "${1:-}" = --list ]; then
    list_only=true
    shift
fi
[ $# -gt 0 ] || set -- build
for group; do
    case $group in
    build | test | lint | peers) ;;
    *) echo "install-deps.sh: no such group: $group (build, test, lint, peers)" >&2; exit 2 ;;
    esac
done

wanted=$(awk -v groups=" $* " '!/^#/ && NF && index(groups, " " $1 " ") && !seen[$2]++ { print $2 }' "$here/packages.txt")

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "install-deps.sh: this is not a Debian system. Install what corresponds to these packages, then run make with DEPS=no:" >&2
    echo $wanted >&2
    exit 1
fi

# One query for all; a package counts only when it is fully installed ("rc", half-configured and unknown ones do not).
have=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null | awk '$1 == "installed" { print $2 }' || true)
missing=$(for p in $wanted; do
    echo "$have" | grep -qxF "$p" || echo "$p"
done)
if $list_only; then
    [ -z "$missing" ] || echo "$missing"
    exit 0
fi
[ -n "$missing" ] || exit 0
missing=$(echo $missing)

if [ "$(id -u)" -ne 0 ]; then
    echo "These packages are missing. This command installs them (then run make again):" >&2
    echo "    sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends $missing'" >&2
    exit 1
fi
echo "installing: $missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -y -q --no-install-recommends $missing
