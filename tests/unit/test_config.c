/* The daemon's configuration: what is taken, and how each mistake is named; endpoints that may be bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/config.h"

struct heard {
    char text[4096];
    unsigned count;
};

static void hear(void *arg, const char *text)
{
    struct heard *h = arg;
    size_t n = strlen(h->text);
    snprintf(h->text + n, sizeof h->text - n, "%s\n", text);
    h->count++;
}

/* Load a text as if it were the file c.yml: problems begin with "c.yml:". */
static int load(struct config *c, const char *text, struct heard *h)
{
    char dir[] = "/tmp/sunline-config-XXXXXX", was[4096];
    memset(h, 0, sizeof *h);
    config_default(c);
    assert_non_null(mkdtemp(dir));
    assert_non_null(getcwd(was, sizeof was));
    assert_int_equal(chdir(dir), 0);
    FILE *f = fopen("c.yml", "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    int rc = config_load(c, "c.yml", hear, h);
    assert_int_equal(unlink("c.yml"), 0);
    assert_int_equal(chdir(was), 0);
    assert_int_equal(rmdir(dir), 0);
    assert_int_equal(rc, h->count ? -1 : 0);
    return rc;
}

static void a_whole_file_is_read(void **state)
{
    struct config c;
    struct heard h;
    (void)state;
    assert_int_equal(load(&c,
                          "data: /var/lib/sunline\nclients: ipc:///run/c\nagents: 'tcp://127.9.9.9:*'\nevents: "
                          "tcp://[::1]:0\nmap_bytes: 1GiB\n"
                          "reserve_bytes: 64MiB\nwal_bytes: 16MiB\nqueue_tasks_max: 12345\nheartbeat: 250ms\ngrace: "
                          "1m\nstart_by: 2h\n"
                          "event_keep: 1000\nevent_keep_time: 1d\nbatch_items: 7\nbatch_bytes: 256KiB\npeer_bytes_max: "
                          "2MiB\nout_bytes_max: 1GiB\n"
                          "log: debug\n",
                          &h),
                     0);
    assert_string_equal(c.data, "/var/lib/sunline");
    assert_string_equal(c.agents, "tcp://127.9.9.9:*");
    assert_int_equal(c.map_bytes, 1ll << 30);
    assert_int_equal(c.engine.heartbeat_us, 250000);
    assert_int_equal(c.engine.grace_us, 60000000);
    assert_int_equal(c.engine.start_by_us, 7200ll * 1000000);
    assert_int_equal(c.engine.event_keep_us, 86400ll * 1000000);
    assert_int_equal(c.engine.queue_tasks_max, 12345);
    assert_int_equal(c.batch_items, 7);
    assert_int_equal(c.log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(config_check(&c, hear, &h), 0);
}

static void an_empty_file_leaves_the_defaults(void **state)
{
    struct config c;
    struct heard h;
    (void)state;
    assert_int_equal(load(&c, "# nothing\n", &h), 0);
    assert_string_equal(c.clients, "tcp://127.0.0.1:7710");
}

/* Every mistake, exactly as a person reads it. */
static void each_mistake_is_named_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *file, *said;
    } rows[] = {
        { "data: d\nagnets: tcp://127.0.0.1:1\n", "c.yml:2:1: unknown key 'agnets', did you mean 'agents'?\n" },
        { "colour: blue\n", "c.yml:1:1: unknown key 'colour'\n" },
        { "data: d\ndata: e\n", "c.yml:2:1: key 'data' stands twice\n" },
        { "grace: 30\n", "c.yml:1:8: 'grace' must be a time with its unit, such as 500ms, 30s, 5m or 7d, not '30'\n" },
        { "grace: [1]\n",
          "c.yml:1:8: 'grace' must be a time with its unit, such as 500ms, 30s, 5m or 7d, not a list or a map\n" },
        { "map_bytes: 64GB\n", "c.yml:1:12: 'map_bytes' must be a size such as 65536, 256MiB or 64GiB, not '64GB'\n" },
        { "map_bytes: 99999999999999999999\n",
          "c.yml:1:12: 'map_bytes' must be a size such as 65536, 256MiB or 64GiB, not '99999999999999999999'\n" },
        { "map_bytes: 9223372036854775807KiB\n",
          "c.yml:1:12: 'map_bytes' must be a size such as 65536, 256MiB or 64GiB, not '9223372036854775807KiB'\n" },
        { "batch_items: 0\n", "c.yml:1:14: 'batch_items' must be from 1 to 65536, not 0\n" },
        { "batch_items: -1\n", "c.yml:1:14: 'batch_items' must be a whole number, not '-1'\n" },
        { "log: loud\n", "c.yml:1:6: 'log' must be error, warn, info or debug, not 'loud'\n" },
        { "data: ''\n", "c.yml:1:7: 'data' must be the path of a folder, shorter than 4032 bytes\n" },
        { "- data\n", "c.yml:1:1: the file must be a map of keys and values\n" },
        { "[a]: b\n", "c.yml:1:1: a key must be a plain word\n" },
        { "data: d\nlog: loud\ngarce: 1s\n", "c.yml:2:6: 'log' must be error, warn, info or debug, not "
                                             "'loud'\nc.yml:3:1: unknown key 'garce', did you mean 'grace'?\n" },
        { "data: \"unclosed\n", "c.yml:2:1: found unexpected end of stream\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config c;
        struct heard h;
        assert_int_equal(load(&c, rows[i].file, &h), -1);
        assert_string_equal(h.text, rows[i].said);
    }
}

static void a_missing_file_is_named(void **state)
{
    struct config c;
    struct heard h = { "", 0 };
    (void)state;
    config_default(&c);
    assert_int_equal(config_load(&c, "/nonexistent/x.yml", hear, &h), -1);
    assert_string_equal(h.text, "/nonexistent/x.yml: cannot be read: No such file or directory\n");
}

static void only_endpoints_that_no_other_machine_reaches_are_taken(void **state)
{
    (void)state;
    static const char *const good[] = { "tcp://127.0.0.1:7710",  "tcp://127.255.255.254:0",    "tcp://[::1]:*",
                                        "tcp://localhost:65535", "ipc:///run/sunline/clients", "ipc://@abstract" };
    static const struct {
        const char *endpoint, *why;
    } bad[] = {
        { "tcp://0.0.0.0:7710", "loopback" },
        { "tcp://*:7710", "loopback" },
        { "tcp://10.0.0.1:1", "loopback" },
        { "tcp://[::]:1", "loopback" },
        { "tcp://eth0:1", "loopback" },
        { "tcp://example.org:1", "loopback" },
        { "tcp://127.1:1", "loopback" },
        { "tcp://127.0.0.1.example.org:1", "loopback" },
        { "tcp://localhost.example.org:1", "loopback" },
        { "tcp://[::1]x:1", "loopback" },
        { "tcp://[::ffff:127.0.0.1]:1", "loopback" },
        { "tcp://lo:1", "loopback" },
        { "tcp://2130706433:1", "loopback" },
        { "tcp://127.0.0.1;10.0.0.1:1", "loopback" },
        { "tcp://127.0.0.1", "port" },
        { "tcp://127.0.0.1:", "port" },
        { "tcp://127.0.0.1:65536", "port" },
        { "tcp://127.0.0.1:1x", "port" },
        { "tcp://127.0.0.1:-1", "port" },
        { "tcp://[::1]", "port" },
        { "udp://127.0.0.1:1", "begin with" },
        { "inproc://x", "begin with" },
        { "pgm://x", "begin with" },
        { "", "begin with" },
        { "ipc://", "path" },
        { "ipc://*", "path" },
    };
    char why[512];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(endpoint_allowed(good[i], why, sizeof why));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(endpoint_allowed(bad[i].endpoint, why, sizeof why));
        assert_non_null(strstr(why, bad[i].why));
        assert_non_null(strstr(why, bad[i].endpoint)); /* named */
    }
    char long_path[200] = "ipc:///";
    memset(long_path + 7, 'x', 150);
    assert_false(endpoint_allowed(long_path, why, sizeof why));
}

