# Sunline. `make help` lists what can be made. Every .c in a folder belongs to the thing of that folder: no lists to keep.
ifeq ($(origin CC),default)
CC      := gcc
endif
PREFIX  ?= /usr/local
O       ?= build
OPT     ?= -O2 -g
VERSION := $(shell cat VERSION)
MAJOR   := $(firstword $(subst ., ,$(VERSION)))
PKGS    := libzmq libczmq lmdb yaml-0.1 jansson glib-2.0
WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual \
           -Wwrite-strings -Wvla -Wundef -Wformat=2 -Wno-format-nonliteral $(if $(WERROR),-Werror) \
           $(if $(findstring clang,$(CC)),-Wno-language-extension-token -Wno-cast-qual)# typeof; GLib's macros (gcc checks both)
# pkg-config may not be there yet: `make demo` and `make test` install it first and then start make again.
PKGCFLAGS := $(patsubst -I%,-isystem %,$(filter -I%,$(shell pkg-config --cflags $(PKGS) 2>/dev/null)))
# gcc 12.2 (Debian 12's) at -O1 and above loses an assignment to a struct's member in its pass SRA (docs/adr/0007): not with us.
NO_SRA  := $(if $(findstring clang,$(shell $(CC) --version 2>/dev/null)),,-fno-tree-sra)
CFLAGS  := -std=gnu17 $(NO_SRA) $(OPT) $(WARN) -ffp-contract=off -fno-strict-aliasing -fPIC -fvisibility=hidden -D_GNU_SOURCE \
           -DSUNLINE_VERSION='"$(VERSION)"' -I. $(PKGCFLAGS) $(EXTRA)
LDLIBS  := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lcsv -lmsgpackc -lpthread -lm

src      = $(wildcard $(1)/*.c)
obj      = $(patsubst %.c,$(O)/%.o,$(call src,$(1)))
PROTO   := $(call obj,proto)
STORE   := $(call obj,broker/store)
ENGINE  := $(call obj,broker/engine)
BROKER  := $(filter-out $(O)/broker/main.o,$(call obj,broker))
AGENT   := $(filter-out $(O)/worker-agent/main.o,$(call obj,worker-agent))
CLIENT  := $(call obj,client)
CLI     := $(filter-out $(O)/client/cli/main.o,$(call obj,client/cli))
TESTLIB := $(call obj,tests/lib) $(filter-out $(O)/tests/sim/main.o $(O)/tests/sim/calls.o,$(call obj,tests/sim))
LIBS    := $(O)/libproto.a $(O)/libstore.a $(O)/libengine.a $(O)/libbroker.a $(O)/libagent.a $(O)/libcli.a $(O)/libsunline.a
BIN     := $(O)/sunlined $(O)/sunline-agent $(O)/sunline
EXAMPLES := $(patsubst client/examples/%.c,$(O)/examples/%,$(call src,client/examples))
DEMO    := $(patsubst deploy/demo/%.c,$(O)/demo/%,$(call src,deploy/demo))
UNIT    := $(patsubst tests/unit/%.c,$(O)/tests/%,$(wildcard tests/unit/test_*.c))
BENCH   := $(patsubst tests/bench/%.c,$(O)/bench/%,$(wildcard tests/bench/bench_*.c))
PEERS   := $(patsubst tests/bench/%.c,$(O)/bench/%,$(filter-out %/tcp.c,$(wildcard tests/bench/peers/*.c)))
PRELOAD := $(patsubst tests/bench/preload/%.c,$(O)/bench/%.so,$(wildcard tests/bench/preload/*.c))
FUZZ    := $(patsubst tests/fuzz/%.c,$(O)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
SIM     := $(if $(wildcard tests/sim/main.c),$(O)/sunline-sim)
TORTURE := $(O)/torture/shim.so $(O)/torture/memory.so $(O)/torture/skew.so $(O)/torture/slow.so $(O)/torture/look $(O)/torture/open $(O)/torture/plant $(O)/torture/judge
CODE    := $(sort $(wildcard proto/*.c broker/*.c broker/*/*.c worker-agent/*.c client/*.c client/*/*.c deploy/demo/*.c tests/*/*.c tests/*/*/*.c))
AGAIN    = $(MAKE) --no-print-directory $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))
deps     = $(if $(filter no,$(DEPS)),:,deploy/install-deps.sh $(1))# DEPS=no: installed by other means
show     = $(if $(V),,@echo '  $(1) $@' &&)# V=1 shows whole commands

