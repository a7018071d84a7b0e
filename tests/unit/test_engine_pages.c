/* The engine's readers, where a store holds more than they look at in one go: a page of tasks ends after so many segments and leads on, a check keeps a window of the
 * queues, a publication tells so many streams at a time. Much of what fills the tables here is of a run that never was: it costs a reader as much. */
#include "broker/engine/presence.h"
#include "proto/reader.h"
#include "tests/lib/engine_staff.h"
#include "tests/unit/scene.h"

#define SEGMENTS 5001 /* one more than a page of tasks looks at */
#define NOBODYS 0     /* a run that never was; it comes before all others */

static const char *const two = "line: l\ninput:\n  - {name: text, type: text}\nstations:\n"
                               "  - {name: a, after: [], form: {fields: [{name: x, type: short_answer}]}}\n"
                               "  - {name: b, after: [], form: {fields: [{name: x, type: short_answer}]}}\n";

static struct store_txn *begin(struct world *w)
{
    struct store_txn *t;
    world_flush(w);
    assert_int_equal(store_begin(w->store, &t), STORE_OK);
    return t;
}

static size_t ready_key(uint8_t *k, uint32_t station, uint32_t run, uint64_t pos)
{
    uint8_t *p = key_u32(key_u32(k, station), run);
    *p++ = 0; /* the lane of what came back */
    key_u64(p, pos);
    return 17;
}

/* So many ranges of `each` units, one unit apart, from a first one on. */
static void put_ranges(struct store_txn *t, const uint8_t *k, size_t kn, const uint8_t *head, size_t head_n,
                       uint64_t first, unsigned ranges, uint64_t each)
{
    uint8_t b[SL_VALUE_BYTES_MAX];
    struct rec r = { b, 0, 4000, 0 };
    enum store_table tb = head_n ? TABLE_DELAY : TABLE_READY;
    for (size_t i = 0; i < head_n; i++)
        rec_u8(&r, head[i]);
    rec_u16(&r, (uint16_t)ranges);
    for (unsigned i = 0; i < ranges; i++) {
        rec_zigzag(&r, i ? 1 : (int64_t)first);
        rec_varint(&r, each);
    }
    assert_false(r.bad);
    assert_int_equal(store_put(t, tb, k, kn, b, r.n), STORE_OK);
}

struct told {
    unsigned pages, rows;
    uint64_t unit; /* of the last row */
    char next[64];
    size_t next_n;
};

/* A page of tasks behind what was told, of at most `limit`. */
static void page(struct world *w, uint32_t station, unsigned which, const char *run, unsigned limit, struct told *to)
{
    struct slp_tasks_get q = {
        .station_id = station, .which = which, .limit = limit, .after = { to->next, (uint32_t)to->next_n }
    };
    struct slp_item_task_row row;
    if (to->next_n)
        SLP_SET(&q, tasks_get, after);
    if (limit)
        SLP_SET(&q, tasks_get, limit);
    if (run) {
        q.run = world_str(run);
        SLP_SET(&q, tasks_get, run);
    }
    const struct slp_msg *m = world_read(w, SLP_TASKS_GET, &q);
    assert_int_equal(m->type, SLP_TASKS);
    struct slp_cursor c = slp_each(m->u.tasks.rows);
    while (slp_next_task_row(&c, &row)) {
        to->unit = row.unit;
        to->rows++;
    }
    to->pages++;
    to->next_n = SLP_IS(&m->u.tasks, tasks, next) ? m->u.tasks.next.n : 0;
    assert_true(to->next_n <= sizeof to->next);
    if (to->next_n)
        memcpy(to->next, m->u.tasks.next.p, to->next_n);
}

static struct told all_pages(struct world *w, uint32_t station, unsigned which, const char *run)
{
    struct told t = { 0 };
    do
        page(w, station, which, run, 0, &t);
    while (t.next_n && t.pages < 10);
    return t;
}

