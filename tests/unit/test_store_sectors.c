/* Sectors of the log that no writer makes, under right checksums: what the salt and the CRC do not refuse is looked at before it is used. The layout is
 * written here once more, from the head of wal.c. */
#include <sys/stat.h>

#include "tests/unit/wal_world.h"

#define BODY_AT 24
#define BODY_BYTES (SECTOR_BYTES - BODY_AT)

struct head {
    uint16_t left, used;
    uint32_t batch;
};

static void put_le(uint8_t *p, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static uint64_t salt, generation;

/* Its log holds one batch then, in sector 0; it is closed. */
static void leave_one_batch(struct world *w)
{
    put_in_a_batch(w, "a", "1");
    settle_all(w);
    put_in_a_batch(w, "b", "2");
    salt = w->s->wal.salt;
    generation = mdb_txn_id(w->s->write.mt);
    store_close(&w->s);
}

static void one_batch(struct world *w)
{
    store_close(&w->s);
    assert_int_equal(remove_tree(w->dir), 0);
    open_logged(w);
    leave_one_batch(w);
}

static void write_sector(const struct world *w, uint64_t number, struct head h, const void *body, size_t n)
{
    uint8_t sector[SECTOR_BYTES] = { 0 }, at[16];
    char path[128];
    put_le(sector + 4, h.left, 2);
    put_le(sector + 6, h.used, 2);
    put_le(sector + 8, h.batch, 4);
    put_le(sector + 16, generation, 8);
    memcpy(sector + BODY_AT, body, n);
    put_le(at, salt, 8);
    put_le(at + 8, number, 8);
    put_le(sector, store_crc32c(store_crc32c(0, at, sizeof at), sector + 4, SECTOR_BYTES - 4), 4);
    snprintf(path, sizeof path, "%s/wal", w->dir);
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, sector, sizeof sector, (off_t)(number * SECTOR_BYTES)), sizeof sector);
    close(fd);
}

static void expect_damage(struct world *w, const char *says)
{
    for (int looks = 0; looks < 2; looks++) {
        struct store_options o = with_log(w);
        o.read_only = looks;
        enum store_rc rc = store_open(&w->s, &o, ID, w->text, sizeof w->text);
        if (rc != STORE_CORRUPT || strstr(w->text, says) == NULL)
            fail_msg("%d: %s", rc, w->text);
        assert_null(w->s);
    }
}

static const char change[] = "\x03\x00\x01\x00\x01\x00"
                             "b3"; /* RUN, put, a key of one byte, a value of one */

static void what_the_test_writes_is_what_a_writer_writes(void **state)
{
    struct world *w = *state;
    one_batch(w);
    write_sector(w, 1, (struct head){ 0, sizeof change - 1, 1 }, change, sizeof change - 1);
    open_logged(w);
    expect_now(w, "a", "1");
    expect_now(w, "b", "3");
}

static void a_sector_that_is_fuller_than_it_can_be_is_damage(void **state)
{
    struct world *w = *state;
    one_batch(w);
    write_sector(w, 1, (struct head){ 0, BODY_BYTES + 1, 1 }, change, sizeof change - 1);
    expect_damage(w, "at byte 512: checksum");
}

static void a_batch_of_the_wrong_number_or_beyond_the_end_is_damage(void **state)
{
    static const struct head heads[] = { { 0, 8, 2 }, { 127, 8, 1 }, { 65535, 8, 1 } };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        one_batch(w);
        write_sector(w, 1, heads[i], change, sizeof change - 1);
        expect_damage(w, "at byte 512: not the batch that should be here");
    }
}

static void a_batch_longer_than_any_is_damage_in_a_log_that_has_the_room(void **state)
{
    struct world *w = *state;
    struct store_options o = with_log(w);
    o.wal_bytes = 4 << 20;
    open_with(w, o);
    leave_one_batch(w);
    write_sector(w, 1, (struct head){ WAL_BATCH_BYTES_MAX / SECTOR_BYTES, 8, 1 }, change, sizeof change - 1);
    expect_damage(w, "at byte 512: not the batch that should be here");
}

static void a_batch_whose_sectors_do_not_follow_each_other_is_damage(void **state)
{
    static const struct head second[] = { { 0, 8, 2 }, { 1, 8, 1 } }; /* of another batch; of another place */
    struct world *w = *state;
    uint8_t body[BODY_BYTES] = { TABLE_RUN, CHANGE_PUT, 1, 0, 0xea, 1, 'b' }; /* 490 bytes: it goes on */
    for (size_t i = 0; i < sizeof second / sizeof *second; i++) {
        one_batch(w);
        write_sector(w, 1, (struct head){ 1, BODY_BYTES, 1 }, body, sizeof body);
        write_sector(w, 2, second[i], body, 8);
        write_sector(w, 3, (struct head){ 0, 8, 2 }, change, sizeof change - 1);
        expect_damage(w, "at byte 1024: checksum");
    }
}

