/* CHECK_GET: looks after the store while it works, a bounded piece a request, but for the queues and the keys of a run, which are read whole when they are needed
 * (reader_queues.c, reader_runs.c). Records: every envelope's checksum, and whether what it refers to and implies is there (reader_refs.c), in the order of tables
 * and keys. Pages have no checksum: that the keys go on in order tells of one that is not where it belongs, and
 * so does their number, if no commit comes between; that a search comes to each, of the keys that lead searches from page to page. From a page that is not there the check goes on at the next table.
 * Recount: the states of a run's units, counted, beside the counters that are kept; a run of many units comes in several pieces, which belong
 * together as long as the run's last event is the same. */
#include <stdio.h>

#include "broker/engine/reader.h"
#include "proto/utf8.h"

#define RECORDS_MAX 5000
#define LOOKS_MAX 20000 /* at records that others refer to */
#define GROUPS_MAX                                                                                                     \
    32768 /* of at least 16 units where a line is short: a run of half a million is one piece, in some 50 ms */
#define NEXT_BYTES_MAX 160 /* the longest keys are those of DEDUP */
#define DAMAGE_MAX 100     /* named in one answer, ... */
#define DAMAGE_AT_ONCE_MAX                                                                                             \
    2000 /* ... or so many, where a search finds none of those behind them. Then the table is given up */

/* ---- records ---- */

/* said: what is wrong, in words that follow what the record is; "": its checksum. */
static void damage_add(struct slp_buf *b, enum store_table tb, const struct store_val *key, const char *said,
                       const char *vain, uint32_t *n)
{
    char text[SL_TEXT_BYTES_MAX + 1], what[256], hex[2 * 40 + 1] = "";
    const uint8_t *k = key->p;
    engine_describe_key(tb, key->p, key->n, what, sizeof what);
    for (size_t i = 0; i < key->n && i < 40; i++)
        snprintf(hex + 2 * i, 3, "%02x", k[i]);
    snprintf(text, sizeof text, "%s %s: %s%s%s", store_table_name(tb), hex, what, said, vain);
    slp_pack_str(b, text, sl_utf8_cut(text, strlen(text))); /* a damaged key may hold anything */
    (*n)++;
}

static void table_damaged(struct slp_buf *b, enum store_table tb, uint32_t *n)
{
    char text[100];
    int len =
        snprintf(text, sizeof text, "%s: records are missing, or too many, or cannot be walked", store_table_name(tb));
    slp_pack_str(b, text, (size_t)len);
    (*n)++;
}

static uint32_t piece_max(const struct slp_msg *m, uint32_t most)
{
    uint64_t wanted = SLP_IS(&m->u.check_get, check_get, limit) ? m->u.check_get.limit : 0;
    return wanted && wanted < most ? (uint32_t)wanted : most;
}

/* How many records of the table were walked before this one, if it is known: none, or those of the portions before, if none was left out and no commit came between. */
static bool walked_before(struct reader *r, enum store_table tb, const uint8_t *at, size_t at_n, uint64_t commit,
                          uint64_t *records)
{
    const struct rd_walk *w = &r->walk;
    *records = at_n ? w->records : 0;
    return !at_n || (w->tb == tb && w->commit == commit && w->at_n == at_n && !memcmp(w->at, at, at_n));
}

/* All that is wrong with the record on which the cursor stands. Returns how many records were looked at for it. */
static uint32_t record_check(struct reader *r, const struct store_cursor *c, enum store_rc rc, uint32_t *damaged,
                             bool *found_again)
{
    char vain[200];
    *found_again = false;
    if (rc == STORE_CORRUPT) {
        damage_add(&r->b, c->tb, &c->key, "", "", damaged);
        return 0;
    }
    enum store_rc found = store_search_finds(c);
    *found_again = found == STORE_OK;
    if (found == STORE_CORRUPT)
        damage_add(&r->b, c->tb, &c->key, " is not found by its key", "", damaged);
    else
        rd_walked(r, found);
    uint32_t looked = rd_refs(r, c->tb, c->key, c->val, vain, sizeof vain);
    if (*vain)
        damage_add(&r->b, c->tb, &c->key, " refers to ", vain, damaged);
    return looked;
}

