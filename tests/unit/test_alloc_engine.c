/* Memory runs out in the engine or the store, at every allocation of a scenario, once and for good; or a write or a commit fails, at every one of them: what
 * comes is an error, and the store holds what one of the commits before left there, whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/engine/engine.h"
#include "client/cli/linefile.h"
#define ALLOC_EVERYWHERE
#include "tests/unit/alloc_world.h"

#define COMMITS_MAX 64
#define CLIENT 1
#define AGENT 2

static const char line_text[] =
    "line: pairs\n"
    "input: [{name: text, type: text}]\n"
    "stations:\n"
    "  - {name: a, type: work, worker: {skills: {english: 2}}, backoff: 10ms, form: {fields: [{name: x, type: "
    "long_answer}]}}\n"
    "  - {name: b, type: work, when: a.x == 'yes', form: {fields: [{name: y, type: long_answer}]}}\n";

struct rig {
    char dir[64];
    struct store *s;
    struct engine *e;
    struct reader *r;
    struct effects out;
    struct slp_buf line, frames[8];
    int64_t now_us;
    uint64_t next_id;
    bool over; /* something failed: nothing more is asked */
    uint8_t hashes[COMMITS_MAX][16];
    unsigned commits;
};

static struct {
    uint64_t put, commit;
} fails_at; /* the n-th of the store's puts (0: none), of its commits */

static bool failing(void)
{
    return alloc_state.fail_at || fails_at.put || fails_at.commit;
}

static bool open_rig(struct rig *g)
{
    struct store_options o = { .dir = g->dir, .map_bytes = 1 << 26, .no_sync = true };
    static const uint8_t id[16] = "out of memory";
    static const struct engine_config config;
    enum store_rc rc = store_open(&g->s, &o, id, NULL, 0);
    if (rc == STORE_OK && !(g->e = engine_open(g->s, &config, &rc)))
        assert_int_not_equal(rc, STORE_OK);
    if (g->e)
        g->r = reader_new(g->s);
    if (g->r) {
        store_faults(g->s)->fail_put_after = fails_at.put;
        store_faults(g->s)->fail_commit_after = fails_at.commit;
    }
    return g->r != NULL;
}

static void close_rig(struct rig *g)
{
    reader_free(&g->r);
    engine_close(&g->e);
    store_close(&g->s);
    effects_free(&g->out);
}

/* One input as a batch of its own. */
static bool step(struct rig *g, struct input in)
{
    struct store_txn *t;
    if (g->over)
        return false;
    in.elapsed_us = g->now_us += 1000;
    in.wall_us = 1700000000000000 + g->now_us;
    effects_clear(&g->out);
    alloc_rearm();
    enum store_rc rc = store_begin(g->s, &t);
    if (rc == STORE_OK) {
        rc = engine_batch_begin(g->e, t, &g->out);
        if (rc == STORE_OK)
            rc = engine_step(g->e, &in);
        if (rc == STORE_OK)
            rc = engine_batch_end(g->e);
        if (rc == STORE_OK)
            rc = store_commit(&t);
        else
            store_abort(&t);
    }
    alloc_disarm();
    g->over = rc != STORE_OK;
    if (!g->over && !failing()) { /* the run that nothing fails in: what may be found later */
        assert_true(g->commits < COMMITS_MAX);
        assert_int_equal(engine_state_hash(g->s, g->hashes[g->commits++]), STORE_OK);
    }
    return !g->over;
}

