/* The checker: its tables, and what the world did. See checker.h. The model is moved in checker_events.c, judged in
 * checker_judge.c and checker_end.c. */
#include "tests/sim/checker.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "proto/codec.h"
#include "tests/sim/checker_model.h"

const char *verdict_name(enum verdict v)
{
    static const char *const name[VERDICTS] = {
        [LOST] = "lost",
        [UNEXPECTED] = "unexpected",
        [DUPLICATED] = "duplicated",
        [DOUBLE_ACCEPT] = "double_accept",
        [GIVEN_TWICE] = "given_twice",
        [STALE_ACCEPTED] = "stale_token_accepted",
        [BYTES_DIFFER] = "bytes_differ",
        [FIFO] = "fifo",
        [FAIRNESS] = "fairness",
        [EVENT_GAP] = "event_gap",
        [COUNTERS] = "counters",
        [NOT_ELIGIBLE] = "not_eligible",
        [OVER_ASKED] = "over_asked",
        [VOID_COUNTS] = "void_counts",
        [CREDIT_NEGATIVE] = "credit_negative",
        [OVER_LIMIT] = "over_limit",
        [WRONG_STATE] = "wrong_state",
        [TOO_EARLY] = "too_early",
        [UNFINISHED] = "unfinished",
    };
    return name[v];
}

