# Everything starts from a bare clone with python3 (>= 3.11, its venv module and C headers), make and
# g++, and a package index within reach. What is missing is said before anything is built.
#
#   make serve    build what is missing and serve on 127.0.0.1:6333, kept in ./data
#   make demo     watch a collection change its embedding model, on a free port
#   make test     build what is missing and run the tests
#   make check    style, types, import contracts, native formatting
#   make bench    one table of speed beside recall (BENCH="--synthetic 100000" for more)
#   make differential  the suites beside qdrant-client's local mode, LENGTH times as many examples
#   make shapes   recall on many drawn shapes of data, and on 600,000 rows (SHAPES: how many)
#   make crash    kills and damages, many more than in the tests (KILLS, FLIPS, DAMAGES, LOG_DAMAGES)
#   make fuzz     files that are read back, changed in FUZZ (2,000) seeded ways
#   make soak     a server at full load for MINUTES (20): errors, memory, descriptors, disk
#   make clients  clients of other versions and languages, installed under build (CLIENTS=short: few)
#   make emulated the kernels this CPU lacks, on emulators, against the scalar ones
#   make asan     the tests on a native module built with AddressSanitizer and UBSan
#   make wheel    dist/*.whl for every Linux with glibc 2.28 or newer (PYTHONS: for which interpreters)
#   make wheel-check  the wheels of dist installed and served from, without a compiler or this tree
#   make image-check  the steps of Dockerfile in Debian roots, and what they make tried (needs root)
#   make lock     docker/*.lock, the packages of the image and their checksums, anew
#   make settings the table in docs/settings.md, from the fields of app/settings.py
#   make install  only the environment, .venv
#
# The package is installed in editable mode: Python edits count at once. The compiled module is
# rebuilt when a file under index/native, or pyproject.toml, is newer than the last build.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 6333
DATA ?= ./data
BENCH ?=
DEMO ?=
PYTHONS ?= $(PYTHON)
IMAGE_PYTHON ?=
TESTS ?=
LENGTH ?= 20
MINUTES ?= 20
FUZZ ?= 2000
CLIENTS ?= all
KILLS ?= 200
SHAPES ?= 500
FLIPS ?= 500
DAMAGES ?= 200
LOG_DAMAGES ?= 2000

