/* Who handles what, the broker's own answers, and its figures beside the engine's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/dispatch.h"
#include "broker/figures.h"
#include "broker/answer.h"
#include "proto/reader.h"

static void every_message_to_the_broker_has_exactly_one_row(void **state)
{
    (void)state;
    size_t messages, rows;
    const struct slp_msg_info *all = slp_info_all(&messages);
    const struct dispatch_row *row = dispatch_all(&rows);
    size_t to_us = 0;
    for (size_t i = 0; i < messages; i++) {
        bool ours = (all[i].way & (SLP_C2B | SLP_A2B)) != 0;
        to_us += ours;
        if ((dispatch_find(all[i].type) != NULL) != ours) {
            fail_msg("%s: %s", all[i].name, ours ? "no row" : "a row, but no peer may send it");
        }
    }
    assert_int_equal(rows, to_us);
    for (size_t i = 0; i < rows; i++) {
        assert_ptr_equal(dispatch_find(row[i].type), &row[i]); /* no second one */
        bool agents = (slp_info(row[i].type)->way & SLP_A2B) != 0;
        assert_int_equal(row[i].right == RIGHT_AGENT, agents);
    }
}

static void an_error_says_code_class_and_sentence(void **state)
{
    (void)state;
    struct slp_buf b = { 0 };
    struct slp_msg m;
    struct slp_fault fault;
    assert_int_equal(answer_error(&b, 77, SLP_E_BUSY, NULL, NULL, 250), 0);
    assert_int_equal(slp_decode(b.p, b.n, SLP_B2C, &m, &fault), 0);
    assert_int_equal(m.id, 77);
    assert_int_equal(m.type, SLP_ERROR);
    assert_int_equal(m.u.error.code, SLP_E_BUSY);
    assert_int_equal(m.u.error.retry, SLP_RETRY_LATER);
    assert_int_equal(m.u.error.after_ms, 250);
    assert_false(SLP_IS(&m.u.error, error, place));
    assert_memory_equal(m.u.error.text.p, slp_error_text(SLP_E_BUSY), m.u.error.text.n);

    char big[2000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    memcpy(big + SL_TEXT_BYTES_MAX - 1, "\xc3\xa4", 2);
    assert_int_equal(answer_error(&b, 1, SLP_E_MALFORMED, "put.rows[3]", big, 0), 0);
    assert_int_equal(slp_decode(b.p, b.n, SLP_B2A, &m, &fault), 0); /* agents get them, too */
    assert_int_equal(m.u.error.text.n, SL_TEXT_BYTES_MAX - 1);
    assert_memory_equal(m.u.error.place.p, "put.rows[3]", 11);
    assert_false(SLP_IS(&m.u.error, error, after_ms));
    slp_buf_free(&b);
}

static uint64_t figure(const struct slp_msg *m, const char *key)
{
    struct slr_value map, v;
    struct slr r = slr_on(m->u.stats.figures.p, m->u.stats.figures.n), at;
    assert_int_equal(slr_next(&r, &map), 0);
    assert_true(slr_find(r, map.n, key, &at));
    assert_int_equal(slr_next(&at, &v), 0);
    return v.u64;
}

static void figures_go_beside_the_engines(void **state)
{
    (void)state;
    struct slp_buf map = { 0 }, body = { 0 }, out = { 0 };
    slp_pack_map(&map, 1);
    slp_pack_cstr(&map, "runs_open");
    slp_pack_u64(&map, 3);
    struct slp_stats s;
    memset(&s, 0, sizeof s);
    s.figures = (struct slp_bytes){ map.p, (uint32_t)map.n };
    assert_int_equal(slp_encode(&body, SLP_STATS, 9, &s), 0);

    assert_true(figures_wanted(body.p, body.n));

    struct figures f = { 0 };
    struct histogram h = { 0 };
    for (uint64_t v = 1; v <= 100; v++) {
        histogram_add(&h, v);
    }
    figures_add(&f, "messages_in", 1ull << 40);
    figures_add_histogram(&f, "commit_us", &h);
    assert_int_equal(figures_merge(&f, body.p, body.n, &out), 0);

    struct slp_msg m;
    struct slp_fault fault;
    assert_int_equal(slp_decode(out.p, out.n, SLP_B2C, &m, &fault), 0);
    assert_int_equal(m.id, 9);
    assert_int_equal(figure(&m, "runs_open"), 3);
    assert_int_equal(figure(&m, "messages_in"), 1ull << 40);
    assert_int_equal(figure(&m, "commit_us_count"), 100);
    assert_int_equal(figure(&m, "commit_us_total"), 5050);
    assert_int_equal(figure(&m, "commit_us_max"), 100);
    assert_int_equal(figure(&m, "commit_us_le_1"), 1);
    assert_int_equal(figure(&m, "commit_us_le_64"), 64);
    assert_int_equal(figure(&m, "commit_us_le_128"), 100);
    assert_int_equal(figure(&m, "commit_us_p50"), 64);
    assert_int_equal(figure(&m, "commit_us_p99"), 100); /* the bucket's edge is 128, but nothing was above 100 */

    slp_buf_clear(&body); /* another answer in the same batch is left alone */
    assert_int_equal(answer_done(&body, 1), 0);
    assert_false(figures_wanted(body.p, body.n));
    assert_false(figures_wanted("", 0));
    assert_int_equal(figures_merge(&f, body.p, body.n, &out), -1);
    figures_free(&f);
    slp_buf_free(&map);
    slp_buf_free(&body);
    slp_buf_free(&out);
}

static void a_histogram_holds_any_value(void **state)
{
    (void)state;
    struct histogram h = { 0 };
    assert_int_equal(histogram_percentile(&h, 99), 0);
    histogram_add(&h, 0);
    assert_int_equal(histogram_percentile(&h, 50), 0);
    histogram_add(&h, UINT64_MAX);
    assert_int_equal(h.bucket[HISTOGRAM_BUCKETS - 1], 1);
    assert_int_equal(histogram_percentile(&h, 100), UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_to_the_broker_has_exactly_one_row),
        cmocka_unit_test(an_error_says_code_class_and_sentence),
        cmocka_unit_test(figures_go_beside_the_engines),
        cmocka_unit_test(a_histogram_holds_any_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
