/* Reviews. A station of type improve gets each unit when the station before it is done, and gives a verdict on that result. All others that come after the reviewed
 * station wait for the verdict (proto/ld_graph.c), so nobody but reviewers ever sees work that may still change, and nothing that was handed on is taken back.
 *
 *   accept, improve     the review is done. Its own fields are the work as it stands now: what was handed in stays what it was
 *   reject              the review is blocked again, the work ready again, for its author alone at first; round + 1. When the last round is rejected, the
 *                       review is done all the same if the line names a station for such units; else the work is parked as dead
 *
 *   work    ready -> assigned -> started -> done --rejected--> ready (its author's, then anybody's), or dead
 *   review  blocked -> ready -> assigned -> started -> done, or blocked again
 *
 * A reviewed task that is done leaves that state by a rejection only, which raises its round; an assignment of the review keeps the round that it was shown. So a verdict that
 * comes late counts if the work is still the same, and is late otherwise. The verdict's result names the result that it is about.
 *
 * For whose it is: a flag in the work's state while only its author may have it. The end of that time stands in the assignment of the verdict, and an entry in DELAY
 * brings the task into the queue once more then, where the others find it. */
#include "broker/engine/review.h"

#include <stdio.h>

#include "broker/engine/internal.h"
#include "broker/engine/repute.h"
#include "proto/utf8.h"

static uint8_t *work_of(const struct ld_line *l, uint8_t *head, uint32_t idx)
{
    return unit_station(head, (uint32_t)l->stations[idx].review.of);
}

static uint32_t author_of(struct engine *e, uint64_t result, uint32_t station)
{
    struct link x = chain_at(e, result_assignment(e, result, station));
    return x.no ? x.a->worker : 0;
}

/* ---- whether a unit is reviewed ---- */

static uint64_t mix(uint64_t h, const void *p, size_t n)
{
    const uint8_t *b = p;
    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * 0x100000001b3ull;
    return (h ^ 0xff) * 0x100000001b3ull; /* the end counts: a name and the next do not run into each other */
}

/* By names and numbers that are the same wherever the line and the run are: whoever has them can tell which units were looked at. */
static bool in_sample(const struct run *r, const struct ld_station *s, uint64_t unit)
{
    uint8_t n[12];
    put_u32(n, r->version);
    put_u64(n + 4, unit);
    uint64_t h = mix(0xcbf29ce484222325ull, r->line->name.s, r->line->name.n);
    h = mix(h, s->name.p, s->name.n);
    h = mix(h, r->name.s, r->name.n);
    h = mix(h, n, sizeof n);
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdull;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53ull;
    h ^= h >> 33;
    return ((h >> 32) * 1000000 >> 32) < s->review.sample_micros;
}

/* One of the first results of its author at that station, this one among them; as long as his results are remembered (repute.h). */
static bool of_a_newcomer(struct engine *e, const struct run *r, const uint8_t *t, const struct ld_review *v)
{
    uint32_t author = author_of(e, st_result(t), (uint32_t)v->of);
    struct tally t2 = author ? repute_tally(e, r->rq[v->of].st, author, MEASURE_ABANDONED) : (struct tally){ 0, 0 };
    /* The line's newest version says how much is remembered, and may say less than this one relied on: who has as much as is sure to be is new no more. */
    uint32_t last = station_latest(e, r->rq[v->of].st->key)->def->window_last, sure = last - last / 8 - 1;
    return t2.n - t2.sum <= (v->first < sure ? v->first : sure);
}

enum review_turn review_turn(struct engine *e, const struct run *r, uint64_t unit, uint8_t *head, uint32_t idx)
{
    const struct ld_station *s = &r->lv->stations[idx];
    const struct ld_review *v = &s->review;
    const uint8_t *t = work_of(r->lv, head, idx);
    if (t[ST_STATE] != TASK_DONE)
        return REVIEW_NO; /* there is no work */
    if (t[ST_ROUND])
        return REVIEW_YES; /* what was sent back is looked at again */
    if ((v->sample_micros || v->first) && !(v->sample_micros && in_sample(r, s, unit)) &&
        !(v->first && of_a_newcomer(e, r, t, v)))
        return REVIEW_NO;
    return REVIEW_AS_WHEN_SAYS;
}