/* True: the table is at its end, or cannot be walked any further. */
static bool table_check(struct reader *r, enum store_table tb, uint8_t *at, size_t *at_n, uint32_t records_max,
                        struct slp_check *a)
{
    struct store_cursor c;
    uint32_t damaged = a->damage.count, looked = 0;
    bool full = false, found_again = true;
    uint64_t entries, commit, records;
    enum store_rc rc = store_count(r->t, tb, &entries, &commit);
    bool counted = walked_before(r, tb, at, *at_n, commit, &records) && rc == STORE_OK;
    rc = rc ? rc : store_cursor_open(r->t, tb, &c);
    if (rc) { /* nothing to close */
        if (rc == STORE_CORRUPT)
            table_damaged(&r->b, tb, &a->damage.count);
        else
            rd_walked(r, rc);
        return true;
    }
    for (rc = store_seek_behind(&c, at, *at_n); rc == STORE_OK || (rc == STORE_CORRUPT && c.key.n);
         rc = store_next(&c)) {
        if (found_again && (a->records >= records_max || damaged >= DAMAGE_MAX || looked > LOOKS_MAX)) {
            full = true; /* also before the first one, where the table before this one was given up */
            break;
        }
        if (damaged >= DAMAGE_AT_ONCE_MAX || r->b.n > PAGE_BYTES_MAX) {
            rc = STORE_CORRUPT;
            break;
        }
        if (c.astray) { /* it could go round for ever */
            damage_add(&r->b, tb, &c.key, " is out of order", "", &damaged);
            break;
        }
        looked += record_check(r, &c, rc, &damaged, &found_again);
        if (r->rc)
            break;
        a->records++;
        records++;
        if (c.key.n <
            NEXT_BYTES_MAX - 1) { /* else not one of ours, as its checksum has told: go on from the one before it */
            memcpy(at, c.key.p, c.key.n);
            *at_n = c.key.n;
        }
        if (store_broken(
                r->t)) { /* what this one refers to led to a page that is not there: the next portion goes on */
            full = true;
            break;
        }
    }
    if (!full && !r->rc && (rc == STORE_CORRUPT || (rc == STORE_NOT_FOUND && counted && records != entries)))
        table_damaged(&r->b, tb, &damaged);
    else if (!full && rc != STORE_OK && rc != STORE_CORRUPT)
        rd_walked(r, rc);
    store_cursor_close(&c);
    r->walk = (struct rd_walk){ .tb = (uint8_t)tb, .at_n = *at_n, .commit = counted ? commit : 0, .records = records };
    memcpy(r->walk.at, at, *at_n);
    a->damage.count = damaged;
    return !full;
}

/* What was kept from one portion to the next. */
static void check_ends(struct reader *r)
{
    rd_queues_free(r);
    rd_keys_free(r);
    rd_station_keys_free(r);
}

static int check_records(struct reader *r, const struct slp_msg *m, struct slp_buf *out, uint8_t *next, size_t at_n,
                         struct slp_check *a)
{
    uint32_t tb = next[0];
    if (tb >= STORE_TABLE_COUNT)
        return rd_refuse(out, m->id, SLP_E_BAD_VALUE, "after", "that is no `next` of a check");
    while (tb < STORE_TABLE_COUNT && !r->rc &&
           table_check(r, (enum store_table)tb, next + 1, &at_n, piece_max(m, RECORDS_MAX), a)) {
        tb++;
        at_n = 0;
        if (store_broken(r->t)) /* the next table in another transaction */
            break;
    }
    if (r->rc)
        return -1;
    if (tb == STORE_TABLE_COUNT)
        check_ends(r);
    if (tb < STORE_TABLE_COUNT) {
        next[0] = (uint8_t)tb;
        a->next = (struct slp_bytes){ (const char *)next, (uint32_t)at_n + 1 };
        SLP_SET(a, check, next);
    }
    a->damage = (struct slp_list){ r->b.p, (uint32_t)r->b.n, a->damage.count };
    SLP_SET(a, check, damage);
    return r->b.failed ? -1 : rd_reply(out, SLP_CHECK, m->id, a);
}

