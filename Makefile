# `make` alone prints what there is. The work is done by the scripts in dev/; this file gives it names.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# kubectl, helm, KUBECONFIG and NAMESPACE, as in your own shell after `source dev/.state/env`.
IN_CLUSTER := source dev/.state/env 2>/dev/null || { echo "there is no cluster: run make up" >&2; exit 1; };

.PHONY: help
help: ## print this
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: bootstrap
bootstrap: ## uv and the locked Python environment (.venv)
	@dev/bootstrap

.PHONY: up
up: bootstrap ## a running cluster with everything deployed in it; then: source dev/.state/env
	@dev/cluster up
	@dev/images
	@dev/deploy

.PHONY: down
down: ## remove the cluster; only caches stay
	@dev/cluster down

.PHONY: clean
clean: down ## remove the caches too: compiled tools, images, Docker's build cache
	@dev/clean

.PHONY: status
status: ## what runs in the cluster
	@dev/cluster status

.PHONY: images
images: ## build the images that changed and load them into the cluster
	@dev/images

.PHONY: deploy
deploy: images ## build, load, and upgrade what runs in the cluster
	@dev/deploy

.PHONY: demo
demo: up ## back up a real tree on a schedule, and compare what comes back
	@$(IN_CLUSTER) dev/demo

.PHONY: test
test: ## every test, from nothing: unit, then a cluster, then integration, end to end and faults
	@dev/test

.PHONY: unit
unit: bootstrap ## the tests that start no other program
	@.venv/bin/pytest -n auto tests/unit

.PHONY: test-faults
test-faults: bootstrap ## all faults, from many seeds: killed runs, damaged repositories, a bad API server; takes an hour or so
	@dev/packages tests
	@.venv/bin/pytest tests/faults -m "long or not long"

.PHONY: integration
integration: up ## the tests against a real API server
	@dev/packages tests
	@$(IN_CLUSTER) .venv/bin/pytest tests/integration

.PHONY: e2e
e2e: up ## the tests of whole backups
	@$(IN_CLUSTER) .venv/bin/pytest tests/e2e

.PHONY: test-kind
test-kind: bootstrap ## up, demo, e2e, down with Docker and kind, as root and as an ordinary user; needs root, brings an engine of its own
	@dev/test-kind

.PHONY: bench
bench: bench-runner bench-operator bench-api ## how fast runner, operator and facade are; on a machine that is doing nothing else

.PHONY: bench-runner
bench-runner: bootstrap ## a backup by the runner, beside borg alone
	@dev/packages tests
	@PYTHONPATH=tests .venv/bin/python tests/bench/runner_overhead.py

.PHONY: bench-operator
bench-operator: up ## schedules into CronJobs, beside what the API server itself can do; 5,000 that have nothing to do
	@$(IN_CLUSTER) PYTHONPATH=tests .venv/bin/python tests/bench/operator_throughput.py
	@$(IN_CLUSTER) PYTHONPATH=tests .venv/bin/python tests/bench/operator_idle.py

.PHONY: bench-api
bench-api: up ## the facade's endpoints with 500 and with 5,000 schedules in the cluster
	@$(IN_CLUSTER) PYTHONPATH=tests .venv/bin/python tests/bench/facade_latency.py

.PHONY: check
check: bootstrap ## format, lints, types, import boundaries, shell, chart, packages, docs
	@dev/check

.PHONY: docs
docs: bootstrap ## the documentation as a site, into dist/docs
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict --quiet && echo dist/docs/index.html

.PHONY: manifests
manifests: ## deploy/install.yaml: the chart's objects for those who have no Helm
	@dev/manifests write

.PHONY: fmt
fmt: bootstrap ## put code into shape, renew what is generated: CRDs, the chart's copy of them and its README, deploy/
	@.venv/bin/ruff format
	@.venv/bin/ruff check --fix
	@.venv/bin/python dev/crds.py write
	@.venv/bin/python dev/chart_docs.py write
	@dev/manifests write
