/* The engine: its events. Sequences without a gap, each stream's chain, the same bytes whether published or asked for later, what is no longer kept, and that a
 * reader who only follows the events knows as much as the counters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proto/reader.h"
#include "tests/lib/engine_life.h"

enum event_type {
#define EVENT(NAME, number, ids, data, text) EV_##NAME = number,
#include "proto/events.def"
#undef EVENT
};

static struct world w;

static const char *const streams[] = { "all", "line/life", "run/one", "run/two", "hub/west", "hub/east" };
#define STREAMS 6

/* Everything of a stream, page by page, as packed items one after the other; asserts the chain on the way. */
static struct slp_buf replay(const char *stream, uint64_t limit, uint64_t *count)
{
    struct slp_buf all = { 0 };
    struct slp_events_get q = { .since = 1, .stream = world_str(stream), .limit = limit };
    uint64_t last = 0;
    SLP_SET(&q, events_get, stream);
    SLP_SET(&q, events_get, limit);
    *count = 0;
    for (;;) {
        struct slp_msg *m = world_read(&w, SLP_EVENTS_GET, &q);
        assert_int_equal(m->type, SLP_EVENTS);
        struct slp_cursor c = slp_each(m->u.events.events);
        struct slp_item_event ev;
        for (uint32_t i = 0; slp_next_event(&c, &ev); i++) {
            if (i == 0)
                assert_int_equal(m->u.events.prev_seq, last);
            assert_true(ev.seq > last);
            if (!strcmp(stream, "all"))
                assert_int_equal(ev.seq, last + 1);
            last = ev.seq;
            (*count)++;
        }
        slp_buf_add(&all, m->u.events.events.p, m->u.events.events.bytes);
        assert_true(m->u.events.next_since > last);
        q.since = m->u.events.next_since;
        if (!m->u.events.more)
            return all;
    }
}

struct publication {
    struct slp_buf b[STREAMS];
    uint64_t last[STREAMS];
};

static bool wanted(void *arg, const char *topic)
{
    (void)arg;
    for (int i = 0; i < STREAMS; i++)
        if (!strcmp(topic, streams[i]))
            return true;
    return false;
}

static void published(void *arg, const char *topic, const char *body, size_t n)
{
    struct publication *p = arg;
    struct slp_msg m;
    struct slp_fault fault;
    int i = 0;
    while (strcmp(topic, streams[i]))
        assert_true(++i < STREAMS);
    assert_true(n <= SL_FRAME_BYTES_MAX);
    assert_int_equal(slp_decode(body, n, SLP_B2M, &m, &fault), 0);
    assert_int_equal(m.type, SLP_EVENTS);
    assert_int_equal(m.u.events.stream.n, strlen(topic));
    assert_int_equal(m.u.events.prev_seq, p->last[i]);
    slp_buf_add(&p->b[i], m.u.events.events.p, m.u.events.events.bytes);
    p->last[i] = m.u.events.next_since - 1;
}

static uint64_t last_event(void)
{
    struct slp_stats_get q = { 0 };
    return world_number(world_at(world_send(&w, WORLD_CLIENT, SLP_STATS_GET, &q)->u.stats.figures, "event_seq"));
}

static void pages_and_publications_tell_the_same_without_a_gap(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct publication p = { 0 };
        memset(&w, 0, sizeof w);
        life_live(&w, &(struct life){ .seed = seed, .steps = 400, .batch = 5, .restart_at = 200, .really = true });
        uint64_t last = last_event();
        for (uint64_t at = 1, n = 1; at <= last; at += n, n = n * 3 % 50 + 1) /* batches of any length */
            assert_int_equal(reader_publish(w.reader, at, at + n - 1 < last ? at + n - 1 : last, wanted, published, &p),
                             0);
        for (int i = 0; i < STREAMS; i++) {
            uint64_t by_one, by_many;
            struct slp_buf a = replay(streams[i], 1 + seed, &by_one), b = replay(streams[i], 1000, &by_many);
            assert_true(by_one > 5);
            assert_int_equal(by_one, by_many);
            if (i == 0)
                assert_int_equal(by_one, last);
            assert_int_equal(a.n, b.n);
            assert_memory_equal(a.p, b.p, a.n);
            assert_int_equal(a.n, p.b[i].n);
            assert_memory_equal(a.p, p.b[i].p, a.n);
            slp_buf_free(&a);
            slp_buf_free(&b);
            slp_buf_free(&p.b[i]);
        }
        world_end(&w);
    }
}