bool review_exhausted(const struct ld_line *l, uint8_t *head, uint32_t idx)
{
    const struct ld_station *s = &l->stations[idx];
    bool only = false;
    for (uint32_t i = 0; i < s->after_count; i++)
        if (l->stations[s->after[i]].review.exhausted == (int)idx) {
            only = true;
            if (unit_station(head, s->after[i])[ST_FLAGS] & STATE_FLAG_EXHAUSTED)
                return true;
        }
    return !only;
}

/* ---- which work a verdict is about ---- */

uint8_t review_round(const struct station *st, uint8_t *head)
{
    return is_review(st) ? work_of(st->lv, head, st->idx)[ST_ROUND] : unit_station(head, st->idx)[ST_ROUND];
}

bool review_current(struct aseg *s, uint64_t no, uint8_t *head)
{
    const uint8_t *t = work_of(s->st->lv, head, s->st->idx);
    return t[ST_STATE] == TASK_DONE && t[ST_ROUND] == assign_entry(s, no)->round;
}

/* Whoever was given the task before the verdict that sent it back knows nothing of that verdict. */
bool review_past(struct engine *e, struct aseg *s, uint64_t no, uint8_t *head)
{
    int review = s->st->def->reviewed_by;
    if (review < 0 || !unit_station(head, s->st->idx)[ST_ROUND])
        return false;
    return no < result_assignment(e, get_u48(unit_station(head, (uint32_t)review) + ST_RESULT), (uint32_t)review);
}

/* The assignment of a task that this result came from. */
static struct link from_whom(struct engine *e, uint64_t newest, uint64_t result)
{
    struct link x = chain_at(e, result ? newest : 0);
    while (x.no && x.a->result != result)
        x = chain_next(e, x);
    return x;
}

bool review_his(struct engine *e, uint64_t newest, uint64_t result, const struct worker *w)
{
    struct link f = from_whom(e, newest, result);
    return f.no && f.a->worker == w->id;
}

/* ---- a verdict ---- */

bool review_read(struct engine *e, struct aseg *s, uint64_t no, const struct slp_list *given, struct slp_list *values,
                 int *verdict, char *text, size_t size)
{
    const struct ld_station *def = s->st->def;
    struct run *r = s->run;
    struct slp_list work;
    uint8_t *h = r->state <= RUN_CLOSED ? unit_head(e, r, assign_entry(s, no)->unit, false) : NULL;
    if (!h || h[UH_STATE] != UNIT_OPEN || !review_current(s, no, h))
        return true; /* late: kept as it came */
    uint64_t result = st_result(work_of(r->lv, h, s->st->idx));
    if (!result_values(e, result, (uint32_t)def->review.of, &work))
        return true;
    uint32_t field;
    slp_buf_clear(&e->b2);
    *verdict = ld_review(def, ld_origin(r->lv, def)->fields, &work, given, &e->b2, &field, text, size);
    if (*verdict < 0)
        return false;
    slp_pack_u64(&e->b2, result);
    if (e->b2.failed)
        fail(e, STORE_NO_MEMORY);
    *values = (struct slp_list){ e->b2.p, (uint32_t)e->b2.n, def->value_count + 1 };
    return true;
}

