/* One request, one answer: sending again after silence or a lost link where that does no harm, waiting where the
 * broker asks for it. */
#include <string.h>

#include "client/internal.h"

#define RESEND_MAX_US 60000000
#define AGAIN_MIN_US 20000   /* first pause after "come again", where the broker names none; doubles ... */
#define AGAIN_MAX_US 2000000 /* ... up to this */

/* May a message of this type be sent twice? What reads may, and what says how things shall be. What adds or counts
 * may not. */
bool sl__resendable(uint64_t type)
{
    switch (type) {
    case SLP_PUT:
    case SLP_TASKS_SET:
    case SLP_BACKUP: return false;
    default: return true;
    }
}

static void release_reply(struct sl *sl)
{
    zmq_msg_close(&sl->reply_frame);
    zmq_msg_init(&sl->reply_frame);
    sl->got = SL__NO_REPLY;
}

static int no_answer(struct sl *sl, bool sent)
{
    if (sl->ended || !sl->up)
        return sl__fail(sl, SL_DISCONNECTED, "", sent ? "the link was lost before the answer came" : NULL);
    return sl__fail(sl, SL_TIMEOUT, "", NULL);
}

/* SL_OK also if it could not be sent now: then no link stands. */
static int try_send(struct sl *sl, struct sl__ask *a)
{
    sl__link_watch(sl); /* a loss from before is not one of this message */
    a->losses = sl->losses;
    int rc = sl__link_send(sl, &sl->out);
    if (rc < 0)
        return sl__fail(sl, SL_NO_MEMORY, "", NULL);
    if (rc > 0) {
        a->sent_twice = a->sent_twice || a->ever_sent;
        a->sent = a->ever_sent = true;
        a->resend_at_us = sl__now_us() + a->silence_us;
    }
    return SL_OK;
}

/* Until one answer is there, sending again where that is due. SL_OK: sl->got tells which kind. */
static int exchange(struct sl *sl, struct sl__ask *a)
{
    while (sl->got == SL__NO_REPLY) {
        int64_t now_us = sl__now_us();
        if (now_us >= a->deadline_us || sl->ended)
            return no_answer(sl, a->ever_sent);
        if (a->sent && a->losses != sl->losses) {
            if (!a->resend)
                return no_answer(sl, true);
            a->sent = false;
        }
        if (a->sent && a->resend && now_us >= a->resend_at_us) {
            a->sent = false;
            a->silence_us = a->silence_us * 2 > RESEND_MAX_US ? RESEND_MAX_US : a->silence_us * 2;
        }
        int rc = a->sent ? SL_OK : try_send(sl, a);
        if (rc != SL_OK)
            return rc;
        int64_t until_us = a->sent && a->resend && a->resend_at_us < a->deadline_us ? a->resend_at_us : a->deadline_us;
        if (sl__turn(sl, !a->sent, NULL, until_us) != SL_OK)
            return sl__fail(sl, SL_STOPPED, "", NULL);
    }
    return SL_OK;
}

/* The broker said: again, later. Wait, serving pipes meanwhile. */
static int pause_before_again(struct sl *sl, struct sl__ask *a, uint64_t after_ms)
{
    int64_t pause_us = after_ms > 3600000 ? 3600000000ll : (int64_t)after_ms * 1000;
    if (pause_us < a->again_us)
        pause_us = a->again_us;
    a->again_us = a->again_us * 2 > AGAIN_MAX_US ? AGAIN_MAX_US : a->again_us * 2;
    int64_t now_us = sl__now_us(), until_us = now_us + pause_us;
    if (until_us >= a->deadline_us)
        return sl->error.code; /* there is no later */
    while (sl__now_us() < until_us)
        if (sl__turn(sl, false, NULL, until_us) != SL_OK)
            return sl__fail(sl, SL_STOPPED, "", NULL);
    return SL_OK;
}

int sl__ask_begin(struct sl *sl, struct sl__ask *a)
{
    release_reply(sl);
    slp_buf_clear(&sl->out);
    uint64_t id = SL__ID_REQUEST | ++sl->next_request;
    if (slp_encode(&sl->out, a->type, id, a->body) != 0)
        return sl__fail(sl, SL_NO_MEMORY, "", NULL);
    if (sl->out.n > SL_FRAME_BYTES_MAX)
        return sl__fail(sl, SL_TOO_BIG, "", "the request does not fit one message");
    a->sent = a->ever_sent = false;
    a->silence_us = sl->o.resend_ms * 1000;
    int rc = try_send(sl, a);
    if (rc == SL_OK)
        sl->waiting_id = id;
    return rc;
}

void sl__ask_drop(struct sl *sl)
{
    sl->waiting_id = 0;
}

static int await(struct sl *sl, struct sl__ask *a, uint64_t reply_type)
{
    for (;;) {
        int rc = exchange(sl, a);
        sl__ask_drop(sl);
        if (rc != SL_OK)
            return rc;
        if (sl->got == SL__BROKEN_REPLY)
            return sl__fail(sl, SL_BAD_REPLY, "", NULL);
        if (sl->reply.type == reply_type)
            return SL_OK;
        if (sl->reply.type != SLP_ERROR)
            return sl__fail(sl, SL_BAD_REPLY, "", "the answer is of another type than the request asks for");
        sl__fail_as(sl, &sl->reply.u.error);
        bool again = sl->error.retry == SL_RETRY_NOW || sl->error.retry == SL_RETRY_LATER;
        if (!again || sl->o.no_retry)
            return sl->error.code;
        rc = pause_before_again(sl, a, sl->error.after_ms);
        if (rc != SL_OK)
            return rc;
        sl__forget_error(sl);
        rc = sl__ask_begin(sl, a);
        if (rc != SL_OK)
            return rc;
    }
}

int sl__ask_end(struct sl *sl, struct sl__ask *a, uint64_t reply_type, int64_t timeout_ms)
{
    int64_t now_us = sl__now_us();
    a->again_us = AGAIN_MIN_US;
    a->deadline_us = timeout_ms > (INT64_MAX - now_us) / 1000 ? INT64_MAX : now_us + timeout_ms * 1000;
    a->resend_at_us = now_us + a->silence_us; /* nobody has looked for an answer yet */
    int rc = await(sl, a, reply_type);
    /* Deleted by the first of two sendings, the answer to which was lost: what was asked for is so. */
    if (rc == SL_NOT_FOUND && a->sent_twice) {
        const struct slp_run_set *run = a->body;
        const struct slp_line_set *line = a->body;
        if ((a->type == SLP_RUN_SET && run->action == 4) || (a->type == SLP_LINE_SET && line->action == 2)) {
            sl__forget_error(sl);
            sl->reply = (struct slp_msg){ .version = SL_PROTOCOL_VERSION, .type = SLP_DONE };
            rc = SL_OK;
        }
    }
    return rc;
}

int sl__request_with(struct sl *sl, uint64_t type, const void *body, uint64_t reply_type, struct slp_msg *reply,
                     int64_t timeout_ms, bool resend)
{
    struct sl__ask a = { .type = type, .body = body, .resend = resend };
    int rc = sl__ask_begin(sl, &a);
    if (rc == SL_OK)
        rc = sl__ask_end(sl, &a, reply_type, timeout_ms);
    if (rc == SL_OK && reply)
        *reply = sl->reply;
    return rc;
}

int sl__request(struct sl *sl, uint64_t type, const void *body, uint64_t reply_type, struct slp_msg *reply)
{
    return sl__request_with(sl, type, body, reply_type, reply, sl->o.timeout_ms, sl__resendable(type));
}