/* The answer is in *m until the next one; its type, 0: none. */
static uint64_t ask(struct rig *g, uint64_t peer, uint64_t type, const void *any, struct slp_msg *m)
{
    struct slp_buf b = { 0 };
    struct slp_msg q;
    struct slp_fault fault;
    uint64_t found = 0, id = ++g->next_id;
    memset(m, 0, sizeof *m);
    assert_int_equal(slp_encode(&b, type, id, any), 0);
    assert_int_equal(slp_decode(b.p, b.n, SLP_C2B | SLP_A2B, &q, &fault), 0);
    if (step(g, (struct input){ .kind = INPUT_MESSAGE, .peer = peer, .msg = &q }))
        for (size_t i = 0; i < g->out.n && !found; i++) {
            const struct effect *f = &g->out.v[i];
            if (slp_decode(effect_frame(&g->out, f), f->n, SLP_B2C | SLP_B2A, m, &fault))
                fail_msg("after allocation %llu failed a frame is malformed: %s at %s",
                         (unsigned long long)alloc_state.fail_at, slp_error_name(fault.code), fault.place);
            found = f->peer == peer && m->id == id ? m->type : 0;
        }
    if (found == SLP_ERROR && failing()) /* refused, and nothing has changed: that will do */
        g->over = true;
    if (found == SLP_ERROR && !failing())
        fail_msg("the scenario was refused: %s at %.*s: %.*s", slp_error_name(m->u.error.code), (int)m->u.error.place.n,
                 m->u.error.place.p, (int)m->u.error.text.n, m->u.error.text.p);
    slp_buf_free(&b);
    return found;
}

static struct slp_bytes str(const char *s)
{
    return (struct slp_bytes){ s, (uint32_t)strlen(s) };
}

static void intake(struct rig *g)
{
    struct slp_msg m;
    struct slp_buf rows = { 0 };
    struct slp_line_apply line = { .definition = { g->line.p, (uint32_t)g->line.n } };
    ask(g, CLIENT, SLP_LINE_APPLY, &line, &m);
    struct slp_run_start run = { .line = str("pairs"), .name = str("r") };
    ask(g, CLIENT, SLP_RUN_START, &run, &m);
    for (unsigned i = 0; i < 40; i++) {
        char text[6000];
        memset(text, 'a' + (int)i % 26, sizeof text);
        slp_pack_array(&rows, 1);
        slp_pack_str(&rows, text, i % 8 ? 20 : sizeof text);
    }
    struct slp_put put = { .run_id = 1,
                           .rows = { rows.p, (uint32_t)rows.n, 40 },
                           .producer = { "0123456789abcdef", 16 },
                           .epoch = 1,
                           .first_seq = 1 };
    SLP_SET(&put, put, producer);
    SLP_SET(&put, put, epoch);
    SLP_SET(&put, put, first_seq);
    ask(g, CLIENT, SLP_PUT, &put, &m);
    slp_buf_clear(&rows);
    struct slp_buf keys = { 0 };
    for (unsigned i = 0; i < 4; i++) { /* under keys, one of them twice */
        slp_pack_array(&rows, 1);
        slp_pack_cstr(&rows, "the same");
        slp_pack_cstr(&keys, i % 2 ? "key" : i ? "other" : "");
    }
    struct slp_put keyed = {
        .run_id = 1, .rows = { rows.p, (uint32_t)rows.n, 4 }, .keys = { keys.p, (uint32_t)keys.n, 4 }, .delay_us = 5000
    };
    SLP_SET(&keyed, put, keys);
    SLP_SET(&keyed, put, delay_us);
    ask(g, CLIENT, SLP_PUT, &keyed, &m);
    slp_buf_free(&rows);
    slp_buf_free(&keys);
}

static uint64_t session(struct rig *g)
{
    struct slp_msg m;
    uint8_t digest[32] = { 1 };
    struct slp_buf workers = { 0 }, grants = { 0 };
    struct slp_hello hello = { .hub = str("nairobi"),
                               .incarnation = 1,
                               .data_id = { "0123456789abcdef", 16 },
                               .zone = str("Africa/Nairobi"),
                               .roster_digest = { (char *)digest, 32 },
                               .wall_us = 1700000000000000 };
    if (ask(g, AGENT, SLP_HELLO, &hello, &m) != SLP_WELCOME)
        return 0;
    uint64_t number = m.u.welcome.session;
    struct slp_buf skills = { 0 };
    struct slp_item_skill skill = { .name = str("english"), .level = 3 };
    slp_pack_item(&skills, SLP_ITEM_skill, &skill);
    struct slp_item_worker_def d = { .name = str("ann"),
                                     .capacity = 100,
                                     .skills = { skills.p, (uint32_t)skills.n, 1 } };
    slp_pack_item(&workers, SLP_ITEM_worker_def, &d);
    struct slp_roster roster = { .session = number,
                                 .digest = { (char *)digest, 32 },
                                 .workers = { workers.p, (uint32_t)workers.n, 1 },
                                 .last = true };
    ask(g, AGENT, SLP_ROSTER, &roster, &m);
    struct slp_item_credit c = { .worker = 1, .total = 30 };
    slp_pack_item(&grants, SLP_ITEM_credit, &c);
    struct slp_credit credit = { .session = number, .grants = { grants.p, (uint32_t)grants.n, 1 } };
    SLP_SET(&credit, credit, grants);
    ask(g, AGENT, SLP_CREDIT, &credit, &m);
    slp_buf_free(&workers);
    slp_buf_free(&grants);
    slp_buf_free(&skills);
    return number;
}

