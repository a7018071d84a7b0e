/* Producers: each owns a run and hands in its rows, numbered or under keys, several frames under way, and again whatever was not answered. Now and then
 * one loses its memory and finds out from the broker where it was (numbered), or begins again from the first row (keyed). */
#include <inttypes.h>

#include "tests/sim/sim.h"

#define SILENCES 3 /* so often nothing was answered in time: it makes a new link */

static happening act, lapse, relink, fenced;

static uint64_t row_number(const struct producer *p, uint64_t i)
{
    return (p->index + 1) * 1000000ull + i;
} /* i: from 1 */

static void send(struct sim *s, struct producer *p, uint64_t type, uint64_t id, const void *any)
{
    struct slp_buf b = { 0 };
    CHECK(s, slp_encode(&b, type, id, any) == 0);
    net_send_up(s, &p->wire, b.p, b.n);
    slp_buf_free(&b);
}

static void ask(struct sim *s, struct producer *p, uint64_t type, const void *any)
{
    p->asking = ++p->next_id;
    p->asked_us = s->now_us;
    send(s, p, type, p->asking, any);
}

static struct slp_bytes name_of(const char *n)
{
    return (struct slp_bytes){ n, (uint32_t)strlen(n) };
}

static void start_run(struct sim *s, struct producer *p)
{
    struct slp_run_start q = { .line = name_of(s->line[p->line].name),
                               .name = name_of(p->run),
                               .priority = p->priority,
                               .fingerprint = { (const char *)p->id, 16 } };
    SLP_SET(&q, run_start, priority);
    SLP_SET(&q, run_start, fingerprint);
    ask(s, p, SLP_RUN_START, &q);
}

/* Send rows from..from+n-1. */
static void put(struct sim *s, struct producer *p, uint64_t from, uint64_t n)
{
    struct slp_buf rows = { 0 }, keys = { 0 };
    struct put_sent *w = NULL;
    for (uint32_t i = 0; i < PUTS_MAX && !w; i++)
        if (!p->sent[i].id)
            w = &p->sent[i];
    if (!w)
        return;
    uint64_t packed = 0;
    for (uint64_t i = from; i < from + n && rows.n < 120000; i++, packed++) {
        uint64_t row = row_number(p, i);
        size_t at = rows.n;
        char key[32];
        row_pack(&rows, row, row_route(s, row));
        slp_pack_str(&keys, key, (size_t)snprintf(key, sizeof key, "key %" PRIu64, row));
        struct fact f = { .kind = FACT_ROW_SENT,
                          .run = p->run_id,
                          .row = row,
                          .route = row_route(s, row),
                          .flag = p->numbered,
                          .worker = p->index + 1 };
        struct slp_cursor c = { rows.p + at + 1, (uint32_t)(rows.n - at - 1), 2 }; /* behind the array's header */
        struct slp_bytes text, route;
        CHECK(s, slp_next_str(&c, &text) && slp_next_str(&c, &route));
        f.digest = row_digest(text, route);
        checker_feed(s->checker, &f);
    }
    *w = (struct put_sent){ ++p->next_id, from, packed, s->now_us };
    struct slp_put q = { .run_id = p->run_id, .rows = { rows.p, (uint32_t)rows.n, (uint32_t)packed } };
    if (p->numbered) {
        q.producer = (struct slp_bytes){ (const char *)p->id, 16 };
        q.epoch = p->epoch;
        q.first_seq = from - p->base;
        p->sent_max = from + packed - 1 > p->sent_max ? from + packed - 1 : p->sent_max;
        SLP_SET(&q, put, producer);
        SLP_SET(&q, put, epoch);
        SLP_SET(&q, put, first_seq);
    } else {
        q.keys = (struct slp_list){ keys.p, (uint32_t)keys.n, (uint32_t)packed };
        SLP_SET(&q, put, keys);
    }
    if (!s->calm && rng_chance(&p->rng, 50000)) {
        q.delay_us = (uint64_t)rng_spread(&p->rng, SEC, 3 * HOUR);
        SLP_SET(&q, put, delay_us);
    }
    TELL(s, "producer%u: request %" PRIu64 " puts %" PRIu64 " rows from %" PRIu64, p->index, w->id, packed, from);
    send(s, p, SLP_PUT, w->id, &q);
    slp_buf_free(&rows);
    slp_buf_free(&keys);
}

static void forget_sent(struct producer *p)
{
    memset(p->sent, 0, sizeof p->sent);
    p->next_row = p->acked + 1;
}

static uint64_t how_many(struct sim *s, struct producer *p)
{
    uint64_t max = s->plan.quota && s->plan.quota < 64 ? s->plan.quota / 2 : 64;
    return (uint64_t)rng_spread(&p->rng, 1, p->index % 2 && max > 8 ? 8 : (int64_t)max);
}

