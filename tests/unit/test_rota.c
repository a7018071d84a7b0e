/* The rota: how far ahead a hub tells its shifts, and when it tells others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker-agent/rota.h"

#define S 1000000ll
#define MINUTE (60 * S)
#define DAY (86400 * S)
#define MIDNIGHT (1795651200 * S) /* 2026-11-26 00:00 UTC */

static struct hub_config *hub;

static void on_problem(void *arg, const char *text)
{
    (void)arg;
    fail_msg("%s", text);
}

/* One shift, which is 00:15 to 08:15 in UTC. */
static int open_hub(void **state)
{
    char path[] = "/tmp/sunline-hub-XXXXXX";
    static const char text[] = "hub: pokhara\nzone: Asia/Kathmandu\ndata: /tmp/x\nshifts:\n"
                               "  day: {week: {mon-sun: 06:00-14:00}}\nworkers:\n  - {id: asha, shift: day}\n";
    (void)state;
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    hub = hub_config_load(path, on_problem, NULL);
    unlink(path);
    assert_non_null(hub);
    return 0;
}

static int end_hub(void **state)
{
    (void)state;
    hub_config_free(&hub);
    return 0;
}

static struct core_shifts at(int64_t wall_us)
{
    struct core_shifts rota;
    const char *zone;
    assert_int_equal(rota_make(hub, wall_us, &rota, &zone), 0);
    return rota;
}

static uint64_t last_time(const struct core_shifts *rota)
{
    struct slp_cursor c =
        slp_each((struct slp_list){ (const char *)rota->packed[0].p, (uint32_t)rota->packed[0].n, 1 });
    struct slp_item_shift_def d;
    uint64_t us = 0;
    assert_true(slp_next_shift_def(&c, &d));
    c = slp_each(d.times);
    while (slp_next_u64(&c, &us))
        ;
    return us;
}

static void eight_days_are_told_at_the_least_favourable_moment(void **state)
{
    (void)state;
    struct core_shifts rota = at(MIDNIGHT - 1);
    assert_true(rota.until_us >= MIDNIGHT + 8 * DAY);
    assert_true(last_time(&rota) >= (uint64_t)(MIDNIGHT + 7 * DAY + 495 * MINUTE)); /* the last one to end in them */
    rota_free(&rota);
}

/* No descriptor is left for the zone's file: who has such a shift must not be told to have no hours. */
static void a_rota_whose_zone_cannot_be_read_now_is_not_made(void **state)
{
    (void)state;
    struct core_shifts rota;
    const char *zone;
    struct rlimit was, none = { 0, 0 };
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    none.rlim_max = was.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int rc = rota_make(hub, MIDNIGHT, &rota, &zone);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
    assert_int_equal(rc, -1);
    assert_null(rota.packed);
    assert_string_equal(zone, "Asia/Kathmandu");
    rota = at(MIDNIGHT);
    assert_true(last_time(&rota) > 0);
    rota_free(&rota);
}

static void each_midnight_of_utc_brings_another_day(void **state)
{
    (void)state;
    struct core_shifts before = at(MIDNIGHT - 1), after = at(MIDNIGHT);
    assert_int_equal(after.until_us - before.until_us, DAY);
    assert_int_equal(last_time(&after) - last_time(&before), DAY);
    assert_memory_not_equal(before.digest, after.digest, sizeof after.digest);
    rota_free(&before);
    rota_free(&after);
}

static void all_day_long_the_rota_is_the_same(void **state)
{
    (void)state;
    struct core_shifts first = at(MIDNIGHT), last = at(MIDNIGHT + DAY - 1);
    assert_int_equal(first.until_us, last.until_us);
    assert_memory_equal(first.digest, last.digest, sizeof last.digest);
    rota_free(&first);
    rota_free(&last);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_hub, end_hub)
    const struct CMUnitTest tests[] = {
        TEST(a_rota_whose_zone_cannot_be_read_now_is_not_made),
        TEST(eight_days_are_told_at_the_least_favourable_moment),
        TEST(each_midnight_of_utc_brings_another_day),
        TEST(all_day_long_the_rota_is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
