/* Reviews, as the checker sees them: who may give a verdict about what, what may follow from it, who waits for whom. From the document alone: a verdict is about the work of
 * the round that was shown; a rejection sends the work back to its author, for a while, and the review waits again; nobody reviews what he had a part in. */
#include <inttypes.h>

#include "tests/sim/checker_model.h"

static const struct ck_station *sibling(const struct checker *c, const struct ck_station *s, uint32_t index)
{
    return ck_get(&c->stations, s->f.first + index);
}

uint32_t ck_review_of(const struct checker *c, uint32_t station)
{
    const struct ck_station *s = ck_get(&c->stations, station);
    for (uint32_t i = 0; s && i < s->f.stations; i++) {
        const struct ck_station *o = sibling(c, s, i);
        if (o && o->f.review == s->f.index + 1)
            return o->f.station;
    }
    return 0;
}

struct ck_task *ck_work(struct checker *c, uint64_t run, uint64_t unit, uint32_t station)
{
    const struct ck_station *s = ck_get(&c->stations, station);
    struct ck_unit *u = ck_unit(c, run, unit);
    return s && u && s->f.review ? &u->task[s->f.review - 1] : NULL;
}

uint32_t ck_round_shown(struct checker *c, const struct fact *f, const struct ck_station *s)
{
    const struct ck_unit *u = ck_is_gold(f->unit) ? NULL : ck_unit(c, f->run, f->unit);
    const struct ck_task *w = ck_work(c, f->run, f->unit, f->station);
    return w ? w->round : u ? u->task[s->f.index].round : 0;
}

bool ck_authors_alone(struct checker *c, const struct fact *f, const struct ck_station *s)
{
    const struct ck_unit *u = ck_is_gold(f->unit) ? NULL : ck_unit(c, f->run, f->unit);
    const struct ck_task *t = u ? &u->task[s->f.index] : NULL;
    return t && t->author && !t->author_out && t->author != f->worker && f->at < t->back_us;
}

#define OFFER_LATE_US (2 * INT64_C(60000000)) /* batches come late */

void ck_offered_in_time(struct checker *c, const struct fact *f, const struct ck_station *s)
{
    const struct ck_unit *u = ck_is_gold(f->unit) ? NULL : ck_unit(c, f->run, f->unit);
    const struct ck_task *t = u ? &u->task[s->f.index] : NULL;
    if (t && t->author && !t->author_out && t->ready_us < t->back_us && f->at > t->back_us + OFFER_LATE_US)
        ck_verdict(c, WRONG_STATE,
                   "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64 " station %u is given out %" PRId64
                   " us after its author's time was over, and nobody was offered it then",
                   f->seq, f->run, f->unit, f->station, f->at - t->back_us);
}

uint32_t ck_waits_for(const struct checker *c, const struct ck_station *s)
{
    uint32_t set = s->f.after, was;
    do {
        was = set;
        for (uint32_t k = 0; k < s->f.stations && !s->f.review; k++) {
            const struct ck_station *o = sibling(c, s, k);
            if (o && o->f.review && set >> (o->f.review - 1) & 1)
                set |= 1u << k;
        }
    } while (set != was);
    return set;
}

uint32_t ck_upstream(const struct checker *c, const struct ck_station *s)
{
    uint32_t set = ck_waits_for(c, s), was;
    do {
        was = set;
        for (uint32_t k = 0; k < s->f.stations; k++)
            if (set >> k & 1 && sibling(c, s, k))
                set |= ck_waits_for(c, sibling(c, s, k));
    } while (set != was);
    return set;
}

bool ck_verdict_counts(struct checker *c, const struct ck_assignment *a)
{
    const struct ck_task *w = ck_work(c, a->run, a->unit, a->station);
    return !w || (w->state == CK_DONE && w->round == a->round);
}

const struct ck_assignment *ck_verdict_about(struct checker *c, const struct ck_assignment *a)
{
    return a->about ? ck_get(&c->assignments, a->about) : NULL;
}

