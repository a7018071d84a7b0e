/* What came out: pages of rows, and the story of one unit. */
#include <stdlib.h>
#include <string.h>

#include "client/internal.h"
#include "proto/reader.h"

struct page {
    zmq_msg_t frame; /* initialised always; the rest points into it */
    struct slp_msg m;
    const char **columns;
    struct sl_value *values; /* place for those of one row */
    uint32_t count;
    bool answers;
};

static void page_free(struct page *p)
{
    zmq_msg_close(&p->frame);
    free(p->columns);
    free(p->values);
}

/* Names repeat on every page, and pages are large: a copy a page costs nothing. */
static bool take_columns(struct page *p, struct slp_list columns)
{
    free(p->columns);
    free(p->values);
    p->count = 0;
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

/* The handle's reply becomes this page, so that the handle can be used for the next. */
static int page_take(struct sl *sl, struct page *p)
{
    struct slp_fault fault;
    const void *was_at = zmq_msg_data(&sl->reply_frame);
    zmq_msg_move(&p->frame, &sl->reply_frame);
    p->m = sl->reply;
    if (zmq_msg_data(&p->frame) != was_at) /* a small frame lies inside the zmq_msg_t itself */
        slp_decode(zmq_msg_data(&p->frame), zmq_msg_size(&p->frame), SLP_B2C, &p->m, &fault);
    return take_columns(p, p->m.u.output.columns) ? SL_OK : sl__fail(sl, SL_NO_MEMORY, "", NULL);
}

/* SL_OK, SL_STOPPED, SL_BAD_REPLY. */
static int hand_out(struct sl *sl, struct page *p, struct sl_cursor *rows, sl_output_fn *fn, void *arg, uint64_t *last)
{
    struct slr r = { rows->p, rows->end };
    struct slr_value row;
    if (slr_next(&r, &row) != 0 || row.type != SLR_ARRAY || row.n != p->count || row.n == 0)
        return sl__fail(sl, SL_BAD_REPLY, "output.rows", "a row does not fit the columns");
    rows->p = r.p;
    for (uint32_t i = 0; i < row.n; i++)
        if (!sl_next(rows, &p->values[i]))
            return sl__fail(sl, SL_BAD_REPLY, "output.rows", NULL);
    bool again = p->answers && p->values[0].v.u64 == *last; /* one unit has several */
    if (p->values[0].type != SL_T_UINT || (p->values[0].v.u64 <= *last && !again))
        return sl__fail(sl, SL_BAD_REPLY, "output.rows", "units are not in order");
    *last = p->values[0].v.u64;
    struct sl_output_row out = { .unit = *last, .column_count = p->count, .columns = p->columns, .values = p->values };
    sl->in_callback = true;
    int stop = fn(arg, &out);
    sl->in_callback = false;
    return stop ? sl__fail(sl, SL_STOPPED, "", NULL) : SL_OK;
}

static int ask_for(struct sl *sl, struct sl__ask *a, struct slp_output_get *get, uint64_t after_unit,
                   uint64_t after_answer)
{
    get->after_unit = after_unit;
    if (after_unit)
        SL__SET(get, output_get, after_unit);
    get->after_answer = after_answer;
    if (after_answer)
        SL__SET(get, output_get, after_answer);
    *a = (struct sl__ask){ .type = SLP_OUTPUT_GET, .body = get, .resend = true };
    return sl__ask_begin(sl, a);
}

static int hand_out_page(struct sl *sl, struct page *p, sl_output_fn *fn, void *arg, uint64_t *last)
{
    int rc = SL_OK;
    struct slp_list rows = p->m.u.output.rows;
    struct slr on = slr_on(rows.p, rows.bytes);
    struct sl_cursor c = { on.p, on.end };
    for (uint32_t i = 0; rc == SL_OK && i < rows.count; i++)
        rc = hand_out(sl, p, &c, fn, arg, last);
    if (rc == SL_OK && p->m.u.output.next_after > *last)
        *last = p->m.u.output.next_after; /* unfinished units in between were passed by */
    return rc;
}

/* Page after page. While one is handed out, the next is on its way. */
static int walk(struct sl *sl, struct slp_output_get *get, struct page *p, sl_output_fn *fn, void *arg, uint64_t *last)
{
    struct sl__ask a;
    int rc = ask_for(sl, &a, get, *last, 0);
    for (uint64_t began = *last, began_answer = 0; rc == SL_OK;) {
        rc = sl__ask_end(sl, &a, SLP_OUTPUT, sl->o.timeout_ms);
        if (rc == SL_OK)
            rc = page_take(sl, p);
        if (rc != SL_OK)
            return rc;
        const struct slp_output *out = &p->m.u.output;
        bool on = out->next_after > began || (out->next_after == began && out->next_answer > began_answer);
        if (out->more && !on)
            rc = sl__fail(sl, SL_BAD_REPLY, "output.next_after", "the page does not go on");
        else if (out->more)
            rc = ask_for(sl, &a, get, out->next_after, out->next_answer);
        if (rc != SL_OK)
            return rc;
        rc = hand_out_page(sl, p, fn, arg, last);
        if (rc == SL_OK && !out->more)
            return SL_OK;
        if (rc == SL_OK && *last != out->next_after && !(p->answers && *last == out->next_after + 1))
            rc = sl__fail(sl, SL_BAD_REPLY, "output.next_after", "a row lies behind it");
        began = out->next_after;
        began_answer = out->next_answer;
    }
    sl__ask_drop(sl);
    return rc;
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
    struct slp_output_get get = {
        .run = sl__bytes(run), .station = sl__bytes(o->station), .limit = o->page_rows, .all_units = o->all_units
    };
    if (o->station)
        SL__SET(&get, output_get, station);
    if (o->page_rows)
        SL__SET(&get, output_get, limit);
    if (o->all_units)
        SL__SET(&get, output_get, all_units);
    get.answers = o->answers;
    if (o->answers)
        SL__SET(&get, output_get, answers);
    struct page page = { .answers = o->answers };
    zmq_msg_init(&page.frame);
    uint64_t at = o->after_unit;
    if (rc == SL_OK)
        rc = walk(sl, &get, &page, fn, arg, &at);
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
