/* A store that was put back from a backup: the model as it was when the copy was made, and what is known all the same. Kept from then: what events told, what was acknowledged.
 * Known still: every row that was ever sent and every result (they may be under way, or be sent again), and which assignment numbers the lost store gave: none of them
 * may be given again. What was acknowledged after the copy is lost, and may be. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/checker_model.h"

static void *copied(const void *p, size_t n)
{
    void *q = ck_must(malloc(n ? n : 1));
    if (n)
        memcpy(q, p, n);
    return q;
}

/* Entries of `size`; `deep` copies what they point to. */
static struct table table_copy(const struct table *t, size_t size, void (*deep)(void *))
{
    struct table to = { .cap = t->cap, .n = t->n };
    if (t->cap)
        to.v = copied(t->v, t->cap * sizeof *t->v);
    for (size_t i = 0; i < t->cap; i++)
        if (t->v[i].p) {
            to.v[i].p = copied(t->v[i].p, size);
            if (deep)
                deep(to.v[i].p);
        }
    return to;
}

static void run_deep(void *p)
{
    struct ck_run *r = p;
    r->unit = copied(r->unit, r->unit_cap * sizeof *r->unit);
    for (size_t i = 0; i < r->units; i++)
        r->unit[i] = copied(r->unit[i], sizeof(struct ck_unit) + r->stations * sizeof(struct ck_task));
    for (size_t i = 0; i < CHECKER_STATIONS_MAX; i++)
        r->fifo[i].unit = copied(r->fifo[i].unit, r->fifo[i].cap * sizeof *r->fifo[i].unit);
}

static void assignment_deep(void *p)
{
    struct ck_assignment *a = p;
    a->sent = copied(a->sent, a->sent_cap * sizeof *a->sent);
}

static void shift_deep(void *p)
{
    struct ck_shift *s = p;
    s->times = copied(s->times, (s->n + 1) * sizeof *s->times);
}

static void measures_deep(void *p)
{
    struct ck_measures *all = p;
    for (int i = 0; i < CK_MEASURED; i++)
        all->of[i].v = copied(all->of[i].v, all->of[i].cap * sizeof *all->of[i].v);
}

static void model_copy(struct checker *to, const struct checker *c)
{
    *to = *c;
    to->sessions = table_copy(&c->sessions, sizeof(struct ck_session), NULL);
    to->stations = table_copy(&c->stations, sizeof(struct ck_station), NULL);
    to->workers = table_copy(&c->workers, sizeof(struct ck_worker), NULL);
    to->shifts = table_copy(&c->shifts, sizeof(struct ck_shift), shift_deep);
    to->hubs = table_copy(&c->hubs, sizeof(struct ck_hub), NULL);
    to->lines = table_copy(&c->lines, sizeof(struct ck_line), NULL);
    to->runs = table_copy(&c->runs, sizeof(struct ck_run), run_deep);
    to->rows = table_copy(&c->rows, sizeof(struct ck_row), NULL);
    to->assignments = table_copy(&c->assignments, sizeof(struct ck_assignment), assignment_deep);
    to->grants = table_copy(&c->grants, sizeof(struct ck_grant), NULL);
    to->subscribers = table_copy(&c->subscribers, sizeof(struct ck_subscriber), NULL);
    to->limits = table_copy(&c->limits, sizeof(struct ck_limit), NULL);
    to->days = table_copy(&c->days, sizeof(struct ck_shift), shift_deep);
    to->counts = table_copy(&c->counts, sizeof(struct ck_count), NULL);
    to->gold = table_copy(&c->gold, sizeof(struct ck_gold), NULL);
    to->standings = table_copy(&c->standings, sizeof(struct ck_standing), NULL);
    to->skills = table_copy(&c->skills, sizeof(struct ck_skill), NULL);
    to->measures = table_copy(&c->measures, sizeof(struct ck_measures), measures_deep);
    to->bars = table_copy(&c->bars, sizeof(struct ck_station), NULL);
    to->pair = copied(c->pair, c->pair_cap * sizeof *c->pair);
    for (size_t i = 0; i < c->pairs; i++) {
        to->pair[i].a = ck_get(&to->runs, c->pair[i].a->id);
        to->pair[i].b = ck_get(&to->runs, c->pair[i].b->id);
    }
    to->lost = copied(c->lost, c->lost_cap * sizeof *c->lost);
    to->body = copied(c->body, c->bodies * sizeof *c->body);
    to->body_cap = c->bodies;
    to->in_step = (struct ck_in_step){ 0 };
    to->waits = NULL;
    to->waits_n = to->waits_cap = 0;
}

