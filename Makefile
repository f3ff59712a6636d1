# Two commands are all the set-up there is: `make run` starts the app, `make test` runs every test.

PY := .venv/bin/python
PIP := $(PY) -m pip --disable-pip-version-check install
NPM := $(PY) scripts/npm.py

# Stamps inside .venv, so that a second run starts at once and a deleted .venv is made anew.
RUNTIME := .venv/.runtime-installed
DEV := .venv/.dev-installed
JS := node_modules/.installed

.PHONY: run test check format examples pictures bench train-images clean

run: $(RUNTIME)
	@exec $(PY) -m streamlit run app.py

# The models of the tests are small: more threads a process would only wait for each other. Two processes share the
# files of tests, because those of the browser mostly wait.
test: export OMP_NUM_THREADS = 1
test: $(DEV)
	@$(PY) scripts/browser.py
	@exec $(PY) -m pytest -n 2 --dist loadfile

check: $(DEV) $(JS)
	@$(PY) -m ruff format --check
	@$(PY) -m ruff check
	@$(PY) -m mypy
	@$(NPM) run -s check
	@$(MAKE) --no-print-directory test

format: $(DEV) $(JS)
	@$(PY) -m ruff format
	@$(PY) -m ruff check --fix
	@$(NPM) run -s format

# Trace the precomputed examples anew.
examples: $(RUNTIME)
	@$(PY) -m xattn_viz.examples

# Train the small image models anew: hours, and better with nothing beside.
train-images: $(RUNTIME)
	@$(PY) -m scripts.train.captioner
	@$(PY) -m scripts.train.hinted
	@$(PY) -m scripts.train.diffusion
	@$(PY) -m scripts.train.perceiver

# Take the screenshots of docs/ again.
pictures: $(DEV)
	@$(PY) scripts/browser.py
	@$(PY) scripts/pictures.py

# Print each figure of benchmarks/ beside what it is to reach.
bench: $(DEV)
	@$(PIP) -q -r benchmarks/requirements.txt
	@$(PY) scripts/browser.py
	@for name in $(basename $(notdir $(wildcard benchmarks/[a-z]*.py))); do echo "== $$name"; $(PY) -m benchmarks.$$name || exit 1; done

clean:
	rm -rf .venv node_modules build dist .pytest_cache .mypy_cache .ruff_cache

$(RUNTIME): requirements.txt
	@sh scripts/venv.sh
	@$(PIP) -r requirements.txt
	@touch $@

$(DEV): requirements-dev.txt $(RUNTIME)
	@$(PIP) -r requirements-dev.txt
	@touch $@

# Not `npm ci`: the lock lists the formatter's builds for Linux only, and npm finds the others by the pinned version.
$(JS): package.json package-lock.json $(DEV)
	@$(NPM) install --no-save
	@touch $@