static void an_unknown_stream_and_a_future_that_is_not_are_refused(void **state)
{
    static const char *const none[] = { "run/nobody", "run/", "x", "line", "hub/west/", "all/" };
    (void)state;
    memset(&w, 0, sizeof w);
    life_live(&w, &(struct life){ .seed = 1, .steps = 20, .batch = 1 });
    for (int i = 0; i < 6; i++) {
        struct slp_events_get q = { .since = 1, .stream = world_str(none[i]) };
        SLP_SET(&q, events_get, stream);
        assert_int_equal(world_code(world_read(&w, SLP_EVENTS_GET, &q)), SLP_E_NOT_FOUND);
    }
    static const uint64_t far[] = { 1000000, UINT64_MAX - 1, UINT64_MAX };
    for (int i = 0; i < 3; i++) {
        struct slp_events_get q = { .since = far[i] };
        struct slp_msg *m = world_read(&w, SLP_EVENTS_GET, &q);
        assert_int_equal(world_code(m),
                         SLP_E_GONE); /* who asks so has seen what this store, an old backup, does not know */
        assert_int_equal(m->u.error.oldest, 1);
    }
    world_end(&w);
}

static void what_is_no_longer_kept_is_gone_and_says_from_where_on_it_is(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    w.cfg.event_keep_max = 50;
    life_live(&w, &(struct life){ .seed = 3, .steps = 300, .batch = 1 });
    uint64_t last = last_event();
    assert_true(last > 200);
    struct slp_events_get q = { .since = 1 };
    struct slp_msg *m = world_read(&w, SLP_EVENTS_GET, &q);
    assert_int_equal(world_code(m), SLP_E_GONE);
    unsigned long long oldest = 0;
    char text[100];
    snprintf(text, sizeof text, "%.*s", (int)m->u.error.text.n, m->u.error.text.p);
    assert_int_equal(sscanf(text, "the oldest event kept is %llu", &oldest), 1);
    assert_in_range(last - oldest, 49, 80); /* whole segments */
    q.since = oldest;
    m = world_read(&w, SLP_EVENTS_GET, &q);
    assert_int_equal(m->u.events.events.count, last - oldest + 1);
    q.since = oldest - 1;
    assert_int_equal(world_code(world_read(&w, SLP_EVENTS_GET, &q)), SLP_E_GONE);
    world_restart(&w);
    q.since = oldest;
    assert_int_equal(world_read(&w, SLP_EVENTS_GET, &q)->type, SLP_EVENTS);
    world_end(&w);
}

static void old_events_go_when_their_time_is_over(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    w.cfg.event_keep_us = 3600ll * 1000000;
    life_live(&w, &(struct life){ .seed = 5, .steps = 50, .batch = 1 });
    struct slp_events_get q = { .since = 1 };
    assert_int_equal(world_read(&w, SLP_EVENTS_GET, &q)->type, SLP_EVENTS);
    w.wall_us += 10 * 24 * 3600ll * 1000000; /* a clock that is set days ahead, and back again, costs no past */
    world_tick(&w);
    world_tick(&w);
    assert_int_equal(world_read(&w, SLP_EVENTS_GET, &q)->type, SLP_EVENTS);
    w.wall_us -= 10 * 24 * 3600ll * 1000000;
    world_tick(&w);
    assert_int_equal(world_read(&w, SLP_EVENTS_GET, &q)->type, SLP_EVENTS);
    w.now_us += 3601ll * 1000000;
    w.wall_us += 3601ll * 1000000;
    world_tick(&w);
    world_tick(&w);
    assert_int_equal(world_code(world_read(&w, SLP_EVENTS_GET, &q)), SLP_E_GONE);
    world_end(&w);
}