static void work(struct rig *g, uint64_t number)
{
    struct slp_msg m;
    struct slp_buf acts = { 0 }, results = { 0 }, values = { 0 };
    for (unsigned i = 0; i < 6; i++) { /* start, touch, release, decline, fail, bury: of assignments 1 to 6 */
        struct slp_item_act a = { .act = i, .assignment = i ? i : 7, .worker = 1 };
        slp_pack_item(&acts, SLP_ITEM_act, &a);
    }
    struct slp_acts q = { .session = number, .acts = { acts.p, (uint32_t)acts.n, 6 } };
    ask(g, AGENT, SLP_ACTS, &q, &m);
    slp_pack_cstr(&values, "yes");
    for (uint64_t a = 7; a < 20; a++) {
        struct slp_item_result r = { .assignment = a, .worker = 1, .values = { values.p, (uint32_t)values.n, 1 } };
        slp_pack_item(&results, SLP_ITEM_result, &r);
    }
    struct slp_submit submit = { .session = number, .results = { results.p, (uint32_t)results.n, 13 } };
    ask(g, AGENT, SLP_SUBMIT, &submit, &m);
    slp_buf_free(&acts);
    slp_buf_free(&results);
    slp_buf_free(&values);
}

/* The hub's link breaks off and comes back, with what it holds. */
static void session_again(struct rig *g)
{
    struct slp_msg m;
    struct slp_buf held = { 0 };
    uint8_t digest[32] = { 1 };
    for (uint64_t a = 18; a < 30; a++)
        slp_pack_u64(&held, a);
    struct slp_hello hello = { .hub = str("nairobi"),
                               .incarnation = 1,
                               .data_id = { "0123456789abcdef", 16 },
                               .zone = str("Africa/Nairobi"),
                               .roster_digest = { (char *)digest, 32 },
                               .held = { held.p, (uint32_t)held.n, 12 },
                               .wall_us = 1700000000000000 };
    uint64_t number = ask(g, AGENT, SLP_HELLO, &hello, &m) == SLP_WELCOME ? m.u.welcome.session : 0;
    slp_buf_free(&held);
    if (!number)
        return;
    ask(g, AGENT, SLP_ROSTER_GET, &(struct slp_roster_get){ .session = number }, &m);
    ask(g, AGENT, SLP_FORM_GET, &(struct slp_form_get){ .station_id = 1 }, &m);
    ask(g, AGENT, SLP_WHY_GET, &(struct slp_why_get){ .session = number, .worker = 1 }, &m);
    ask(g, AGENT, SLP_HEARTBEAT, &(struct slp_heartbeat){ .session = number, .wall_us = 1700000000000000 }, &m);
}

/* What the engine answers from memory. */
static void look_around(struct rig *g)
{
    struct slp_msg m;
    ask(g, CLIENT, SLP_LINES_GET, &(struct slp_lines_get){ 0 }, &m);
    ask(g, CLIENT, SLP_LINE_GET, &(struct slp_line_get){ .line = str("pairs") }, &m);
    ask(g, CLIENT, SLP_RUNS_GET, &(struct slp_runs_get){ 0 }, &m);
    ask(g, CLIENT, SLP_RUN_GET, &(struct slp_run_get){ .run = str("r") }, &m);
    ask(g, CLIENT, SLP_STATIONS_GET, &(struct slp_stations_get){ 0 }, &m);
    ask(g, CLIENT, SLP_HUBS_GET, &(struct slp_hubs_get){ 0 }, &m);
    ask(g, CLIENT, SLP_WORKERS_GET, &(struct slp_workers_get){ 0 }, &m);
    ask(g, CLIENT, SLP_STATS_GET, &(struct slp_stats_get){ 0 }, &m);
    struct slp_producer_get producer = { .run_id = 1, .producer = { "0123456789abcdef", 16 } };
    ask(g, CLIENT, SLP_PRODUCER_GET, &producer, &m);
}

