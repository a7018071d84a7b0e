/* The inner half of a pipe: rows come in, callers wait. See pipe.h. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "client/pipe.h"

#define WINDOW_UNITS 16384
#define WINDOW_BYTES (8u << 20)
#define FRAME_UNITS 256
#define FRAME_BYTES (128u << 10)
#define FRAME_BYTES_MAX (240u << 10)
#define SPARE_FRAMES 16u /* kept for the next ones */
#define LOOK_US 100 /* how long a put that has room goes without looking for answers: each look costs system calls */

/* ---- frames ---- */

static struct frame *frame_new(uint32_t units)
{
    struct frame *f = calloc(1, sizeof *f);
    uint64_t *tags = malloc(units * sizeof *tags);
    if (!f || !tags) {
        free(f);
        free(tags);
        return NULL;
    }
    f->tags = tags;
    zmq_msg_init(&f->reply);
    return f;
}

static void frame_free(struct frame *f)
{
    if (!f)
        return;
    zmq_msg_close(&f->reply);
    slp_buf_free(&f->rows);
    slp_buf_free(&f->keys);
    free(f->tags);
    free(f);
}

static bool open_frame(struct sl_pipe *p, uint64_t no)
{
    struct frame **f = &p->ring[no & p->ring_mask];
    if (!*f)
        *f = frame_new(p->o.frame_units);
    if (!*f)
        return false;
    (*f)->state = FRAME_FILLING;
    (*f)->attempt = (*f)->part_attempt = 0;
    (*f)->done = (*f)->part = 0;
    (*f)->code = SL_OK;
    return true;
}

/* Left where it is, it would come into use again only after the whole ring has, and every place would own a frame by
 * then. */
void pipe_reuse(struct sl_pipe *p, uint64_t no)
{
    struct frame **at = &p->ring[no & p->ring_mask];
    struct frame *f = *at;
    *at = NULL;
    for (uint64_t next = p->tail + 1; next <= p->tail + SPARE_FRAMES; next++) {
        struct frame **place = &p->ring[next & p->ring_mask];
        if (!*place) { /* at the latest the place that was just left */
            *place = f;
            return;
        }
    }
    frame_free(f);
}

bool pipe_seal(struct sl_pipe *p)
{
    if (p->tail - p->head == p->ring_mask || !open_frame(p, p->tail + 1))
        return false;
    pipe_frame(p, p->tail)->state = FRAME_WAITING;
    p->waiting++;
    p->tail++;
    return true;
}

/* ---- opening ---- */

static int check_options(struct sl *sl, const struct sl_pipe_options *o)
{
    if (!o)
        return sl__fail(sl, SL_MISUSE, "options", NULL);
    if (o->frame_units > SL_BATCH_ITEMS_MAX)
        return sl__fail(sl, SL_TOO_MANY, "frame_units", "a frame has at most 4096 rows");
    if (o->frame_bytes > FRAME_BYTES_MAX)
        return sl__fail(sl, SL_TOO_BIG, "frame_bytes", "a frame has at most 240 KB of rows");
    if (o->delay_us < 0 || o->delay_us > SL_DELAY_US_MAX)
        return sl__fail(sl, SL_BAD_VALUE, "delay_us", NULL);
    if (o->linger_ms < 0 || o->linger_ms > INT_MAX || o->give_up_ms < 0 || o->give_up_ms > INT_MAX)
        return sl__fail(sl, SL_BAD_VALUE, "linger_ms, give_up_ms", NULL);
    if (o->column_count > SL_INPUT_FIELDS_MAX)
        return sl__fail(sl, SL_TOO_MANY, "columns", NULL);
    for (uint32_t i = 0; o->columns && i < o->column_count; i++)
        if (sl__name_ok(sl, o->columns[i], "columns") != SL_OK)
            return sl->error.code;
    return SL_OK;
}

static void fill_in(struct sl_pipe_options *o)
{
    if (!o->window_units)
        o->window_units = WINDOW_UNITS;
    if (!o->window_bytes)
        o->window_bytes = WINDOW_BYTES;
    if (!o->frame_units) /* several frames under way keep both ends busy, also in a small window */
        o->frame_units = o->window_units / 4 < 1             ? 1
                         : o->window_units / 4 < FRAME_UNITS ? o->window_units / 4
                                                             : FRAME_UNITS;
    if (!o->frame_bytes)
        o->frame_bytes = FRAME_BYTES;
    if (!o->columns)
        o->column_count = 0;
}

