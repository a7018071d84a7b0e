/* What a review changed: the verdict's result beside the one that it is about. */
#include "broker/engine/reader.h"

static struct slp_bytes element(const char *p, size_t n, uint32_t i)
{
    struct slr r = slr_on(p, n);
    for (; i && r.p != r.end; i--)
        if (slr_skip(&r, SL_DEPTH_MAX))
            return (struct slp_bytes){ "\xc0", 1 };
    const char *at = r.p;
    if (r.p == r.end || slr_skip(&r, SL_DEPTH_MAX))
        return (struct slp_bytes){ "\xc0", 1 };
    return (struct slp_bytes){ at, (uint32_t)(r.p - at) };
}

static bool differ(struct slp_bytes a, struct slp_bytes b)
{
    return a.n != b.n || memcmp(a.p, b.p, a.n) != 0;
}

void rd_changes(struct reader *r, struct slp_buf *b, const struct rd_run *run, uint16_t station,
                const struct rd_assignment *a)
{
    const struct ld_station *st = &run->lv->stations[station];
    struct slr_value about = { .type = SLR_NIL };
    struct rd_list is, was;
    uint32_t n = 0;
    slp_buf_clear(&r->outcome); /* a copy: the next result may lie in the same scratch */
    if (a->state == ASSIGN_COUNTED && rd_result(r, station, a->result, &is)) {
        slp_buf_add(&r->outcome, is.rest.p, (size_t)(is.rest.end - is.rest.p));
        struct slp_bytes last = element(r->outcome.p, r->outcome.n, st->value_count);
        struct slr number = slr_on(last.p, last.n);
        if (slr_next(&number, &about) != 0)
            about.type = SLR_NIL;
    }
    if (about.type != SLR_U64 || r->outcome.failed || !rd_result(r, (uint16_t)st->review.of, about.u64, &was)) {
        slp_pack_map(b, 0);
        return;
    }
    const char *old = was.rest.p, *new = r->outcome.p;
    size_t old_n = (size_t)(was.rest.end - was.rest.p), new_n = r->outcome.n;
    for (uint32_t i = 0; i < st->review.work; i++)
        n += differ(element(old, old_n, i), element(new, new_n, i));
    slp_pack_map(b, n);
    for (uint32_t i = 0; i < st->review.work; i++) {
        struct slp_bytes x = element(old, old_n, i), y = element(new, new_n, i);
        if (!differ(x, y))
            continue;
        slp_pack_str(b, st->fields[i].name.p, st->fields[i].name.n);
        slp_pack_array(b, 2);
        slp_buf_add(b, x.p, x.n);
        slp_buf_add(b, y.p, y.n);
    }
}