static void read_page(struct rig *g, struct slp_msg q)
{
    struct slp_buf page = { 0 };
    struct slp_msg m;
    struct slp_fault fault;
    if (g->over)
        return;
    q.version = SL_PROTOCOL_VERSION;
    q.id = 1;
    alloc_rearm();
    int rc = reader_answer(g->r, &q, g->now_us, &page);
    alloc_disarm();
    if (rc == 0) { /* whole, or not at all */
        assert_int_equal(slp_decode(page.p, page.n, SLP_B2C | SLP_B2M, &m, &fault), 0);
        assert_true(m.type != SLP_ERROR || alloc_state.failed > 0);
    } else {
        assert_true(alloc_state.failed > 0);
    }
    slp_buf_free(&page);
}

static void on_frame(void *arg, const char *topic, const char *p, size_t n)
{
    struct slp_msg m;
    struct slp_fault fault;
    bool was = alloc_state.armed;
    alloc_disarm();
    (void)topic;
    assert_int_equal(slp_decode(p, n, SLP_B2M, &m, &fault), 0);
    ++*(unsigned *)arg;
    alloc_state.armed = was;
}

static bool wanted(void *arg, const char *topic)
{
    (void)arg, (void)topic;
    return true;
}

static void read_out(struct rig *g)
{
    struct slp_msg all = { .type = SLP_OUTPUT_GET };
    all.u.output_get.run = str("r");
    all.u.output_get.all_units = true;
    SLP_SET(&all.u.output_get, output_get, all_units);
    read_page(g, all);
    all.u.output_get.station = str("a");
    SLP_SET(&all.u.output_get, output_get, station);
    read_page(g, all);
    struct slp_msg unit = { .type = SLP_UNIT_GET };
    unit.u.unit_get = (struct slp_unit_get){ .run = str("r"), .unit = 8 };
    read_page(g, unit);
    for (uint64_t which = 0; which < 3; which++) {
        struct slp_msg tasks = { .type = SLP_TASKS_GET };
        tasks.u.tasks_get = (struct slp_tasks_get){ .station_id = 1, .which = which };
        read_page(g, tasks);
    }
    struct slp_msg events = { .type = SLP_EVENTS_GET };
    events.u.events_get.since = 1;
    read_page(g, events);
    read_page(g, (struct slp_msg){ .type = SLP_SNAPSHOT_GET });
    struct slp_msg check = { .type = SLP_CHECK_GET };
    read_page(g, check);
    check.u.check_get.recount = true;
    SLP_SET(&check.u.check_get, check_get, recount);
    read_page(g, check);
    unsigned frames = 0;
    if (g->over)
        return;
    alloc_rearm();
    int rc = reader_publish(g->r, 1, 1 << 20, wanted, on_frame, &frames);
    alloc_disarm();
    assert_true(rc == 0 ? frames > 0 : alloc_state.failed > 0);
}

static void remove_dir(const char *dir);

static void back_up(struct rig *g)
{
    char path[100], text[300] = "";
    if (g->over)
        return;
    snprintf(path, sizeof path, "%s.backup", g->dir);
    alloc_rearm();
    enum store_rc rc = store_backup(g->s, path, text, sizeof text);
    alloc_disarm();
    if (rc != STORE_OK) {
        assert_true(alloc_state.failed > 0 && text[0] != '\0');
        assert_int_not_equal(access(path, F_OK), 0); /* under its name only when it is whole */
        return;
    }
    remove_dir(path);
}

static void scenario(struct rig *g)
{
    step(g, (struct input){ .kind = INPUT_BOOT, .restart = 1000 });
    intake(g);
    uint64_t number = session(g);
    if (number)
        work(g, number);
    if (number && !g->over)
        session_again(g);
    look_around(g);
    read_out(g);
    back_up(g);
    g->now_us += 10000000;
    step(g, (struct input){ .kind = INPUT_TICK });
    struct slp_msg m;
    struct slp_run_set cancel = { .run = str("r"), .action = 3 };
    ask(g, CLIENT, SLP_RUN_SET, &cancel, &m);
    step(g, (struct input){ .kind = INPUT_TICK });
}

