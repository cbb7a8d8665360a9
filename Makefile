# One private environment, .venv, installed from the pinned files in requirements/.
#   make run     serve calls at http://127.0.0.1:8080 (ARGS="--port 9000" for other options of `serve`)
#   make test    everything that must hold before a commit

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
BROWSERS := chromium chromium-browser google-chrome google-chrome-stable
# Locks are made from the public index alone, whatever this machine's pip is told to use.
COMPILE := env -u PIP_FIND_LINKS -u PIP_EXTRA_INDEX_URL -u PIP_INDEX_URL PIP_CONFIG_FILE=/dev/null \
	$(BIN)/pip-compile --quiet --generate-hashes --strip-extras --build-deps-for editable \
	--unsafe-package voice-agent --no-header --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

.PHONY: setup run test bench lock browser coturn clean

setup: $(VENV)/.installed-run

run: setup
	$(BIN)/voice-agent serve $(ARGS)

test: $(VENV)/.installed-dev browser coturn
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest

# Turns that nothing disturbs.
PLAIN := --interruptions 0 --silences 0 --noises 0

bench: $(VENV)/.installed-dev
	$(BIN)/voice-agent bench nodes
	$(BIN)/python -m benchmarks.receive
	$(BIN)/python -m benchmarks.endpoint
	$(BIN)/python -m benchmarks.embedded
	$(BIN)/python -m benchmarks.recovery
	$(BIN)/python -m benchmarks.whisper
	$(BIN)/python -m benchmarks.embedded_recogniser
	$(BIN)/voice-agent stress --calls 1 --turns 20 $(PLAIN) --stand-ins 100,150,80
	$(BIN)/voice-agent stress --calls 1 --turns 20 $(PLAIN) --stand-ins 0,0,0
	$(BIN)/voice-agent stress --calls 8 --turns 4 --server "$(BIN)/python -m benchmarks.fake_server"

# Pins stay as they are unless a range in pyproject.toml forbids them; UPGRADE=--upgrade takes the newest.
lock: $(VENV)/.installed-dev
	$(COMPILE) $(UPGRADE) --extra all --output-file requirements/run.txt pyproject.toml
	$(COMPILE) $(UPGRADE) --extra dev --output-file requirements/dev.txt pyproject.toml
	sed -i '/^# WARNING: The following packages were not pinned/,$$d' requirements/run.txt requirements/dev.txt

clean:
	rm -rf $(VENV) dist tests/artifacts .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 or newer is needed" \
		"(Debian, Ubuntu: apt install python3 python3-venv)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "make: $(PYTHON) cannot make environments:" \
		"install its venv package (Debian, Ubuntu: apt install $$($(PYTHON) -c \
		'import sys; print("python%d.%d-venv" % sys.version_info[:2])'))" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-run: requirements/run.txt pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes -r requirements/run.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: requirements/dev.txt pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes -r requirements/dev.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.installed-run

# Brings a program for the tests by apt: $(1) the names it may have, $(2) the package, $(3) what for, $(4) what
# to do after it was installed.
define bring
	@for name in $(1); do command -v $$name >/dev/null && exit 0; done; \
	if ! command -v apt-get >/dev/null; then why="there is no apt-get here"; \
	elif [ "$$(id -u)" = 0 ]; then as=; \
	elif sudo -n true 2>/dev/null; then as="sudo -n"; \
	else why="installing needs root"; fi; \
	if [ -z "$$why" ]; then $$as apt-get update -qq && $$as apt-get install -y -qq --no-install-recommends $(2) \
		&& { $(4) exit 0; }; why="apt-get failed"; fi; \
	echo "make: no $(2) for $(3), and $$why: install it, or these tests are skipped" >&2
endef

browser:
	$(call bring,$(BROWSERS),chromium,the browser tests)

# The tests start their own, on 127.0.0.1; Debian's package would serve the whole network from now on.
coturn:
	$(call bring,turnserver,coturn,the tests of TURN,$$as systemctl disable --now coturn >/dev/null 2>&1;)
