#!/bin/sh
# Make a virtual environment, .venv unless another folder is named, with a Python of 3.11 or newer, or leave a working
# one alone. An interrupted one is made anew.
set -eu

venv=${1:-.venv}

new_enough='import sys; sys.exit(sys.version_info < (3, 11))'

if "$venv/bin/python" -c "$new_enough" 2>/dev/null && "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    exit 0
fi

for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python}; do
    if "$candidate" -c "$new_enough" 2>/dev/null; then
        echo "Making $venv with $("$candidate" --version)."
        # Debian and Ubuntu keep what `python -m venv` needs in a package of its own.
        if "$candidate" -c "import ensurepip, venv" 2>/dev/null; then
            exec "$candidate" -m venv --clear "$venv"
        fi
        echo "This Python cannot make virtual environments: install its venv module (Debian, Ubuntu: apt-get install python3-venv)." >&2
        exit 1
    fi
done
echo "This needs Python 3.11 or newer; python3 is $(python3 --version 2>/dev/null || echo missing). Install one, or name it: make PYTHON=/path/to/python3.12" >&2
exit 1