struct checker *checker_keep(const struct checker *c)
{
    struct checker *kept = ck_must(malloc(sizeof *kept));
    model_copy(kept, c);
    return kept;
}

static void rows_go_back(struct checker *to, struct checker *lost)
{
    for (size_t i = 0; i < lost->rows.cap; i++) {
        const struct ck_row *w = lost->rows.v[i].p;
        if (w && !ck_get(&to->rows, lost->rows.v[i].key)) {
            struct ck_row *now = ck_make(&to->rows, lost->rows.v[i].key, sizeof *now);
            *now = *w;
            now->acked = false;
            now->unit = now->found = 0;
        }
    }
}

static void results_go_back(struct checker *to, struct checker *lost)
{
    for (size_t i = 0; i < to->assignments.cap; i++) {
        struct ck_assignment *a = to->assignments.v[i].p;
        const struct ck_assignment *was = a ? ck_get(&lost->assignments, to->assignments.v[i].key) : NULL;
        if (!was)
            continue;
        a->kept = was->came ? 0 : was->kept; /* else its agent has forgotten it, as it may */
        free(a->sent);
        a->sent = copied(was->sent, was->sent_cap * sizeof *was->sent);
        a->sents = was->sents;
        a->sent_cap = was->sent_cap;
        a->bad_sent = was->bad_sent;
    }
}

/* What it had given after the copy, or since it was put back itself. */
static void numbers_go_back(struct checker *to, const struct checker *lost)
{
    uint64_t first = to->newest_assignment + 1 > lost->own_first ? to->newest_assignment + 1 : lost->own_first;
    free(to->lost);
    to->lost = copied(lost->lost, lost->lost_cap * sizeof *lost->lost);
    to->lost_n = lost->lost_n;
    to->lost_cap = lost->lost_cap;
    if (!lost->goes_on && first <= lost->newest_assignment) {
        to->lost = ck_more(to->lost, &to->lost_cap, to->lost_n, sizeof *to->lost);
        to->lost[to->lost_n++] = (struct ck_range){ first, lost->newest_assignment };
    }
    to->goes_on = true;
}

void checker_go_back(struct checker *c, const struct checker *kept)
{
    struct checker to;
    model_copy(&to, kept);
    rows_go_back(&to, c);
    results_go_back(&to, c);
    numbers_go_back(&to, c);
    to.step = c->step;
    to.moved = c->moved;
    to.sums = c->sums;
    to.story = c->story;
    memcpy(to.count, c->count, sizeof to.count);
    memcpy(to.text, c->text, sizeof to.text);
    ck_model_free(c);
    *c = to;
}

static const struct ck_range *lost_at(const struct checker *c, uint64_t assignment)
{
    for (size_t i = 0; i < c->lost_n; i++)
        if (c->lost[i].first <= assignment && assignment <= c->lost[i].last)
            return &c->lost[i];
    return NULL;
}

void ck_number_given(struct checker *c, const struct fact *f)
{
    const struct ck_range *lost = lost_at(c, f->assignment);
    if (lost)
        ck_verdict(c, GIVEN_TWICE,
                   "event %" PRIu64 ": assignment %" PRIu64 ": a store that was lost gave numbers from %" PRIu64
                   " to %" PRIu64,
                   f->seq, f->assignment, lost->first, lost->last);
    if (c->goes_on && f->assignment > c->newest_assignment) { /* the first of a store that was put back leaves a hole */
        c->own_first = f->assignment;
        c->newest_assignment = f->assignment - 1;
    }
    c->goes_on = false;
}

bool checker_lost(const struct checker *c, uint64_t assignment)
{
    return lost_at(c, assignment) != NULL;
}
