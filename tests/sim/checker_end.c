/* What can only be judged when everything has come to its end: what is there, against all that was sent, acknowledged and told. */
#include <inttypes.h>
#include <string.h>

#include "tests/sim/checker_model.h"

/* A story tells the newest assignments of each task, at most so many: older ones cannot be looked for. */
#define STORY_ASSIGNMENTS_MAX 100

/* A worker was shown this row under that assignment. */
void ck_seen(struct checker *c, const struct fact *f)
{
    const struct ck_row *w = ck_get(&c->rows, f->row);
    struct ck_assignment *a = ck_get(&c->assignments, f->assignment);
    bool control = f->row >= CHECKER_GOLD_ROW;
    if (control) {
        if (a && a->run && a->unit != GOLD_UNIT + f->row - CHECKER_GOLD_ROW)
            ck_verdict(c, BYTES_DIFFER, "assignment %" PRIu64 " of unit %" PRIu64 " shows control task %" PRIu64,
                       f->assignment, a->unit, f->row - CHECKER_GOLD_ROW);
    } else if (!w)
        ck_verdict(c, UNEXPECTED, "assignment %" PRIu64 " shows row %" PRIu64 ", which nobody sent", f->assignment,
                   f->row);
    else if (w->digest != f->digest)
        ck_verdict(c, BYTES_DIFFER, "assignment %" PRIu64 " shows row %" PRIu64 " with other bytes", f->assignment,
                   f->row);
    else if (w->unit && a && a->run && (a->unit != w->unit || a->run != w->run))
        ck_verdict(c, BYTES_DIFFER,
                   "assignment %" PRIu64 " of unit %" PRIu64 " shows row %" PRIu64 ", which is unit %" PRIu64,
                   f->assignment, a->unit, f->row, w->unit);
    if (a)
        a->row = f->row;
}

static void story_unit(struct checker *c, const struct fact *f)
{
    struct ck_row *w = ck_get(&c->rows, f->row);
    struct ck_unit *u = ck_unit(c, f->run, f->unit);
    if (!w || w->run != f->run) {
        ck_verdict(c, UNEXPECTED, "run %" PRIu64 " unit %" PRIu64 " holds row %" PRIu64 ", which nobody sent", f->run,
                   f->unit, f->row);
        return;
    }
    if (w->found && w->found != f->unit)
        ck_verdict(c, DUPLICATED, "row %" PRIu64 " is unit %" PRIu64 " and unit %" PRIu64, f->row, w->found, f->unit);
    w->found = f->unit;
    if (w->digest != f->digest)
        ck_verdict(c, BYTES_DIFFER, "run %" PRIu64 " unit %" PRIu64 ": row %" PRIu64 " has other bytes", f->run,
                   f->unit, f->row);
    if (w->unit && w->unit != f->unit)
        ck_verdict(c, BYTES_DIFFER, "row %" PRIu64 " was acknowledged as unit %" PRIu64 " and lies in unit %" PRIu64,
                   f->row, w->unit, f->unit);
    c->sums.recovered += !w->acked;
    if (!u) {
        ck_verdict(c, UNEXPECTED, "run %" PRIu64 " unit %" PRIu64 " is there without an event that says so", f->run,
                   f->unit);
        return;
    }
    u->told = true;
    u->row = f->row;
    if (u->state != f->state)
        ck_verdict(c, WRONG_STATE, "run %" PRIu64 " unit %" PRIu64 " is in state %u, its events say %u", f->run,
                   f->unit, f->state, u->state);
}

static struct ck_task *told_task(struct checker *c, const struct fact *f)
{
    struct ck_unit *u = ck_unit(c, f->run, f->unit);
    const struct ck_run *r = ck_get(&c->runs, f->run);
    return u && f->index < r->stations ? &u->task[f->index] : NULL;
}

static void story_task(struct checker *c, const struct fact *f)
{
    struct ck_task *t = told_task(c, f);
    if (!t)
        return;
    t->told = true;
    t->story = (uint8_t)f->state;
    if (t->state != f->state)
        ck_verdict(c, WRONG_STATE,
                   "run %" PRIu64 " unit %" PRIu64 " station index %u is in state %u, its events say %u", f->run,
                   f->unit, f->index, f->state, t->state);
}

