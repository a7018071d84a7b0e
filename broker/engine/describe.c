/* What a record belongs to, told from its key alone: for damage, whose value is not to be trusted. */
#include <inttypes.h>
#include <stdio.h>

#include "broker/engine/engine.h"
#include "broker/engine/records.h"

/* Numbers of a key, from left to right; 0 where the key is too short. */
struct walk {
    const uint8_t *p;
    size_t n;
};

static uint32_t next_u32(struct walk *w)
{
    if (w->n < 4) {
        w->n = 0;
        return 0;
    }
    uint32_t v = key_get_u32(w->p);
    w->p += 4;
    w->n -= 4;
    return v;
}

static uint64_t next_u64(struct walk *w)
{
    uint64_t high = next_u32(w);
    return high << 32 | next_u32(w);
}

void engine_describe_key(enum store_table tb, const void *key, size_t n, char *text, size_t size)
{
    static const char *const name_kinds[] = { "?", "line", "run", "hub", "worker" };
    struct walk w = { key, n };
    const char *s = key;
    uint32_t a;
    switch (tb) {
    case TABLE_META: snprintf(text, size, "the store's own counters"); return;
    case TABLE_NAME:
        if (n && s[0] == NAME_SHIFT) { /* each hub has names of its own: its number stands before them */
            w = (struct walk){ w.p + 1, n - 1 };
            a = next_u32(&w);
            snprintf(text, size, "the name of a shift of hub %" PRIu32 ": '%.*s'", a, (int)w.n, (const char *)w.p);
            return;
        }
        snprintf(text, size, "the name of a %s: '%.*s'", n && s[0] >= 1 && s[0] <= 4 ? name_kinds[(unsigned)s[0]] : "?",
                 n ? (int)n - 1 : 0, s + 1);
        return;
    case TABLE_LINE:
        a = next_u32(&w);
        snprintf(text, size, "version %" PRIu32 " of line %" PRIu32, next_u32(&w), a);
        return;
    case TABLE_STATION: snprintf(text, size, "station %" PRIu32, next_u32(&w)); return;
    case TABLE_RUN:
        a = next_u32(&w);
        snprintf(text, size, "run %" PRIu32 "%s", a, w.n == 2 && (w.p[0] | w.p[1]) ? ": a station's counters" : "");
        return;
    case TABLE_HUB: snprintf(text, size, "hub %" PRIu32, next_u32(&w)); return;
    case TABLE_WORKER: snprintf(text, size, "worker %" PRIu32, next_u32(&w)); return;
    case TABLE_UNIT:
        a = next_u32(&w);
        snprintf(text, size, "the input values of run %" PRIu32 ", unit %" PRIu64 " and on", a, next_u64(&w));
        return;
    case TABLE_STATE:
        a = next_u32(&w);
        snprintf(text, size, "the states of units of run %" PRIu32 ", group %" PRIu64, a, next_u64(&w));
        return;
    case TABLE_READY:
        a = next_u32(&w);
        snprintf(text, size, "the queue of station %" PRIu32 ", run %" PRIu32, a, next_u32(&w));
        return;
    case TABLE_DELAY: snprintf(text, size, "tasks that wait until %" PRIu64 " us", next_u64(&w)); return;
    case TABLE_ASSIGN:
    case TABLE_LIVE: snprintf(text, size, "assignment %" PRIu64 " and on", next_u64(&w)); return;
    case TABLE_RESULT: snprintf(text, size, "result %" PRIu64 " and on", next_u64(&w)); return;
    case TABLE_EVENT: snprintf(text, size, "event %" PRIu64 " and on", next_u64(&w)); return;
    case TABLE_DEDUP: snprintf(text, size, "an idempotency key of run %" PRIu32, next_u32(&w)); return;
    case TABLE_PRODUCER: snprintf(text, size, "a numbered producer of run %" PRIu32, next_u32(&w)); return;
    case TABLE_HISTORY:
        a = next_u32(&w);
        snprintf(text, size, "the history of run %" PRIu32 ", unit %" PRIu64, a, next_u64(&w));
        return;
    case TABLE_DEAD:
        a = next_u32(&w);
        snprintf(text, size, "a dead task of station %" PRIu32 ", run %" PRIu32, a, next_u32(&w));
        return;
    case TABLE_SWEEP: snprintf(text, size, "mass operation %" PRIu64, next_u64(&w)); return;
    case TABLE_SHIFT: snprintf(text, size, "shift %" PRIu32, next_u32(&w)); return;
    case TABLE_DAY:
        a = next_u32(&w);
        if (a)
            snprintf(text, size, "what worker %" PRIu32 " has had in a day, station %" PRIu32, a, next_u32(&w));
        else
            snprintf(text, size, "when days begin in a zone of hub %" PRIu32, next_u32(&w));
        return;
    case TABLE_PACE: snprintf(text, size, "the usual time of station %" PRIu32, next_u32(&w)); return;
    case TABLE_REPUTE:
        a = next_u32(&w);
        snprintf(text, size, "what is measured of worker %" PRIu32 " at station %" PRIu32, a, next_u32(&w));
        return;
    case TABLE_ARRIVAL: snprintf(text, size, "the usual arrivals of line %" PRIu32, next_u32(&w)); return;
    case TABLE_PRESENCE: snprintf(text, size, "the presence at hub %" PRIu32, next_u32(&w)); return;
    case TABLE_GOLD:
        if (w.n && w.p[0] == 0)
            snprintf(text, size, "a control task that worker %" PRIu32 " has seen", (w.p++, w.n--, next_u32(&w)));
        else
            snprintf(text, size, "where the control tasks of run %" PRIu32 " are",
                     w.n ? (w.p++, w.n--, next_u32(&w)) : 0);
        return;
    case TABLE_SKILL:
        snprintf(text, size, "skills that the broker granted or lowered of worker %" PRIu32, next_u32(&w));
        return;
    default: snprintf(text, size, "nothing that this version knows");
    }
}
