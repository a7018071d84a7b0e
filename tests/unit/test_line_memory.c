/* An allocation fails, anywhere in compiling a line or reading its file: an answer that nobody can take for a good line, and no leak. This
 * program has allocators of its own that fail on demand and count what is held. (Not with a sanitizer, which brings its own.) */
#include "tests/unit/alloc_sites.h"
#include "tests/unit/line_world.h"

#if defined(__SANITIZE_ADDRESS__)
#define OWN_ALLOCATORS 0
#elif defined(__has_feature)
#define OWN_ALLOCATORS (!__has_feature(address_sanitizer))
#else
#define OWN_ALLOCATORS 1
#endif

static const char good[] = "line: pairs\ninput:\n  - {name: text, type: text}\nstations:\n"
                           "  - name: judge\n    worker: {skills: {english: 2}}\n    form:\n      fields:\n"
                           "        - {name: entails, type: radio, options: [a, b]}\n"
                           "  - name: check\n    after: [judge]\n    when: judge.entails == 'a' and not text == null\n "
                           "   shows: [text]\n    passes: [text]\n";
static const char bad[] = "line: pairs\ninput:\n  - {name: text, type: txt}\nstations:\n  - {name: a, reward: x, "
                          "reward: 2, after: [b]}\n  - {name: b}\n";

/* What people who are measured, agree, review and compete need besides. */
static const char rich[] =
    "line: rich\ninput:\n  - {name: text, type: text}\nstations:\n"
    "  - name: label\n    worker: {skills: {law: 2}, only_hubs: [h], not_teams: [t], per_day: 5}\n"
    "    copies: {min: 2, max: 4}\n    agree: {on: [k], method: posterior, confidence: 0.9}\n"
    "    form: {fields: [{name: k, type: radio, options: [a, b]}]}\n    require: {agreement: '>= 0.5', after: 4}\n"
    "    gold: {every: 2, columns: [text, k], cells: [one, a, two, b], rules: [{below: 0.9, after: 1, do: lower, "
    "skill: law}]}\n"
    "  - name: write\n    after: []\n    window: {last: 40, within: 3d}\n"
    "    form: {fields: [{name: x, type: short_answer}, {name: c, type: check_box, options: [p, q]}]}\n"
    "    gold: {every: 3, columns: [text, x, c], cells: [one, A, 'p|q', two, '', p], match: [{field: x, ignore: [case, "
    "space]}],\n"
    "      rules: [{below: 0.5, after: 2, do: train, at: label, until: 0.9}]}\n"
    "  - name: check\n    type: improve\n    after: [write]\n    reasons: [wrong, short]\n    author: true\n    "
    "on_exhausted: more\n"
    "  - name: more\n    after: [check]\n    when: check.verdict == 'accept' and check.x != ''\n    worker: "
    "{not_who_did: [write]}\n"
    "  - name: pick\n    type: tournament\n    after: [label]\n    contestants: 3\n    jury: {max: 3, ties: first, "
    "title: T}\n"
    "    auto_judge: {equal: 2, on: [y], ignore: [case]}\n    form: {fields: [{name: y, type: short_answer}]}\n";

#if OWN_ALLOCATORS
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t each);
void *__libc_realloc(void *p, size_t n);
void __libc_free(void *p);

#define EXPORTED __attribute__((visibility("default"))) /* for the shared libraries, too */

static long left = -1; /* allocations until one fails, and all behind it; -1: never */
static long held;      /* allocations not freed, while counting */
static bool counting;

static bool fails(const void *site)
{
    if (!counting || left < 0 || left-- > 0)
        return false;
    left = 0;
    alloc_note(site);
    return true;
}

EXPORTED void *malloc(size_t n)
{
    void *p = fails(__builtin_return_address(0)) ? NULL : __libc_malloc(n);
    held += counting && p;
    return p;
}

EXPORTED void *calloc(size_t count, size_t each)
{
    void *p = fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, each);
    held += counting && p;
    return p;
}

EXPORTED void *realloc(void *old, size_t n)
{
    void *p = fails(__builtin_return_address(0)) ? NULL : __libc_realloc(old, n);
    held += counting && p && !old;
    return p;
}