all: $(BIN) $(O)/libsunline.so $(EXAMPLES) $(DEMO) $(O)/round-the-clock ## build everything (in ./build)

demo: ## install what is missing, build, run a CSV through a line on three hubs
	@$(call deps,build)
	@$(AGAIN) all
	@deploy/demo/demo.sh $(O)

test: ## install what is missing, build with warnings as errors, run every test
	@$(call deps,build test)
	@$(AGAIN) WERROR=1 all tests
	@tests/run --build $(O) unit integration $(if $(SIM),sim)
	$(alloc_sites)

# A sanitizer's build lacks the programs that bring an allocator of their own.
alloc_sites = $(if $(findstring sanitize,$(EXTRA)),@:,@tests/alloc_sites --build $(O) --figures)
unit: tests ## the unit tests only, and whether each call that asks for memory was refused it
	@tests/run --build $(O) $(if $(PATIENCE),--patience $(PATIENCE)) unit
	$(alloc_sites)

integration: all $(TORTURE) ## the integration tests only (ONLY=name: those that contain name)
	@tests/run --build $(O) $(if $(ONLY),--only $(ONLY)) integration

bench: all bench-programs ## measure the life of a task, on this machine: ours only, in some ten minutes; as root and with perf hand-overs and the profile too (ARGS='--only life' in one; ARGS=--quick to see that it works)
	@tests/bench/run --build $(O) --alone $(ARGS)

bench-peers: ## install other queues, measure ours beside them, and all that docs/performance.md says, in some 40 minutes; exit 1 if a peer is missing or a floor not reached
	@mkdir -p $(O) && $(call deps,--list peers) > $(O)/bench-installed || true
	@$(call deps,build peers)
	@$(AGAIN) all bench-programs
	@$(AGAIN) -k bench-clients || echo "a peer's client was not built: it will be named below" >&2
	@tests/bench/run --build $(O) --installed $(O)/bench-installed $(ARGS)

bench-check: ## compare the figures of the last `make bench-peers` (and bench-workers, if there is one) with the recorded ones (ARGS=--any-commit: though something has changed since)
	@tests/bench/check $(O)/bench-peers.json --workers $(O)/bench-workers.json $(ARGS)

bench-record: ## take the last `make bench-peers` over: recorded ratios, docs/performance.md (ARGS=--accept: though something became worse)
	@tests/bench/check $(O)/bench-peers.json --workers $(O)/bench-workers.json --record $(ARGS)
	@tests/bench/document $(O)/bench-peers.json docs/performance.md

bench-events: all bench-programs ## what monitors and replays cost the life of a task, in some three minutes; exit 1 if a goal is missed
	@tests/bench/events --build $(O) $(ARGS)

bench-workers: all bench-programs ## a million workers in two hundred hubs, and 200 real agents, in some three minutes; exit 1 if a limit is broken
	@tests/bench/workers --build $(O) $(ARGS)

bench-workers-record: ## take the last `make bench-workers` over into docs/performance.md
	@tests/bench/document $(O)/bench-workers.json docs/performance.md

bench-events-record: ## take the last `make bench-events` over into docs/performance.md
	@tests/bench/document $(O)/bench-events.json docs/performance.md

bench-programs: $(BENCH) $(PRELOAD)
bench-clients: $(PEERS)

sim: $(SIM) ## a seeded world on a virtual clock (SEED=1 HOURS=24)
	@tests/sim/run --build $(O) $(if $(HOURS),--hours$(if $(SEED),,-total) $(HOURS)) $(if $(SEED),--seed $(SEED)) $(ARGS)

torture: all $(TORTURE) ## real processes, killed, cut off, starved of disk: every write point, every power cut, then MINUTES (5) or KILLS of all at once
	@tests/torture/run --build $(O) $(if $(KILLS),--kills $(KILLS),--minutes $(or $(MINUTES),5)) $(if $(SEED),--seed $(SEED)) $(ARGS)

