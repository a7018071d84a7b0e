/* Records with a good checksum that the engine never wrote, one at a time: a start refuses them as damage, a read refuses or passes them over, and once they are gone all
 * is as it was. And what one frame gathers for the events when it is about more than is gathered at a time. */
#include "broker/engine/presence.h"
#include "proto/reader.h"
#include "tests/unit/scene.h"

static const char *const yaml = "line: l\ninput:\n  - {name: text, type: text}\nstations:\n"
                                "  - name: a\n    attempts: 5\n    backoff: 10s\n"
                                "    form: {fields: [{name: x, type: short_answer}]}\n";

struct planted {
    const char *what;
    enum store_table tb;
    size_t key_n;
    const char *key;
    size_t n;
    const char *v;
};

static void put(struct world *w, const struct planted *p)
{
    struct store_txn *t;
    world_flush(w);
    assert_int_equal(store_begin(w->store, &t), STORE_OK);
    assert_int_equal(store_put(t, p->tb, p->key, p->key_n, p->v, p->n), STORE_OK);
    assert_int_equal(store_commit(&t), STORE_OK);
}

static void take_away(struct world *w, const struct planted *p)
{
    struct store_txn *t;
    assert_int_equal(store_begin(w->store, &t), STORE_OK);
    assert_int_equal(store_del(t, p->tb, p->key, p->key_n), STORE_OK);
    assert_int_equal(store_commit(&t), STORE_OK);
}

static void around(bool in)
{
    (void)in;
}

#define Z64 "0000000000000000000000000000000000000000000000000000000000000000"
#define NONE8 "\0\0\0\0\0\0\0\0"

static void a_start_refuses_what_is_of_nobody_or_cut_short(void **state)
{
    static struct world_scene s;
    static const struct planted v[] = {
        { "days of a zone of no hub", TABLE_DAY, 9, NONE8 "Z", 2, "\0\0" },
        { "days of a zone of a hub that never was", TABLE_DAY, 9, "\0\0\0\0\0\0\0\x09Z", 2, "\0\0" },
        { "days of a zone whose name is too long", TABLE_DAY, 8 + 65, "\0\0\0\0\0\0\0\1" Z64 "0", 2, "\0\0" },
        { "days of a zone, more than a hub may tell", TABLE_DAY, 9, "\0\0\0\0\0\0\0\1Z", 2, "\x21\0" },
        { "days of a zone that are not all there", TABLE_DAY, 9, "\0\0\0\0\0\0\0\1Z", 6, "\1\0\1\2\3\4" },
        { "a day of a worker who never was", TABLE_DAY, 8, "\0\0\0\x09\0\0\0\0", 8, NONE8 },
        { "a day at a station that never was", TABLE_DAY, 8, "\0\0\0\1\0\0\0\x09", 8, NONE8 },
        { "a day whose key is too long", TABLE_DAY, 9, "\0\0\0\1\0\0\0\0\0", 8, NONE8 },
        { "the presence of a hub that never was", TABLE_PRESENCE, 4, "\0\0\0\x09", 8, NONE8 },
        { "a presence that is cut short", TABLE_PRESENCE, 4, "\0\0\0\1", 3, "\1\2\3" },
        { "arrivals of a line that never was", TABLE_ARRIVAL, 5, "\0\0\0\x09\0", 8, NONE8 },
        { "arrivals of an eighth day of the week", TABLE_ARRIVAL, 5, "\0\0\0\1\x09", 8, NONE8 },
        { "a pace of a station that never was", TABLE_PACE, 4, "\0\0\0\x09", 8, NONE8 },
    };
    (void)state;
    world_scene(&s, yaml, 2, 0);
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        put(&s.w, &v[i]);
        s.w.around = around;
        world_restart(&s.w);
        s.w.around = NULL;
        if (s.w.failed != STORE_CORRUPT)
            fail_msg("%s: told as %d", v[i].what, s.w.failed);
        take_away(&s.w, &v[i]);
        world_restart(&s.w);
        assert_int_equal(s.w.failed, STORE_OK);
    }
    world_end(&s.w);
}

