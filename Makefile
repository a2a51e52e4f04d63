# The work is done by `python -m resnet18_lab TASK`, which Windows users call directly.
PYTHON ?= python3
LAB := $(PYTHON) -m resnet18_lab

.PHONY: setup setup-tests report test test-fast coverage lab serve lock samples bench docs fuzz load notebooks-hard own-classes pythons chaos clean

setup:      ## .venv with pinned versions
	@$(LAB) setup
setup-tests: ## what the tests need on top
	@$(LAB) setup-tests
report:     ## notebooks run and rendered to reports/
	@$(LAB) setup && .venv/bin/resnet18-lab report $(ARGS)
test:       ## everything: lint, types, tests, notebooks
	@$(LAB) test $(ARGS)
test-fast:  ## the editing loop, under 4 minutes
	@$(LAB) test-fast $(ARGS)
coverage:   ## everything, and which lines no test reaches, in child processes either; a quarter longer than make test
	@$(LAB) setup-tests
	.venv/bin/python tools/run_tests.py --children $(ARGS)
lab:        ## JupyterLab on the notebooks
	@$(LAB) lab $(ARGS)
serve:      ## the web page and REST API on http://127.0.0.1:8000
	@$(LAB) setup && .venv/bin/resnet18-lab build --only onnx-fp32 --only onnx-int8-static
	.venv/bin/resnet18-lab serve $(ARGS)
lock:       ## write requirements.txt and environment.yml anew
	@$(LAB) setup && .venv/bin/python tools/lock.py
samples:    ## make data/samples anew (see tools/make/samples.py for what it needs)
	@$(LAB) setup && .venv/bin/python tools/make/samples.py
bench:      ## the full benchmark and the pages made from it, up to 45 minutes; nothing else should run
	@$(LAB) setup && .venv/bin/resnet18-lab build
	.venv/bin/resnet18-lab bench --profile full --output reports/benchmark.json $(ARGS)
	.venv/bin/python tools/pages/benchmarks.py reports/benchmark.json
	.venv/bin/python tools/pages/claims.py
docs:       ## API reference from the docstrings, in site/
	@$(LAB) setup && .venv/bin/python tools/make/docs.py
fuzz:       ## 20,000 pictures damaged in bytes, 20,000 in structure, as many through the service, and a minute of dear ones
	@$(LAB) setup-tests
	RESNET18_LAB_FUZZ_CASES=20000 .venv/bin/python -m pytest -q --timeout 7200 tests/preprocessing/test_decode.py \
		tests/preprocessing/test_decoders.py tests/service/test_attacks.py -k random
	RESNET18_LAB_FLOOD_SECONDS=60 .venv/bin/python -m pytest -q --timeout 7200 tests/service/test_hostile.py
load:       ## the service under load and attack, a quarter of an hour; nothing else should run
	@$(LAB) setup-tests
	.venv/bin/python tools/records/serving.py $(ARGS) && .venv/bin/python tools/pages/serving.py
notebooks-hard: ## all notebooks as another user, on a busy machine, and against every mutation, about 20 minutes
	@$(LAB) setup-tests
	RESNET18_LAB_HARD=1 OMP_WAIT_POLICY=passive .venv/bin/python -m pytest -q --timeout 7200 --durations 8 \
		tests/course/test_many_users.py tests/course/test_busy.py tests/course/test_mutations.py
own-classes: ## what each depth of fine-tuning brings, an hour or more: make own-classes ARGS="PHOTOS OTHERS"; nothing else should run
	@$(LAB) setup
	.venv/bin/python tools/records/own_classes.py $(ARGS) && .venv/bin/python tools/pages/own_classes.py
pythons:    ## set-up with the real packages on each other Python that is here, in clones of their own
	@for version in 3.12 3.13; do python=$$(command -v python$$version) || continue; place=$$(mktemp -d); \
		git clone --quiet . $$place/clone && (cd $$place/clone && $$python -m resnet18_lab setup && \
		.venv/bin/resnet18-lab classify data/samples/cat.jpg --backend eager); status=$$?; rm -rf $$place; \
		echo "python$$version: exit status $$status"; done
chaos:      ## bulk runs killed 20 times at random moments, and the memory of 2,000 pictures beside 20,000
	@$(LAB) setup-tests
	RESNET18_LAB_KILLS=20 .venv/bin/python -m pytest -q --timeout 3600 tests/bulk/test_run.py -k "killed_at_random or memory_is_flat"
	.venv/bin/python tools/records/bulk_memory.py && .venv/bin/python tools/pages/scaling.py
clean:      ## remove what can be made again (weights stay)
	rm -rf artifacts reports .state .pytest_cache .mypy_cache .ruff_cache
