/* The configuration: see config.h. The table below is the only list of keys. */
#include "broker/config.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum kind { PATH, ENDPOINT, BYTES, COUNT, TIME, LEVEL };

/* name, what it is, where it goes, the smallest and largest value, and whether SIGHUP takes it over. Signed and
 * unsigned 64-bit members share their bits: no value is above INT64_MAX. */
static const struct key {
    const char *name;
    enum kind kind;
    size_t offset;
    int64_t min, max;
    bool reloads;
} keys[] = {
#define KEY(name, kind, member, min, max, reloads)                                                                     \
    {                                                                                                                  \
        name, kind, offsetof(struct config, member), min, max, reloads                                                 \
    }
    KEY("data", PATH, data, 0, 0, false),
    KEY("clients", ENDPOINT, clients, 0, 0, false),
    KEY("agents", ENDPOINT, agents, 0, 0, false),
    KEY("events", ENDPOINT, events, 0, 0, false),
    KEY("http", ENDPOINT, http, 0, 0, false),
    KEY("map_bytes", BYTES, map_bytes, 16 << 20, 1ll << 46, false),
    KEY("reserve_bytes", BYTES, reserve_bytes, 1 << 20, 1ll << 46, false),
    KEY("wal_bytes", BYTES, wal_bytes, 64 << 10, 64 << 20, false),
    KEY("queue_tasks_max", COUNT, engine.queue_tasks_max, 1, 1ll << 40, false),
    KEY("heartbeat", TIME, engine.heartbeat_us, 100000, 600ll * 1000000, false),
    KEY("grace", TIME, engine.grace_us, 1000000, 30ll * 86400 * 1000000, false),
    KEY("start_by", TIME, engine.start_by_us, 1000000, 30ll * 86400 * 1000000, false),
    KEY("event_keep", COUNT, engine.event_keep_max, 1000, 1ll << 40, false),
    KEY("event_keep_time", TIME, engine.event_keep_us, 60ll * 1000000, 3660ll * 86400 * 1000000, false),
    KEY("batch_items", COUNT, batch_items, 1, 65536, true),
    KEY("batch_bytes", BYTES, batch_bytes, SL_FRAME_BYTES_MAX, 64 << 20, true),
    KEY("peer_bytes_max", BYTES, peer_bytes_max, 4 * SL_FRAME_BYTES_MAX, 1ll << 34, true),
    KEY("out_bytes_max", BYTES, out_bytes_max, 16 * SL_FRAME_BYTES_MAX, 1ll << 36, true),
    KEY("log", LEVEL, log_level, 0, 0, true),
#undef KEY
};
#define KEY_COUNT (sizeof keys / sizeof *keys)
_Static_assert(sizeof(((struct config *)0)->data) == PATH_MAX, "PATH members hold PATH_MAX bytes");

void config_default(struct config *c)
{
    memset(c, 0, sizeof *c);
    snprintf(c->clients, sizeof c->clients, "tcp://127.0.0.1:7710");
    snprintf(c->agents, sizeof c->agents, "tcp://127.0.0.1:7711");
    snprintf(c->events, sizeof c->events, "tcp://127.0.0.1:7712");
    c->batch_items = 4096;
    c->batch_bytes = 2 << 20;
    c->peer_bytes_max = 16 << 20;
    c->out_bytes_max = 512 << 20;
    c->log_level = LOG_LEVEL_INFO;
}

struct sink { /* of mistakes */
    config_problem_fn *fn;
    void *arg;
    uint32_t count;
};

