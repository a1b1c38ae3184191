#!/bin/sh
# Prints the newest Python on PATH that can run hashmark and make a virtual environment. Given a name, checks that one
# alone. Where there is none, says in one line what to install, and fails.
set -u

NEEDED=311 # 3.11, as major * 100 + minor
INSTALL='Install it (Debian: apt-get install python3 python3-venv), or name one: make PYTHON=/path/to/python3'
PROBE='
import sys
try:
    import ensurepip, venv
except ImportError:
    venv = None
print("%d %s" % (sys.version_info[0] * 100 + sys.version_info[1], venv and "venv" or "no-venv"))
'

version() { echo "$(($1 / 100)).$(($1 % 100))"; }

fail() {
    echo "$*" >&2
    exit 1
}

best='' best_version=0 without_venv='' too_old=''
for python in ${1:-python3 python3.14 python3.13 python3.12 python3.11}; do
    # A name that is there need not run: pyenv puts every version it has on PATH.
    answer=$("$python" -c "$PROBE" 2>/dev/null) || continue
    found=${answer%% *}
    if [ "$found" -lt $NEEDED ]; then
        too_old=${too_old:-"$python is Python $(version "$found")"}
    elif [ "${answer#* }" != venv ]; then
        without_venv=${without_venv:-$python}
    elif [ "$found" -gt $best_version ]; then
        best=$python best_version=$found
    fi
done

if [ -n "$best" ]; then
    echo "$best"
elif [ -n "$without_venv" ]; then
    package=${without_venv##*/}-venv
    fail "$without_venv has no venv module. Install it (Debian: apt-get install $package), then run make again."
elif [ -n "$too_old" ]; then
    fail "$too_old; hashmark needs Python 3.11 or later. $INSTALL"
elif [ -n "${1:-}" ]; then
    fail "PYTHON=$1 does not run. Name a Python 3.11 or later: make PYTHON=/path/to/python3"
else
    fail "hashmark needs Python 3.11 or later. $INSTALL"
fi