EXPORTED void free(void *p)
{
    held -= counting && p;
    __libc_free(p);
}

static void begin(long fail_after)
{
    held = 0;
    left = fail_after;
    counting = true;
}

static void end(long tolerated)
{
    counting = false;
    assert_in_range(held, 0, tolerated);
}

static void counted(void *arg, const char *path, const char *text)
{
    (void)path;
    (void)text;
    ++*(size_t *)arg;
}

static void compiling_without_memory_gives_no_line(void **state)
{
    (void)state;
    const char *const texts[] = { good, bad, rich };
    for (int t = 0; t < 3; t++) {
        struct linefile *f = linefile_parse("l.yml", texts[t], strlen(texts[t]));
        struct slp_bytes packed = linefile_packed(f);
        long n = 0;
        for (bool done = false; !done; n++) {
            size_t problems = 0;
            begin(n);
            struct ld_line *l = ld_compile(packed.p, packed.n, counted, &problems);
            done = l || problems;
            assert_true(!l || (t != 1 && problems == 0));
            ld_free(&l);
            end(0);
        }
        assert_true(n > 3); /* it did fail a few times on the way */
        linefile_free(&f);
    }
}

/* A line takes memory in large pieces. A text in it that grows byte by byte moves what comes behind to another place in its piece, so that each thing is once the
 * one for which there is no other piece. */
static void memory_that_ends_at_any_place_of_a_line_gives_no_line(void **state)
{
    static const char before[] = "form: {fields: [{name: k,";
    static char text[sizeof rich + 20000];
    const char *at = strstr(rich, before);
    unsigned refused = 0;
    (void)state;
    assert_non_null(at);
    for (unsigned n = 1; n <= 16500; n += 16) {
        snprintf(text, sizeof text, "%.*sform: {instruction: x%0*d, fields: [{name: k,%s", (int)(at - rich), rich,
                 (int)n, 7, at + strlen(before));
        struct linefile *f = linefile_parse("l.yml", text, strlen(text));
        struct slp_bytes packed = linefile_packed(f);
        for (long pieces = 1; pieces <= 4; pieces++) {
            size_t problems = 0;
            begin(pieces);
            struct ld_line *l = ld_compile(packed.p, packed.n, counted, &problems);
            refused += !l;
            assert_true(!l || problems == 0);
            ld_free(&l);
            end(0);
        }
        linefile_free(&f);
    }
    assert_true(refused > 1000);
}

static void reading_a_file_without_memory_is_never_good(void **state)
{
    (void)state;
    const char *const texts[] = { good, bad };
    for (int t = 0; t < 2; t++) {
        long n = 0;
        for (bool done = false; !done; n++) {
            begin(n);
            struct linefile *f = linefile_parse("l.yml", texts[t], strlen(texts[t]));
            size_t problems = f ? linefile_check(f) : 1;
            counting = false;
            if (f) {
                assert_true((problems == 0) == (linefile_line(f) != NULL));
                assert_true(t == 0 || problems > 0);
                for (size_t i = 0; i < problems; i++)
                    assert_true(strlen(linefile_problem(f, i)) > 0);
            }
            done = f && left > 0; /* nothing failed any more */
            counting = true;
            linefile_free(&f);
            end(1); /* libyaml 0.2.5 loses the list of a node when its stack of nodes cannot grow */
        }
        assert_true(n > 30);
    }
}
#endif

static void both_texts_are_what_the_tests_take_them_for(void **state)
{
    (void)state;
    expect_problems(good, "");
    expect_problems(rich, "");
    struct linefile *f = linefile_parse("l.yml", bad, strlen(bad));
    assert_int_equal(linefile_check(f), 4);
    linefile_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_texts_are_what_the_tests_take_them_for),
#if OWN_ALLOCATORS
        cmocka_unit_test(compiling_without_memory_gives_no_line),
        cmocka_unit_test(memory_that_ends_at_any_place_of_a_line_gives_no_line),
        cmocka_unit_test(reading_a_file_without_memory_is_never_good),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
