/* What the tests of the client library share: a handle on the fake broker, rows whose value is their number, and a
 * tally of what came of them. Included once by each. */
#ifndef SUNLINE_TESTS_CLIENT_H
#define SUNLINE_TESTS_CLIENT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/sunline.h"
#include "tests/lib/fake_broker.h"

#define PRODUCER "producer-number1" /* 16 bytes */

static inline struct sl *opened(const struct fake *f, struct sl_options o)
{
    struct sl *sl;
    o.endpoint = f->endpoint;
    o.resend_ms = o.resend_ms ? o.resend_ms : 60;
    o.timeout_ms = o.timeout_ms ? o.timeout_ms : 20000;
    assert_int_equal(sl_open(&o, &sl), SL_OK);
    return sl;
}

static inline int with_fake(void **state)
{
    *state = fake_start();
    return 0;
}

static inline int without_fake(void **state)
{
    fake_end(*state);
    return 0;
}

static inline int64_t ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct tally {
    uint64_t next, ok, duplicate, bad, not_put, other, last_unit;
    int last_code;
    struct sl *sl;
    int inside;
};

static inline void tally(void *arg, const struct sl_put_result *r)
{
    struct tally *t = arg;
    assert_int_equal(r->number, t->next); /* in order, none left out, none twice */
    assert_int_equal(r->tag, r->number * 3);
    t->next++;
    t->last_code = r->code;
    if (r->code == SL_OK) {
        assert_true(r->unit > t->last_unit);
        t->last_unit = r->unit;
        t->ok++;
    } else if (r->code == SL_DUPLICATE) {
        t->duplicate++;
    } else if (r->code == SL_BAD_UNIT) {
        t->bad++;
    } else if (r->code == SL_NOT_PUT) {
        t->not_put++;
    } else {
        t->other++;
    }
    if (t->sl) {
        struct sl_info i;
        t->inside = sl_info(t->sl, &i);
    }
}

static inline struct sl_pipe *piped(struct sl *sl, struct tally *t, struct sl_pipe_options o)
{
    struct sl_pipe *p;
    *t = (struct tally){ .next = 1 };
    o.run_id = FAKE_RUN;
    o.on_row = tally;
    o.arg = t;
    assert_int_equal(sl_pipe_open(sl, &o, &p), SL_OK);
    return p;
}

/* Puts rows first..last, whose value and (with `keyed`) key are their number. Returns the first code that is not OK. */
static inline int put_rows(struct sl_pipe *p, uint64_t first, uint64_t last, bool keyed)
{
    struct sl_buf row = { 0 };
    char key[32];
    int rc = SL_OK;
    for (uint64_t i = first; i <= last && rc == SL_OK; i++) {
        sl_buf_clear(&row);
        sl_add_uint(&row, i);
        snprintf(key, sizeof key, "k%llu", (unsigned long long)i);
        rc = sl_pipe_put(p, &row, keyed ? key : NULL, i * 3);
    }
    sl_buf_free(&row);
    return rc;
}

/* Exactly the values 1..n, in order. */
static inline void units_are(struct fake *f, uint64_t n)
{
    assert_int_equal(atomic_load(&f->units), n);
    for (uint64_t i = 0; i < n; i++)
        assert_int_equal(f->unit_value[i], i + 1);
}

#endif
