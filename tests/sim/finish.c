/* The faults are over: operators put everything right, everybody works, and within a bounded time all must have come to its end. Then everything is
 * read back and told to the checker. */
#include <inttypes.h>

#include "proto/reader.h"
#include "tests/sim/sim.h"

#define PATIENCE (7 * DAY)
#define LOOK_EVERY (10 * MINUTE)
#define GIVE_UP (2 * DAY) /* what can be done is done by then */

static struct slp_bytes name_of(const char *n)
{
    return (struct slp_bytes){ n, (uint32_t)strlen(n) };
}

/* ---- putting right ---- */

/* Where each of those on whom it depends has answered, and his answer was voided by a rule, nobody can be asked: such a unit is given up. */
static void put_right(struct sim *s, bool give_up)
{
    for (uint32_t i = 0; i < s->plan.lines && s->plan.bars; i++) {
        const struct sim_variant *v = &s->line[i].v[VARIANTS_MAX];
        struct slp_line_apply q = { .definition = { v->packed, v->packed_n } };
        server_ask(s, SLP_LINE_APPLY, &q);
    }
    operator_forgives(s);
    for (uint32_t i = 0; i < s->plan.lines; i++) {
        struct slp_line_set l = { .line = name_of(s->line[i].name), .action = 1 };
        server_ask(s, SLP_LINE_SET, &l);
        for (uint32_t k = 0; k < STATIONS_MAX; k++) {
            char st[3] = { 's', (char)('0' + k), 0 };
            struct slp_station_set q = { .line = name_of(s->line[i].name), .station = name_of(st), .action = 1 };
            server_ask(s, SLP_STATION_SET, &q);
        }
    }
    for (uint32_t i = 0; i < s->plan.runs; i++) {
        struct slp_run_set q = { .run = name_of(s->producer[i].run), .action = 2 };
        server_ask(s, SLP_RUN_SET, &q);
        struct slp_run_get g = { .run = q.run };
        const struct slp_msg *m = server_ask(s, SLP_RUN_GET, &g);
        if (m->type != SLP_RUN_INFO)
            continue;
        struct slp_item_station_row row;
        uint64_t dead[STATIONS_MAX] = { 0 }, n = 0;
        for (struct slp_cursor c = slp_each(m->u.run_info.stations); slp_next_station_row(&c, &row);)
            if (row.dead)
                dead[n++] = row.station_id;
        while (n--) {
            struct slp_tasks_set t = { .station_id = dead[n], .action = 0, .run = q.run };
            SLP_SET(&t, tasks_set, run);
            m = server_ask(s, SLP_TASKS_SET, &t); /* all but what nobody may do */
            s->tally.requeued_in_calm += m->type == SLP_DONE ? m->u.done.count : 0;
            t.action = 1;
            if (give_up)
                server_ask(s, SLP_TASKS_SET, &t);
        }
    }
}

/* What is not at its end; the first of it in words. */
static bool at_end(struct sim *s, char *what, size_t size)
{
    for (uint32_t i = 0; i < s->plan.runs; i++) {
        struct producer *p = &s->producer[i];
        struct slp_run_get g = { .run = name_of(p->run) };
        if (p->state != P_OVER) {
            snprintf(what, size, "producer%u is at step %d, %" PRIu64 " of %" PRIu64 " rows acknowledged", i,
                     (int)p->state, p->acked, p->rows);
            return false;
        }
        const struct slp_msg *m = server_ask(s, SLP_RUN_GET, &g);
        struct slp_item_run_row r = { 0 };
        struct slp_cursor c = m->type == SLP_RUN_INFO ? slp_each(m->u.run_info.run) : (struct slp_cursor){ 0 };
        if (slp_next_run_row(&c, &r) && r.state < 2) {
            struct slp_item_station_row row;
            int n = snprintf(what, size, "%s: %" PRIu64 " of %" PRIu64 " units done, %" PRIu64 " dropped;", p->run,
                             r.done, r.units, r.dropped);
            for (c = slp_each(m->u.run_info.stations); slp_next_station_row(&c, &row) && n < (int)size;)
                n += snprintf(what + n, size - (size_t)n,
                              " %.*s waits %" PRIu64 " ready %" PRIu64 " assigned %" PRIu64 " started %" PRIu64
                              " dead %" PRIu64 ";",
                              (int)row.name.n, row.name.p, row.waiting, row.ready, row.assigned, row.started, row.dead);
            return false;
        }
    }
    for (uint32_t i = 0; i < s->plan.hubs; i++)
        if (!hub_idle(&s->hub[i])) {
            snprintf(what, size, "%s has results that were never acknowledged", s->hub[i].name);
            return false;
        }
    for (uint32_t i = 0; i < s->plan.watchers; i++) {
        struct fact about = watcher_about(s, i);
        uint64_t newest = checker_newest(s->checker, &about);
        if (newest >= s->watcher[i].gone && newest && s->watcher[i].seq != newest) {
            snprintf(what, size, "the subscriber of %s saw event %" PRIu64 " of %" PRIu64, s->watcher[i].stream,
                     s->watcher[i].seq, newest);
            return false;
        }
    }
    return true;
}

