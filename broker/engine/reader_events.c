/* Events for those who listen, and for those who were away: EVENTS_GET pages through EVENT, filtered by stream; reader_publish makes the frames of
 * what a batch has just committed. Both tell each stream's previous sequence, so that a filtered subscriber sees its own gaps. */
#include <stdio.h>
#include <stdlib.h>

#include "broker/engine/reader.h"

#define SEGMENTS_LOOKED_AT_MAX 20000 /* in one page of a filtered stream */
#define FRAME_EVENTS_BYTES_MAX                                                                                         \
    (32 * 1024)         /* of a published frame: what waits for a frozen subscriber is counted in frames */
#define STREAMS_MAX 512 /* streams that one batch can touch in one publication; more are told in another */
#define TOPIC_BYTES_MAX (SL_NAME_BYTES_MAX + 8)

enum stream_kind { STREAM_ALL, STREAM_LINE, STREAM_RUN, STREAM_HUB };

struct entry {             /* one event as it lies in a segment */
    uint64_t seq, prev[4]; /* previous sequence by stream kind */
    uint32_t id[4];
    struct slp_bytes item;
};

static bool entry_next(struct rdr *rd, uint64_t seq, struct entry *x)
{
    size_t n;
    x->seq = seq;
    x->id[STREAM_ALL] = 0;
    x->prev[STREAM_ALL] = seq - 1;
    for (int k = STREAM_LINE; k <= STREAM_HUB; k++)
        x->id[k] = rdr_u32(rd);
    for (int k = STREAM_LINE; k <= STREAM_HUB; k++)
        x->prev[k] = rdr_u64(rd);
    x->item.p = rdr_str(rd, &n);
    x->item.n = (uint32_t)n;
    return !rd->bad;
}

uint64_t rd_oldest_event(struct reader *r, uint64_t *last)
{
    struct store_val v;
    *last = 0;
    if (!rd_get(r, TABLE_META, META_KEY, sizeof META_KEY - 1, &v) || v.n < META_OLDEST_EVENT_AT + 8)
        return 1;
    *last = get_u64((const uint8_t *)v.p + META_EVENT_AT);
    return get_u64((const uint8_t *)v.p + META_OLDEST_EVENT_AT);
}

/* "all", "line/NAME", "run/NAME", "hub/NAME" */
static bool stream_parse(struct reader *r, struct slp_bytes s, enum stream_kind *kind, uint32_t *id)
{
    static const struct {
        const char *prefix;
        enum stream_kind kind;
        enum name_kind name;
    } kinds[] = { { "line/", STREAM_LINE, NAME_LINE },
                  { "run/", STREAM_RUN, NAME_RUN },
                  { "hub/", STREAM_HUB, NAME_HUB } };
    *kind = STREAM_ALL;
    *id = 0;
    if (s.n == 0 || (s.n == 3 && !memcmp(s.p, "all", 3)))
        return true;
    for (size_t i = 0; i < 3; i++) {
        uint32_t n = (uint32_t)strlen(kinds[i].prefix);
        if (s.n <= n || memcmp(s.p, kinds[i].prefix, n))
            continue;
        *kind = kinds[i].kind;
        *id = rd_name(r, kinds[i].name, (struct slp_bytes){ s.p + n, s.n - n });
        return *id != 0;
    }
    return false;
}

/* Events are gapless: a segment that begins behind `upto`, the first one that has not been met, says that a record is missing. So does the table's end before `last`. */
static void walk_on(struct reader *r, uint64_t seq, uint64_t upto)
{
    if (seq > upto)
        rd_walked(r, STORE_CORRUPT);
}

/* Open a cursor on the segment that holds `seq`; returns its first sequence, 0 if there is none. */
static uint64_t segment_seek(struct reader *r, uint64_t seq, struct store_cursor *c)
{
    uint8_t k[8];
    key_u64(k, seq);
    enum store_rc rc = store_cursor_open(r->t, TABLE_EVENT, c);
    if (rc == STORE_OK) {
        rc = store_seek_le(c, k, sizeof k);
        if (rc == STORE_NOT_FOUND)
            rc = store_seek(c, k, sizeof k);
    }
    if (rc == STORE_OK)
        return key_get_u64(c->key.p);
    rd_walked(r, rc);
    return 0;
}

