# Targets are documented by the text after "##"; "make help" prints it.
SHELL := /bin/sh
GO := go
export CGO_ENABLED := 0

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LINT := .cache/bin/golangci-lint

.DEFAULT_GOAL := help

.PHONY: help
help: ## print this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: install-run build ## install what is missing, build, and start the demo on http://127.0.0.1:8080
	@exec bin/ribambelle serve --demo

.PHONY: test
test: install-test vet lint ## everything that must hold: vet, linter, unit, store, page and browser tests
	$(GO) test $$($(GO) list ./... | grep -v '/e2e')
	@if [ -n "$$(find e2e -name '*_test.go' 2>/dev/null | head -n 1)" ]; then set -x; $(GO) test -count=1 ./e2e/...; fi

.PHONY: e2e
e2e: install-test ## the journeys in a real browser, on the event module
	$(GO) test -count=1 ./e2e/...

.PHONY: e2e-odoo
e2e-odoo: install-test ## the chain on a real Odoo: ODOO_URL=… ODOO_DB=… ODOO_USER=… ODOO_PASSWORD=…
	@test -n "$(ODOO_URL)" || { echo "say which Odoo: make e2e-odoo ODOO_URL=… ODOO_DB=… ODOO_USER=… ODOO_PASSWORD=…" >&2; exit 2; }
	$(GO) test -count=1 -v -timeout 30m ./e2e -run 'TestChain$$' -odoo

.PHONY: proof
proof: install-test ## 500 guardians race for 24 places and the bus through two processes; a naive grant overbooks
	$(GO) test -count=1 -v -timeout 30m ./e2e/proof -guardians 500 -places 24 -seats 10 -late 100

.PHONY: bench-queries
bench-queries: install-test ## what the pages ask of the database on 300,000 registrations: plans, and times against the bare query
	$(GO) test -count=1 -v -timeout 30m ./portal -run TestNoPageReadsATableWhole -scale 300000

.PHONY: proof-crash
proof-crash: install-test ## kill -9 fifty times under load, then compare the books of every side
	$(GO) test -count=1 -v -timeout 0 ./e2e/crash -kills 50 -families 6

.PHONY: proof-money
proof-money: install-test ## random money under kills equals the provider's books; 32 writers leave no gap in the numbers
	$(GO) test -count=1 -v -timeout 0 ./e2e/money -commands 6000 -kills 40
	$(GO) test -count=1 -v -timeout 10m ./internal/ledger -run 'TestNumbers'
	$(GO) test -count=1 -v -timeout 30m ./internal/enrol -run 'KeepsTheMoney' -rapid.checks=200

.PHONY: screenshots
screenshots: install-test ## make the pictures of docs/screenshots again, from a fresh demo
	$(GO) test -count=1 -timeout 15m ./e2e -run TestScreenshots -pictures $(CURDIR)/docs/screenshots

.PHONY: bench
bench: install-test ## measure documents and the wire
	$(GO) test -run '^$$' -bench . -benchmem ./connector ./reports

.PHONY: contract
contract: ## what we rely on, against the event module or a real server: ODOO_URL, ODOO_DB, ODOO_USER, ODOO_PASSWORD
	$(GO) test -count=1 -timeout 30m ./connector -run Contract -v
	$(GO) test -count=1 -timeout 30m -parallel 3 ./sync

.PHONY: proof-sync
proof-sync: ## both sides equal after two minutes of faults and ten kills of the syncer
	$(GO) test -count=1 -timeout 30m ./sync -run 'TestProof$$' -v -args -proof.time=2m -proof.registrations=2000 -proof.changes=500 -proof.kills=10

.PHONY: bench-sync
bench-sync: ## pull and push against the bare calls, medians of nine; ODOO_URL and so on for a real server
	$(GO) test -count=1 -timeout 30m ./sync -run 'TestBench$$' -v -args -bench.sync

.PHONY: odoo-clients
odoo-clients: ## other people's Odoo clients against the event module (needs the network, node and python3-odoorpc)
	scripts/odoo-clients/run.sh

.PHONY: build
build: ## write bin/ribambelle, a self-contained program
	$(GO) build -trimpath -ldflags '-s -w -X ribambelle/internal/cli.version=$(VERSION)' -o bin/ribambelle .

.PHONY: vet
vet: ## report suspicious constructs
	$(GO) vet ./...

.PHONY: lint
lint: $(LINT) ## hold the import rules and the style
	$(LINT) run

.PHONY: fmt
fmt: $(LINT) ## format the code
	$(LINT) fmt

.PHONY: vuln
vuln: ## look for known vulnerabilities in what the program uses (needs vuln.go.dev)
	$(GO) run golang.org/x/vuln/cmd/govulncheck@v1.8.0 ./...

$(LINT): tools/go.mod tools/go.sum
	@echo "Building the linter (once, about two minutes) …"
	@mkdir -p $(@D)
	$(GO) build -modfile=tools/go.mod -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: install-run install-test
install-run:
	@scripts/install.sh run
install-test:
	@scripts/install.sh test