static void more_rows(struct sim *s, struct producer *p)
{
    if (p->numbered) {
        uint32_t open = 0;
        for (uint32_t i = 0; i < PUTS_MAX; i++)
            open += p->sent[i].id != 0;
        while (open < p->window && p->next_row <= p->rows) {
            uint64_t n = how_many(s, p), id = p->next_id;
            if (n > p->rows - p->next_row + 1)
                n = p->rows - p->next_row + 1;
            put(s, p, p->next_row, n);
            if (p->next_id == id)
                return;
            for (uint32_t i = 0; i < PUTS_MAX; i++)
                if (p->sent[i].id == p->next_id)
                    p->next_row += p->sent[i].count;
            open++;
        }
        return;
    }
    uint64_t from = 1;
    while (from <= p->rows && p->got[from])
        from++;
    uint64_t n = how_many(s, p);
    if (from <= p->rows)
        put(s, p, from, n < p->rows - from + 1 ? n : p->rows - from + 1);
}

static bool all_in(const struct producer *p)
{
    if (p->numbered)
        return p->acked >= p->rows;
    for (uint64_t i = 1; i <= p->rows; i++)
        if (!p->got[i])
            return false;
    return true;
}

/* What to do next; called again and again. */
static void act(struct sim *s, uint64_t index, uint64_t life)
{
    struct producer *p = &s->producer[index];
    if (life != p->life)
        return;
    int64_t patience = s->calm ? 5 * SEC : 2 * SEC + 4 * s->plan.delay_max_us + 2 * s->plan.batch_max_us;
    bool unanswered = p->asking && s->now_us - p->asked_us > patience;
    if (unanswered)
        p->asking = 0;
    for (uint32_t i = 0; i < PUTS_MAX; i++)
        if (p->sent[i].id && s->now_us - p->sent[i].at_us > patience) {
            forget_sent(p); /* from the first one that is not acknowledged */
            unanswered = true;
            break;
        }
    if (unanswered && ++p->unanswered % SILENCES == 0) /* perhaps it is the link */
        p->wire.peer = net_peer(s, SIDE_PRODUCER, p->index);
    if (!p->asking && s->now_us >= p->wait_us)
        switch (p->state) {
        case P_START: start_run(s, p); break;
        case P_WHERE: {
            struct slp_producer_get q = { .run_id = p->run_id, .producer = { (const char *)p->id, 16 } };
            ask(s, p, SLP_PRODUCER_GET, &q);
            break;
        }
        case P_PUT:
            if (all_in(p)) {
                p->state = P_CLOSE;
                p->wait_us = s->now_us + (s->calm ? 0 : rng_spread(&p->rng, SEC, HOUR));
            } else {
                more_rows(s, p);
            }
            break;
        case P_CLOSE: {
            struct slp_run_set q = { .run = name_of(p->run), .action = 0 };
            ask(s, p, SLP_RUN_SET, &q);
            break;
        }
        case P_OVER: break;
        }
    if (p->state != P_OVER)
        sched_at(s, s->now_us + (s->calm ? SEC : rng_spread(&p->rng, SEC / 2, p->pace_us)), act, index, life);
}

/* From the beginning: it finds its run, or begins one of the name, and asks where it was, or puts all rows again under their keys. */
static void begin_again(struct sim *s, struct producer *p)
{
    p->life++;
    p->asking = 0;
    p->wait_us = 0;
    p->state = P_START;
    memset(p->sent, 0, sizeof p->sent);
    if (p->got)
        memset(p->got, 0, p->rows + 1);
    sched_at(s, s->now_us + rng_spread(&p->rng, SEC, HOUR), act, p->index, p->life);
}

void producer_lost(struct sim *s, struct producer *p, bool again)
{
    p->restored = true;
    if (p->state != P_START && (again || p->state == P_OVER))
        begin_again(s, p);
}

static void over(struct sim *s, struct producer *p, const char *how)
{
    TELL(s, "producer%u: %s is %s", p->index, p->run, how);
    p->state = P_OVER;
}

static void on_error(struct sim *s, struct producer *p, const struct slp_error *e)
{
    TELL(s, "producer%u: %s", p->index, slp_error_name(e->code));
    switch (e->code) {
    case SLP_E_RUN_CLOSED:
    case SLP_E_BAD_STATE: over(s, p, "over, though rows were left"); break;
    case SLP_E_NOT_FOUND:
        if (p->state == P_START) /* no such line yet */
            p->wait_us = s->now_us + 10 * SEC;
        else if (p->restored && p->state != P_OVER)
            begin_again(s, p);
        else
            over(s, p, "gone");
        break;
    case SLP_E_SEQUENCE_GAP:
        forget_sent(p);
        if (p->restored && p->state == P_PUT) /* the store may have gone back */
            p->state = P_WHERE;
        break; /* a frame before this one was lost, or is still under way */
    case SLP_E_QUEUE_FULL:
    case SLP_E_STORE_FULL:
        forget_sent(p);
        p->wait_us = s->now_us + rng_spread(&p->rng, SEC, MINUTE);
        break;
    default:
        sim_broken(s, "producer%u: refused: %s %.*s", p->index, slp_error_name(e->code), (int)e->text.n, e->text.p);
    }
}