/* True: it was answered. */
static bool answered(struct world *w, uint64_t type, const void *any)
{
    w->around = around;
    bool is = world_read(w, type, any)->type != 0 && !w->failed;
    w->around = NULL;
    w->failed = STORE_OK;
    world_clear(w);
    return is;
}

static void a_forecast_does_not_count_with_what_is_damaged(void **state)
{
    static struct world_scene s;
    static const struct planted v[] = {
        { "an arrival whose key is too long", TABLE_ARRIVAL, 6, "\0\0\0\1\0\0", 8, NONE8 },
        { "an arrival of no day", TABLE_ARRIVAL, 5, "\0\0\0\1\x09", 8, NONE8 },
        { "a presence whose key is too long", TABLE_PRESENCE, 5, "\0\0\0\1\0", 8, NONE8 },
        { "a presence that is cut short", TABLE_PRESENCE, 4, "\0\0\0\1", 3, "\1\2\3" },
    };
    struct slp_buf b = { 0 };
    (void)state;
    world_scene(&s, yaml, 2, 0);
    slp_pack_u64(&b, s.station);
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        struct slp_coverage_get q = { .stations = { b.p, (uint32_t)b.n, 1 } };
        if (v[i].tb == TABLE_PRESENCE) { /* the page of hubs */
            q.after = (struct slp_bytes){ "\1\0\0\0\0", 5 };
            SLP_SET(&q, coverage_get, after);
        }
        assert_true(answered(&s.w, SLP_COVERAGE_GET, &q));
        put(&s.w, &v[i]);
        if (answered(&s.w, SLP_COVERAGE_GET, &q))
            fail_msg("%s: it was answered", v[i].what);
        take_away(&s.w, &v[i]);
        assert_true(answered(&s.w, SLP_COVERAGE_GET, &q));
    }
    slp_buf_free(&b);
    world_end(&s.w);
}

static unsigned dead_told(struct world *w, uint32_t station, size_t *reason_n)
{
    struct slp_tasks_get q = { .station_id = station, .which = 2 };
    struct slp_item_task_row row;
    unsigned n = 0;
    const struct slp_msg *m = world_read(w, SLP_TASKS_GET, &q);
    assert_int_equal(m->type, SLP_TASKS);
    struct slp_cursor c = slp_each(m->u.tasks.rows);
    for (; slp_next_task_row(&c, &row); n++)
        *reason_n = row.reason.n;
    return n;
}

static void the_dead_of_no_run_are_not_told_and_one_without_a_reason_is(void **state)
{
    static struct world_scene s;
    static const struct planted v[] = {
        { "of no run", TABLE_DEAD, 16, "\0\0\0\1\0\0\0\x09\0\0\0\0\0\0\0\1", 3, "\1\2\3" },
        { "of the run", TABLE_DEAD, 16, "\0\0\0\1\0\0\0\1\0\0\0\0\0\0\0\1", 3, "\1\2\3" },
    };
    size_t reason_n = 99;
    (void)state;
    world_scene(&s, yaml, 2, 0);
    world_put(&s.w, s.run, 1);
    put(&s.w, &v[0]);
    assert_int_equal(dead_told(&s.w, s.station, &reason_n), 0);
    struct world_task t = given(&s, 0);
    assert_int_equal(act(&s, &t, ACT_BURY), SLP_E_OK);
    assert_int_equal(dead_told(&s.w, s.station, &reason_n), 1);
    assert_int_equal(reason_n, 5); /* "since" */
    put(&s.w, &v[1]);
    assert_int_equal(dead_told(&s.w, s.station, &reason_n), 1);
    assert_int_equal(reason_n, 0);
    world_close(&s.w);
}

static bool recounted(struct world *w)
{
    struct slp_check_get q = { .recount = true };
    SLP_SET(&q, check_get, recount);
    return answered(w, SLP_CHECK_GET, &q);
}

