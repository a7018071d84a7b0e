/* Figures as Prometheus text: names, units, types, labels, histograms; and figures of a newer broker, or none at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/metrics.h"

static struct slp_buf figures, text;

static int clear(void **state)
{
    (void)state;
    slp_buf_free(&figures);
    slp_buf_free(&text);
    return 0;
}

static void key(const char *k)
{
    slp_pack_cstr(&figures, k);
}
static void pair(const char *k, uint64_t v)
{
    key(k);
    slp_pack_u64(&figures, v);
}

static const char *told(void)
{
    slp_buf_clear(&text);
    assert_int_equal(metrics_text((struct slp_bytes){ figures.p, (uint32_t)figures.n }, &text), 0);
    slp_buf_add(&text, "", 1);
    return text.p;
}

/* The whole line is there. */
static void says(const char *line)
{
    const char *at = told();
    size_t n = strlen(line);
    for (; at; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (!strncmp(at, line, n) && (at[n] == '\n' || !at[n]))
            return;
    }
    fail_msg("no line '%s' in:\n%s", line, text.p);
}

static void says_not(const char *part)
{
    if (strstr(told(), part))
        fail_msg("'%s' is in:\n%s", part, text.p);
}

static void a_count_is_a_counter_and_a_state_a_gauge(void **state)
{
    (void)state;
    slp_pack_map(&figures, 2);
    pair("units_total", 12);
    pair("tasks_ready", 7);
    says("# HELP sunline_units_total Units taken in.");
    says("# TYPE sunline_units_total counter");
    says("sunline_units_total 12");
    says("# TYPE sunline_tasks_ready gauge");
    says("sunline_tasks_ready 7");
}

static void microseconds_are_told_as_seconds(void **state)
{
    (void)state;
    slp_pack_map(&figures, 2);
    pair("uptime_us", 2500000);
    pair("spent_us_total", 1);
    says("sunline_uptime_seconds 2.500000");
    says("# TYPE sunline_spent_seconds_total counter");
    says("sunline_spent_seconds_total 0.000001");
}

static void numbers_of_every_kind_are_told(void **state)
{
    (void)state;
    slp_pack_map(&figures, 5);
    key("below");
    slp_pack_i64(&figures, -3);
    key("load");
    slp_pack_double(&figures, 0.25);
    key("spent_us");
    slp_pack_double(&figures, 5e5);
    key("store_full");
    slp_pack_bool(&figures, true);
    key("version"); /* a text is no figure */
    slp_pack_cstr(&figures, "1");
    says("sunline_below -3");
    says("sunline_load 0.25");
    says("sunline_spent_seconds 0.5");
    says("sunline_store_full 1");
    says_not("version");
}

static void a_figure_that_it_does_not_know_is_told_under_a_name_that_prometheus_takes(void **state)
{
    (void)state;
    slp_pack_map(&figures, 1);
    pair("From-AZ az.09", 4);
    says("# HELP sunline_From_AZ_az_09 A figure that this program does not know yet.");
    says("sunline_From_AZ_az_09 4");
}

static void a_distribution_is_one_histogram_whose_buckets_are_cumulative(void **state)
{
    (void)state;
    slp_pack_map(&figures, 6);
    pair("batch_messages_le_2", 3);
    pair("batch_messages_le_8", 10);
    pair("batch_messages_total", 40);
    pair("batch_messages_count", 10);
    pair("batch_messages_max", 8);
    pair("commit_us_count", 0);
    says("# TYPE sunline_batch_messages histogram");
    says("sunline_batch_messages_bucket{le=\"1\"} 0");
    says("sunline_batch_messages_bucket{le=\"2\"} 3");
    says("sunline_batch_messages_bucket{le=\"4\"} 3"); /* not told: as many as below */
    says("sunline_batch_messages_bucket{le=\"8\"} 10");
    says("sunline_batch_messages_bucket{le=\"16777216\"} 10");
    says("sunline_batch_messages_bucket{le=\"+Inf\"} 10");
    says("sunline_batch_messages_sum 40.000000");
    says("sunline_batch_messages_count 10");
    says("sunline_commit_seconds_count 0");
    says_not("sunline_batch_messages_max");
}

static void latency(const char *name, unsigned edges)
{
    key(name);
    slp_pack_map(&figures, 3);
    pair("count", 9);
    pair("total_us", 3000000);
    key("le_ms");
    slp_pack_array(&figures, edges);
    for (unsigned i = 0; i < edges; i++)
        slp_pack_u64(&figures, i + 1);
}

static void times_are_a_histogram_that_goes_on_where_the_list_ends(void **state)
{
    (void)state;
    slp_pack_map(&figures, 2);
    latency("waited", 3);
    latency("worked", 40); /* more than it knows edges for */
    says("# HELP sunline_task_waited_seconds From ready to assigned.");
    says("sunline_task_waited_seconds_bucket{le=\"0.001\"} 1");
    says("sunline_task_waited_seconds_bucket{le=\"0.004\"} 3");
    says("sunline_task_waited_seconds_bucket{le=\"0.008\"} 3");
    says("sunline_task_waited_seconds_bucket{le=\"+Inf\"} 9");
    says("sunline_task_waited_seconds_sum 3.000000");
    says("sunline_task_worked_seconds_bucket{le=\"1073741.82\"} 31");
}

