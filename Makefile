# Holdfast's everyday commands. `make` alone lists them; CONTRIBUTING.md explains what each check is for.

# Built without optimisation: from an empty cache that takes half the time, and the linters' own run is short either way.
GOLANGCI_LINT := go run -gcflags='all=-N -l' -ldflags='-s -w' github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

FUZZTIME ?= 60s
BENCH    ?= .
COUNT    ?= 6
SERVE    ?=
SEEDS    ?= 2000

.DEFAULT_GOAL := help

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## compile the programs into ./bin
	go build -o bin/ ./cmd/...

.PHONY: run
run: build ## build and serve with every default (SERVE='--listen :9000' adds flags)
	./bin/holdfast serve $(SERVE)

.PHONY: test
test: deps tidy unit race lint ## everything that must pass, as CI runs it: a few minutes

.PHONY: deps
deps: ## install the Debian packages that tests and comparisons drive, if missing
	@.ci/deps

.PHONY: lint
lint: ## golangci-lint, vet among its linters, with .golangci.yml
	$(GOLANGCI_LINT) run ./...

.PHONY: race
race: ## every test under the race detector, with fewer seeds
	go test -race -short -shuffle on -timeout 5m ./...

.PHONY: unit
unit: ## every test without it: budgets, allocations and timing too
	go test -shuffle on -timeout 5m ./...

.PHONY: e2e
e2e: ## the programs as users run them: flags, commands, real sockets, drain
	go test -count=1 ./cmd/... ./engine

.PHONY: tidy
tidy: ## the house rules: import directions, lengths, comments, names
	go test -count=1 ./cmd/internal/tidy

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (60s) each
	@grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sort | while IFS=: read -r file func; do \
		target=$${func#func }; \
		echo "== $$target in $$(dirname $$file)"; \
		go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$(dirname $$file)" || exit 1; \
	done

.PHONY: sim
sim: ## the tests on the simulated kernel with SEEDS (2000) seeds each, to hunt
	SEEDS=$(SEEDS) go test -timeout 60m $$(grep -rlw --include='*_test.go' 'Seeds' engine | xargs -n 1 dirname | sort -u | sed 's|^|./|')

.PHONY: bench
bench: ## Go benchmarks of every package (BENCH=regexp, COUNT=6), fit for benchstat
	go test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) ./...

.PHONY: soak
soak: build ## 18,000 connections and steady pushes for five minutes (CONNS, RATE, DURATION): nothing lost, nothing grows
	@.ci/soak

.PHONY: cluster
cluster: build ## three nodes and their Redis on this machine, and what to try on them; Ctrl-C ends all (FIRST port 8080)
	@.ci/cluster

.PHONY: faults
faults: ## the fault table of a cluster, one fault after another, written to bin/faults.md: two minutes
	@mkdir -p bin
	CHAOS_TABLE=$(CURDIR)/bin/faults.md go test -count=1 -v -timeout 20m -run TestFaults ./cmd/internal/chaos

.PHONY: chaos
chaos: ## random faults by seed on clusters at work for an hour (DURATION), until a promise is broken (SEED repeats one)
	CHAOS_DURATION=$(or $(DURATION),1h) go test -count=1 -v -timeout 0 -run TestRandomFaults ./cmd/internal/chaos

.PHONY: compare
compare: build ## holdfast beside a bare loop of send and beside nchan, in turn: about two minutes
	./bin/holdfast-perf compare

.PHONY: format
format: ## rewrite the code as the linters want it
	$(GOLANGCI_LINT) fmt ./...

.PHONY: clean
clean: ## remove what build left
	rm -rf bin
