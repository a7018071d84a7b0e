/* Records whose checksum is right and that are not what they should be: gone, cut short, of another time. A page of the store that the disk brought back
 * from the past, or a mistake of ours, looks like that. Over a store in which a broad life was lived, one record of each kind is spoiled at a time:
 * the engine refuses the store as damaged or works on, readers refuse or answer, and nothing else happens. SPOIL=1 in the environment tells which
 * record it is at. */
#include <limits.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/lib/engine_play.h"

/* ---- the store as it was, in memory ---- */

static struct slp_buf file;

static void path_of(char *path, size_t size)
{
    snprintf(path, size, "%s/data.mdb", play.w.dir);
}

static void keep(void)
{
    char path[100], b[65536];
    path_of(path, sizeof path);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    slp_buf_clear(&file);
    for (size_t n; (n = fread(b, 1, sizeof b, f)) > 0;)
        slp_buf_add(&file, b, n);
    fclose(f);
    assert_true(file.n > 8192);
}

static void put_back(void)
{
    char path[100];
    path_of(path, sizeof path);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(file.p, 1, file.n, f), file.n);
    assert_int_equal(fclose(f), 0);
}

static struct store *open_alone(void)
{
    struct store *s;
    struct store_options o = { .dir = play.w.dir, .map_bytes = 1 << 28, .wal_bytes = 1, .no_sync = true };
    assert_int_equal(store_open(&s, &o, (const uint8_t *)"a store of a test", NULL, 0), STORE_OK);
    return s;
}

/* ---- its records ---- */

#define EACH_MAX 24 /* of one table: neighbours are alike */

struct record {
    enum store_table tb;
    size_t key_n, n;
    uint8_t key[STORE_KEY_BYTES_MAX], v[SL_VALUE_BYTES_MAX];
};
static struct record record[STORE_TABLE_COUNT * EACH_MAX];
static size_t records;

static void list_table(struct store_txn *t, enum store_table tb)
{
    struct store_cursor c;
    uint64_t n = 0, i = 0;
    assert_int_equal(store_cursor_open(t, tb, &c), STORE_OK);
    for (enum store_rc rc = store_seek(&c, "", 0); rc == STORE_OK; rc = store_next(&c))
        n++;
    uint64_t step = n / EACH_MAX + 1;
    for (enum store_rc rc = store_seek(&c, "", 0); rc == STORE_OK; rc = store_next(&c)) {
        if (i++ % step && i != n) /* the last one, too */
            continue;
        assert_true(records < sizeof record / sizeof *record);
        struct record *r = &record[records++];
        r->tb = tb;
        memcpy(r->key, c.key.p, r->key_n = c.key.n);
        memcpy(r->v, c.val.p, r->n = c.val.n);
    }
    store_cursor_close(&c);
}

static void list(void)
{
    struct store *s = open_alone();
    struct store_txn *t;
    records = 0;
    assert_int_equal(store_begin_read(s, &t), STORE_OK);
    for (enum store_table tb = 0; tb < STORE_TABLE_COUNT; tb++)
        list_table(t, tb);
    store_abort(&t);
    store_close(&s);
}

/* ---- spoiling ---- */

/* What a forecast and a listing of tasks do not look at cannot change them: they are long, and asked for where it can. */
static bool may_show(enum store_table tb, uint64_t type)
{
    switch (tb) {
    case TABLE_META:
    case TABLE_LINE:
    case TABLE_STATION:
    case TABLE_NAME: return true;
    case TABLE_PACE:
    case TABLE_ARRIVAL:
    case TABLE_PRESENCE:
    case TABLE_WORKER:
    case TABLE_SKILL:
    case TABLE_REPUTE: return type == SLP_COVERAGE_GET;
    case TABLE_RUN:
    case TABLE_STATE:
    case TABLE_READY:
    case TABLE_DELAY:
    case TABLE_DEAD: return type == SLP_TASKS_GET;
    default: return false;
    }
}

