/* Line files: every mistake is named with file, line, column and key; YAML's traps are no traps here. */
#include "tests/unit/line_world.h"

#include <unistd.h>

#include "proto/ld_schema.h"
#include "proto/reader.h"

/* A good beginning of two stations; tests append to the last one, whose keys are indented by four: the next line is line 10. */
#define HEAD                                                                                                           \
    "line: pairs\n"                                                /* 1 */                                             \
    "input:\n"                                                     /* 2 */                                             \
    "  - {name: text, type: text}\n"                               /* 3 */                                             \
    "stations:\n"                                                  /* 4 */                                             \
    "  - name: judge\n"                                            /* 5 */                                             \
    "    form:\n"                                                  /* 6 */                                             \
    "      fields:\n"                                              /* 7 */                                             \
    "        - {name: entails, type: radio, options: [yes, no]}\n" /* 8 */                                             \
    "  - name: check\n"                                            /* 9 */

struct row {
    const char *yaml, *problems;
};
static void expect_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        expect_problems(rows[i].yaml, rows[i].problems);
}
#define EXPECT(rows) expect_rows(rows, sizeof rows / sizeof *rows)

static void a_good_file_has_no_problems(void **state)
{
    (void)state;
    expect_problems(HEAD, "");
    expect_problems(HEAD "    when: judge.entails == \"yes\"\n", "");
    expect_problems("\xef\xbb\xbf" HEAD, "");
}

static void keys_are_checked(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { HEAD "    rewrad: 0.03\n", "l.yml:10:5: unknown key 'rewrad', did you mean 'reward'?\n" },
        { HEAD "    xyzzy: 1\n", "l.yml:10:5: unknown key 'xyzzy'\n" },
        { HEAD "    test: 3\n", "l.yml:10:5: unknown key 'test': not supported by this version\n" },
        { HEAD "    jury: 3\n", "l.yml:10:5: 'jury' must be a map of keys, not a number\n" },
        { HEAD "    contestants: 3\n", "l.yml:10:5: 'contestants' is for stations of type tournament\n" },
        { HEAD "    reward: 1\n    reward: 2\n", "l.yml:11:5: duplicate key 'reward' (first in line 10)\n" },
        { HEAD "    worker: {kind: human, kindd: robot}\n",
          "l.yml:10:27: unknown key 'kindd', did you mean 'kind'?\n" },
        { HEAD "    worker: {skills: {english: 1, english: 2}}\n",
          "l.yml:10:35: duplicate key 'english' (first in line 10)\n" },
        { HEAD "    {a: b}: 1\n", "l.yml:10:5: a key must be text, not a list or a map\n" },
        { HEAD "    1: 2\n", "l.yml:10:5: unknown key '1'\n" },
        { "input:\n  - {name: a, type: text}\nstations:\n  - name: s\n", "l.yml:1:1: missing key 'line'\n" },
        { "line: a\n", "l.yml:1:1: missing key 'input'\nl.yml:1:1: missing key 'stations'\n" },
        { "line: a\ninput:\n  - type: text\nstations:\n  - title: x\n",
          "l.yml:3:5: missing key 'name'\nl.yml:5:5: missing key 'name'\n" },
        { "line: a\ninput:\n  - name: b\nstations:\n  - name: x\n", "l.yml:3:5: missing key 'type'\n" },
    };
    EXPECT(rows);
}

#define FORM                                                                                                           \
    "    form: {fields: [{name: x, type: radio, options: [a, b]}, {name: y, type: short_answer}, {name: z, type: "     \
    "number}]}\n"
#define COPIES HEAD FORM "    copies: {min: 2, max: 5}\n    agree: "

