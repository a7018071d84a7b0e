/* The outer half of a pipe: frames go out, answers come in, time passes. See pipe.h. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "client/pipe.h"
#include "proto/reader.h"

#define SILENCE_MAX_US 60000000
#define PAUSE_MIN_US 20000    /* when the broker names no time; doubles ... */
#define PAUSE_MAX_US 10000000 /* ... up to this */
#define FRAME_MASK ((1ull << 40) - 1)

static bool resendable(const struct sl_pipe *p, const struct frame *f)
{
    return p->numbered || p->o.resend || f->keyed == f->count;
}

/* ---- the end of a frame ---- */

/* Rows from..to of a frame get a code. If `bad` is one of them it alone is to blame, the others were only beside it. */
static void call_rows(struct sl_pipe *p, const struct frame *f, uint32_t from, uint32_t to, int code, const char *text,
                      uint32_t bad)
{
    p->stats.refused += to - from;
    if (!p->o.on_row)
        return;
    p->sl->in_callback = true;
    for (uint32_t i = from; i < to; i++) {
        bool blamed = bad == UINT32_MAX || i == bad;
        struct sl_put_result r = { .number = f->first_seq + i, .tag = f->tags[i], .code = blamed ? code : SL_NOT_PUT };
        r.text = blamed ? text : sl_error_text(SL_NOT_PUT);
        p->o.on_row(p->o.arg, &r);
    }
    p->sl->in_callback = false;
}

/* Calls back the rows that an answer is about. false: the answer contradicts itself, nobody was called. */
static bool call_back(struct sl_pipe *p, struct frame *f)
{
    if (f->code != SL_OK) {
        call_rows(p, f, f->done, f->done + f->part, f->code, f->text, f->bad);
        return true;
    }
    struct slp_msg m;
    struct slp_fault fault;
    int rc = slp_decode(zmq_msg_data(&f->reply), zmq_msg_size(&f->reply), SLP_B2C, &m, &fault);
    assert(rc == 0); /* it was decoded when it came in */
    struct sl_put_counts c = { 0 };
    p->sl->in_callback = true;
    bool ok =
        sl__put_report(&m.u.put_done, f->part, f->first_seq + f->done, f->tags + f->done, p->o.on_row, p->o.arg, &c);
    p->sl->in_callback = false;
    p->stats.accepted += c.accepted;
    p->stats.duplicates += c.duplicates;
    p->stats.refused += c.refused;
    return ok;
}

static void retire_head(struct sl_pipe *p)
{
    struct frame *f = pipe_frame(p, p->head);
    p->rows_open -= f->count - f->done;
    p->bytes_open -= f->bytes;
    p->sl->moves++;
    zmq_msg_close(&f->reply);
    zmq_msg_init(&f->reply);
    f->count = f->keyed = f->done = 0;
    f->bytes = 0;
    slp_buf_clear(&f->rows);
    slp_buf_clear(&f->keys);
    pipe_reuse(p, p->head);
    p->head++;
    if (p->first_waiting < p->head)
        p->first_waiting = p->head;
}

/* A part of the head frame is done: the rest waits for its turn. */
static void retire_part(struct sl_pipe *p)
{
    struct frame *f = pipe_frame(p, p->head);
    p->rows_open -= f->part;
    p->sl->moves++;
    f->done += f->part;
    f->part = 0;
    f->attempt++;
    f->state = FRAME_WAITING;
    p->waiting++;
    p->first_waiting = p->head;
}