static void a_task_in_no_state_that_there_is_ends_a_recount(void **state)
{
    static struct world_scene s;
    struct store_txn *t;
    struct store_val val;
    uint8_t k[12], v[SL_VALUE_BYTES_MAX];
    (void)state;
    world_scene(&s, yaml, 2, 0);
    world_put(&s.w, s.run, 3);
    assert_true(recounted(&s.w));
    key_u64(key_u32(k, (uint32_t)s.run), 0);
    world_flush(&s.w);
    assert_int_equal(store_begin(s.w.store, &t), STORE_OK);
    assert_int_equal(store_get(t, TABLE_STATE, k, sizeof k, &val), STORE_OK);
    size_t n = val.n;
    memcpy(v, val.p, n);
    uint8_t was = v[STATE_UNIT_BYTES];
    v[STATE_UNIT_BYTES] = TASK_STATES;
    assert_int_equal(store_put(t, TABLE_STATE, k, sizeof k, v, n), STORE_OK);
    assert_int_equal(store_commit(&t), STORE_OK);
    assert_false(recounted(&s.w));
    v[STATE_UNIT_BYTES] = was;
    put(&s.w, &(struct planted){ "", TABLE_STATE, sizeof k, (const char *)k, n, (const char *)v });
    assert_true(recounted(&s.w));
    world_end(&s.w);
}

static void a_run_that_is_being_deleted_is_not_recounted(void **state)
{
    static struct world_scene s;
    struct slp_check_get q = { .recount = true };
    (void)state;
    world_scene(&s, yaml, 2, 0);
    world_put(&s.w, s.run, 3);
    SLP_SET(&q, check_get, recount);
    assert_int_equal(world_read(&s.w, SLP_CHECK_GET, &q)->u.check.counts.count, 1);
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_DELETE, 0), SLP_E_OK);
    assert_int_equal(world_read(&s.w, SLP_CHECK_GET, &q)->u.check.counts.count, 0);
    world_end(&s.w);
}

static void records_under_keys_of_any_length_are_named_by_a_check_that_ends(void **state)
{
    static struct world_scene s;
    static const size_t lengths[] = { 41, 158, 159, 200 };
    static char text[20000];
    char key[200];
    (void)state;
    world_scene(&s, yaml, 2, 0);
    assert_int_equal(world_named(&s.w, text, sizeof text), 0);
    memset(key, 'k', sizeof key);
    key[0] = 1; /* the name of a line */
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct planted p = { "", TABLE_NAME, lengths[i], key, 4, "\x09\0\0\0" };
        put(&s.w, &p);
        assert_int_equal(world_named(&s.w, text, sizeof text), i + 1);
    }
    world_close(&s.w);
}

static uint32_t snapshot_rows(struct world *w)
{
    const struct slp_msg *m = world_read(w, SLP_SNAPSHOT_GET, &(struct slp_snapshot_get){ 0 });
    assert_int_equal(m->type, SLP_SNAPSHOT);
    return m->u.snapshot.rows.count;
}

static void a_standing_that_there_is_not_is_in_no_snapshot(void **state)
{
    static struct world_scene s;
    static const struct planted odd = { "", TABLE_REPUTE, 8, "\0\0\0\1\0\0\0\1", 1, "\x63" },
                                suspended = { "", TABLE_REPUTE, 8, "\0\0\0\1\0\0\0\1", 1, "\1" };
    (void)state;
    world_scene(&s, yaml, 2, 0);
    uint32_t rows = snapshot_rows(&s.w);
    put(&s.w, &odd);
    assert_int_equal(snapshot_rows(&s.w), rows);
    put(&s.w, &suspended);
    assert_int_equal(snapshot_rows(&s.w), rows + 1);
    world_close(&s.w);
}

/* ---- checks that go on side by side ---- */

struct going {
    uint8_t next[160];
    uint32_t next_n, named;
    uint64_t records;
    bool over;
};