static void copies_and_agreement_are_checked(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { HEAD FORM "    copies: {min: 3}\n", "l.yml:11:5: missing key 'agree': how the answers become one\n" },
        { HEAD FORM "    agree: {method: all}\n", "l.yml:11:5: 'agree' is for stations with 'copies'\n" },
        { HEAD FORM "    copies: {max: 3}\n    agree: {method: all}\n", "l.yml:11:5: missing key 'min'\n" },
        { HEAD FORM "    copies: {min: 5, max: 3}\n    agree: {method: all}\n",
          "l.yml:11:5: 'min' is greater than 'max'\n" },
        { HEAD FORM "    copies: {min: 101}\n    agree: {method: all}\n",
          "l.yml:11:14: 'min' is 101, but must be 1 to 100\n" },
        { COPIES "{}\n", "l.yml:12:5: missing key 'method'\n" },
        { COPIES "{method: majority}\n",
          "l.yml:12:13: unknown method 'majority': it is one of plurality, posterior, all\n" },
        { COPIES "{method: plurality}\n", "l.yml:12:5: missing key 'ties': what happens when two answers have as many "
                                          "votes: more, first, review or fail\n" },
        { COPIES "{method: plurality, ties: moer}\n", "l.yml:12:32: unknown ties 'moer', did you mean 'more'?\n" },
        { HEAD FORM "    copies: {min: 3}\n    agree: {method: plurality, ties: more}\n",
          "l.yml:12:32: 'ties' asks for more answers, but 'max' of the copies is no greater than 'min'\n" },
        { COPIES "{method: plurality, ties: first, on: [w]}\n",
          "l.yml:12:50: 'on' names 'w', but the form has no such field\n" },
        { COPIES "{method: plurality, ties: first, on: [x, x]}\n", "l.yml:12:53: 'on' names 'x' twice\n" },
        { COPIES "{method: plurality, ties: first, on: []}\n",
          "l.yml:12:45: 'on' is empty: name the fields that must agree\n" },
        { COPIES "{method: plurality, ties: first, on: [x], ignore: [case]}\n",
          "l.yml:12:54: 'ignore' is for texts, and none of the fields is one\n" },
        { COPIES "{method: plurality, ties: first, ignore: [cases]}\n",
          "l.yml:12:54: 'ignore' names 'cases': it is one of case, space\n" },
        { COPIES "{method: plurality, ties: first, on: [y], tolerance: 0.5}\n",
          "l.yml:12:54: 'tolerance' is for numbers, and none of the fields is one\n" },
        { COPIES "{method: plurality, ties: first, confidence: 0.9}\n",
          "l.yml:12:45: 'confidence' does not go with method plurality\n" },
        { COPIES "{method: all, ties: first, on: [x]}\n",
          "l.yml:12:26: 'ties' does not go with method all\nl.yml:12:39: 'on' does not go with method all\n" },
        { COPIES "{method: posterior, on: [x]}\n",
          "l.yml:12:5: missing key 'confidence': how sure the leading answer must be, such as 0.95\n" },
        { COPIES "{method: posterior, on: [x], confidence: 1}\n",
          "l.yml:12:41: 'confidence' must lie between 0 and 1\n" },
        { COPIES "{method: posterior, confidence: 0.9}\n",
          "l.yml:12:5: method posterior must know how many answers there are, and 'y' is no choice of one of its "
          "options: name "
          "others with 'on'\n" },
        { COPIES "{method: posterior, on: [x], confidence: sure}\n",
          "l.yml:12:41: 'confidence' is 'sure', but must be a number such as 0.95\n" },
        { HEAD "    copies: {min: 2}\n    agree: {method: plurality, ties: first}\n",
          "l.yml:11:5: there is nothing to agree on: the form has no fields\n" },
        { HEAD "    copies: {min: 2}\n    agree: {method: all}\n    form: {fields: [{name: answers, type: text}]}\n",
          "l.yml:9:5: the form has a field 'answers': a station with copies adds one of that name\n" },
        { COPIES "{method: plurality, ties: first}\n  - name: next\n    when: check.decided == 'maximum'\n",
          "l.yml:14:5: 'when', column 18: 'maximum' is no option of 'check.decided'\n" },
        { COPIES "{method: all}\n  - name: next\n    when: check.x == 'a'\n",
          "l.yml:14:5: 'when', column 12: a station that keeps all answers hands on lists: they can only be compared "
          "with null\n" },
        { COPIES "{method: all}\n  - name: next\n    when: check.confidence > 0.5\n",
          "l.yml:14:5: 'when', column 1: station 'check' has no field 'confidence'\n" },
    };
    EXPECT(rows);
}