/* Of several that do not fit the first is named. */
static void the_first_of_several_bad_sectors_is_named(void **state)
{
    struct world *w = *state;
    uint8_t body[BODY_BYTES] = { 0 };
    one_batch(w);
    write_sector(w, 1, (struct head){ 2, BODY_BYTES, 1 }, body, sizeof body);
    write_sector(w, 2, (struct head){ 2, BODY_BYTES, 1 }, body, sizeof body);
    write_sector(w, 3, (struct head){ 1, BODY_BYTES, 1 }, body, sizeof body);
    expect_damage(w, "at byte 1024: checksum");
}

static void changes_that_end_before_they_should_are_damage(void **state)
{
    static const struct {
        size_t n;
        const char *body;
    } cases[] = {
        { 5, "\x03\x00\x01\x00\x01" }, /* shorter than a change's head */
        { 7, "\x03\x00\x01\x00\x01\x00"
             "b" }, /* than what the head says */
        { 7, "\x03\x00\x09\x00\x00\x00"
             "b" }, /* than its key */
        { 10, "\x03\x00\x01\x00\x01\x00"
              "b3\x03\x00" }, /* a whole one, and a part of one */
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        one_batch(w);
        write_sector(w, 1, (struct head){ 0, (uint16_t)cases[i].n, 1 }, cases[i].body, cases[i].n);
        struct store_options o = with_log(w);
        assert_int_equal(store_open(&w->s, &o, ID, w->text, sizeof w->text), STORE_CORRUPT);
        if (strstr(w->text, "at byte 512: not a row of changes") == NULL)
            fail_msg("%s", w->text);
    }
}

/* Whoever only looks is told by what the tables cannot take, too. */
static void who_looks_is_told_what_does_not_fit_the_tables(void **state)
{
    static const char gone[] = "\x03\x02\x05\x00\x00\x00"
                               "never";
    struct world *w = *state;
    one_batch(w);
    write_sector(w, 1, (struct head){ 0, sizeof gone - 1, 1 }, gone, sizeof gone - 1);
    expect_damage(w, "it does not fit the tables");
}

/* A copy of the files alone, without `lock`, is looked at as a whole, too. */
static void a_log_without_a_lock_beside_it_is_seen(void **state)
{
    struct world *w = *state;
    char path[128];
    struct store_options o = with_log(w);
    o.read_only = true;
    one_batch(w);
    snprintf(path, sizeof path, "%s/lock", w->dir);
    assert_int_equal(unlink(path), 0);
    open_with(w, o);
    expect_now(w, "b", "2");
    store_close(&w->s);
    o.read_only = false;
    open_with(w, o);
    settle_all(w);
    store_close(&w->s);
    assert_int_equal(unlink(path), 0);
    o.read_only = true;
    open_with(w, o); /* nothing in the log, and no lock to let go */
    expect_now(w, "b", "2");
}

/* More in the log than the map that was asked for: it is looked at in a larger one. */
static void who_looks_has_room_for_what_the_log_holds(void **state)
{
    struct world *w = *state;
    struct store_options o = with_log(w);
    o.map_bytes = 1 << 20;
    open_with(w, o);
    put_bytes(w, 0, 400, 1000);
    put_in_a_batch(w, "a", "young");
    store_close(&w->s);
    o.read_only = true;
    o.map_bytes = 128 << 10;
    open_with(w, o);
    expect_now(w, "a", "young");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_the_test_writes_is_what_a_writer_writes),
        TEST(a_sector_that_is_fuller_than_it_can_be_is_damage),
        TEST(a_batch_of_the_wrong_number_or_beyond_the_end_is_damage),
        TEST(a_batch_longer_than_any_is_damage_in_a_log_that_has_the_room),
        TEST(a_batch_whose_sectors_do_not_follow_each_other_is_damage),
        TEST(the_first_of_several_bad_sectors_is_named),
        TEST(changes_that_end_before_they_should_are_damage),
        TEST(who_looks_is_told_what_does_not_fit_the_tables),
        TEST(a_log_without_a_lock_beside_it_is_seen),
        TEST(who_looks_has_room_for_what_the_log_holds),
    };
    return cmocka_run_group_tests_name("sectors of the log", tests, NULL, NULL);
}
