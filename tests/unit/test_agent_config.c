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
        "workers:\n  - {id: njeri, name: Njeri W., team: b, capacity: 2, skills: {english: 3, swahili: 5}}\n"
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

static void mistakes_are_named_with_their_place(void **state)
{
    (void)state;
    refused("hub: nairobi\n", "hub.yml:1:1: key 'zone' is missing: the hub's time zone, such as Africa/Nairobi\n");
    refused(HEAD "brokr: tcp://x:1\n", "hub.yml:3:1: unknown key 'brokr' of a hub file, did you mean 'broker'?\n");
    refused(HEAD "shifts: []\n", "hub.yml:3:1: unknown key 'shifts' of a hub file\n");
    refused(HEAD "hub: again\n", "hub.yml:3:1: key 'hub' stands twice\n");
    refused("hub: two words\nzone: Africa/Nairobi\n",
            "hub.yml:1:6: hub: a name is 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit\n");
    refused("hub: a\nzone: Africa/Nairobbery\n",
            "hub.yml:2:7: zone: 'Africa/Nairobbery' is no IANA time zone (such as Asia/Kathmandu)\n");
    refused(HEAD "broker: localhost:7711\n", "hub.yml:3:9: broker is an endpoint: tcp://HOST:PORT or ipc://PATH\n");
    refused(HEAD "grace: soon\n", "hub.yml:3:8: grace is a duration: a number and ms, s, m, h or d, such as 30s\n");
    refused(HEAD "workers: njeri\n", "hub.yml:3:10: workers is a list\n");
    refused(HEAD "workers:\n  - njeri\n", "hub.yml:4:5: a worker is a mapping (key: value)\n");
    refused(HEAD "workers:\n  - {name: x}\n", "hub.yml:4:5: key 'id' is missing\n");
    refused(HEAD "workers:\n  - {id: x, kind: robot}\n",
            "hub.yml:4:19: a robot needs a runner: put it under 'robots'\n");
    refused(HEAD "workers:\n  - {id: x, capacity: 0}\n", "hub.yml:4:23: capacity is a number from 1 to 32768\n");
    refused(HEAD "workers:\n  - {id: x, skils: {a: 1}}\n",
            "hub.yml:4:13: unknown key 'skils' of a worker, did you mean 'skills'?\n");
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
        cmocka_unit_test(mistakes_are_named_with_their_place),
        cmocka_unit_test(all_mistakes_are_told_at_once),
        cmocka_unit_test(what_is_no_yaml_is_named_too),
    };
    return cmocka_run_group_tests_name("agent config", tests, NULL, NULL);
}
