/* The life of a handle. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "client/internal.h"

#define ENDPOINT "tcp://127.0.0.1:7710"
#define TIMEOUT_MS 30000
#define RESEND_MS 5000

const char *sl_version(void)
{
    return SUNLINE_VERSION;
}

int sl_open(const struct sl_options *o, struct sl **out)
{
    static const struct sl_options none;
    if (!out)
        return SL_MISUSE;
    *out = NULL;
    if (!o)
        o = &none;
    if (o->timeout_ms < 0 || o->resend_ms < 0 || o->timeout_ms > INT_MAX || o->resend_ms > INT_MAX)
        return SL_MISUSE;
    struct sl *sl = calloc(1, sizeof *sl);
    if (!sl)
        return SL_NO_MEMORY;
    zmq_msg_init(&sl->reply_frame);
    sl->o = *o;
    sl->o.timeout_ms = o->timeout_ms ? o->timeout_ms : TIMEOUT_MS;
    sl->o.resend_ms = o->resend_ms ? o->resend_ms : RESEND_MS;
    sl->o.endpoint = strdup(o->endpoint ? o->endpoint : ENDPOINT);
    sl->o.events_endpoint = o->events_endpoint ? strdup(o->events_endpoint) : NULL;
    int rc = !sl->o.endpoint || (o->events_endpoint && !sl->o.events_endpoint) ? SL_NO_MEMORY : sl__link_open(sl);
    if (rc != SL_OK) {
        sl_close(&sl);
        return rc;
    }
    *out = sl;
    return SL_OK;
}

void sl_close(struct sl **handle)
{
    struct sl *sl = handle ? *handle : NULL;
    if (!sl || sl->in_callback)
        return;
    while (sl->pipes) {
        struct sl_pipe *p = sl->pipes;
        sl_pipe_close(&p);
    }
    while (sl->events) {
        struct sl_events *e = sl->events;
        sl_events_close(&e);
    }
    zmq_msg_close(&sl->reply_frame);
    sl__link_close(sl);
    sl__forget_error(sl);
    slp_buf_free(&sl->out);
    slp_buf_free(&sl->list);
    free((void *)(uintptr_t)sl->o.endpoint);
    free((void *)(uintptr_t)sl->o.events_endpoint);
    free(sl->columns);
    free(sl);
    *handle = NULL;
}

bool sl_connected(struct sl *sl)
{
    if (!sl->in_callback)
        sl__link_watch(sl);
    return sl->up && !sl->ended;
}

int sl_poll(struct sl *sl, int64_t timeout_ms)
{
    int rc = sl__enter(sl);
    if (rc != SL_OK)
        return rc;
    if (timeout_ms < 0 || timeout_ms > INT_MAX)
        return sl__fail(sl, SL_MISUSE, "timeout_ms", NULL);
    rc = sl__turn(sl, false, NULL, timeout_ms ? sl__now_us() + timeout_ms * 1000 : 0);
    if (rc == SL_OK && timeout_ms) /* what woke us up */
        rc = sl__turn(sl, false, NULL, 0);
    return rc == SL_OK ? SL_OK : sl__fail(sl, rc, "", NULL);
}

int sl_info(struct sl *sl, struct sl_info *out)
{
    int rc = sl__enter(sl);
    if (rc != SL_OK)
        return rc;
    struct slp_msg m;
    rc = sl__request(sl, SLP_INFO_GET, &(struct slp_info_get){ 0 }, SLP_INFO, &m);
    if (rc != SL_OK)
        return rc;
    const struct slp_info *i = &m.u.info;
    *out = (struct sl_info){ .protocol = i->protocol, .event_seq = i->event_seq, .wall_us = i->wall_us };
    sl__copy(out->version, sizeof out->version, i->version);
    sl__copy(out->events_endpoint, sizeof out->events_endpoint, i->events_endpoint);
    if (i->store_id.n > 0)
        memcpy(out->store_id, i->store_id.p,
               i->store_id.n < sizeof out->store_id ? i->store_id.n : sizeof out->store_id);
    return SL_OK;
}
