/* The YAML front-end of line definitions. The document is kept: a path is followed down its nodes to find a place, so nothing has to
 * remember where each packed value came from. */
#include "client/cli/linefile.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "client/cli/goldfile.h"
#include "proto/ld_schema.h"
#include "proto/ld_text.h"
#include "proto/reader.h"

#define PAIRS_MAX 256 /* keys of one map: more than any map of a definition may have */

struct problem {
    size_t line, column;
    char *text;
}; /* text: the whole line as shown */

struct linefile {
    char *name; /* as shown */
    char *text; /* the file */
    size_t text_n;
    yaml_document_t document;
    bool loaded; /* document is valid, and root is its root */
    yaml_node_t *root;
    struct slp_buf packed;
    struct ld_line *line;
    struct problem *problems;
    size_t problem_count, problem_cap;
    size_t own_problems; /* of reading; those of linefile_check follow */
    bool checked;
    bool stopped; /* too large or too deep: what is packed is not the whole */
    bool memory_out;
};

/* ---- problems ---- */
static void problem_at(struct linefile *f, size_t line, size_t column, const char *text)
{
    if (f->problem_count == f->problem_cap) {
        size_t cap = f->problem_cap ? 2 * f->problem_cap : 16;
        struct problem *grown = realloc(f->problems, cap * sizeof *grown);
        if (!grown) {
            f->memory_out = true;
            return;
        }
        f->problems = grown;
        f->problem_cap = cap;
    }
    char *shown = NULL;
    int n = line ? asprintf(&shown, "%s:%zu:%zu: %s", f->name, line, column, text)
                 : asprintf(&shown, "%s: %s", f->name, text);
    if (n < 0) {
        f->memory_out = true;
        return;
    }
    f->problems[f->problem_count++] = (struct problem){ line, column, shown };
}

static void problem_mark(struct linefile *f, yaml_mark_t mark, const char *text)
{
    problem_at(f, mark.line + 1, mark.column + 1, text);
}

/* The place of a byte. */
static void problem_byte(struct linefile *f, size_t offset, const char *text)
{
    size_t line = 1, column = 1;
    for (size_t i = 0; i < offset && i < f->text_n; i++) {
        if (f->text[i] == '\n')
            line++, column = 1;
        else if (((unsigned char)f->text[i] & 0xc0) != 0x80)
            column++;
    }
    problem_at(f, line, column, text);
}

/* ---- reading YAML ---- */
static bool tab_at(const struct linefile *f, yaml_mark_t mark)
{
    const char *p = f->text, *end = f->text + f->text_n;
    for (size_t line = 0; line < mark.line && p < end; line++) {
        const char *next = memchr(p, '\n', (size_t)(end - p));
        p = next ? next + 1 : end;
    }
    for (size_t column = 0; column < mark.column && p < end; column++) /* over one character */
        for (p++; p < end && ((unsigned char)*p & 0xc0) == 0x80; p++) {}
    return p < end && *p == '\t';
}

static void yaml_problem(struct linefile *f, const yaml_parser_t *y, size_t bom)
{
    char text[256];
    if (y->error == YAML_MEMORY_ERROR) {
        f->memory_out = true;
        return;
    }
    if (y->error == YAML_READER_ERROR) {
        snprintf(text, sizeof text, "this is not YAML: %s", y->problem);
        problem_byte(f, bom + y->problem_offset, text);
        return;
    }
    if (y->error == YAML_SCANNER_ERROR && tab_at(f, y->problem_mark)) {
        problem_mark(f, y->problem_mark, "a tab must not stand here: YAML is indented with spaces");
        return;
    }
    if (y->context)
        snprintf(text, sizeof text, "this is not YAML: %s, %s (begun at line %zu)", y->problem, y->context,
                 y->context_mark.line + 1);
    else
        snprintf(text, sizeof text, "this is not YAML: %s", y->problem);
    problem_mark(f, y->problem_mark, text);
}

