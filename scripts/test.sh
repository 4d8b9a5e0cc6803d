#!/bin/sh
# Lint, unit tests, then every notebook through nbval at the smoke profile; always on the sample.
# usage: sh scripts/test.sh PYTHON
# COVERAGE=1 also says, as the last line, how much of src the unit tests run; one process does them all then.
set -eu
python=$1
unset DATA_DIR CLASSES MISSING DIR MODEL DETECTOR REFERENCE NAME DELIVERY SEED EPOCHS SEEDS SPLIT PRECISION ENCODER
export DATA_SOURCE=sample

"$python" -m ruff check .
"$python" -m ruff format --check .
"$python" -m pyright --pythonpath "$python"
"$python" -c 'from src.utils.settings import Settings; from src.utils.data.sources.registry import ensure_raw; ensure_raw(Settings.from_env())'
run="pytest -n auto --dist loadfile"
[ -z "${COVERAGE:-}" ] || run="coverage run --source=src -m pytest" # counts in one process
PROFILE= "$python" -m $run tests
rm -rf .smoke
PROFILE=smoke "$python" -m pytest --nbval-lax --nbval-sanitize-with tests/nbval_sanitize.cfg notebooks/[0-9]*.ipynb
if [ -n "${COVERAGE:-}" ]; then
    echo "Of the lines of src, the unit tests run $("$python" -m coverage report --format=total) %."
fi
