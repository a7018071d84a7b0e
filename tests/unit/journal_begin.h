/* A person's task in the journal, begun. */
#ifndef TESTS_UNIT_JOURNAL_BEGIN_H
#define TESTS_UNIT_JOURNAL_BEGIN_H
#include "worker-agent/journal.h"

/* Of this station, whose form has no fields; `text` is what the task shows. */
static inline void journal_begin(struct journal *j, uint64_t assignment, uint64_t station, const char *text)
{
    struct slp_buf form = { 0 }, map = { 0 }, fields = { 0 };
    slp_pack_map(&map, 0);
    struct slp_form m = { .station_id = station, .line = { "l", 1 }, .version = 1, .station = { "s", 1 }, .form = { map.p, (uint32_t)map.n }, .lease_us = 1000000 };
    assert_int_equal(slp_encode(&form, SLP_FORM, 0, &m), 0);
    slp_pack_cstr(&fields, text);
    struct core_task t = { .assignment = assignment, .worker_no = 4, .station_id = station, .attempt = 2, .lease_us = 1000000, .fields = { fields.p, (uint32_t)fields.n, 1 } };
    assert_int_equal(journal_begun(j, &t, (struct slp_bytes){ form.p, (uint32_t)form.n }), 0);
    slp_buf_free(&form);
    slp_buf_free(&map);
    slp_buf_free(&fields);
}
#endif
