# Every target does the set-up it needs; a second run costs seconds. Needs Python >= 3.10 and Rust.
.PHONY: help demo test test-dask test-jax test-torch test-oracle lint bench bench-others bench-data bench-large bench-core fuzz soak docs wheel test-wheel build quick clean
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
BIN := .venv/bin
PYTEST = $(BIN)/python -m pytest
# rustup installs here, and a fresh shell may not know it yet.
export PATH := $(PATH):$(HOME)/.cargo/bin
export PIP_QUIET := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# JAX warns of forks once it is imported, and other tests fork.
IN_JAX := tests/test_jax.py tests/test_neural_tangents_jax.py
APART := --ignore=tests/oracle $(IN_JAX:%=--ignore=%)

RUST_SOURCES := Cargo.toml Cargo.lock $(shell find rust -name '*.rs' -o -name Cargo.toml)

help: ## this list
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

demo: build ## the whole way from images to test accuracy, and a figure
	$(BIN)/ntkfast demo

test: build .venv/.oracle ## Rust and Python tests
	cargo test --locked --release --workspace
	$(PYTEST) $(APART) -m "not alone" -n auto --dist worksteal
	$(PYTEST) $(APART) -m alone
	$(PYTEST) $(IN_JAX) -n 2

test-dask: build ## tests of dask arrays, and of a cluster on this machine
	$(BIN)/python -m pip install 'dask[array,distributed]>=2025.1' "zarr>=3; python_version >= '3.11'"
	$(PYTEST) $(wildcard tests/test_dask_*.py) tests/test_cli_dask.py tests/test_cli_gram_zarr.py

test-jax: build ## tests of kernels in JAX
	$(BIN)/python -m pip install 'jax>=0.4.30'
	$(PYTEST) $(IN_JAX) -n 2

test-torch: build ## tests of kernels in PyTorch
	$(BIN)/python -m pip install 'torch>=2.2'
	$(PYTEST) tests/test_torch.py

test-oracle: build ## tests of what the tests compare with: reference formulae, quadrature, committed values
	$(PYTEST) tests/oracle -n auto --dist worksteal

# Once for a state of these files: they know nothing of the package, but for its coefficients.
.venv/.oracle: $(wildcard tests/oracle/* tests/reference/*.py tests/reference/values/* tests/reference/values/elementwise/*) | build
	$(PYTEST) tests/oracle -n auto --dist worksteal
	touch $@

lint: build ## formatting, lints, types, and the stub against the extension
	cargo fmt --check
	cargo clippy --workspace --all-targets --release --locked -- -D warnings
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	env MYPYPATH=python $(BIN)/python -m mypy.stubtest ntkfast._ntkfast --mypy-config-file pyproject.toml

bench: build ## every bar on speed, most of them against NumPy's matrix product
	$(BIN)/python benchmarks/suite.py

bench-others: build .venv/.others ## other packages on the same data, into docs/comparison.md; 2.6 GB the first time
	$(BIN)/python benchmarks/others.py

bench-data: build ## MNIST=FOLDER UCI=FOLDER: real data, into docs/mnist.md, docs/uci.md and docs/features.md
	@[ -n "$(MNIST)$(UCI)" ] || { echo "make: name the folders of the data: make bench-data MNIST=... UCI=..." >&2; exit 1; }
	$(if $(MNIST),$(BIN)/python benchmarks/mnist.py $(MNIST))
	$(if $(UCI),$(BIN)/python benchmarks/uci.py $(UCI))
	$(if $(UCI),$(BIN)/python benchmarks/features.py $(UCI))

bench-large: build ## MNIST=FOLDER UCI=FOLDER: exact regression by products alone, its products, and other packages
	@[ -n "$(MNIST)$(UCI)" ] || { echo "make: name the folders of the data: make bench-large MNIST=... UCI=..." >&2; exit 1; }
	$(if $(MNIST),$(BIN)/python benchmarks/large.py $(MNIST) --points 60000)
	$(if $(MNIST),$(BIN)/python benchmarks/large_factor.py $(MNIST) --points 60000)
	$(if $(UCI),$(BIN)/python benchmarks/large_peers.py $(UCI))
	$(if $(UCI),$(BIN)/python benchmarks/large_uci.py $(UCI))
	$(BIN)/python benchmarks/large_products.py

bench-core: ## the inner loops of the core one at a time, without Python
	cargo bench --locked -p ntkfast-core

SECONDS_TO_FUZZ ?= 60
fuzz: .venv/.fuzz build ## random bytes against the edge, guided by coverage; SECONDS_TO_FUZZ=60
	$(BIN)/python fuzz/edge.py --seconds $(SECONDS_TO_FUZZ)

SECONDS_TO_SOAK ?= 3600
soak: build ## several writers, forks, memory limits and kill -9 at random moments; SECONDS_TO_SOAK=3600
	$(BIN)/python fuzz/soak.py --seconds $(SECONDS_TO_SOAK)

docs: .venv/.docs build ## the documentation, into site/
	$(BIN)/mkdocs build --strict

# On Linux, zig links to a glibc that is older than any system still in use. Files out of an archive are of no age, so
# that cargo would take its own crates for built: it has to forget them.
MANYLINUX := $(if $(filter Linux,$(shell uname -s)),--zig --compatibility manylinux2014)
wheel: .venv/.wheel ## a source archive, and built from that an abi3 wheel, into dist/
	rm -rf dist target/wheel/{,*/}release/.fingerprint/ntkfast-*
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/maturin build --sdist --release --locked $(MANYLINUX) --target-dir target/wheel --out dist