/* So many that they are more than a segment, in the tick in which all that was before them is forgotten. */
static void what_one_tick_tells_is_there_when_all_before_it_has_grown_old(void **state)
{
    enum { HUBS = 100 };
    static struct world_hub h[HUBS];
    const int64_t later_us = 3 * 3600ll * 1000000;
    (void)state;
    memset(&w, 0, sizeof w);
    w.cfg.event_keep_us = 3600ll * 1000000;
    world_open(&w);
    for (unsigned i = 0; i < HUBS; i++) {
        char name[16];
        snprintf(name, sizeof name, "hub%u", i);
        world_hub(&w, &h[i], name, 1, 0);
    }
    uint64_t before = last_event();
    w.now_us += later_us;
    w.wall_us += later_us;
    world_tick(&w);
    assert_int_equal(last_event(), before + HUBS); /* each session is over */
    struct slp_events_get q = { .since = before };
    assert_int_equal(world_code(world_read(&w, SLP_EVENTS_GET, &q)), SLP_E_GONE);
    q.since = before + 1;
    struct slp_msg *m = world_read(&w, SLP_EVENTS_GET, &q);
    assert_int_equal(m->type, SLP_EVENTS);
    assert_int_equal(m->u.events.events.count, HUBS);
    assert_false(m->u.events.more);
    world_end(&w);
}

/* ---- a record that is missing ---- */

/* The i-th record from the front, or the last one, is taken away: its first event. */
static uint64_t lose(unsigned i, bool the_last)
{
    struct store_txn *t;
    struct store_cursor c;
    uint8_t k[8];
    world_flush(&w);
    assert_int_equal(store_begin(w.store, &t), STORE_OK);
    assert_int_equal(store_cursor_open(t, TABLE_EVENT, &c), STORE_OK);
    memset(k, 0xff, sizeof k);
    assert_int_equal(the_last ? store_seek_le(&c, k, sizeof k) : store_seek(&c, "", 0), STORE_OK);
    for (; i && !the_last; i--)
        assert_int_equal(store_next(&c), STORE_OK);
    memcpy(k, c.key.p, sizeof k);
    store_cursor_close(&c);
    assert_int_equal(store_del(t, TABLE_EVENT, k, sizeof k), STORE_OK);
    assert_int_equal(store_commit(&t), STORE_OK);
    return key_get_u64(k);
}

static enum slp_code asked_since(uint64_t since, uint64_t limit)
{
    struct slp_events_get q = { .since = since, .limit = limit };
    SLP_SET(&q, events_get, limit);
    struct slp_msg *m = world_read(&w, SLP_EVENTS_GET, &q);
    return m->type == SLP_EVENTS ? SLP_E_OK : world_code(m);
}

static bool all_wanted(void *arg, const char *topic)
{
    (void)arg;
    return !strcmp(topic, "all");
}

static void where_a_record_of_events_is_missing_they_are_refused_and_not_told_with_a_hole(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    life_live(&w, &(struct life){ .seed = 1, .steps = 100, .batch = 1 });
    uint64_t last = last_event(), hole = lose(5, false);
    struct publication p = { 0 };
    assert_in_range(hole, 3, last - 3);
    assert_int_equal(asked_since(1, 1000), SLP_E_CORRUPT);
    assert_int_equal(asked_since(1, hole - 2), SLP_E_OK); /* what lies before it is whole */
    assert_int_equal(asked_since(hole, 1), SLP_E_CORRUPT);
    assert_int_equal(asked_since(last, 1000), SLP_E_OK);
    assert_int_equal(reader_publish(w.reader, 1, last, all_wanted, published, &p), -1);
    assert_int_equal(p.last[0], hole - 1);
    p.last[0] = last - 1;
    assert_int_equal(reader_publish(w.reader, last, last, all_wanted, published, &p), 0);
    uint64_t end = lose(0, true); /* nor is the end another one than it was */
    assert_int_equal(asked_since(end, 1000), SLP_E_CORRUPT);
    assert_int_equal(asked_since(last + 1, 1000), SLP_E_OK);
    assert_int_equal(reader_publish(w.reader, end, last, all_wanted, published, &p), -1);
    assert_int_equal(p.last[0], last);
    slp_buf_free(&p.b[0]);
    world_close(&w);
}

