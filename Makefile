# Targets for people: build, demo, test, bench. What .ci/run adds stands there.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
LDFLAGS  = -s -w -X example.org/ssh-gate/internal/admin.Version=$(VERSION)

.PHONY: build demo test bench load fuzz race lint packages clean

# One static binary, without cgo: linking libc costs a login 0.8 ms and loads code before the gate's first instruction.
build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o ssh-gate ./cmd/ssh-gate

demo: build
	$(GO) run ./internal/demo ./ssh-gate

test:
	@sh .ci/deps
	CGO_ENABLED=0 $(GO) test -count=1 -timeout 20m ./...

# A report, with targets met or not; ARGS=-trace shows where the gate's time goes.
bench:
	$(GO) run ./internal/bench $(ARGS)

# 100,000 denials of two users while logrotate rotates every second, as root: about five minutes.
load:
	SSH_GATE_LOAD=100000 CGO_ENABLED=0 $(GO) test -count=1 -timeout 30m -run '^TestLoad$$' -v ./cmd/ssh-gate

# A number of inputs, not a time: at the end of a time the fuzzer sometimes fails by its own deadline.
FUZZTIME ?= 100000x
fuzz:
	@sh .ci/fuzz $(FUZZTIME)

race:
	CGO_ENABLED=1 $(GO) test -race -count=1 ./internal/...

lint:
	@sh .ci/lint

# .deb and .rpm for amd64 and arm64, the same bytes from the same commit: dist/SHA256SUMS.
packages:
	rm -rf dist
	@GO='$(GO)' sh packaging/packages/build dist
	cd dist && sha256sum ssh-gate* >SHA256SUMS

clean:
	rm -rf ssh-gate dist