static void types_of_values_are_checked(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "5\n", "l.yml:1:1: a line definition must be a map of keys, not a number\n" },
        { "- a\n", "l.yml:1:1: a line definition must be a map of keys, not a list\n" },
        { HEAD "  - hello\n", "l.yml:10:5: station must be a map of keys, not text\n" },
        { HEAD "    title: [a]\n", "l.yml:10:5: 'title' must be text, not a list\n" },
        { HEAD "    title:\n", "l.yml:10:5: 'title' must be text, not nothing\n" },
        { HEAD "    after: judge\n", "l.yml:10:5: 'after' must be a list of texts, not text\n" },
        { HEAD "    after: [[judge]]\n", "l.yml:10:13: 'after' must hold texts, not a list\n" },
        { HEAD "    worker: human\n", "l.yml:10:5: 'worker' must be a map of keys, not text\n" },
        { HEAD "    worker: {kind: hunan}\n", "l.yml:10:14: unknown kind 'hunan', did you mean 'human'?\n" },
        { HEAD "    worker: {kind: cat}\n", "l.yml:10:14: unknown kind 'cat': it is one of any, human, robot\n" },
        { HEAD "    worker: {skills: [english]}\n",
          "l.yml:10:14: 'skills' must be a map from skills to levels, not a list\n" },
        { HEAD "    worker: {skills: {english: 300}}\n",
          "l.yml:10:23: the level of skill 'english' must be a whole number, 1 to 255\n" },
        { HEAD "    worker: {skills: {english: \"2\"}}\n",
          "l.yml:10:23: the level of skill 'english' must be a whole number, 1 to 255\n" },
        { HEAD "    worker: {skills: {\"a b\": 2}}\n",
          "l.yml:10:23: skill 'a b': a name is 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit\n" },
        { HEAD "    attempts: three\n", "l.yml:10:5: 'attempts' must be a whole number, not text\n" },
        { HEAD "    attempts: -1\n", "l.yml:10:5: 'attempts' must be a whole number, not a negative number\n" },
        { HEAD "    attempts: 1.5\n", "l.yml:10:5: 'attempts' must be a whole number, not a number with a fraction\n" },
        { HEAD "    attempts: 0\n", "l.yml:10:5: 'attempts' is 0, but must be 1 to 100\n" },
        { HEAD "    attempts: 101\n", "l.yml:10:5: 'attempts' is 101, but must be 1 to 100\n" },
        { HEAD "    type: tournament\n", "l.yml:9:5: missing key 'contestants': how many workers enter\n"
                                         "l.yml:9:5: missing key 'jury': who decides which entry wins\n"
                                         "l.yml:9:5: there is nothing to judge: the form has no fields\n" },
        { HEAD "    form: {fields: [{name: t, type: text}]}\n    type: tournament\n    contestants: 1\n    jury: {max: "
               "3, ties: more}\n    copies: {min: 2}\n",
          "l.yml:12:5: 'contestants' is 1, but must be 2 to 100\n"
          "l.yml:13:20: unknown ties 'more': it is one of first, review, fail\n"
          "l.yml:14:5: 'copies' does not go with type tournament: say 'contestants'\n" },
        { HEAD
          "    form: {fields: [{name: t, type: text}]}\n    type: tournament\n    contestants: 3\n    jury: {max: 3, "
          "ties: first, worker: {kind: human, kindd: x}}\n    auto_judge: {equal: 4, on: [nothing]}\n",
          "l.yml:13:55: unknown key 'kindd', did you mean 'kind'?\n"
          "l.yml:14:18: 'equal' is 4, but must be 2 to 3\n"
          "l.yml:14:33: 'on' names 'nothing', but the form has no such field\n" },
        { HEAD "    type: wrok\n", "l.yml:10:5: unknown type 'wrok', did you mean 'work'?\n" },
        { "line: two words\ninput:\n  - {name: a, type: text}\nstations:\n  - name: s\n",
          "l.yml:1:1: 'line' 'two words': a name is 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit\n" },
        { "line: a\ncurrency: usd\ninput:\n  - {name: a, type: text}\nstations:\n  - name: s\n",
          "l.yml:2:1: 'currency' is 'usd', but must be three capital letters such as USD\n" },
        { "line: a\ninput: []\nstations: []\n",
          "l.yml:2:1: 'input' is empty: a line has at least one input field\nl.yml:3:1: 'stations' is empty: a line "
          "has at least one station\n" },
    };
    EXPECT(rows);
}