static void begin(struct rig *g)
{
    strcpy(g->dir, access("/dev/shm", W_OK) == 0 ? "/dev/shm/sunline-alloc-XXXXXX" : "/tmp/sunline-alloc-XXXXXX");
    assert_non_null(mkdtemp(g->dir));
    g->now_us = 1000000;
    g->over = false;
    g->next_id = 0;
    g->commits = 0;
}

static void remove_dir(const char *dir)
{
    char path[100];
    static const char *const names[] = { "data.mdb", "lock.mdb", "lock", "wal" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(dir), 0);
}

/* Opened again with memory: every record whole, the state that of a commit, and a start goes through. */
static void expect_whole(struct rig *g, const struct rig *reference, uint64_t n)
{
    uint8_t hash[16];
    struct store_verified checked;
    assert_true(open_rig(g));
    for (int tb = 0; tb < STORE_TABLE_COUNT; tb++)
        if (store_verify(g->s, (enum store_table)tb, &checked, NULL, NULL) != STORE_OK)
            fail_msg("after allocation %llu failed: %s is damaged", (unsigned long long)n,
                     store_table_name((enum store_table)tb));
    assert_int_equal(engine_state_hash(g->s, hash), STORE_OK);
    bool known = false;
    for (unsigned i = 0; i < reference->commits && !known; i++)
        known = memcmp(hash, reference->hashes[i], sizeof hash) == 0;
    uint8_t empty[16];
    memcpy(empty, reference->hashes[COMMITS_MAX - 1], sizeof empty); /* of a store in which nothing has happened */
    if (!known && memcmp(hash, empty, sizeof hash) != 0)
        fail_msg("after allocation %llu failed the store is in a state that no commit left", (unsigned long long)n);
    g->over = false;
    assert_true(step(g, (struct input){ .kind = INPUT_BOOT, .restart = 2000 }));
    close_rig(g);
}

static struct rig whole, rig; /* nothing fails in the one; in the other what a test wants */

/* The scenario, in which nothing fails: how many allocations it took. */
static uint64_t live_plain(void)
{
    begin(&rig);
    alloc_arm(UINT64_MAX, false);
    assert_true(open_rig(&rig));
    alloc_disarm();
    scenario(&rig);
    uint64_t calls = alloc_state.calls;
    close_rig(&rig);
    remove_dir(rig.dir);
    return calls;
}

/* How many allocations there are when nothing fails; whole.hashes: what each commit left. */
static uint64_t live_whole(void)
{
    memset(&whole, 0, sizeof whole);
    memset(&rig, 0, sizeof rig);
    struct linefile *f = linefile_parse("test.yml", line_text, strlen(line_text));
    assert_non_null(f);
    assert_int_equal(linefile_check(f), 0);
    struct slp_bytes packed = linefile_packed(f);
    slp_buf_add(&whole.line, packed.p, packed.n);
    slp_buf_add(&rig.line, packed.p, packed.n);
    linefile_free(&f);

    live_plain(); /* once before it counts: what libraries allocate at their first use is no part of it */
    begin(&whole);
    alloc_arm(0, false);
    assert_true(open_rig(&whole));
    alloc_disarm();
    assert_int_equal(engine_state_hash(whole.s, whole.hashes[COMMITS_MAX - 1]), STORE_OK);
    scenario(&whole);
    assert_false(whole.over);
    close_rig(&whole);
    remove_dir(whole.dir);
    uint64_t all =
        live_plain(); /* who asks for the hash of a state makes the store settle: that is not how the others live */
    print_message("# %u commits, %llu allocations\n", whole.commits, (unsigned long long)all);
    assert_true(whole.commits >= 10 && all > 20);
    return all;
}

static void forget_lines(void)
{
    slp_buf_free(&whole.line);
    slp_buf_free(&rig.line);
}

