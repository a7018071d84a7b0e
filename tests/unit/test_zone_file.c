/* Files of the zone database: those that are whole, and what is made of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker-agent/shift.h"
#include "worker-agent/zone_file.h"

static uint8_t bytes[1 << 16];

static size_t zone(const char *name)
{
    char path[300];
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    assert_true(n > 44 && n < sizeof bytes);
    return n;
}

static const char *const names[] = { "Asia/Kathmandu",    "America/Chicago",    "Europe/Dublin",
                                     "Africa/Casablanca", "Pacific/Apia",       "UTC",
                                     "Etc/GMT+5",         "Australia/Lord_Howe" };
#define EACH(i) for (size_t i = 0; i < sizeof names / sizeof *names; i++)

static void a_file_of_the_database_is_whole(void **state)
{
    (void)state;
    EACH(i)
    {
        size_t n = zone(names[i]);
        if (!zone_file_whole(bytes, n))
            fail_msg("%s", names[i]);
    }
}

static void a_file_that_is_cut_off_anywhere_is_not(void **state)
{
    (void)state;
    EACH(i)
    {
        for (size_t n = zone(names[i]); n-- > 0;) {
            uint8_t *cut = malloc(n ? n : 1); /* to its last byte and no further */
            memcpy(cut, bytes, n);
            if (zone_file_whole(cut, n))
                fail_msg("%s, %zu bytes", names[i], n);
            free(cut);
        }
    }
}

static void a_number_that_leads_nowhere_is_found(void **state)
{
    (void)state;
    size_t n = zone("America/Chicago");
    for (size_t at = 20; at < 44; at++) { /* the counts */
        bytes[at] ^= 0x80;
        if (zone_file_whole(bytes, n))
            fail_msg("a count, byte %zu", at);
        bytes[at] ^= 0x80;
    }
    size_t second = 0;
    for (size_t at = 44; !second; at++)
        second = memcmp(bytes + at, "TZif", 4) ? 0 : at;
    size_t times = (size_t)bytes[second + 34] << 8 | bytes[second + 35], of_time = second + 44 + times * 8;
    bytes[of_time] ^= 0x80;
    assert_false(zone_file_whole(bytes, n));
    bytes[of_time] ^= 0x80;
    bytes[of_time + times + 5] ^= 0x80;
    assert_false(zone_file_whole(bytes, n));
    bytes[of_time + times + 5] ^= 0x80;
    assert_true(zone_file_whole(bytes, n));
}

static void a_zone_whose_file_is_cut_off_is_not_opened(void **state)
{
    char folder[] = "/tmp/zonesXXXXXX", path[64];
    (void)state;
    size_t n = zone("Asia/Kathmandu");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/Cut", folder);
    setenv("TZDIR", folder, 1);
    for (size_t k = 0; k <= n; k++) {
        FILE *f = fopen(path, "wb");
        assert_non_null(f);
        assert_int_equal(fwrite(bytes, 1, k, f), k);
        fclose(f);
        struct shift_zone *z = shift_zone_open("Cut");
        assert_int_equal(z != NULL, k == n);
        shift_zone_close(&z);
    }
    unsetenv("TZDIR");
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_of_the_database_is_whole),
        cmocka_unit_test(a_file_that_is_cut_off_anywhere_is_not),
        cmocka_unit_test(a_number_that_leads_nowhere_is_found),
        cmocka_unit_test(a_zone_whose_file_is_cut_off_is_not_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