/* Readers over the store alone, as `sunline check` does without a broker: each answers, refuses as damaged, or cannot read on. */
static void read_without_engine(struct store *s, const struct record *rec)
{
    static const char phase[3][5] = { { 0 }, { 1 }, { 2 } }; /* stations, hubs, workers: where a page begins */
    struct slp_msg q[14] = { { .type = SLP_CHECK_GET },    { .type = SLP_CHECK_GET },    { .type = SLP_SNAPSHOT_GET },
                             { .type = SLP_UNIT_GET },     { .type = SLP_OUTPUT_GET },   { .type = SLP_COVERAGE_GET },
                             { .type = SLP_COVERAGE_GET }, { .type = SLP_COVERAGE_GET }, { .type = SLP_TASKS_GET },
                             { .type = SLP_TASKS_GET },    { .type = SLP_TASKS_GET },    { .type = SLP_EVENTS_GET },
                             { .type = SLP_OUTPUT_GET },   { .type = SLP_OUTPUT_GET } };
    struct slp_buf stations = { 0 };
    struct reader *r = reader_new(s);
    assert_non_null(r);
    q[1].u.check_get.recount = true;
    SLP_SET(&q[1].u.check_get, check_get, recount);
    q[3].u.unit_get = (struct slp_unit_get){ .run = world_str("r"), .unit = 1 };
    q[4].u.output_get = (struct slp_output_get){ .run = world_str("r"), .all_units = true };
    for (uint64_t i = 0; i < 4; i++)
        slp_pack_u64(&stations, play.station + i);
    for (unsigned i = 0; i < 3; i++) {
        q[5 + i].u.coverage_get =
            (struct slp_coverage_get){ .stations = { stations.p, (uint32_t)stations.n, 4 }, .after = { phase[i], 5 } };
        SLP_SET(&q[5 + i].u.coverage_get, coverage_get, after);
        q[8 + i].u.tasks_get = (struct slp_tasks_get){ .station_id = play.station, .which = i };
    }
    q[11].u.events_get.since = 1;
    for (unsigned i = 0; i < 2; i++) { /* of the stations whose answers are told one by one */
        q[12 + i].u.output_get = (struct slp_output_get){ .run = world_str("r"),
                                                          .answers = true,
                                                          .station = world_str(i               ? "pick.jury"
                                                                               : play.hubs > 1 ? "b"
                                                                                               : "check") };
        SLP_SET(&q[12 + i].u.output_get, output_get, station);
        SLP_SET(&q[12 + i].u.output_get, output_get, answers);
    }
    for (size_t i = 0; i < sizeof q / sizeof *q; i++) {
        struct slp_buf out = { 0 };
        struct slp_msg m;
        struct slp_fault fault;
        if ((q[i].type == SLP_COVERAGE_GET || q[i].type == SLP_TASKS_GET) && !may_show(rec->tb, q[i].type))
            continue;
        q[i].version = SL_PROTOCOL_VERSION;
        q[i].id = 1;
        if (reader_answer(r, &q[i], 1, &out) == 0 && slp_decode(out.p, out.n, SLP_B2C | SLP_B2M, &m, &fault))
            fail_msg("a record of %s is spoiled, and an answer is %s at %s", store_table_name(rec->tb),
                     slp_error_name(fault.code), fault.place);
        slp_buf_free(&out);
    }
    reader_free(&r);
    slp_buf_free(&stations);
}

enum how { GONE, EMPTY, HALF, SHORT, ZEROS, ONES, FAR, WAYS };

/* See test_store_damage.c. */
static bool is_stores_own(const struct record *r)
{
    return r->tb == TABLE_META && r->key_n == 6 && !memcmp(r->key, "format", 6);
}

/* What people wrote is guarded by its checksum alone. */
static bool is_payload(const struct record *r)
{
    return r->tb == TABLE_UNIT || r->tb == TABLE_RESULT || r->tb == TABLE_EVENT;
}

/* The store is as it was, but for this record; v NULL: which is gone. */
static void store_with(const struct record *r, const void *v, size_t n)
{
    put_back();
    struct store *s = open_alone();
    struct store_txn *t;
    assert_int_equal(store_begin(s, &t), STORE_OK);
    if (!v)
        assert_int_equal(store_del(t, r->tb, r->key, r->key_n), STORE_OK);
    else
        assert_int_equal(store_put(t, r->tb, r->key, r->key_n, v, n), STORE_OK);
    assert_int_equal(store_commit(&t), STORE_OK);
    read_without_engine(s, r);
    store_close(&s);
}

