#!/bin/sh
# Resolve pyproject.toml for every supported Python and platform at once. requirements.txt is the lock;
# requirements-app.txt is the part of it that the web app needs.
set -eu
common="--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'"
eval uv pip compile -q pyproject.toml --all-extras $common "$@" -o requirements.txt
eval uv pip compile -q pyproject.toml --extra app $common -c requirements.txt -o requirements-app.txt
