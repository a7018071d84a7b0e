/* Hub files: what is read, and how mistakes are named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "worker-agent/config.h"

static char problems[8192];

static void on_problem(void *arg, const char *text)
{
    (void)arg;
    size_t n = strlen(problems);
    const char *name = strstr(text, "hub.yml"); /* the path before it is the test's own */
    snprintf(problems + n, sizeof problems - n, "%s\n", name ? name : text);
}

static struct hub_config *load(const char *text)
{
    char dir[] = "/tmp/sunline-hub-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/hub.yml", dir);
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
    problems[0] = 0;
    struct hub_config *c = hub_config_load(path, on_problem, NULL);
    unlink(path);
    rmdir(dir);
    return c;
}

/* The file is refused, with exactly these lines. */
static void refused(const char *text, const char *expected)
{
    struct hub_config *c = load(text);
    assert_null(c);
    assert_string_equal(problems, expected);
}

#define HEAD "hub: nairobi\nzone: Africa/Nairobi\n"

static void a_hub_file_is_read(void **state)
{
    (void)state;
    struct hub_config *c = load(
        HEAD
        "broker: tcp://10.0.0.1:7711\ndata: /var/x\ngrace: 90s\ndrain: 2m\nprefetch: 3\nteams: [a, b]\n"
        "workers:\n  - {id: njeri, name: Njeri W., team: b, capacity: 2, per_day: 40, skills: {english: 3, swahili: "
        "5}}\n"
        "  - {id: otieno, kind: human, prefetch: 0}\n"
        "robots:\n  - id: parrot\n    runner: exec\n    command: [cat, -n]\n    capacity: 4\n    time_limit: 1500ms\n"
        "    env: {LANG: C}\n    cwd: /tmp\n");
    assert_string_equal(problems, "");
    assert_non_null(c);
    assert_string_equal(c->hub, "nairobi");
    assert_string_equal(c->broker, "tcp://10.0.0.1:7711");
    assert_int_equal(c->grace_us, 90000000);
    assert_int_equal(c->drain_us, 120000000);
    assert_int_equal(c->member_count, 3);
    const struct hub_member *n = hub_config_member(c, "njeri"), *o = hub_config_member(c, "otieno"),
                            *r = hub_config_member(c, "parrot");
    assert_int_equal(n->capacity, 2);
    assert_int_equal(n->per_day, 40);
    assert_int_equal(o->per_day, 0);
    assert_int_equal(n->prefetch, 3);
    assert_int_equal(n->skill_count, 2);
    assert_string_equal(n->skills[1].name, "swahili");
    assert_int_equal(n->skills[1].level, 5);
    assert_string_equal(n->team, "b");
    assert_int_equal(o->prefetch, 0);
    assert_int_equal(r->runner, RUNNER_EXEC);
    assert_string_equal(r->command[1], "-n");
    assert_null(r->command[2]);
    assert_string_equal(r->env[0], "LANG=C");
    assert_int_equal(r->time_limit_us, 1500000);
    assert_int_equal(r->prefetch, 16);
    assert_null(hub_config_member(c, "nobody"));
    hub_config_free(&c);
    hub_config_free(&c);
}

static void the_rosters_digest_follows_its_content_only(void **state)
{
    (void)state;
    struct hub_config *a = load(HEAD "workers:\n  - {id: b, skills: {x: 1}}\n  - {id: a}\n"),
                      *b = load(HEAD "drain: 9s\nworkers: [{id: a}, {id: b, skills: {x: 1}}]\n"),
                      *c = load(HEAD "workers:\n  - {id: b, skills: {x: 2}}\n  - {id: a}\n");
    assert_memory_equal(a->roster.digest, b->roster.digest, 32);
    assert_memory_not_equal(a->roster.digest, c->roster.digest, 32);
    hub_config_free(&a);
    hub_config_free(&b);
    hub_config_free(&c);
}

static void a_zone_that_is_there_and_cannot_be_read_is_not_told_as_a_wrong_name(void **state)
{
    (void)state;
    char dir[] = "/tmp/sunline-zones-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/Empty", dir);
    fclose(fopen(path, "w"));
    setenv("TZDIR", dir, 1);
    refused("hub: a\nzone: Empty\n",
            "hub.yml:2:7: zone: 'Empty' cannot be read from this machine's time zone database\n");
    unsetenv("TZDIR");
    unlink(path);
    rmdir(dir);
}