/* Of a text that is not UTF-8. */
static size_t first_bad_byte(const char *p, size_t n)
{
    size_t at = 0;
    while (at < n) {
        unsigned char c = (unsigned char)p[at];
        size_t length = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        if (length > n - at || !sl_utf8_ok(p + at, length))
            break;
        at += length;
    }
    return at;
}

static void load(struct linefile *f)
{
    size_t bom = f->text_n >= 3 && memcmp(f->text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    if (!sl_utf8_ok(f->text, f->text_n)) {
        size_t good = first_bad_byte(f->text, f->text_n);
        problem_byte(f, good, "the file is not UTF-8 from here on");
        return;
    }
    yaml_parser_t y;
    if (!yaml_parser_initialize(&y)) {
        f->memory_out = true;
        return;
    }
    yaml_parser_set_input_string(&y, (const unsigned char *)f->text + bom, f->text_n - bom);
    yaml_parser_set_encoding(&y, YAML_UTF8_ENCODING);
    yaml_document_t second;
    if (!yaml_parser_load(&y, &f->document)) {
        yaml_problem(f, &y, bom);
    } else {
        f->loaded = true;
        f->root = yaml_document_get_root_node(&f->document);
        if (!f->root) {
            problem_at(f, 0, 0, "the file is empty");
        } else if (!yaml_parser_load(&y, &second)) {
            yaml_problem(f, &y, bom);
        } else {
            if (yaml_document_get_root_node(&second))
                problem_mark(f, second.start_mark, "a second document begins here: a line file holds one");
            yaml_document_delete(&second);
        }
    }
    yaml_parser_delete(&y);
}

/* ---- packing ---- */
static struct slp_bytes scalar(const yaml_node_t *n)
{
    return (struct slp_bytes){ (const char *)n->data.scalar.value, (uint32_t)n->data.scalar.length };
}

static bool one_of(struct slp_bytes s, const char *const *words)
{
    for (; *words; words++)
        if (s.n == strlen(*words) && memcmp(s.p, *words, s.n) == 0)
            return true;
    return false;
}

static bool is_null(struct slp_bytes s)
{
    static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
    return one_of(s, nulls);
}

/* 0o17 and 0x1f of the core schema. */
static bool other_base(struct slp_bytes s, uint64_t *v)
{
    if (s.n < 3 || s.n > 18 || s.p[0] != '0' || (s.p[1] != 'x' && s.p[1] != 'o'))
        return false;
    *v = 0;
    for (uint32_t i = 2; i < s.n; i++) {
        char c = s.p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : 99;
        if (digit >= (s.p[1] == 'x' ? 16 : 8))
            return false;
        *v = *v << (s.p[1] == 'x' ? 4 : 3) | (uint64_t)digit;
    }
    return true;
}

static void pack_number(struct linefile *f, struct slp_bytes s, const struct ld_decimal *d)
{
    uint64_t v = 0;
    bool whole = d->whole == s.p + s.n - d->whole_n && d->whole_n > 0; /* nothing after the digits */
    for (uint32_t i = 0; whole && i < d->whole_n; i++) {
        uint64_t digit = (uint64_t)(d->whole[i] - '0');
        whole = v <= (UINT64_MAX - digit) / 10;
        v = v * 10 + digit;
    }
    if (whole && !d->negative)
        slp_pack_u64(&f->packed, v);
    else if (whole && v <= (uint64_t)INT64_MAX)
        slp_pack_i64(&f->packed, -(int64_t)v);
    else
        slp_pack_double(&f->packed, ld_decimal_double(s.p, s.n));
}

/* A scalar by YAML 1.2's core schema. */
static void pack_core(struct linefile *f, const yaml_node_t *n)
{
    static const char *const trues[] = { "true", "True", "TRUE", NULL }, *const falses[] = { "false", "False", "FALSE",
                                                                                             NULL };
    static const char *const infinities[] = { ".inf", ".Inf", ".INF", "+.inf", "-.inf", ".nan", ".NaN", ".NAN", NULL };
    struct slp_bytes s = scalar(n);
    struct ld_decimal d;
    uint64_t v;
    if (n->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        slp_pack_str(&f->packed, s.p, s.n);
    else if (is_null(s))
        slp_pack_nil(&f->packed);
    else if (one_of(s, trues) || one_of(s, falses))
        slp_pack_bool(&f->packed, one_of(s, trues));
    else if (other_base(s, &v))
        slp_pack_u64(&f->packed, v);
    else if (ld_decimal(s.p, s.n, &d))
        pack_number(f, s, &d);
    else if (one_of(s, infinities))
        slp_pack_double(&f->packed, (double)INFINITY);
    else
        slp_pack_str(&f->packed, s.p, s.n);
}

static bool wants_text(enum ld_shape shape)
{
    return shape == LD_S_NAME || shape == LD_S_FIELD_NAME || shape == LD_S_WORD || shape == LD_S_TEXT ||
           shape == LD_S_LONG_TEXT || shape == LD_S_MONEY || shape == LD_S_DECIMAL || shape == LD_S_DURATION;
}

/* What is wanted where a node stands. `item`: an item of a list of texts, where also null is a word. */
struct wanted {
    bool known, item;
    enum ld_shape shape;
    const struct ld_map *map;
};

static void pack_scalar(struct linefile *f, const yaml_node_t *n, struct wanted w)
{
    struct slp_bytes s = scalar(n);
    bool plain = n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    bool text = w.item ? !plain || s.n > 0 : w.known && wants_text(w.shape) && !(plain && is_null(s));
    if (text)
        slp_pack_str(&f->packed, s.p, s.n);
    else
        pack_core(f, n);
}

static struct slp_bytes c_bytes(const yaml_char_t *s)
{
    return (struct slp_bytes){ (const char *)s, (uint32_t)strlen((const char *)s) };
}

static bool tag_known(const yaml_node_t *n)
{
    static const char *const tags[] = { YAML_STR_TAG,  YAML_SEQ_TAG,  YAML_MAP_TAG, YAML_INT_TAG, YAML_FLOAT_TAG,
                                        YAML_BOOL_TAG, YAML_NULL_TAG, "!",          NULL };
    return !n->tag || one_of(c_bytes(n->tag), tags);
}

static const yaml_node_t *node_of(const struct linefile *f, int index)
{
    assert(index > 0 && f->document.nodes.start + index <= f->document.nodes.top);
    return f->document.nodes.start + index - 1;
}

static void stop(struct linefile *f, yaml_mark_t mark, const char *text)
{
    if (!f->stopped)
        problem_mark(f, mark, text);
    f->stopped = true;
}

static bool too_large(struct linefile *f)
{
    char text[64];
    if (f->packed.n <= SL_LINE_BYTES_MAX)
        return false;
    snprintf(text, sizeof text, "the definition is larger than %d bytes", SL_LINE_BYTES_MAX);
    stop(f, f->root->start_mark, text);
    return true;
}

/* May pair i of a map be packed? Says why not. */
static bool pair_good(struct linefile *f, const yaml_node_t *map, size_t i, bool say)
{
    const yaml_node_pair_t *pairs = map->data.mapping.pairs.start;
    const yaml_node_t *key = node_of(f, pairs[i].key);
    if (key->type != YAML_SCALAR_NODE) {
        if (say)
            problem_mark(f, key->start_mark, "a key must be text, not a list or a map");
        return false;
    }
    struct slp_bytes k = scalar(key);
    for (size_t j = 0; j < i; j++) {
        const yaml_node_t *other = node_of(f, pairs[j].key);
        if (other->type != YAML_SCALAR_NODE || other->data.scalar.length != k.n ||
            memcmp(other->data.scalar.value, k.p, k.n) != 0)
            continue;
        char text[LD_QUOTE_BYTES + 64];
        snprintf(text, sizeof text, "duplicate key '%s' (first in line %zu)", LD_Q(k), other->start_mark.line + 1);
        if (say)
            problem_mark(f, key->start_mark, text);
        return false;
    }
    return true;
}

static void pack_node(struct linefile *f, const yaml_node_t *n, struct wanted w, int depth);

/* `file` of a gold map: the file that stands in its place. */
static const yaml_node_t *gold_file(const struct linefile *f, const yaml_node_t *map)
{
    for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = node_of(f, p->key), *value = node_of(f, p->value);
        if (key->type == YAML_SCALAR_NODE && value->type == YAML_SCALAR_NODE && key->data.scalar.length == 4 &&
            memcmp(key->data.scalar.value, "file", 4) == 0 && value->data.scalar.length)
            return value;
    }
    return NULL;
}

static void pack_gold_file(struct linefile *f, const yaml_node_t *file)
{
    char why[200], text[320];
    struct slp_bytes path = scalar(file);
    if (goldfile_pack(f->name, path.p, path.n, &f->packed, why, sizeof why))
        return;
    snprintf(text, sizeof text, "gold file '%s': %s", LD_Q(path), why);
    stop(f, file->start_mark, text);
}

static void pack_mapping(struct linefile *f, const yaml_node_t *n, struct wanted w, int depth)
{
    const yaml_node_pair_t *pairs = n->data.mapping.pairs.start;
    size_t count = (size_t)(n->data.mapping.pairs.top - pairs), good = 0;
    if (count > PAIRS_MAX) {
        stop(f, n->start_mark, "a map has more than 256 keys");
        return;
    }
    const yaml_node_t *gold = w.known && w.map == &ld_gold_map ? gold_file(f, n) : NULL;
    for (size_t i = 0; i < count; i++)
        good += pair_good(f, n, i, false);
    slp_pack_map(&f->packed, (uint32_t)good + (gold != NULL)); /* two pairs in place of one */
    if (gold)
        pack_gold_file(f, gold);
    for (size_t i = 0; i < count && !f->stopped; i++) {
        if (!pair_good(f, n, i, true) || (gold && node_of(f, pairs[i].value) == gold))
            continue;
        struct slp_bytes key = scalar(node_of(f, pairs[i].key));
        slp_pack_str(&f->packed, key.p, key.n);
        struct wanted below = { 0 };
        int k = w.known && w.map ? ld_key_find(w.map, key.p, key.n) : -1;
        if (k >= 0)
            below = (struct wanted){ true, false, w.map->keys[k].shape, w.map->keys[k].map };
        pack_node(f, node_of(f, pairs[i].value), below, depth + 1);
    }
}
_Static_assert(PAIRS_MAX == 256, "the message above names the limit");

static void pack_sequence(struct linefile *f, const yaml_node_t *n, struct wanted w, int depth)
{
    const yaml_node_item_t *items = n->data.sequence.items.start;
    size_t count = (size_t)(n->data.sequence.items.top - items);
    struct wanted below = { 0 };
    if (w.known && w.shape == LD_S_MAPS)
        below = (struct wanted){ true, false, LD_S_MAP, w.map };
    else if (w.known && w.shape == LD_S_TEXTS)
        below = (struct wanted){ true, true, LD_S_TEXT, NULL };
    slp_pack_array(&f->packed, (uint32_t)count);
    for (size_t i = 0; i < count && !f->stopped; i++)
        pack_node(f, node_of(f, items[i]), below, depth + 1);
}

/* Aliases are followed; a file that refers to itself, or blows up by aliases of aliases, ends at the bounds of depth or size. */
static void pack_node(struct linefile *f, const yaml_node_t *n, struct wanted w, int depth)
{
    if (too_large(f))
        return;
    if (depth >= SL_DEPTH_MAX) {
        stop(f, n->start_mark, "lists and maps are nested too deeply");
        return;
    }
    if (!tag_known(n)) {
        char text[LD_QUOTE_BYTES + 64];
        snprintf(text, sizeof text, "tag '%s' means nothing here", LD_Q(c_bytes(n->tag)));
        problem_mark(f, n->start_mark, text);
    }
    if (n->type == YAML_MAPPING_NODE)
        pack_mapping(f, n, w, depth);
    else if (n->type == YAML_SEQUENCE_NODE)
        pack_sequence(f, n, w, depth);
    else
        pack_scalar(f, n, w);
}

/* ---- the file ---- */
static struct linefile *linefile_new(const char *name)
{
    struct linefile *f = calloc(1, sizeof *f);
    if (f && !(f->name = strdup(name)))
        linefile_free(&f);
    return f;
}

static struct linefile *read_text(struct linefile *f)
{
    load(f);
    if (f->problem_count == 0 && f->root && !f->memory_out) {
        pack_node(f, f->root, (struct wanted){ true, false, LD_S_MAP, &ld_line_map }, 0);
        (void)too_large(f); /* by the last scalar, perhaps */
    }
    f->own_problems = f->problem_count;
    if (f->memory_out || f->packed.failed)
        linefile_free(&f);
    return f;
}

struct linefile *linefile_parse(const char *name, const char *text, size_t n)
{
    struct linefile *f = linefile_new(name);
    if (!f)
        return NULL;
    if (n > LINEFILE_BYTES_MAX) {
        problem_at(f, 0, 0, "the file is larger than 1 MiB");
        return f;
    }
    f->text = malloc(n + 1);
    if (!f->text) {
        linefile_free(&f);
        return NULL;
    }
    memcpy(f->text, text, n);
    f->text_n = n;
    return read_text(f);
}

struct linefile *linefile_read(const char *path)
{
    bool standard = strcmp(path, "-") == 0;
    char *text = malloc(LINEFILE_BYTES_MAX + 1);
    FILE *in = standard ? stdin : fopen(path, "re");
    struct linefile *f = NULL;
    if (text && in) {
        size_t n = fread(text, 1, LINEFILE_BYTES_MAX + 1, in);
        if (!ferror(in))
            f = linefile_parse(standard ? "(standard input)" : path, text, n);
    }
    if (text && (!in || ferror(in))) {
        char why[160];
        snprintf(why, sizeof why, "cannot be read: %s", strerror(errno));
        f = linefile_new(path);
        if (f)
            problem_at(f, 0, 0, why);
    }
    if (in && !standard)
        fclose(in);
    free(text);
    return f;
}

void linefile_free(struct linefile **file)
{
    struct linefile *f = file ? *file : NULL;
    if (!f)
        return;
    if (f->loaded)
        yaml_document_delete(&f->document);
    for (size_t i = 0; i < f->problem_count; i++)
        free(f->problems[i].text);
    free(f->problems);
    ld_free(&f->line);
    slp_buf_free(&f->packed);
    free(f->text);
    free(f->name);
    free(f);
    *file = NULL;
}

/* ---- places ---- */
/* The pair of a map that a path goes on with, and behind which byte. Keys stand in paths as ld_quote writes them; the longest wins, since a
 * key may itself hold a dot. */
static const yaml_node_pair_t *find_pair(const struct linefile *f, const yaml_node_t *map, const char *path, size_t n,
                                         size_t *used)
{
    const yaml_node_pair_t *found = NULL;
    *used = 0;
    for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = node_of(f, p->key);
        if (key->type != YAML_SCALAR_NODE)
            continue;
        const char *shown = LD_Q(scalar(key));
        size_t k = strlen(shown);
        if (k <= n && memcmp(path, shown, k) == 0 && (k == n || path[k] == '.' || path[k] == '[') &&
            (!found || k > *used)) {
            found = p;
            *used = k;
        }
    }
    return found;
}

