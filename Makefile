# Two commands are all the set-up there is: `make run` starts the app, `make test` runs every test.

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check install
# Every version, as it was tested; `make newest` and `make oldest` try the two ends of the ranges instead.
PINS := -c constraints.txt
NPM := $(PY) scripts/npm.py

# Stamps inside .venv, so that a second run starts at once and a deleted .venv is made anew.
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed
JS := node_modules/.installed
# Commits from here on have subjects of at most 71 characters.
COUNTED := dd44702

.PHONY: run test check newest oldest pins format examples self-check alignment-heads pictures docs bench train-images clean
# A file that a failed command left half done would count as made.
.DELETE_ON_ERROR:

run: $(RUNTIME)
	@exec $(PY) -m streamlit run app.py

# The models of the tests are small: more threads a process would only wait for each other. Two processes share the
# files of tests: on two cores a third gained nothing.
test: export OMP_NUM_THREADS = 1
# Each server and script that a test starts reads what is compiled.
test: export PYTHONDONTWRITEBYTECODE =
test: $(DEV)
	@$(PY) scripts/browser.py
	@exec $(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: $(DEV) $(JS)
	@$(PY) -m ruff format --check
	@$(PY) -m ruff check
	@$(PY) -m mypy
	@$(NPM) run -s check
	@git log --format=%s $(COUNTED).. -- 2>/dev/null | awk 'length > 71 { print "Over 71 characters: " $$0; n++ } END { exit n > 0 }'
	@$(MAKE) --no-print-directory test

# The tests with the newest versions that `requirements/` allows, and with the oldest.
newest:
	rm -rf .venv-newest
	@$(MAKE) --no-print-directory VENV=.venv-newest PINS= test

oldest:
	rm -rf .venv-oldest
	@mkdir -p build
	@sed -nE 's/^([a-z0-9-]+)>=([^,;]+).*/\1==\2/p' requirements/*.txt > build/oldest.txt
	@$(MAKE) --no-print-directory VENV=.venv-oldest PINS="-c build/oldest.txt" test

# Once `make newest` has passed, its versions become those that everybody gets. What follows a + is one machine's build.
pins:
	@echo "# Every version that the tests passed with: \`make run\` and \`make test\` install these. Written by \`make pins\`." > constraints.txt
	@.venv-newest/bin/python -m pip list --format=freeze --exclude pip --exclude setuptools | sed 's/+.*//' >> constraints.txt

format: $(DEV) $(JS)
	@$(PY) -m ruff format
	@$(PY) -m ruff check --fix
	@$(NPM) run -s format

# Trace the precomputed examples anew.
examples: $(RUNTIME)
	@$(PY) -m scripts.examples

# Write anew what the models that come with the package have to answer when they check themselves.
self-check: $(RUNTIME)
	@$(PY) -m scripts.self_check

# Find the heads that align again, in the models that come with the package.
alignment-heads: $(RUNTIME)
	@$(PY) -m scripts.alignment_heads

# Train the small image models anew: hours, and better with nothing beside.
train-images: $(RUNTIME)
	@$(PY) -m scripts.train.captioner
	@$(PY) -m scripts.train.hinted
	@$(PY) -m scripts.train.diffusion
	@$(PY) -m scripts.train.perceiver
	@$(PY) -m scripts.train.questions

# Take the screenshots of docs/ again, and draw its rooms.
pictures: $(DEV)
	@$(PY) -m scripts.rooms
	@$(PY) scripts/browser.py
	@$(PY) scripts/pictures.py

# The documentation as a site, in build/site. It runs the notebooks and makes each figure anew; a warning is an error.
docs: export OMP_NUM_THREADS = 1
docs: $(DEV)
	@$(PIP) -q -r docs/requirements.txt $(PINS)
	@rm -rf build/site
	@$(PY) -m sphinx -W --keep-going -q -d build/site-read docs build/site -E
	@$(PY) -m scripts.site build/site
	@echo "build/site/index.html"

# Print each figure of benchmarks/ beside what it is to reach.
bench: $(DEV)
	@$(PIP) -q -r benchmarks/requirements.txt
	@$(PY) scripts/browser.py
	@for name in $(basename $(notdir $(wildcard benchmarks/[a-z]*.py))); do echo "== $$name"; $(PY) -m benchmarks.$$name || exit 1; done

clean:
	rm -rf .venv .venv-newest .venv-oldest node_modules build dist .pytest_cache .mypy_cache .ruff_cache

$(RUNTIME): requirements.txt $(wildcard requirements/*.txt) constraints.txt
	@sh scripts/venv.sh $(VENV)
	@$(PIP) -r requirements.txt $(PINS)
	@touch $@

$(DEV): requirements-dev.txt $(RUNTIME)
	@$(PIP) -r requirements-dev.txt $(PINS)
	@touch $@

# Not `npm ci`: the lock lists the formatter's builds for Linux only, and npm finds the others by the pinned version.
$(JS): package.json package-lock.json $(DEV)
	@$(NPM) install --no-save
	@touch $@
