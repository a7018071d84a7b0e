/* Line definitions: mistakes that are seldom made, each told with its place and in words that say what to do. */
#include "tests/unit/line_world.h"

#define HEAD "line: a\ninput: [{name: t, type: text}]\nstations:\n"
#define FORM "form: {fields: [{name: x, type: short_answer}]}"

static const struct {
    const char *yaml, *told;
} rows[] = {
    { HEAD "  - {name: s, worker: human, " FORM "}\n", "l.yml:4:15: 'worker' must be a map of keys, not text\n" },
    { HEAD "  - {name: s, form: none}\n", "l.yml:4:15: 'form' must be a map of keys, not text\n" },
    { HEAD "  - {name: s, window: 20, " FORM "}\n", "l.yml:4:15: 'window' must be a map of keys, not a number\n" },
    { HEAD "  - {name: s, require: good, " FORM "}\n", "l.yml:4:15: 'require' must be a map of keys, not text\n" },
    { HEAD "  - {name: s, copies: [3], " FORM "}\n", "l.yml:4:15: 'copies' must be a map of keys, not a list\n" },
    { HEAD "  - {name: s, copies: {max: 3}, " FORM "}\n", "l.yml:4:15: missing key 'min'\n" },
    { HEAD "  - {name: s, copies: 3, agree: all, " FORM "}\n",
      "l.yml:4:15: 'copies' must be a map of keys, not a number\n"
      "l.yml:4:26: 'agree' must be a map of keys, not text\n" },
    { HEAD "  - {name: s, gold: 10, " FORM "}\n", "l.yml:4:15: 'gold' must be a map of keys, not a number\n" },
    { HEAD "  - {name: s, type: tournament, contestants: 2, jury: 3, " FORM "}\n",
      "l.yml:4:49: 'jury' must be a map of keys, not a number\n" },
    { HEAD "  - {name: s, type: tournament, contestants: 2, jury: {max: 3, ties: first}, auto_judge: 2, " FORM "}\n",
      "l.yml:4:78: 'auto_judge' must be a map of keys, not a number\n" },
    { HEAD "  - {name: s, type: tournament, contestants: 2, jury: {max: 3, ties: first}, agree: {method: all}, " FORM
           "}\n",
      "l.yml:4:78: 'agree' does not go with type tournament: say 'auto_judge'\n" },
    { HEAD "  - {name: s.jury, " FORM
           "}\n  - {name: s, type: tournament, contestants: 2, jury: {max: 3, ties: first}, " FORM "}\n",
      "l.yml:5:5: a station is called 's.jury', as the jury of 's' is\n" },
    { HEAD "  - {name: w, " FORM "}\n  - {name: r, type: improve, gold: {every: 2}}\n",
      "l.yml:5:30: 'gold' is for stations of type work\n" },
    { HEAD "  - {name: w, " FORM "}\n  - {name: r, type: improve, first: 1000}\n",
      "l.yml:5:30: 'first' is 1000, but must be 1 to 50\n" },
    { HEAD "  - {name: w, copies: {min: 2, max: 2}, agree: {method: plurality, ties: first}, " FORM "}\n"
           "  - {name: r, type: improve, first: 10}\n",
      "l.yml:5:30: station 'w' has several answers to a task: there is no one author who may be new\n" },
    { HEAD "  - {name: w, copies: {min: 2, max: 2}, agree: {method: plurality, ties: first}, require: {approval: '> "
           "0.5'}, " FORM "}\n"
           "  - {name: r, type: improve}\n",
      "l.yml:4:92: of a station with 'copies' no one author is reviewed (or ask 'of: all')\n" },
    { HEAD "  - {name: s, reward: '1.', " FORM "}\n",
      "l.yml:4:15: 'reward' is '1.', but must be an amount such as 0.03\n" },
    { HEAD "  - {name: s, reward: '1.1234567', " FORM "}\n", "l.yml:4:15: 'reward' has more than six decimals\n" },
    { HEAD "  - {name: s, lease: 99999999999999999999s, " FORM "}\n",
      "l.yml:4:15: 'lease' is '99999999999999999999s', but must be a duration such as 30s, 10m, 2h or 1d\n" },
    { HEAD "  - {name: s, lease: 100001d, " FORM "}\n",
      "l.yml:4:15: 'lease' is '100001d', but must be a duration such as 30s, 10m, 2h or 1d\n" },
    { HEAD "  - {name: s, require: {gold: '>'}, " FORM "}\n",
      "l.yml:4:25: 'gold' is '>', but must be a comparison with a share, such as \">= 0.9\": one of >= <= > <, then 0 "
      "to 1\n" },
    { HEAD "  - {name: s, require: {gold: 0.5}, " FORM "}\n",
      "l.yml:4:25: 'gold' is '0.5', but must be a comparison with a share, such as \">= 0.9\": one of >= <= > <, then "
      "0 to 1\n" },
    { HEAD "  - {name: s, when: t ==, " FORM "}\n",
      "l.yml:4:15: 'when', column 5: the condition ends where a value should stand\n" },
    { HEAD "  - {name: s, when: t < null, " FORM "}\n",
      "l.yml:4:15: 'when', column 1: null can only be compared with == and !=\n" },
    { HEAD
      "  - {name: s, copies: {min: 2, max: 3}, agree: {method: posterior, confidence: 0.9}, form: {fields: ["
      "{name: a, type: radio, options: ['1','2','3','4','5','6','7','8']}, {name: b, type: radio, options: "
      "['1','2','3','4','5','6','7','8']}, "
      "{name: c, type: radio, options: ['1','2','3','4','5','6','7','8']}, {name: d, type: radio, options: "
      "['1','2','3','4','5','6','7','8']}, "
      "{name: e, type: radio, options: ['1','2','3','4','5','6','7','8']}, {name: f, type: radio, options: "
      "['1','2','3','4','5','6','7','8']}, {name: g, type: radio, options: ['1','2','3','4','5','6','7','8']}]}}\n",
      "l.yml:4:41: method posterior: there are more than 1000000 different answers\n" },
    { HEAD "  - {name: s, copies: {min: 2, max: 3}, agree: {method: posterior, confidence: 0.9}, form: {fields: ["
           "{name: a, type: check_box, options: ['1','2']}]}}\n",
      "l.yml:4:41: method posterior must know how many answers there are, and 'a' is no choice of one of its options: "
      "name others with 'on'\n" },
    { HEAD "  - {name: s, copies: {min: 2, max: 3}, agree: {method: plurality, ties: first}}\n",
      "l.yml:4:41: there is nothing to agree on: the form has no fields\n" },
    { HEAD "  - {name: s, copies: {min: 2, max: 3}, agree: {method: plurality, ties: first}, form: {fields: [{name: "
           "votes, type: short_answer}]}}\n",
      "l.yml:4:5: the form has a field 'votes': a station with copies adds one of that name\n" },
    { HEAD "  - {name: a, after: [b], " FORM
           "}\n  - {name: b, type: tournament, after: [a], contestants: 2, jury: {max: 3, ties: first}, " FORM "}\n",
      "l.yml:4:23: 'after' makes a cycle: a -> b -> a\n" },
};

static void each_is_named_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_problems(rows[i].yaml, rows[i].told);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(each_is_named_with_its_place) };
    return cmocka_run_group_tests_name("mistakes in lines", tests, NULL, NULL);
}
