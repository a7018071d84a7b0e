/* What units and results hold. Input values are stored as they came, one segment a put frame; results likewise, one a submit frame and run.
 * A result's value begins with the assignment it came from and the hub's time (RESULT_HEAD_BYTES). */
#include "broker/engine/blob.h"
#include "broker/engine/internal.h"
#include "broker/engine/review.h"

void payload_forget(struct engine *e)
{
    e->unit_cache_run = 0;
    if (!e->results_cached)
        return;
    for (int i = 0; i < RESULT_BLOBS; i++)
        e->result_blob[i].n = 0;
    e->results_cached = false;
}

void unit_segment_put(struct engine *e, struct run *r, uint64_t first, uint32_t n, const struct store_val *values)
{
    uint8_t prefix[4];
    key_u32(prefix, r->id);
    payload_forget(e);
    assert(!e->rc);
    enum store_rc rc = blob_put(e->t, TABLE_UNIT, prefix, sizeof prefix, r->id, first, n, values, 1);
    if (rc)
        fail(e, rc);
}

/* Where a value that was cut is put together again: units' in the first, results in turn in the others, so that a unit's values stay
 * while any number of results is looked at. */
#define UNIT_SCRATCH 0

static struct slp_buf *result_scratch(struct engine *e)
{
    e->scratch_at = e->scratch_at % (sizeof e->scratch / sizeof *e->scratch - 1) + 1;
    return &e->scratch[e->scratch_at];
}

/* Neighbours are asked for one after the other, so the last segment is remembered, until the next write ends what was borrowed. */
bool unit_values(struct engine *e, struct run *r, uint64_t unit, struct slp_list *values)
{
    struct blob *b = &e->unit_blob;
    if (e->unit_cache_run != r->id || unit < b->first || unit >= b->first + b->n) {
        uint8_t prefix[4];
        key_u32(prefix, r->id);
        e->unit_cache_run = 0;
        enum store_rc rc = blob_find(e->t, TABLE_UNIT, prefix, sizeof prefix, unit, &e->scratch[UNIT_SCRATCH], b);
        if (rc) {
            fail(e, rc == STORE_NOT_FOUND ? STORE_CORRUPT : rc);
            return false;
        }
        if (b->n > 1)
            e->unit_cache_run = r->id;
    }
    struct slp_bytes v = blob_value(b, unit);
    *values = (struct slp_list){ v.p, v.n, r->lv->input_count };
    return true;
}

/* ---- results ---- */

/* Those that were copied lie one behind the other. */
static void rseg_point(struct engine *e)
{
    const char *p = e->rseg.b.p;
    for (uint32_t i = 0; i < e->rseg.n; i++)
        if (e->rseg.copied[i]) {
            e->rseg.part[2 * i + 1].p = p;
            p += e->rseg.part[2 * i + 1].n;
        }
}

void result_flush(struct engine *e)
{
    if (!e->rseg.n)
        return;
    payload_forget(e);
    rseg_point(e);
    enum store_rc rc =
        e->rc ? e->rc
              : blob_put(e->t, TABLE_RESULT, NULL, 0, e->rseg.run->id, e->rseg.first, e->rseg.n, e->rseg.part, 2);
    if (rc)
        fail(e, rc);
    e->rseg.n = 0;
    e->rseg.bytes = 0;
    slp_buf_clear(&e->rseg.b);
}

uint64_t result_add(struct engine *e, struct run *r, uint64_t assignment, int64_t done_wall_us,
                    const struct slp_list *values, bool stays)
{
    size_t need = RESULT_HEAD_BYTES + values->bytes;
    uint32_t n = e->rseg.n;
    if (n && (e->rseg.run != r || n == RESULT_SEGMENT_MAX ||
              BLOB_HEAD_BYTES + 2 * (n + 1) + e->rseg.bytes + need > SL_SEGMENT_BYTES_MAX)) {
        result_flush(e);
        n = 0;
    }
    if (!n) {
        e->rseg.run = r;
        e->rseg.first = e->meta.result + 1;
    }
    uint8_t *head = e->rseg.head[n];
    put_u48(head, assignment);
    put_u64(head + 6, (uint64_t)done_wall_us);
    e->rseg.part[2 * n] = (struct store_val){ head, RESULT_HEAD_BYTES };
    e->rseg.part[2 * n + 1] = (struct store_val){ values->p, values->bytes };
    e->rseg.copied[n] = !stays;
    if (!stays) {
        slp_buf_add(&e->rseg.b, values->p, values->bytes);
        e->total.in_copied_bytes += values->bytes;
    }
    if (e->rseg.b.failed)
        fail(e, STORE_NO_MEMORY);
    e->rseg.bytes += need;
    e->rseg.n++;
    return ++e->meta.result;
}