/* ---- following the events alone ---- */

#define UNITS 2000
#define ASSIGNMENTS 20000
struct follower {
    uint32_t first_station;
    uint8_t task[2][4][UNITS], unit[2][UNITS]; /* by run, station, unit */
    bool known[2][UNITS];
    struct {
        uint8_t run, station;
        uint16_t unit;
    } of[ASSIGNMENTS];
};

static void set(struct follower *f, struct slp_bytes data, uint8_t to)
{
    uint64_t run = world_number(world_at(data, "run")) - 1,
             station = world_number(world_at(data, "station")) - f->first_station;
    struct slp_bytes units = world_at(data, "units");
    char path[16];
    assert_true(run < 2 && station < 4 && units.n);
    for (unsigned i = 0;; i += 2) {
        snprintf(path, sizeof path, "[%u]", i);
        uint64_t first = world_number(world_at(units, path));
        if (first == UINT64_MAX)
            break;
        snprintf(path, sizeof path, "[%u]", i + 1);
        for (uint64_t n = world_number(world_at(units, path)); n--; first++) {
            assert_true(first < UNITS && f->known[run][first]);
            f->task[run][station][first] = to;
        }
    }
}

static void set_units(struct follower *f, struct slp_bytes data, int to) /* -1: they came in */
{
    uint64_t run = world_number(world_at(data, "run")) - 1;
    struct slp_bytes units = world_at(data, "units");
    char path[16];
    for (unsigned i = 0;; i += 2) {
        snprintf(path, sizeof path, "[%u]", i);
        uint64_t first = world_number(world_at(units, path));
        if (first == UINT64_MAX)
            break;
        snprintf(path, sizeof path, "[%u]", i + 1);
        for (uint64_t n = world_number(world_at(units, path)); n--; first++) {
            assert_int_equal(f->known[run][first], to >= 0);
            f->known[run][first] = true;
            f->unit[run][first] = to < 0 ? UNIT_OPEN : (uint8_t)to;
            for (int s = 0; to == UNIT_DROPPED && s < 4; s++)
                if (f->task[run][s][first] != TASK_DONE && f->task[run][s][first] != TASK_SKIPPED)
                    f->task[run][s][first] = TASK_ENDED;
        }
    }
}

static void assigned(struct follower *f, struct slp_bytes data)
{
    uint64_t run = world_number(world_at(data, "run")) - 1,
             station = world_number(world_at(data, "station")) - f->first_station;
    uint64_t no = world_number(world_at(data, "first"));
    struct slp_bytes units = world_at(data, "units");
    char path[16];
    set(f, data, TASK_ASSIGNED);
    for (unsigned i = 0;; i += 2) {
        snprintf(path, sizeof path, "[%u]", i);
        uint64_t first = world_number(world_at(units, path));
        if (first == UINT64_MAX)
            break;
        snprintf(path, sizeof path, "[%u]", i + 1);
        for (uint64_t n = world_number(world_at(units, path)); n--; first++, no++) {
            assert_true(no < ASSIGNMENTS);
            f->of[no].run = (uint8_t)run;
            f->of[no].station = (uint8_t)station;
            f->of[no].unit = (uint16_t)first;
        }
    }
}

static void started(struct follower *f, struct slp_bytes data)
{
    struct slp_bytes list = world_at(data, "assignments");
    char path[16];
    for (unsigned i = 0;; i += 2) {
        snprintf(path, sizeof path, "[%u]", i);
        uint64_t first = world_number(world_at(list, path));
        if (first == UINT64_MAX)
            break;
        snprintf(path, sizeof path, "[%u]", i + 1);
        for (uint64_t n = world_number(world_at(list, path)); n--; first++) {
            uint8_t *t = &f->task[f->of[first].run][f->of[first].station][f->of[first].unit];
            if (*t == TASK_ASSIGNED)
                *t = TASK_STARTED;
        }
    }
}

