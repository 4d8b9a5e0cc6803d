# Two commands do everything on a fresh machine:  make reproduce   and   make test
#: Variables, as in  make reproduce SEED=7 :
#:   DATA_SOURCE    sample | kaggle | folder (then DATA_DIR=folder, .zip or hf://…)
#:   CLASSES        what folder names mean, name=human,name=ai;  MISSING  stop | skip
#:   SPLIT          group | random | own;  PROFILE  full | smoke
#:   SEED, EPOCHS   whole numbers, 42 and 10;  SEEDS  1 (3 say how much is luck)
#:   ENCODER        auto | sample | the name of one;  PRECISION  auto | float32 | mixed_bfloat16
#:   SCHEDULER      tcp://… of a Dask cluster that shares the work (docs/SEVERAL_MACHINES.md)
#:
#: On two cores:    setup some minutes once; reproduce 20 to 45 minutes on the sample, then what changed;
#:                  test 20 minutes; with Kaggle's data hours, which the run says before it starts.
#:
#: Results:         figures/<source>/          every figure, for slides
#:                  reports/<source>/          metrics.json, tables, notebooks/ with their outputs
#:                  models/<source>/           the trained models
.DEFAULT_GOAL := help
SHELL := /bin/sh
# Names are data: a `$` or `#` in them means nothing to make or to the shell.
override DATA_DIR := $(value DATA_DIR)
override CLASSES := $(value CLASSES)
override IMAGE := $(value IMAGE)
override DIR := $(value DIR)
override DETECTOR := $(value DETECTOR)
override MODEL := $(value MODEL)
override MIRROR := $(value MIRROR)
export DATA_SOURCE DATA_DIR CLASSES MISSING IMAGE DIR MODEL DETECTOR REFERENCE NAME DELIVERY HASH MIRROR
export PROFILE SEED EPOCHS SEEDS SPLIT PRECISION ENCODER SCHEDULER
TF_CPP_MIN_LOG_LEVEL ?= 3
export TF_CPP_MIN_LOG_LEVEL
# TensorFlow asks oneDNN by itself only on processors with VNNI; on one with AVX2 alone it trains a third faster, too.
TF_ENABLE_ONEDNN_OPTS ?= 1
export TF_ENABLE_ONEDNN_OPTS

# A run belongs to the folder it is started in, whichever clone the environment was set up for.
PYTHONPATH := $(CURDIR)$(if $(PYTHONPATH),:$(PYTHONPATH))
export PYTHONPATH

# Inside a conda environment made from environment.yml that one is used; anywhere else, a .venv of our own.
ENV_NAME := human-or-ai
ifeq ($(notdir $(CONDA_PREFIX)),$(ENV_NAME))
ENV := $(CONDA_PREFIX)
else
ENV := .venv
endif
PY := "$(ENV)/bin/python"
STAMP := $(ENV)/.$(ENV_NAME)-ready

.PHONY: help setup reproduce test lint notebook predict evaluate detector calibrate app publish-model slides site benchmark publish lock clean

help: ## list the targets, their variables, how long they take and where results land
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile
	@echo
	@sed -n 's/^#:/ /p' Makefile

setup: $(STAMP) ## make .venv and install the lock (once; about 1.1 GB to download)
	@[ "$$(sed -n 1p "$(STAMP)")" = "$$(pwd -P)" ] || sh scripts/setup.sh "$(ENV)" "$(STAMP)"

$(STAMP): requirements.txt pyproject.toml
	@sh scripts/setup.sh "$(ENV)" "$@"

reproduce: setup ## run every notebook in order, skipping what is up to date
	@$(PY) -m src.utils.pipeline.run

test: setup ## lint, unit tests, then every notebook through nbval on the sample
	@sh scripts/test.sh $(PY)

lint: setup ## check style, formatting and types only
	@$(PY) -m ruff check . && $(PY) -m ruff format --check . && $(PY) -m pyright --pythonpath $(PY)

notebook: setup ## open JupyterLab on the notebooks
	@$(PY) -m jupyterlab notebooks

predict: setup ## say what the model thinks of IMAGE="path, folder or URL ..."; MODEL=sieve
	@if [ -e "$$IMAGE" ]; then set -- -- "$$IMAGE"; else set -- $$IMAGE; fi; \
	  [ -z "$$MODEL" ] || set -- --model "$$MODEL" "$$@"; $(PY) -m src.utils.predict "$$@"

evaluate: setup ## judge MODEL or DETECTOR="one other ..." on the labelled pictures in DIR; REFERENCE, NAME, DELIVERY
	@set -- ; [ -z "$$MODEL$$DETECTOR" ] || set -- --detector "$$MODEL" --detector "$$DETECTOR"; \
	  $(PY) -m src.utils.evaluate "$$@" --reference "$$REFERENCE" --name "$$NAME" --delivery "$$DELIVERY" -- "$$DIR"

detector: setup ## fetch a detector of others, NAME=sieve; HASH, MIRROR; without NAME list them
	@set -- ; [ -z "$$NAME" ] || set -- "$$NAME"; $(PY) -m src.utils.models.detectors "$$@"

calibrate: setup ## measure a fetched detector, MODEL=sieve, on the dataset; only then it gives verdicts
	@$(PY) -m src.utils.pipeline.calibrate "$$MODEL"

app: setup ## serve the web page on this machine; MODEL=sieve for another than the best there is
	@$(PY) -m src.app --model "$$MODEL"

publish-model: setup ## upload a model to S3, where servers fetch it; MODEL=models/sample/cnn_deck for another
	@set -- ; [ -z "$$MODEL" ] || set -- "$$MODEL"; $(PY) -m src.utils.models.store.publish_model "$$@"

slides: setup ## make a talk from the last run: reports/<source>/slides.pptx and .pdf
	@$(PY) -m src.utils.slides

site: setup ## make a website from the last run: reports/<source>/site/index.html
	@$(PY) -m src.utils.site

benchmark: setup ## time our way beside the deck's way; writes reports/benchmark.json
	@$(PY) -m benchmarks.run

publish: setup ## (maintainers) promote the sample's full run into docs, README and notebooks
	@$(PY) -m src.utils.pipeline.publish

lock: ## (maintainers) resolve pyproject.toml again into the requirements files; needs uv
	@sh scripts/lock.sh

clean: ## delete results and caches, never data/raw nor fetched detectors
	rm -rf .smoke reports figures data/interim data/processed
	@[ ! -d models ] || find models -mindepth 1 -maxdepth 1 ! -name detectors -exec rm -rf {} +