bool result_values(struct engine *e, uint64_t result, uint32_t station, struct slp_list *values)
{
    struct slp_bytes v;
    if (e->rseg.n && result >= e->rseg.first) { /* of this very frame */
        rseg_point(e);
        struct store_val here = e->rseg.part[2 * (result - e->rseg.first) + 1];
        *values = (struct slp_list){ here.p, (uint32_t)here.n, SL_FORM_FIELDS_MAX };
        return true;
    } else {
        struct blob *b = &e->result_blob[station % RESULT_BLOBS], alone;
        if (result < b->first || result >= b->first + b->n) {
            enum store_rc rc = blob_find(e->t, TABLE_RESULT, NULL, 0, result, result_scratch(e), &alone);
            if (rc) {
                fail(e, rc == STORE_NOT_FOUND ? STORE_CORRUPT : rc);
                return false;
            }
            if (alone.n > 1) { /* has neighbours, so it was not cut: it lies in the map */
                *b = alone;
                e->results_cached = true;
            } else {
                b = &alone;
            }
        }
        v = blob_value(b, result);
    }
    if (v.n < RESULT_HEAD_BYTES) {
        fail(e, STORE_CORRUPT);
        return false;
    }
    *values = (struct slp_list){ v.p + RESULT_HEAD_BYTES, v.n - RESULT_HEAD_BYTES, SL_FORM_FIELDS_MAX };
    return true;
}

uint64_t result_assignment(struct engine *e, uint64_t result, uint32_t station)
{
    struct slp_list l;
    if (e->rseg.n && result >= e->rseg.first) /* of this very frame */
        return get_u48(e->rseg.head[result - e->rseg.first]);
    return result_values(e, result, station, &l) ? get_u48((const uint8_t *)l.p - RESULT_HEAD_BYTES) : 0;
}

/* ---- fields ---- */

struct slp_bytes list_element(const struct slp_list *l, uint32_t i)
{
    struct slr r = slr_on(l->p, l->bytes);
    for (; i; i--)
        if (slr_skip(&r, SL_DEPTH_MAX))
            return (struct slp_bytes){ NULL, 0 };
    const char *p = r.p;
    if (r.p == r.end || slr_skip(&r, SL_DEPTH_MAX) || (r.p - p == 1 && (uint8_t)*p == 0xc0))
        return (struct slp_bytes){ NULL, 0 };
    return (struct slp_bytes){ p, (uint32_t)(r.p - p) };
}

struct slp_bytes unit_field(struct engine *e, struct run *r, uint64_t unit, struct ld_ref ref)
{
    struct slp_list l;
    if (ref.station < 0)
        return unit_values(e, r, unit, &l) ? list_element(&l, (uint32_t)ref.field) : (struct slp_bytes){ NULL, 0 };
    uint8_t *h = unit_head(e, r, unit, false);
    uint64_t result = h ? review_result(r->lv, h, ref) : 0;
    if (!result || !result_values(e, result, (uint32_t)ref.station, &l))
        return (struct slp_bytes){ NULL, 0 };
    return list_element(&l, (uint32_t)ref.field);
}

/* ---- what tasks show: a frame in the making ---- */

void show_begin(struct engine *e)
{
    e->pieces = 0;
    e->piece_bytes = 0;
    slp_buf_clear(&e->b1);
    slp_buf_clear(&e->b2);
}

/* Packed bytes, borrowed: they go in at the end of b1 as it is now. */
static void show_add(struct engine *e, const void *p, size_t n)
{
    struct piece *last = e->pieces ? &e->piece[e->pieces - 1] : NULL;
    e->piece_bytes += n;
    if (last && last->p && last->at == e->b1.n &&
        last->p + last->n == p) { /* fields that follow each other lie side by side */
        last->n += (uint32_t)n;
        return;
    }
    struct piece *v = grow(e, e->piece, &e->piece_cap, e->pieces + 1, sizeof *v);
    if (!v)
        return;
    e->piece = v;
    v[e->pieces++] = (struct piece){ p, (uint32_t)n, (uint32_t)e->b1.n };
}

static void piece_add(void *arg, const void *p, size_t n)
{
    show_add(arg, p, n);
}

/* A value that was cut and put together again: the next one takes its place. */
static bool in_scratch(const struct engine *e, const char *p)
{
    bool found = false;
    for (size_t i = 0; i < sizeof e->scratch / sizeof *e->scratch && !found; i++)
        found = p >= e->scratch[i].p && p < e->scratch[i].p + e->scratch[i].n;
    return found;
}

