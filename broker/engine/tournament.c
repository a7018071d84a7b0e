/* Tournaments: what is special about two stations with copies that stand for one (docs/adr/0016). The first gathers entries; as soon as the last one
 * that is wanted counts, it is done, without an outcome of its own, and the jury's turn comes by the line's order (flow.c). The jury's task is decided here, by
 * auto_judge before anybody is asked, else by votes; its outcome is the winner's entry. */
#include <stdio.h>

#include "broker/engine/copies.h"
#include "broker/engine/jury.h"
#include "broker/engine/repute.h"

void tournament_entered(struct engine *e, struct run *r, uint64_t unit, uint8_t *head, uint32_t idx)
{
    task_set(e, r, head, idx, TASK_DONE);
    put_u48(unit_station(head, idx) + ST_RESULT, 0); /* its counts are over */
    ev_task(e, EV_TASKS_DONE, r, r->rq[idx].st, 0, unit, 1);
    flow_done(e, r, unit, idx);
}

/* The entries of a jury's task, into e->b2; false after fail(). */
static bool entries_of(struct engine *e, struct run *r, uint64_t unit, uint32_t idx, struct ballot *b)
{
    uint8_t *h = unit_head(e, r, unit, false);
    uint32_t of = r->lv->stations[idx].partner;
    if (!h || !copies_gather(e, r->rq[of].st, get_u48(unit_station(h, of) + ST_ASSIGN), b))
        return false;
    if (b->n != r->lv->stations[of].copies.max) /* its turn comes when all are in: a page of the past */
        fail(e, STORE_CORRUPT);
    return !e->rc;
}

/* ---- what a juror sees ---- */

void tournament_show(struct engine *e, struct run *r, uint64_t unit, const struct ld_station *jury, uint32_t juror)
{
    uint64_t result[SL_COPIES_MAX];
    uint8_t order[SL_COPIES_MAX];
    uint32_t n = 0;
    const struct ld_station *of = &r->lv->stations[jury->partner];
    uint8_t *h = unit_head(e, r, unit, false);
    uint64_t newest = h ? get_u48(unit_station(h, jury->partner) + ST_ASSIGN) : 0;
    for (struct link x = chain_at(e, newest); x.no; x = chain_next(e, x)) {
        if (x.a->state != ASSIGN_COUNTED)
            continue;
        if (n == of->copies.max) { /* a page of the past, as in entries_of */
            fail(e, STORE_CORRUPT);
            return;
        }
        uint32_t i = n++;
        for (; i && result[i - 1] > x.a->result; i--)
            result[i] = result[i - 1];
        result[i] = x.a->result;
    }
    jury_order(r->id, unit, juror, n, order);
    slp_pack_array(&e->b1, n);
    for (uint32_t i = 0; i < n; i++) {
        struct slp_list l;
        if (!result_values(e, result[order[i]], jury->partner, &l))
            return;
        slp_pack_map(&e->b1, of->field_count);
        for (uint32_t f = 0; f < of->field_count; f++) {
            slp_pack_str(&e->b1, of->form[f].name.p, of->form[f].name.n);
            show_field(e, list_element(&l, f));
        }
    }
}

/* ---- the end ---- */

/* Each entry's place, with its assignment and told: [assignment, place, what it has]. */
static void place(struct engine *e, struct run *r, uint64_t unit, uint32_t of, const struct ballot *entries,
                  const uint32_t *score, const bool *won)
{
    uint8_t places[SL_COPIES_MAX];
    jury_places(score, won, entries->n, places);
    for (uint32_t i = 0; i < entries->n; i++) {
        struct link x = chain_at(e, entries->no[i]);
        if (!x.no)
            return;
        x.a->round = places[i]; /* there is no other round of it */
        assign_dirty(e, x.s);
        repute_placed(e, r->rq[of].st, entries->worker[i], places[i], entries->n);
    }
    static const char *const keys[] = { "run", "station", "unit" };
    const uint64_t values[] = { r->id, r->rq[of].st->id, unit };
    ev_data(e, keys, values, sizeof keys / sizeof *keys, 1);
    slp_pack_cstr(&e->b3, "places");
    slp_pack_array(&e->b3, entries->n);
    for (uint32_t i = 0; i < entries->n; i++) {
        slp_pack_array(&e->b3, 3);
        slp_pack_u64(&e->b3, entries->no[i]);
        slp_pack_u64(&e->b3, places[i]);
        slp_pack_u64(&e->b3, score[i]);
    }
    ev_emit(e, EV_TASK_PLACED, r->line, r, NULL, &e->b3);
}