int rd_events(struct reader *r, const struct slp_msg *m, struct slp_buf *out)
{
    const struct slp_events_get *q = &m->u.events_get;
    enum stream_kind kind;
    uint32_t id, rows = 0, looked = 0, limit = q->limit ? (uint32_t)q->limit : SL_PAGE_ITEMS_MAX;
    uint64_t last, oldest = rd_oldest_event(r, &last), since = q->since ? q->since : oldest;
    if (!stream_parse(r, q->stream, &kind, &id))
        return rd_refuse(out, m->id, SLP_E_NOT_FOUND, "stream",
                         "a stream is all, line/NAME, run/NAME or hub/NAME of something that is there");
    if (since < oldest ||
        since > last + 1) { /* beyond the end: who asks has seen more than this store knows, a backup */
        char text[96];
        if (since < oldest)
            snprintf(text, sizeof text, "the oldest event kept is %llu", (unsigned long long)oldest);
        else
            snprintf(text, sizeof text, "this store ends at event %llu: is it an older backup?",
                     (unsigned long long)last);
        struct slp_error gone = { .code = SLP_E_GONE,
                                  .retry = slp_error_retry(SLP_E_GONE),
                                  .text = { text, (uint32_t)strlen(text) },
                                  .oldest = oldest };
        SLP_SET(&gone, error, oldest);
        return rd_reply(out, SLP_ERROR, m->id, &gone);
    }
    struct slp_events a = { .stream = q->stream.n ? q->stream : (struct slp_bytes){ "all", 3 },
                            .prev_seq = since - 1,
                            .next_since = since };
    struct store_cursor c;
    bool full = false;
    enum store_rc rc = STORE_OK;
    slp_buf_clear(&r->b);
    uint64_t first = segment_seek(r, since, &c), upto = since;
    for (; first && rc == STORE_OK && !full && !r->rc; rc = store_next(&c)) {
        struct rdr rd = rdr_on(c.val.p, c.val.n);
        uint64_t seq = key_get_u64(c.key.p);
        uint16_t n = rdr_u16(&rd);
        if (looked++ == SEGMENTS_LOOKED_AT_MAX)
            break;
        walk_on(r, seq, upto);
        if (r->rc)
            break;
        for (uint16_t i = 0; i < n && !full; i++, seq++) {
            struct entry x;
            if (!entry_next(&rd, seq, &x)) {
                r->rc = STORE_CORRUPT;
                break;
            }
            if (seq < since)
                continue;
            if (kind != STREAM_ALL && x.id[kind] != id) {
                a.next_since = seq + 1;
                continue;
            }
            if (rows == limit || r->b.n + x.item.n > PAGE_BYTES_MAX) {
                full = true;
                break;
            }
            if (!rows++)
                a.prev_seq = x.prev[kind];
            slp_buf_add(&r->b, x.item.p, x.item.n);
            a.next_since = seq + 1;
        }
        upto = seq > upto ? seq : upto;
    }
    rd_walked(r, rc);
    if (!full && (!first || rc == STORE_NOT_FOUND))
        walk_on(r, last + 1, upto);
    store_cursor_close(&c);
    a.events = (struct slp_list){ r->b.p, (uint32_t)r->b.n, rows };
    a.more = a.next_since <= last;
    SLP_SET(&a, events, more);
    return r->b.failed ? -1 : rd_reply(out, SLP_EVENTS, m->id, &a);
}

/* ---- publication ---- */

struct stream {
    enum stream_kind kind;
    uint32_t id, rows;
    uint64_t prev, last;
    bool on;
    char topic[TOPIC_BYTES_MAX];
    struct slp_buf b;
};

static void stream_emit(struct reader *r, struct stream *s, void (*emit)(void *, const char *, const char *, size_t),
                        void *arg)
{
    struct slp_events a = { .stream = { s->topic, (uint32_t)strlen(s->topic) },
                            .prev_seq = s->prev,
                            .events = { s->b.p, (uint32_t)s->b.n, s->rows },
                            .next_since = s->last + 1 };
    if (!s->rows)
        return;
    slp_buf_clear(&r->b2);
    if (s->b.failed || slp_encode(&r->b2, SLP_EVENTS, 0, &a))
        r->rc = STORE_NO_MEMORY;
    else
        emit(arg, s->topic, r->b2.p, r->b2.n);
    s->rows = 0;
    slp_buf_clear(&s->b);
}