static void an_option_is_named_in_its_mistake(void **state)
{
    struct config c;
    struct heard h = { "", 0 };
    (void)state;
    config_default(&c);
    assert_int_equal(config_set(&c, "agents", "tcp://0.0.0.0:1", "--agents", hear, &h), -1);
    assert_non_null(
        strstr(h.text, "--agents: 'agents': endpoint 'tcp://0.0.0.0:1': is not on this machine's loopback"));
    assert_string_equal(c.agents, "tcp://127.0.0.1:7711");
}

static void an_incomplete_configuration_is_refused(void **state)
{
    struct config c;
    struct heard h = { "", 0 };
    (void)state;
    config_default(&c);
    assert_int_equal(config_check(&c, hear, &h), -1);
    assert_non_null(strstr(h.text, "no data folder"));
    strcpy(c.data, "d");
    strcpy(c.agents, c.clients);
    assert_int_equal(config_check(&c, hear, &h), -1);
    assert_non_null(strstr(h.text, "the same endpoint"));
    strcpy(c.agents, "tcp://127.0.0.1:*");
    strcpy(c.clients, "tcp://127.0.0.1:*"); /* two ports that the system chooses are two */
    assert_int_equal(config_check(&c, hear, &h), 0);
    c.out_bytes_max = c.peer_bytes_max - 1;
    assert_int_equal(config_check(&c, hear, &h), -1);
}

static void note_change(void *arg, const char *key, bool taken)
{
    char *all = arg;
    sprintf(all + strlen(all), "%s:%d ", key, taken);
}

static void a_reload_takes_what_it_can_and_names_the_rest(void **state)
{
    struct config c, fresh;
    char all[512] = "";
    (void)state;
    config_default(&c);
    fresh = c;
    fresh.log_level = LOG_LEVEL_DEBUG;
    fresh.batch_items = 5;
    fresh.map_bytes = 1ull << 40;
    strcpy(fresh.events, "ipc:///x");
    config_reload(&c, &fresh, note_change, all);
    assert_string_equal(all, "events:0 map_bytes:0 batch_items:1 log:1 ");
    assert_int_equal(c.log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(c.batch_items, 5);
    assert_int_equal(c.map_bytes, 0);
    assert_string_equal(c.events, "tcp://127.0.0.1:7712");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_file_is_read),
        cmocka_unit_test(an_empty_file_leaves_the_defaults),
        cmocka_unit_test(each_mistake_is_named_with_its_place),
        cmocka_unit_test(a_missing_file_is_named),
        cmocka_unit_test(only_endpoints_that_no_other_machine_reaches_are_taken),
        cmocka_unit_test(an_option_is_named_in_its_mistake),
        cmocka_unit_test(an_incomplete_configuration_is_refused),
        cmocka_unit_test(a_reload_takes_what_it_can_and_names_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
