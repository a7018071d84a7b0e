/* Dynamic overlap on real answers (rte_world.h): half of the items are control tasks, whose truth the engine knows; the other half is put as units, whose
 * truth it never sees, at a station with copies {3, 10} and `posterior` at 0.95. Each worker first answers the control tasks that he answered then, and
 * then the units. Over several splits, accuracy on the units must be no worse than that of the plain majority of all ten answers beyond chance, with fewer
 * answers. Both are printed with 95% intervals. Without control tasks the same station asks for all ten. */
#include "tests/unit/rte_world.h"

#include <math.h>

#define SPLITS 6
#define CONTROL (ITEMS / 2)

/* Wilson's interval of a share. */
static void interval(double right, double n, double *low, double *high)
{
    const double z = 1.959964;
    double p = right / n, middle = (p + z * z / (2 * n)) / (1 + z * z / n);
    double half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    *low = middle - half;
    *high = middle + half;
}

static void overlap_line(struct world *w, const uint32_t *control, uint32_t n)
{
    struct slp_buf b = { 0 };
    char text[160];
    snprintf(text, sizeof text,
             "line: rte\ninput: [{name: item, type: text, required: true}]\nstations:\n  - name: judge\n    copies: "
             "{min: 3, max: 10}\n");
    slp_buf_add(&b, text, strlen(text));
    snprintf(text, sizeof text, "    agree: {on: [entails], method: posterior, confidence: 0.95}\n");
    slp_buf_add(&b, text, strlen(text));
    snprintf(text, sizeof text,
             "    form: {fields: [{name: entails, type: radio, options: ['0', '1'], required: true}]}\n");
    slp_buf_add(&b, text, strlen(text));
    snprintf(text, sizeof text, "    window: {last: 10000, within: 3000d}\n%s",
             n ? "    gold:\n      every: 1\n      columns: [item, entails]\n      cells: [" : "");
    slp_buf_add(&b, text, strlen(text));
    for (uint32_t i = 0; i < n; i++) {
        snprintf(text, sizeof text, "%s'%u', '%u'", i ? ", " : "", rte.item[control[i]], rte.gold[control[i]]);
        slp_buf_add(&b, text, strlen(text));
    }
    slp_buf_add(&b, n ? "]\n" : "", (n ? 2 : 0) + 1);
    world_line(w, b.p);
    slp_buf_free(&b);
}

struct sums {
    double right, majority, worse, better, answers;
    uint32_t decided, undecided;
};

static void one_split(uint64_t seed, uint32_t control, struct sums *s)
{
    static struct outcome out[PART];
    static const char *const run[RUNS] = { "a", "b", "c", "d", "e", "f", "g", "h" };
    struct world w;
    struct world_hub h;
    uint32_t split[ITEMS], order[WORKERS];
    shuffle(split, ITEMS, seed);
    shuffle(order, WORKERS, seed + 1000);
    world_open(&w);
    overlap_line(&w, split, control);
    world_hub(&w, &h, "hub", 1, 0);
    take_roster(&w, &h);
    for (uint32_t i = 0; i < CONTROL / PART; i++)
        put_items(&w, world_run(&w, "rte", run[i]), split + CONTROL + i * PART);
    for (uint32_t i = 0; i < WORKERS; i++)
        comes(&w, &h, order[i]);
    world_clear(&w);
    for (uint32_t i = 0; i < CONTROL / PART; i++) {
        assert_int_equal(world_count(&w, run[i], "judge", TASK_DONE), PART);
        read_outcomes(&w, run[i], out);
        for (uint32_t k = 0; k < PART; k++) {
            uint32_t at = split[CONTROL + i * PART + k], no = rte.votes[at][0], yes = rte.votes[at][1];
            double mine = out[k].entails - '0' == rte.gold[at], plain = no == yes ? 0.5 : (yes > no) == rte.gold[at];
            assert_in_range(out[k].answers, 3, 10);
            s->right += mine;
            s->majority += plain;
            s->better += mine > plain ? mine - plain : 0;
            s->worse += mine < plain ? plain - mine : 0;
            s->answers += (double)out[k].answers;
            s->decided += strcmp(out[k].rule, "posterior") == 0;
            s->undecided += strcmp(out[k].rule, "max") == 0;
        }
    }
    world_end(&w);
}

static void no_worse_than_the_majority_with_fewer_answers(void **state)
{
    struct sums all = { 0 };
    (void)state;
    if (!rte.there)
        skip();
    for (uint64_t seed = 1; seed <= SPLITS; seed++) {
        struct sums s = { 0 };
        double low, high, mlow, mhigh;
        one_split(seed, CONTROL, &s);
        interval(s.right, CONTROL, &low, &high);
        interval(s.majority, CONTROL, &mlow, &mhigh);
        printf("  split %u: dynamic overlap %.4f right (%.4f to %.4f) with %.2f answers an item, %u of %u sure at "
               "0.95; majority of ten %.4f (%.4f to %.4f)\n",
               (unsigned)seed, s.right / CONTROL, low, high, s.answers / CONTROL, s.decided, (unsigned)CONTROL,
               s.majority / CONTROL, mlow, mhigh);
        double apart =
            s.better + s.worse; /* only items on which the two differ say anything: a sign test, by its normal limit */
        assert_true(s.worse - s.better <= 1.96 * sqrt(apart) + 1);
        assert_true(s.answers < 10 * CONTROL);
        all.right += s.right;
        all.majority += s.majority;
        all.better += s.better;
        all.worse += s.worse;
        all.answers += s.answers;
    }
    /* The parts overlap: together they say no more than the items that there are. */
    double low, high, mlow, mhigh, right = all.right / (SPLITS * CONTROL), majority = all.majority / (SPLITS * CONTROL);
    interval(right * ITEMS, ITEMS, &low, &high);
    interval(majority * ITEMS, ITEMS, &mlow, &mhigh);
    printf("  all: %.4f right (%.4f to %.4f) with %.2f answers an item; majority %.4f (%.4f to %.4f) with 10\n", right,
           low, high, all.answers / (SPLITS * CONTROL), majority, mlow, mhigh);
    assert_true(all.worse - all.better <= 1.96 * sqrt(all.better + all.worse) + 1);
    assert_true(all.answers < 0.7 * 10 * SPLITS * CONTROL);
}

static void without_control_answers_nothing_is_sure_and_all_ten_are_asked(void **state)
{
    struct sums s = { 0 };
    (void)state;
    if (!rte.there)
        skip();
    one_split(1, 0, &s);
    assert_int_equal(s.answers, 10 * CONTROL);
    assert_int_equal(s.undecided, CONTROL);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(no_worse_than_the_majority_with_fewer_answers),
                                        cmocka_unit_test(
                                            without_control_answers_nothing_is_sure_and_all_ten_are_asked) };
    return cmocka_run_group_tests(tests, read_data, NULL);
}