static void story_assignment(struct checker *c, const struct fact *f)
{
    struct ck_assignment *a = ck_get(&c->assignments, f->assignment);
    if (!a || !a->run || a->run != f->run || a->unit != f->unit) {
        ck_verdict(c, UNEXPECTED,
                   "run %" PRIu64 " unit %" PRIu64 " tells of assignment %" PRIu64 ", which is not its own", f->run,
                   f->unit, f->assignment);
        return;
    }
    a->told = true;
    if (a->state != f->state || (a->state == CK_RETURNED && a->why != f->why && f->why != 10))
        ck_verdict(c, WRONG_STATE, "assignment %" PRIu64 " is in state %u (why %u), its events say %u (why %u)",
                   f->assignment, f->state, f->why, a->state, a->why);
    bool has = f->state == CK_COUNTED || f->state == CK_LATE;
    bool sent = false;
    const struct ck_assignment *about = ck_verdict_about(c, a); /* its story came before: it stands further up */
    for (size_t i = 0; i < a->sents; i++) {
        bool as_it_was = about && a->sent[i].route < 0 && !a->sent[i].filled && f->state == CK_COUNTED;
        if (f->digest == (as_it_was ? about->digest : a->sent[i].digest)) {
            sent = true;
            a->route = about && a->sent[i].route < 0 ? about->route : a->sent[i].route;
            a->entry = a->sent[i].entry;
        }
    }
    sent = sent || (about && !about->told); /* what it is about is beyond what is told */
    a->digest = f->digest;
    const struct fact *st = checker_station(c, a->station);
    /* A verdict that says nothing is refused as long as it could matter; one that is too late is kept as it came. */
    bool as_it_came = a->bad_sent && st && st->review && f->state == CK_LATE;
    if (has && !as_it_came && !a->sents)
        ck_verdict(c, UNEXPECTED, "assignment %" PRIu64 " has a result that nobody submitted", f->assignment);
    else if (has && !as_it_came && !sent)
        ck_verdict(c, BYTES_DIFFER, "the result of assignment %" PRIu64 " is not what was submitted", f->assignment);
    if (a->acked && !has)
        ck_verdict(c, LOST, "the result of assignment %" PRIu64 " was acknowledged, and is not there", f->assignment);
    if (a->acked && has && !a->voided && (a->acked == 1) != (f->state == CK_COUNTED))
        ck_verdict(c, WRONG_STATE, "the result of assignment %" PRIu64 " was acknowledged as %s, and is %s",
                   f->assignment, a->acked == 1 ? "counted" : "late", f->state == CK_COUNTED ? "counted" : "late");
    struct ck_task *t = told_task(c, f);
    if (t && f->state == CK_COUNTED && t->winner != f->assignment && !a->past && !ck_copies(c, a->station))
        ck_verdict(c, DOUBLE_ACCEPT,
                   "run %" PRIu64 " unit %" PRIu64 ": assignments %" PRIu64 " and %" PRIu64 " both count", f->run,
                   f->unit, t->winner, f->assignment);
}

static void output(struct checker *c, const struct fact *f)
{
    const struct ck_row *w = ck_get(&c->rows, f->row);
    struct ck_unit *u = ck_unit(c, f->run, f->unit);
    if (!w || !u)
        ck_verdict(c, UNEXPECTED, "run %" PRIu64 " hands out unit %" PRIu64 ", row %" PRIu64 ", which nobody sent",
                   f->run, f->unit, f->row);
    else if (w->digest != f->digest || (u->row && u->row != f->row))
        ck_verdict(c, BYTES_DIFFER, "run %" PRIu64 " hands out unit %" PRIu64 " with other bytes than row %" PRIu64,
                   f->run, f->unit, f->row);
    else if (u->state != 1)
        ck_verdict(c, WRONG_STATE, "run %" PRIu64 " hands out unit %" PRIu64 ", which is not done", f->run, f->unit);
    if (u && u->handed_out++)
        ck_verdict(c, DUPLICATED, "run %" PRIu64 " hands out unit %" PRIu64 " again", f->run, f->unit);
}