bool linefile_find(const struct linefile *f, const char *path, size_t n, size_t *line, size_t *column)
{
    if (!f->root)
        return false;
    const yaml_node_t *node = f->root;
    yaml_mark_t mark = node->start_mark;
    size_t at = 0;
    while (at < n) {
        if (node->type == YAML_MAPPING_NODE) {
            at += path[at] == '.';
            size_t used;
            const yaml_node_pair_t *p = find_pair(f, node, path + at, n - at, &used);
            if (!p)
                break;
            mark = node_of(f, p->key)->start_mark;
            node = node_of(f, p->value);
            at += used;
        } else if (node->type == YAML_SEQUENCE_NODE && path[at] == '[') {
            size_t index = 0, count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
            for (at++; at < n && path[at] >= '0' && path[at] <= '9' && index < count; at++)
                index = index * 10 + (size_t)(path[at] - '0');
            if (at == n || path[at] != ']' || index >= count)
                break;
            node = node_of(f, node->data.sequence.items.start[index]);
            mark = node->start_mark;
            at++;
        } else {
            break;
        }
    }
    *line = mark.line + 1;
    *column = mark.column + 1;
    return true;
}

const char *linefile_place(const struct linefile *f, struct slp_bytes path, struct slp_bytes text, char *buf,
                           size_t buf_bytes)
{
    size_t line, column;
    if (linefile_find(f, path.p, path.n, &line, &column))
        snprintf(buf, buf_bytes, "%s:%zu:%zu: %.*s", f->name, line, column, (int)text.n, text.p);
    else
        snprintf(buf, buf_bytes, "%s: %.*s", f->name, (int)text.n, text.p);
    return buf;
}

