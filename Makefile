# CoAP for AWS IoT. `make help` prints a line per target.

GO ?= go
export GOFLAGS ?= -trimpath
FUZZTIME ?= 30s

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

.PHONY: help lab build dist test lint unit race fuzz peers histories world mutations infra tables soak bench

help: ## print this
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

lab: build ## build, then run the whole system on this machine
	@dist/coapctl lab

build: ## build this machine's binaries into dist/
	@mkdir -p dist
	$(GO) build -o dist/coapctl ./src/coapctl
	$(GO) build -o dist/ingestor ./src/ingestor/daemon
	$(GO) build -tags lambda.norpc -o dist/processor ./src/processor/lambda
	$(GO) build -tags lambda.norpc -o dist/replicator ./src/replicator/lambda

dist: ## what is deployed (linux/arm64, linux/amd64, Lambda), the same bytes each time, in dist/
	@$(GO) run ./src/dist -go "$(GO)" -version "$(VERSION)"

test: ## everything: lint, unit, race, peers, histories, world, mutations, fuzz, dist, infra
	@test/run lint unit race peers histories world mutations fuzz dist infra

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

histories: ## HISTORIES (20000) random histories of devices, in any order of arrival
	@test/run histories

world: ## WORLDS (40) worlds in virtual time, in which everything that can fail does
	@test/run world

mutations: ## break each promise in the source; a world must notice
	@test/run mutations

infra: ## the Terraform: modules, plans, both regions applied to moto, permissions, failover
	@test/run infra

tables: ## write the tables of inputs and outputs into the READMEs of modules and roots
	@$(GO) -C test build -o ../dist/tables ./tables && dist/tables

soak: ## worlds for an hour, and a hundred times kill -9 of everything
	@test/run soak

bench: ## all benchmarks, kept in bench/ under the day's date, see docs/performance.md
	@test/run bench