/* ---- recount ---- */

struct tally {
    uint64_t unit[UNIT_CANCELLED + 1], dead, units;
    uint64_t task[SL_LINE_STATIONS_MAX][TASK_STATES];
};

/* Count the groups of a run from `group` on, at most so many. Returns the next group, 0 at the end. */
static uint64_t tally_run(struct reader *r, const struct rd_run *run, uint64_t group, uint32_t groups_max,
                          struct tally *t, uint64_t *records)
{
    uint8_t k[12];
    struct store_cursor c;
    uint64_t next = 0;
    uint32_t stations = run->lv->station_count, looked = 0;
    key_u64(key_u32(k, run->id), group);
    enum store_rc rc = store_cursor_open(r->t, TABLE_STATE, &c);
    for (rc = rc ? rc : store_seek(&c, k, sizeof k); rc == STORE_OK && c.key.n == sizeof k && !memcmp(c.key.p, k, 4);
         rc = store_next(&c)) {
        uint64_t no = key_get_u64((const uint8_t *)c.key.p + 4);
        if (looked++ == groups_max) {
            next = no;
            break;
        }
        struct rdr rd = rdr_on(c.val.p, c.val.n);
        (*records)++;
        for (uint64_t u = (no << run->shift) + 1; u <= run->units && rd.p < rd.end; u++) {
            const uint8_t *h = rdr_bytes(&rd, STATE_UNIT_BYTES + STATE_STATION_BYTES * stations);
            if (!h || h[0] > UNIT_CANCELLED) {
                r->rc = STORE_CORRUPT;
                break;
            }
            bool cancelled = run->state >= RUN_CANCELLED && h[0] == UNIT_OPEN, dead = false;
            t->units++;
            t->unit[cancelled ? UNIT_CANCELLED : h[0]]++;
            for (uint32_t i = 0; i < stations; i++) {
                uint8_t s = h[STATE_UNIT_BYTES + STATE_STATION_BYTES * i];
                if (s >= TASK_STATES) {
                    r->rc = STORE_CORRUPT;
                    break;
                }
                bool ended = cancelled && s != TASK_DONE && s != TASK_SKIPPED;
                dead = dead || (s == TASK_DEAD && !ended);
                t->task[i][ended ? TASK_ENDED : s]++;
            }
            t->dead += dead;
        }
    }
    rd_walked(r, rc);
    store_cursor_close(&c);
    return next;
}

static void pack_all(struct slp_buf *b, const uint64_t *v, uint32_t n)
{
    slp_pack_array(b, n);
    for (uint32_t i = 0; i < n; i++)
        slp_pack_u64(b, v[i]);
}

/* The station's counters as they are kept. */
static void kept(struct reader *r, const struct rd_run *run, uint32_t idx, uint64_t v[TASK_STATES])
{
    uint8_t k[6];
    struct store_val val;
    key_u32(k, run->id);
    k[4] = (uint8_t)((idx + 1) >> 8);
    k[5] = (uint8_t)(idx + 1);
    enum store_rc rc = store_get(r->t, TABLE_RUN, k, sizeof k, &val);
    if (rc != STORE_OK) {
        r->rc = rc == STORE_NOT_FOUND ? STORE_CORRUPT : rc;
        return;
    }
    struct rdr rd = rdr_on(val.p, val.n);
    for (int i = 0; i < TASK_STATES; i++)
        v[i] = rdr_u64(&rd);
}

