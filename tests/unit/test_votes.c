/* What many answers say together, beside published figures and real answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/sunline_quality.h"
#include "tests/unit/rte_data.h"

#define NEAR(a, b, d) assert_true(fabs((a) - (b)) <= (d))

static struct sl_votes *votes(void)
{
    struct sl_votes *v;
    assert_int_equal(sl_votes_new(&v), SL_OK);
    return v;
}

static struct sl_consensus *consensus(const struct sl_votes *v, enum sl_method method)
{
    struct sl_consensus *c;
    assert_int_equal(sl_consensus_new(v, &(struct sl_consensus_options){ .method = method }, &c), SL_OK);
    return c;
}

static const char *label_of(const struct sl_votes *v, const struct sl_consensus *c, const char *item)
{
    for (uint32_t i = 0; i < c->items; i++)
        if (strcmp(sl_votes_item(v, i), item) == 0)
            return sl_votes_label(v, c->label[i]);
    fail();
    return NULL;
}

/* Dawid and Skene 1979, table 1: 45 patients; observer 1 judged each three times, observers 2 to 5 once. */
static const char *const patients[45] = {
    "1111111", "3334334", "1122122", "2223121", "2223222", "2223322", "1222111", "3333433", "2222223",
    "2322223", "4444444", "2223343", "1111111", "2223212", "1211111", "1112111", "1111111", "1111111",
    "2222221", "2221322", "2222222", "2222221", "2223222", "2212222", "1111111", "1111111", "2322222",
    "1111111", "1111111", "1121121", "1111111", "3333233", "1111111", "2222222", "2223232", "4334343",
    "2212232", "2323233", "3333432", "1111111", "1111111", "1212111", "2322222", "1211111", "2222222",
};

static struct sl_votes *anaesthesia(bool backwards)
{
    struct sl_votes *v = votes();
    for (int k = 0; k < 45; k++) {
        int i = backwards ? 44 - k : k;
        char item[12];
        snprintf(item, sizeof item, "patient %d", i + 1);
        for (int j = 0; j < 7; j++) {
            char worker[2] = { (char)('1' + (j < 3 ? 0 : j - 2)), 0 }, label[2] = { patients[i][j], 0 };
            assert_int_equal(sl_votes_add(v, item, worker, label), SL_OK);
        }
    }
    return v;
}

static uint32_t label_number(const struct sl_votes *v, const char *label)
{
    for (uint32_t i = 0; i < sl_votes_labels(v); i++)
        if (strcmp(sl_votes_label(v, i), label) == 0)
            return i;
    fail();
    return 0;
}

static void the_example_of_1979_gives_the_published_shares(void **state)
{
    (void)state;
    struct sl_votes *v = anaesthesia(false);
    struct sl_consensus *c = consensus(v, SL_DAWID_SKENE);
    assert_true(c->converged);
    NEAR(c->prior[label_number(v, "1")], 0.40, 0.005);
    NEAR(c->prior[label_number(v, "2")], 0.42, 0.005);
    NEAR(c->prior[label_number(v, "3")], 0.11, 0.005);
    NEAR(c->prior[label_number(v, "4")], 0.07, 0.005);
    /* Observer 1, table 2 of the paper: 0.89 of true 1s said to be 1, 0.11 to be 2. */
    size_t one = label_number(v, "1"), two = label_number(v, "2");
    NEAR(c->confusion[(0 * 4 + one) * 4 + one], 0.89, 0.005);
    NEAR(c->confusion[(0 * 4 + one) * 4 + two], 0.11, 0.005);
    sl_consensus_free(&c);
    sl_votes_free(&v);
}

static void posteriors_of_an_item_add_up_to_one(void **state)
{
    (void)state;
    struct sl_votes *v = anaesthesia(false);
    struct sl_consensus *c = consensus(v, SL_DAWID_SKENE);
    for (uint32_t i = 0; i < c->items; i++) {
        double sum = 0;
        for (uint32_t j = 0; j < c->labels; j++)
            sum += c->posterior[i * c->labels + j];
        NEAR(sum, 1, 1e-12);
        NEAR(c->confidence[i], c->posterior[i * c->labels + c->label[i]], 0);
    }
    sl_consensus_free(&c);
    sl_votes_free(&v);
}

