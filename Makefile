# The work is done by `python -m resnet18_lab TASK`, which Windows users call directly.
PYTHON ?= python3
LAB := $(PYTHON) -m resnet18_lab

.PHONY: setup report test test-fast lab lock samples bench docs fuzz clean

setup:      ## .venv with pinned versions
	@$(LAB) setup
report:     ## notebooks run and rendered to reports/
	@$(LAB) setup && .venv/bin/resnet18-lab report $(ARGS)
test:       ## everything: lint, types, tests, notebooks
	@$(LAB) test $(ARGS)
test-fast:  ## the editing loop, under 4 minutes
	@$(LAB) test-fast $(ARGS)
lab:        ## JupyterLab on the notebooks
	@$(LAB) lab $(ARGS)
lock:       ## write requirements.txt and environment.yml anew
	@$(LAB) setup && .venv/bin/python tools/lock.py
samples:    ## make data/samples anew (see tools/make_samples.py for what it needs)
	@$(LAB) setup && .venv/bin/python tools/make_samples.py
bench:      ## the full benchmark, up to 45 minutes; nothing else should run
	@$(LAB) setup && .venv/bin/resnet18-lab bench --profile full $(ARGS)
docs:       ## API reference from the docstrings, in site/
	@$(LAB) setup && .venv/bin/python tools/make_docs.py
fuzz:       ## 20,000 damaged pictures through decode
	@$(LAB) setup && RESNET18_LAB_FUZZ_CASES=20000 .venv/bin/python -m pytest -q tests/test_images.py -k random
clean:      ## remove what can be made again (weights stay)
	rm -rf artifacts reports .state .pytest_cache .mypy_cache .ruff_cache
