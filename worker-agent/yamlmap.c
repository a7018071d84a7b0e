#include "worker-agent/yamlmap.h"
#include "proto/limits.h"
#include "proto/reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void report(struct yaml_walk *w, size_t line, size_t column, const char *text)
{
    char full[1024];
    snprintf(full, sizeof full, "%s:%zu:%zu: %s", w->file, line + 1, column + 1, text);
    w->problems++;
    w->problem(w->arg, full);
}

void yaml_walk_problem(struct yaml_walk *w, const yaml_node_t *at, const char *format, ...)
{
    char text[640];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    report(w, at ? at->start_mark.line : 0, at ? at->start_mark.column : 0, text);
}

int yaml_walk_open(struct yaml_walk *w, const char *path, void (*problem)(void *, const char *), void *arg)
{
    *w = (struct yaml_walk){ .file = path, .problem = problem, .arg = arg };
    FILE *f = fopen(path, "rbe");
    if (!f) {
        char text[600];
        snprintf(text, sizeof text, "%s: %s", path, strerror(errno));
        w->problems++;
        problem(arg, text);
        return -1;
    }
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        fclose(f);
        report(w, 0, 0, "out of memory");
        return -1;
    }
    yaml_parser_set_input_file(&parser, f);
    w->loaded = yaml_parser_load(&parser, &w->doc) == 1;
    if (!w->loaded) {
        char text[400];
        snprintf(text, sizeof text, "%s%s%s", parser.problem ? parser.problem : "cannot be read",
                 parser.context ? ", " : "", parser.context ? parser.context : "");
        report(w, parser.problem_mark.line, parser.problem_mark.column, text);
    } else if (!yaml_document_get_root_node(&w->doc)) {
        report(w, 0, 0, "the file is empty");
    } else {
        yaml_document_t second; /* a second document would be passed over in silence */
        if (yaml_parser_load(&parser, &second) == 1) {
            yaml_node_t *root = yaml_document_get_root_node(&second);
            if (root)
                yaml_walk_problem(w, root, "a second document ('---'): only one is read");
            yaml_document_delete(&second);
        } else {
            report(w, parser.problem_mark.line, parser.problem_mark.column,
                   parser.problem ? parser.problem : "cannot be read");
        }
    }
    yaml_parser_delete(&parser);
    fclose(f);
    if (w->problems == 0)
        return 0;
    yaml_walk_close(w);
    return -1;
}

void yaml_walk_close(struct yaml_walk *w)
{
    if (w->loaded)
        yaml_document_delete(&w->doc);
    w->loaded = false;
}

/* ---------------------------------------------------------------- maps */
static uint32_t distance(const char *a, const char *b)
{
    size_t n = strlen(b);
    uint32_t row[64];
    if (n >= 64 || strlen(a) >= 64)
        return UINT32_MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = (uint32_t)j;
    for (size_t i = 1; a[i - 1]; i++) {
        uint32_t corner = row[0];
        row[0] = (uint32_t)i;
        for (size_t j = 1; j <= n; j++) {
            uint32_t change = corner + (a[i - 1] != b[j - 1]),
                     least = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            corner = row[j];
            row[j] = change < least ? change : least;
        }
    }
    return row[n];
}

static void unknown_key(struct yaml_walk *w, const yaml_node_t *node, const char *what, const char *key,
                        const char *const *keys)
{
    const char *best = NULL;
    uint32_t best_distance = UINT32_MAX;
    for (const char *const *k = keys; *k; k++) {
        uint32_t d = distance(key, *k);
        if (d < best_distance) {
            best_distance = d;
            best = *k;
        }
    }
    if (best && best_distance <= 2 && best_distance < strlen(key))
        yaml_walk_problem(w, node, "unknown key '%.64s' of %s, did you mean '%s'?", key, what, best);
    else
        yaml_walk_problem(w, node, "unknown key '%.64s' of %s", key, what);
}

bool yaml_walk_map(struct yaml_walk *w, const yaml_node_t *node, const char *what, const char *const *keys,
                   const yaml_node_t **values)
{
    for (size_t i = 0; keys[i]; i++)
        values[i] = NULL;
    if (!node || node->type != YAML_MAPPING_NODE) {
        yaml_walk_problem(w, node, "%s is a mapping (key: value)", what);
        return false;
    }
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = yaml_document_get_node(&w->doc, p->key),
                          *value = yaml_document_get_node(&w->doc, p->value);
        if (key->type != YAML_SCALAR_NODE) {
            yaml_walk_problem(w, key, "a key of %s is a word", what);
            continue;
        }
        const char *text = (const char *)key->data.scalar.value;
        size_t i = 0;
        while (keys[i] && (strlen(keys[i]) != key->data.scalar.length || strcmp(keys[i], text) != 0))
            i++;
        if (!keys[i])
            unknown_key(w, key, what, text, keys);
        else if (values[i])
            yaml_walk_problem(w, key, "key '%s' stands twice", text);
        else
            values[i] = value;
    }
    return true;
}