static void mistakes_are_named_with_their_place(void **state)
{
    (void)state;
    refused("hub: nairobi\n", "hub.yml:1:1: key 'zone' is missing: the hub's time zone, such as Africa/Nairobi\n");
    refused(HEAD "brokr: tcp://x:1\n", "hub.yml:3:1: unknown key 'brokr' of a hub file, did you mean 'broker'?\n");
    refused(HEAD "shfts: {}\n", "hub.yml:3:1: unknown key 'shfts' of a hub file, did you mean 'shifts'?\n");
    refused(HEAD "hub: again\n", "hub.yml:3:1: key 'hub' stands twice\n");
    refused("hub: two words\nzone: Africa/Nairobi\n",
            "hub.yml:1:6: hub: a name is 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit\n");
    refused("hub: a\nzone: Africa/Nairobbery\n",
            "hub.yml:2:7: zone: 'Africa/Nairobbery' is no IANA time zone (such as Asia/Kathmandu)\n");
    refused("hub: a\nzone: Kathmandu\n",
            "hub.yml:2:7: zone: 'Kathmandu' is no IANA time zone, did you mean 'Asia/Kathmandu'?\n");
    refused("hub: a\nzone: america/bogota\n",
            "hub.yml:2:7: zone: 'america/bogota' is no IANA time zone, did you mean 'America/Bogota'?\n");
    refused(HEAD "broker: localhost:7711\n", "hub.yml:3:9: broker is an endpoint: tcp://HOST:PORT or ipc://PATH\n");
    refused(HEAD "grace: soon\n", "hub.yml:3:8: grace is a duration: a number and ms, s, m, h or d, such as 30s\n");
    refused(HEAD "workers: njeri\n", "hub.yml:3:10: workers is a list\n");
    refused(HEAD "workers:\n  - njeri\n", "hub.yml:4:5: a worker is a mapping (key: value)\n");
    refused(HEAD "workers:\n  - {name: x}\n", "hub.yml:4:5: key 'id' is missing\n");
    refused(HEAD "workers:\n  - {id: x, kind: robot}\n",
            "hub.yml:4:19: a robot needs a runner: put it under 'robots'\n");
    refused(HEAD "workers:\n  - {id: x, capacity: 0}\n", "hub.yml:4:23: capacity is a number from 1 to 32768\n");
    refused(HEAD "workers:\n  - {id: x, per_day: 0}\n", "hub.yml:4:22: per_day is a number from 1 to 1000000\n");
    refused(HEAD "workers:\n  - {id: x, skils: {a: 1}}\n",
            "hub.yml:4:13: unknown key 'skils' of a worker, did you mean 'skills'?\n");
    refused(HEAD "workers:\n  - {id: x, skills: {a: {level: 3, until: 2026-02-30}}}\n",
            "hub.yml:4:43: '2026-02-30' is no date: YYYY-MM-DD\n");
    refused(HEAD "workers:\n  - {id: x, skills: {a: {until: 2026-02-20}}}\n", "hub.yml:4:25: a skill needs a level\n");
    refused(HEAD "workers:\n  - {id: x, skills: {a: 300}}\n",
            "hub.yml:4:25: a skill's level is a number from 0 to 255\n");
    refused(HEAD "workers:\n  - {id: x, skills: {a: 1, a: 2}}\n", "hub.yml:4:28: skill 'a' stands twice\n");
    refused(HEAD "teams: [a]\nworkers:\n  - {id: x, team: b}\n",
            "hub.yml:5:19: team 'b' is not in the list of teams\n");
    refused(HEAD "workers:\n  - {id: x}\nrobots:\n  - {id: x, runner: exec, command: [cat]}\n",
            "hub.yml:6:1: id 'x' stands in line 4 already\n");
    refused(HEAD "robots:\n  - {id: x, command: [cat]}\n", "hub.yml:4:5: key 'runner' is missing: exec or coprocess\n");
    refused(HEAD "robots:\n  - {id: x, runner: shell, command: [cat]}\n",
            "hub.yml:4:21: runner is exec (a process a task) or coprocess (one that lives on)\n");
    refused(HEAD "robots:\n  - {id: x, runner: exec}\n",
            "hub.yml:4:5: key 'command' is missing: the program and its arguments, as a list\n");
    refused(HEAD "robots:\n  - {id: x, runner: exec, command: []}\n", "hub.yml:4:36: command is empty\n");
    refused(HEAD "robots:\n  - {id: x, runner: exec, command: cat}\n", "hub.yml:4:36: command is a list\n");
    refused(HEAD "robots:\n  - {id: x, runner: exec, command: [no-such-program-here]}\n",
            "hub.yml:4:36: command: there is no program 'no-such-program-here' on the PATH\n");
    refused(HEAD "robots:\n  - {id: x, runner: exec, command: [cat], env: {\"A=B\": c}}\n",
            "hub.yml:4:49: a name in env is not empty and has no '='\n");
}

#define DAY "shifts:\n  day: {week: {mon-fri: 08:00-12:00 13:00-17:00}}\n"