void ck_verdict(struct checker *c, enum verdict v, const char *fmt, ...)
{
    char text[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (!c->count[v]++)
        snprintf(c->text[v], sizeof c->text[v], "%s", text);
    if (c->story && c->count[v] <= 20)
        fprintf(c->story, "VERDICT %s: %s\n", verdict_name(v), text);
}

/* ---- tables ---- */

void *ck_get(const struct table *t, uint64_t key)
{
    for (size_t i = key * 0x9e3779b97f4a7c15ull >> 20; t->cap; i++) {
        const struct slot *s = &t->v[i & (t->cap - 1)];
        if (!s->p)
            return NULL;
        if (s->key == key)
            return s->p;
    }
    return NULL;
}

void *ck_must(void *p)
{
    if (!p) {
        fprintf(stderr, "checker: out of memory\n");
        abort();
    }
    return p;
}

static void put(struct table *t, uint64_t key, void *p)
{
    if ((t->n + 1) * 2 > t->cap) {
        struct table big = { .cap = t->cap ? t->cap * 2 : 64 };
        big.v = ck_must(calloc(big.cap, sizeof *big.v));
        for (size_t i = 0; i < t->cap; i++)
            if (t->v[i].p)
                put(&big, t->v[i].key, t->v[i].p);
        free(t->v);
        *t = big;
    }
    size_t i = key * 0x9e3779b97f4a7c15ull >> 20;
    while (t->v[i & (t->cap - 1)].p)
        i++;
    t->v[i & (t->cap - 1)] = (struct slot){ key, p };
    t->n++;
}

/* Find, or make it, zeroed. */
void *ck_make(struct table *t, uint64_t key, size_t size)
{
    void *p = ck_get(t, key);
    if (!p)
        put(t, key, p = ck_must(calloc(1, size)));
    return p;
}

static void table_free(struct table *t, void (*end)(void *))
{
    for (size_t i = 0; i < t->cap; i++)
        if (t->v[i].p) {
            if (end)
                end(t->v[i].p);
            free(t->v[i].p);
        }
    free(t->v);
}

void *ck_more(void *p, size_t *cap, size_t n, size_t size)
{
    if (n < *cap)
        return p;
    size_t was = *cap;
    *cap = was ? was * 2 : 16;
    p = ck_must(realloc(p, *cap * size));
    memset((char *)p + was * size, 0, (*cap - was) * size);
    return p;
}

struct checker *checker_new(FILE *story)
{
    struct checker *c = ck_must(calloc(1, sizeof *c));
    c->story = story;
    c->step = 1;
    return c;
}

void checker_patience(struct checker *c, int64_t us)
{
    c->patience_us = us;
}

void checker_quiet(struct checker *c)
{
    c->story = NULL;
}

static void run_end(void *p)
{
    struct ck_run *r = p;
    for (size_t i = 0; i < r->units; i++)
        free(r->unit[i]);
    free(r->unit);
    for (size_t i = 0; i < CHECKER_STATIONS_MAX; i++)
        free(r->fifo[i].unit);
}

static void assignment_end(void *p)
{
    free(((struct ck_assignment *)p)->sent);
}

static void shift_end(void *p)
{
    free(((struct ck_shift *)p)->times);
}

void ck_model_free(struct checker *c)
{
    table_free(&c->stations, NULL);
    table_free(&c->workers, NULL);
    table_free(&c->shifts, shift_end);
    table_free(&c->hubs, NULL);
    table_free(&c->lines, NULL);
    table_free(&c->runs, run_end);
    table_free(&c->rows, NULL);
    table_free(&c->assignments, assignment_end);
    table_free(&c->gold, NULL);
    table_free(&c->standings, NULL);
    table_free(&c->skills, NULL);
    table_free(&c->grants, NULL);
    table_free(&c->sessions, NULL);
    table_free(&c->subscribers, NULL);
    table_free(&c->limits, NULL);
    table_free(&c->days, shift_end);
    table_free(&c->counts, NULL);
    table_free(&c->measures, ck_measures_end);
    table_free(&c->bars, NULL);
    free(c->in_step.touched);
    free(c->in_step.ruled);
    free(c->in_step.doubts);
    free(c->lost);
    free(c->waits);
    free(c->in_step.firsts);
    free(c->in_step.gave);
    free(c->pair);
    free(c->body);
}

void checker_free(struct checker **pc)
{
    if (*pc)
        ck_model_free(*pc);
    free(*pc);
    *pc = NULL;
}

const struct fact *checker_station(const struct checker *c, uint64_t station)
{
    const struct ck_station *s = ck_get(&c->stations, station);
    return s ? &s->f : NULL;
}

uint64_t checker_count(const struct checker *c, enum verdict v)
{
    return c->count[v];
}
const char *checker_first(const struct checker *c, enum verdict v)
{
    return c->text[v];
}
struct checker_sums checker_sums(const struct checker *c)
{
    return c->sums;
}

uint64_t checker_total(const struct checker *c)
{
    uint64_t n = 0;
    for (int v = 0; v < VERDICTS; v++)
        n += c->count[v];
    return n;
}

uint64_t ck_hub_of(const struct checker *c, uint64_t session)
{
    const struct ck_session *k = ck_get(&c->sessions, session);
    return k ? k->hub : 0;
}

/* ---- what the world did ---- */

static void new_run(struct checker *c, const struct fact *f)
{
    const struct ck_station *s = ck_get(&c->stations, f->station);
    if (ck_get(&c->runs, f->run) || !s)
        return;
    struct ck_run *r = ck_make(&c->runs, f->run, sizeof *r);
    *r = (struct ck_run){
        .id = f->run, .first = f->station, .stations = s->f.stations, .line = s->f.line, .priority = (uint8_t)f->count
    };
    bool alike = r->stations == 1 && !s->f.copies_max; /* with copies a task that is ready may be nobody's */
    for (size_t i = 0; alike && i < c->runs.cap; i++) {
        struct ck_run *o = c->runs.v[i].p;
        if (!o || o == r || o->first != r->first)
            continue;
        c->pair = ck_more(c->pair, &c->pair_cap, c->pairs, sizeof *c->pair);
        c->pair[c->pairs++] = (struct ck_pair){ .a = o, .b = r };
    }
}

static void row_sent(struct checker *c, const struct fact *f)
{
    struct ck_row *w = ck_get(&c->rows, f->row);
    if (w && w->run != f->run && !ck_get(&c->runs, w->run))
        w->run = f->run; /* its run was lost with its store, and is begun again */
    if (w)
        return; /* sent again */
    w = ck_make(&c->rows, f->row, sizeof *w);
    *w = (struct ck_row){ .run = f->run, .digest = f->digest, .producer = f->flag ? f->worker : 0, .route = f->route };
    c->sums.rows_sent++;
}

static void row_acked(struct checker *c, const struct fact *f)
{
    struct ck_row *w = ck_get(&c->rows, f->row);
    if (!w) {
        ck_verdict(c, UNEXPECTED, "row %" PRIu64 " was acknowledged and never sent", f->row);
        return;
    }
    c->sums.rows_acked += !w->acked;
    w->acked = true;
    if (f->unit && w->unit && w->unit != f->unit)
        ck_verdict(c, DUPLICATED, "row %" PRIu64 " was acknowledged as unit %" PRIu64 " and as unit %" PRIu64, f->row,
                   w->unit, f->unit);
    if (f->unit)
        w->unit = f->unit;
}

/* Whoever is not told of again has left: he may be given nothing, and must sign in anew when he comes back. */
static void roster(struct checker *c, const struct fact *f)
{
    uint64_t hub = ck_hub_of(c, f->session);
    for (size_t i = 0; i < c->workers.cap; i++) {
        struct ck_worker *w = c->workers.v[i].p;
        if (w && w->f.hub == hub) {
            if (w->on) /* by where he was, before he may go; and, when he is told, by where he is */
                ck_days_settle(c, w, f->wall);
            w->was_on = w->on;
            w->on = false;
        }
    }
}

/* Whoever is told so twice by one agent has done it twice: the first is gone, though something else may come under its number. */
static void kept(struct checker *c, const struct fact *f)
{
    struct ck_assignment *a =
        f->flag ? ck_make(&c->assignments, f->assignment, sizeof *a) : ck_get(&c->assignments, f->assignment);
    if (!a)
        return;
    if (f->flag && a->kept == f->index + 1 && !a->came)
        ck_verdict(c, LOST, "the result of assignment %" PRIu64 " was kept by its agent, and is done again",
                   f->assignment);
    a->kept = f->flag ? f->index + 1 : 0;
}

static void submit_sent(struct checker *c, const struct fact *f)
{
    struct ck_assignment *a = ck_make(&c->assignments, f->assignment, sizeof *a);
    a->sent = ck_more(a->sent, &a->sent_cap, a->sents, sizeof *a->sent);
    a->sent[a->sents++] = (struct ck_sent){ f->digest, f->result, f->route, !f->flag };
    a->entry = f->result; /* of several, its story says which; but that tells the newest hundred of a task only */
    c->sums.results_sent++;
}

static void grant(struct checker *c, const struct fact *f)
{
    struct ck_worker *w = ck_get(&c->workers, f->worker);
    const struct ck_hub *h = w ? ck_get(&c->hubs, w->f.hub) : NULL;
    if (!h || h->session != f->session)
        return; /* of a session that is over: it must change nothing */
    struct ck_grant *g = ck_make(&c->grants, f->session * 0x1000003 ^ f->worker, sizeof *g);
    if (f->count > g->total)
        g->total = f->count;
    if (w->session != f->session)
        w->sent = 0;
    w->session = f->session;
    w->signed_in = true;
}

static void session(struct checker *c, const struct fact *f)
{
    struct ck_hub *h = ck_make(&c->hubs, f->hub, sizeof *h);
    struct ck_session *k = ck_make(&c->sessions, f->session, sizeof *k);
    k->hub = f->hub;
    h->connected = f->flag;
    if (f->flag && h->session != f->session) {
        h->session = f->session;
        h->clock_off = false;
    }
}

static void hub_clock(struct checker *c, const struct fact *f)
{
    struct ck_hub *h = ck_get(&c->hubs, ck_hub_of(c, f->session));
    if (!h || h->session != f->session || h->clock_off == f->flag)
        return;
    h->clock_off = f->flag;
    c->news = c->step;
}

static void event_in_order(struct checker *c, const struct fact *f)
{
    if (f->seq != c->newest_event + 1 && f->seq != c->newest_event) /* one event makes several facts */
        ck_verdict(c, EVENT_GAP, "event %" PRIu64 " follows %" PRIu64, f->seq, c->newest_event);
    c->sums.events += f->seq != c->newest_event;
    c->newest_event = f->seq;
    struct ck_run *r = ck_get(&c->runs, f->run);
    if (r)
        r->newest_event = f->seq;
    if (f->hub)
        ((struct ck_hub *)ck_make(&c->hubs, f->hub, sizeof(struct ck_hub)))->newest_event = f->seq;
    if (r || f->line)
        ((struct ck_line *)ck_make(&c->lines, r ? r->line : f->line, sizeof(struct ck_line)))->newest_event = f->seq;
    if (f->at < c->at)
        ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": elapsed time goes back by %" PRId64 " us", f->seq,
                   c->at - f->at);
    if (f->at > c->at)
        c->at = f->at;
}