/* ---- checking ---- */
static void found(void *arg, const char *path, const char *text)
{
    struct linefile *f = arg;
    size_t line = 0, column = 0;
    linefile_find(f, path, strlen(path), &line, &column);
    problem_at(f, line, column, text);
}

/* Both lists are in the order of the file; bring the mistakes of reading to their places among the others. */
static void merge_problems(struct linefile *f)
{
    for (size_t own = f->own_problems; own-- > 0;) {
        struct problem p = f->problems[own];
        size_t i = own;
        for (; i + 1 < f->problem_count; i++) {
            const struct problem *next = &f->problems[i + 1];
            if (next->line > p.line || (next->line == p.line && next->column >= p.column))
                break;
            f->problems[i] = *next;
        }
        f->problems[i] = p;
    }
    f->own_problems = 0;
}

size_t linefile_check(struct linefile *f)
{
    if (f->packed.n == 0 || f->stopped || f->checked)
        return linefile_problem_count(f);
    f->checked = true;
    bool whole = f->problem_count == 0;
    struct ld_line *line = ld_compile(f->packed.p, f->packed.n, found, f);
    if (line && whole && !f->memory_out)
        f->line = line;
    else
        ld_free(&line);
    if (!f->line && f->problem_count == 0)
        f->memory_out = true;
    merge_problems(f);
    return linefile_problem_count(f);
}

struct slp_bytes linefile_packed(const struct linefile *f)
{
    if (f->stopped)
        return (struct slp_bytes){ "", 0 };
    return (struct slp_bytes){ f->packed.p, (uint32_t)f->packed.n };
}

const struct ld_line *linefile_line(const struct linefile *f)
{
    return f->line;
}

/* Without memory for a problem there is still one: nobody may take the file for a good one. */
size_t linefile_problem_count(const struct linefile *f)
{
    return f->problem_count + f->memory_out;
}

const char *linefile_problem(const struct linefile *f, size_t i)
{
    assert(i < linefile_problem_count(f));
    return i < f->problem_count ? f->problems[i].text : "memory ran out";
}
