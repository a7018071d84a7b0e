/* The store's own check, as `sunline check` asks for it: each record with what it cites, and the counters of each run against a recount. In a store that
 * nobody damaged it must find nothing. */
#include <inttypes.h>

#include "proto/reader.h"
#include "tests/sim/sim.h"

#define STATES 9
#define AT_MAX 160 /* of a place to go on from */

struct sum { /* of a run that may come in several pieces */
    uint64_t run, units, unit[4], unit_kept[5], counted[STATIONS_MAX][STATES], kept[STATIONS_MAX][STATES];
};

static void numbers(struct sim *s, struct slr *r, uint64_t *v, uint32_t n, bool add)
{
    struct slr_value list, x;
    CHECK(s, slr_next(r, &list) == 0 && list.type == SLR_ARRAY && list.n == n);
    for (uint32_t i = 0; i < n; i++) {
        CHECK(s, slr_next(r, &x) == 0 && x.type == SLR_U64);
        v[i] = x.u64 + (add ? v[i] : 0);
    }
}

static void add_piece(struct sim *s, struct sum *sum, struct slp_bytes row)
{
    struct slr r = slr_on(row.p, row.n);
    struct slr_value list, run, name, last_event, first, counted;
    CHECK(s, slr_next(&r, &list) == 0 && list.type == SLR_ARRAY && !slr_next(&r, &run) && !slr_next(&r, &name) &&
                 !slr_next(&r, &last_event) && !slr_next(&r, &first) && !slr_next(&r, &counted));
    if (first.u64 == 1)
        *sum = (struct sum){ .run = run.u64 };
    CHECK(s, sum->run == run.u64);
    sum->units += counted.u64;
    numbers(s, &r, sum->unit, 4, true);
    numbers(s, &r, sum->unit_kept, 5, false);
    CHECK(s, slr_next(&r, &list) == 0 && list.type == SLR_ARRAY && list.n <= STATIONS_MAX);
    for (uint32_t i = 0; i < list.n; i++) {
        struct slr_value station;
        CHECK(s, slr_next(&r, &station) == 0 && station.n == 3 && !slr_next(&r, &name));
        numbers(s, &r, sum->counted[i], STATES, true);
        numbers(s, &r, sum->kept[i], STATES, false);
    }
}

static void tell(struct sim *s, bool recount, const char *text)
{
    checker_feed(s->checker, &(struct fact){ .kind = FACT_DAMAGE, .flag = recount, .text = text });
}

static void compare(struct sim *s, const struct sum *sum)
{
    char text[100];
    snprintf(text, sizeof text, "run %" PRIu64, sum->run);
    if (sum->units != sum->unit_kept[0] || memcmp(sum->unit, sum->unit_kept + 1, sizeof sum->unit) ||
        memcmp(sum->counted, sum->kept, sizeof sum->kept))
        tell(s, true, text);
}

static void count(struct sim *s, struct sum *sum, struct slp_bytes row)
{
    struct slr r = slr_on(row.p, row.n);
    struct slr_value list, run;
    CHECK(s, slr_next(&r, &list) == 0 && slr_next(&r, &run) == 0);
    if (sum->run && sum->run != run.u64)
        compare(s, sum);
    add_piece(s, sum, row);
}

typedef const struct slp_msg *asked(struct sim *s, uint64_t type, const void *any);

/* Each text that names damage, of the records or, with `recount`, of a recount. */
static void inspect(struct sim *s, bool recount, asked *ask, void (*each)(struct sim *s, const char *text))
{
    char at[AT_MAX], text[SL_TEXT_BYTES_MAX + 1];
    struct slp_check_get q = { .after = { at, 0 }, .recount = recount };
    struct sum sum = { .run = 0 };
    SLP_SET(&q, check_get, recount);
    do {
        const struct slp_msg *m = ask(s, SLP_CHECK_GET, &q);
        CHECK(s, m->type == SLP_CHECK && m->u.check.next.n <= sizeof at);
        struct slp_bytes next = m->u.check.next, x;
        for (struct slp_cursor c = slp_each(m->u.check.damage); slp_next_str(&c, &x);) {
            snprintf(text, sizeof text, "%.*s", (int)x.n, x.p);
            each(s, text);
        }
        for (struct slp_cursor c = slp_each(m->u.check.counts); slp_next_raw(&c, &x);)
            count(s, &sum, x);
        if (next.n)
            memcpy(at, next.p, next.n);
        q.after.n = next.n;
        SLP_SET(&q, check_get, after);
    } while (q.after.n);
    if (sum.run)
        compare(s, &sum);
}

static void of_a_record(struct sim *s, const char *text)
{
    tell(s, false, text);
}

static void of_a_recount(struct sim *s, const char *text)
{
    tell(s, true, text);
}

void sim_damage(struct sim *s, void (*each)(struct sim *s, const char *text))
{
    inspect(s, false, server_page, each);
}

void sim_inspect(struct sim *s)
{
    server_lands(s);
    inspect(s, false, server_read, of_a_record);
    inspect(s, true, server_read, of_a_recount);
}
