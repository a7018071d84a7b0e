/* What a damaged record belongs to, told from its key: one sentence for every table, whatever the key is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/engine/engine.h"

static const struct {
    enum store_table tb;
    const char *key;
    size_t n;
    const char *text;
} keys[] = {
#define K(tb, key, text)                                                                                               \
    {                                                                                                                  \
        TABLE_##tb, key, sizeof key - 1, text                                                                          \
    }
    K(META, "engine", "the store's own counters"),
    K(NAME, "\1photos", "the name of a line: 'photos'"),
    K(NAME, "\2spring", "the name of a run: 'spring'"),
    K(NAME, "\3nairobi", "the name of a hub: 'nairobi'"),
    K(NAME, "\4ann", "the name of a worker: 'ann'"),
    K(NAME, "\5\0\0\0\7day", "the name of a shift of hub 7: 'day'"),
    K(NAME, "\6day", "the name of a ?: 'day'"),
    K(NAME, "\0day", "the name of a ?: 'day'"),
    K(LINE, "\0\0\0\7\0\0\0\2\0\0", "version 2 of line 7"),
    K(STATION, "\0\0\0\5", "station 5"),
    K(RUN, "\0\0\0\5\0\0", "run 5"),
    K(RUN, "\0\0\0\5\0\1", "run 5: a station's counters"),
    K(RUN, "\0\0\0\5\1\0", "run 5: a station's counters"),
    K(HUB, "\0\0\0\5", "hub 5"),
    K(WORKER, "\0\0\1\0", "worker 256"),
    K(UNIT, "\0\0\0\5\0\0\0\0\0\0\0\x11\0\0", "the input values of run 5, unit 17 and on"),
    K(STATE, "\0\0\0\5\0\0\0\0\0\0\0\x11", "the states of units of run 5, group 17"),
    K(READY, "\0\0\0\5\0\0\0\6", "the queue of station 5, run 6"),
    K(DELAY, "\0\0\0\0\0\0\0\x11", "tasks that wait until 17 us"),
    K(ASSIGN, "\0\0\0\1\0\0\0\0", "assignment 4294967296 and on"),
    K(LIVE, "\0\0\0\0\0\0\0\x11", "assignment 17 and on"),
    K(RESULT, "\0\0\0\0\0\0\0\x11", "result 17 and on"),
    K(EVENT, "\0\0\0\0\0\0\0\x11", "event 17 and on"),
    K(DEDUP, "\0\0\0\5key", "an idempotency key of run 5"),
    K(PRODUCER, "\0\0\0\5", "a numbered producer of run 5"),
    K(HISTORY, "\0\0\0\5\0\0\0\0\0\0\0\x11", "the history of run 5, unit 17"),
    K(DEAD, "\0\0\0\5\0\0\0\6", "a dead task of station 5, run 6"),
    K(SWEEP, "\0\0\0\0\0\0\0\x11", "mass operation 17"),
    K(SHIFT, "\0\0\0\5", "shift 5"),
    K(PACE, "\0\0\0\5", "the usual time of station 5"),
    K(SKILL, "\0\0\0\5", "skills that the broker granted or lowered of worker 5"),
    K(GOLD, "\0\0\0\0\5\0\0\0\6", "a control task that worker 5 has seen"),
    K(GOLD, "\1\0\0\0\5", "where the control tasks of run 5 are"),
    K(GOLD, "", "where the control tasks of run 0 are"),
    K(REPUTE, "\0\0\0\5\0\0\0\6", "what is measured of worker 5 at station 6"),
    K(DAY, "\0\0\0\0\0\0\0\5Asia/Tokyo", "when days begin in a zone of hub 5"),
    K(DAY, "\0\0\0\7\0\0\0\5", "what worker 7 has had in a day, station 5"),
    K(ARRIVAL, "\0\0\0\5\1", "the usual arrivals of line 5"),
    K(PRESENCE, "\0\0\0\5", "the presence at hub 5"),
#undef K
};

static void a_key_of_every_table_is_told_in_words(void **state)
{
    bool told[STORE_TABLE_COUNT] = { false };
    char text[200];
    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        engine_describe_key(keys[i].tb, keys[i].key, keys[i].n, text, sizeof text);
        assert_string_equal(text, keys[i].text);
        told[keys[i].tb] = true;
    }
    for (int tb = 0; tb < STORE_TABLE_COUNT; tb++)
        if (!told[tb])
            fail_msg("no key of %s is told", store_table_name((enum store_table)tb));
}

/* Under AddressSanitizer, not one byte behind it is read. */
static void a_key_that_is_too_short_is_told_as_far_as_it_goes(void **state)
{
    char text[200];
    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        for (size_t n = 0; n < keys[i].n; n++) {
            char *cut = malloc(n ? n : 1);
            memcpy(cut, keys[i].key, n);
            text[0] = '\0';
            engine_describe_key(keys[i].tb, cut, n, text, sizeof text);
            assert_true(text[0] != '\0');
            free(cut);
        }
    engine_describe_key(TABLE_STATION, "\0\0\1", 3, text, sizeof text);
    assert_string_equal(text, "station 0");
}

static void a_table_that_it_does_not_know_is_told_as_that(void **state)
{
    char text[200];
    (void)state;
    engine_describe_key((enum store_table)STORE_TABLE_COUNT, "key", 3, text, sizeof text);
    assert_string_equal(text, "nothing that this version knows");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_of_every_table_is_told_in_words),
        cmocka_unit_test(a_key_that_is_too_short_is_told_as_far_as_it_goes),
        cmocka_unit_test(a_table_that_it_does_not_know_is_told_as_that),
    };
    return cmocka_run_group_tests_name("describe", tests, NULL, NULL);
}