static void go_on(struct world *w, struct going *g, uint64_t limit)
{
    struct slp_check_get q = { .after = { (const char *)g->next, g->next_n }, .limit = limit };
    if (g->over)
        return;
    if (g->next_n)
        SLP_SET(&q, check_get, after);
    SLP_SET(&q, check_get, limit);
    const struct slp_msg *m = world_read(w, SLP_CHECK_GET, &q);
    assert_int_equal(m->type, SLP_CHECK);
    g->named += m->u.check.damage.count;
    g->records += m->u.check.records;
    g->next_n = m->u.check.next.n;
    g->over = !g->next_n;
    if (g->next_n)
        memcpy(g->next, m->u.check.next.p, g->next_n);
}

static void checks_that_go_on_side_by_side_and_beside_work_name_nothing(void **state)
{
    static struct world_scene s;
    (void)state;
    world_scene(&s, yaml, 2, 0);
    for (unsigned i = 0; i < 40; i++)
        world_put(&s.w, s.run, 2);
    for (unsigned works = 0; works < 2; works++) {
        struct going a = { .named = 0 }, b = a, c = a;
        for (unsigned i = 0; (!a.over || !b.over || !c.over) && i < 10000; i++) {
            go_on(&s.w, &a, 1);
            go_on(&s.w, &b, 2);
            go_on(&s.w, &b, 1);
            if (i % 3 == 0)
                go_on(&s.w, &c, 7);
            if (works && i % 4 == 0)
                world_put(&s.w, s.run, 1);
            world_clear(&s.w);
        }
        assert_true(a.over && b.over && c.over);
        assert_int_equal(a.named + b.named + c.named, 0);
        if (!works) {
            assert_int_equal(a.records, b.records);
            assert_int_equal(a.records, c.records);
        }
    }
    world_end(&s.w);
}

/* ---- what a frame gathers ---- */

#define RUNS 300 /* more than what is gathered at a time */

struct seen {
    uint64_t submitted, waiting;
};

static bool all_wanted(void *arg, const char *topic)
{
    (void)arg;
    return !strcmp(topic, "all");
}

static void count(void *arg, const char *topic, const char *body, size_t n)
{
    struct seen *seen = arg;
    struct slp_msg m;
    struct slp_fault fault;
    struct slp_item_event ev;
    (void)topic;
    assert_int_equal(slp_decode(body, n, SLP_B2M, &m, &fault), 0);
    struct slp_cursor c = slp_each(m.u.events.events);
    while (slp_next_event(&c, &ev)) {
        seen->submitted += ev.type == EV_SUBMITTED;
        seen->waiting += ev.type == EV_TASKS_WAITING;
    }
}

static struct seen seen_of(struct world *w)
{
    struct seen seen = { 0 };
    world_publish(w, all_wanted, count, &seen);
    return seen;
}

static void one_frame_of_results_of_very_many_runs_is_told_of_each(void **state)
{
    static struct world_scene s;
    struct slp_buf b = { 0 }, values = { 0 };
    char name[32];
    (void)state;
    world_scene(&s, yaml, 1, 0);
    for (unsigned i = 0; i < RUNS; i++) {
        snprintf(name, sizeof name, "run-%u", i);
        world_put(&s.w, world_run(&s.w, "l", name), 1);
        world_clear(&s.w);
    }
    size_t n = world_take(&s, 0, RUNS);
    assert_int_equal(n, RUNS);
    slp_pack_cstr(&values, "done");
    for (size_t i = 0; i < n; i++) {
        struct slp_item_result it = { .assignment = s.t[i].assignment,
                                      .worker = s.t[i].worker,
                                      .values = { values.p, (uint32_t)values.n, 1 } };
        slp_pack_item(&b, SLP_ITEM_result, &it);
    }
    struct slp_submit q = { .session = s.h.session, .results = { b.p, (uint32_t)b.n, (uint32_t)n } };
    assert_int_equal(world_send(&s.w, s.h.peer, SLP_SUBMIT, &q)->type, SLP_OUTCOMES);
    slp_buf_free(&b);
    slp_buf_free(&values);
    assert_int_equal(seen_of(&s.w).submitted, RUNS);
    world_end(&s.w);
}