fuzz: ## each fuzzer for SECONDS (30), with clang's sanitizers (in ./build-fuzz, where what it learned stays)
	@$(call deps,build lint)
	@$(AGAIN) CC=clang O=build-fuzz OPT="-O1 -g" EXTRA="-fsanitize=fuzzer-no-link,address,undefined" fuzzers
	@tests/fuzz/run build-fuzz $(or $(SECONDS),30) --figures $(O)

tests: $(UNIT) $(SIM) $(TORTURE)
fuzzers: $(FUZZ)

$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(call show,CC  ) $(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(patsubst %.c,$(O)/%.o,$(shell grep -l SUNLINE_VERSION $(CODE))): VERSION

$(O)/libproto.a: $(PROTO)
$(O)/libstore.a: $(STORE)
$(O)/libengine.a: $(ENGINE)
$(O)/libbroker.a: $(BROKER)
$(O)/libagent.a: $(AGENT)
$(O)/libcli.a: $(CLI)
$(O)/libsunline.a: $(CLIENT) $(PROTO)
$(O)/libtest.a: $(TESTLIB)
$(O)/%.a:
	@mkdir -p $(@D)
	$(call show,AR  ) rm -f $@ && ar rcs $@ $^

$(O)/sunlined: $(O)/broker/main.o $(O)/libbroker.a $(O)/libengine.a $(O)/libstore.a $(O)/libproto.a
$(O)/sunline-agent: $(O)/worker-agent/main.o $(O)/libagent.a $(O)/libproto.a
$(O)/sunline: $(O)/client/cli/main.o $(O)/libcli.a $(O)/libsunline.a
$(O)/sunlined: LDLIBS += -lmicrohttpd
$(O)/sunline: LDLIBS += -lncursesw -ltinfo -lgcrypt
$(BIN):
	$(call show,LINK) $(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) $(LDLIBS)
$(O)/libsunline.so: $(CLIENT) $(PROTO)
	$(call show,LINK) $(CC) $(CFLAGS) -shared -Wl,-soname,libsunline.so.$(MAJOR) -o $@ $^ $(LDFLAGS) -lzmq -lmsgpackc -lm
	@ln -sf libsunline.so $(O)/libsunline.so.$(MAJOR)
$(O)/examples/%: client/examples/%.c $(O)/libsunline.a
	@mkdir -p $(@D)
	$(call show,LINK) $(CC) $(CFLAGS) -Iclient -o $@ $^ $(LDFLAGS) $(LDLIBS)
$(O)/demo/%: deploy/demo/%.c
	@mkdir -p $(@D)
	$(call show,LINK) $(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) -ljansson
# A unit test, a benchmark, a fuzzer is one program, linked with whatever it needs of the product and of tests/lib.
WHOLE   := $(LIBS) $(O)/libtest.a
with_whole = -Wl,--start-group $(WHOLE) -Wl,--end-group $(LDFLAGS) $(LDLIBS) -lmicrohttpd -lncursesw -ltinfo -lgcrypt
link_whole = $(call show,LINK) mkdir -p $(@D) && $(CC) $(CFLAGS) -MMD -MP -MF $@.d -o $@ $(filter %.c %.o,$^) $(with_whole)
# Calls that fail when a test wants it: our own code's allocations, its calls to LMDB (tests/lib/lmdb_fails.h) and to the kernel (sys_fails.h).
ALLOCATIONS  := malloc calloc realloc strdup strndup
ALIGNED      := posix_memalign# the simulator has none: its worlds would be others
LMDB_CALLS   := $(addprefix mdb_,env_create env_open env_set_mapsize env_copy2 txn_begin txn_renew txn_commit dbi_open stat get put drop \
                cursor_open cursor_get cursor_put cursor_del)
SYSTEM_CALLS := mkdir flock fstat fstatat fstatvfs ftruncate fsync fdatasync getrandom pread pwrite rename renameat2 open openat
wrapped       = $(addprefix -Wl$(comma)--wrap=,$(1))
comma        := ,
$(O)/tests/test_alloc_%: LDFLAGS += $(call wrapped,$(ALLOCATIONS) $(ALIGNED))
$(O)/tests/test_fails_%: LDFLAGS += $(call wrapped,$(LMDB_CALLS))
$(O)/tests/test_fails_store: LDFLAGS += $(call wrapped,$(SYSTEM_CALLS) $(ALLOCATIONS) $(ALIGNED))
$(O)/tests/test_fails_verify: LDFLAGS += $(call wrapped,$(SYSTEM_CALLS))
$(O)/tests/test_agent_disk: LDFLAGS += $(call wrapped,$(SYSTEM_CALLS))
$(O)/tests/test_sim_disk: LDFLAGS += $(call wrapped,wal_write mdb_env_get_fd)
$(O)/tests/test_sim_disk: $(O)/tests/sim/calls.o
$(O)/tests/test_forecast_worlds: LDFLAGS += $(foreach f,sl__request sl__request_with,-Wl,--wrap=$(f))
# The cases themselves, not what they test: that takes less of the compiler's time.
$(O)/tests/unit/%.o: CFLAGS += $(if $(filter -O2,$(OPT)),-Og)
$(UNIT): $(O)/tests/%: $(O)/tests/unit/%.o $(WHOLE)
	$(call show,LINK) $(CC) $(CFLAGS) -o $@ $(filter %.o,$^) $(with_whole) -lcmocka
BENCHLIB := $(filter-out $(O)/tests/bench/bench_%,$(call obj,tests/bench))
$(BENCH): $(O)/bench/%: tests/bench/%.c $(BENCHLIB) $(LIBS)
	$(call show,LINK) mkdir -p $(@D) && $(CC) $(CFLAGS) -MMD -MP -MF $@.d -o $@ $(filter %.c %.o,$^) -Wl,--start-group $(LIBS) -Wl,--end-group \
	    $(LDFLAGS) $(LDLIBS)
$(PEERS): $(O)/bench/peers/%: tests/bench/peers/%.c $(O)/tests/bench/common.o $(O)/tests/bench/life.o $(O)/tests/bench/peers/tcp.o
	$(call show,LINK) mkdir -p $(@D) && $(CC) $(CFLAGS) $$(pkg-config --cflags $(or $(peer_$*),libzmq)) -MMD -MP -MF $@.d -o $@ $(filter %.c %.o,$^) \
	    $(LDFLAGS) $(if $(peer_$*),$$(pkg-config --libs $(peer_$*)))
$(O)/bench/%.so: tests/bench/preload/%.c
	$(call show,LINK) mkdir -p $(@D) && $(CC) $(CFLAGS) -shared -o $@ $<
peer_redis := hiredis
peer_postgres := libpq
peer_rabbitmq := librabbitmq
$(O)/fuzz/%: tests/fuzz/%.c $(WHOLE)
	$(link_whole) -fsanitize=fuzzer
$(O)/torture/%.so: tests/torture/%.c
	$(call show,LINK) mkdir -p $(@D) && $(CC) $(filter-out -fsanitize%,$(CFLAGS)) -MMD -MP -MF $@.d -shared -o $@ $< -ldl -lpthread
$(O)/torture/%: tests/torture/%.c $(WHOLE)
	$(link_whole)
# The checker of the simulated world, and nothing of what it judges.
$(O)/torture/judge: tests/torture/judge.c $(filter $(O)/tests/sim/checker%,$(TESTLIB)) $(O)/libproto.a
	$(call show,LINK) mkdir -p $(@D) && $(CC) $(CFLAGS) -MMD -MP -MF $@.d -o $@ $(filter %.c %.o %.a,$^) $(LDFLAGS) $(LDLIBS)
$(O)/sunline-sim: LDFLAGS += $(call wrapped,$(ALLOCATIONS) $(LMDB_CALLS) wal_write mdb_env_get_fd)
$(O)/sunline-sim: $(O)/tests/sim/main.o $(O)/tests/sim/calls.o $(WHOLE)
	$(link_whole)
$(O)/round-the-clock: tests/round/round.c $(O)/tests/lib/engine_world.o $(O)/tests/lib/engine_staff.o $(LIBS)
	$(call show,LINK) $(CC) $(CFLAGS) -MMD -MP -MF $@.d -o $@ $(filter %.c %.o,$^) -Wl,--start-group $(LIBS) -Wl,--end-group $(LDFLAGS) $(LDLIBS)

SANITIZED := ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
asan: ## unit tests under AddressSanitizer and UBSan, then past failing worlds and WORLDS_S (120) seconds of new ones (in ./build-asan)
	@$(SANITIZED) $(AGAIN) O=build-asan OPT="-O1 -g" EXTRA="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer" PATIENCE=10 unit
	@$(SANITIZED) tests/sim/run --build build-asan --patience 10 --seconds $(or $(WORLDS_S),120)

COVERAGE_MIN := 95# percent
coverage: ## branch coverage of engine, store and codec by unit tests, simulated worlds and integration tests, assert branches aside (in ./build-cov)
	@$(call deps,build test lint)
	@find build-cov -name '*.gcda' -delete 2>/dev/null; true
	@$(AGAIN) O=build-cov OPT="-O0 -g" EXTRA="--coverage -fprofile-update=atomic" all tests
	@tests/run --build build-cov --patience 5 unit
	@tests/sim/run --build build-cov --patience 10 --seconds 60
	@for t in check figures events_stream stories command_line broker_process lost_pages upgrade; do tests/run --build build-cov --patience 2 --only $$t integration || exit 1; done
	@tests/coverage --build build-cov --min $(COVERAGE_MIN)

lint: ## layout, static checks, and a build with the other compiler
	@$(call deps,build test lint)
	@.ci/lint $(CODE)
	@$(AGAIN) CC=clang WERROR=1 O=build-clang all tests
	@$(AGAIN) $(SIM)
	@tests/sim/compilers --built $(O),build-clang

mutants: ## planted bugs that the simulator must find (ARGS=name: one of them)
	@tests/sim/mutants/run --build $(O) --jobs $(shell nproc) $(ARGS)

compilers: ## the same worlds, to the byte, from gcc and clang at several levels
	@tests/sim/compilers --figures $(O)

# From the seed on that planted bugs are hunted from: the unchanged tree must pass these, and need not run them twice.
reliability: $(SIM) ## the long runs of the simulator (HOURS=10000; goes on where it was broken off; MORE=n: n new ones at least), then the tables of docs/reliability.md
	@failed=; tests/sim/run --build $(O) --jobs $(shell nproc) --first 5000 --hours-total $(or $(HOURS),10000) $(if $(MORE),--more-hours $(MORE)) --record sim || failed="$$failed worlds"; \
	$(AGAIN) mutants || failed="$$failed mutants"; tests/figures --build $(O) || failed="$$failed figures"; \
	[ -z "$$failed" ] || { echo "failed:$$failed" >&2; exit 1; }

figures: ## write the tables of docs/reliability.md anew from what reliability, torture, fuzz, compilers and coverage left in build/reliability
	@tests/figures --build $(O)

nightly: ## everything that takes long: lint, asan with WORLDS_S (600) seconds of new worlds, fuzz (SECONDS=300 each), tests, compilers, torture (KILLS=2000), coverage, reliability with MORE (1000) new hours, its mutants and tables; goes on after what failed
	@failed=; for t in lint "asan WORLDS_S=$(or $(WORLDS_S),600)" "fuzz SECONDS=$(or $(SECONDS),300)" test compilers "torture KILLS=$(or $(KILLS),2000)" coverage "reliability MORE=$(or $(MORE),1000)"; do \
	    $(AGAIN) $$t || failed="$$failed $${t%% *}"; done; [ -z "$$failed" ] || { echo "failed:$$failed" >&2; exit 1; }

install: all ## install below DESTDIR and PREFIX (/usr/local)
	@deploy/install.sh $(O) "$(DESTDIR)" "$(PREFIX)" $(VERSION)

help: ## this list
	@grep -hE '^[a-z_.-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z_.-]+):.*## /\1\t/' | expand -t 24

format: ## lay the code out as .clang-format says
	clang-format -i $(CODE)

tags: ## tags for editors
	ctags -R --languages=C --langmap=C:+.h proto broker worker-agent client

compile_commands.json: ## for clangd (needs bear)
	bear -- $(AGAIN) O=build-bear all tests && rm -rf build-bear

clean: ## remove what was built
	rm -rf $(O) build-asan build-cov build-clang build-fuzz build-bear tags compile_commands.json

-include $(shell find $(O) -name '*.d' 2>/dev/null)
.PHONY: bench-workers bench-workers-record all demo test unit integration tests torture coverage bench bench-peers bench-check bench-record bench-events bench-events-record bench-programs bench-clients sim mutants compilers reliability figures fuzz fuzzers asan lint format nightly install help clean