static void the_order_of_answers_does_not_matter(void **state)
{
    (void)state;
    struct sl_votes *v = anaesthesia(false), *w = anaesthesia(true);
    for (int method = SL_PLURALITY; method <= SL_DAWID_SKENE; method++) {
        struct sl_consensus *c = consensus(v, (enum sl_method)method), *d = consensus(w, (enum sl_method)method);
        for (uint32_t i = 0; i < c->items; i++) {
            assert_string_equal(sl_votes_label(v, c->label[i]), label_of(w, d, sl_votes_item(v, i)));
            NEAR(c->confidence[i], d->confidence[c->items - 1 - i], 1e-9);
        }
        sl_consensus_free(&c);
        sl_consensus_free(&d);
    }
    sl_votes_free(&v);
    sl_votes_free(&w);
}

static void an_estimate_that_was_cut_short_says_so(void **state)
{
    (void)state;
    struct sl_votes *v = anaesthesia(false);
    struct sl_consensus *c;
    assert_int_equal(
        sl_consensus_new(v, &(struct sl_consensus_options){ .method = SL_DAWID_SKENE, .iterations_max = 2 }, &c),
        SL_OK);
    assert_false(c->converged);
    assert_int_equal(c->iterations, 2);
    double two_steps = c->log_likelihood;
    sl_consensus_free(&c);
    c = consensus(v, SL_DAWID_SKENE);
    assert_true(c->log_likelihood > two_steps); /* each step of EM makes the answers likelier */
    sl_consensus_free(&c);
    sl_votes_free(&v);
}

static void a_tie_goes_to_the_first_label_as_bytes_and_is_told(void **state)
{
    (void)state;
    struct sl_votes *v = votes();
    sl_votes_add(v, "a", "w1", "yes");
    sl_votes_add(v, "a", "w2", "no");
    sl_votes_add(v, "b", "w1", "yes");
    sl_votes_add(v, "b", "w2", "yes");
    sl_votes_add(v, "b", "w3", "no");
    struct sl_consensus *c = consensus(v, SL_PLURALITY);
    assert_string_equal(sl_votes_label(v, c->label[0]), "no");
    assert_true(c->tied[0]);
    NEAR(c->confidence[0], 0.5, 0);
    assert_string_equal(sl_votes_label(v, c->label[1]), "yes");
    assert_false(c->tied[1]);
    NEAR(c->confidence[1], 2.0 / 3, 1e-15);
    sl_consensus_free(&c);
    sl_votes_free(&v);
}

static void wawa_lets_the_reliable_decide_a_tie(void **state)
{
    (void)state;
    struct sl_votes *v = votes();
    for (int i = 0; i < 4; i++) { /* good and steady agree with most; odd never does */
        char item[2] = { (char)('a' + i), 0 };
        sl_votes_add(v, item, "good", "x");
        sl_votes_add(v, item, "steady", "x");
        sl_votes_add(v, item, "odd", "a");
    }
    sl_votes_add(v, "tie", "good", "x");
    sl_votes_add(v, "tie", "odd", "a");
    struct sl_consensus *plain = consensus(v, SL_PLURALITY), *c = consensus(v, SL_WAWA);
    assert_string_equal(label_of(v, plain, "tie"), "a");
    assert_string_equal(label_of(v, c, "tie"), "x");
    NEAR(c->skill[0], 4.0 / 5, 1e-15); /* good: 4 of 5, the tie having gone to "a" */
    NEAR(c->skill[2], 1.0 / 5, 1e-15);
    NEAR(c->confidence[4], 0.8, 1e-15);
    sl_consensus_free(&plain);
    sl_consensus_free(&c);
    sl_votes_free(&v);
}

/* ---- alpha: the worked examples of Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011 ---- */

static struct sl_votes *observers(const char *const *rows, uint32_t n)
{
    struct sl_votes *v = votes();
    for (uint32_t w = 0; w < n; w++)
        for (uint32_t i = 0; rows[w][i]; i++) {
            char item[12], worker[12], label[2] = { rows[w][i], 0 };
            snprintf(item, sizeof item, "%u", i);
            snprintf(worker, sizeof worker, "%u", w);
            if (label[0] != '.')
                assert_int_equal(sl_votes_add(v, item, worker, label), SL_OK);
        }
    return v;
}

static double alpha_of(const struct sl_votes *v, enum sl_metric metric)
{
    double a;
    assert_int_equal(sl_alpha(v, metric, &a, NULL), SL_OK);
    return a;
}

