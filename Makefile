# What people and CI run. `make` alone tells what there is.

# Rows of the demo's simulated batches, times their published counts; 1 is 1.08 million rows.
SCALE ?= 0.05
# 1: the demo ends when everything has been played, instead of serving on.
ONCE ?=

CARGO ?= cargo
# rustup puts cargo here, and a shell that was open before does not know yet.
export PATH := $(PATH):$(HOME)/.cargo/bin

.DEFAULT_GOAL := help
.PHONY: help demo build test tools rust-tools

help:
	@echo 'make demo     play the loop on simulated and on real data, then serve its page (SCALE=0.05, ONCE=1 to end)'
	@echo 'make test     what must hold: format, lints, documentation, all tests'
	@echo 'make build    the binary target/release/ebb'

demo: tools
	$(CARGO) run --release --locked -p bundle --bin ebb -- demo --scale $(SCALE) $(if $(filter 1,$(ONCE)),--once)

build: tools
	$(CARGO) build --release --locked -p bundle --bin ebb

test: tools rust-tools
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --release --locked --workspace --no-deps
	$(CARGO) test --release --locked --workspace --no-fail-fast

# What a fresh machine may lack. A C compiler is installed where that needs no question; Rust is the user's own choice.
tools:
	@command -v $(CARGO) >/dev/null || { \
	  echo 'Ebb is built with Rust 1.95 or later, and there is no cargo here. Install it as https://rustup.rs says, then'; \
	  echo 'run this again.'; exit 1; }
	@command -v cc >/dev/null || { \
	  if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	    echo 'There is no C compiler: installing gcc.'; apt-get update -qq && apt-get install -y -qq gcc libc6-dev; \
	  else \
	    echo 'Some dependencies (mimalloc, zstd, the TLS library) need a C compiler named cc. On Debian or Ubuntu:'; \
	    echo '  sudo apt-get install gcc libc6-dev'; exit 1; \
	  fi; }

rust-tools:
	@$(CARGO) fmt --version >/dev/null 2>&1 || rustup component add rustfmt
	@$(CARGO) clippy --version >/dev/null 2>&1 || rustup component add clippy