static void a_page_of_ready_tasks_looks_at_so_many_segments_and_leads_on(void **state)
{
    static struct world_scene s;
    (void)state;
    world_scene(&s, two, 1, 0);
    world_put(&s.w, s.run, 3);
    assert_int_equal(all_pages(&s.w, s.station, 0, NULL).pages, 1);
    struct store_txn *t = begin(&s.w);
    uint8_t k[17];
    for (unsigned i = 0; i < SEGMENTS; i++)
        put_ranges(t, k, ready_key(k, s.station, NOBODYS, i), NULL, 0, 1, 1, 1);
    assert_int_equal(store_commit(&t), STORE_OK);
    struct told all = all_pages(&s.w, s.station, 0, NULL);
    assert_int_equal(all.pages, 2);
    assert_int_equal(all.rows, 3);
    assert_int_equal(all.unit, 3);
    all = all_pages(&s.w, s.station, 0, "r"); /* asked for the run alone, it is found at once */
    assert_int_equal(all.pages, 1);
    assert_int_equal(all.rows, 3);
    world_close(&s.w);
}

static void put_delayed(struct world *w, uint64_t run, unsigned n, uint64_t delay_us)
{
    struct slp_buf b = { 0 };
    for (unsigned i = 0; i < n; i++) {
        slp_pack_array(&b, 1);
        slp_pack_cstr(&b, "later");
    }
    struct slp_put q = { .run_id = run, .rows = { b.p, (uint32_t)b.n, n }, .delay_us = delay_us };
    SLP_SET(&q, put, delay_us);
    assert_int_equal(world_send(w, WORLD_CLIENT, SLP_PUT, &q)->type, SLP_PUT_DONE);
    slp_buf_free(&b);
}

static void so_does_one_of_tasks_that_wait(void **state)
{
    static struct world_scene s;
    (void)state;
    world_scene(&s, two, 1, 0);
    put_delayed(&s.w, s.run, 3, 3600 * 1000000ull);
    struct store_txn *t = begin(&s.w);
    uint8_t k[16], head[9] = { 0 };
    put_u32(head, s.station);
    put_u32(head + 4, NOBODYS);
    for (unsigned i = 0; i < SEGMENTS; i++) {
        key_u64(key_u64(k, 1), i);
        put_ranges(t, k, sizeof k, head, sizeof head, 1, 1, 1);
    }
    assert_int_equal(store_commit(&t), STORE_OK);
    struct told all = all_pages(&s.w, s.station, 1, NULL);
    assert_int_equal(all.pages, 2);
    assert_int_equal(all.rows, 3);
    all = all_pages(&s.w, s.station, 1, "r");
    assert_int_equal(all.rows, 3);
    assert_int_equal(all_pages(&s.w, s.station + 1, 1, NULL).rows, 3);
    world_close(&s.w);
}

/* All of which 0 to 2: ready, waiting, dead. */
static void a_mark_of_another_station_or_run_begins_at_the_beginning(void **state)
{
    static struct world_scene s;
    (void)state;
    world_scene(&s, two, 1, 0);
    world_put(&s.w, s.run, 8);
    uint64_t second = world_run(&s.w, "l", "second");
    world_put(&s.w, second, 2);
    assert_int_equal(world_take(&s, 0, 8), 8);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(world_act(&s.w, &s.h, &s.t[i], ACT_BURY, "torn", NULL), SLP_E_OK);
    for (unsigned which = 0; which <= 2; which += 2) {
        unsigned here = all_pages(&s.w, s.station, which, NULL).rows;
        unsigned there = all_pages(&s.w, s.station + 1, which, NULL).rows;
        struct told mark = { 0 };
        page(&s.w, s.station, which, NULL, 1, &mark);
        if (here < 2) { /* all are at the other one */
            mark = (struct told){ 0 };
            page(&s.w, s.station + 1, which, NULL, 1, &mark);
        }
        assert_int_equal(mark.rows, 1);
        assert_true(mark.next_n > 0);
        struct told other = mark;
        other.rows = 0;
        page(&s.w, here < 2 ? s.station : s.station + 1, which, NULL, 0, &other);
        assert_int_equal(other.rows, here < 2 ? here : there);
        page(&s.w, here < 2 ? s.station + 1 : s.station, which, NULL, 0, &mark); /* where it is from, it goes on */
        assert_int_equal(mark.rows, here < 2 ? there : here);
    }
    world_end(&s.w);
}

