/* The bench of a million workers, the smallest part that it takes of itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <sys/wait.h>

#include "tests/bench/common.c"
#include "tests/bench/shop.c"
#define main bench_workers_main
int bench_workers_main(int argc, char **argv);
#include "tests/bench/bench_workers.c"
#undef main

/* Its JSON; the work is done in a process of its own. */
static json_t *measured(const char *company)
{
    char folder[] = "/tmp/sunline-bench-workers-XXXXXX", words[128], *args[8];
    int status, out[2], argc = 0;
    assert_non_null(mkdtemp(folder));
    snprintf(words, sizeof words, "bench_workers --dir %s/data --op %s --scale 200", folder, company);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
        args[argc++] = word;
    assert_int_equal(pipe(out), 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(out[1], 1);
        close(out[0]);
        int rc = bench_workers_main(argc, args);
        fflush(NULL);
        _exit(rc);
    }
    close(out[1]);
    json_error_t e;
    FILE *f = fdopen(out[0], "r");
    json_t *all = json_loadf(f, 0, &e);
    fclose(f);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    snprintf(words, sizeof words, "rm -r %s", folder);
    assert_int_equal(system(words), 0);
    if (!all)
        fail_msg("%s", e.text);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return all;
}

static void each_round_assigns_something(const char *company)
{
    static const char *const compared[] = { "arriving", "asking", "asking_50" };
    json_t *all = measured(company);
    for (int i = 0; i < 3; i++) {
        json_t *rounds = json_object_get(json_object_get(all, compared[i]), "cpu_us");
        assert_int_equal(json_array_size(rounds), ROUNDS);
        for (size_t k = 0; k < ROUNDS; k++)
            assert_true(json_number_value(json_array_get(rounds, k)) > 0);
    }
    json_decref(all);
}

static void a_part_of_the_small_company_is_measured_in_each_round(void **state)
{
    (void)state;
    each_round_assigns_something("small");
}

static void a_part_of_the_large_company_is_measured_in_each_round(void **state)
{
    (void)state;
    each_round_assigns_something("large");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_of_the_small_company_is_measured_in_each_round),
        cmocka_unit_test(a_part_of_the_large_company_is_measured_in_each_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