static void times_without_a_list_or_with_an_odd_one_count_nothing_in_their_buckets(void **state)
{
    (void)state;
    slp_pack_map(&figures, 2);
    key("waited");
    slp_pack_map(&figures, 1);
    pair("le_ms", 4);
    key("worked");
    slp_pack_map(&figures, 2);
    key("le_ms");
    slp_pack_array(&figures, 1);
    slp_pack_cstr(&figures, "many");
    key("count");
    slp_pack_cstr(&figures, "more");
    says("sunline_task_waited_seconds_bucket{le=\"0.001\"} 0");
    says("sunline_task_worked_seconds_bucket{le=\"0.001\"} 0");
    says("sunline_task_worked_seconds_count 0");
}

static void a_station_has_labels_for_its_line_name_and_version(void **state)
{
    (void)state;
    slp_pack_map(&figures, 1);
    key("by_station");
    slp_pack_map(&figures, 2);
    key("photos/judge@3");
    slp_pack_map(&figures, 4);
    pair("ready", 5);
    pair("done", 2);
    pair("oldest_us", 1500000);
    latency("waited", 2);
    key("nothing that splits");
    slp_pack_map(&figures, 0);
    says("sunline_station_tasks{line=\"photos\",station=\"judge\",version=\"3\",state=\"ready\"} 5");
    says("sunline_station_oldest_seconds{line=\"photos\",station=\"judge\",version=\"3\"} 1.500000");
    says("sunline_station_waited_seconds_bucket{line=\"photos\",station=\"judge\",version=\"3\",le=\"0.001\"} 1");
    says("sunline_station_waited_seconds_count{line=\"photos\",station=\"judge\",version=\"3\"} 9");
    says("sunline_station_oldest_seconds{line=\"nothing that splits\",station=\"nothing that "
         "splits\",version=\"\"} 0.000000");
    says_not("sunline_station_runs_open");
}

static void lines_and_hubs_are_told_each_by_their_figures(void **state)
{
    (void)state;
    slp_pack_map(&figures, 3);
    key("by_line");
    slp_pack_map(&figures, 1);
    key("photos");
    slp_pack_map(&figures, 2);
    pair("runs_open", 2);
    pair("results_total", 7);
    key("by_hub");
    slp_pack_map(&figures, 1);
    key("nairobi");
    slp_pack_map(&figures, 1);
    pair("signed_in", 3);
    key("by_station");
    slp_pack_map(&figures, 0); /* none: nothing is told, not even what it would be */
    says("sunline_line_runs_open{line=\"photos\"} 2");
    says("# TYPE sunline_line_results_total counter");
    says("sunline_line_results_total{line=\"photos\"} 7");
    says("sunline_hub_signed_in{hub=\"nairobi\"} 3");
    says("# HELP sunline_hub_signed_in Workers that are signed in.");
    says_not("sunline_hub_waited");
    says_not("sunline_station_");
}

static void what_is_no_map_is_refused_and_what_stands_in_place_of_one_is_passed_over(void **state)
{
    (void)state;
    slp_pack_u64(&figures, 1);
    assert_int_equal(metrics_text((struct slp_bytes){ figures.p, (uint32_t)figures.n }, &text), -1);
    assert_int_equal(metrics_text((struct slp_bytes){ figures.p, 0 }, &text), -1);
    slp_buf_clear(&figures);
    slp_pack_map(&figures, 2);
    pair("by_line", 3);
    pair("waited", 3);
    says_not("sunline_line_");
}

static void figures_that_are_cut_off_are_told_as_far_as_they_go(void **state)
{
    (void)state;
    slp_pack_map(&figures, 4);
    pair("one_total", 1);
    size_t first = figures.n;
    pair("two_total", 2);
    size_t all = figures.n;
    for (figures.n = first; figures.n < all; figures.n++) {
        says("sunline_one_total 1");
        says_not("sunline_two_total 2");
    }
    figures.n = all;
    slp_pack_u64(&figures, 3); /* a key that is none */
    slp_pack_u64(&figures, 3);
    says("sunline_two_total 2");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, clear)
    const struct CMUnitTest tests[] = {
        TEST(a_count_is_a_counter_and_a_state_a_gauge),
        TEST(microseconds_are_told_as_seconds),
        TEST(numbers_of_every_kind_are_told),
        TEST(a_figure_that_it_does_not_know_is_told_under_a_name_that_prometheus_takes),
        TEST(a_distribution_is_one_histogram_whose_buckets_are_cumulative),
        TEST(times_are_a_histogram_that_goes_on_where_the_list_ends),
        TEST(times_without_a_list_or_with_an_odd_one_count_nothing_in_their_buckets),
        TEST(a_station_has_labels_for_its_line_name_and_version),
        TEST(lines_and_hubs_are_told_each_by_their_figures),
        TEST(what_is_no_map_is_refused_and_what_stands_in_place_of_one_is_passed_over),
        TEST(figures_that_are_cut_off_are_told_as_far_as_they_go),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