static void pack_counts(struct reader *r, const struct rd_run *run, uint64_t group, const struct tally *t)
{
    struct slp_buf *b = &r->b;
    slp_pack_array(b, 8);
    slp_pack_u64(b, run->id);
    slp_pack_cstr(b, run->name);
    slp_pack_u64(b, run->last_event);
    slp_pack_u64(b, (group << run->shift) + 1);
    slp_pack_u64(b, t->units);
    pack_all(b, (const uint64_t[]){ t->unit[UNIT_DONE], t->unit[UNIT_DROPPED], t->unit[UNIT_CANCELLED], t->dead }, 4);
    pack_all(b, (const uint64_t[]){ run->units, run->done, run->dropped, run->cancelled, run->dead }, 5);
    slp_pack_array(b, run->lv->station_count);
    for (uint32_t i = 0; i < run->lv->station_count; i++) {
        uint64_t v[TASK_STATES] = { 0 };
        kept(r, run, i, v);
        slp_pack_array(b, 3);
        slp_pack_str(b, run->lv->stations[i].name.p, run->lv->stations[i].name.n);
        pack_all(b, t->task[i], TASK_STATES);
        pack_all(b, v, TASK_STATES);
    }
}

/* The first run from `id` on that is not being deleted; 0: none. */
static uint32_t run_from(struct reader *r, uint32_t id, struct rd_run *run)
{
    uint32_t found = 0;
    struct store_cursor c;
    uint8_t k[6] = { 0 };
    key_u32(k, id);
    enum store_rc rc = store_cursor_open(r->t, TABLE_RUN, &c);
    for (rc = rc ? rc : store_seek(&c, k, sizeof k); rc == STORE_OK && !found && !r->rc; rc = store_next(&c)) {
        const uint8_t *at = c.key.p;
        if (c.key.n == 6 && !(at[4] | at[5]) && rd_run_get(r, key_get_u32(at), run) && run->state != RUN_DELETING)
            found = run->id;
    }
    rd_walked(r, rc);
    store_cursor_close(&c);
    return found;
}

static int recount(struct reader *r, const struct slp_msg *m, struct slp_buf *out, uint8_t *next, size_t at_n,
                   struct slp_check *a)
{
    struct rd_run run;
    struct tally t = { .units = 0 };
    uint64_t group = at_n == 12 ? key_get_u64(next + 5) : 0;
    uint32_t wanted = at_n == 12 ? key_get_u32(next + 1) : 0, id = run_from(r, wanted, &run), count = 0;
    if (r->rc)
        return -1;
    if (id != wanted)
        group = 0;
    if (id) {
        uint64_t after = tally_run(r, &run, group, piece_max(m, GROUPS_MAX), &t, &a->records);
        pack_counts(r, &run, group, &t);
        count = 1;
        if (after || run_from(r, id + 1, &run)) {
            key_u64(key_u32(next + 1, after ? id : id + 1), after);
            a->next = (struct slp_bytes){ (const char *)next, 13 };
            SLP_SET(a, check, next);
        }
    }
    a->counts = (struct slp_list){ r->b.p, (uint32_t)r->b.n, count };
    SLP_SET(a, check, counts);
    return r->rc || r->b.failed ? -1 : rd_reply(out, SLP_CHECK, m->id, a);
}

int rd_check(struct reader *r, const struct slp_msg *m, struct slp_buf *out)
{
    const struct slp_check_get *q = &m->u.check_get;
    uint8_t next[NEXT_BYTES_MAX] = { 0 };
    struct slp_check a = { .seq = 0 };
    if (q->after.n > NEXT_BYTES_MAX - 1 || (q->after.n && q->recount && q->after.n != 13))
        return rd_refuse(out, m->id, SLP_E_BAD_VALUE, "after", "that is no `next` of a check");
    if (!q->after.n && !q->recount) /* another one may have been broken off */
        check_ends(r);
    if (q->after.n)
        memcpy(next, q->after.p, q->after.n);
    rd_oldest_event(r, &a.seq);
    if (r->rc == STORE_CORRUPT && !q->recount) /* named where it lies */
        r->rc = STORE_OK;
    slp_buf_clear(&r->b);
    size_t at_n = q->after.n ? q->after.n - 1 : 0;
    return q->recount ? recount(r, m, out, next, at_n, &a) : check_records(r, m, out, next, at_n, &a);
}
