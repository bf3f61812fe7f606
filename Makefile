# Everything that is done to this repo by hand or by CI. Works with GNU Make 3.81 and later.
# `make help` lists the targets; the scripts that they call are in scripts/.

.DEFAULT_GOAL := help
.PHONY: help build dev deploy environments test test-python test-dashboard test-guards mutants soak abuse bench instructions size fuzz fuzz-smoke lint supply-chain reproducible sbom clean setup worker null-worker force

# Where rustup puts cargo: a shell that is older than the install does not know it yet.
export PATH := $(PATH):$(HOME)/.cargo/bin

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/pip-aide-gateway

# One place for each version: package.json and Cargo.lock hold the others.
WORKER_BUILD_VERSION := 0.8.7
WASM_BINDGEN_VERSION := $(shell awk '/^name = "wasm-bindgen"$$/ { getline; gsub(/version = |"/, ""); print }' Cargo.lock)

TWIGGY_VERSION := 0.8.0
CARGO_DENY_VERSION := 0.20.2
CARGO_CYCLONEDX_VERSION := 0.5.9
CARGO_MUTANTS_VERSION := 27.1.0

WORKER_BUILD := $(CACHE)/worker-build-$(WORKER_BUILD_VERSION)/bin/worker-build
WASM_BINDGEN := $(CACHE)/wasm-bindgen-cli-$(WASM_BINDGEN_VERSION)/bin/wasm-bindgen
TWIGGY := $(CACHE)/twiggy-$(TWIGGY_VERSION)/bin/twiggy
CARGO_DENY := $(CACHE)/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny
CARGO_CYCLONEDX := $(CACHE)/cargo-cyclonedx-$(CARGO_CYCLONEDX_VERSION)/bin/cargo-cyclonedx
CARGO_MUTANTS := $(CACHE)/cargo-mutants-$(CARGO_MUTANTS_VERSION)/bin/cargo-mutants

# What the Worker is made of. The command line under src/bin is not part of it.
INPUTS := $(sort $(wildcard Cargo.toml Cargo.lock openapi.json scripts/build.sh) \
  $(shell find src policies buildscript -path src/bin -prune -o -type f ! -name '.*' ! -name '*~' -print 2>/dev/null))

# The dashboard, and what lays it out.
ASSETS := $(sort scripts/assets.sh $(shell find admin -type f ! -name '.*' ! -name '*~' -print 2>/dev/null))
ASSETS_STAMP := build/.assets

# The same for the benchmark's Worker that does nothing.
NULL_WORKER := benches/gateway/null-worker
NULL_STAMP := $(NULL_WORKER)/build/.inputs
NULL_INPUTS := $(NULL_WORKER)/Cargo.toml $(NULL_WORKER)/Cargo.lock $(NULL_WORKER)/src/lib.rs scripts/build.sh

BENCH_OPTIONS := $(if $(VARIANTS),--variants '$(VARIANTS)') $(if $(ROUNDS),--rounds $(ROUNDS)) \
  $(if $(SECONDS),--seconds $(SECONDS)) $(if $(STORAGE),--storage '$(STORAGE)') \
  $(if $(RESULTS),--results '$(RESULTS)') $(if $(SAVE),--save)

# Written last by a build that went through, with the list of its inputs: a file that was taken
# away makes nothing newer, but it changes the list.
STAMP := build/.inputs
ifneq ($(INPUTS),$(shell cat $(STAMP) 2>/dev/null))
$(STAMP): force
endif
ifneq ($(ASSETS),$(shell cat $(ASSETS_STAMP) 2>/dev/null))
$(ASSETS_STAMP): force
endif

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

build: ## Build the Worker into build/; does nothing when nothing changed
	@scripts/prerequisites.sh && mkdir -p build
	@python3 scripts/locked.py build/.lock $(MAKE) --no-print-directory worker