static void announce(struct engine *e, struct aseg *s, uint64_t no, int verdict, unsigned round)
{
    static const char *const keys[] = { "run", "station", "unit", "result", "assignment", "round" };
    const struct aentry *a = assign_entry(s, no);
    const uint64_t values[] = { s->run->id, s->st->id, a->unit, a->result, no, round };
    ev_data(e, keys, values, sizeof keys / sizeof *keys, 1);
    slp_pack_cstr(&e->b3, "verdict");
    slp_pack_cstr(&e->b3, ld_verdict_word((enum ld_verdict)verdict));
    ev_emit(e, EV_REVIEWED, s->run->line, s->run, NULL, &e->b3);
}

static struct slp_bytes text_at(const struct slp_list *l, uint32_t i)
{
    struct slp_bytes v = list_element(l, i);
    struct slr r = slr_on(v.p, v.n);
    struct slr_value x;
    return v.p && slr_next(&r, &x) == 0 && x.type == SLR_STR ? (struct slp_bytes){ x.p, x.n }
                                                             : (struct slp_bytes){ "", 0 };
}

/* "reason: note", cut where it must be. */
static size_t words(const struct ld_station *def, const struct slp_list *given, char *text, size_t size)
{
    struct slp_bytes reason = text_at(given, def->review.work + LD_REVIEW_REASON),
                     note = text_at(given, def->review.work + LD_REVIEW_NOTE);
    snprintf(text, size, "%.*s%s%.*s", (int)reason.n, reason.p, note.n ? ": " : "", (int)note.n, note.p);
    return sl_utf8_cut(text, strlen(text));
}

/* He has left, is kept out of the station by now (this verdict may have done that), or has not the skills any more. */
static bool may_not_work(struct engine *e, struct station *st, uint32_t worker)
{
    uint32_t gate = gate_of(e, st);
    return gate == UINT32_MAX || !gate_takes(e, gate, worker_at(e, worker)) || standing_out_now(e, worker, st->key);
}

/* He has declined this very task, though he answered it as well: by another assignment, which came back too late. */
static bool has_declined(struct engine *e, uint64_t newest, uint32_t worker)
{
    struct link x = chain_at(e, newest);
    while (x.no && !(x.a->worker == worker && is_declined(x.a)))
        x = chain_next(e, x);
    return x.no != 0;
}

/* For its author, until the time is over; at once for everybody if the line says so, or if he may not work there any more, or has declined it. */
static void keep_for_author(struct engine *e, struct run *r, uint64_t unit, uint8_t *h, uint32_t work, int64_t us,
                            struct aentry *verdict, struct aseg *s)
{
    uint8_t *t = unit_station(h, work);
    struct link f = from_whom(e, us ? get_u48(t + ST_ASSIGN) : 0, get_u48(t + ST_RESULT));
    if (!f.no || may_not_work(e, r->rq[work].st, f.a->worker) ||
        ((t[ST_FLAGS] & STATE_FLAG_DECLINED) && has_declined(e, get_u48(t + ST_ASSIGN), f.a->worker)))
        return;
    struct range one = { unit, 1 };
    struct ranges rs = { 1, 1, &one, 1 };
    t[ST_FLAGS] |= STATE_FLAG_AUTHORS;
    verdict->due_us = e->now_us + us;
    assign_dirty(e, s);
    delay_put(e, &r->rq[work], verdict->due_us, WHY_OFFERED, &rs);
}

static void block_again(struct engine *e, struct run *r, uint64_t unit, uint8_t *h, uint32_t idx)
{
    uint8_t *v = unit_station(h, idx), *t = work_of(r->lv, h, idx);
    task_set(e, r, h, idx, TASK_BLOCKED);
    v[ST_ATTEMPTS] = 0;
    v[ST_FLAGS] &= (uint8_t)~STATE_FLAG_EXHAUSTED;
    put_u16(h + UH_LEFT, (uint16_t)(get_u16(h + UH_LEFT) + 1)); /* the work is to be done once more */
    t[ST_ROUND] += t[ST_ROUND] < UINT8_MAX;
    t[ST_ATTEMPTS] = 0;
    ev_task(e, EV_TASKS_BLOCKED, r, r->rq[idx].st, 0, unit, 1);
    ev_order(e);
}