static void durations_and_money_are_checked(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { HEAD "    lease: 10 minutes\n",
          "l.yml:10:5: 'lease' is '10 minutes', but must be a duration such as 30s, 10m, 2h or 1d\n" },
        { HEAD "    lease: 31d\n", "l.yml:10:5: 'lease' must be 1s to 30d\n" },
        { HEAD "    lease: 999ms\n", "l.yml:10:5: 'lease' must be 1s to 30d\n" },
        { HEAD "    lease: 99999999999999999999d\n",
          "l.yml:10:5: 'lease' is '99999999999999999999d', but must be a duration such as 30s, 10m, 2h or 1d\n" },
        { HEAD "    lease: [1]\n", "l.yml:10:5: 'lease' must be a duration such as 30s, 10m, 2h or 1d, not a list\n" },
        { HEAD "    backoff: 367d\n", "l.yml:10:5: 'backoff' must be 0s to 366d\n" },
        { HEAD "    start_by: 0\n", "l.yml:10:5: 'start_by' must be 1s to 30d\n" },
        { HEAD "    reward: 0.0000001\n", "l.yml:10:5: 'reward' has more than six decimals\n" },
        { HEAD "    reward: -1\n", "l.yml:10:5: 'reward' is '-1', but must be an amount such as 0.03\n" },
        { HEAD "    reward: 1e3\n", "l.yml:10:5: 'reward' is '1e3', but must be an amount such as 0.03\n" },
        { HEAD "    reward: 1000000.000001\n", "l.yml:10:5: 'reward' is more than 1000000\n" },
        { HEAD "    reward: 99999999999999999999999\n", "l.yml:10:5: 'reward' is more than 1000000\n" },
        { HEAD "    lease: 90\n    backoff: 0\n    start_by: 1h\n    reward: 1000000\n", "" },
    };
    EXPECT(rows);
}

#define FIELD(text)                                                                                                    \
    "line: a\ninput:\n  - {name: i, type: text}\nstations:\n  - name: s\n    form:\n      fields:\n        - " text "\n"
static void fields_are_checked(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { FIELD("{name: f, type: raddio, options: [a]}"),
          "l.yml:8:21: unknown type 'raddio', did you mean 'radio'?\n" },
        { FIELD("{name: f, type: radio}"),
          "l.yml:8:11: missing key 'options': a radio needs the list of its options\n" },
        { FIELD("{name: f, type: select, options: []}"), "l.yml:8:35: 'options' is empty\n" },
        { FIELD("{name: f, type: check_box, options: [a, b, a]}"), "l.yml:8:54: duplicate option 'a'\n" },
        { FIELD("{name: f, type: radio, options: [a, \"\"]}"), "l.yml:8:47: an option must not be empty\n" },
        { FIELD("{name: f, type: radio, options: a}"), "l.yml:8:34: 'options' must be a list of texts, not text\n" },
        { FIELD("{name: f, type: date, options: [a]}"), "l.yml:8:33: 'options' do not go with type date\n" },
        { FIELD("{name: f, type: text, min: 1}"),
          "l.yml:8:33: 'min' does not go with type text: only numbers have it\n" },
        { FIELD("{name: f, type: number, min: 3, max: 2.5}"), "l.yml:8:35: 'min' is greater than 'max'\n" },
        { FIELD("{name: f, type: number, min: .inf}"), "l.yml:8:35: 'min' must be a number, not infinity\n" },
        { FIELD("{name: f, type: number, min: \"3\"}"), "l.yml:8:35: 'min' must be a number, not text\n" },
        { FIELD("{name: f, type: number, chars_max: 3}"), "l.yml:8:35: 'chars_max' does not go with type number\n" },
        { FIELD("{name: f, type: text, chars_max: 0}"), "l.yml:8:33: 'chars_max' is 0, but must be 1 to 65536\n" },
        { FIELD("{name: f, type: text, required: yes}"), "l.yml:8:33: 'required' must be true or false, not text\n" },
        { FIELD("{name: f.g, type: text}"), "l.yml:8:12: 'name' 'f.g': a field's name is 1 to 64 of A-Z a-z 0-9 _ - "
                                            "(no dot) and begins with a letter or digit\n" },
        { FIELD("{name: f, type: text}\n        - {name: f, type: date}"), "l.yml:9:12: duplicate field name 'f'\n" },
        { "line: a\ninput:\n  - {name: i, type: radio, options: [a]}\nstations:\n  - name: s\n",
          "l.yml:3:15: type 'radio' is for forms: an input field is one of text, general, email, url, number, date, "
          "time, datetime, phone\n" },
    };
    EXPECT(rows);
}

