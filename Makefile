# Everything is installed into .venv. Another interpreter: make app PYTHON=python3.12
# Another port: make app ARGS="--port 8000"

VENV := .venv
# What each dependency does for us: the codecs, OpenCV, Gradio with its client and in the browser, and
# a file for each of the others.
OLDEST_TESTS := photo/test_decode.py photo/test_encode.py photo/test_formats.py \
	photo/test_metadata.py photo/test_profile.py photo/test_profile16.py \
	photo/test_sixteen_bits.py photo/test_tiff.py color/test_full_resolution.py \
	data_prep/test_scan.py colorizer/test_colorizer.py training/test_trainer.py \
	evaluation/test_toys.py cli/test_main.py \
	ui/test_api.py ui/test_guard.py ui/test_sessions.py \
	ui/test_tour_browser.py::test_a_print_on_a_bed_is_taken_home_in_color
RUN := $(VENV)/bin
# More processes than cores, since tests in the browser mostly wait. The tests of a file run in one
# process, which shares what they set up; files come in the order of tests/conftest.py.
PARALLEL := --numprocesses 3 --dist loadfile --no-loadscope-reorder
PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.13; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo "$$python" && break; done)

.PHONY: app test check tests all oldest quick soak clean

# Serve the web page with the shipped weights.
app: $(VENV)/.app
	$(RUN)/colorflow app $(ARGS)

# Lint and types, and beside them every test but the long ones; then how large everything is.
test: $(VENV)/.test
	$(MAKE) --jobs=2 check tests
	$(RUN)/python -m tests.size

check: $(VENV)/.test
	$(RUN)/ruff check
	$(RUN)/ruff format --check
	$(RUN)/mypy

tests: $(VENV)/.test
	$(RUN)/pytest $(PARALLEL) -m "not long" --durations=15

# What `make test` leaves out: long tests, and part of the tests with the oldest dependencies.
all: $(VENV)/.test
	$(RUN)/pytest $(PARALLEL) -m long --durations=15
	$(MAKE) oldest

# The tests of what other people's packages do for us, with the oldest that pyproject.toml admits
# (tests/oldest_versions.py). Old packages may warn of what newer ones no longer do.
oldest: $(VENV)/.oldest
	$(VENV)/oldest/bin/python -m pytest $(PARALLEL) -W default --disable-warnings \
		$(addprefix tests/,$(OLDEST_TESTS))

# The tests that take a second or two at most, and no browser.
quick: $(VENV)/.test
	$(RUN)/pytest $(PARALLEL) -m "not slow and not browser and not long"

# Long campaigns: a batch of 100 photos, killed 20 times; 20,000 damaged files; hostile files.
soak: $(VENV)/.test
	$(RUN)/python -m benchmarks.soak_kill --kills 20 --photos 100
	$(RUN)/python -m benchmarks.bad_files damaged --inputs 20000 --seed 0
	$(RUN)/python -m benchmarks.bad_files hostile

clean:
	rm -rf $(VENV)

# The stamps say that what pyproject.toml asks for is installed.
$(VENV)/.app: pyproject.toml
	$(create-venv)
	$(RUN)/python -m pip install --disable-pip-version-check --editable .
	touch $@

$(VENV)/.test: pyproject.toml
	$(create-venv)
	$(RUN)/python -m pip install --disable-pip-version-check --editable '.[test]'
	touch $@ $(VENV)/.app

$(VENV)/.oldest: $(VENV)/.test tests/oldest_versions.py
	$(RUN)/python -m tests.oldest_versions $(VENV)/oldest
	touch $@

define create-venv
$(if $(PYTHON),,$(error colorflow needs Python 3.11 or newer: install it, or name it with PYTHON=))
@echo "Installing into $(VENV): several minutes the first time."
$(PYTHON) -m venv $(VENV)
endef