static void a_mark_in_a_segment_that_has_shrunk_goes_on_with_what_is_left(void **state)
{
    static struct world_scene s;
    uint8_t k[17], skip[18] = { 0 };
    (void)state;
    world_scene(&s, two, 1, 0);
    world_station_set(&s.w, "l", "b", 0); /* paused: all that is taken is of the first */
    world_put(&s.w, s.run, 8);
    struct store_txn *t = begin(&s.w);
    ready_key(k, s.station, (uint32_t)s.run, s.h.worker[0]);
    k[8] = READY_SKIPS; /* what a worker need not look at is no task */
    assert_int_equal(store_put(t, TABLE_READY, k, sizeof k, skip, sizeof skip), STORE_OK);
    assert_int_equal(store_commit(&t), STORE_OK);
    struct told mark = { 0 };
    page(&s.w, s.station, 0, NULL, 1, &mark);
    assert_int_equal(mark.unit, 1);
    assert_int_equal(world_take(&s, 0, 5), 5);
    mark.rows = 0;
    page(&s.w, s.station, 0, NULL, 0, &mark);
    assert_int_equal(mark.rows, 3);
    assert_int_equal(mark.unit, 8);
    assert_int_equal(mark.next_n, 0);
    world_close(&s.w);
}

/* ---- what a forecast asks for ---- */

#define MANY_HUBS 5000
#define MANY_WORKERS 20500 /* more than a page of a forecast looks at */

/* The table's first record once more under each of these numbers, behind its own. */
static void put_copies(struct world *w, enum store_table tb, uint32_t last)
{
    struct store_txn *t = begin(w);
    struct store_cursor c;
    uint8_t k[4], v[SL_VALUE_BYTES_MAX];
    assert_int_equal(store_cursor_open(t, tb, &c), STORE_OK);
    assert_int_equal(store_seek(&c, "", 0), STORE_OK);
    assert_int_equal(c.key.n, 4);
    uint32_t first = key_get_u32(c.key.p);
    size_t n = c.val.n;
    memcpy(v, c.val.p, n);
    store_cursor_close(&c);
    for (uint32_t i = first + 1; i <= last; i++) {
        key_u32(k, i);
        assert_int_equal(store_put(t, tb, k, sizeof k, v, n), STORE_OK);
    }
    assert_int_equal(store_commit(&t), STORE_OK);
}

static void a_forecast_of_very_many_hubs_and_workers_comes_in_pages_each_of_them_once(void **state)
{
    static struct world_scene s;
    char next[64];
    size_t n = 0;
    unsigned pages = 0;
    uint64_t hubs = 0, last = 0, workers = 0;
    struct slp_buf b = { 0 };
    (void)state;
    world_scene(&s, two, 1, 0);
    s.w.wall_us += PRESENCE_EVERY_US;
    world_tick(&s.w); /* somebody looks who is there */
    put_copies(&s.w, TABLE_PRESENCE, MANY_HUBS);
    put_copies(&s.w, TABLE_WORKER, MANY_WORKERS);
    slp_pack_u64(&b, s.station);
    do {
        struct slp_coverage_get q = { .stations = { b.p, (uint32_t)b.n, 1 }, .after = { next, (uint32_t)n } };
        if (n)
            SLP_SET(&q, coverage_get, after);
        const struct slp_msg *m = world_read(&s.w, SLP_COVERAGE_GET, &q);
        assert_int_equal(m->type, SLP_COVERAGE);
        const struct slp_coverage *a = &m->u.coverage;
        struct slp_cursor c = slp_each(a->hubs);
        struct slp_item_coverage_hub hub;
        struct slp_item_coverage_crew crew;
        for (; SLP_IS(a, coverage, hubs) && slp_next_coverage_hub(&c, &hub); hubs++, last = hub.hub)
            assert_true(hub.hub > last);
        c = slp_each(a->crews);
        while (SLP_IS(a, coverage, crews) && slp_next_coverage_crew(&c, &crew))
            workers += crew.workers;
        n = SLP_IS(a, coverage, next) ? a->next.n : 0;
        assert_true(n <= sizeof next && ++pages < 50);
        if (n)
            memcpy(next, a->next.p, n);
        world_clear(&s.w);
    } while (n);
    slp_buf_free(&b);
    assert_int_equal(hubs, MANY_HUBS);
    assert_int_equal(workers, MANY_WORKERS);
    assert_true(pages >= 5); /* of stations one, of hubs and of workers more */
    world_close(&s.w);
}

/* ---- the queues that a check looks into ---- */

static unsigned named_missing(struct world *w)
{
    static char text[1 << 20];
    unsigned n = 0;
    world_named(w, text, sizeof text);
    for (const char *p = text; (p = strstr(p, "which is not in")); p++)
        n++;
    return n;
}

