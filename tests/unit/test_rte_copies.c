/* Real answers through a station with copies: 800 sentence pairs, each answered by ten of 164 people (Snow et al. 2008). Every worker answers what he
 * answered then and declines what he never saw; the outcome of each item must be the majority of its ten answers, counted here directly, in
 * whatever order the workers come. rte_world.h says where the data is looked for; without it this test is skipped. */
#include "tests/unit/rte_world.h"

#define ORDERS 10

static void plurality_is_the_majority_item_by_item_in_every_order(void **state)
{
    static struct outcome out[ITEMS];
    (void)state;
    if (!rte.there)
        skip();
    for (uint64_t seed = 1; seed <= ORDERS; seed++) {
        struct world w;
        struct world_hub h;
        uint32_t order[WORKERS], all[ITEMS], ties = 0, right = 0, even = 0;
        world_open(&w);
        world_line(&w, "line: rte\ninput: [{name: item, type: text, required: true}]\nstations:\n  - name: judge\n    "
                       "copies: {min: 10}\n"
                       "    agree: {on: [entails], method: plurality, ties: review}\n"
                       "    form: {fields: [{name: entails, type: radio, options: ['0', '1'], required: true}]}\n");
        static const char *const run[RUNS] = { "a", "b", "c", "d", "e", "f", "g", "h" };
        world_hub(&w, &h, "hub", 1, 0);
        take_roster(&w, &h);
        for (uint32_t i = 0; i < ITEMS; i++)
            all[i] = i;
        for (uint32_t i = 0; i < RUNS; i++)
            put_items(&w, world_run(&w, "rte", run[i]), all + i * PART);
        shuffle(order, WORKERS, seed);
        for (uint32_t i = 0; i < WORKERS; i++)
            comes(&w, &h, order[i]);
        world_clear(&w);
        for (uint32_t i = 0; i < RUNS; i++) {
            assert_int_equal(world_count(&w, run[i], "judge", TASK_DONE), PART);
            read_outcomes(&w, run[i], out + i * PART);
        }
        for (uint32_t i = 0; i < ITEMS; i++) {
            uint32_t no = rte.votes[i][0], yes = rte.votes[i][1];
            assert_int_equal(out[i].answers, 10);
            assert_int_equal(out[i].votes, no > yes ? no : yes);
            assert_string_equal(out[i].rule, no == yes ? "review" : "plurality");
            if (no != yes)
                assert_int_equal(out[i].entails, no > yes ? '0' : '1');
            ties += no == yes;
            right += no != yes && (yes > no) == rte.gold[i];
            even += no == yes && out[i].entails - '0' == rte.gold[i];
        }
        assert_int_equal(ties, 65);
        assert_int_equal((right * 10000 + ties * 5000 + 400) / 800, 8969); /* 0.8969 expected, ties by chance */
        printf("  order %2u: plurality is the majority of all %u items; %u ties; %u right, and %u of the ties by who "
               "came first\n",
               (unsigned)seed, (unsigned)ITEMS, ties, right, even);
        world_end(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(plurality_is_the_majority_item_by_item_in_every_order) };
    return cmocka_run_group_tests(tests, read_data, NULL);
}