static bool spoil(const struct record *r, enum how how)
{
    uint8_t v[SL_VALUE_BYTES_MAX];
    size_t n = r->n;
    if (is_stores_own(r))
        return false;
    if (is_payload(r) && how >= ZEROS)
        return false;
    memcpy(v, r->v, n);
    switch (how) {
    case EMPTY: n = 0; break;
    case HALF: n /= 2; break;
    case SHORT: n -= n > 0; break;
    case ZEROS: memset(v, 0, n); break;
    case ONES: memset(v, 0xff, n); break;
    case FAR: /* a number at its beginning, of another time */
        for (size_t i = 0; i < n && i < 12; i++)
            v[i] = (uint8_t)(v[i] + (i % 4 == 0));
        break;
    default: break;
    }
    store_with(r, how == GONE ? NULL : v, n);
    return true;
}

static void around(bool in)
{
    (void)in;
}

static bool may_be(const struct record *r, const char *when)
{
    if (play.w.failed == STORE_OK)
        return true;
    if (play.w.failed != STORE_CORRUPT && play.w.failed != STORE_IO)
        fail_msg("%s: a record of %s is spoiled, and it is told as %d", when, store_table_name(r->tb), play.w.failed);
    return false;
}

/* What is lived over a spoiled store: reads, which refuse one by one, and steps, until one is refused. */
struct life {
    const struct play_step *steps;
    const char *until; /* the store is as it was before this step */
    const char *reads[10], *then[20];
};

static bool taken(const struct life *l, const struct record *r, const char *what)
{
    for (const struct play_step *s = l->steps; s->what; s++)
        if (!strcmp(s->what, what)) {
            s->take();
            world_flush(&play.w);
            return may_be(r, what);
        }
    fail_msg("no step %s", what);
    return false;
}

static const struct life broad = {
    play_steps,
    "the_run_is_closed",
    { "outputs_are_read", "stories_are_read", "queues_are_read", "events_are_read", "a_snapshot_is_read",
      "the_store_is_checked", "runs_are_recounted", "events_are_published" },
    { "operators_look_around", "an_agent_looks_around", "units_are_put", "units_are_put_under_keys",
      "units_are_put_by_number", "all_is_answered", "work_comes_back_in_every_way", "half_a_minute_goes_by",
      "the_dead_are_requeued_by_number", "all_dead_are_dropped", "the_run_is_paused_and_resumed", "the_roster_changes",
      "minutes_go_by", "the_run_is_cancelled", "the_run_is_deleted" },
};
static const struct life watched = {
    play_watched_steps,
    "what_was_granted_is_revoked",
    { "stories_and_answers_are_read", "the_store_is_checked", "a_forecast_is_asked_for" },
    { "what_is_measured_is_told", "everybody_is_told_why_he_has_no_work", "units_are_put",
      "all_is_answered_some_of_it_badly", "skills_are_granted", "half_a_minute_goes_by", "the_suspended_are_readmitted",
      "the_clock_is_set_back", "what_was_granted_is_revoked", "what_is_asked_for_changes", "all_is_answered_well",
      "people_leave", "people_come_back", "the_run_is_deleted" },
};

static void live_over_spoiled(const struct life *l, const struct record *r)
{
    world_up(&play.w);
    if (!may_be(r, "a start"))
        return;
    for (size_t i = 0; l->reads[i]; i++) {
        taken(l, r, l->reads[i]);
        play.w.failed = STORE_OK;
    }
    for (unsigned i = 0; i < play.hubs && !play.w.failed; i++)
        world_hello(&play.w, &play.hub[i], NULL, 0);
    if (!may_be(r, "a hello"))
        return;
    for (size_t i = 0; l->then[i]; i++)
        if (!taken(l, r, l->then[i]))
            return;
}

static void live_until(const struct life *l)
{
    memset(&play, 0, sizeof play);
    world_open_with(&play.w, (struct world_how){ .wal_bytes = 1 });
    for (const struct play_step *s = l->steps; s->what && strcmp(s->what, l->until); s++)
        s->take();
    world_down(&play.w);
    keep();
    list();
}

/* True: the store was refused. */
static bool live_and_come_back(const struct life *l, const struct record *r, const struct play *was)
{
    play.w.around = around;
    play.w.refusals = true;
    live_over_spoiled(l, r);
    world_down(&play.w);
    world_clear(&play.w);
    play.w.around = NULL;
    play.w.refusals = false;
    play.w.now_us = was->w.now_us;
    play.w.wall_us = was->w.wall_us;
    memcpy(play.hub, was->hub, sizeof play.hub);
    return play.w.failed != STORE_OK;
}