/* ---- reading back ---- */

static struct slp_bytes string_at(struct slr r, uint32_t pairs, const char *key)
{
    struct slr at;
    struct slr_value v;
    if (!slr_find(r, pairs, key, &at) || slr_next(&at, &v) || v.type != SLR_STR)
        return (struct slp_bytes){ "", 0 };
    return (struct slp_bytes){ v.p, v.n };
}

static uint64_t number_at(struct slr r, uint32_t pairs, const char *key)
{
    struct slr at;
    struct slr_value v;
    return slr_find(r, pairs, key, &at) && slr_next(&at, &v) == 0 && v.type == SLR_U64 ? v.u64 : 0;
}

static void story_assignment(struct sim *s, struct slr *r, struct fact f)
{
    struct slr_value v, res;
    struct slr at;
    CHECK(s, slr_next(r, &v) == 0 && v.type == SLR_MAP);
    f.kind = FACT_STORY_ASSIGNMENT;
    f.assignment = number_at(*r, v.n, "assignment");
    f.state = (uint32_t)number_at(*r, v.n, "state");
    f.why = (uint32_t)number_at(*r, v.n, "why");
    if (slr_find(*r, v.n, "result", &at) && slr_next(&at, &res) == 0 && res.type == SLR_MAP) {
        struct slp_bytes answer = string_at(at, res.n, "answer"), vote = string_at(at, res.n, "winner");
        answer = vote.n ? vote : answer;
        f.digest = digest(answer.p, answer.n);
    }
    checker_feed(s->checker, &f);
    for (uint32_t i = 0; i < 2 * v.n; i++)
        CHECK(s, slr_skip(r, 8) == 0);
}

static void story(struct sim *s, uint64_t run, uint64_t unit, struct slp_bytes packed)
{
    struct slr r = slr_on(packed.p, packed.n), at;
    struct slr_value v, m, st;
    CHECK(s, slr_next(&r, &v) == 0 && v.type == SLR_MAP);
    struct fact f = {
        .kind = FACT_STORY_UNIT, .run = run, .unit = unit, .state = (uint32_t)number_at(r, v.n, "state")
    };
    CHECK(s, slr_find(r, v.n, "input", &at) && slr_next(&at, &m) == 0 && m.type == SLR_MAP);
    struct slp_bytes text = string_at(at, m.n, "text"), route = string_at(at, m.n, "kind");
    f.row = row_of_text(text);
    f.digest = row_digest(text, route);
    checker_feed(s->checker, &f);
    CHECK(s, slr_find(r, v.n, "stations", &at) && slr_next(&at, &m) == 0 && m.type == SLR_ARRAY);
    for (uint32_t i = 0; i < m.n; i++) {
        struct slr in;
        struct slr_value list;
        CHECK(s, slr_next(&at, &st) == 0 && st.type == SLR_MAP);
        f = (struct fact){ .kind = FACT_STORY_TASK,
                           .run = run,
                           .unit = unit,
                           .index = i,
                           .state = (uint32_t)number_at(at, st.n, "state") };
        checker_feed(s->checker, &f);
        CHECK(s, slr_find(at, st.n, "assignments", &in) && slr_next(&in, &list) == 0 && list.type == SLR_ARRAY);
        for (uint32_t k = 0; k < list.n; k++)
            story_assignment(s, &in, f);
        for (uint32_t k = 0; k < 2 * st.n; k++)
            CHECK(s, slr_skip(&at, 8) == 0);
    }
}

/* An answer as it is handed out: one, or a list, or nothing. */
static void answer(struct sim *s, struct slr *r, struct fact f)
{
    struct slr_value v;
    CHECK(s, slr_next(r, &v) == 0);
    f.state = v.type == SLR_ARRAY ? v.n : 0;
    if (!f.state) {
        f.flag = v.type != SLR_STR;
        f.digest = f.flag ? 0 : digest(v.p, v.n);
        checker_feed(s->checker, &f);
    }
    for (; f.count < f.state; f.count++) {
        CHECK(s, slr_next(r, &v) == 0 && v.type == SLR_STR);
        f.digest = digest(v.p, v.n);
        checker_feed(s->checker, &f);
    }
}