static void follow(struct follower *f, const struct slp_item_event *ev)
{
    switch ((enum event_type)ev->type) {
    case EV_UNITS_ADDED: set_units(f, ev->data, -1); break;
    case EV_TASKS_READY: set(f, ev->data, TASK_READY); break;
    case EV_TASKS_WAITING: set(f, ev->data, TASK_WAITING); break;
    case EV_TASKS_SKIPPED: set(f, ev->data, TASK_SKIPPED); break;
    case EV_TASKS_DONE: set(f, ev->data, TASK_DONE); break;
    case EV_TASKS_DEAD: set(f, ev->data, TASK_DEAD); break;
    case EV_ASSIGNED: assigned(f, ev->data); break;
    case EV_STARTED: started(f, ev->data); break;
    case EV_UNITS_DONE: set_units(f, ev->data, UNIT_DONE); break;
    case EV_UNITS_DROPPED: set_units(f, ev->data, UNIT_DROPPED); break;
    default: /* the others move no task */ break;
    }
}

static void who_follows_the_events_knows_what_the_counters_say(void **state)
{
    static const char *const station[] = { "a", "b", "c", "d" }, *const run[] = { "one", "two" };
    static struct follower f;
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        uint64_t n;
        memset(&w, 0, sizeof w);
        memset(&f, 0, sizeof f);
        f.first_station = 1;
        life_live(&w, &(struct life){ .seed = seed, .steps = 500, .batch = 3 });
        struct slp_buf all = replay("all", 1000, &n);
        struct slp_cursor c = slp_each((struct slp_list){ all.p, (uint32_t)all.n, (uint32_t)n });
        for (struct slp_item_event ev; slp_next_event(&c, &ev);)
            follow(&f, &ev);
        for (int r = 0; r < 2; r++)
            for (int s = 0; s < 4; s++) {
                uint64_t count[TASK_STATES] = { 0 };
                for (int u = 0; u < UNITS; u++)
                    if (f.known[r][u])
                        count[f.task[r][s][u]]++;
                for (int k = 0; k < TASK_STATES; k++)
                    if (count[k] != world_count(&w, run[r], station[s], (enum task_state)k))
                        fail_msg("seed %u, run %s, station %s, state %d: %u by the events", (unsigned)seed, run[r],
                                 station[s], k, (unsigned)count[k]);
            }
        slp_buf_free(&all);
        world_end(&w);
    }
}

/* The data of the i-th event of this type in the stream of all; {NULL, 0}: none. */
static struct slp_bytes data_of(uint64_t type, unsigned i, int64_t *wall_us)
{
    struct slp_events_get q = { .since = 1 };
    for (bool more = true; more;) {
        struct slp_msg *m = world_read(&w, SLP_EVENTS_GET, &q);
        struct slp_cursor c = slp_each(m->u.events.events);
        for (struct slp_item_event ev; slp_next_event(&c, &ev);)
            if (ev.type == type && i-- == 0) {
                if (wall_us)
                    *wall_us = ev.wall_us;
                return ev.data;
            }
        q.since = m->u.events.next_since;
        more = m->u.events.more;
    }
    return (struct slp_bytes){ NULL, 0 };
}