/* In words what PROTOCOL.md and docs/events.md number; where there is none, nothing. */
static const char *word_of(const struct fact *f, const char *key)
{
    static const char *const why[] = { "new",
                                       "an upstream station was done",
                                       "a delay was over",
                                       "released",
                                       "declined",
                                       "expired",
                                       "failed",
                                       "requeued",
                                       "recalled",
                                       "buried",
                                       "dropped",
                                       "another answer was wanted",
                                       "a review sent it back",
                                       "not its author's alone any more",
                                       [READY_FOR_SOMEBODY] = "somebody has come who may do it",
                                       [17] = "suspended" };
    static const char *const dead[] = { "attempts used up",
                                        "buried",
                                        "it cannot be shown",
                                        "the answers do not agree",
                                        "rejected to the last",
                                        [PARKED_FOR_NOBODY] = "nobody is left",
                                        "nobody is left for the jury",
                                        "whoever is left is kept out" };
    static const char *const run[] = { "open", "closed", "done", "cancelled", "being deleted" };
    static const char *const line[] = { "active", "paused", "deleted" };
#define WORD(table, n) ((n) < sizeof(table) / sizeof *(table) ? (table)[n] : NULL)
    if (!strcmp(key, "why"))
        return f->kind == FACT_DEAD ? WORD(dead, f->why) : WORD(why, f->why);
    if (!strcmp(key, "state"))
        return f->kind == FACT_RUN_STATE    ? WORD(run, f->state)
               : f->kind == FACT_LINE_STATE ? WORD(line, f->state)
                                            : NULL;
#undef WORD
    return NULL;
}

