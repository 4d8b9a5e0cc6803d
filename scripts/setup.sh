#!/bin/sh
# Make the environment and install exactly what the lock says, with plain python and pip.
# usage: sh scripts/setup.sh ENV_FOLDER STAMP
# The stamp says which checkout the environment serves (line 1) and with which lock (line 2).
set -eu
env=$1 stamp=$2
export PIP_DISABLE_PIP_VERSION_CHECK=1

supported='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'

find_python() {
    for name in "${PYTHON:-python3}" python3.12 python3.13 python3.11; do
        if "$name" -c "$supported" >/dev/null 2>&1; then
            echo "$name"
            return
        fi
    done
}

if [ ! -x "$env/bin/python" ] || ! "$env/bin/python" -m pip --version >/dev/null 2>&1; then
    if [ "$env" != .venv ]; then
        echo "$env has no Python with pip: make it again with 'conda env create -f environment.yml'." >&2
        exit 1
    fi
    python=$(find_python)
    if [ -z "$python" ]; then
        found=$(python3 --version 2>/dev/null || echo "no python3")
        echo "Python 3.11, 3.12 or 3.13 is needed, found $found: install one, or name it with PYTHON=/path/to/python." >&2
        exit 1
    fi
    if ! "$python" -m venv --clear "$env"; then
        echo "Could not make $env: on Debian and Ubuntu, 'apt install python3-venv' is missing." >&2
        exit 1
    fi
fi
if ! "$env/bin/python" -c "$supported"; then
    echo "$env holds an unsupported Python: Python 3.11, 3.12 or 3.13 is needed; delete that folder and try again." >&2
    exit 1
fi

here=$(pwd -P) served='' installed=''
if [ -f "$stamp" ]; then
    served=$(sed -n 1p "$stamp")
    installed=$(sed -n 2p "$stamp")
fi
lock=$(cksum < requirements.txt)
if [ "$installed" != "$lock" ]; then
    free_mb=$(df -Pm . | awk 'NR == 2 {print $4}')
    if [ "$free_mb" -lt 4500 ]; then
        echo "Only $free_mb MB are free here: the environment takes about 4 GB; make room and try again." >&2
        exit 1
    fi
    echo "Installing the locked packages into $env (about 1.1 GB to download, a few minutes the first time) ..."
    "$env/bin/python" -m pip install --quiet --require-hashes -r requirements.txt || {
        echo "Installing failed: see the lines above; 'make setup' again continues (downloads are kept)." >&2
        exit 1
    }
fi
if [ -n "$served" ] && [ "$served" != "$here" ]; then
    echo "$env served $served: from now on it serves $here."
fi
"$env/bin/python" -m pip install --quiet --no-deps --no-build-isolation -e .
printf '%s\n%s\n' "$here" "$lock" > "$stamp.new"
mv "$stamp.new" "$stamp"
echo "$env is ready: 'make reproduce' runs every notebook, 'make' lists what else there is."