#define COLUMNS_MAX 200

/* Of each column the index of the station whose answer it is, -1: it is another one. A tournament's is its jury's. */
static uint32_t columns(struct sim *s, const struct slp_output *m, const struct fact *counts, int *station)
{
    struct slp_cursor c = slp_each(m->columns);
    struct slp_bytes name;
    uint32_t n = 0;
    for (; n < COLUMNS_MAX && slp_next_str(&c, &name); n++) {
        station[n] = -1;
        if (name.n != 9 || name.p[0] != 's' || memcmp(name.p + 2, ".answer", 7))
            continue;
        const struct sim_station *st = lines_station(s, counts[name.p[1] - '0'].station);
        station[n] = st->ties == TIES_ENTRIES ? (int)st->jury : name.p[1] - '0';
    }
    return n;
}

static void output(struct sim *s, struct producer *p, const struct fact *counts, uint32_t stations)
{
    int station[COLUMNS_MAX];
    struct slp_output_get q = { .run = name_of(p->run), .limit = 50 };
    SLP_SET(&q, output_get, limit);
    SLP_SET(&q, output_get, after_unit);
    for (bool more = true; more;) {
        const struct slp_msg *m = server_read(s, SLP_OUTPUT_GET, &q);
        if (m->type != SLP_OUTPUT)
            sim_broken(s, "no output of %s", p->run);
        uint32_t n = columns(s, &m->u.output, counts, station), found = 0, named = 0;
        for (uint32_t i = 0; i < n; i++)
            found += station[i] >= 0;
        for (uint32_t i = 0; i < stations; i++)
            named += lines_station(s, counts[i].station)->ties != TIES_ENTRIES;
        CHECK(s, found == named);
        struct slp_bytes row;
        for (struct slp_cursor c = slp_each(m->u.output.rows); slp_next_raw(&c, &row);) {
            struct slr r = slr_on(row.p, row.n);
            struct slr_value v, unit, text, route;
            CHECK(s, slr_next(&r, &v) == 0 && v.n == n && v.n >= 3 && slr_next(&r, &unit) == 0 &&
                         slr_next(&r, &text) == 0 && slr_next(&r, &route) == 0);
            struct slp_bytes t = { text.p, text.n }, k = { route.p, route.n };
            checker_feed(s->checker, &(struct fact){ .kind = FACT_OUTPUT,
                                                     .run = p->run_id,
                                                     .unit = unit.u64,
                                                     .row = row_of_text(t),
                                                     .digest = row_digest(t, k) });
            for (uint32_t i = 3; i < n; i++)
                if (station[i] >= 0)
                    answer(s, &r,
                           (struct fact){ .kind = FACT_OUTPUT_ANSWER,
                                          .run = p->run_id,
                                          .unit = unit.u64,
                                          .index = (uint32_t)station[i] });
                else
                    CHECK(s, slr_skip(&r, 8) == 0);
        }
        more = m->u.output.more;
        q.after_unit = m->u.output.next_after;
    }
}

/* The answers that a station hands out, unit by unit: one, or a list. */
static void handed_out(struct sim *s, struct producer *p, uint32_t index, const char *station)
{
    struct slp_output_get q = { .run = name_of(p->run), .station = name_of(station), .limit = 50 };
    SLP_SET(&q, output_get, station);
    SLP_SET(&q, output_get, limit);
    SLP_SET(&q, output_get, after_unit);
    for (bool more = true; more;) {
        const struct slp_msg *m = server_read(s, SLP_OUTPUT_GET, &q);
        if (m->type != SLP_OUTPUT)
            sim_broken(s, "no output of %s at %s", p->run, station);
        struct slp_bytes row;
        for (struct slp_cursor c = slp_each(m->u.output.rows); slp_next_raw(&c, &row);) {
            struct slr r = slr_on(row.p, row.n);
            struct slr_value v, unit, input;
            CHECK(s, slr_next(&r, &v) == 0 && v.n >= 4 && !slr_next(&r, &unit) && !slr_next(&r, &input) &&
                         !slr_next(&r, &input));
            answer(s, &r, (struct fact){ .kind = FACT_HANDED_OUT, .run = p->run_id, .unit = unit.u64, .index = index });
        }
        more = m->u.output.more;
        q.after_unit = m->u.output.next_after;
    }
}

