/* One turn of work of a handle: the only place where answers come in, whoever waits. */
#include "client/internal.h"

#define FRAMES_PER_TURN 64 /* so that sending and clocks get their turn under a flood of answers */
#define ANSWER_WAYS (SLP_B2C | SLP_B2M)

static void deliver(struct sl *sl, zmq_msg_t *frame)
{
    struct slp_msg m;
    struct slp_fault fault;
    m.id = 0;
    bool whole = slp_decode(zmq_msg_data(frame), zmq_msg_size(frame), ANSWER_WAYS, &m, &fault) == 0;
    if (m.id & SL__ID_REQUEST) {
        if (m.id != sl->waiting_id || sl->got != SL__NO_REPLY)
            return; /* a second answer to a request that was sent twice */
        sl->got = whole ? SL__REPLY : SL__BROKEN_REPLY;
        const void *was_at = zmq_msg_data(frame);
        zmq_msg_move(&sl->reply_frame, frame);
        sl->reply = m;
        if (whole && zmq_msg_data(&sl->reply_frame) != was_at) /* a small frame lies inside the zmq_msg_t itself */
            slp_decode(zmq_msg_data(&sl->reply_frame), zmq_msg_size(&sl->reply_frame), ANSWER_WAYS, &sl->reply, &fault);
        return;
    }
    struct sl_pipe *p = m.id ? sl__pipe_of(sl, m.id) : NULL;
    if (p && whole)
        sl__pipe_answer(p, &m, frame);
    else if (p)
        sl__pipe_broken(p, m.id);
}

static bool take_in(struct sl *sl)
{
    bool any = false;
    for (int i = 0; i < FRAMES_PER_TURN; i++) {
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        bool got = sl__link_recv(sl, &frame) == 1;
        if (got)
            deliver(sl, &frame);
        zmq_msg_close(&frame);
        if (!got)
            break;
        any = true;
        if (sl->waiting_id && sl->got != SL__NO_REPLY)
            break; /* who waits for it wants it now */
    }
    return any;
}

/* stop() is a callback like any other: a request of its own in the middle of this one would take its answer away. */
static bool stopped(struct sl *sl)
{
    if (!sl->o.stop)
        return false;
    sl->in_callback = true;
    bool stop = sl->o.stop(sl->o.stop_arg);
    sl->in_callback = false;
    return stop;
}

int sl__turn(struct sl *sl, bool want_out, void *also, int64_t until_us)
{
    bool any = take_in(sl);
    sl__link_watch(sl); /* after the answers: what came over a lost link still counts */
    int64_t now_us = sl__now_us();
    uint64_t moves = sl->moves;
    for (struct sl_pipe *p = sl->pipes; p; p = sl__pipe_next(p)) {
        int64_t due_us = sl__pipe_serve(p, now_us, &want_out);
        if (due_us < until_us)
            until_us = due_us;
    }
    if (!any && moves == sl->moves && until_us > now_us)
        sl__link_sleep(sl, want_out, also, until_us);
    return stopped(sl) ? SL_STOPPED : SL_OK;
}