static void the_graph_is_checked(void **state)
{
    (void)state;
#define LINE "line: a\ninput:\n  - {name: i, type: text}\nstations:\n"
    static const struct row rows[] = {
        { HEAD "    after: [jugde]\n",
          "l.yml:10:13: 'after' names 'jugde', but there is no such station, did you mean 'judge'?\n" },
        { HEAD "    after: [check]\n", "l.yml:10:13: station 'check' names itself in 'after'\n" },
        { HEAD "    after: [judge, judge]\n", "l.yml:10:20: 'after' names 'judge' twice\n" },
        { HEAD "  - name: judge\n", "l.yml:10:5: duplicate station name 'judge'\n" },
        { LINE "  - name: a\n    after: [b]\n  - name: b\n", "l.yml:6:13: 'after' makes a cycle: a -> b -> a\n" },
        { LINE "  - name: z\n  - name: a\n    after: [z, c]\n  - name: b\n  - name: c\n",
          "l.yml:7:16: 'after' makes a cycle: a -> b -> c -> a\n" },
        { LINE "  - {name: a, after: [b]}\n  - {name: b, after: [a]}\n  - {name: c, after: [d]}\n  - {name: d, after: "
               "[c]}\n  - {name: e, after: [d]}\n",
          "l.yml:5:23: 'after' makes a cycle: a -> b -> a\nl.yml:7:23: 'after' makes a cycle: c -> d -> c\n" },
        /* with a broken graph, names are still looked up */
        { LINE "  - {name: a, after: [b]}\n  - {name: b, after: [a], when: x == 1}\n",
          "l.yml:5:23: 'after' makes a cycle: a -> b -> a\nl.yml:6:27: 'when', column 1: there is no input field "
          "'x'\n" },
    };
    EXPECT(rows);
}

static void visibility_is_checked(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { HEAD "    shows: [judge.entails, text]\n", "" },
        { HEAD "    shows: [txet]\n", "l.yml:10:13: 'shows': there is no input field 'txet', did you mean 'text'?\n" },
        { HEAD "    shows: [entails]\n",
          "l.yml:10:13: 'shows': there is no input field 'entails', did you mean 'judge.entails'?\n" },
        { HEAD "    shows: [text, text]\n", "l.yml:10:19: 'shows' names 'text' twice\n" },
        { HEAD "    shows: [judge.entials]\n",
          "l.yml:10:13: 'shows': station 'judge' has no field 'entials', did you mean 'entails'?\n" },
        { HEAD "    shows: [jugde.entails]\n",
          "l.yml:10:13: 'shows': 'jugde.entails': there is no station 'jugde', did you mean 'judge'?\n" },
        { HEAD "    after: []\n    shows: [judge.entails]\n",
          "l.yml:11:13: 'shows': 'judge.entails' is not produced upstream of station 'check'\n" },
        { HEAD "    when: check.x == 1\n", "l.yml:10:5: 'when', column 1: station 'check' has no field 'x'\n" },
        { HEAD "    form: {fields: [{name: x, type: text}]}\n    when: check.x == 1\n",
          "l.yml:11:5: 'when', column 1: 'check.x' is not produced upstream of station 'check'\n" },
        { HEAD "    passes: []\n  - name: last\n    shows: [text]\n    when: judge.entails == \"yes\"\n",
          "l.yml:12:13: 'shows': 'text' is not passed on to station 'last'\n"
          "l.yml:13:5: 'when', column 1: 'judge.entails' is not passed on to station 'last'\n" },
        { HEAD "    shows: []\n  - name: last\n    shows: [text, judge.entails]\n", "" }, /* hidden, but handed on */
        { HEAD "    passes: [text]\n  - name: last\n    shows: [text]\n", "" },
        { HEAD
          "    form: {fields: [{name: x, type: text}]}\n    passes: [check.x]\n  - name: last\n    shows: [check.x]\n",
          "" },
        { HEAD "    passes: [nothing]\n", "l.yml:10:14: 'passes': there is no input field 'nothing'\n" },
        /* one path hands it on, the other does not: it is there */
        { HEAD "    passes: []\n  - name: other\n    after: [judge]\n  - name: last\n    after: [check, other]\n    "
               "shows: [text, judge.entails]\n",
          "" },
        /* no second mistake where the first one hides the field */
        { HEAD "    form: {fields: 5}\n  - name: last\n    when: check.x == 1\n",
          "l.yml:10:12: 'fields' must be a list of maps, not a number\n" },
        { HEAD "    type: wrok\n  - name: last\n    when: check.x == 1\n",
          "l.yml:10:5: unknown type 'wrok', did you mean 'work'?\n" },
        { HEAD "    type: tournament\n    form: {fields: [{name: t, type: text}]}\n    contestants: 2\n    jury: {max: "
               "1, ties: "
               "first}\n  - name: last\n    when: check.x == 1 and check.jury == 1 and check.jury.t == 1\n",
          "l.yml:15:5: 'when', column 1: station 'check' has no field 'x'\n"
          "l.yml:15:5: 'when', column 18: station 'check' has no field 'jury'\n"
          "l.yml:15:5: 'when', column 38: 'check.jury.t': there is no station 'check.jury'\n" },
    };
    EXPECT(rows);
}