void pipe_fail(struct sl_pipe *p, int code, const char *text)
{
    assert(code != SL_OK);
    p->failed = code;
    p->sl->moves++;
    sl__copy(p->failed_text, sizeof p->failed_text, sl__bytes(text && *text ? text : sl_error_text(code)));
    bool of_rows = code == SL_BAD_UNIT || code == SL_KEY_REUSED; /* said of some row, not of those behind it */
    int rest = of_rows ? SL_NOT_PUT : code;
    for (uint64_t no = p->head; no <= p->tail; no++) {
        struct frame *f = pipe_frame(p, no);
        bool answered = f->state == FRAME_ANSWERED && call_back(p, f);
        call_rows(p, f, f->done + (answered ? f->part : 0), f->count, rest,
                  of_rows ? sl_error_text(rest) : p->failed_text, UINT32_MAX);
    }
    while (p->head < p->tail)
        retire_head(p);
    struct frame *f = pipe_frame(p, p->tail);
    p->rows_open -= f->count;
    p->bytes_open -= f->bytes;
    f->count = f->keyed = f->done = 0;
    f->bytes = 0;
    p->under_way = p->waiting = 0;
    assert(p->rows_open == 0 && p->bytes_open == 0);
}

/* Hand on what is answered at the head. */
static void complete(struct sl_pipe *p, int64_t now_us)
{
    while (!p->failed && p->head < p->tail && pipe_frame(p, p->head)->state == FRAME_ANSWERED) {
        struct frame *f = pipe_frame(p, p->head);
        if (f->code != SL_OK && p->numbered) { /* the numbers behind it would leave a gap: nothing can follow */
            char text[SL_TEXT_SIZE + 40];
            if (f->bad == UINT32_MAX)
                snprintf(text, sizeof text, "%s", f->text);
            else
                snprintf(text, sizeof text, "row %llu: %s", (unsigned long long)(f->first_seq + f->bad), f->text);
            pipe_fail(p, f->code, text);
            return;
        }
        if (!call_back(p, f)) {
            f->state = FRAME_SENT;
            pipe_fail(p, SL_BAD_REPLY, "the counts of an answer contradict each other");
            return;
        }
        if (f->done + f->part == f->count)
            retire_head(p);
        else
            retire_part(p);
        p->head_since_us = p->progress_us = now_us;
        p->silence_us = p->sl->o.resend_ms * 1000;
    }
}

/* ---- again ---- */

static void send_again(struct sl_pipe *p, uint64_t no)
{
    struct frame *f = pipe_frame(p, no);
    if (f->state != FRAME_SENT)
        return;
    f->state = FRAME_WAITING;
    f->attempt++;
    p->under_way--;
    p->waiting++;
    if (no < p->first_waiting)
        p->first_waiting = no;
}

static void answer_with(struct sl_pipe *p, struct frame *f, int code, const char *text)
{
    assert(f->state == FRAME_SENT);
    p->under_way--;
    f->state = FRAME_ANSWERED;
    f->code = code;
    f->bad = UINT32_MAX;
    sl__copy(f->text, sizeof f->text, sl__bytes(text));
}

static void go_back(struct sl_pipe *p, uint64_t from)
{
    for (uint64_t no = from; no < p->tail; no++)
        send_again(p, no);
}

static void take_loss(struct sl_pipe *p)
{
    p->losses = p->sl->losses;
    for (uint64_t no = p->head; no < p->tail; no++) {
        struct frame *f = pipe_frame(p, no);
        if (f->state == FRAME_SENT && !resendable(p, f))
            answer_with(p, f, SL_DISCONNECTED, "the link was lost before the answer came: it may be there or not");
        else
            send_again(p, no);
    }
}

static void pause_for(struct sl_pipe *p, uint64_t after_ms)
{
    int64_t now_us = sl__now_us(), pause_us = after_ms > 3600000 ? 3600000000ll : (int64_t)after_ms * 1000;
    if (pause_us < p->pause_us)
        pause_us = p->pause_us;
    p->pause_us = p->pause_us * 2 < PAUSE_MAX_US ? p->pause_us * 2 : PAUSE_MAX_US;
    if (now_us + pause_us <= p->pause_until_us)
        return;
    p->stats.waited_us += (uint64_t)(now_us + pause_us - (p->pause_until_us > now_us ? p->pause_until_us : now_us));
    p->pause_until_us = now_us + pause_us;
}

/* The broker asks for time, or for less: a frame that does not fit goes as a smaller part at once, which is another
 * request; only when a single row does not fit either is the queue full, and we wait. */