static void tasks_that_wait_until_different_times_are_told_in_an_event_for_each(void **state)
{
    static struct world_scene s;
    struct slp_buf b = { 0 };
    (void)state;
    world_scene(&s, yaml, 1, 0);
    world_put(&s.w, s.run, 2);
    struct world_task one = given(&s, 0); /* fails once, and is to fail for the second time beside the other one */
    assert_int_equal(act(&s, &one, ACT_FAIL), SLP_E_OK);
    pass(&s, 11 * SECOND);
    assert_int_equal(world_take(&s, 0, 2), 2);
    uint64_t before = seen_of(&s.w).waiting;
    for (unsigned i = 0; i < 2; i++) {
        struct slp_item_act it = { .assignment = s.t[i].assignment, .worker = s.t[i].worker, .act = ACT_FAIL };
        slp_pack_item(&b, SLP_ITEM_act, &it);
    }
    struct slp_acts q = { .session = s.h.session, .acts = { b.p, (uint32_t)b.n, 2 } };
    assert_int_equal(world_send(&s.w, s.h.peer, SLP_ACTS, &q)->type, SLP_OUTCOMES);
    slp_buf_free(&b);
    assert_int_equal(seen_of(&s.w).waiting, before + 2);
    world_end(&s.w);
}

/* ---- what a start reads of runs, shifts and what is under way ---- */

static void refused_at_a_start(struct world *w, const struct planted *p)
{
    put(w, p);
    w->around = around;
    world_restart(w);
    w->around = NULL;
    if (w->failed != STORE_CORRUPT)
        fail_msg("%s: told as %d", p->what, w->failed);
}

static void a_start_refuses_a_run_whose_numbers_are_out_of_bounds(void **state)
{
    static struct world_scene s;
    static const struct {
        const char *what;
        size_t at, n;
        uint8_t v[4];
    } v[] = { /* behind the name "r" */
              { "a run of no line", 3, 4, { 0, 0, 0, 0 } },
              { "a run of a line that never was", 3, 4, { 9, 0, 0, 0 } },
              { "a run of no version", 7, 4, { 0, 0, 0, 0 } },
              { "a run of a version to come", 7, 4, { 9, 0, 0, 0 } },
              { "a run of priority 10", 13, 1, { 10, 0, 0, 0 } }
    };
    struct store_txn *t;
    struct store_val val;
    uint8_t k[6] = { 0 }, was[1000], now[1000];
    (void)state;
    world_scene(&s, yaml, 2, 0);
    world_put(&s.w, s.run, 3);
    key_u32(k, (uint32_t)s.run);
    world_flush(&s.w);
    assert_int_equal(store_begin_read(s.w.store, &t), STORE_OK);
    assert_int_equal(store_get(t, TABLE_RUN, k, sizeof k, &val), STORE_OK);
    size_t n = val.n;
    assert_in_range(n, 20, 500);
    memcpy(was, val.p, n);
    store_abort(&t);
    struct planted p = { "", TABLE_RUN, sizeof k, (const char *)k, n, (const char *)now };
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        memcpy(now, was, n);
        memcpy(now + v[i].at, v[i].v, v[i].n);
        p.what = v[i].what;
        refused_at_a_start(&s.w, &p);
    }
    memcpy(now, was, n); /* the run's input has a digest that is longer than one can be */
    assert_int_equal(get_u16(now + 14), 0);
    put_u16(now + 14, 300);
    memset(now + 16, 'f', 300);
    memcpy(now + 316, was + 16, n - 16);
    p.n = n + 300;
    p.what = "a run with a long digest";
    refused_at_a_start(&s.w, &p);
    p.n = n;
    memcpy(now, was, n);
    put(&s.w, &p);
    world_restart(&s.w);
    assert_int_equal(s.w.failed, STORE_OK);
    world_end(&s.w);
}

