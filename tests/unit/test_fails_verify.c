/* `sunlined --verify` over damage, and over memory and a disk that fail: what is not damage is not called so, and a store is opened again only where it must be. */
#include "broker/verify.h"
#include "tests/unit/child.h"
#include "tests/unit/store_image.h"

#include "tests/lib/lmdb_fails.h"
#include "tests/lib/sys_fails.h"

static void put_many(struct world *w)
{
    struct store_txn *t = begin(w);
    uint8_t key[4], v[900];
    for (uint32_t i = 1; i <= 300; i++) { /* keys of META that refer to nothing */
        key_u32(key, i);
        memset(v, (int)i, sizeof v);
        assert_int_equal(store_put(t, TABLE_META, key, sizeof key, v, sizeof v), STORE_OK);
    }
    put(t, TABLE_META, "mmmm", "the middle one's value");
    commit(t);
    store_close(&w->s);
}

/* ---- what it comes to ---- */

struct verification {
    const struct world *w;
    uint64_t fail_at; /* this call to LMDB; 0: none */
    int code;
};

/* Behind all that it tells: the call that failed, and how often the store was opened, by how often the kernel was asked for its folder. */
static void verify_in_child(void *arg, int said_fd)
{
    const struct verification *v = arg;
    dup2(said_fd, STDOUT_FILENO);
    dup2(said_fd, STDERR_FILENO);
    lmdb_arm(v->fail_at, v->code);
    sys_arm(0, EIO);
    int status = verify(v->w->dir);
    lmdb_disarm();
    sys_disarm();
    printf("failed %s, %u calls\n", lmdb_state.failed ? lmdb_state.failed : "nothing", (unsigned)sys_state.calls);
    fflush(stdout);
    _exit(status);
}

static struct end verified(struct verification *v, int status)
{
    fflush(stdout);
    struct end e = in_a_child(verify_in_child, v);
    if (!WIFEXITED(e.status) || WEXITSTATUS(e.status) != status)
        fail_msg("call %u: status %x, and \"%s\"", (unsigned)v->fail_at, (unsigned)e.status, e.said);
    return e;
}

static bool says(const struct end *e, const char *what)
{
    return strstr(e->said, what) != NULL;
}

/* ---- failures ---- */

static void what_cannot_be_read_for_want_of_memory_or_of_a_disk_is_no_damage(void **state)
{
    static const int codes[] = { ENOMEM, EIO };
    struct world *w = *state;
    open_store(w);
    put_many(w);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct verification v = { .w = w, .code = codes[i], .fail_at = 1 };
        unsigned failed = 0, counts = 0;
        for (;; v.fail_at++) {
            fflush(stdout);
            struct end e = in_a_child(verify_in_child, &v);
            assert_true(WIFEXITED(e.status));
            if (says(&e, "failed nothing"))
                break;
            bool good = WEXITSTATUS(e.status) == 0; /* without LMDB's own count each record is verified all the same */
            if ((good && !says(&e, "failed mdb_stat")) || (!good && WEXITSTATUS(e.status) != 1) ||
                good == says(&e, "sunlined: ") || says(&e, "damaged\t"))
                fail_msg("call %u: status %x, and \"%s\"", (unsigned)v.fail_at, (unsigned)e.status, e.said);
            failed += !good;
            counts += good;
        }
        assert_true(failed > 100 && counts >= STORE_TABLE_COUNT);
    }
}

static void behind_a_table_that_could_not_be_read_damage_is_told_and_counts(void **state)
{
    struct world *w = *state;
    open_store(w);
    put_many(w);
    leave_flipped(w, "the middle one");
    struct verification v = { .w = w, .code = EIO };
    bool both = false;
    for (v.fail_at = 1; !both; v.fail_at++) {
        fflush(stdout);
        struct end e = in_a_child(verify_in_child, &v);
        assert_false(says(&e, "failed nothing"));
        both = says(&e, "damaged\tMETA 6d6d6d6d") && says(&e, " cannot be read: the disk, or LMDB, failed\n");
        if (both)
            assert_int_equal(WEXITSTATUS(e.status), VERIFY_DAMAGED);
    }
}

/* ---- opened again ---- */

static unsigned calls_told(const struct end *e)
{
    return (unsigned)atoi(strstr(e->said, "failed nothing, ") + 16);
}

static void a_store_is_opened_again_only_behind_a_table_that_was_not_walked_to_its_end(void **state)
{
    struct world *w = *state;
    struct verification v = { .w = w };
    open_store(w);
    put_many(w);
    struct end sound = verified(&v, 0);
    assert_true(calls_told(&sound) > 0);

    leave_flipped(w, "the middle one");
    struct end damaged = verified(&v, VERIFY_DAMAGED);
    assert_true(says(&damaged, " records checked, 1 damaged\n"));
    assert_int_equal(calls_told(&damaged), calls_told(&sound));

    leave_leading_back(w);
    struct end astray = verified(&v, VERIFY_DAMAGED);
    assert_true(says(&astray, "damaged\tMETA: records are missing, or too many, or cannot be walked\n"));
    assert_true(calls_told(&astray) > calls_told(&sound));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_cannot_be_read_for_want_of_memory_or_of_a_disk_is_no_damage),
        TEST(behind_a_table_that_could_not_be_read_damage_is_told_and_counts),
        TEST(a_store_is_opened_again_only_behind_a_table_that_was_not_walked_to_its_end),
    };
    return cmocka_run_group_tests_name("verification over what fails", tests, NULL, NULL);
}