/* What the verdict says of whoever did the work. Of an outcome of several answers there is no one author. */
static void measure_author(struct engine *e, const uint8_t *work, struct station *st, int verdict)
{
    static const enum repute_verdict says[] = {
        [LD_ACCEPT] = REPUTE_ACCEPTED, [LD_IMPROVED] = REPUTE_IMPROVED, [LD_REJECT] = REPUTE_REJECTED
    };
    struct link f = from_whom(e, get_u48(work + ST_ASSIGN), get_u48(work + ST_RESULT));
    if (f.no)
        repute_verdict(e, st, f.a->worker, says[verdict]);
}

bool review_goes_on(struct engine *e, struct aseg *s, uint64_t no, int verdict, const struct slp_list *given)
{
    struct run *r = s->run;
    struct aentry *a = assign_entry(s, no);
    const struct ld_review *v = &s->st->def->review;
    uint32_t idx = s->st->idx, work = (uint32_t)v->of;
    uint8_t *h = unit_head(e, r, a->unit, true);
    if (!h)
        return true;
    assert(verdict >= 0); /* an answer that counts here was read as a verdict */
    unsigned round = unit_station(h, work)[ST_ROUND] + 1u;
    bool last = round >= v->rounds;
    announce(e, s, no, verdict, round);
    measure_author(e, unit_station(h, work), r->rq[work].st, verdict);
    unit_station(h, idx)[ST_FLAGS] &= (uint8_t)~STATE_FLAG_EXHAUSTED;
    if (verdict == LD_REJECT && last && v->exhausted >= 0)
        unit_station(h, idx)[ST_FLAGS] |= STATE_FLAG_EXHAUSTED;
    if (verdict != LD_REJECT || (last && v->exhausted >= 0))
        return true;
    char text[SL_TEXT_BYTES_MAX], dead[SL_TEXT_BYTES_MAX];
    size_t n = words(s->st->def, given, text, sizeof text);
    history_add(e, r, a->unit, work, WHY_REJECTED, no, a->worker, text, n);
    block_again(e, r, a->unit, h, idx);
    if (last) {
        int len = snprintf(dead, sizeof dead, "rejected in round %u of %u: ", round, v->rounds);
        size_t room = sizeof dead - (size_t)len, some = sl_utf8_cut(text, n < room ? n : room);
        memcpy(dead + len, text, some);
        task_dead(e, r, a->unit, h, work, DEAD_REJECTED, dead, (size_t)len + some);
        return false;
    }
    task_set(e, r, h, work, TASK_READY);
    queue_ready(e, &r->rq[work], LANE_RETURNED, a->unit, WHY_REJECTED);
    ev_order(e);
    keep_for_author(e, r, a->unit, h, work, v->return_us, a, s);
    nobody_check(e, &r->rq[work], a->unit);
    return false;
}

int64_t review_rest_us(struct engine *e, uint64_t newest)
{
    struct link x = chain_at(e, newest);
    return x.no && x.a->state > ASSIGN_STARTED ? x.a->due_us : 0;
}

/* An entry of an earlier round may be due while a later one's time is not over: the verdict's assignment says until when. */
void review_offer(struct engine *e, struct run *r, uint64_t unit, uint32_t idx)
{
    uint8_t *h = unit_head(e, r, unit, true);
    int review = r->lv->stations[idx].reviewed_by;
    if (!h || h[UH_STATE] != UNIT_OPEN || review < 0 || !(unit_station(h, idx)[ST_FLAGS] & STATE_FLAG_AUTHORS))
        return;
    const uint8_t *v = unit_station(h, (uint32_t)review);
    struct link f = from_whom(e, get_u48(v + ST_ASSIGN), get_u48(v + ST_RESULT));
    if (!f.no || f.a->due_us > e->now_us)
        return;
    uint8_t *t = unit_station(h, idx);
    t[ST_FLAGS] &= (uint8_t)~STATE_FLAG_AUTHORS;
    if (t[ST_STATE] != TASK_READY)
        return;
    /* In the queue once more: those who looked at it before do not look there again. */
    queue_ready(e, &r->rq[idx], LANE_RETURNED, unit, WHY_OFFERED);
    nobody_check(e, &r->rq[idx], unit);
}