/* Takes the last record of the station's queue away that is of this run: the one that the engine made. */
static void lose_ready_of(struct world *w, uint32_t station, uint32_t run)
{
    struct store_txn *t = begin(w);
    struct store_cursor c;
    uint8_t key[STORE_KEY_BYTES_MAX];
    size_t n = 0;
    assert_int_equal(store_cursor_open(t, TABLE_READY, &c), STORE_OK);
    for (enum store_rc rc = store_seek(&c, "", 0); rc == STORE_OK; rc = store_next(&c))
        if (c.key.n == 17 && key_get_u32(c.key.p) == station && key_get_u32((const uint8_t *)c.key.p + 4) == run)
            memcpy(key, c.key.p, n = c.key.n);
    store_cursor_close(&c);
    assert_int_equal(n, 17);
    assert_int_equal(store_del(t, TABLE_READY, key, n), STORE_OK);
    assert_int_equal(store_commit(&t), STORE_OK);
}

#define RANGES 1000     /* in a record */
#define RECORDS 600     /* of them: more ranges than a window keeps */
#define PLACE (1 << 16) /* units that lie together */

static void a_check_finds_tasks_in_queues_that_are_longer_than_its_window(void **state)
{
    static struct world_scene s;
    uint8_t k[17];
    (void)state;
    world_scene(&s, two, 1, 0);
    world_put(&s.w, s.run, 5);
    uint64_t second = world_run(&s.w, "l", "second");
    world_put(&s.w, second, 5);
    world_settle(&s.w);
    struct store_txn *t = begin(&s.w);
    for (unsigned i = 0; i < RECORDS; i++) /* of the first run, though it has no such units: some 30 places */
        put_ranges(t, k, ready_key(k, s.station, (uint32_t)s.run, 1000 + i), NULL, 0, 100 + i * 3 * RANGES, RANGES, 2);
    assert_int_equal(store_commit(&t), STORE_OK);
    assert_int_equal(named_missing(&s.w), 0); /* of either run, the second one behind the window */
    lose_ready_of(&s.w, s.station, (uint32_t)second);
    assert_int_equal(named_missing(&s.w), 1); /* told once, of their state's record */
    world_close(&s.w);
}

#define STATIONS 20

static void nor_does_it_lose_any_where_one_place_alone_has_more(void **state)
{
    static char yaml[4000];
    static struct world_scene s;
    uint8_t k[17];
    (void)state;
    size_t n = (size_t)snprintf(yaml, sizeof yaml, "line: l\ninput:\n  - {name: text, type: text}\nstations:\n");
    for (unsigned i = 0; i < STATIONS; i++)
        n += (size_t)snprintf(yaml + n, sizeof yaml - n, "  - {name: s%u, after: []}\n", i);
    world_scene(&s, yaml, 1, 0);
    world_put(&s.w, s.run, 5);
    world_settle(&s.w);
    struct store_txn *t = begin(&s.w);
    for (unsigned st = 0; st < STATIONS; st++)
        for (unsigned i = 0; i < PLACE / RANGES / 2; i++) /* every other unit of the first place */
            put_ranges(t, k, ready_key(k, s.station + st, (uint32_t)s.run, 1000 + i), NULL, 0, 100 + i * 2 * RANGES,
                       RANGES, 1);
    assert_int_equal(store_commit(&t), STORE_OK);
    assert_int_equal(named_missing(&s.w), 0);
    lose_ready_of(&s.w, s.station, (uint32_t)s.run); /* of one station */
    assert_int_not_equal(named_missing(&s.w), 0);
    world_close(&s.w);
}

/* ---- publication ---- */

#define RUNS 600 /* more than the streams of one publication */

static struct heard {
    char topic[80];
    uint64_t last, events;
} heard[RUNS + 10];
static unsigned heards, frames;

static bool all_wanted(void *arg, const char *topic)
{
    (void)arg;
    (void)topic;
    return true;
}

static bool runs_wanted(void *arg, const char *topic)
{
    (void)arg;
    return !strncmp(topic, "run/", 4);
}