static struct stream *stream_for(struct reader *r, struct stream *v, uint32_t *n, enum stream_kind kind, uint32_t id,
                                 bool (*wanted)(void *, const char *), void *arg)
{
    static const char *const prefix[] = { "all", "line/", "run/", "hub/" };
    static const enum name_kind name_kind[] = { 0, NAME_LINE, NAME_RUN, NAME_HUB };
    for (uint32_t i = 0; i < *n; i++)
        if (v[i].kind == kind && v[i].id == id)
            return &v[i];
    if (*n == STREAMS_MAX)
        return NULL;
    struct stream *s = &v[(*n)++];
    struct slp_buf keep = s->b;
    *s = (struct stream){ .kind = kind, .id = id, .b = keep };
    slp_buf_clear(&s->b);
    struct slp_bytes name = kind == STREAM_ALL ? (struct slp_bytes){ "", 0 } : rd_name_of(r, name_kind[kind], id);
    snprintf(s->topic, sizeof s->topic, "%s%.*s", prefix[kind], (int)name.n, name.p);
    s->on = (kind == STREAM_ALL || name.n) && wanted(arg, s->topic);
    return s;
}

static void all_emit(struct reader *r, struct stream *v, uint32_t n,
                     void (*emit)(void *, const char *, const char *, size_t), void *arg)
{
    for (uint32_t i = 0; i < n; i++)
        stream_emit(r, &v[i], emit, arg);
}

void rd_streams_free(struct reader *r)
{
    for (uint32_t i = 0; r->stream && i < STREAMS_MAX; i++)
        slp_buf_free(&r->stream[i].b);
    free(r->stream);
}

int reader_publish(struct reader *r, uint64_t first, uint64_t last, bool (*wanted)(void *, const char *topic),
                   void (*emit)(void *, const char *topic, const char *body, size_t n), void *arg)
{
    struct store_cursor c;
    uint32_t n = 0;
    if (!r->stream && !(r->stream = calloc(STREAMS_MAX, sizeof *r->stream)))
        return -1;
    struct stream *v = r->stream;
    r->rc = store_begin_read(r->store, &r->t);
    if (r->rc)
        return -1;
    enum store_rc rc = STORE_OK;
    uint64_t newest, oldest = rd_oldest_event(r, &newest); /* what is no longer kept was not told in time */
    uint64_t at = segment_seek(r, first, &c), seq = at, upto = first > oldest ? first : oldest;
    for (; at && rc == STORE_OK && seq <= last && !r->rc; rc = store_next(&c)) {
        struct rdr rd = rdr_on(c.val.p, c.val.n);
        seq = key_get_u64(c.key.p);
        uint16_t count = rdr_u16(&rd);
        walk_on(r, seq, upto);
        for (uint16_t i = 0; i < count && !r->rc; i++, seq++) {
            struct entry x;
            if (!entry_next(&rd, seq, &x)) {
                r->rc = STORE_CORRUPT;
                break;
            }
            if (seq < first || seq > last)
                continue;
            for (int k = STREAM_ALL; k <= STREAM_HUB; k++) {
                if (k != STREAM_ALL && !x.id[k])
                    continue;
                struct stream *s = stream_for(r, v, &n, (enum stream_kind)k, x.id[k], wanted, arg);
                if (!s) { /* a batch of very many streams: tell what there is, begin again */
                    all_emit(r, v, n, emit, arg);
                    n = 0;
                    s = stream_for(r, v, &n, (enum stream_kind)k, x.id[k], wanted, arg);
                }
                if (!s->on)
                    continue;
                if (s->rows == SL_PAGE_ITEMS_MAX || s->b.n + x.item.n > FRAME_EVENTS_BYTES_MAX)
                    stream_emit(r, s, emit, arg);
                if (!s->rows++)
                    s->prev = x.prev[k];
                s->last = seq;
                slp_buf_add(&s->b, x.item.p, x.item.n);
            }
        }
        upto = seq > upto ? seq : upto;
    }
    rd_walked(r, rc);
    if (!at || rc == STORE_NOT_FOUND)
        walk_on(r, (last < newest ? last : newest) + 1, upto);
    store_cursor_close(&c);
    all_emit(r, v, n, emit, arg);
    store_abort(&r->t);
    return r->rc ? -1 : 0;
}