static void alpha_of_two_observers_and_binary_data(void **state)
{
    (void)state;
    static const char *const rows[] = { "0100000010", "1110010000" };
    struct sl_votes *v = observers(rows, 2);
    NEAR(alpha_of(v, SL_NOMINAL), 0.095, 0.0005);
    sl_votes_free(&v);
}

static void alpha_of_two_observers_and_nominal_data(void **state)
{
    (void)state;
    static const char *const rows[] = { "aabbdcccedda", "babbbccceddd" };
    struct sl_votes *v = observers(rows, 2);
    NEAR(alpha_of(v, SL_NOMINAL), 0.692, 0.0005);
    sl_votes_free(&v);
}

static void alpha_of_four_observers_with_missing_data(void **state)
{
    (void)state;
    static const char *const rows[] = { "123321412...", "1233224125.3", ".3332342251.", "12332441251." };
    struct sl_votes *v = observers(rows, 4);
    NEAR(alpha_of(v, SL_NOMINAL), 0.743, 0.0005);
    NEAR(alpha_of(v, SL_INTERVAL), 0.849, 0.0005);
    sl_votes_free(&v);
}

static void alpha_does_not_care_where_numbers_begin(void **state)
{
    (void)state;
    struct sl_votes *near = votes(), *far = votes();
    static const int value[] = { 1, 2, 4, 4, 7, 6 };
    for (int k = 0; k < 6; k++) {
        char item[2] = { (char)('a' + k / 2), 0 }, worker[2] = { (char)('1' + k % 2), 0 }, label[16];
        snprintf(label, sizeof label, "%d", value[k]);
        sl_votes_add(near, item, worker, label);
        snprintf(label, sizeof label, "%d", 1000000000 + value[k]);
        sl_votes_add(far, item, worker, label);
    }
    NEAR(alpha_of(near, SL_INTERVAL), alpha_of(far, SL_INTERVAL), 1e-6);
    sl_votes_free(&near);
    sl_votes_free(&far);
}

static void alpha_is_undefined_without_pairs_or_without_difference(void **state)
{
    (void)state;
    struct sl_votes *v = votes();
    double share;
    uint64_t pairs;
    sl_votes_add(v, "a", "w1", "1");
    sl_votes_add(v, "b", "w2", "2");
    assert_true(isnan(alpha_of(v, SL_NOMINAL)));
    assert_int_equal(sl_agreement(v, &share, &pairs), SL_OK);
    assert_true(isnan(share));
    assert_int_equal(pairs, 0);
    sl_votes_free(&v);
    v = votes();
    sl_votes_add(v, "a", "w1", "1");
    sl_votes_add(v, "a", "w2", "1");
    assert_true(isnan(alpha_of(v, SL_NOMINAL)));
    sl_votes_free(&v);
}

static void a_label_that_is_no_number_is_named(void **state)
{
    (void)state;
    struct sl_votes *v = votes();
    double a = 7;
    uint32_t bad;
    sl_votes_add(v, "a", "w1", "1");
    sl_votes_add(v, "a", "w2", "two");
    assert_int_equal(sl_alpha(v, SL_INTERVAL, &a, &bad), SL_BAD_VALUE);
    assert_string_equal(sl_votes_label(v, bad), "two");
    NEAR(a, 7, 0);
    sl_votes_free(&v);
}

/* ---- agreement, workers, disagreements ---- */

static void agreement_counts_equal_pairs(void **state)
{
    (void)state;
    struct sl_votes *v = votes();
    double share;
    uint64_t pairs;
    static const char *const said[] = { "x", "x", "y" };
    for (int i = 0; i < 3; i++) {
        char worker[2] = { (char)('1' + i), 0 };
        sl_votes_add(v, "a", worker, said[i]);
    }
    sl_votes_add(v, "b", "1", "y");
    sl_votes_add(v, "b", "2", "y");
    assert_int_equal(sl_agreement(v, &share, &pairs), SL_OK);
    assert_int_equal(pairs, 4);
    NEAR(share, 0.5, 1e-15);
    sl_votes_free(&v);
}

