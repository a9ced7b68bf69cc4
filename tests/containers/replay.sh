#!/usr/bin/env bash
# The Dockerfile's steps in an empty folder, without a container engine: PYTHON=python3.12 tests/containers/replay.sh
# Ends with the backend's answer to /ping from the installed wheel. Two minutes, most of it downloads.
set -euo pipefail
python=${PYTHON:-python3}
clone=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'kill ${backend:-} 2>/dev/null || true; wait; rm -rf "$work"' EXIT
cd "$work"
mkdir src && cp -r "$clone"/{pyproject.toml,requirements.lock,README.md,router,backend,schemas,sql} src/
"$python" -m venv build && "$python" -m venv venv
export PIP_DISABLE_PIP_VERSION_CHECK=1

build/bin/python -m pip download -q --only-binary :all: --require-hashes --requirement src/requirements.lock --dest wheels
build/bin/python -m pip install -q --no-index --find-links wheels hatchling
build/bin/python -m pip wheel -q --no-index --no-deps --no-build-isolation --wheel-dir wheels ./src
venv/bin/python -m pip install -q --no-index --find-links wheels cutover
if [[ ${COMPILED:-} ]]; then
    venv/bin/python -m pip install -q --no-index --find-links wheels --target compiler mypy setuptools
    PYTHONPATH=compiler venv/bin/python -m router.accelerate
fi
venv/bin/cutover --help >/dev/null
du -sh venv

env -i PATH="$PATH" JUNJO_SESSION_SECRET=replay SQLITE_DB_PATH="$work/sqlite/app_data.db" \
    DUCKDB_PATH="$work/duckdb/otel_data.db" AUTH_GRPC_LISTEN_ADDRESS=127.0.0.1:0 \
    venv/bin/cutover backend --host 127.0.0.1 --port "${PORT:-18000}" 2>log &
backend=$!
for _ in $(seq 60); do
    if venv/bin/python -c "import urllib.request as r; print(r.urlopen('http://127.0.0.1:${PORT:-18000}/ping').read().decode())" \
        2>/dev/null; then exit 0; fi
    sleep 0.5
done
cat log
exit 1
