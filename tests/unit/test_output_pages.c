/* A line may hand out so many fields of such names that their names alone fill most of a frame: a page of output is a frame all the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proto/reader.h"
#include "tests/lib/engine_world.h"

enum { STATIONS = 10, FIELDS = 120, UNITS = 150 };

static void a_page_of_a_line_with_many_long_names_fits_a_frame(void **state)
{
    (void)state;
    static char yaml[1 << 18];
    size_t n = (size_t)sprintf(yaml, "line: two\ninput:\n  - {name: text, type: text, required: true}\nstations:\n");
    for (int i = 0; i < STATIONS; i++) {
        n += (size_t)sprintf(yaml + n, "  - name: s%058d\n    form: {fields: [", i);
        for (int k = 0; k < FIELDS; k++)
            n += (size_t)sprintf(yaml + n, "%s{name: f%058d, type: short_answer}", k ? ", " : "", k);
        n += (size_t)sprintf(yaml + n, "]}\n");
    }
    struct world_scene s;
    world_scene(&s, yaml, 1, 0);
    world_put(&s.w, s.run, UNITS);
    struct slp_output_get q = { .run = world_str("r"), .all_units = true };
    SLP_SET(&q, output_get, all_units);
    unsigned rows = 0;
    for (bool more = true; more;) {
        struct slp_msg *m = world_read(&s.w, SLP_OUTPUT_GET, &q);
        assert_int_equal(m->type, SLP_OUTPUT);
        assert_true(m->u.output.rows.count > 0);
        rows += m->u.output.rows.count;
        more = m->u.output.more;
        q.after_unit = m->u.output.next_after;
        SLP_SET(&q, output_get, after_unit);
    }
    assert_int_equal(rows, UNITS);
    world_end(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_page_of_a_line_with_many_long_names_fits_a_frame) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