/* ---------------------------------------------------------------- values */
const char *yaml_walk_text(struct yaml_walk *w, const yaml_node_t *node, const char *key, size_t bytes_max)
{
    if (node->type != YAML_SCALAR_NODE) {
        yaml_walk_problem(w, node, "%s is a text", key);
        return NULL;
    }
    const char *text = (const char *)node->data.scalar.value;
    if (strlen(text) != node->data.scalar.length) {
        yaml_walk_problem(w, node, "%s holds a zero byte", key);
        return NULL;
    }
    if (node->data.scalar.length > bytes_max) {
        yaml_walk_problem(w, node, "%s is longer than %zu bytes", key, bytes_max);
        return NULL;
    }
    return text;
}

const char *yaml_walk_name(struct yaml_walk *w, const yaml_node_t *node, const char *key)
{
    if (node->type != YAML_SCALAR_NODE) {
        yaml_walk_problem(w, node, "%s is a name", key);
        return NULL;
    }
    const char *text = (const char *)node->data.scalar.value;
    if (!sl_name_ok(text, node->data.scalar.length)) {
        yaml_walk_problem(w, node, "%s: a name is 1 to %d of A-Z a-z 0-9 . _ - and begins with a letter or digit", key,
                          SL_NAME_BYTES_MAX);
        return NULL;
    }
    return text;
}

bool yaml_walk_count(struct yaml_walk *w, const yaml_node_t *node, const char *key, uint64_t min, uint64_t max,
                     uint32_t *v)
{
    const char *text = node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : "";
    size_t n = strspn(text, "0123456789");
    unsigned long long number = n > 0 && n < 11 && text[n] == 0 ? strtoull(text, NULL, 10) : UINT64_MAX;
    if (number < min || number > max) {
        yaml_walk_problem(w, node, "%s is a number from %llu to %llu", key, (unsigned long long)min,
                          (unsigned long long)max);
        return false;
    }
    *v = (uint32_t)number;
    return true;
}

bool yaml_walk_duration(struct yaml_walk *w, const yaml_node_t *node, const char *key, int64_t min_us, int64_t max_us,
                        int64_t *us)
{
    static const struct {
        const char *unit;
        int64_t us;
    } units[] = { { "ms", 1000 },    { "s", 1000000 },    { "", 1000000 },
                  { "m", 60000000 }, { "h", 3600000000 }, { "d", 86400000000 } };
    const char *text = node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : "";
    size_t n = strspn(text, "0123456789");
    if (n > 0 && n < 10)
        for (size_t i = 0; i < sizeof units / sizeof *units; i++)
            if (strcmp(text + n, units[i].unit) == 0) {
                int64_t value = strtoll(text, NULL, 10) * units[i].us;
                if (value < min_us || value > max_us) {
                    yaml_walk_problem(w, node, "%s goes from %lld ms to %lld s", key, (long long)(min_us / 1000),
                                      (long long)(max_us / 1000000));
                    return false;
                }
                *us = value;
                return true;
            }
    yaml_walk_problem(w, node, "%s is a duration: a number and ms, s, m, h or d, such as 30s", key);
    return false;
}

bool yaml_walk_item(struct yaml_walk *w, const yaml_node_t *node, const char *key, size_t i, const yaml_node_t **item)
{
    if (node->type != YAML_SEQUENCE_NODE) {
        if (i == 0)
            yaml_walk_problem(w, node, "%s is a list", key);
        return false;
    }
    if (node->data.sequence.items.start + i >= node->data.sequence.items.top)
        return false;
    *item = yaml_document_get_node(&w->doc, node->data.sequence.items.start[i]);
    return true;
}

bool yaml_walk_pair(struct yaml_walk *w, const yaml_node_t *node, const char *key, size_t i, const yaml_node_t **name,
                    const yaml_node_t **value)
{
    if (node->type != YAML_MAPPING_NODE) {
        if (i == 0)
            yaml_walk_problem(w, node, "%s is a mapping (key: value)", key);
        return false;
    }
    if (node->data.mapping.pairs.start + i >= node->data.mapping.pairs.top)
        return false;
    *name = yaml_document_get_node(&w->doc, node->data.mapping.pairs.start[i].key);
    *value = yaml_document_get_node(&w->doc, node->data.mapping.pairs.start[i].value);
    return true;
}