static void a_line_of_very_many_stations_is_told_in_several_events(void **state)
{
    static char yaml[40000];
    unsigned told = 0, more = 0;
    (void)state;
    memset(&w, 0, sizeof w);
    world_open(&w);
    int at = snprintf(yaml, sizeof yaml, "line: l\ninput:\n  - {name: text, type: text}\nstations:\n");
    for (unsigned i = 0; i < SL_LINE_STATIONS_MAX; i++)
        at += snprintf(yaml + at, sizeof yaml - (size_t)at, "  - {name: s%03u-%058d}\n", i, 0);
    uint64_t first = world_line(&w, yaml);
    for (unsigned i = 0;; i++) {
        struct slp_bytes d = data_of(i ? EV_LINE_STATIONS : EV_LINE_APPLIED, i ? i - 1 : 0, NULL);
        if (!d.p)
            break;
        char path[40];
        assert_int_equal(world_number(world_at(d, "version")), 1);
        assert_int_equal(world_at(d, "name").p != NULL, i == 0);
        for (unsigned k = 0;; k++) {
            snprintf(path, sizeof path, "stations[%u][0]", k);
            struct slp_bytes station = world_at(d, path);
            if (!station.p)
                break;
            assert_int_equal(world_number(station), first + told++);
        }
        more += i > 0;
    }
    assert_int_equal(told, SL_LINE_STATIONS_MAX);
    assert_in_range(more, 2, 10);
    world_end(&w);
}

static void a_clock_from_before_1970_is_told_as_it_is(void **state)
{
    int64_t wall_us = 1;
    (void)state;
    memset(&w, 0, sizeof w);
    world_open(&w);
    w.wall_us = -5000000;
    world_line(&w, "line: l\ninput:\n  - {name: text, type: text}\nstations:\n  - {name: s}\n");
    assert_non_null(data_of(EV_LINE_APPLIED, 0, &wall_us).p);
    assert_int_equal(wall_us, -5000000);
    world_end(&w);
}

/* More stretches of assignments than one event has room for. */
static void what_is_begun_here_and_there_in_one_frame_is_told_whole(void **state)
{
    static struct world_scene s;
    struct slp_buf acts = { 0 };
    uint64_t begun = 0;
    unsigned events = 0;
    (void)state;
    world_scene(&s, "line: l\ninput:\n  - {name: text, type: text}\nstations:\n  - {name: s}\n", 1, 0);
    world_put(&s.w, s.run, 800);
    assert_int_equal(world_take(&s, 0, 800), 800);
    for (size_t i = 0; i < 800; i += 2) {
        struct slp_item_act a = { .act = ACT_START, .assignment = s.t[i].assignment, .worker = s.t[i].worker };
        slp_pack_item(&acts, SLP_ITEM_act, &a);
    }
    struct slp_acts q = { .session = s.h.session, .acts = { acts.p, (uint32_t)acts.n, 400 } };
    struct slp_msg *m = world_send(&s.w, s.h.peer, SLP_ACTS, &q);
    assert_int_equal(m->type, SLP_OUTCOMES);
    assert_int_equal(m->u.outcomes.ok, 400);
    w = s.w;
    for (struct slp_bytes d; (d = data_of(EV_STARTED, events, NULL)).p; events++)
        for (unsigned k = 0;; k += 2) {
            char path[40];
            snprintf(path, sizeof path, "assignments[%u]", k);
            struct slp_bytes no = world_at(d, path);
            snprintf(path, sizeof path, "assignments[%u]", k + 1);
            if (!no.p)
                break;
            assert_int_equal(world_number(no), s.t[2 * begun].assignment);
            assert_int_equal(world_number(world_at(d, path)), 1);
            begun++;
        }
    assert_int_equal(begun, 400);
    assert_in_range(events, 2, 8);
    s.w = w;
    slp_buf_free(&acts);
    world_end(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_and_publications_tell_the_same_without_a_gap),
        cmocka_unit_test(an_unknown_stream_and_a_future_that_is_not_are_refused),
        cmocka_unit_test(what_is_no_longer_kept_is_gone_and_says_from_where_on_it_is),
        cmocka_unit_test(old_events_go_when_their_time_is_over),
        cmocka_unit_test(where_a_record_of_events_is_missing_they_are_refused_and_not_told_with_a_hole),
        cmocka_unit_test(what_one_tick_tells_is_there_when_all_before_it_has_grown_old),
        cmocka_unit_test(who_follows_the_events_knows_what_the_counters_say),
        cmocka_unit_test(a_line_of_very_many_stations_is_told_in_several_events),
        cmocka_unit_test(a_clock_from_before_1970_is_told_as_it_is),
        cmocka_unit_test(what_is_begun_here_and_there_in_one_frame_is_told_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
