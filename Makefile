# The door of the house. Needs Node 20 or newer, npm and make; everything else comes with `npm ci`.

BIN      := node_modules/.bin
CLIENT   := $(wildcard client/*) $(shell find core -name "*.ts")
SOURCES  := $(shell find core storage server $(wildcard client) -name "*.ts")
# Request headers: a key of 4,096 bytes may be 12 KiB percent-encoded, and has context and metadata with
# it; the runtime's own limit of 16 KiB would refuse it. No .env or bunfig.toml lying about is read.
COMPILE  := --compile --compile-exec-argv=--max-http-header-size=65536 \
            --no-compile-autoload-dotenv --no-compile-autoload-bunfig
# The longest first, so that the short ones fill the other core beside them.
LONG     := test/runtimes.test.ts test/simulation/seeds.test.ts test/suites.test.ts \
            test/units.test.ts test/process/membership.test.ts test/process/listing.test.ts \
            test/process/cli.test.ts test/process/tls.test.ts test/process/client.test.ts \
            test/process/help.test.ts
# What test/units.test.ts runs.
UNITS    := test/core/% test/server/% test/client/% test/regression/% test/bench/load/%
TESTS    ?= $(LONG) $(filter-out $(LONG) $(UNITS),$(shell find test -name '*.test.ts' | sort))

.PHONY: help build client run types test sim crash chaos planted bench bench-figure8 bench-cluster clean
.DELETE_ON_ERROR:

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /  make \1 \t/p' $(MAKEFILE_LIST) | expand -t 24

build: dist/halo ## compile the one binary, dist/halo

client: dist/client/package.json ## the client library as a package, dist/client

run: dist/halo ## a cluster of three nodes on this machine, with its data under ./.data
	dist/halo dev --data ./.data

types: node_modules/.package-lock.json ## check the types
	node_modules/typescript-native/bin/tsc -p .

test: dist/halo dist/client/package.json ## every test (TESTS="file …" for some); under 5 minutes on 2 cores
	@mkdir -p build
	$(BIN)/tap run --disable-coverage --allow-empty-coverage --timeout=240 --jobs=2 \
		--reporter=terse --output-file=build/test.tap $(TESTS)

sim: node_modules/.package-lock.json ## replay a simulated cluster: SEED=7, SEEDS=1-200, TRACE=1, FAMILY=C4
	$(BIN)/bun test/simulation/main.ts

crash: dist/halo ## faults of a node's disk at full size: ROWS=B1,B5 KILLS=200 FATES=1000 SEED=7
	$(BIN)/bun test/crash/main.ts

chaos: dist/halo ## real nodes join, leave, die and are cut off under load (root): ROWS=D4 RUNS=20 SEED=7
	$(BIN)/bun test/chaos/main.ts

planted: node_modules/.package-lock.json ## plant bugs in storage, each must be noticed: BUGS=3-5
	$(BIN)/bun test/planted/main.ts

bench: node_modules/.package-lock.json ## parts of the data path: FILE=md5, RUNTIME=bun, REF=main~3
	$(BIN)/bun bench/suite.ts --file "$(FILE)" --runtime "$(RUNTIME)" --ref "$(REF)"

bench-figure8: node_modules/.package-lock.json ## load balance of the paper's three strategies
	$(BIN)/bun bench/figure-8/main.ts

bench-cluster: dist/halo ## the cluster against what this machine allows, and its peers
	$(BIN)/bun bench/cluster.ts

clean: ## remove what was built; data (./.data) stays
	rm -rf dist build .tap

# bun build leaves its work beside the sources when it is stopped; the move makes the binary appear whole.
dist/halo: node_modules/.package-lock.json $(SOURCES)
	@mkdir -p dist
	$(BIN)/bun build $(COMPILE) server/cli/main.ts --outfile dist/halo.new
	mv dist/halo.new dist/halo

# One file that needs nothing, and its types. In declarations a module is named by what it becomes.
dist/client/package.json: node_modules/.package-lock.json $(CLIENT)
	@rm -rf dist/client
	@mkdir -p dist/client
	$(BIN)/bun build --target=node --format=esm client/client.ts --outfile dist/client/client.js
	node_modules/typescript-native/bin/tsc -p client/tsconfig.json
	sed -i 's/\.ts"/.js"/' $$(find dist/client/types -name '*.d.ts')
	cp node_modules/cbor-x/LICENSE dist/client/LICENSE-cbor-x
	cp LICENSE client/README.md client/package.json dist/client

node_modules/.package-lock.json: package-lock.json
	npm ci --no-audit --no-fund
	@touch $@
