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
           -Wwrite-strings -Wvla -Wundef -Wformat=2 -Wno-format-nonliteral $(if $(WERROR),-Werror)
# pkg-config may not be there yet: `make demo` and `make test` install it first and then start make again.
PKGCFLAGS := $(patsubst -I%,-isystem %,$(filter -I%,$(shell pkg-config --cflags $(PKGS) 2>/dev/null)))
CFLAGS  := -std=gnu17 $(OPT) $(WARN) -ffp-contract=off -fno-strict-aliasing -fPIC -fvisibility=hidden -D_GNU_SOURCE \
           -DSUNLINE_VERSION='"$(VERSION)"' -I. $(PKGCFLAGS) $(EXTRA)
LDLIBS  := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lcsv -lmsgpackc -lpthread

src      = $(wildcard $(1)/*.c)
obj      = $(patsubst %.c,$(O)/%.o,$(call src,$(1)))
PROTO   := $(call obj,proto)
STORE   := $(call obj,broker/store)
ENGINE  := $(call obj,broker/engine)
BROKER  := $(filter-out $(O)/broker/main.o,$(call obj,broker))
AGENT   := $(filter-out $(O)/worker-agent/main.o,$(call obj,worker-agent))
CLIENT  := $(call obj,client)
CLI     := $(filter-out $(O)/client/cli/main.o,$(call obj,client/cli))
TESTLIB := $(call obj,tests/lib)
LIBS    := $(O)/libproto.a $(O)/libstore.a $(O)/libengine.a $(O)/libbroker.a $(O)/libagent.a $(O)/libcli.a $(O)/libsunline.a
BIN     := $(O)/sunlined $(O)/sunline-agent $(O)/sunline
EXAMPLES := $(patsubst client/examples/%.c,$(O)/examples/%,$(call src,client/examples))
DEMO    := $(patsubst deploy/demo/%.c,$(O)/demo/%,$(call src,deploy/demo))
UNIT    := $(patsubst tests/unit/%.c,$(O)/tests/%,$(wildcard tests/unit/test_*.c))
CODE    := $(sort $(wildcard proto/*.c broker/*.c broker/*/*.c worker-agent/*.c client/*.c client/*/*.c deploy/demo/*.c tests/*/*.c))
AGAIN   := $(MAKE) --no-print-directory

all: $(BIN) $(O)/libsunline.so $(EXAMPLES) $(DEMO) ## build everything (in ./build)

demo: ## install what is missing, build, run a CSV through a line on three hubs
	@$(if $(filter no,$(DEPS)),:,deploy/install-deps.sh build)
	@$(AGAIN) all
	@deploy/demo/demo.sh $(O)

test: ## install what is missing, build with warnings as errors, run every test
	@$(if $(filter no,$(DEPS)),:,deploy/install-deps.sh build test)
	@$(AGAIN) WERROR=1 all tests
	@tests/run --build $(O) unit integration $(if $(wildcard tests/sim/*.c),sim)

unit: tests ## the unit tests only
	@tests/run --build $(O) unit

integration: all ## the integration tests only (ONLY=name: those that contain name)
	@tests/run --build $(O) $(if $(ONLY),--only $(ONLY)) integration

tests: $(UNIT)

$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

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
	rm -f $@ && ar rcs $@ $^

$(O)/sunlined: $(O)/broker/main.o $(O)/libbroker.a $(O)/libengine.a $(O)/libstore.a $(O)/libproto.a
$(O)/sunline-agent: $(O)/worker-agent/main.o $(O)/libagent.a $(O)/libproto.a
$(O)/sunline: $(O)/client/cli/main.o $(O)/libcli.a $(O)/libsunline.a
$(BIN):
	$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) $(LDLIBS)
$(O)/libsunline.so: $(CLIENT) $(PROTO)
	$(CC) $(CFLAGS) -shared -Wl,-soname,libsunline.so.$(MAJOR) -o $@ $^ $(LDFLAGS) -lzmq -lmsgpackc
	ln -sf libsunline.so $(O)/libsunline.so.$(MAJOR)
$(O)/examples/%: client/examples/%.c $(O)/libsunline.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) $(LDLIBS)
$(O)/demo/%: deploy/demo/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) -ljansson
# A unit test is one program: tests/unit/test_x.c, linked with whatever it needs of the product and of tests/lib.
$(O)/tests/%: tests/unit/%.c $(LIBS) $(if $(TESTLIB),$(O)/libtest.a) $(wildcard tests/unit/*.h tests/lib/*.h)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -MF $@.d -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDFLAGS) $(LDLIBS) -lcmocka

asan: ## unit tests under AddressSanitizer and UBSan (in ./build-asan)
	@ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 $(AGAIN) O=build-asan OPT="-O1 -g" \
	EXTRA="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer" unit

lint: ## layout, static checks, and a build with the other compiler
	@deploy/install-deps.sh build test lint
	@.ci/lint $(CODE)
	@$(AGAIN) CC=clang WERROR=1 O=build-clang all tests

nightly: ## everything that takes long: lint, asan, fuzz, tests
	@$(AGAIN) lint asan fuzz test

install: all ## install below DESTDIR and PREFIX (/usr/local)
	@deploy/install.sh $(O) "$(DESTDIR)" "$(PREFIX)" $(VERSION)

help: ## this list
	@grep -hE '^[a-z_.-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z_.-]+):.*## /\1\t/' | expand -t 24

tags: ## tags for editors
	ctags -R --languages=C --langmap=C:+.h proto broker worker-agent client

compile_commands.json: ## for clangd (needs bear)
	bear -- $(AGAIN) O=build-bear all tests && rm -rf build-bear

clean: ## remove what was built
	rm -rf $(O) build-asan build-clang build-fuzz build-bear tags compile_commands.json

-include $(shell find $(O) -name '*.d' 2>/dev/null)
.PHONY: all demo test unit integration tests asan lint nightly install help clean