/* It hands out its winner's answer, or all that count, in the order in which they did. */
static void judge_answer(struct checker *c, const struct fact *f, const struct ck_task *t)
{
    const struct ck_run *r = ck_get(&c->runs, f->run);
    const struct fact *copies = t ? ck_copies(c, r->first + f->index) : NULL;
    const struct ck_assignment *v[64], *a = t ? ck_get(&c->assignments, t->winner) : NULL;
    uint32_t all = 0, n = copies && copies->ties == TIES_ALL ? ck_answers(c, t, v, 64, &all) : 0;
    if (all > STORY_ASSIGNMENTS_MAX)
        return; /* what some of them said is not told */
    if (!t || t->state != CK_DONE || f->state != n)
        ck_verdict(c, f->state < n ? LOST : UNEXPECTED,
                   "run %" PRIu64 " unit %" PRIu64 " station index %u hands out %u answers, %u count", f->run, f->unit,
                   f->index, f->state ? f->state : 1, n);
    if (n)
        a = f->count < n ? v[f->count] : NULL;
    if (f->flag)
        ck_verdict(c, LOST, "run %" PRIu64 " unit %" PRIu64 " station index %u hands out nothing for its answer",
                   f->run, f->unit, f->index);
    else if (a && a->told && a->digest != f->digest)
        ck_verdict(c, BYTES_DIFFER, "run %" PRIu64 " unit %" PRIu64 " station index %u hands out another answer",
                   f->run, f->unit, f->index);
}

static void handed_out(struct checker *c, const struct fact *f)
{
    struct ck_task *t = told_task(c, f);
    if (t && !f->count && t->handed_out++)
        ck_verdict(c, DUPLICATED, "run %" PRIu64 " unit %" PRIu64 " station index %u is handed out again", f->run,
                   f->unit, f->index);
    judge_answer(c, f, t);
}

/* In the row of a unit that is done. What passes a review by is handed out as it passed it; what was skipped has nothing to hand out. */
static void output_answer(struct checker *c, const struct fact *told)
{
    struct fact f = *told;
    const struct ck_run *r = ck_get(&c->runs, f.run);
    const struct ck_task *t = told_task(c, &f);
    for (const struct ck_station *s; t && t->state == CK_SKIPPED; t = told_task(c, &f)) {
        s = ck_get(&c->stations, r->first + f.index);
        if (!s || !s->f.review)
            break;
        f.index = s->f.review - 1;
    }
    if (t && t->state == CK_SKIPPED && f.flag)
        return;
    judge_answer(c, &f, t);
}

static void counts(struct checker *c, const struct fact *f)
{
    const struct ck_run *r = ck_get(&c->runs, f->run);
    uint64_t story[9] = { 0 };
    if (!r || f->index >= r->stations)
        return;
    for (size_t k = 0; k < r->units; k++)
        if (r->unit[k]->task[f->index].told && r->unit[k]->task[f->index].story < 9)
            story[r->unit[k]->task[f->index].story]++;
    for (int s = 0; s < 9; s++)
        if (f->counts[s] != r->counts[f->index][s] || (r->told && f->counts[s] != story[s]))
            ck_verdict(c, COUNTERS,
                       "run %" PRIu64 " station index %u: %" PRIu64 " tasks in state %d, events say %" PRIu64
                       ", stories %" PRIu64,
                       f->run, f->index, f->counts[s], s, r->counts[f->index][s], story[s]);
}

static void run_counts(struct checker *c, const struct fact *f)
{
    struct ck_run *r = ck_get(&c->runs, f->run);
    if (!r)
        return;
    uint64_t dead = 0;
    for (size_t k = 0; k < r->units; k++) {
        bool is = false;
        for (uint32_t i = 0; i < r->stations; i++)
            is = is || r->unit[k]->task[i].state == CK_DEAD;
        dead += is;
    }
    const uint64_t want[5] = { r->units, r->done, r->dropped, r->cancelled, dead };
    static const char *const name[5] = { "units", "done", "dropped", "cancelled", "dead" };
    for (int i = 0; i < 5; i++)
        if (f->counts[i] != want[i])
            ck_verdict(c, COUNTERS, "run %" PRIu64 ": %" PRIu64 " %s, events say %" PRIu64, f->run, f->counts[i],
                       name[i], want[i]);
    if (f->state != r->state)
        ck_verdict(c, WRONG_STATE, "run %" PRIu64 " is in state %u, its events say %u", f->run, f->state, r->state);
    r->told = f->flag; /* the stories of all its units follow or came */
}