/* The story's line for what the broker did. */
static void tell(const struct checker *c, const struct fact *f)
{
    static const char *const act[] = { "start", "touch", "release", "decline", "fail", "bury", "submit" };
    static const char *const name[] = { [FACT_BOOT] = "the broker begins",
                                        [FACT_SESSION] = "session",
                                        [FACT_RUN_STATE] = "run's state",
                                        [FACT_STATION_STATE] = "station's state",
                                        [FACT_LINE_STATE] = "line's state",
                                        [FACT_UNITS_ADDED] = "added",
                                        [FACT_READY] = "ready",
                                        [FACT_WAITING] = "waiting",
                                        [FACT_SKIPPED] = "skipped",
                                        [FACT_ASSIGNED] = "assigned",
                                        [FACT_STARTED] = "started",
                                        [FACT_RETURNED] = "returned",
                                        [FACT_SUBMITTED] = "submitted",
                                        [FACT_TASK_DONE] = "task done",
                                        [FACT_REVIEWED] = "reviewed",
                                        [FACT_BLOCKED] = "blocked",
                                        [FACT_STANDING] = "standing",
                                        [FACT_SKILL] = "skill",
                                        [FACT_VOID] = "void",
                                        [FACT_DEAD] = "dead",
                                        [FACT_UNIT_DONE] = "unit done",
                                        [FACT_DROPPED] = "dropped",
                                        [FACT_STEP] = NULL };
    const char *const key[] = { "run", "unit",    "station", "assignment", "worker",
                                "hub", "session", "why",     "state",      "line" };
    const uint64_t value[] = { f->run, f->unit,    f->station, f->assignment, f->worker,
                               f->hub, f->session, f->why,     f->state,      f->line };
    if (f->kind == FACT_ACT && f->act < 7)
        fprintf(c->story, "               worker %" PRIu64 "'s %s under assignment %" PRIu64 " is answered with %s\n",
                f->worker, act[f->act], f->assignment, f->code ? slp_error_name(f->code) : "OK");
    if ((size_t)f->kind >= sizeof name / sizeof *name || !name[f->kind])
        return;
    fprintf(c->story, "               event %" PRIu64 ": %s", f->seq, name[f->kind]);
    for (size_t i = 0; i < sizeof value / sizeof *value; i++)
        if (value[i]) {
            const char *word = word_of(f, key[i]);
            fprintf(c->story, word ? " %s %" PRIu64 " (%s)" : " %s %" PRIu64, key[i], value[i], word);
        }
    if (f->kind == FACT_RUN_STATE)
        fprintf(c->story, " priority %" PRIu64 "%s\n", f->count, f->flag ? ", paused" : "");
    else
        fprintf(c->story, "%s\n", f->flag ? ", yes" : "");
}