static void take_pressure(struct sl_pipe *p, uint64_t no, int code, uint64_t after_ms)
{
    struct frame *f = pipe_frame(p, no);
    bool smaller = code == SL_QUEUE_FULL && no == p->head && f->part > 1;
    if (code == SL_QUEUE_FULL && no == p->head) {
        p->part_max = smaller ? f->part / 2 : 1;
        f->part = 0; /* the refusal is certain, so the part may change */
    }
    p->pressure = code;
    p->allowed = 1;
    if (!smaller && (code != SL_QUEUE_FULL || no == p->head))
        pause_for(p, after_ms);
    if (p->numbered)
        go_back(p, no);
    else
        send_again(p, no);
}

/* ---- answers ---- */

/* "rows[3]..." names a row of the message: its place in the frame. Else UINT32_MAX. */
static uint32_t bad_row(const struct frame *f, const struct slp_error *e)
{
    char place[32];
    unsigned i;
    sl__copy(place, sizeof place, e->place);
    return sscanf(place, "rows[%9u]", &i) == 1 && i < f->part ? f->done + i : UINT32_MAX;
}

static void take_refusal(struct sl_pipe *p, uint64_t no, const struct slp_error *e)
{
    struct frame *f = pipe_frame(p, no);
    bool sane = e->code > SL_DUPLICATE && e->code < 1000;
    int code = sane ? (int)e->code : SL_BAD_REPLY;
    if (sane && (e->retry == SLP_RETRY_NOW || e->retry == SLP_RETRY_LATER)) {
        take_pressure(p, no, code, e->after_ms);
    } else if (code == SL_SEQUENCE_GAP && p->numbered && no != p->head) {
        go_back(p, p->head); /* one before it got lost on the way */
    } else {
        char text[SL_TEXT_SIZE];
        sl__copy(text, sizeof text, e->text);
        answer_with(p, f, code, text);
        f->bad = bad_row(f, e);
    }
}

static void take_success(struct sl_pipe *p, uint64_t no, zmq_msg_t *reply)
{
    struct frame *f = pipe_frame(p, no);
    if (f->state == FRAME_SENT)
        p->under_way--;
    else
        p->waiting--;
    f->state = FRAME_ANSWERED;
    f->code = SL_OK;
    zmq_msg_move(&f->reply, reply);
    p->pressure = SL_OK;
    p->pause_us = PAUSE_MIN_US;
    p->allowed = p->allowed * 2 < PIPE_RING_MAX ? p->allowed * 2 : PIPE_RING_MAX;
    p->part_max = p->part_max * 2 < p->o.frame_units ? p->part_max * 2 : p->o.frame_units;
}

struct sl_pipe *sl__pipe_next(struct sl_pipe *p)
{
    return p->next;
}

struct sl_pipe *sl__pipe_of(struct sl *sl, uint64_t id)
{
    for (struct sl_pipe *p = sl->pipes; p; p = p->next)
        if (p->no == id >> 48)
            return p;
    return NULL;
}

static bool is_open(const struct sl_pipe *p, uint64_t no)
{
    if (p->failed || no < p->head || no >= p->tail)
        return false;
    return pipe_frame(p, no)->state == FRAME_SENT || pipe_frame(p, no)->state == FRAME_WAITING;
}

void sl__pipe_answer(struct sl_pipe *p, const struct slp_msg *m, zmq_msg_t *reply)
{
    uint64_t no = m->id >> 8 & FRAME_MASK;
    if (!is_open(p, no))
        return; /* the second answer to what was sent twice */
    struct frame *f = pipe_frame(p, no);
    bool current = f->state == FRAME_SENT && f->attempt == (uint8_t)m->id;
    bool of_this_part = f->part > 0 && (uint8_t)(m->id - f->part_attempt) <= (uint8_t)(f->attempt - f->part_attempt);
    if (m->type == SLP_PUT_DONE && of_this_part)
        take_success(p, no, reply);
    else if (!current)
        return;
    else if (m->type == SLP_ERROR)
        take_refusal(p, no, &m->u.error);
    else
        answer_with(p, f, SL_BAD_REPLY, "the answer is of another type than the request asks for");
    complete(p, sl__now_us());
}

