/* Line definitions: who may work at a station. Hubs, teams, preference, and those who did what comes before. */
#include "tests/unit/line_world.h"

static void hubs_teams_and_preference_are_taken(void **state)
{
    (void)state;
    struct ld_line *l =
        good_line("line: l\ninput: [{name: t, type: text}]\nstations:\n  - name: a\n"
                  "    worker: {only_hubs: [x, y], not_teams: [z], prefer: best}\n  - name: b\n  - name: c\n"
                  "    worker: {not_hubs: [x], only_teams: [z], prefer: hub, not_who_did: [b, a]}\n");
    const struct ld_station *a = &l->stations[0], *b = &l->stations[1], *c = &l->stations[2];
    assert_int_equal(a->only_hubs.count, 2);
    assert_memory_equal(a->only_hubs.name[1].p, "y", 1);
    assert_int_equal(a->not_teams.count, 1);
    assert_int_equal(a->prefer, LD_PREFER_BEST);
    assert_int_equal(b->prefer, LD_PREFER_IDLE);
    assert_int_equal(
        b->only_hubs.count + b->not_hubs.count + b->only_teams.count + b->not_teams.count + b->not_did_count, 0);
    assert_int_equal(c->not_hubs.count, 1);
    assert_int_equal(c->only_teams.count, 1);
    assert_int_equal(c->prefer, LD_PREFER_HUB);
    assert_int_equal(c->not_did_count, 2);
    assert_int_equal(c->not_did[0], 1);
    assert_int_equal(c->not_did[1], 0);
    ld_free(&l);
}

static void each_mistake_is_named(void **state)
{
    (void)state;
    expect_problems(
        "line: l\ninput: [{name: t, type: text}]\nstations:\n  - name: a\n"
        "    worker:\n"
        "      only_hubs: [x, x]\n"
        "      not_hubs: [y]\n"
        "      only_teams: []\n"
        "      prefer: fast\n"
        "  - name: b\n"
        "    worker:\n"
        "      not_teams: [two words]\n"
        "      not_who_did: [a, a, b, d]\n",
        "l.yml:6:22: 'only_hubs' names 'x' twice\n"
        "l.yml:7:7: 'not_hubs' does not go with 'only_hubs': the station is for those alone\n"
        "l.yml:8:7: 'only_teams' is empty\n"
        "l.yml:9:7: unknown prefer 'fast', did you mean 'best'?\n"
        "l.yml:12:19: not_teams 'two words': a name is 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit\n"
        "l.yml:13:24: 'not_who_did' names 'a' twice\n"
        "l.yml:13:27: 'not_who_did' names 'b', which does not come before station 'b'\n"
        "l.yml:13:30: 'not_who_did' names 'd', but there is no such station\n");
}

static void limits_are_taken_and_change_at_once(void **state)
{
    static const char text[] = "line: l\ninput: [{name: t, type: text}]\nstations:\n  - name: a\n"
                               "    worker: {per_day: %s}\n    at_once: %s\n";
    char one[200], two[200];
    (void)state;
    snprintf(one, sizeof one, text, "40", "12");
    snprintf(two, sizeof two, text, "1", "1000000");
    struct ld_line *l = good_line(one), *other = good_line(two),
                   *none = good_line("line: l\ninput: [{name: t, type: text}]\nstations:\n  - name: a\n");
    assert_int_equal(l->stations[0].per_day, 40);
    assert_int_equal(l->stations[0].at_once, 12);
    assert_int_equal(none->stations[0].per_day + none->stations[0].at_once, 0);
    assert_true(ld_compatible(l, other) && ld_compatible(l, none) && ld_compatible(none, l));
    ld_free(&l);
    ld_free(&other);
    ld_free(&none);
    snprintf(one, sizeof one, text, "0", "1000001");
    expect_problems(one, "l.yml:5:14: 'per_day' is 0, but must be 1 to 1000000\n"
                         "l.yml:6:5: 'at_once' is 1000001, but must be 1 to 1000000\n");
}

static void who_may_work_there_is_no_compatible_change(void **state)
{
    static const char *const other[] = { "{only_hubs: [x]}", "{not_hubs: [x]}", "{only_teams: [x]}",
                                         "{not_teams: [x]}", "{prefer: hub}",   "{not_who_did: [a]}" };
    (void)state;
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        char text[300];
        snprintf(text, sizeof text,
                 "line: l\ninput: [{name: t, type: text}]\nstations:\n  - name: a\n  - name: b\n    worker: %s\n",
                 other[i]);
        struct ld_line *x = good_line("line: l\ninput: [{name: t, type: text}]\nstations:\n  - name: a\n  - name: b\n"),
                       *y = good_line(text);
        assert_true(ld_compatible(y, y));
        assert_false(ld_compatible(x, y));
        ld_free(&x);
        ld_free(&y);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hubs_teams_and_preference_are_taken),
        cmocka_unit_test(each_mistake_is_named),
        cmocka_unit_test(limits_are_taken_and_change_at_once),
        cmocka_unit_test(who_may_work_there_is_no_compatible_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