/* Each stream goes on where it ended. */
static void hear(void *arg, const char *topic, const char *body, size_t n)
{
    struct slp_msg m;
    struct slp_fault fault;
    (void)arg;
    assert_int_equal(slp_decode(body, n, SLP_B2M, &m, &fault), 0);
    unsigned i = 0;
    while (i < heards && strcmp(heard[i].topic, topic) != 0)
        i++;
    assert_true(i < sizeof heard / sizeof *heard);
    if (i == heards) {
        snprintf(heard[i].topic, sizeof heard[i].topic, "%s", topic);
        heards++;
    }
    assert_int_equal(m.u.events.prev_seq, heard[i].last);
    heard[i].last = m.u.events.next_since - 1;
    heard[i].events += m.u.events.events.count;
    frames++;
}

static void events_of_more_streams_than_one_publication_holds_are_all_told_in_order(void **state)
{
    static struct world_scene s;
    char name[32];
    (void)state;
    world_scene(&s, two, 1, 0);
    for (unsigned i = 0; i < RUNS; i++) {
        snprintf(name, sizeof name, "run-%u", i);
        world_run(&s.w, "l", name);
    }
    for (unsigned i = 0; i < 2; i++) { /* told to those who want all, and to those who do not */
        memset(heard, 0, sizeof heard);
        heards = frames = 0;
        world_publish(&s.w, i ? runs_wanted : all_wanted, hear, NULL);
        unsigned runs = 0;
        for (unsigned k = 0; k < heards; k++)
            runs += !strncmp(heard[k].topic, "run/", 4) && heard[k].events > 0;
        assert_int_equal(runs, RUNS + 1); /* and "r" */
        assert_int_equal(heards, i ? RUNS + 1 : RUNS + 1 + 3);
        if (i == 0) {
            assert_string_equal(heard[0].topic, "all");
            assert_int_equal(heard[0].events, heard[0].last); /* each event, once */
            assert_true(frames > heards);                     /* some in pieces */
        }
    }
    world_end(&s.w);
}

/* ---- why somebody has no work ---- */

static void an_author_of_two_lines_whose_work_waits_for_others_is_told_so_of_both(void **state)
{
    static const char *const yaml = "line: %s\ninput:\n  - {name: text, type: text}\nstations:\n"
                                    "  - {name: make, form: {fields: [{name: x, type: short_answer}]}}\n"
                                    "  - name: look\n    worker: {not_who_did: [make]}\n"
                                    "    form: {fields: [{name: y, type: short_answer}]}\n";
    static struct world_scene s;
    char text[600];
    const char *said;
    (void)state;
    snprintf(text, sizeof text, yaml, "l");
    world_scene(&s, text, 2, 0);
    snprintf(text, sizeof text, yaml, "m");
    world_line(&s.w, text);
    uint64_t other = world_run(&s.w, "m", "other");
    world_put(&s.w, s.run, 2);
    world_put(&s.w, other, 2);
    assert_int_equal(world_take(&s, 0, 4), 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(world_submit(&s.w, &s.h, &s.t[i], "made"), SLP_E_OK);
    assert_int_equal(world_take(&s, 0, 1), 0);
    assert_int_equal(staff_why(&s.w, &s.h, 0, &said), 22);
    assert_string_equal(said, "station look: all that is ready builds upon this worker's own work");
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_PAUSE, 0), SLP_E_OK);
    assert_int_equal(staff_why(&s.w, &s.h, 0, &said), 22);
    assert_string_equal(said, "station look: all that is ready builds upon this worker's own work");
    world_end(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_of_ready_tasks_looks_at_so_many_segments_and_leads_on),
        cmocka_unit_test(so_does_one_of_tasks_that_wait),
        cmocka_unit_test(a_mark_of_another_station_or_run_begins_at_the_beginning),
        cmocka_unit_test(a_mark_in_a_segment_that_has_shrunk_goes_on_with_what_is_left),
        cmocka_unit_test(a_forecast_of_very_many_hubs_and_workers_comes_in_pages_each_of_them_once),
        cmocka_unit_test(a_check_finds_tasks_in_queues_that_are_longer_than_its_window),
        cmocka_unit_test(nor_does_it_lose_any_where_one_place_alone_has_more),
        cmocka_unit_test(events_of_more_streams_than_one_publication_holds_are_all_told_in_order),
        cmocka_unit_test(an_author_of_two_lines_whose_work_waits_for_others_is_told_so_of_both),
    };
    return cmocka_run_group_tests_name("pages", tests, NULL, NULL);
}