/* A shift of the hub with texts that long. */
static size_t shift_record(uint8_t *b, size_t cap, size_t name, size_t zone, size_t text)
{
    static const char many[SL_TEXT_BYTES_MAX + 100];
    struct rec r = { b, 0, cap, 0 };
    rec_u32(&r, 1);
    rec_u8(&r, 0);
    rec_u8(&r, 0);
    for (int i = 0; i < 4; i++)
        rec_u64(&r, 0);
    rec_str(&r, many, name);
    rec_str(&r, many, zone);
    rec_str(&r, many, text);
    rec_u16(&r, 0);
    assert_false(r.bad);
    return r.n;
}

/* What is under way, for a reason that long, or of a run to come. */
static size_t sweep_record(uint8_t *b, size_t cap, uint32_t run, size_t reason)
{
    static const char many[1000];
    struct rec r = { b, 0, cap, 0 };
    rec_u8(&r, 1);
    rec_u32(&r, run);
    rec_u32(&r, 1);
    rec_u64(&r, 0);
    rec_u64(&r, 0);
    rec_str(&r, many, reason);
    assert_false(r.bad);
    return r.n;
}

static void nor_does_it_take_texts_that_are_longer_than_they_can_be(void **state)
{
    static struct world_scene s;
    static const size_t lengths[][3] = { { SL_SHIFT_NAME_BYTES_MAX + 1, 1, 1 },
                                         { 1, SL_NAME_BYTES_MAX + 1, 1 },
                                         { 1, 1, SL_TEXT_BYTES_MAX + 1 } };
    uint8_t b[3000];
    (void)state;
    world_scene(&s, yaml, 2, 0);
    world_shift(&s.w, &s.h, "days", NULL, 0, 0); /* the first shift there is */
    struct planted p = { "a shift", TABLE_SHIFT, 4, "\0\0\0\1", 0, (const char *)b };
    for (size_t i = 0; i < 3; i++) {
        p.n = shift_record(b, sizeof b, lengths[i][0], lengths[i][1], lengths[i][2]);
        refused_at_a_start(&s.w, &p);
    }
    p.n = shift_record(b, sizeof b, 4, 1, 1);
    put(&s.w, &p);
    world_restart(&s.w);
    assert_int_equal(s.w.failed, STORE_OK);
    p = (struct planted){ "what is under way", TABLE_SWEEP, 8, "\0\0\0\0\0\0\0\1", 0, (const char *)b };
    for (uint32_t i = 0; i < 2; i++) {
        p.n = sweep_record(b, sizeof b, i ? 9 : 1, i ? 0 : 900);
        refused_at_a_start(&s.w, &p);
    }
    world_close(&s.w);
}

/* ---- what a worker need not look at ---- */

static void damage_in_what_an_author_need_not_look_at_is_told_when_he_asks_for_work(void **state)
{
    static const char *const own = "line: l\ninput:\n  - {name: text, type: text}\nstations:\n"
                                   "  - {name: make, form: {fields: [{name: x, type: short_answer}]}}\n"
                                   "  - name: look\n    worker: {not_who_did: [make]}\n"
                                   "    form: {fields: [{name: y, type: short_answer}]}\n";
    static const uint16_t spans[] = { 60000, 1 }; /* more than there can be; one that is not there */
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        static struct world_scene s;
        uint8_t k[17], v[18] = { 0 };
        world_scene(&s, own, 2, 0);
        world_put(&s.w, s.run, 60);
        assert_int_equal(world_take(&s, 0, 60), 60); /* so many that it is worth remembering */
        for (unsigned n = 0; n < 60; n++)
            assert_int_equal(world_submit(&s.w, &s.h, &s.t[n], "made"), SLP_E_OK);
        world_restart(&s.w);
        world_hello(&s.w, &s.h, NULL, 0);
        put_u16(v + 16, spans[i]);
        for (uint8_t lane = 0; lane < 2; lane++) {
            uint8_t *to = key_u32(key_u32(k, s.station + 1), (uint32_t)s.run);
            *to++ = READY_SKIPS | lane;
            key_u64(to, s.h.worker[0]);
            put(&s.w, &(struct planted){ "", TABLE_READY, sizeof k, (const char *)k, sizeof v, (const char *)v });
        }
        s.w.around = around;
        world_credit(&s.w, &s.h, 0, 1);
        world_flush(&s.w);
        s.w.around = NULL;
        assert_int_equal(s.w.failed, STORE_CORRUPT);
        world_close(&s.w);
    }
}