static void out_of_memory(bool on)
{
    uint64_t all = live_whole();
    for (uint64_t n = 1; n <= all; n++) {
        begin(&rig);
        alloc_arm(n, on);
        bool up = open_rig(&rig);
        alloc_disarm();
        if (up)
            scenario(&rig);
        if (alloc_state.failed == 0)
            fail_msg("allocation %llu of %llu did not come", (unsigned long long)n, (unsigned long long)all);
        close_rig(&rig);
        alloc_arm(UINT64_MAX, false); /* nothing fails any more, nothing is recorded */
        alloc_disarm();
        expect_whole(&rig, &whole, n);
        remove_dir(rig.dir);
    }
    print_message("# %llu allocations failed, at %u sites\n", (unsigned long long)all, alloc_sites());
    forget_lines();
}

/* Until the scenario goes through without it. */
static void writes_fail(uint64_t *at, const char *what)
{
    bool over = true;
    live_whole();
    for (*at = 1; over; ++*at) {
        uint64_t n = *at;
        begin(&rig);
        alloc_arm(0, false);
        bool up = open_rig(&rig);
        alloc_disarm();
        assert_true(up);
        scenario(&rig);
        over = rig.over;
        close_rig(&rig);
        *at = 0;
        expect_whole(&rig, &whole, n);
        remove_dir(rig.dir);
        *at = n;
    }
    print_message("# %llu %s failed\n", (unsigned long long)*at - 2, what);
    assert_true(*at > 10);
    *at = 0;
    forget_lines();
}

static void a_write_fails_at_each_place(void **state)
{
    (void)state;
    writes_fail(&fails_at.put, "writes");
}

static void a_commit_fails_each_time(void **state)
{
    (void)state;
    writes_fail(&fails_at.commit, "commits");
}


static void one_allocation_fails_at_each_site(void **state)
{
    (void)state;
    out_of_memory(false);
}

static void memory_is_gone_for_good_at_each_site(void **state)
{
    (void)state;
    out_of_memory(true);
}

/* More hubs than there is room for at first. */
static void more_hubs(struct rig *g)
{
    for (unsigned i = 0; i < 20; i++) {
        char name[8];
        uint8_t digest[32] = { 2 };
        struct slp_msg m;
        snprintf(name, sizeof name, "hub%u", i);
        struct slp_hello hello = { .hub = str(name),
                                   .incarnation = 1,
                                   .data_id = { "0123456789abcdef", 16 },
                                   .zone = str("Africa/Nairobi"),
                                   .roster_digest = { (char *)digest, 32 },
                                   .wall_us = 1700000000000000 };
        assert_int_equal(ask(g, AGENT + 1000 + i, SLP_HELLO, &hello, &m), SLP_WELCOME);
    }
}

/* A start reads lines, runs, hubs, workers and assignments that are there: whichever allocation fails, it says so, and the next start goes through. */
static void a_start_over_what_is_there_may_run_out_of_memory_at_each_site(void **state)
{
    static struct rig g;
    struct linefile *f = linefile_parse("test.yml", line_text, strlen(line_text));
    (void)state;
    memset(&g, 0, sizeof g);
    assert_int_equal(linefile_check(f), 0);
    struct slp_bytes packed = linefile_packed(f);
    slp_buf_add(&g.line, packed.p, packed.n);
    linefile_free(&f);
    begin(&g);
    assert_true(open_rig(&g));
    step(&g, (struct input){ .kind = INPUT_BOOT, .restart = 1000 });
    intake(&g);
    assert_true(session(&g));
    more_hubs(&g);
    assert_false(g.over);
    close_rig(&g);
    for (int on = 0; on <= 1; on++) {
        uint64_t n = 0;
        for (bool untouched = false; !untouched;) {
            alloc_arm(++n, on);
            bool up = open_rig(&g);
            alloc_disarm();
            untouched = alloc_state.failed == 0; /* past the last one */
            assert_true(up || !untouched);
            close_rig(&g);
        }
        assert_in_range(n, 20, 10000);
    }
    remove_dir(g.dir);
    slp_buf_free(&g.line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_allocation_fails_at_each_site),
        cmocka_unit_test(memory_is_gone_for_good_at_each_site),
        cmocka_unit_test(a_write_fails_at_each_place),
        cmocka_unit_test(a_commit_fails_each_time),
        cmocka_unit_test(a_start_over_what_is_there_may_run_out_of_memory_at_each_site),
    };
    return cmocka_run_group_tests_name("allocations and writes of engine and store", tests, NULL, NULL);
}