static void problem(struct sink *s, const char *place, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void problem(struct sink *s, const char *place, const char *format, ...)
{
    char reason[512], text[PATH_MAX + 600];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    snprintf(text, sizeof text, "%s: %s", place, reason);
    s->count++;
    s->fn(s->arg, text);
}

/* ---- values ---- */

struct unit {
    const char *name;
    int64_t factor;
};

static bool parse_with_unit(const char *text, const struct unit *units, size_t unit_count, int64_t *value)
{
    if (*text < '0' || *text > '9') {
        return false;
    }
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (errno == ERANGE) {
        return false;
    }
    for (size_t i = 0; i < unit_count; i++) {
        if (strcmp(end, units[i].name) == 0) {
            return !__builtin_mul_overflow((int64_t)n, units[i].factor, value);
        }
    }
    return false;
}

bool config_parse_bytes(const char *text, uint64_t *bytes)
{
    static const struct unit units[] = {
        { "", 1 }, { "KiB", 1ll << 10 }, { "MiB", 1ll << 20 }, { "GiB", 1ll << 30 }, { "TiB", 1ll << 40 }
    };
    int64_t value;
    if (!parse_with_unit(text, units, sizeof units / sizeof *units, &value)) {
        return false;
    }
    *bytes = (uint64_t)value;
    return true;
}

bool config_parse_time(const char *text, int64_t *us)
{
    static const struct unit units[] = { { "us", 1 },
                                         { "ms", 1000 },
                                         { "s", 1000000 },
                                         { "m", 60ll * 1000000 },
                                         { "h", 3600ll * 1000000 },
                                         { "d", 86400ll * 1000000 } };
    return parse_with_unit(text, units, sizeof units / sizeof *units, us);
}

static const char *expected(enum kind kind)
{
    switch (kind) {
    case BYTES: return "a size such as 65536, 256MiB or 64GiB";
    case COUNT: return "a whole number";
    case TIME: return "a time with its unit, such as 500ms, 30s, 5m or 7d";
    case LEVEL: return "error, warn, info or debug";
    case PATH:
    case ENDPOINT: break;
    }
    return "a text";
}

static void set_number(struct config *c, const struct key *k, const char *value, const char *place, struct sink *s)
{
    static const struct unit plain[] = { { "", 1 } };
    int64_t n = 0;
    uint64_t bytes = 0;
    bool ok;
    if (k->kind == BYTES) {
        ok = config_parse_bytes(value, &bytes);
        n = (int64_t)bytes;
    } else if (k->kind == TIME) {
        ok = config_parse_time(value, &n);
    } else {
        ok = parse_with_unit(value, plain, 1, &n);
    }
    if (!ok) {
        problem(s, place, "'%s' must be %s, not '%.80s'", k->name, expected(k->kind), value);
    } else if (n < k->min || n > k->max) {
        const char *unit = k->kind == BYTES ? " bytes" : k->kind == TIME ? " us" : "";
        problem(s, place, "'%s' must be from %" PRId64 " to %" PRId64 "%s, not %" PRId64, k->name, k->min, k->max, unit,
                n);
    } else {
        memcpy((char *)c + k->offset, &n, sizeof n);
    }
}

static void set(struct config *c, const struct key *k, const char *value, const char *place, struct sink *s)
{
    char *member = (char *)c + k->offset;
    char why[512];
    switch (k->kind) {
    case PATH:
        if (*value == '\0' || strlen(value) >= PATH_MAX - 64) { /* names of files go behind it */
            problem(s, place, "'%s' must be the path of a folder, shorter than %d bytes", k->name, PATH_MAX - 64);
        } else {
            snprintf(member, PATH_MAX, "%s", value);
        }
        break;
    case ENDPOINT:
        if (!endpoint_allowed(value, why, sizeof why)) {
            problem(s, place, "'%s': %s", k->name, why);
        } else {
            snprintf(member, ENDPOINT_BYTES_MAX, "%s", value);
        }
        break;
    case LEVEL: {
        enum log_level level;
        if (!log_level_parse(value, &level)) {
            problem(s, place, "'%s' must be %s, not '%.80s'", k->name, expected(LEVEL), value);
        } else {
            memcpy(member, &level, sizeof level);
        }
        break;
    }
    case BYTES:
    case COUNT:
    case TIME: set_number(c, k, value, place, s); break;
    }
}

/* ---- names ---- */

static const struct key *find_key(const char *name)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (strcmp(keys[i].name, name) == 0) {
            return &keys[i];
        }
    }
    return NULL;
}

/* Edits (insert, delete, replace) from a to b; both at most 31 bytes. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[32];
    size_t n = strlen(b);
    for (size_t j = 0; j <= n; j++) {
        row[j] = (unsigned)j;
    }
    for (size_t i = 1; a[i - 1]; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= n; j++) {
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
        }
    }
    return row[n];
}

static void unknown_key(struct sink *s, const char *place, const char *name)
{
    const char *best = NULL;
    unsigned best_distance = 4; /* further away is no typing mistake */
    for (size_t i = 0; strlen(name) < 32 && i < KEY_COUNT; i++) {
        assert(strlen(keys[i].name) < 32);
        unsigned d = distance(name, keys[i].name);
        if (d < best_distance && d < strlen(name)) {
            best = keys[i].name;
            best_distance = d;
        }
    }
    if (best) {
        problem(s, place, "unknown key '%.64s', did you mean '%s'?", name, best);
    } else {
        problem(s, place, "unknown key '%.64s'", name);
    }
}

int config_set(struct config *c, const char *key, const char *value, const char *place, config_problem_fn *fn,
               void *arg)
{
    struct sink s = { fn, arg, 0 };
    const struct key *k = find_key(key);
    if (!k) {
        unknown_key(&s, place, key);
    } else {
        set(c, k, value, place, &s);
    }
    return s.count ? -1 : 0;
}

/* ---- the file ---- */

struct place {
    char text[PATH_MAX + 48];
};

static const char *place_of(struct place *p, const char *path, yaml_mark_t mark)
{
    snprintf(p->text, sizeof p->text, "%s:%zu:%zu", path, mark.line + 1, mark.column + 1);
    return p->text;
}

/* The text of a scalar, NULL if the node is none or holds a byte 0. */
static const char *scalar(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE) {
        return NULL;
    }
    const char *text = (const char *)node->data.scalar.value;
    return strlen(text) == node->data.scalar.length ? text : NULL;
}

