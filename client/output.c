/* What came out: pages of rows, and the story of one unit. */
#include <stdlib.h>
#include <string.h>

#include "client/internal.h"

struct page { /* columns of a page, and place for the values of one row */
    const char **columns;
    struct sl_value *values;
    uint32_t count;
};

static void page_free(struct page *p)
{
    free(p->columns);
    free(p->values);
    *p = (struct page){ .count = 0 };
}

/* Names repeat on every page, and pages are large: a copy a page costs nothing. */
static bool page_take(struct page *p, struct slp_list columns)
{
    page_free(p);
    p->columns = malloc(columns.count * sizeof *p->columns + columns.bytes + columns.count + 1);
    p->values = malloc((columns.count + 1ul) * sizeof *p->values);
    if (!p->columns || !p->values)
        return false;
    char *at = (char *)(p->columns + columns.count);
    struct slp_cursor c = slp_each(columns);
    struct slp_bytes s;
    while (slp_next_str(&c, &s)) {
        p->columns[p->count++] = at;
        sl__copy(at, s.n + 1, s);
        at += s.n + 1;
    }
    return true;
}

/* SL_OK, SL_STOPPED, SL_BAD_REPLY. */
static int hand_out(struct sl *sl, struct page *p, struct slp_bytes packed, sl_output_fn *fn, void *arg, uint64_t *last)
{
    struct sl_value row;
    if (!sl__value(packed, &row) || row.type != SL_T_ARRAY || row.n != p->count || row.n == 0)
        return sl__fail(sl, SL_BAD_REPLY, "output.rows", "a row does not fit the columns");
    struct sl_cursor c = sl_inside(&row);
    for (uint32_t i = 0; i < row.n; i++)
        if (!sl_next(&c, &p->values[i]))
            return sl__fail(sl, SL_BAD_REPLY, "output.rows", NULL);
    if (p->values[0].type != SL_T_UINT || p->values[0].v.u64 <= *last)
        return sl__fail(sl, SL_BAD_REPLY, "output.rows", "units are not in order");
    *last = p->values[0].v.u64;
    struct sl_output_row out = { .unit = *last, .column_count = p->count, .columns = p->columns, .values = p->values };
    sl->in_callback = true;
    int stop = fn(arg, &out);
    sl->in_callback = false;
    return stop ? sl__fail(sl, SL_STOPPED, "", NULL) : SL_OK;
}

int sl_output(struct sl *sl, const char *run, const struct sl_output_options *o, sl_output_fn *fn, void *arg,
              uint64_t *last)
{
    static const struct sl_output_options none;
    if (!o)
        o = &none;
    int rc = sl__enter(sl);
    if (rc == SL_OK)
        rc = sl__name_ok(sl, run, "run");
    if (rc == SL_OK && o->station)
        rc = sl__name_ok(sl, o->station, "station");
    if (rc == SL_OK && o->page_rows > SL_PAGE_ITEMS_MAX)
        rc = sl__fail(sl, SL_TOO_MANY, "page_rows", NULL);
    struct page page = { .count = 0 };
    uint64_t at = o->after_unit;
    for (bool more = true; more && rc == SL_OK;) {
        struct slp_output_get g = { .run = sl__bytes(run),
                                    .station = sl__bytes(o->station),
                                    .after_unit = at,
                                    .limit = o->page_rows,
                                    .all_units = o->all_units };
        if (o->station)
            SL__SET(&g, output_get, station);
        if (at)
            SL__SET(&g, output_get, after_unit);
        if (o->page_rows)
            SL__SET(&g, output_get, limit);
        if (o->all_units)
            SL__SET(&g, output_get, all_units);
        struct slp_msg m;
        rc = sl__request(sl, SLP_OUTPUT_GET, &g, SLP_OUTPUT, &m);
        if (rc != SL_OK)
            break;
        const struct slp_output *out = &m.u.output;
        if (!page_take(&page, out->columns)) {
            rc = sl__fail(sl, SL_NO_MEMORY, "", NULL);
            break;
        }
        uint64_t began = at;
        struct slp_cursor c = slp_each(out->rows);
        struct slp_bytes packed;
        while (rc == SL_OK && slp_next_raw(&c, &packed))
            rc = hand_out(sl, &page, packed, fn, arg, &at);
        more = out->more;
        if (rc == SL_OK && out->next_after > at)
            at = out->next_after; /* unfinished units in between were passed by */
        if (rc == SL_OK && more && at == began)
            rc = sl__fail(sl, SL_BAD_REPLY, "output.next_after", "the page does not go on");
    }
    page_free(&page);
    if (last)
        *last = at;
    return rc;
}

int sl_unit(struct sl *sl, const char *run, uint64_t unit, struct sl_value *story)
{
    int rc = sl__enter(sl);
    if (rc == SL_OK)
        rc = sl__name_ok(sl, run, "run");
    if (rc != SL_OK)
        return rc;
    struct slp_unit_get g = { .run = sl__bytes(run), .unit = unit };
    struct slp_msg m;
    rc = sl__request(sl, SLP_UNIT_GET, &g, SLP_UNIT, &m);
    if (rc == SL_OK && (!sl__value(m.u.unit.story, story) || story->type != SL_T_MAP))
        rc = sl__fail(sl, SL_BAD_REPLY, "unit.story", NULL);
    return rc;
}