static void read_run(struct sim *s, struct producer *p)
{
    struct slp_run_get g = { .run = name_of(p->run) };
    const struct slp_msg *m = server_ask(s, SLP_RUN_GET, &g);
    struct slp_item_run_row r;
    struct slp_item_station_row row;
    struct fact counts[STATIONS_MAX];
    char name[STATIONS_MAX][16];
    uint32_t n = 0;
    if (m->type == SLP_ERROR && m->u.error.code == SLP_E_NOT_FOUND)
        return; /* whether it may be gone, the checker knows */
    CHECK(s, m->type == SLP_RUN_INFO);
    struct slp_cursor c = slp_each(m->u.run_info.run);
    CHECK(s, slp_next_run_row(&c, &r));
    if (r.run_id != p->run_id)
        return; /* deleted, and another one under its name */
    for (c = slp_each(m->u.run_info.stations); slp_next_station_row(&c, &row); n++) {
        snprintf(name[n], sizeof name[n], "%.*s", (int)row.name.n, row.name.p);
        counts[n] = (struct fact){ .kind = FACT_COUNTS,
                                   .run = p->run_id,
                                   .station = (uint32_t)row.station_id,
                                   .index = n,
                                   .counts = { row.blocked, row.waiting, row.ready, row.assigned, row.started, row.done,
                                               row.skipped, row.dead, row.ended } };
    }
    struct fact f = { .kind = FACT_RUN_COUNTS,
                      .run = p->run_id,
                      .state = (uint32_t)r.state,
                      .flag = true,
                      .counts = { r.units, r.done, r.dropped, r.cancelled, r.dead } };
    checker_feed(s->checker, &f);
    for (uint64_t u = 1; u <= f.counts[0]; u++) {
        struct slp_unit_get q = { .run = name_of(p->run), .unit = u };
        m = server_read(s, SLP_UNIT_GET, &q);
        if (m->type != SLP_UNIT)
            sim_broken(s, "%s unit %" PRIu64 " has no story: %s", p->run, u, slp_error_name(m->u.error.code));
        story(s, p->run_id, u, m->u.unit.story);
    }
    for (uint32_t i = 0; i < n; i++)
        checker_feed(s->checker, &counts[i]);
    output(s, p, counts, n);
    for (uint32_t i = 0; i < n; i++)
        if (lines_station(s, counts[i].station)->ties != TIES_ENTRIES) /* a tournament's are its jury's */
            handed_out(s, p, i, name[i]);
}

void sim_read_all(struct sim *s)
{
    for (uint32_t i = 0; i < s->plan.runs; i++)
        if (s->producer[i].run_id)
            read_run(s, &s->producer[i]);
    checker_feed(s->checker, &(struct fact){ .kind = FACT_ALL_TOLD });
}

void sim_finish(struct sim *s)
{
    char what[600] = "";
    bool end = false;
    int64_t begun_us = s->now_us;
    s->calm = true;
    TELL(s, "---- the faults are over ----");
    server_calm(s);
    sim_inspect(s); /* while all is under way; and again when it is over */
    net_calm(s);
    twins_calm(s);
    for (uint32_t i = 0; i < s->plan.hubs; i++)
        hub_calm(s, &s->hub[i]);
    producers_calm(s);
    for (int64_t t = 0; t < PATIENCE && !end; t += LOOK_EVERY) {
        if (t == GIVE_UP)
            checker_feed(s->checker, &(struct fact){ .kind = FACT_LEFT_OVER });
        put_right(s, t >= GIVE_UP);
        while (sched_step(s, begun_us + t + LOOK_EVERY))
            ;
        s->now_us = begun_us + t + LOOK_EVERY;
        end = s->server.up && at_end(s, what, sizeof what);
    }
    s->drained_us = s->now_us - begun_us;
    TELL(s, "---- %s after %" PRId64 " min ----", end ? "all is at its end" : "not everything is at its end",
         s->drained_us / MINUTE);
    if (!end)
        checker_feed(s->checker, &(struct fact){ .kind = FACT_STUCK, .text = what });
    sim_read_all(s);
    sim_inspect(s);
    checker_feed(s->checker, &(struct fact){ .kind = FACT_LAST_EVENT, .seq = s->server.next_event - 1 });
    for (uint32_t i = 0; i < s->plan.watchers && end; i++) {
        struct fact about = watcher_about(s, i);
        checker_feed(s->checker, &about);
    }
    checker_end(s->checker);
}
