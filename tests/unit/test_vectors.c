/* The vectors of proto/vectors/: what is valid is taken and written again to the byte, what is not is refused with the code and the place
 * that stand beside it. The Python client reads the same files (tests/integration/test_protocol_document.py). The head of each file says
 * what a line is. Run from the top of the tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/codec.h"
#include "tests/lib/codec_walk.h"

#define LINE_MAX 65536
static size_t unhex(const char *s, char *out)
{
    size_t n = 0;
    for (unsigned byte; sscanf(s, "%2x", &byte) == 1; s += 2)
        out[n++] = (char)byte;
    return n;
}

static unsigned ways_of(const char *s)
{
    static const struct {
        const char *name;
        unsigned way;
    } names[] = { { "C2B", SLP_C2B }, { "B2C", SLP_B2C }, { "A2B", SLP_A2B },
                  { "B2A", SLP_B2A }, { "B2M", SLP_B2M }, { "B2X", SLP_B2X } };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(s, names[i].name))
            return names[i].way;
    fail_msg("no direction %s", s);
    return 0;
}

/* Cut a line at " | "; returns how many parts. */
static int parts_of(char *line, char *parts[], int max)
{
    int n = 0;
    line[strcspn(line, "\n")] = 0;
    if (line[0] == '#' || line[0] == 0)
        return 0;
    for (char *next = line; next && n < max; n++) {
        parts[n] = next;
        if ((next = strstr(next, " | "))) {
            *next = 0;
            next += 3;
        }
    }
    return n;
}

static int each_vector(const char *path, int columns, void (*check)(char *parts[], const char *bytes, size_t n))
{
    static char line[LINE_MAX], bytes[LINE_MAX];
    FILE *f = fopen(path, "r");
    if (!f)
        fail_msg("cannot open %s: run this from the top of the tree", path);
    int count = 0;
    char *parts[6];
    while (fgets(line, sizeof line, f)) {
        int n = parts_of(line, parts, 6);
        if (n == 0)
            continue;
        assert_int_equal(n, columns);
        check(parts, bytes, unhex(parts[3], bytes));
        count++;
    }
    fclose(f);
    return count;
}

static uint8_t vector_seen[256];

static void check_valid(char *parts[], const char *bytes, size_t n)
{
    struct slp_msg m;
    struct slp_fault fault;
    if (slp_decode(bytes, n, ways_of(parts[0]), &m, &fault))
        fail_msg("%s: %s at %s", parts[5], slp_error_name(fault.code), fault.place);
    assert_string_equal(slp_info(m.type)->name, parts[1]);
    assert_int_equal(m.id, strtoull(parts[2], NULL, 10));
    vector_seen[m.type] = 1;
    struct slp_buf again = { 0 };
    walk_msg(&m, &again);
    if (!strstr(parts[5], "(not canonical)")) {
        assert_int_equal(again.n, n);
        assert_memory_equal(again.p, bytes, n);
    }
    slp_buf_free(&again);
}

static void check_invalid(char *parts[], const char *bytes, size_t n)
{
    struct slp_msg m;
    struct slp_fault fault;
    if (slp_decode(bytes, n, ways_of(parts[0]), &m, &fault) == 0)
        fail_msg("%s: was taken", parts[4]);
    if (strcmp(slp_error_name(fault.code), parts[1]) || strcmp(fault.place, parts[2]))
        fail_msg("%s: %s at '%s', not %s at '%s'", parts[4], slp_error_name(fault.code), fault.place, parts[1],
                 parts[2]);
    vector_seen[fault.code] = 1;
}

static void the_valid_vectors_are_taken_and_cover_every_message(void **state)
{
    (void)state;
    memset(vector_seen, 0, sizeof vector_seen);
    assert_true(each_vector("proto/vectors/valid.txt", 6, check_valid) >= 60);
    size_t count;
    const struct slp_msg_info *info = slp_info_all(&count);
    for (size_t i = 0; i < count; i++)
        if (!vector_seen[info[i].type])
            fail_msg("no vector for %s", info[i].name);
}

static void the_invalid_vectors_are_refused_and_cover_every_code_of_the_frame(void **state)
{
    (void)state;
    memset(vector_seen, 0, sizeof vector_seen);
    each_vector("proto/vectors/invalid.txt", 5, check_invalid);
    for (int code = SLP_E_MALFORMED; code <= SLP_E_DUPLICATE_KEY; code++)
        if (!vector_seen[code])
            fail_msg("no vector for %s", slp_error_name((uint64_t)code));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_valid_vectors_are_taken_and_cover_every_message),
        cmocka_unit_test(the_invalid_vectors_are_refused_and_cover_every_code_of_the_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