void sl__pipe_broken(struct sl_pipe *p, uint64_t id)
{
    uint64_t no = id >> 8 & FRAME_MASK;
    if (!is_open(p, no) || pipe_frame(p, no)->state != FRAME_SENT)
        return;
    answer_with(p, pipe_frame(p, no), SL_BAD_REPLY, "the answer cannot be read: the rows may be there or not");
    complete(p, sl__now_us());
}

/* ---- sending ---- */

/* `count` of the packed values in b, behind `skip` of them. */
static struct slp_list part_of(const struct slp_buf *b, uint32_t skip, uint32_t count)
{
    struct slr r = slr_on(b->p, b->n);
    for (uint32_t i = 0; i < skip; i++)
        slr_skip(&r, SL_DEPTH_MAX);
    struct slr end = r;
    for (uint32_t i = 0; i < count; i++)
        slr_skip(&end, SL_DEPTH_MAX);
    return (struct slp_list){ r.p, (uint32_t)(end.p - r.p), count };
}

static int encode(struct sl_pipe *p, const struct frame *f, uint64_t no)
{
    bool whole = f->part == f->count;
    struct slp_put m = { .run_id = p->o.run_id };
    m.rows =
        whole ? (struct slp_list){ f->rows.p, (uint32_t)f->rows.n, f->count } : part_of(&f->rows, f->done, f->part);
    if (p->o.column_count > 0) {
        m.columns = (struct slp_list){ p->columns.p, (uint32_t)p->columns.n, p->o.column_count };
        SL__SET(&m, put, columns);
    }
    if (p->numbered) {
        m.producer = (struct slp_bytes){ p->producer, SL_PRODUCER_SIZE };
        m.epoch = p->o.epoch;
        m.first_seq = f->first_seq + f->done;
        SL__SET(&m, put, producer);
        SL__SET(&m, put, epoch);
        SL__SET(&m, put, first_seq);
    }
    if (f->keyed > 0) {
        m.keys = part_of(&f->keys, f->done, f->part);
        SL__SET(&m, put, keys);
    }
    if (p->o.delay_us > 0) {
        m.delay_us = (uint64_t)p->o.delay_us;
        SL__SET(&m, put, delay_us);
    }
    slp_buf_clear(&p->out);
    return slp_encode(&p->out, SLP_PUT, p->no << 48 | (no & FRAME_MASK) << 8 | f->attempt, &m);
}

/* How many rows of a frame go in the next message. false: it has to wait until it is at the head. */
static bool decide_part(struct sl_pipe *p, struct frame *f, uint64_t no)
{
    uint32_t left = f->count - f->done;
    if (f->part > 0)
        return true;
    if (left > p->part_max && no != p->head)
        return false;
    f->part = left < p->part_max ? left : p->part_max;
    f->part_attempt = f->attempt;
    return true;
}

static bool partly_under_way(const struct sl_pipe *p)
{
    const struct frame *f = pipe_frame(p, p->head);
    return f->state == FRAME_SENT && f->done + f->part < f->count; /* what is behind must not overtake the rest */
}

/* Sends what waits, in order. true: the socket would not take the next one. */
static bool send_waiting(struct sl_pipe *p, int64_t now_us)
{
    while (p->waiting > 0 && p->under_way < p->allowed && !partly_under_way(p)) {
        while (pipe_frame(p, p->first_waiting)->state != FRAME_WAITING)
            p->first_waiting++;
        struct frame *f = pipe_frame(p, p->first_waiting);
        if (!decide_part(p, f, p->first_waiting))
            return false;
        int rc = encode(p, f, p->first_waiting) == 0 ? sl__link_send(p->sl, &p->out) : -1;
        if (rc == 0)
            return true;
        if (rc < 0) {
            p->pressure = SL_NO_MEMORY;
            p->pause_until_us = now_us + PAUSE_MAX_US / 100;
            return false;
        }
        f->state = FRAME_SENT;
        f->since_us = now_us;
        p->waiting--;
        p->under_way++;
        p->stats.frames++;
        p->stats.resent_frames += f->attempt != f->part_attempt ? 1 : 0;
    }
    return false;
}

