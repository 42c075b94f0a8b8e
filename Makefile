# CoAP for AWS IoT. `make help` prints a line per target.

GO ?= go
export GOFLAGS ?= -trimpath
FUZZTIME ?= 30s

.PHONY: help lab build test lint unit race fuzz e2e peers bench

help: ## print this
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

lab: build ## build, then run the whole system on this machine
	@dist/coapctl lab

build: ## build this machine's binaries into dist/
	@mkdir -p dist
	$(GO) build -o dist/coapctl ./src/coapctl
	$(GO) build -o dist/ingestor ./src/ingestor/daemon
	$(GO) build -tags lambda.norpc -o dist/processor ./src/processor/lambda
	$(GO) build -tags lambda.norpc -o dist/replicator ./src/replicator/lambda

test: ## everything: lint, unit, race, fuzz, real peers
	@test/run lint unit race fuzz peers

lint: ## gofmt, go vet, staticcheck
	@test/run lint

unit: ## all Go tests
	@test/run unit

race: ## all Go tests under the race detector
	@test/run race

fuzz: ## each parser for FUZZTIME (30s)
	@test/run fuzz

peers: ## CoAP clients and AWS tools that are none of ours, against the lab
	@test/run peers

bench: ## all benchmarks, see docs/performance.md
	$(GO) test -run '^$$' -bench . -benchmem ./src/...