dev: build ## Build, start the gateway on http://127.0.0.1:8787 (PORT=9000 moves it), print what to paste
	cargo build --locked --bin gatectl
	@node scripts/dev.mjs

deploy: ## Check, build, try it dry, ask, deploy: ENVIRONMENT=staging or production; YES=1 SECRETS=file: docs/deploy.md
	@python3 -B scripts/deploy.py

environments: ## Copy the settings of wrangler.toml's [vars] into its environments
	@python3 -B scripts/environments.py --write

test: build test-python ## Build, then run every test, native and against the real workerd
	@scripts/test.sh
	@scripts/instructions.sh

test-python: ## The tests of pip-aide-login and of the scripts only
	@scripts/test-python.sh

test-dashboard: build ## The dashboard in a real Chromium, which has to be there: on the PATH, or CHROMIUM=/path/to/it
	@REQUIRE_CHROMIUM=1 cargo test --locked --test workerd dashboard -- --nocapture

test-guards: ## Take the ledger's guards out one by one, and look that a test fails without each: slow
	@python3 -B tests/guards/guards.py $(if $(ONLY),'$(ONLY)')

mutants: ## Change the sources place by place, and look that a test fails: ONLY=token, screening or ledger; FILES=jwt,keys; slow
	@scripts/prerequisites.sh && mkdir -p build
	@python3 scripts/locked.py build/.lock $(MAKE) --no-print-directory $(CARGO_MUTANTS)
	@python3 -B tests/mutants/mutants.py '$(CARGO_MUTANTS)' '$(ONLY)' $(if $(FILES),'$(FILES)')

soak: build ## Fifteen minutes of load while everything fails at random; books agreed, memory flat: needs a quiet machine; COLLECT=no
	@SOAK_COLLECT='$(COLLECT)' cargo test --locked --test workerd soak -- --ignored --nocapture

bench: build ## Measure it on loopback, 10 minutes; ONLY=table VARIANTS=regex SAVE=1: benches/gateway/README.md
	@python3 scripts/locked.py build/.lock $(MAKE) --no-print-directory null-worker
	@python3 -B benches/gateway $(ONLY) $(BENCH_OPTIONS)

instructions: ## Count the instructions of the pure steps, and hold them against their budget: SAVE=1 writes it
	@scripts/instructions.sh $(if $(SAVE),--save)

size: build ## What the Worker's module is made of
	@python3 scripts/locked.py build/.lock $(MAKE) --no-print-directory $(TWIGGY)
	@scripts/size.sh '$(TWIGGY)'

abuse: build ## What honest clients notice while somebody attacks, 25 minutes on a machine at rest: ONLY=unicode ROUNDS=3 TIMES=2
	@ABUSE_ONLY='$(ONLY)' ABUSE_ROUNDS='$(ROUNDS)' ABUSE_TIMES='$(TIMES)' cargo test --locked --test workerd abuse::latency -- --ignored --nocapture

fuzz: ## Fuzz one reader of what others write: TARGET=redaction, or another in fuzz/fuzz_targets; SECONDS=600
	@python3 -B scripts/fuzz.py '$(or $(TARGET),redaction)' '$(or $(SECONDS),600)'

fuzz-smoke: ## Fuzz with every target, SECONDS=60 each, as many at a time as there are processors
	@python3 -B scripts/fuzz.py --smoke '$(or $(SECONDS),60)'

lint: ## Formatting, clippy for this machine and for wasm32, wrangler.toml's environments, the documents' links and claims
	@scripts/prerequisites.sh rustfmt clippy
	@python3 -B scripts/environments.py
	@python3 -B scripts/documents.py
	@python3 -B scripts/claims.py
	cargo fmt --check
	cargo fmt --check --manifest-path $(NULL_WORKER)/Cargo.toml
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	@cargo metadata --locked --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --all-targets --target wasm32-unknown-unknown -- -D warnings