/* ---- what a worker is told ---- */

static void pack_author(struct engine *e, uint32_t author, struct slp_buf *b)
{
    struct name n = { .n = 0 };
    if (author)
        worker_name(e, author, &n);
    slp_pack_cstr(b, "author");
    slp_pack_str(b, n.s, n.n);
}

static void pack_text(struct slp_buf *b, const char *key, const struct slp_list *l, uint32_t i)
{
    struct slp_bytes v = text_at(l, i);
    slp_pack_cstr(b, key);
    slp_pack_str(b, v.p, v.n);
}

static bool answer_fits(const struct station *st, const struct slp_list *l, size_t room)
{
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < st->def->field_count; i++)
        bytes += st->def->fields[i].name.n + 2 + (list_element(l, i).p ? list_element(l, i).n : 1);
    return bytes + 16 <= room;
}

static void show_answer(struct engine *e, const struct station *st, const struct slp_list *l)
{
    slp_pack_cstr(&e->b1, "answer");
    slp_pack_map(&e->b1, st->def->field_count);
    for (uint32_t i = 0; i < st->def->field_count; i++) {
        slp_pack_str(&e->b1, st->def->fields[i].name.p, st->def->fields[i].name.n);
        show_field(e, list_element(l, i));
    }
}

#define CONTEXT_BYTES                                                                                                  \
    (4 * SL_TEXT_BYTES_MAX + SL_TEXT_BYTES_MAX + 256) /* without the answer: a note's characters, a reason */

bool review_context(struct engine *e, struct run *r, uint64_t unit, const struct station *st, size_t room)
{
    const struct ld_station *def = st->def;
    uint8_t *h = unit_head(e, r, unit, false);
    if (!h || room < CONTEXT_BYTES || e->rc)
        return false;
    uint64_t verdict = def->reviewed_by >= 0 ? get_u48(unit_station(h, (uint32_t)def->reviewed_by) + ST_RESULT) : 0;
    uint64_t answer = get_u48(unit_station(h, st->idx) + ST_RESULT);
    uint64_t work = is_review(st) ? st_result(work_of(r->lv, h, st->idx)) : 0;
    unsigned round = review_round(st, h) + 1u;
    bool back = verdict && unit_station(h, st->idx)[ST_ROUND] > 0, answered = false;
    struct slp_list l;
    struct slp_buf *tmp = &e->b3;
    uint32_t n = 1;
    if (!back && !is_review(st))
        return false;
    slp_buf_clear(tmp);
    slp_pack_cstr(tmp, "round");
    slp_pack_u64(tmp, round);
    if (def->review.author && work) {
        pack_author(e, author_of(e, work, (uint32_t)def->review.of), tmp);
        n++;
    }
    if (back && result_values(e, verdict, (uint32_t)def->reviewed_by, &l)) {
        uint32_t at = r->lv->stations[def->reviewed_by].review.work;
        pack_text(tmp, "note", &l, at + LD_REVIEW_NOTE);
        pack_text(tmp, "reason", &l, at + LD_REVIEW_REASON);
        n += 2;
        answered = answer && result_values(e, answer, st->idx, &l) && answer_fits(st, &l, room - CONTEXT_BYTES);
    }
    slp_pack_map(&e->b1, n + answered);
    slp_buf_add(&e->b1, tmp->p, tmp->n);
    if (answered)
        show_answer(e, st, &l);
    if (tmp->failed)
        fail(e, STORE_NO_MEMORY);
    return true;
}