static void each_worker_is_counted_beside_the_consensus(void **state)
{
    (void)state;
    struct sl_votes *v = votes();
    sl_votes_add(v, "a", "good", "x");
    sl_votes_add(v, "a", "steady", "x");
    sl_votes_add(v, "a", "odd", "y");
    sl_votes_add(v, "b", "good", "y");
    sl_votes_add(v, "b", "steady", "y");
    sl_votes_add(v, "b", "odd", "y");
    struct sl_consensus *c = consensus(v, SL_PLURALITY);
    struct sl_worker_quality q[3];
    uint64_t counts[3 * 2 * 2];
    assert_int_equal(sl_workers_quality(v, c, q, counts), SL_OK);
    NEAR(q[0].agreement, 1, 0);
    assert_int_equal(q[2].answers, 2);
    assert_int_equal(q[2].agreed, 1);
    assert_int_equal(counts[(2 * 2 + 0) * 2 + 1], 1); /* odd said y where it was x */
    assert_int_equal(counts[(2 * 2 + 1) * 2 + 1], 1);
    assert_int_equal(counts[(2 * 2 + 0) * 2 + 0], 0);
    struct sl_votes *other = anaesthesia(false);
    assert_int_equal(sl_workers_quality(other, c, q, NULL), SL_MISUSE);
    sl_votes_free(&other);
    sl_consensus_free(&c);
    sl_votes_free(&v);
}

static void the_worst_disagreements_come_first(void **state)
{
    (void)state;
    struct sl_votes *v = votes();
    struct sl_disagreement d[5];
    uint32_t found;
    static const char *const rows[] = { "agree xxxx", "half xxyy", "third xyz", "quarter xxxy" };
    for (int i = 0; i < 4; i++) {
        char item[12];
        const char *said = strchr(rows[i], ' ') + 1;
        snprintf(item, sizeof item, "%.*s", (int)(said - rows[i] - 1), rows[i]);
        for (int k = 0; said[k]; k++) {
            char worker[2] = { (char)('1' + k), 0 }, label[2] = { said[k], 0 };
            sl_votes_add(v, item, worker, label);
        }
    }
    assert_int_equal(sl_disagreements(v, d, 5, &found), SL_OK);
    assert_int_equal(found, 3);
    assert_string_equal(sl_votes_item(v, d[0].item), "third");
    NEAR(d[0].bits, log2(3), 1e-12);
    assert_string_equal(sl_votes_item(v, d[1].item), "half");
    NEAR(d[1].bits, 1, 1e-12);
    assert_string_equal(sl_votes_item(v, d[2].item), "quarter");
    assert_int_equal(sl_disagreements(v, d, 1, &found), SL_OK);
    assert_int_equal(found, 1);
    sl_votes_free(&v);
}

/* ---- bad input ---- */

static void what_cannot_be_an_answer_is_refused(void **state)
{
    (void)state;
    struct sl_votes *v = votes();
    struct sl_consensus *c;
    assert_int_equal(sl_votes_add(v, "", "w", "l"), SL_MISUSE);
    assert_int_equal(sl_votes_add(v, "i", NULL, "l"), SL_MISUSE);
    assert_int_equal(sl_votes_add(v, "i", "w", ""), SL_MISUSE);
    assert_int_equal(sl_votes_items(v), 0);
    assert_int_equal(sl_consensus_new(v, &(struct sl_consensus_options){ .method = SL_PLURALITY }, &c), SL_MISUSE);
    assert_null(c);
    sl_votes_add(v, "i", "w", "l");
    assert_int_equal(sl_consensus_new(v, &(struct sl_consensus_options){ .method = 9 }, &c), SL_MISUSE);
    assert_int_equal(sl_consensus_new(v, &(struct sl_consensus_options){ .tolerance = NAN }, &c), SL_MISUSE);
    assert_null(sl_votes_item(v, 1));
    assert_null(sl_votes_at(v, 1));
    sl_votes_free(&v);
    sl_votes_free(&v);
}

static void labels_without_number_are_too_many_for_matrices(void **state)
{
    (void)state;
    struct sl_votes *v = votes();
    struct sl_consensus *c;
    for (int i = 0; i < 12000; i++) { /* free text: everybody says something else */
        char label[12];
        snprintf(label, sizeof label, "%d", i);
        assert_int_equal(sl_votes_add(v, "item", "worker", label), SL_OK);
    }
    assert_int_equal(sl_consensus_new(v, &(struct sl_consensus_options){ .method = SL_DAWID_SKENE }, &c), SL_TOO_MANY);
    assert_null(c);
    c = consensus(v, SL_PLURALITY);
    assert_true(c->tied[0]);
    sl_consensus_free(&c);
    sl_votes_free(&v);
}