/* Where does this producer go on? */
static int find_place(struct sl_pipe *p)
{
    uint64_t epoch, last_seq;
    int rc = sl_producer_get(p->sl, p->o.run_id, p->producer, &epoch, &last_seq);
    if (rc != SL_OK)
        return rc;
    if (p->o.epoch == 0)
        p->o.epoch = epoch ? epoch : 1;
    if (epoch > p->o.epoch)
        return sl__fail(p->sl, SL_OLD_EPOCH, "epoch", NULL);
    if (p->o.first_seq == 0)
        p->o.first_seq = epoch == p->o.epoch ? last_seq + 1 : 1;
    return SL_OK;
}

static void pipe_free(struct sl_pipe *p)
{
    for (uint64_t i = 0; p->ring && i <= p->ring_mask; i++)
        frame_free(p->ring[i]);
    free(p->ring);
    slp_buf_free(&p->columns);
    slp_buf_free(&p->out);
    free(p);
}

static struct sl_pipe *pipe_new(struct sl *sl, const struct sl_pipe_options *o)
{
    struct sl_pipe *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->sl = sl;
    p->o = *o;
    fill_in(&p->o);
    uint64_t frames = 2;
    while (frames < PIPE_RING_MAX && frames < p->o.window_units + 2ull)
        frames *= 2;
    p->ring = calloc(frames, sizeof *p->ring);
    p->ring_mask = frames - 1;
    p->head = p->tail = p->first_waiting = 1;
    p->allowed = PIPE_RING_MAX;
    p->part_max = p->o.frame_units;
    p->losses = sl->losses;
    p->silence_us = sl->o.resend_ms * 1000;
    p->pause_us = 20000;
    if (!p->ring || !open_frame(p, 1) ||
        (p->o.column_count > 0 && !sl__columns(&p->columns, o->columns, o->column_count))) {
        pipe_free(p);
        return NULL;
    }
    return p;
}

int sl_pipe_open(struct sl *sl, const struct sl_pipe_options *o, struct sl_pipe **out)
{
    *out = NULL;
    int rc = sl__enter(sl);
    if (rc == SL_OK)
        rc = check_options(sl, o);
    if (rc != SL_OK)
        return rc;
    struct sl_pipe *p = pipe_new(sl, o);
    if (!p)
        return sl__fail(sl, SL_NO_MEMORY, "", NULL);
    if (o->producer) {
        p->numbered = true;
        memcpy(p->producer, o->producer, SL_PRODUCER_SIZE);
        rc = find_place(p);
        if (rc != SL_OK) {
            pipe_free(p);
            return rc;
        }
    }
    p->next_seq = p->o.first_seq ? p->o.first_seq : 1;
    do /* 14 bits of a request id: an old pipe's late answer must not find a new pipe soon */
        p->no = ++sl->next_pipe & 0x3fff;
    while (p->no == 0 || sl__pipe_of(sl, p->no << 48));
    p->next = sl->pipes;
    sl->pipes = p;
    *out = p;
    return SL_OK;
}

/* ---- putting ---- */

static int failed(struct sl_pipe *p)
{
    return sl__fail(p->sl, p->failed, "pipe", p->failed_text);
}

static bool has_room(const struct sl_pipe *p, size_t bytes)
{
    const struct frame *f = pipe_frame(p, p->tail);
    if (f->count == p->o.frame_units || (f->count > 0 && f->bytes + bytes > p->o.frame_bytes))
        return false; /* it could not be sealed: the ring is full, or memory ran out */
    return p->rows_open < p->o.window_units && (p->rows_open == 0 || p->bytes_open + bytes <= p->o.window_bytes);
}

static void seal_if_full(struct sl_pipe *p, size_t more_bytes)
{
    const struct frame *f = pipe_frame(p, p->tail);
    if (f->count == p->o.frame_units || (f->count > 0 && f->bytes + more_bytes > p->o.frame_bytes))
        pipe_seal(p);
}