static void acked(struct sim *s, struct producer *p, uint64_t i, uint64_t unit)
{
    checker_feed(s->checker,
                 &(struct fact){ .kind = FACT_ROW_ACKED, .run = p->run_id, .row = row_number(p, i), .unit = unit });
    if (p->got)
        p->got[i] = 1;
}

static void on_put_done(struct sim *s, struct producer *p, const struct put_sent *w, const struct slp_put_done *d)
{
    struct slp_cursor c = slp_each(d->items);
    struct slp_item_unit_result it;
    bool has = slp_next_unit_result(&c, &it);
    uint64_t unit = d->first_unit;
    if (d->accepted + d->duplicates != w->count)
        sim_broken(s,
                   "producer%u: request %" PRIu64 ", %" PRIu64 " rows from %" PRIu64 ", gave %" PRIu64
                   " new and %" PRIu64 " known",
                   p->index, w->id, w->count, w->from, d->accepted, d->duplicates);
    for (uint64_t i = 0; i < w->count; i++) {
        if (has && it.index == i) {
            if (it.code != SLP_E_DUPLICATE)
                sim_broken(s, "producer%u: row refused: %s", p->index, slp_error_name(it.code));
            acked(s, p, w->from + i, it.unit);
            has = slp_next_unit_result(&c, &it);
        } else if (p->numbered && i < d->duplicates) {
            acked(s, p, w->from + i, 0);
        } else {
            acked(s, p, w->from + i, unit++);
        }
    }
    if (p->numbered && p->acked < w->from + w->count - 1)
        p->acked = w->from + w->count - 1;
}

void producer_take(struct sim *s, struct producer *p, const struct frame *f)
{
    struct slp_msg m;
    struct slp_fault fault;
    struct put_sent *w = NULL;
    if (slp_decode(f->bytes, f->n, SLP_B2C, &m, &fault) != 0)
        sim_broken(s, "producer%u got what cannot be read: %s", p->index, fault.place);
    for (uint32_t i = 0; i < PUTS_MAX; i++)
        if (m.id && p->sent[i].id == m.id)
            w = &p->sent[i];
    p->unanswered = 0;
    if (!w && m.id != p->asking)
        return; /* the answer to something that was asked again */
    if (m.type == SLP_PUT_DONE && p->numbered && p->base &&
        !p->fenced_id) { /* the new epoch is on disk: who has the old one is out */
        p->fenced_id = ++p->next_id;
        sched_at(s, s->now_us + rng_spread(&p->rng, 1, HOUR), fenced, p->index, p->epoch - 1);
    }
    struct put_sent was = w ? *w : (struct put_sent){ 0 };
    if (w)
        w->id = 0;
    else
        p->asking = 0;
    switch (m.type) {
    case SLP_ERROR: on_error(s, p, &m.u.error); break;
    case SLP_RUN_STARTED:
        p->run_id = m.u.run_started.run_id;
        p->state = p->numbered && p->restored ? P_WHERE : P_PUT;
        TELL(s, "producer%u: %s is run %" PRIu64, p->index, p->run, p->run_id);
        break;
    case SLP_PRODUCER:
        p->acked = p->base + (m.u.producer.epoch == p->epoch ? m.u.producer.last_seq : 0);
        p->next_row = p->acked + 1;
        p->state = P_PUT;
        break;
    case SLP_PUT_DONE: on_put_done(s, p, &was, &m.u.put_done); break;
    case SLP_DONE: over(s, p, "closed"); break;
    default: break;
    }
}

/* A process of an earlier epoch that did not hear of its end goes on sending. Nobody has told the checker of these rows: none may appear. */
static void fenced(struct sim *s, uint64_t index, uint64_t epoch)
{
    struct producer *p = &s->producer[index];
    struct slp_buf rows = { 0 };
    if (s->plan.lose_every_us != NEVER)
        return; /* a store that went back may have known the old epoch alone */
    row_pack(&rows, row_number(p, 900000), 0);
    struct slp_put q = { .run_id = p->run_id,
                         .rows = { rows.p, (uint32_t)rows.n, 1 },
                         .producer = { (const char *)p->id, 16 },
                         .epoch = epoch,
                         .first_seq = p->acked - p->base + 1 }; /* the next one, were it of the new epoch */
    SLP_SET(&q, put, producer);
    SLP_SET(&q, put, epoch);
    SLP_SET(&q, put, first_seq);
    s->tally.fenced_frames++;
    send(s, p, SLP_PUT, ++p->next_id, &q); /* nobody waits for this answer, whoever has taken over since */
    slp_buf_free(&rows);
}

