# Sunline. `make help` lists what can be made. Every .c in a folder belongs to the thing of that folder: no lists to keep.
CC      ?= gcc
PREFIX  ?= /usr/local
O       ?= build
OPT     ?= -O2 -g
PKGS    := libzmq libczmq lmdb yaml-0.1 jansson glib-2.0
WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual \
           -Wwrite-strings -Wvla -Wundef -Wformat=2 -Wno-format-nonliteral $(if $(WERROR),-Werror)
PKGCFLAGS := $(patsubst -I%,-isystem %,$(filter -I%,$(shell pkg-config --cflags $(PKGS) 2>/dev/null)))
CFLAGS  := -std=gnu17 $(OPT) $(WARN) -ffp-contract=off -fno-strict-aliasing -fPIC -fvisibility=hidden -D_GNU_SOURCE \
           -DSUNLINE_VERSION='"$(shell cat VERSION)"' -I. $(PKGCFLAGS) $(EXTRA)
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
LIBS    := $(O)/libproto.a $(O)/libstore.a $(O)/libengine.a $(O)/libbroker.a $(O)/libagent.a $(O)/libcli.a $(O)/libsunline.a
BIN     := $(O)/sunlined $(O)/sunline-agent $(O)/sunline
EXAMPLES := $(patsubst client/examples/%.c,$(O)/examples/%,$(call src,client/examples))
UNIT    := $(patsubst tests/unit/%.c,$(O)/tests/%,$(wildcard tests/unit/test_*.c))

all: $(BIN) $(O)/libsunline.so $(EXAMPLES) ## build everything (in ./build)

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
$(O)/%.a:
	@mkdir -p $(@D)
	rm -f $@ && ar rcs $@ $^

$(O)/sunlined: $(O)/broker/main.o $(O)/libbroker.a $(O)/libengine.a $(O)/libstore.a $(O)/libproto.a
	$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) $(LDLIBS)
$(O)/sunline-agent: $(O)/worker-agent/main.o $(O)/libagent.a $(O)/libproto.a
	$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) $(LDLIBS)
$(O)/sunline: $(O)/client/cli/main.o $(O)/libcli.a $(O)/libsunline.a
	$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) $(LDLIBS)
$(O)/libsunline.so: $(CLIENT) $(PROTO)
	$(CC) $(CFLAGS) -shared -Wl,-soname,libsunline.so.0 -o $@ $^ $(LDFLAGS) -lzmq -lmsgpackc
	ln -sf libsunline.so $(O)/libsunline.so.0
$(O)/examples/%: client/examples/%.c $(O)/libsunline.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) $(LDLIBS)
# A unit test is one program: tests/unit/test_x.c, linked with whatever it needs of the product.
$(O)/tests/%: tests/unit/%.c $(LIBS) $(wildcard tests/unit/*.h tests/lib/*.h)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -o $@ $< -Wl,--start-group $(LIBS) -Wl,--end-group $(LDFLAGS) $(LDLIBS) -lcmocka

unit: $(UNIT) ## the unit tests only
	@for t in $(UNIT); do $$t || exit 1; done

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

clean: ## remove what was built
	rm -rf $(O)

-include $(shell find $(O) -name '*.d' 2>/dev/null)
.PHONY: all unit help clean