static void shifts_are_read_with_all_that_they_can_say(void **state)
{
    (void)state;
    struct hub_config *c =
        load(HEAD "shifts:\n"
                  "  day:\n"
                  "    week: {mon-fri: [08:00-12:00, 13:00-17:00], sat: 08:00-12:00}\n"
                  "    off: [2026-12-25, 2026-12-28..2027-01-01]\n"
                  "    extra: {2026-12-27: 10:00-14:00, 2026-12-26: 22:00-02:00}\n"
                  "    from: {2027-03-01: {mon-thu: 07:00-15:00}}\n"
                  "    overtime: 10m\n"
                  "  night: {week: {fri-mon: 22:00-06:00}}\n"
                  "workers:\n  - {id: asha, shift: day}\n  - {id: bina, shift: night}\n  - {id: eve}\n"
                  "robots:\n  - {id: r, runner: exec, command: [cat], shift: day}\n");
    assert_string_equal(problems, "");
    assert_int_equal(c->shift_count, 2);
    const struct hub_shift *day = hub_config_member(c, "asha")->shift, *night = hub_config_member(c, "bina")->shift;
    assert_ptr_equal(hub_config_member(c, "r")->shift, day);
    assert_null(hub_config_member(c, "eve")->shift);
    assert_string_equal(day->name, "day");
    assert_string_equal(day->zone, "Africa/Nairobi");
    assert_string_equal(day->text, "mon-fri 08:00-12:00 13:00-17:00, sat 08:00-12:00");
    assert_int_equal(day->shift.week_count, 2);
    assert_int_equal(day->shift.week[0].day[4].count, 2);
    assert_int_equal(day->shift.week[0].day[5].span[0].end, 720);
    assert_int_equal(day->shift.week[0].day[6].count, 0);
    assert_int_equal(day->shift.week[1].day[4].count, 0);
    assert_int_equal(day->shift.off_count, 2);
    assert_int_equal(day->shift.off[1].last_day - day->shift.off[1].first_day, 4);
    assert_int_equal(day->shift.extra_count, 2);
    assert_int_equal(day->shift.extra[0].spans.span[0].end, 26 * 60); /* by day, across midnight */
    assert_int_equal(day->shift.overtime_us, 600000000);
    assert_int_equal(night->shift.overtime_us, 1800000000);
    assert_int_equal(night->shift.week[0].day[0].count, 1); /* fri-mon goes over the week's end */
    assert_int_equal(night->shift.week[0].day[1].count, 0);
    hub_config_free(&c);
}

static void an_own_zone_or_own_days_off_make_a_shift_of_its_own(void **state)
{
    (void)state;
    struct hub_config *c = load(HEAD DAY "workers:\n"
                                         "  - {id: asha, shift: day, zone: Asia/Kolkata}\n"
                                         "  - {id: bina, shift: day, zone: Asia/Kolkata}\n"
                                         "  - {id: carl, shift: day, zone: Africa/Nairobi}\n"
                                         "  - {id: dina, shift: day, off: [2026-12-24]}\n");
    assert_string_equal(problems, "");
    assert_int_equal(c->shift_count, 3);
    assert_string_equal(hub_config_member(c, "asha")->shift->name, "day Asia/Kolkata");
    assert_ptr_equal(hub_config_member(c, "asha")->shift, hub_config_member(c, "bina")->shift);
    assert_string_equal(hub_config_member(c, "carl")->shift->name, "day");
    assert_string_equal(hub_config_member(c, "dina")->shift->name, "day (dina)");
    assert_int_equal(hub_config_member(c, "dina")->shift->shift.off_count, 1);
    assert_int_equal(hub_config_member(c, "carl")->shift->shift.off_count, 0);
    hub_config_free(&c);
}