static void conditions_are_checked(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { HEAD "    when: text = 1\n", "l.yml:10:5: 'when', column 6: '=' does not compare: write ==\n" },
        { HEAD "    when: text <> 1\n", "l.yml:10:5: 'when', column 6: '<>' is written !=\n" },
        { HEAD "    when: text == 1 && text == 2\n", "l.yml:10:5: 'when', column 11: '&&' is written and\n" },
        { HEAD "    when: text == 1 || text == 2\n", "l.yml:10:5: 'when', column 11: '||' is written or\n" },
        { HEAD "    when: \"! text\"\n", "l.yml:10:5: 'when', column 1: '!' is written not\n" },
        { HEAD "    when: \"\"\n", "l.yml:10:5: 'when', column 1: the condition ends where a value should stand\n" },
        { HEAD "    when: text ==\n", "l.yml:10:5: 'when', column 8: the condition ends where a value should stand\n" },
        { HEAD "    when: text == and\n", "l.yml:10:5: 'when', column 9: a value should stand here\n" },
        { HEAD "    when: (text == 1\n", "l.yml:10:5: 'when', column 1: this parenthesis is not closed\n" },
        { HEAD "    when: text == 1)\n", "l.yml:10:5: 'when', column 10: this parenthesis was never opened\n" },
        { HEAD "    when: text == 1 text\n",
          "l.yml:10:5: 'when', column 11: and, or, or a comparison is missing before this\n" },
        { HEAD "    when: text == 1 not text\n", "l.yml:10:5: 'when', column 11: and or or is missing before this\n" },
        { HEAD "    when: text < 1 < 2\n",
          "l.yml:10:5: 'when', column 10: comparisons do not chain: join two with and\n" },
        { HEAD "    when: (text == 1) == true\n",
          "l.yml:10:5: 'when', column 13: only values can be compared, not conditions\n" },
        { HEAD "    when: 1\n",
          "l.yml:10:5: 'when', column 1: a value alone is no condition: compare it with another\n" },
        { HEAD "    when: text < null\n", "l.yml:10:5: 'when', column 1: null can only be compared with == and !=\n" },
        { HEAD "    when: text == \"a\n", "l.yml:10:5: 'when', column 9: the closing quote is missing\n" },
        { HEAD "    when: text == -x\n", "l.yml:10:5: 'when', column 9: this is neither a number nor a name\n" },
        { HEAD "    when: \"text == '\xc3\xa4\xc3\xb6' ?\"\n",
          "l.yml:10:5: 'when', column 14: this character has no meaning here\n" },
        { HEAD "    when: judge.entails == \"yse\"\n",
          "l.yml:10:5: 'when', column 18: 'yse' is no option of 'judge.entails', did you mean 'yes'?\n" },
        { HEAD "    when: a == 1 and b == 2\n", "l.yml:10:5: 'when', column 1: there is no input field "
                                                "'a'\nl.yml:10:5: 'when', column 12: there is no input field 'b'\n" },
        { FIELD("{name: c, type: check_box, options: [x]}") "  - name: t\n    when: s.c == \"x\"\n",
          "l.yml:10:5: 'when', column 8: a check_box holds a list: it can only be compared with null\n" },
        { FIELD("{name: c, type: check_box, options: [x]}") "  - name: t\n    when: s.c != null\n", "" },
    };
    EXPECT(rows);
}

static void all_mistakes_come_in_the_order_of_the_file(void **state)
{
    (void)state;
    expect_problems(
        "lnie: a\n"
        "line: a b\n"
        "input:\n"
        "  - {name: t, type: tekst}\n"
        "stations:\n"
        "  - name: one\n"
        "    after: [three]\n"
        "    when: u == 1\n"
        "    reward: 1\n"
        "    reward: 1\n"
        "  - name: two\n"
        "    lease: never\n",
        "l.yml:1:1: unknown key 'lnie', did you mean 'line'?\n"
        "l.yml:2:1: 'line' 'a b': a name is 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit\n"
        "l.yml:4:15: unknown type 'tekst', did you mean 'text'?\n"
        "l.yml:7:13: 'after' names 'three', but there is no such station\n"
        "l.yml:8:5: 'when', column 1: there is no input field 'u'\n"
        "l.yml:10:5: duplicate key 'reward' (first in line 9)\n"
        "l.yml:12:5: 'lease' is 'never', but must be a duration such as 30s, 10m, 2h or 1d\n");
}