supply-chain: ## Licences, bans, sources and advisories of all crates, by deny.toml; WITHOUT=advisories where GitHub is out of reach
	@scripts/prerequisites.sh && mkdir -p build
	@python3 scripts/locked.py build/.lock $(MAKE) --no-print-directory $(CARGO_DENY)
	@scripts/supply-chain.sh '$(CARGO_DENY)' '$(WITHOUT)'

reproducible: build ## Build again in another folder with another cargo home, and compare what would be uploaded
	@WORKER_BUILD='$(WORKER_BUILD)' WASM_BINDGEN_BIN='$(WASM_BINDGEN)' scripts/reproducible.sh

sbom: ## Lists of all that is in a release (CycloneDX), in build/sbom/
	@scripts/prerequisites.sh && mkdir -p build
	@python3 scripts/locked.py build/.lock $(MAKE) --no-print-directory $(CARGO_CYCLONEDX)
	@scripts/sbom.sh '$(CARGO_CYCLONEDX)'

setup: ## Install the build tools only
	@scripts/prerequisites.sh && mkdir -p build
	@python3 scripts/locked.py build/.lock $(MAKE) --no-print-directory $(WORKER_BUILD) $(WASM_BINDGEN) node_modules/.installed

clean: ## Remove what was built; tools in the cache folder and local state in .wrangler stay
	rm -rf build target node_modules $(NULL_WORKER)/build

# Below here: called by the targets above, under the lock.

worker: $(STAMP) $(ASSETS_STAMP)
	@:

$(STAMP): $(INPUTS) $(WORKER_BUILD) $(WASM_BINDGEN) node_modules/.installed
	@WORKER_BUILD='$(WORKER_BUILD)' WASM_BINDGEN_BIN='$(WASM_BINDGEN)' scripts/build.sh '$@' . $(INPUTS)

# After the Worker, whose build tool has the folder to itself.
$(ASSETS_STAMP): $(ASSETS) node_modules/.installed | $(STAMP)
	@scripts/assets.sh '$@' $(ASSETS)

null-worker: $(NULL_STAMP)
	@:

$(NULL_STAMP): $(NULL_INPUTS) $(WORKER_BUILD) $(WASM_BINDGEN) node_modules/.installed
	@mkdir -p '$(@D)'
	@CARGO_TARGET_DIR='$(or $(CARGO_TARGET_DIR),$(CURDIR)/target)' WORKER_BUILD='$(WORKER_BUILD)' \
	  WASM_BINDGEN_BIN='$(WASM_BINDGEN)' scripts/build.sh '$@' '$(NULL_WORKER)' $(NULL_INPUTS)

$(WORKER_BUILD):
	@scripts/install-tool.sh '$(CACHE)' worker-build '$(WORKER_BUILD_VERSION)' '2 minutes' --locked

# Its own lock file pins a libc that newer compilers refuse, hence no --locked.
$(WASM_BINDGEN):
	@scripts/install-tool.sh '$(CACHE)' wasm-bindgen-cli '$(WASM_BINDGEN_VERSION)' '2 minutes'

$(TWIGGY):
	@scripts/install-tool.sh '$(CACHE)' twiggy '$(TWIGGY_VERSION)' '1 minute'

$(CARGO_DENY):
	@scripts/install-tool.sh '$(CACHE)' cargo-deny '$(CARGO_DENY_VERSION)' '5 minutes' --locked

$(CARGO_CYCLONEDX):
	@scripts/install-tool.sh '$(CACHE)' cargo-cyclonedx '$(CARGO_CYCLONEDX_VERSION)' '2 minutes' --locked

$(CARGO_MUTANTS):
	@scripts/install-tool.sh '$(CACHE)' cargo-mutants '$(CARGO_MUTANTS_VERSION)' '3 minutes' --locked

# npm empties node_modules first, so a half-done install has no mark. No package needs its
# install script, and older versions of npm would run them.
node_modules/.installed: package.json package-lock.json
	@echo 'Installing the npm packages (about a minute at first)...' >&2
	@npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
	@touch '$@'
