/* Line definitions from hostile hands. The first byte of an input chooses: packed bytes straight into the compiler, or text into the
 * YAML front-end; what compiles is then used: conditions are evaluated and values checked against its fields. */
#include <assert.h>
#include <string.h>

#include "client/cli/linefile.h"
#include "proto/linedef.h"
#include "proto/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct sink {
    size_t count;
};
static void problem(void *arg, const char *path, const char *text)
{
    struct sink *s = arg;
    s->count++;
    /* what the wire demands of a problem */
    assert(strlen(path) <= 512 && sl_utf8_ok(path, strlen(path)));
    assert(*text && strlen(text) < SL_TEXT_BYTES_MAX && sl_utf8_ok(text, strlen(text)));
}

/* A field's value: bytes of the input itself, in many kinds. */
struct source {
    const uint8_t *p;
    size_t n;
};
static struct slp_bytes get(void *arg, struct ld_ref ref)
{
    struct source *s = arg;
    size_t skip = (size_t)(ref.station + 1 + ref.field) % (s->n + 1);
    return (struct slp_bytes){ (const char *)s->p + skip, (uint32_t)(s->n - skip) };
}

static void use(const struct ld_line *l, struct source s)
{
    uint32_t field;
    char text[128];
    for (uint32_t i = 0; i < l->station_count; i++) {
        const struct ld_station *st = &l->stations[i];
        assert(l->order[i] < l->station_count && st->name.n > 0 && st->depth < l->station_count);
        for (uint32_t k = 0; k < st->after_count; k++)
            assert(l->stations[st->after[k]].depth < st->depth);
        for (uint32_t k = 0; k < st->show_count; k++)
            assert(st->shows[k].station < (int)l->station_count && st->shows[k].field >= 0 && st->show_names[k].n > 0);
        ld_when(st, get, &s);
        ld_check_values(st->form, st->field_count, (const char *)s.p, s.n, st->field_count, &field, text, sizeof text);
    }
    if (ld_check_values(l->inputs, l->input_count, (const char *)s.p, s.n, l->input_count, &field, text, sizeof text) !=
        0)
        assert(*text && sl_utf8_ok(text, strlen(text)));
    assert(ld_compatible(l, l));
}

/* Whatever compiles, compiles again from the definition it keeps, to the same. */
static void again(const struct ld_line *l)
{
    struct sink sink = { 0 };
    struct ld_line *twin = ld_compile(l->definition.p, l->definition.n, problem, &sink);
    assert(twin && sink.count == 0 && ld_compatible(l, twin) && ld_compatible(twin, l));
    ld_free(&twin);
}

static void packed(const uint8_t *data, size_t n)
{
    struct sink sink = { 0 };
    struct ld_line *l = ld_compile((const char *)data, n, problem, &sink);
    assert((l == NULL) == (sink.count > 0));
    assert(sink.count <= SL_PROBLEMS_MAX + 1);
    if (l) {
        use(l, (struct source){ data, n });
        again(l);
    }
    ld_free(&l);
}

static void yaml(const uint8_t *data, size_t n)
{
    struct linefile *f = linefile_parse("l", (const char *)data, n);
    assert(f);
    size_t problems = linefile_check(f);
    const struct ld_line *l = linefile_line(f);
    assert((l == NULL) == (problems > 0));
    for (size_t i = 0; i < problems; i++)
        assert(strncmp(linefile_problem(f, i), "l:", 2) == 0);
    size_t line, column;
    linefile_find(f, (const char *)data, n, &line, &column);
    if (l) {
        use(l, (struct source){ data, n });
        again(l);
    }
    linefile_free(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0)
        return 0;
    if (data[0] == 0)
        packed(data + 1, n - 1);
    else
        yaml(data, n);
    return 0;
}