void ck_end_fact(struct checker *c, const struct fact *f)
{
    switch (f->kind) {
    case FACT_STORY_UNIT: story_unit(c, f); break;
    case FACT_STORY_TASK: story_task(c, f); break;
    case FACT_STORY_ASSIGNMENT: story_assignment(c, f); break;
    case FACT_OUTPUT: output(c, f); break;
    case FACT_OUTPUT_ANSWER: output_answer(c, f); break;
    case FACT_HANDED_OUT: handed_out(c, f); break;
    case FACT_COUNTS: counts(c, f); break;
    case FACT_RUN_COUNTS: run_counts(c, f); break;
    case FACT_ALL_TOLD: c->all_told = true; break;
    case FACT_LAST_EVENT:
        if (f->seq != c->newest_event)
            ck_verdict(c, EVENT_GAP, "the newest event is %" PRIu64 ", the stream ended with %" PRIu64, f->seq,
                       c->newest_event);
        break;
    case FACT_DAMAGE:
        ck_verdict(c, f->flag ? COUNTERS : WRONG_STATE, "the store's check names %s%s", f->text,
                   f->flag ? ", counted again" : "");
        break;
    case FACT_STUCK: ck_verdict(c, UNFINISHED, "%s", f->text); break;
    case FACT_LEFT_OVER: c->left_over = true; break;
    default: break;
    }
}

static void beyond_story(struct checker *c, const struct ck_run *r, size_t unit)
{
    for (uint32_t i = 0; i < r->stations; i++) {
        uint32_t n = 0;
        for (struct ck_assignment *a = ck_get(&c->assignments, r->unit[unit - 1]->task[i].newest); a;
             a = ck_get(&c->assignments, a->prev))
            if (n++ >= STORY_ASSIGNMENTS_MAX)
                a->told = true;
    }
}

/* Where a unit went: each station done or skipped as the routes of what came before say. */
static void judge_route(struct checker *c, const struct ck_run *r, size_t unit)
{
    const struct ck_unit *u = r->unit[unit - 1];
    const struct ck_row *w = ck_get(&c->rows, u->row);
    for (uint32_t i = 0; w && i < r->stations; i++) {
        const struct ck_station *s = ck_get(&c->stations, r->first + i);
        if (!s)
            continue;
        bool turn = true, wanted = s->f.when_on == -1;
        uint32_t after = ck_waits_for(c, s);
        if (s->f.ties >= TIES_JURY_FIRST) /* it goes with its tournament */
            wanted = u->task[s->f.jury].state == CK_DONE;
        for (uint32_t k = 0; k < r->stations; k++)
            turn = turn && (!(after >> k & 1) || u->task[k].state == CK_DONE || u->task[k].state == CK_SKIPPED);
        if (s->f.when_on == -2)
            wanted = w->route == s->f.when_is;
        if (s->f.when_on >= 0) {
            const struct ck_task *t = &u->task[s->f.when_on];
            const struct ck_station *o = ck_get(&c->stations, r->first + (uint32_t)s->f.when_on);
            for (; o && o->f.review && t->state == CK_SKIPPED; o = ck_get(&c->stations, r->first + o->f.review - 1))
                t = &u->task[o->f.review - 1]; /* what passes a review by passes with its work */
            const struct ck_assignment *a = t->state == CK_DONE ? ck_get(&c->assignments, t->winner) : NULL;
            wanted = a && a->route == s->f.when_is;
        }
        if (s->f.review && u->task[s->f.review - 1].state == CK_SKIPPED)
            wanted = false; /* there is no work */
        else if (s->f.review && u->task[s->f.review - 1].round)
            wanted = true; /* what was sent back is looked at again */
        bool skipped = u->task[i].state == CK_SKIPPED, blocked = u->task[i].state == CK_BLOCKED;
        if (u->task[i].state != CK_ENDED && (turn == blocked || (turn && skipped == wanted)))
            ck_verdict(c, WRONG_STATE,
                       "run %" PRIu64
                       " unit %zu station index %u: its turn %s come, its condition is %s, and it is in state %u",
                       r->id, unit, i, turn ? "has" : "has not", wanted ? "true" : "false", u->task[i].state);
    }
}