static void end_unspoiled(void)
{
    put_back();
    world_up(&play.w);
    world_end(&play.w);
    slp_buf_free(&file);
}

static void spoil_each(const struct life *l)
{
    live_until(l);
    struct play was = play;
    unsigned spoiled = 0, refused = 0;
    for (size_t i = 0; i < records; i++)
        for (enum how how = GONE; how < WAYS; how++) {
            if (!spoil(&record[i], how))
                continue;
            if (getenv("SPOIL"))
                fprintf(stderr, "%s %zu %d\n", store_table_name(record[i].tb), i, how);
            refused += live_and_come_back(l, &record[i], &was);
            spoiled++;
        }
    print_message("# %u records spoiled, %u stores refused\n", spoiled, refused);
    assert_true(spoiled > 400 && refused > 200);
    end_unspoiled();
}

#define BYTES_MAX 90 /* so many at its beginning, of a long record */

/* Of each table's newest record: every byte in turn as large as it can be with which a name is still text, so that each number is out of its bounds once. */
static void spoil_each_byte(const struct life *l)
{
    live_until(l);
    struct play was = play;
    unsigned spoiled = 0, refused = 0;
    for (size_t i = 0; i < records; i++) {
        const struct record *r = &record[i];
        bool newest = i + 1 == records || record[i + 1].tb != r->tb || is_stores_own(&record[i + 1]);
        if (!newest || is_payload(r) || is_stores_own(r))
            continue;
        for (size_t at = 0; at < r->n && at < BYTES_MAX; at++, spoiled++) {
            uint8_t v[SL_VALUE_BYTES_MAX];
            memcpy(v, r->v, r->n);
            v[at] = 0x7f;
            if (getenv("SPOIL"))
                fprintf(stderr, "%s %zu byte %zu\n", store_table_name(r->tb), i, at);
            store_with(r, v, r->n);
            refused += live_and_come_back(l, r, &was);
        }
    }
    print_message("# %u bytes spoiled, %u stores refused\n", spoiled, refused);
    assert_true(spoiled > 400 && refused > 100);
    end_unspoiled();
}

/* Of the text that may stand at this place, with its length before it, 300 bytes are made; 0: there is none. */
static size_t longer_text(const struct record *r, size_t at, uint8_t *v)
{
    enum { LONG = 300 };
    size_t n = at + 2 <= r->n ? get_u16(r->v + at) : 0, behind = at + 2 + n;
    if (!n || n > SL_NAME_BYTES_MAX || behind > r->n || r->n + LONG > SL_VALUE_BYTES_MAX - 64)
        return 0;
    for (size_t i = at + 2; i < behind; i++)
        if (r->v[i] < 0x20 || r->v[i] > 0x7e)
            return 0;
    memcpy(v, r->v, at);
    put_u16(v + at, LONG);
    memset(v + at + 2, 'x', LONG);
    memcpy(v + at + 2 + LONG, r->v + behind, r->n - behind);
    return r->n - n + LONG;
}

/* Of the number that may stand there nothing is left; 0: there is none. */
static size_t no_number(const struct record *r, size_t at, uint8_t *v)
{
    uint32_t was = at + 4 <= r->n ? get_u32(r->v + at) : 0;
    if (!was || was > 0xffff)
        return 0;
    memcpy(v, r->v, r->n);
    put_u32(v + at, 0);
    return r->n;
}

/* Of each table's newest record: each name longer than a name can be, each number nought. */
static void spoil_each_field(const struct life *l)
{
    static size_t (*const ways[])(const struct record *, size_t, uint8_t *) = { longer_text, no_number };
    live_until(l);
    struct play was = play;
    unsigned spoiled = 0, refused = 0;
    for (size_t i = 0; i < records; i++) {
        const struct record *r = &record[i];
        bool newest = i + 1 == records || record[i + 1].tb != r->tb || is_stores_own(&record[i + 1]);
        if (!newest || is_payload(r) || is_stores_own(r))
            continue;
        for (size_t way = 0; way < 2; way++)
            for (size_t at = 0; at < r->n && at < BYTES_MAX; at++) {
                uint8_t v[SL_VALUE_BYTES_MAX + 300];
                size_t n = ways[way](r, at, v);
                if (!n)
                    continue;
                if (getenv("SPOIL"))
                    fprintf(stderr, "%s %zu %s at %zu\n", store_table_name(r->tb), i, way ? "no number" : "text", at);
                store_with(r, v, n);
                refused += live_and_come_back(l, r, &was);
                spoiled++;
            }
    }
    print_message("# %u fields spoiled, %u stores refused\n", spoiled, refused);
    assert_true(spoiled > 100 && refused > 30);
    end_unspoiled();
}