/* Another process takes over: it raises the epoch, leaves alone what the one before it had sent, and numbers what it sends itself from 1. */
static void raise_epoch(struct sim *s, struct producer *p)
{
    p->epoch++;
    p->base = p->acked = p->sent_max;
    p->next_row = p->base + 1;
    p->fenced_id = 0;
    s->tally.raised_epochs++;
    TELL(s, "producer%u: another process takes over, epoch %" PRIu64 " from row %" PRIu64, p->index, p->epoch,
         p->next_row);
}

static void lapse(struct sim *s, uint64_t index, uint64_t unused)
{
    struct producer *p = &s->producer[index];
    (void)unused;
    if (s->calm || p->state == P_OVER)
        return;
    TELL(s, "producer%u: starts again without memory", p->index);
    p->asking = 0;
    p->life++;
    memset(p->sent, 0, sizeof p->sent);
    s->tally.producer_restarts++;
    if (p->state == P_PUT && p->numbered && s->plan.epochs && p->sent_max && rng_chance(&p->rng, 500000))
        raise_epoch(s, p);
    else if (p->state == P_PUT && p->numbered)
        p->state = P_WHERE;
    else if (p->state == P_PUT)
        memset(p->got, 0, p->rows + 1);
    p->wire.peer = net_peer(s, SIDE_PRODUCER, p->index);
    sched_at(s, s->now_us + rng_spread(&p->rng, SEC, s->plan.lapse_every_us / 4), act, index, p->life);
    sched_at(s, s->now_us + rng_range(&p->rng, s->plan.lapse_every_us / 10, s->plan.lapse_every_us * 2), lapse, index,
             0);
}

static void relink(struct sim *s, uint64_t index, uint64_t unused)
{
    struct producer *p = &s->producer[index];
    (void)unused;
    if (s->calm || s->plan.relink_every_us == NEVER)
        return;
    p->wire.peer = net_peer(s, SIDE_PRODUCER, p->index);
    sched_at(s, s->now_us + rng_range(&p->rng, s->plan.relink_every_us / 10 + 1, s->plan.relink_every_us * 2), relink,
             index, 0);
}

void producers_open(struct sim *s)
{
    for (uint32_t i = 0; i < s->plan.runs; i++) {
        struct producer *p = &s->producer[i];
        p->index = i;
        p->rng = rng_of(s->plan.seed, "producer", i);
        p->line = (uint32_t)rng_below(&p->rng, s->plan.lines);
        p->rows = (uint64_t)rng_range(&p->rng, 1, s->plan.rows);
        p->numbered = rng_chance(&p->rng, 600000);
        p->window = (uint32_t)rng_range(&p->rng, 1, PUTS_MAX);
        p->pace_us = rng_spread(&p->rng, SEC, 30 * MINUTE);
        if (s->plan.alike && p->line != 1)
            p->line = 0;
        p->priority = s->plan.alike || rng_chance(&p->rng, 700000) ? 5 : (uint32_t)rng_below(&p->rng, 10);
        p->epoch = 1;
        p->next_row = 1;
        p->state = P_START;
        snprintf(p->run, sizeof p->run, "run%u", i);
        for (int k = 0; k < 16; k++)
            p->id[k] = (uint8_t)rng_u64(&p->rng);
        if (!p->numbered)
            CHECK(s, p->got = calloc(p->rows + 1, 1));
        p->wire.peer = net_peer(s, SIDE_PRODUCER, i);
        sched_at(s, s->now_us + rng_spread(&p->rng, SEC, s->plan.alike ? HOUR : s->plan.hours_us / 2), act, i, 0);
        sched_at(s, s->now_us + rng_range(&p->rng, s->plan.lapse_every_us / 10, s->plan.lapse_every_us * 2), lapse, i,
                 0);
        p->cuts = rng_of(s->plan.seed, "producer's cuts", i);
        net_cuts(s, SIDE_PRODUCER, i, &p->cuts);
        if (s->plan.relink_every_us != NEVER)
            sched_at(s, s->now_us + rng_range(&p->rng, SEC, s->plan.relink_every_us), relink, i, 0);
    }
}

void producers_calm(struct sim *s)
{
    for (uint32_t i = 0; i < s->plan.runs; i++) {
        struct producer *p = &s->producer[i];
        p->wait_us = 0;
        sched_at(s, s->now_us + SEC, act, i, ++p->life);
    }
}

void producers_close(struct sim *s)
{
    for (uint32_t i = 0; i < RUNS_MAX; i++)
        free(s->producer[i].got);
}