/* ---- real answers: 800 pairs of sentences, 164 workers, 8,000 answers (Snow et al. 2008) ---- */

static FILE *rte(const char *name)
{
    char dir[256], path[512];
    find_data(dir, sizeof dir);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return fopen(path, "r");
}

struct rte {
    struct sl_votes *v;
    uint32_t *truth;
};

static struct rte rte_read(void)
{
    FILE *answers = rte("answers.csv"), *gold = rte("gold.csv");
    if (!answers || !gold)
        skip();
    struct rte r = { .v = votes() };
    char item[32], worker[64], label[8];
    assert_int_equal(fscanf(answers, "%*[^\n]\n"), 0);
    while (fscanf(answers, "%31[^,],%63[^,],%7[^\r\n]%*[\r\n]", item, worker, label) == 3)
        assert_int_equal(sl_votes_add(r.v, item, worker, label), SL_OK);
    r.truth = calloc(sl_votes_items(r.v), sizeof *r.truth);
    assert_int_equal(fscanf(gold, "%*[^\n]\n"), 0);
    while (fscanf(gold, "%31[^,],%7[^\r\n]%*[\r\n]", item, label) == 2)
        for (uint32_t i = 0; i < sl_votes_items(r.v); i++)
            if (strcmp(sl_votes_item(r.v, i), item) == 0)
                r.truth[i] = label_number(r.v, label);
    fclose(answers);
    fclose(gold);
    assert_int_equal(sl_votes_count(r.v), 8000);
    assert_int_equal(sl_votes_items(r.v), 800);
    assert_int_equal(sl_votes_workers(r.v), 164);
    return r;
}

static void rte_free(struct rte *r)
{
    free(r->truth);
    sl_votes_free(&r->v);
}

static void plurality_on_real_answers_is_right_as_often_as_published(void **state)
{
    (void)state;
    struct rte r = rte_read();
    struct sl_consensus *c = consensus(r.v, SL_PLURALITY);
    uint32_t ties = 0;
    double right = 0;
    for (uint32_t i = 0; i < c->items; i++) {
        ties += c->tied[i];
        right += c->tied[i] ? 0.5 : c->label[i] == r.truth[i]; /* as a coin would decide it */
    }
    assert_int_equal(ties, 65);
    NEAR(right / 800, 0.8969, 0.00005);
    sl_consensus_free(&c);
    rte_free(&r);
}

static void dawid_skene_on_real_answers_is_right_as_often_as_published(void **state)
{
    (void)state;
    struct rte r = rte_read();
    struct sl_consensus *c = consensus(r.v, SL_DAWID_SKENE);
    uint32_t right = 0;
    for (uint32_t i = 0; i < c->items; i++)
        right += c->label[i] == r.truth[i];
    assert_true(c->converged);
    assert_int_equal(right, 742); /* 0.9275 */
    sl_consensus_free(&c);
    rte_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_1979_gives_the_published_shares),
        cmocka_unit_test(posteriors_of_an_item_add_up_to_one),
        cmocka_unit_test(the_order_of_answers_does_not_matter),
        cmocka_unit_test(an_estimate_that_was_cut_short_says_so),
        cmocka_unit_test(a_tie_goes_to_the_first_label_as_bytes_and_is_told),
        cmocka_unit_test(wawa_lets_the_reliable_decide_a_tie),
        cmocka_unit_test(alpha_of_two_observers_and_binary_data),
        cmocka_unit_test(alpha_of_two_observers_and_nominal_data),
        cmocka_unit_test(alpha_of_four_observers_with_missing_data),
        cmocka_unit_test(alpha_does_not_care_where_numbers_begin),
        cmocka_unit_test(alpha_is_undefined_without_pairs_or_without_difference),
        cmocka_unit_test(a_label_that_is_no_number_is_named),
        cmocka_unit_test(agreement_counts_equal_pairs),
        cmocka_unit_test(each_worker_is_counted_beside_the_consensus),
        cmocka_unit_test(the_worst_disagreements_come_first),
        cmocka_unit_test(what_cannot_be_an_answer_is_refused),
        cmocka_unit_test(labels_without_number_are_too_many_for_matrices),
        cmocka_unit_test(plurality_on_real_answers_is_right_as_often_as_published),
        cmocka_unit_test(dawid_skene_on_real_answers_is_right_as_often_as_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