VENV := .venv
ASAN_VENV := .venv-asan
# Folders are named too, so that a deleted source file rebuilds as well.
NATIVE := $(shell find index/native -not -name '.*') $(wildcard tests/native/*.cpp)
CPP := $(filter %.cpp %.h,$(NATIVE)) $(wildcard tests/native/emulated/*.cpp tests/native/emulated/*.h)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install serve demo test check format bench differential shapes crash fuzz soak clients emulated asan wheel \
	wheel-check image-check lock settings clean

help:
	@sed -n 's/^#   //p' Makefile

install: $(VENV)/.built

serve: $(VENV)/.built
	$(VENV)/bin/palimpsest serve --host $(HOST) --port $(PORT) --data $(DATA)

demo: $(VENV)/.built
	@$(VENV)/bin/pip install --quiet --group demo || $(UNFETCHED)
	$(VENV)/bin/palimpsest demo $(DEMO)

test: $(VENV)/.dev
	$(VENV)/bin/python -m pytest $(TESTS)

check: $(VENV)/.dev build/links
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/clang-format --dry-run --Werror $(CPP)
	$(VENV)/bin/hadolint Dockerfile

# The folders under the name that they have once installed, for mypy.
build/links:
	mkdir -p $@/palimpsest
	ln -sfn ../../../app ../../../index $@/palimpsest/

format: $(VENV)/.dev
	$(VENV)/bin/ruff check --fix-only .
	$(VENV)/bin/ruff format .
	$(VENV)/bin/clang-format -i $(CPP)

bench: $(VENV)/.dev
	$(VENV)/bin/python -m tests.bench --out build/bench.md $(BENCH)

differential: $(VENV)/.dev
	PALIMPSEST_DIFFERENTIAL=$(LENGTH) $(VENV)/bin/python -m pytest tests/differential

shapes: $(VENV)/.dev
	@seed=$$(date +%s); echo "first seed: $$seed"; \
	PALIMPSEST_SHAPES=$(SHAPES) PALIMPSEST_SHAPES_SEED=$$seed PALIMPSEST_COPIES=600000 \
	$(VENV)/bin/python -m pytest --timeout=7200 tests/recall/test_shapes.py

crash: $(VENV)/.dev
	PALIMPSEST_KILLS=$(KILLS) PALIMPSEST_VERSION_KILLS=$(KILLS) PALIMPSEST_FLIPS=$(FLIPS) \
	PALIMPSEST_DAMAGES=$(DAMAGES) PALIMPSEST_LOG_DAMAGES=$(LOG_DAMAGES) \
		$(VENV)/bin/python -m pytest --timeout=7200 tests/crash

fuzz: $(VENV)/.dev
	@seed=$$(date +%s); echo "first seed: $$seed"; \
	PALIMPSEST_FUZZ=$(FUZZ) PALIMPSEST_FUZZ_SEED=$$seed \
		$(VENV)/bin/python -m pytest --timeout=7200 tests/fuzz

soak: $(VENV)/.dev
	$(VENV)/bin/python -m tests.soak --minutes $(MINUTES)

clients: $(VENV)/.dev
	PALIMPSEST_CLIENTS=$(CLIENTS) $(VENV)/bin/python -m pytest tests/clients

emulated:
	@tests/native/emulated/run

settings: $(VENV)/.built
	$(VENV)/bin/python -m palimpsest.app.options.page

# Each in an environment of its own that pip makes. PALIMPSEST_PORTABLE: index/native/portable.
wheel: $(VENV)/.tools
	@$(VENV)/bin/pip install --quiet --group wheel || $(UNFETCHED)
	rm -rf build/wheels
	for python in $(PYTHONS); do \
		$(VENV)/bin/pip --python "$$(command -v $$python)" wheel --quiet --no-deps --wheel-dir build/wheels \
			-C cmake.define.PALIMPSEST_PORTABLE=ON . || exit 1; \
	done
	for wheel in build/wheels/*.whl; do \
		PATH=$(VENV)/bin:$$PATH $(VENV)/bin/python -m auditwheel repair --only-plat --plat manylinux_2_28_x86_64 \
			--wheel-dir dist $$wheel || exit 1; \
	done

wheel-check: $(VENV)/.dev
	PALIMPSEST_WHEELS=dist PALIMPSEST_PYTHONS="$(PYTHONS)" $(VENV)/bin/python -m pytest tests/wheel

image-check: $(VENV)/.dev
	$(VENV)/bin/python -m tests.image $(IMAGE_PYTHON)

# Of Linux and of every Python from 3.11 on; UPGRADE=--upgrade takes newer packages where there are.
LOCK = $(VENV)/bin/uv pip compile --quiet $(UPGRADE) --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command 'make lock'

lock: $(VENV)/.tools
	@$(VENV)/bin/pip install --quiet --group lock || $(UNFETCHED)
	$(LOCK) --extra otel --output-file docker/runtime.lock pyproject.toml
	$(LOCK) --group pyproject.toml:build --output-file docker/build.lock

clean:
	rm -rf build dist $(VENV) $(ASAN_VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

# --- environments -------------------------------------------------------------------------------

# Dependency groups need pip 25.1. Build tools live in the environment itself (no build isolation),
# so that CMake's cache stays valid and a second build compiles only what changed.
UNFETCHED = { echo 'could not fetch packages: a package index has to be reachable, \
	PyPI or the one that PIP_INDEX_URL names; run make again then' >&2; exit 1; }

%/.tools: pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo 'cannot build, this machine lacks:' >&2; \
		echo '  $(PYTHON) (Debian: apt-get install python3); another one: make PYTHON=...' >&2; \
		exit 1; }
	@$(PYTHON) .ci/prerequisites.py
	$(PYTHON) -m venv $*
	@$*/bin/python -m pip install --quiet --upgrade 'pip>=25.1' || $(UNFETCHED)
	@$*/bin/pip install --quiet --group build || $(UNFETCHED)
	@touch $@

$(VENV)/.built: $(VENV)/.tools $(NATIVE)
	$(VENV)/bin/pip install --quiet --no-build-isolation \
		-C build-dir='build/{wheel_tag}' --editable .
	@touch $@

# hnswlib compiles itself for the CPU it is built on: a copy cached by another machine may not run.
# One installs a package of few files that no other needs, so with `make --jobs=2` both go on at once.
%/.bench: %/.tools | %/.built
	$*/bin/pip install --quiet --no-cache-dir --no-binary hnswlib --group bench
	@touch $@

%/.tests: %/.tools | %/.built
	@$*/bin/pip install --quiet --group dev || $(UNFETCHED)
	@touch $@

.PRECIOUS: %/.bench %/.tests
%/.dev: %/.bench %/.tests
	@touch $@

# --- sanitizers ---------------------------------------------------------------------------------

$(ASAN_VENV)/.built: $(ASAN_VENV)/.tools $(NATIVE)
	$(ASAN_VENV)/bin/pip install --quiet --no-build-isolation \
		-C build-dir='build/asan-{wheel_tag}' -C cmake.build-type=RelWithDebInfo \
		-C cmake.define.PALIMPSEST_SANITIZE=ON -C install.strip=false --editable .
	@touch $@

# libstdc++ is preloaded as well, or the sanitizer finds no __cxa_throw to intercept. The
# interpreter frees little at exit, so leaks are not looked for. hnswlib, used by tests, frees what
# it got from new[] with delete. A report on descriptor 2 must reach the terminal although the run
# aborts, so pytest captures above it.
PRELOAD = $(foreach name,asan ubsan stdc++,$(shell g++ -print-file-name=lib$(name).so))

asan: $(ASAN_VENV)/.dev
	LD_PRELOAD="$(PRELOAD)" PYTHONMALLOC=malloc \
	ASAN_OPTIONS=detect_leaks=0:alloc_dealloc_mismatch=0:abort_on_error=1:strict_string_checks=1 \
	UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
		$(ASAN_VENV)/bin/python -m pytest --capture=sys $(TESTS)