static const char *const copies_yaml = "line: l\ninput:\n  - {name: text, type: text}\nstations:\n"
                                       "  - name: a\n    copies: {min: 2, max: 3}\n    agree: {method: all}\n"
                                       "    form: {fields: [{name: x, type: short_answer}]}\n";

/* The states of the run's first units are as they were before somebody was given one, while all else has gone on: a damaged tree may lead to a page of the past. */
static void given_and_forgotten(struct world_scene *s, struct world_task *given)
{
    struct store_txn *t;
    struct store_val v;
    uint8_t k[12];
    char states[SL_VALUE_BYTES_MAX];
    world_scene(s, copies_yaml, 2, 0);
    world_put(&s->w, s->run, 1);
    key_u64(key_u32(k, (uint32_t)s->run), 0);
    assert_int_equal(store_begin(s->w.store, &t), STORE_OK);
    assert_int_equal(store_get(t, TABLE_STATE, k, sizeof k, &v), STORE_OK);
    size_t n = v.n;
    memcpy(states, v.p, n);
    store_abort(&t);
    *given = taken(s, 0, 0);
    put(&s->w, &(struct planted){ "", TABLE_STATE, sizeof k, (const char *)k, n, states });
    world_restart(&s->w);
    world_hello(&s->w, &s->h, &given->assignment, 1);
}

static void a_place_that_nobody_holds_is_refused_when_its_worker_begins_answers_or_gives_it_back(void **state)
{
    static struct world_scene s;
    struct world_task t;
    (void)state;
    for (unsigned how = 0; how < 3; how++) {
        given_and_forgotten(&s, &t);
        s.w.around = around;
        if (how < 2)
            world_act(&s.w, &s.h, &t, how ? ACT_RELEASE : ACT_START, NULL, NULL);
        else
            world_submit(&s.w, &s.h, &t, "a");
        assert_int_equal(s.w.failed, STORE_CORRUPT);
        s.w.around = NULL;
        world_close(&s.w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_refuses_what_is_of_nobody_or_cut_short),
        cmocka_unit_test(a_start_refuses_a_run_whose_numbers_are_out_of_bounds),
        cmocka_unit_test(nor_does_it_take_texts_that_are_longer_than_they_can_be),
        cmocka_unit_test(damage_in_what_an_author_need_not_look_at_is_told_when_he_asks_for_work),
        cmocka_unit_test(a_forecast_does_not_count_with_what_is_damaged),
        cmocka_unit_test(the_dead_of_no_run_are_not_told_and_one_without_a_reason_is),
        cmocka_unit_test(a_task_in_no_state_that_there_is_ends_a_recount),
        cmocka_unit_test(a_run_that_is_being_deleted_is_not_recounted),
        cmocka_unit_test(records_under_keys_of_any_length_are_named_by_a_check_that_ends),
        cmocka_unit_test(a_standing_that_there_is_not_is_in_no_snapshot),
        cmocka_unit_test(checks_that_go_on_side_by_side_and_beside_work_name_nothing),
        cmocka_unit_test(one_frame_of_results_of_very_many_runs_is_told_of_each),
        cmocka_unit_test(tasks_that_wait_until_different_times_are_told_in_an_event_for_each),
        cmocka_unit_test(a_place_that_nobody_holds_is_refused_when_its_worker_begins_answers_or_gives_it_back),
    };
    return cmocka_run_group_tests_name("planted records", tests, NULL, NULL);
}