void checker_feed(struct checker *c, const struct fact *f)
{
    c->sums.facts++;
    if (c->story)
        tell(c, f);
    if (f->kind != FACT_STEP && f->kind != FACT_HUB_CLOCK)
        c->news = c->step;
    if (f->kind >= FACT_EVENT && f->kind < FACT_STEP)
        event_in_order(c, f);
    if (ck_event(c, f))
        return;
    switch (f->kind) {
    case FACT_STATION:
        ((struct ck_station *)ck_make(&c->stations, f->station, sizeof(struct ck_station)))->f = *f;
        ck_limit_told(c, f);
        ck_bar_told(c, f);
        c->stirred_at = c->at;
        break;
    case FACT_WORKER: {
        struct ck_worker *w = ck_make(&c->workers, f->worker, sizeof *w);
        uint64_t hub = ck_hub_of(c, f->session);
        bool came = !w->was_on || w->f.hub != hub;
        w->f = *f;
        w->f.hub = hub;
        ck_days_settle(c, w, f->wall);
        if (came) { /* his agent had forgotten him, or it is another: credit begins at nothing */
            struct ck_grant *g = ck_get(&c->grants, f->session * 0x1000003 ^ f->worker);
            w->signed_in = false;
            w->sent = 0;
            if (g)
                g->total = 0;
        }
        w->on = w->was_on = true;
        w->told_anew = c->step;
        break;
    }
    case FACT_ROSTER: roster(c, f); break;
    case FACT_SHIFT: {
        struct ck_shift *s = ck_make(&c->shifts, f->digest ^ ck_hub_of(c, f->session) * 0x1000003, sizeof *s);
        free(s->times);
        s->n = (size_t)f->count;
        s->times = ck_must(malloc((s->n + 1) * sizeof *s->times));
        memcpy(s->times, f->times, s->n * sizeof *s->times);
        break;
    }
    case FACT_DAYS: ck_days_told(c, f); break;
    case FACT_CLOCK:
        c->moved += f->wall < 0 ? -f->wall : f->wall;
        c->stirred_at = c->at;
        table_free(&c->counts, NULL);
        c->counts = (struct table){ 0 };
        break;
    case FACT_HUB_CLOCK: hub_clock(c, f); break;
    case FACT_FULL: c->full = f->flag; break;
    case FACT_RUN: new_run(c, f); break;
    case FACT_ROW_SENT: row_sent(c, f); break;
    case FACT_ROW_ACKED: row_acked(c, f); break;
    case FACT_SUBMIT_SENT: submit_sent(c, f); break;
    case FACT_BAD_SENT:
        ((struct ck_assignment *)ck_make(&c->assignments, f->assignment, sizeof(struct ck_assignment)))->bad_sent =
            true;
        break;
    case FACT_KEPT: kept(c, f); break;
    case FACT_ACT: ck_act(c, f); break;
    case FACT_GRANT: grant(c, f); break;
    case FACT_SIGN_OFF: {
        struct ck_worker *w = ck_get(&c->workers, f->worker);
        if (w && w->session == f->session)
            w->signed_in = false;
        break;
    }
    case FACT_SEEN: ck_seen(c, f); break;
    case FACT_EVENT: break;
    case FACT_BOOT:
        c->full = false;
        for (size_t i = 0; i < c->hubs.cap; i++)
            if (c->hubs.v[i].p)
                ((struct ck_hub *)c->hubs.v[i].p)->session = 0;
        break;
    case FACT_SESSION: session(c, f); break;
    case FACT_LINE_STATE: {
        struct ck_line *l = ck_make(&c->lines, f->line, sizeof *l);
        l->state = f->state;
        l->told_anew = c->step;
        break;
    }
    case FACT_STATION_STATE: {
        struct ck_line *l = ck_make(&c->lines, f->line, sizeof *l);
        l->paused = f->flag ? l->paused | 1u << f->index : l->paused & ~(1u << f->index);
        l->told_anew = c->step;
        break;
    }
    case FACT_STANDING: ck_standing_told(c, f); break;
    case FACT_GOLD: ck_gold_told(c, f); break;
    case FACT_SKILL: ck_skill_told(c, f); break;
    case FACT_STEP: ck_step_over(c, f); break;
    case FACT_BODY:
    case FACT_SUBSCRIBER:
    case FACT_GONE:
    case FACT_SUBSCRIBED: ck_stream(c, f); break;
    default: ck_end_fact(c, f); break;
    }
}