static void what_is_not_yaml_is_named_with_its_place(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "", "l.yml: the file is empty\n" },
        { "# nothing\n", "l.yml: the file is empty\n" },
        { "line: a\n\tinput: b\n", "l.yml:2:1: a tab must not stand here: YAML is indented with spaces\n" },
        { "line: [a\n", "l.yml:2:1: this is not YAML: did not find expected ',' or ']', while parsing a flow sequence "
                        "(begun at line 1)\n" },
        { "line: a\nb\n",
          "l.yml:3:1: this is not YAML: could not find expected ':', while scanning a simple key (begun at line 2)\n" },
        { "line: *x\n", "l.yml:1:7: this is not YAML: found undefined alias\n" },
        { "line: a\ntitle: caf\xe9\n", "l.yml:2:11: the file is not UTF-8 from here on\n" },
        { "line: a\ntitle: \xc3\xa9\xc3", "l.yml:2:9: the file is not UTF-8 from here on\n" },
        { "line: a\ntitle: \x01\n", "l.yml:2:8: this is not YAML: control characters are not allowed\n" },
        { HEAD "---\nline: b\n", "l.yml:10:1: a second document begins here: a line file holds one\n" },
        { HEAD "    title: !mine x\n", "l.yml:10:12: tag '!mine' means nothing here\n" },
    };
    EXPECT(rows);
}

static void aliases_work_and_cannot_blow_up(void **state)
{
    (void)state;
    expect_problems("line: a\ninput:\n  - {name: i, type: text}\nstations:\n"
                    "  - name: a\n    form: &f {fields: [{name: x, type: text}]}\n  - name: b\n    form: *f\n",
                    "");
    /* nine in nine in nine ...: 9^9 texts, were they followed to the end */
    char bomb[2048];
    size_t n = (size_t)snprintf(bomb, sizeof bomb, "line: a\nx0: &x0 [lol,lol,lol,lol,lol,lol,lol,lol,lol]\n");
    for (int i = 1; i < 9; i++) {
        n += (size_t)snprintf(bomb + n, sizeof bomb - n, "x%d: &x%d [", i, i);
        for (int k = 0; k < 9; k++)
            n += (size_t)snprintf(bomb + n, sizeof bomb - n, "%s*x%d", k ? "," : "", i - 1);
        n += (size_t)snprintf(bomb + n, sizeof bomb - n, "]\n");
    }
    expect_problems(bomb, "l.yml:1:1: the definition is larger than 131072 bytes\n");
    expect_problems("line: &l [*l]\n", "l.yml:1:7: lists and maps are nested too deeply\n");
}

static void sizes_are_bounded(void **state)
{
    (void)state;
    size_t n = LINEFILE_BYTES_MAX + 1;
    char *big = malloc(n);
    memset(big, '#', n);
    struct linefile *f = linefile_parse("l.yml", big, n);
    assert_string_equal(linefile_problem(f, 0), "l.yml: the file is larger than 1 MiB");
    linefile_free(&f);
    memcpy(big, "line: a\ntitle: ", 15);
    memset(big + 15, 'x', SL_LINE_BYTES_MAX);
    f = linefile_parse("l.yml", big, SL_LINE_BYTES_MAX + 15);
    assert_int_equal(linefile_check(f), 1);
    assert_string_equal(linefile_problem(f, 0), "l.yml:1:1: the definition is larger than 131072 bytes");
    assert_int_equal(linefile_packed(f).n, 0);
    linefile_free(&f);
    n = 0;
    for (int i = 0; i < 257; i++)
        n += (size_t)sprintf(big + n, "k%d: 1\n", i);
    f = linefile_parse("l.yml", big, n);
    assert_string_equal(linefile_problem(f, 0), "l.yml:1:1: a map has more than 256 keys");
    linefile_free(&f);
    free(big);
}

static void unquoted_scalars_are_texts_where_texts_are_wanted(void **state)
{
    (void)state;
    struct ld_line *l =
        good_line("line: 5\ntitle: true\ninput:\n  - {name: 1, type: text, label: 0x10}\nstations:\n"
                  "  - name: on\n    reward: 0.03\n    lease: 30\n    when: true\n    form:\n      fields:\n"
                  "        - {name: f, type: radio, options: [yes, no, 0, 1.50, null, ~, true]}\n");
    static const char *const options[] = { "yes", "no", "0", "1.50", "null", "~", "true" };
    assert_true(is(l->name, "5") && is(l->title, "true") && is(l->inputs[0].name, "1") &&
                is(l->inputs[0].label, "0x10"));
    const struct ld_station *s = &l->stations[0];
    assert_true(is(s->name, "on"));
    assert_int_equal(s->reward_micros, 30000);
    assert_int_equal(s->lease_us, 30000000);
    assert_int_equal(s->fields[0].option_count, 7);
    for (uint32_t i = 0; i < 7; i++)
        assert_true(is(s->fields[0].options[i], options[i]));
    ld_free(&l);
}