static void read_pair(struct config *c, const yaml_node_t *key, const yaml_node_t *value, const char *path, bool seen[],
                      struct sink *s)
{
    struct place p;
    const char *name = scalar(key);
    if (!name) {
        problem(s, place_of(&p, path, key->start_mark), "a key must be a plain word");
        return;
    }
    const struct key *k = find_key(name);
    if (!k) {
        unknown_key(s, place_of(&p, path, key->start_mark), name);
        return;
    }
    if (seen[k - keys]) {
        problem(s, place_of(&p, path, key->start_mark), "key '%s' stands twice", name);
        return;
    }
    seen[k - keys] = true;
    const char *text = scalar(value);
    if (!text) {
        problem(s, place_of(&p, path, value->start_mark), "'%s' must be %s, not a list or a map", name,
                expected(k->kind));
        return;
    }
    set(c, k, text, place_of(&p, path, value->start_mark), s);
}

static void read_document(struct config *c, yaml_document_t *document, const char *path, struct sink *s)
{
    struct place p;
    bool seen[KEY_COUNT] = { false };
    yaml_node_t *root = yaml_document_get_root_node(document);
    if (!root) {
        return; /* an empty file changes nothing */
    }
    if (root->type != YAML_MAPPING_NODE) {
        problem(s, place_of(&p, path, root->start_mark), "the file must be a map of keys and values");
        return;
    }
    for (yaml_node_pair_t *pair = root->data.mapping.pairs.start; pair < root->data.mapping.pairs.top; pair++) {
        read_pair(c, yaml_document_get_node(document, pair->key), yaml_document_get_node(document, pair->value), path,
                  seen, s);
    }
}

int config_load(struct config *c, const char *path, config_problem_fn *fn, void *arg)
{
    struct sink s = { fn, arg, 0 };
    struct place p;
    yaml_parser_t parser;
    yaml_document_t document;
    FILE *file = fopen(path, "re");
    if (!file) {
        problem(&s, path, "cannot be read: %s", strerror(errno));
        return -1;
    }
    if (!yaml_parser_initialize(&parser)) {
        problem(&s, path, "out of memory");
        fclose(file);
        return -1;
    }
    yaml_parser_set_input_file(&parser, file);
    if (yaml_parser_load(&parser, &document)) {
        read_document(c, &document, path, &s);
        yaml_document_delete(&document);
    } else {
        problem(&s, place_of(&p, path, parser.problem_mark), "%s", parser.problem ? parser.problem : "out of memory");
    }
    yaml_parser_delete(&parser);
    fclose(file);
    return s.count ? -1 : 0;
}

int config_check(const struct config *c, config_problem_fn *fn, void *arg)
{
    struct sink s = { fn, arg, 0 };
    if (c->data[0] == '\0') {
        problem(&s, "sunlined", "no data folder: give --data DIR, or the key 'data' in the configuration file");
    }
    const char *all[] = { c->clients, c->agents, c->events };
    for (int i = 0; i < 3; i++) {
        size_t n = strlen(all[i]);
        bool chosen_later = n > 2 && (strcmp(all[i] + n - 2, ":*") == 0 || strcmp(all[i] + n - 2, ":0") == 0);
        for (int j = 0; j < i; j++) {
            if (!chosen_later && strcmp(all[i], all[j]) == 0) {
                problem(&s, "sunlined", "two of clients, agents and events are the same endpoint, %s", all[i]);
            }
        }
    }
    if (strncmp(c->http, "ipc:", 4) == 0) {
        problem(&s, "sunlined", "'http' must be tcp://ADDRESS:PORT, not %s", c->http);
    }
    if (c->out_bytes_max < c->peer_bytes_max) {
        problem(&s, "sunlined", "'out_bytes_max' must be at least 'peer_bytes_max'");
    }
    return s.count ? -1 : 0;
}

static bool same(const struct config *a, const struct config *b, const struct key *k)
{
    const char *pa = (const char *)a + k->offset, *pb = (const char *)b + k->offset;
    switch (k->kind) {
    case PATH:
    case ENDPOINT: return strcmp(pa, pb) == 0;
    case LEVEL: return memcmp(pa, pb, sizeof(enum log_level)) == 0;
    case BYTES:
    case COUNT:
    case TIME: break;
    }
    return memcmp(pa, pb, sizeof(int64_t)) == 0;
}

void config_reload(struct config *c, const struct config *fresh,
                   void (*changed)(void *arg, const char *key, bool taken), void *arg)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key *k = &keys[i];
        if (same(c, fresh, k)) {
            continue;
        }
        if (k->reloads) {
            size_t n = k->kind == LEVEL ? sizeof(enum log_level) : sizeof(int64_t);
            memcpy((char *)c + k->offset, (const char *)fresh + k->offset, n);
        }
        changed(arg, k->name, k->reloads);
    }
}
