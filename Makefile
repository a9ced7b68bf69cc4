# Everything a clone needs: each target makes .venv first. Needs only Python 3.11 or newer and make.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: install demo test test-fast fuzz compile bench lint format proto lock docs clean

install: .venv/installed

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "cutover needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
		{ echo "this Python has no venv module; on Debian: apt-get install python3-venv"; rm -rf .venv; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: install
	$(BIN)/cutover demo

test: install
	$(BIN)/python -m pytest

test-fast: install
	$(BIN)/python -m pytest -m "not slow"

# make fuzz SECONDS=600 SEED=7; the seed is printed when none is given.
SECONDS ?= 120
fuzz: install
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

# Optional: the data plane as a C extension, if this machine has a C compiler.
compile: install
	$(BIN)/python -m router.accelerate

bench: install
	-$(BIN)/python -m router.accelerate
	$(BIN)/python -m tests.bench $(BENCH)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

proto: install
	$(BIN)/python -m grpc_tools.protoc --proto_path=backend/rpc/pb=proto \
		--python_out=. --pyi_out=. --grpc_python_out=. $(patsubst proto/%,backend/rpc/pb/%,$(wildcard proto/*.proto))

docs: install
	$(BIN)/python -m router.config_reference > docs/configuration.md
	$(BIN)/python -m router.rollout.plan > schemas/plan.schema.json
	$(BIN)/python -m router.shadow.rules > schemas/rules.schema.json
	$(BIN)/python -m router.verify.cases > schemas/cases.schema.json
	$(BIN)/python -m tests.contract.cases
	$(BIN)/python -m backend.config_reference docs/backend.md
	$(BIN)/python -m dashboards
	$(BIN)/python -m tests.conformance.differential

# Versions that go together, with hashes and without the address of any registry. Run it after changing pyproject.toml.
lock: install
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url \
		--python-version 3.11 --extra dev pyproject.toml -o requirements.lock

clean:
	rm -rf .venv .compiled .mypy_cache .ruff_cache .hypothesis dist