static void numbers_and_booleans_keep_the_core_schema(void **state)
{
    (void)state;
    struct ld_line *l = good_line(
        "line: a\ninput:\n  - {name: i, type: number, min: -12, max: 1.5e3, required: True}\n"
        "  - {name: j, type: number, min: 0.1, max: 18446744073709551616}\nstations:\n  - {name: s, attempts: 0x10}\n");
    assert_true(l->inputs[0].required && !l->inputs[1].required);
    assert_true(l->inputs[0].min == -12 && l->inputs[0].max == 1500);
    assert_true(l->inputs[1].min == 0.1 && l->inputs[1].max == 18446744073709551616.0);
    assert_int_equal(l->stations[0].attempts, 16);
    ld_free(&l);
}

static void a_problem_of_the_broker_gets_the_same_place(void **state)
{
    (void)state;
    char buf[256];
    struct linefile *f = linefile_parse("l.yml", HEAD "    a.b[0]: 1\n", sizeof(HEAD "    a.b[0]: 1\n") - 1);
    static const struct {
        const char *path;
        const char *shown;
    } rows[] = {
        { "stations[0].form.fields[0].type", "l.yml:8:27: no" },
        { "stations[0].form.fields[0].options[1]", "l.yml:8:55: no" },
        { "stations[1]", "l.yml:9:5: no" },
        { "stations[1].a.b[0]", "l.yml:10:5: no" },
        { "stations[1].missing", "l.yml:9:5: no" },
        { "stations[7].name", "l.yml:4:1: no" },
        { "stations[99999999999999999999]", "l.yml:4:1: no" },
        { "", "l.yml:1:1: no" },
        { "..[[", "l.yml:1:1: no" },
        { "stations[", "l.yml:4:1: no" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slp_bytes path = { rows[i].path, (uint32_t)strlen(rows[i].path) }, text = { "no", 2 };
        assert_string_equal(linefile_place(f, path, text, buf, sizeof buf), rows[i].shown);
    }
    linefile_free(&f);
}

static void a_file_is_read_from_disk(void **state)
{
    (void)state;
    char path[] = "/tmp/linefile-XXXXXX", shown[64];
    int fd = mkstemp(path);
    assert_int_equal(write(fd, HEAD, sizeof HEAD - 1), sizeof HEAD - 1);
    close(fd);
    struct linefile *f = linefile_read(path);
    assert_int_equal(linefile_check(f), 0);
    assert_int_equal(linefile_check(f), 0); /* a second time: the same answer */
    assert_non_null(linefile_line(f));
    linefile_free(&f);
    unlink(path);
    f = linefile_read(path);
    snprintf(shown, sizeof shown, "%s: cannot be read: No such file or directory", path);
    assert_string_equal(linefile_problem(f, 0), shown);
    assert_int_equal(linefile_check(f), 1);
    linefile_free(&f);
    f = linefile_read("/tmp");
    assert_string_equal(linefile_problem(f, 0), "/tmp: cannot be read: Is a directory");
    linefile_free(&f);
    linefile_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_file_has_no_problems),
        cmocka_unit_test(keys_are_checked),
        cmocka_unit_test(copies_and_agreement_are_checked),
        cmocka_unit_test(types_of_values_are_checked),
        cmocka_unit_test(durations_and_money_are_checked),
        cmocka_unit_test(fields_are_checked),
        cmocka_unit_test(the_graph_is_checked),
        cmocka_unit_test(visibility_is_checked),
        cmocka_unit_test(conditions_are_checked),
        cmocka_unit_test(all_mistakes_come_in_the_order_of_the_file),
        cmocka_unit_test(what_is_not_yaml_is_named_with_its_place),
        cmocka_unit_test(aliases_work_and_cannot_blow_up),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(unquoted_scalars_are_texts_where_texts_are_wanted),
        cmocka_unit_test(numbers_and_booleans_keep_the_core_schema),
        cmocka_unit_test(a_problem_of_the_broker_gets_the_same_place),
        cmocka_unit_test(a_file_is_read_from_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