/* The jury's task is done: the winner's entry goes on. */
static void crown(struct engine *e, struct run *r, uint64_t unit, uint32_t idx, const struct ballot *entries,
                  const uint32_t *score, const bool *won, const struct agree_verdict *v, int64_t done_wall_us)
{
    uint32_t of = r->lv->stations[idx].partner;
    struct slp_list values = { NULL, 0, r->lv->stations[idx].value_count };
    slp_buf_clear(&e->b3);
    slp_buf_add(&e->b3, entries->a[v->winner].values.p, entries->a[v->winner].values.bytes);
    copies_pack_verdict(&e->b3, v);
    if (e->b3.failed) {
        fail(e, STORE_NO_MEMORY);
        return;
    }
    values.p = e->b3.p;
    values.bytes = (uint32_t)e->b3.n;
    copies_close(e, r, unit, idx, &values, entries->no[v->winner], v, done_wall_us);
    place(e, r, unit, of, entries, score, won);
}

bool tournament_ends_at_once(struct engine *e, struct run *r, uint64_t unit, uint32_t idx)
{
    struct ballot b;
    const struct ld_station *jury = &r->lv->stations[idx], *of = &r->lv->stations[jury->partner];
    uint32_t size[SL_COPIES_MAX] = { 0 }, score[SL_COPIES_MAX], winner = 0;
    bool won[SL_COPIES_MAX];
    if (!of->copies.equal || !entries_of(e, r, unit, idx, &b))
        return false;
    agree_group(of, b.a, b.n);
    for (uint32_t i = 0; i < b.n; i++)
        size[b.a[i].group]++;
    for (uint32_t i = 0; i < b.n; i++) /* of equally large groups the one whose first came first */
        winner = size[i] > size[winner] ? i : winner;
    if (size[winner] < of->copies.equal)
        return false;
    for (uint32_t i = 0; i < b.n; i++) {
        score[i] = size[b.a[i].group];
        won[i] = b.a[i].group == winner;
    }
    const struct agree_verdict v = { .what = AGREE_DONE,
                                     .rule = LD_RULE_AUTO,
                                     .winner = winner,
                                     .votes = size[winner],
                                     .answers = b.n,
                                     .confidence_micros = (uint32_t)(1000000ull * size[winner] / b.n) };
    crown(e, r, unit, idx, &b, score, won, &v, 0);
    return true;
}

void tournament_decide(struct engine *e, struct run *r, uint64_t unit, uint8_t *head, uint32_t idx,
                       const struct ballot *votes, int64_t done_wall_us)
{
    struct ballot entries;
    struct jury_verdict j;
    uint32_t score[SL_COPIES_MAX] = { 0 }, place_of[COUNTED_MAX + 1], entry_of[COUNTED_MAX + 1];
    bool won[SL_COPIES_MAX] = { false };
    const struct ld_station *jury = &r->lv->stations[idx];
    char why[100];
    for (uint32_t i = 0; i < votes->n; i++) /* before the entries take the place of their values */
        place_of[i] = jury_place(&votes->a[i].values);
    if (!entries_of(e, r, unit, idx, &entries))
        return;
    for (uint32_t i = 0; i < votes->n; i++) {
        uint8_t order[SL_COPIES_MAX];
        jury_order(r->id, unit, votes->worker[i], entries.n, order);
        if (place_of[i] < 1 || place_of[i] > entries.n) { /* the form has as many options as there are entries */
            fail(e, STORE_CORRUPT);
            return;
        }
        entry_of[i] = order[place_of[i] - 1];
        score[entry_of[i]]++;
    }
    jury_decide(jury, score, entries.n, &j);
    if (j.what == AGREE_MORE) {
        copies_want(e, r, unit, unit_station(head, idx), idx, votes->n + j.more, WHY_COPIES);
        copies_settle(e, r, unit, head, idx, WHY_COPIES);
    } else if (j.what == AGREE_FAIL) {
        snprintf(why, sizeof why, "no winner: of %u votes %u are for one entry, and as many for another", j.cast,
                 j.votes);
        copies_park(e, r, unit, head, idx, DEAD_NO_AGREEMENT, why, strlen(why));
    } else {
        const struct agree_verdict v = { .what = AGREE_DONE,
                                         .rule = j.rule,
                                         .winner = j.winner,
                                         .votes = j.votes,
                                         .answers = j.cast,
                                         .confidence_micros = (uint32_t)(1000000ull * j.votes / j.cast) };
        won[j.winner] = true;
        crown(e, r, unit, idx, &entries, score, won, &v, done_wall_us);
        for (uint32_t i = 0; votes->n > 1 && i < votes->n; i++)
            repute_outcome(e, r->rq[idx].st, votes->worker[i], entry_of[i] == j.winner);
        flow_done(e, r, unit, idx);
    }
}
