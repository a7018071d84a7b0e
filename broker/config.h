/* The configuration of sunlined: a YAML file, then what the command line says over it.
 *
 * Every mistake is reported with file, line and column ("sunlined.yml:3:1: unknown key 'agnets', did you mean
 * 'agents'?"), all of them at once. Sizes take KiB, MiB, GiB, TiB; times take us, ms, s, m, h, d. The keys are the
 * table in config.c; docs/operating.md explains them. */
#ifndef SUNLINE_BROKER_CONFIG_H
#define SUNLINE_BROKER_CONFIG_H
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/endpoint.h"
#include "broker/engine/engine.h"
#include "broker/log.h"

struct config {
    char data[PATH_MAX];                                                              /* no default: must be given */
    char clients[ENDPOINT_BYTES_MAX], agents[ENDPOINT_BYTES_MAX], events[ENDPOINT_BYTES_MAX];
    char http[ENDPOINT_BYTES_MAX];                  /* "": no HTTP */
    uint64_t map_bytes, reserve_bytes, wal_bytes; /* see store_options; 0: the store's default */
    struct engine_config engine;
    uint64_t batch_items, batch_bytes;              /* what one transaction takes from the sockets at most */
    uint64_t peer_bytes_max, out_bytes_max;         /* bytes that wait for one peer, and for all */
    enum log_level log_level;
};

void config_default(struct config *c);

/* Where mistakes go: one complete sentence each, without a newline. */
typedef void config_problem_fn(void *arg, const char *text);

/* Read a file over *c. 0; -1 after at least one problem(). */
int config_load(struct config *c, const char *path, config_problem_fn *problem, void *arg);
/* Set one key from a text, as the file would ("map_bytes", "64GiB"). `place` begins the problem's text: "--data" or
 * "file:3:7". */
int config_set(struct config *c, const char *key, const char *value, const char *place, config_problem_fn *problem,
               void *arg);
/* Is it complete? */
int config_check(const struct config *c, config_problem_fn *problem, void *arg);

/* What a running broker can take over from `fresh` goes into *c, and changed(arg, key, taken) is called for every
 * difference; taken false: it waits for a restart. */
void config_reload(struct config *c, const struct config *fresh,
                   void (*changed)(void *arg, const char *key, bool taken), void *arg);

/* Parse "64GiB", "10m"; false: it is none, or beyond int64. */
bool config_parse_bytes(const char *text, uint64_t *bytes);
bool config_parse_time(const char *text, int64_t *us);
#endif