uint32_t ck_answers(const struct checker *c, const struct ck_task *t, const struct ck_assignment **v, uint32_t most,
                    uint32_t *all)
{
    uint32_t n = 0, passed = 0;
    for (const struct ck_assignment *a = ck_get(&c->assignments, t->newest); a && n < most;
         a = ck_get(&c->assignments, a->prev), passed++) {
        uint32_t k = n;
        if (a->state != CK_COUNTED)
            continue;
        for (n++; k && v[k - 1]->result > a->result; k--)
            v[k] = v[k - 1];
        v[k] = a;
    }
    if (all)
        *all = passed;
    return n;
}

/* A task that was decided: after the routes of its answers, in the order in which they counted, the right one leads, and nobody was asked who need not
 * have been. */
static void judge_agreement(struct checker *c, const struct ck_run *r, size_t unit)
{
    for (uint32_t i = 0; i < r->stations; i++) {
        const struct fact *s = ck_copies(c, r->first + i);
        const struct ck_task *t = &r->unit[unit - 1]->task[i];
        const struct ck_assignment *v[64];
        uint32_t n, votes[3] = { 0 }, lead = 0, beyond = 0, told;
        if (!s || t->state != CK_DONE || s->ties >= TIES_ENTRIES)
            continue;
        n = ck_answers(c, t, v, 64, &told);
        if (told > STORY_ASSIGNMENTS_MAX) /* what some of them said is not told */
            continue;
        bool tie = false, right = n >= s->copies_min;
        for (uint32_t k = 0; k < n; k++) {
            votes[v[k]->route % 3]++;
            lead = tie = 0;
            for (uint32_t w = 0; w < 3; w++)
                lead = votes[w] > lead ? votes[w] : lead;
            for (uint32_t w = 0, leaders = 0; w < 3; w++)
                tie = (leaders += votes[w] == lead) > 1;
            if (k + 1 >= s->copies_min && k + 1 < n && !(tie && (s->ties == TIES_MORE || s->ties == TIES_FAIL)))
                beyond++; /* it was decided, and yet another answered */
        }
        const struct ck_assignment *w = ck_get(&c->assignments, t->winner);
        if (s->ties == TIES_ALL)
            right = right && n == s->copies_min && t->votes == n && w == v[n - 1];
        else if (right) {
            uint32_t first = 0; /* of the leading answers, the one that came first */
            while (votes[v[first]->route % 3] != lead)
                first++;
            right = t->votes == lead && w == v[first] &&
                    (!tie || s->ties == TIES_FIRST || (s->ties == TIES_MORE && n >= s->copies_max));
        }
        if (!right)
            ck_verdict(c, WRONG_STATE,
                       "run %" PRIu64 " unit %zu station index %u: of %u answers (x %u, y %u, z %u) assignment %" PRIu64
                       " leads with %u votes",
                       r->id, unit, i, n, votes[0], votes[1], votes[2], t->winner, t->votes);
        if (beyond && s->ties != TIES_ALL && !t->voided)
            ck_verdict(c, OVER_ASKED, "run %" PRIu64 " unit %zu station index %u: %u answers beyond what decided it",
                       r->id, unit, i, beyond);
    }
}

/* Rows of a producer that numbers them lie in their order. */
static void judge_order(struct checker *c, const struct ck_run *r)
{
    struct {
        uint64_t producer, row;
    } last[64];
    size_t n = 0;
    for (size_t k = 0; k < r->units; k++) {
        const struct ck_row *w = ck_get(&c->rows, r->unit[k]->row);
        size_t i = 0;
        if (!w || !w->producer)
            continue;
        while (i < n && last[i].producer != w->producer)
            i++;
        if (i == n && n < 64)
            last[n++].producer = w->producer;
        else if (i < n && last[i].row >= r->unit[k]->row)
            ck_verdict(c, FIFO,
                       "run %" PRIu64 " unit %zu: row %" PRIu64 " lies behind row %" PRIu64 " of the same producer",
                       r->id, k + 1, r->unit[k]->row, last[i].row);
        if (i < n)
            last[i].row = r->unit[k]->row;
    }
}