void ck_reviewed(struct checker *c, const struct fact *f, struct ck_task *t)
{
    const struct ck_station *s = ck_get(&c->stations, f->station);
    struct ck_assignment *a = ck_get(&c->assignments, f->assignment);
    const struct ck_task *w = ck_work(c, f->run, f->unit, f->station);
    if (!w || !a || a->state != CK_COUNTED || a->result != f->result || a->station != f->station ||
        a->unit != f->unit || t->winner != f->assignment || t->reviewed == f->result)
        ck_verdict(c, WRONG_STATE,
                   "event %" PRIu64 ": a verdict of assignment %" PRIu64 " about run %" PRIu64 " unit %" PRIu64
                   ", which is none",
                   f->seq, f->assignment, f->run, f->unit);
    else if (w->state != CK_DONE || f->count != w->round + 1 || a->round != w->round)
        ck_verdict(c, STALE_ACCEPTED,
                   "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64 ": a verdict about round %" PRIu64
                   ", given for round %u; the work is %s in round %u",
                   f->seq, f->run, f->unit, f->count, a->round + 1, ck_state_names[w->state], w->round + 1);
    else if (f->state == REVIEW_REJECT && !s->f.rejects)
        ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": station %u rejects, and gives no reasons for that", f->seq,
                   f->station);
    t->verdict = (uint8_t)f->state;
    t->reviewed = f->result;
    t->goes_back = f->state == REVIEW_REJECT;
    if (a && w) {
        a->about = w->winner;
        ck_judged_work(c, f, ck_get(&c->assignments, w->winner));
    }
}

void ck_goes_back(struct checker *c, const struct fact *f, struct ck_task *t)
{
    struct ck_assignment *a = ck_get(&c->assignments, t->winner);
    if (!t->goes_back || !a)
        ck_verdict(c, WRONG_STATE,
                   "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64
                   " station %u waits again, and nothing was rejected",
                   f->seq, f->run, f->unit, f->station);
    if (a)
        a->past = true;
    t->accepted = t->attempts = 0;
    t->rejected_by = t->winner;
    t->winner = 0;
}

bool ck_sent_back(struct checker *c, const struct fact *f, struct ck_task *t)
{
    uint32_t review = ck_review_of(c, f->station);
    const struct ck_station *v = ck_get(&c->stations, review);
    struct ck_unit *u = ck_unit(c, f->run, f->unit);
    struct ck_task *r = v && u ? &u->task[v->f.index] : NULL;
    bool last = v && t->round + 1 >= v->f.rounds, dead = f->kind == FACT_DEAD;
    if (!r || !r->goes_back || r->state != CK_BLOCKED || t->state != CK_DONE || last != dead) {
        ck_verdict(c, WRONG_STATE,
                   "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64
                   " station %u: the work of round %u is %s, though the review %s",
                   f->seq, f->run, f->unit, f->station, t->round + 1, dead ? "dead" : "sent back",
                   !r || !r->goes_back ? "did not reject it"
                   : last              ? "has no round left"
                                       : "has rounds left");
        return false;
    }
    struct ck_assignment *a = ck_get(&c->assignments, t->winner);
    const struct ck_worker *w = a ? ck_get(&c->workers, a->worker) : NULL;
    r->goes_back = false;
    t->since = r->rejected_by;
    t->round++;
    t->accepted = t->attempts = 0;
    if (a)
        a->past = true;
    const struct ck_station *s = ck_get(&c->stations, f->station);
    if (!dead && w && v->f.return_us && ck_fits(c, s, w, f->wall) && !ck_kept_out(c, a->worker, &s->f)) {
        t->author = a->worker;
        t->author_out = ck_out_so_far(c, a->worker, &s->f, f->wall) != CK_IN;
        t->back_us = f->at + v->f.return_us;
    }
    t->winner = 0;
    return true;
}