static void mistakes_in_shifts_are_named_with_their_place(void **state)
{
    (void)state;
    refused(HEAD "shifts:\n  day: {weak: {mon: 08:00-12:00}}\n",
            "hub.yml:4:9: unknown key 'weak' of a shift, did you mean 'week'?\n"
            "hub.yml:4:8: key 'week' is missing: weekdays and times, such as mon-fri: 09:00-17:00\n");
    refused(HEAD "shifts:\n  day: {week: {monday: 08:00-12:00}}\n",
            "hub.yml:4:16: 'monday' is no weekday: mon tue wed thu fri sat sun, or a range such as mon-fri\n");
    refused(HEAD "shifts:\n  day: {week: {mon: 8:00-12:00}}\n",
            "hub.yml:4:21: '8:00-12:00' is no span of time: HH:MM-HH:MM, such as 22:00-06:00\n");
    refused(HEAD "shifts:\n  day: {week: {mon: 08:00-24:30}}\n",
            "hub.yml:4:21: '08:00-24:30' is no span of time: HH:MM-HH:MM, such as 22:00-06:00\n");
    refused(HEAD "shifts:\n  day: {week: {mon-fri: 08:00-12:00, fri: 13:00-17:00}}\n",
            "hub.yml:4:38: fri stands twice in this week\n");
    refused(HEAD "shifts:\n  day: {week: {mon: 08:00-12:00}, off: [2026-02-30, 2026-05-02..2026-05-01]}\n",
            "hub.yml:4:41: '2026-02-30' is no day off: YYYY-MM-DD, or YYYY-MM-DD..YYYY-MM-DD\n"
            "hub.yml:4:53: '2026-05-02..2026-05-01' is no day off: YYYY-MM-DD, or YYYY-MM-DD..YYYY-MM-DD\n");
    refused(HEAD "shifts:\n  day: {extra: {26-12-27: 08:00-12:00}}\n",
            "hub.yml:4:17: '26-12-27' is no date: YYYY-MM-DD\n");
    refused(HEAD DAY
            "workers:\n  - {id: a, shift: dya}\n  - {id: b, zone: Asia/Kolkata}\n  - {id: c, off: [2026-12-24]}\n",
            "hub.yml:6:20: there is no shift 'dya' under 'shifts'\n"
            "hub.yml:7:19: an own zone is for a shift: name it with key 'shift'\n"
            "hub.yml:8:18: days off are of a shift: name it with key 'shift'\n");
    refused(HEAD DAY "workers:\n  - {id: a, shift: day, zone: Asia/Katmandoo}\n",
            "hub.yml:6:31: zone: 'Asia/Katmandoo' is no IANA time zone (such as Asia/Kathmandu)\n");
}

static void a_shift_that_overlaps_itself_is_refused_with_the_day(void **state)
{
    (void)state;
    refused(HEAD "shifts:\n  day: {week: {mon: 08:00-12:00 11:30-17:00}}\n",
            "hub.yml:4:8: shift 'day' overlaps itself on mon: 08:00-12:00 and 11:30-17:00\n");
    refused(HEAD "shifts:\n  day: {week: {sun: 22:00-06:00, mon: 05:00-09:00}}\n",
            "hub.yml:4:8: shift 'day' overlaps itself on mon: 22:00-06:00 and 05:00-09:00\n");
    refused(HEAD "shifts:\n  day: {week: {mon-sun: 08:00-12:00}, extra: {2026-12-24: 11:00-13:00}}\n",
            "hub.yml:4:8: shift 'day' overlaps itself on thu 2026-12-24: 08:00-12:00 and 11:00-13:00\n");
}

static void all_mistakes_are_told_at_once(void **state)
{
    (void)state;
    refused("hub: a\nzone: x\nworkers:\n  - {id: a, capacity: many}\n  - {ident: b}\n",
            "hub.yml:2:7: zone: 'x' is no IANA time zone (such as Asia/Kathmandu)\n"
            "hub.yml:4:23: capacity is a number from 1 to 32768\n"
            "hub.yml:5:6: unknown key 'ident' of a worker\n"
            "hub.yml:5:5: key 'id' is missing\n");
}

static void what_is_no_yaml_is_named_too(void **state)
{
    (void)state;
    refused("", "hub.yml:1:1: the file is empty\n");
    refused("- a\n- b\n", "hub.yml:1:1: a hub file is a mapping (key: value)\n");
    assert_null(load("hub: [a\n"));
    assert_non_null(strstr(problems, "hub.yml:2:1: "));
    assert_null(load(HEAD "---\nhub: b\n"));
    assert_string_equal(problems, "hub.yml:4:1: a second document ('---'): only one is read\n");
    problems[0] = 0;
    assert_null(hub_config_load("/no/such/file.yml", on_problem, NULL));
    assert_non_null(strstr(problems, "No such file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hub_file_is_read),
        cmocka_unit_test(the_rosters_digest_follows_its_content_only),
        cmocka_unit_test(a_zone_that_is_there_and_cannot_be_read_is_not_told_as_a_wrong_name),
        cmocka_unit_test(mistakes_are_named_with_their_place),
        cmocka_unit_test(shifts_are_read_with_all_that_they_can_say),
        cmocka_unit_test(an_own_zone_or_own_days_off_make_a_shift_of_its_own),
        cmocka_unit_test(mistakes_in_shifts_are_named_with_their_place),
        cmocka_unit_test(a_shift_that_overlaps_itself_is_refused_with_the_day),
        cmocka_unit_test(all_mistakes_are_told_at_once),
        cmocka_unit_test(what_is_no_yaml_is_named_too),
    };
    return cmocka_run_group_tests_name("agent config", tests, NULL, NULL);
}