/* What is done is handed out, by the run and by each of its stations; what a tournament did, by its jury. */
static void judge_drain(struct checker *c, const struct ck_run *r, size_t unit)
{
    const struct ck_unit *u = r->unit[unit - 1];
    if (u->state == 1 && !u->handed_out)
        ck_verdict(c, LOST, "run %" PRIu64 " unit %zu is done, and is not handed out", r->id, unit);
    for (uint32_t i = 0; i < r->stations; i++) {
        const struct fact *copies = ck_copies(c, r->first + i);
        if (u->task[i].state == CK_DONE && !u->task[i].handed_out && !(copies && copies->ties == TIES_ENTRIES))
            ck_verdict(c, LOST, "run %" PRIu64 " unit %zu station index %u is done, and is not handed out", r->id, unit,
                       i);
    }
}

/* A run that nobody deleted is there, if something of it was acknowledged; where it is, so are its rows. */
static void judge_rows(struct checker *c)
{
    for (size_t i = 0; i < c->rows.cap; i++) {
        const struct ck_row *w = c->rows.v[i].p;
        struct ck_run *r = w ? ck_get(&c->runs, w->run) : NULL;
        if (!w || !w->acked || w->found)
            continue;
        if (!r || r->told || r->units == 0) {
            ck_verdict(c, LOST, "run %" PRIu64 " unit %" PRIu64 ": row %" PRIu64 " was acknowledged, and is not there",
                       w->run, w->unit, c->rows.v[i].key);
        } else if (c->all_told && r->state != RUN_IS_DELETED && !r->gone) {
            ck_verdict(c, LOST, "run %" PRIu64 " unit %" PRIu64 " was acknowledged: the run is not there", r->id,
                       w->unit);
            r->gone = true;
        }
    }
}

void checker_missing(struct checker *c)
{
    judge_rows(c);
    for (size_t i = 0; i < c->runs.cap; i++) {
        const struct ck_run *r = c->runs.v[i].p;
        for (size_t k = 0; r && r->told && k < r->units; k++) {
            beyond_story(c, r, k + 1);
            if (!r->unit[k]->told)
                ck_verdict(c, LOST, "run %" PRIu64 " unit %zu is not there any more", r->id, k + 1);
            else if (c->all_told)
                judge_drain(c, r, k + 1);
        }
    }
    for (size_t i = 0; i < c->assignments.cap; i++) {
        const struct ck_assignment *a = c->assignments.v[i].p;
        const struct ck_run *r = a && a->run ? ck_get(&c->runs, a->run) : NULL;
        if (r && r->told && !a->told && !ck_is_gold(a->unit))
            ck_verdict(c, LOST, "assignment %" PRIu64 " of run %" PRIu64 " unit %" PRIu64 " is in no story",
                       c->assignments.v[i].key, a->run, a->unit);
        if (a && ck_is_gold(a->unit) && a->acked == 1 && a->state != CK_COUNTED)
            ck_verdict(c, LOST,
                       "the answer to a control task under assignment %" PRIu64 " was acknowledged, and does not count",
                       c->assignments.v[i].key);
    }
}

void checker_end(struct checker *c)
{
    checker_missing(c);
    for (size_t i = 0; i < c->runs.cap; i++) {
        const struct ck_run *r = c->runs.v[i].p;
        if (!r || !r->told)
            continue;
        for (size_t k = 0; k < r->units; k++) {
            if (r->unit[k]->told)
                judge_route(c, r, k + 1), judge_agreement(c, r, k + 1), ck_judge_contest(c, r, k + 1);
            if (!r->unit[k]->state)
                ck_verdict(c, UNFINISHED, "run %" PRIu64 " unit %zu has not come to an end", r->id, k + 1);
        }
        judge_order(c, r);
    }
    for (size_t i = 0; i < c->assignments.cap; i++) {
        const struct ck_assignment *a = c->assignments.v[i].p;
        if (a && a->acked && !a->run)
            ck_verdict(c, UNEXPECTED, "a result under assignment %" PRIu64 " was acknowledged; it was never given",
                       c->assignments.v[i].key);
        if (a && a->kept && !a->came)
            ck_verdict(c, LOST, "the result of assignment %" PRIu64 " was kept by its agent, and was never handed in",
                       c->assignments.v[i].key);
    }
}