/* ---- time ---- */

static bool linger_over(const struct sl_pipe *p, int64_t now_us)
{
    const struct frame *f = pipe_frame(p, p->tail);
    if (f->count == 0)
        return false;
    if (p->o.linger_ms == 0)
        return p->under_way + p->waiting < 2;
    return now_us >= f->since_us + p->o.linger_ms * 1000;
}

/* The first frame that is under way, p->tail if none is: the head, unless that has to go again and must wait until those
 * behind it are answered. */
static uint64_t first_sent(const struct sl_pipe *p)
{
    uint64_t no = p->under_way > 0 ? p->head : p->tail;
    while (no < p->tail && pipe_frame(p, no)->state != FRAME_SENT)
        no++;
    return no;
}

static int64_t silent_at_us(const struct sl_pipe *p, const struct frame *f)
{
    int64_t since_us = f->since_us > p->head_since_us ? f->since_us : p->head_since_us;
    return since_us + (resendable(p, f) ? p->silence_us : p->sl->o.timeout_ms * 1000);
}

static void look_at_silence(struct sl_pipe *p, int64_t now_us)
{
    uint64_t no = first_sent(p);
    struct frame *f = pipe_frame(p, no);
    if (no == p->tail || now_us < silent_at_us(p, f))
        return;
    if (!resendable(p, f)) {
        answer_with(p, f, SL_TIMEOUT, "no answer came in time: it may be there or not");
        complete(p, now_us);
        return;
    }
    p->silence_us = p->silence_us * 2 < SILENCE_MAX_US ? p->silence_us * 2 : SILENCE_MAX_US;
    if (p->numbered)
        go_back(p, no);
    else
        send_again(p, no);
}

static int64_t give_up_at_us(const struct sl_pipe *p)
{
    if (p->o.give_up_ms == 0 || p->rows_open == 0)
        return INT64_MAX;
    return p->progress_us + p->o.give_up_ms * 1000;
}

static int64_t next_due_us(const struct sl_pipe *p, int64_t now_us)
{
    int64_t due_us = give_up_at_us(p), at_us;
    uint64_t sent = first_sent(p);
    if (sent < p->tail && (at_us = silent_at_us(p, pipe_frame(p, sent))) < due_us)
        due_us = at_us;
    if (p->waiting > 0 && p->pause_until_us > now_us && p->pause_until_us < due_us)
        due_us = p->pause_until_us;
    const struct frame *f = pipe_frame(p, p->tail);
    if (f->count > 0 && p->o.linger_ms > 0 && (at_us = f->since_us + p->o.linger_ms * 1000) < due_us && at_us > now_us)
        due_us = at_us;
    return due_us;
}

int64_t sl__pipe_serve(struct sl_pipe *p, int64_t now_us, bool *want_out)
{
    if (p->failed)
        return INT64_MAX;
    if (p->losses != p->sl->losses) {
        take_loss(p);
        complete(p, now_us);
    }
    if (!p->failed)
        look_at_silence(p, now_us);
    if (!p->failed && p->sl->ended)
        pipe_fail(p, SL_DISCONNECTED, NULL);
    if (!p->failed && now_us >= give_up_at_us(p))
        pipe_fail(p, p->pressure ? p->pressure : p->sl->up ? SL_TIMEOUT : SL_DISCONNECTED, NULL);
    if (p->failed)
        return INT64_MAX;
    if (linger_over(p, now_us))
        pipe_seal(p); /* without memory it is tried again at the next turn */
    if (now_us >= p->pause_until_us && send_waiting(p, now_us))
        *want_out = true;
    return next_due_us(p, now_us);
}