static void a_name_that_is_too_long_or_a_number_that_is_nought_is_damage_or_harmless(void **state)
{
    (void)state;
    spoil_each_field(&broad);
}

static void so_is_such_a_field_of_people_who_are_watched(void **state)
{
    (void)state;
    spoil_each_field(&watched);
}

static void a_record_that_is_not_what_it_should_be_is_damage_or_harmless(void **state)
{
    (void)state;
    spoil_each(&broad);
}

static void so_is_one_of_people_who_are_watched(void **state)
{
    (void)state;
    spoil_each(&watched);
}

static void a_number_out_of_its_bounds_in_any_record_is_damage_or_harmless(void **state)
{
    (void)state;
    spoil_each_byte(&broad);
}

static void so_is_such_a_number_of_people_who_are_watched(void **state)
{
    (void)state;
    spoil_each_byte(&watched);
}

enum key_how { KEY_CUT, KEY_LONGER, KEY_ZERO, KEY_FAR, KEY_SECOND_ZERO, KEY_SECOND_FAR, KEY_WAYS };

/* The same record once more, under another key. False: there is no such key. */
static bool spoil_key(struct record *to, const struct record *r, enum key_how how)
{
    *to = *r;
    switch (how) {
    case KEY_CUT: to->key_n--; break;
    case KEY_LONGER: to->key[to->key_n++] = 1; break;
    case KEY_ZERO: memset(to->key, 0, r->key_n < 4 ? r->key_n : 4); break;
    case KEY_FAR: memset(to->key, 0x7f, r->key_n < 4 ? r->key_n : 4); break;
    case KEY_SECOND_ZERO: memset(to->key + 4, 0, 4); break;
    default: memset(to->key + 4, 0x7f, 4); break;
    }
    return to->key_n > 0 && to->key_n <= STORE_KEY_BYTES_MAX && (how < KEY_SECOND_ZERO || r->key_n >= 8);
}

/* Of each table's newest record there is a copy under a key that is too short, too long, or of something that never was. */
static void spoil_each_key(const struct life *l)
{
    live_until(l);
    struct play was = play;
    unsigned spoiled = 0, refused = 0;
    for (size_t i = 0; i < records; i++)
        for (enum key_how how = KEY_CUT; how < KEY_WAYS; how++) {
            static struct record to;
            if ((i + 1 < records && record[i + 1].tb == record[i].tb) || is_stores_own(&record[i]) ||
                !spoil_key(&to, &record[i], how))
                continue;
            if (getenv("SPOIL"))
                fprintf(stderr, "%s %zu key %d\n", store_table_name(to.tb), i, how);
            store_with(&to, to.v, to.n);
            refused += live_and_come_back(l, &to, &was);
            spoiled++;
        }
    print_message("# %u keys spoiled, %u stores refused\n", spoiled, refused);
    assert_true(spoiled > 80 && refused > 25);
    end_unspoiled();
}

static void a_record_of_what_never_was_is_damage_or_harmless(void **state)
{
    (void)state;
    spoil_each_key(&broad);
}

static void so_is_one_of_people_who_never_were(void **state)
{
    (void)state;
    spoil_each_key(&watched);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_that_is_not_what_it_should_be_is_damage_or_harmless),
        cmocka_unit_test(so_is_one_of_people_who_are_watched),
        cmocka_unit_test(a_number_out_of_its_bounds_in_any_record_is_damage_or_harmless),
        cmocka_unit_test(so_is_such_a_number_of_people_who_are_watched),
        cmocka_unit_test(a_name_that_is_too_long_or_a_number_that_is_nought_is_damage_or_harmless),
        cmocka_unit_test(so_is_such_a_field_of_people_who_are_watched),
        cmocka_unit_test(a_record_of_what_never_was_is_damage_or_harmless),
        cmocka_unit_test(so_is_one_of_people_who_never_were),
    };
    /* A start takes megabytes and an end gives them back: the system is not asked for new pages thousands of times. */
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    return cmocka_run_group_tests_name("spoiled records", tests, NULL, NULL);
}