void show_field(struct engine *e, struct slp_bytes v)
{
    if (!v.p) {
        slp_pack_nil(&e->b1);
        return;
    }
    show_add(e, v.p, v.n);
    if (in_scratch(e, v.p))
        show_keep(e);
}

void show_keep(struct engine *e)
{
    uint32_t i = e->pieces;
    while (i && e->piece[i - 1].p)
        i--;
    for (; i < e->pieces; i++) {
        slp_buf_add(&e->b2, e->piece[i].p, e->piece[i].n);
        e->piece[i].p = NULL;
        e->total.shown_copied_bytes += e->piece[i].n;
    }
}

size_t show_bytes(const struct engine *e)
{
    return e->b1.n + e->piece_bytes;
}

void show_cut(struct engine *e, struct shown back_to)
{
    for (; e->pieces > back_to.pieces; e->pieces--) {
        struct piece *last = &e->piece[e->pieces - 1];
        e->piece_bytes -= last->n;
        if (!last->p)
            e->b2.n -= last->n;
    }
    e->b1.n = back_to.b1_n;
}

void show_copy(struct engine *e, char *to)
{
    const char *kept = e->b2.p;
    size_t at = 0;
    for (uint32_t i = 0; i < e->pieces; i++) {
        const struct piece *v = &e->piece[i];
        memcpy(to, e->b1.p + at, v->at - at);
        to += v->at - at;
        at = v->at;
        memcpy(to, v->p ? v->p : kept, v->n);
        to += v->n;
        kept += v->p ? 0 : v->n;
    }
    if (e->b1.n > at)
        memcpy(to, e->b1.p + at, e->b1.n - at);
    e->total.shown_bytes += e->piece_bytes;
    e->total.shown_copied_bytes += e->piece_bytes;
}

/* All values of a unit as they came. A unit that was cut is not put together first: the frame does that. */
static void show_input(struct engine *e, struct run *r, uint64_t unit)
{
    struct blob *b = &e->unit_blob;
    if (e->unit_cache_run == r->id && unit >= b->first && unit < b->first + b->n) {
        struct slp_bytes v = blob_value(b, unit);
        show_add(e, v.p, v.n);
        return;
    }
    uint8_t prefix[4];
    key_u32(prefix, r->id);
    e->unit_cache_run = 0;
    enum store_rc rc = blob_pieces(e->t, TABLE_UNIT, prefix, sizeof prefix, unit, b, piece_add, e);
    if (rc)
        fail(e, rc == STORE_NOT_FOUND ? STORE_CORRUPT : rc);
    else if (b->n > 1)
        e->unit_cache_run = r->id;
}

static bool shows_results(const struct ld_station *s)
{
    for (uint32_t i = 0; i < s->show_count; i++)
        if (s->shows[i].station >= 0)
            return true;
    return false;
}

bool unit_show(struct engine *e, struct run *r, uint64_t unit, const struct ld_station *s, uint32_t worker)
{
    uint64_t result[SL_SHOWS_MAX];
    size_t before = show_bytes(e);
    uint32_t i = 0;
    struct slp_list in, l;
    slp_pack_array(&e->b1, s->show_count + (s->type == LD_JURY));
    /* All states first: asking for one may write another away, and a write ends what was borrowed. */
    if (shows_results(s) || s->type == LD_JURY) {
        if (!unit_at_hand(e, r, unit))
            show_keep(e);
        uint8_t *h = unit_head(e, r, unit, false);
        if (!h)
            return true; /* the failure is recorded */
        for (uint32_t k = 0; k < s->show_count; k++)
            if (s->shows[k].station >= 0)
                result[k] = review_result(r->lv, h, s->shows[k]);
    }
    while (i < s->show_count && i < r->lv->input_count && s->shows[i].station < 0 && (uint32_t)s->shows[i].field == i)
        i++;
    bool whole = i == r->lv->input_count; /* the input as it came */
    if (whole)
        show_input(e, r, unit);
    else
        i = 0;
    if (!whole && !unit_values(e, r, unit, &in))
        return true;
    for (; i < s->show_count; i++) {
        struct slp_bytes v = { NULL, 0 };
        if (s->shows[i].station < 0)
            v = list_element(&in, (uint32_t)s->shows[i].field);
        else if (result[i] && result_values(e, result[i], (uint32_t)s->shows[i].station, &l))
            v = list_element(&l, (uint32_t)s->shows[i].field);
        show_field(e, v);
    }
    if (s->type == LD_JURY)
        tournament_show(e, r, unit, s, worker);
    return show_bytes(e) - before <= SL_PUSH_FIELDS_BYTES_MAX;
}