/* Wait until a row of so many bytes may come in. */
static int wait_for_room(struct sl_pipe *p, size_t bytes)
{
    while (!p->failed && !has_room(p, bytes)) {
        /* Only answers make room. If none is on its way, what was gathered must go, linger or not. */
        if (p->under_way + p->waiting == 0 && pipe_frame(p, p->tail)->count > 0 && !pipe_seal(p))
            return sl__fail(p->sl, SL_NO_MEMORY, "", NULL);
        if (sl__turn(p->sl, false, NULL, INT64_MAX) != SL_OK)
            return sl__fail(p->sl, SL_STOPPED, "", NULL);
        if (!p->failed)
            seal_if_full(p, bytes);
    }
    return p->failed ? failed(p) : SL_OK;
}

int sl_pipe_put(struct sl_pipe *p, const struct sl_buf *row, const char *key, uint64_t tag)
{
    struct sl *sl = p->sl;
    if (sl->in_callback || sl->error.code != SL_OK) {
        int rc = sl__enter(sl);
        if (rc != SL_OK)
            return rc;
    }
    if (p->failed)
        return failed(p);
    if (key && !*key)
        key = NULL;
    int rc = sl__row_ok(row, key);
    if (rc != SL_OK)
        return sl__fail(sl, rc, "row", NULL);
    size_t bytes = row->n + 3 + (key ? strlen(key) + 2 : 1);
    seal_if_full(p, bytes);
    if (!has_room(p, bytes) && (rc = wait_for_room(p, bytes)) != SL_OK)
        return rc;

    struct frame *f = pipe_frame(p, p->tail);
    if (!sl__put_row(&f->rows, &f->keys, f->count, f->keyed, row, key))
        return sl__fail(sl, SL_NO_MEMORY, "row", NULL);
    int64_t now_us = sl__now_us();
    if (f->count == 0) {
        f->first_seq = p->next_seq;
        f->since_us = now_us;
    }
    if (p->rows_open == 0)
        p->progress_us = now_us;
    f->tags[f->count++] = tag;
    f->keyed += key ? 1 : 0;
    f->bytes += bytes;
    p->rows_open++;
    p->bytes_open += bytes;
    p->next_seq++;
    p->stats.put++;
    if (f->count == p->o.frame_units)
        pipe_seal(p);
    bool idle = p->o.linger_ms == 0 && p->under_way == 0;
    if ((p->waiting > 0 && p->pause_until_us <= now_us) || idle || now_us - p->turned_us >= LOOK_US) {
        p->turned_us = now_us;
        sl__turn(sl, false, NULL, 0); /* the row is taken: if stop() says so, the next call obeys */
    }
    return SL_OK;
}

int sl_flush(struct sl_pipe *p)
{
    int rc = sl__enter(p->sl);
    if (rc != SL_OK)
        return rc;
    while (!p->failed && p->rows_open > 0) {
        if (pipe_frame(p, p->tail)->count > 0)
            pipe_seal(p); /* without memory or place: when there is some */
        if (sl__turn(p->sl, false, NULL, 0) != SL_OK)
            return sl__fail(p->sl, SL_STOPPED, "", NULL);
        if (!p->failed && p->rows_open > 0 && sl__turn(p->sl, false, NULL, INT64_MAX) != SL_OK)
            return sl__fail(p->sl, SL_STOPPED, "", NULL);
    }
    return p->failed ? failed(p) : SL_OK;
}

uint64_t sl_pipe_next(const struct sl_pipe *p)
{
    return p->next_seq;
}

uint32_t sl_pipe_open_rows(const struct sl_pipe *p, size_t *bytes)
{
    if (bytes)
        *bytes = p->bytes_open;
    return p->rows_open;
}

void sl_pipe_stats(const struct sl_pipe *p, struct sl_pipe_stats *out)
{
    *out = p->stats;
}

void sl_pipe_close(struct sl_pipe **pipe)
{
    struct sl_pipe *p = pipe ? *pipe : NULL;
    if (!p || p->sl->in_callback)
        return;
    struct sl_pipe **at = &p->sl->pipes;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    pipe_free(p);
    *pipe = NULL;
}