test-wheel: .venv/bin/python ## what is in dist/, installed where there is neither Rust nor this folder
	$(BIN)/python tests/wheel.py dist/*

build: .venv/.built ## the extension, into .venv

# What cargo makes, by the name that Python looks for. `make build` makes the whole extension again.
EXTENSION := $(if $(filter Darwin,$(shell uname -s)),lib_ntkfast.dylib,lib_ntkfast.so)
quick: .venv/.environment ## the extension for this machine's instruction set alone: seconds after a change of Rust
	@command -v cargo >/dev/null || { echo "make: cargo not found: install Rust from https://rustup.rs" >&2; exit 1; }
	@[ -f python/ntkfast/_ntkfast.abi3.so ] || $(MAKE) build # once, for the packages that tests need
	cargo build --locked --profile quick --features quick -p ntkfast-py
	cp target/quick/$(EXTENSION) python/ntkfast/_ntkfast.abi3.so.new
	mv python/ntkfast/_ntkfast.abi3.so.new python/ntkfast/_ntkfast.abi3.so
	rm -f .venv/.built

clean: ## remove what make made
	rm -rf .venv target dist site

.venv/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) not found: install Python 3.10 or later, or say make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "make: ntkfast needs Python 3.10 or later, this is $$($(PYTHON) --version): say make PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.environment: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --upgrade pip 'maturin>=1.14,<2'
	touch $@

# Also installs what the extras name, which is quick when it is there already.
.venv/.built: .venv/.environment $(RUST_SOURCES)
	@command -v cargo >/dev/null || { echo "make: cargo not found: install Rust from https://rustup.rs" >&2; exit 1; }
	$(BIN)/maturin develop --release --locked --extras plots,sklearn,progress,scipy,test,lint
	touch $@

.venv/.fuzz: .venv/.environment
	$(BIN)/python -m pip install 'atheris>=2.3,<4' || echo "make: no atheris for this Python: fuzzing without coverage" >&2
	touch $@

# What is not to be had here is left out of the comparison, and tried again the next time.
.venv/.others: .venv/.environment benchmarks/neural_tangents.sh
	{ $(BIN)/python -m pip install scikit-ntk==1.2.1 && PYTHON=$(PYTHON) benchmarks/neural_tangents.sh .venv/.neural-tangents && \
		touch $@; } || echo "make: not all of the other packages could be installed: see above" >&2

.venv/.wheel: .venv/.environment
	$(BIN)/python -m pip install 'ziglang>=0.13; sys_platform == "linux"'
	touch $@

.venv/.docs: .venv/.built
	$(BIN)/maturin develop --release --locked --extras docs
	touch $@
