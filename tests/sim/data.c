/* An agent's data directory: arrays of what it has in its outbox and its journal. What was synced survives everything, what was written survives the death of the
 * process, the rest is gone. */
#include "tests/sim/sim.h"

struct outboxed *hub_data_outboxed(struct hub *h, uint64_t seq)
{
    for (size_t i = 0; i < h->outbox_n; i++)
        if (h->outbox[i].seq == seq)
            return &h->outbox[i];
    return NULL;
}

static void outbox_drop(struct hub *h, bool (*gone)(const struct outboxed *))
{
    size_t n = 0;
    for (size_t i = 0; i < h->outbox_n; i++)
        if (gone(&h->outbox[i]))
            free(h->outbox[i].item);
        else
            h->outbox[n++] = h->outbox[i];
    h->outbox_n = n;
}

static bool is_acked(const struct outboxed *o)
{
    return o->acked && o->ack_synced;
}
static bool not_synced(const struct outboxed *o)
{
    return !o->synced;
}
static bool anything(const struct outboxed *o)
{
    return o != NULL;
}
bool hub_idle(const struct hub *h)
{
    for (size_t i = 0; i < h->outbox_n; i++)
        if (!h->outbox[i].acked)
            return false;
    return true;
}

/* Everything that was written is on the disk now. */
void hub_data_sync(struct hub *h)
{
    for (size_t i = 0; i < h->outbox_n; i++) {
        h->outbox[i].synced = true;
        h->outbox[i].ack_synced = h->outbox[i].acked;
    }
    for (size_t i = 0; i < h->journal_n; i++)
        h->journal[i].synced = true;
    outbox_drop(h, is_acked);
}

void hub_over(struct hub *h, uint64_t assignment)
{
    for (size_t i = 0; i < h->journal_n; i++)
        if (h->journal[i].assignment == assignment) {
            free(h->journal[i].fields);
            free(h->journal[i].context);
            h->journal[i] = h->journal[--h->journal_n];
            return;
        }
}

/* The power is cut: what was not synced is gone. */
void hub_data_power_cut(struct hub *h)
{
    outbox_drop(h, not_synced);
    for (size_t i = 0; i < h->outbox_n; i++)
        h->outbox[i].acked = h->outbox[i].ack_synced;
    for (size_t i = 0; i < h->journal_n;)
        if (h->journal[i].synced)
            i++;
        else
            hub_over(h, h->journal[i].assignment);
}

static char *copy(struct sim *s, const char *p, size_t n)
{
    char *q = malloc(n + 1);
    CHECK(s, q);
    if (n)
        memcpy(q, p, n);
    return q;
}

/* A person began: it is written, and not synced. */
void hub_data_begun(struct sim *s, struct hub *h, const struct core_task *t)
{
    if (h->journal_n == h->journal_cap)
        CHECK(s, h->journal = realloc(h->journal, (h->journal_cap = h->journal_cap * 2 + 8) * sizeof *h->journal));
    h->journal[h->journal_n++] = (struct journaled){ t->assignment,
                                                     t->worker_no,
                                                     t->station_id,
                                                     t->attempt,
                                                     t->lease_us,
                                                     copy(s, t->fields.p, t->fields.bytes),
                                                     copy(s, t->context.p, t->context.n),
                                                     t->fields.bytes,
                                                     t->fields.count,
                                                     t->context.n,
                                                     false };
}

/* So is a result. */
void hub_data_result(struct sim *s, struct hub *h, const struct core_task *t, const struct slp_buf *item, bool person)
{
    if (h->outbox_n == h->outbox_cap)
        CHECK(s, h->outbox = realloc(h->outbox, (h->outbox_cap = h->outbox_cap * 2 + 16) * sizeof *h->outbox));
    h->outbox[h->outbox_n++] = (struct outboxed){ .seq = ++h->seq,
                                                  .assignment = t->assignment,
                                                  .worker = t->worker_no,
                                                  .item = copy(s, item->p, item->n),
                                                  .n = (uint32_t)item->n,
                                                  .person = person };
}

/* Whoever handed a result in is told that it is kept: from now on it must come to the broker. Or not: the disk that had it is gone. */
void hub_promise(struct sim *s, const struct hub *h, uint64_t assignment, bool kept)
{
    checker_feed(s->checker,
                 &(struct fact){ .kind = FACT_KEPT, .assignment = assignment, .index = h->index, .flag = kept });
}

/* All of it goes, and its arrays. */
void hub_data_drop(struct hub *h)
{
    outbox_drop(h, anything);
    free(h->outbox);
    while (h->journal_n)
        hub_over(h, h->journal[0].assignment);
    free(h->journal);
}

void hub_data_free(struct data *d)
{
    for (size_t i = 0; i < d->outbox_n; i++)
        free(d->outbox[i].item);
    for (size_t i = 0; i < d->journal_n; i++) {
        free(d->journal[i].fields);
        free(d->journal[i].context);
    }
    free(d->outbox);
    free(d->journal);
    *d = (struct data){ 0 };
}

/* A copy of the data directory: what was written, as a backup or a snapshot of the machine takes it. */
void hub_data_copy(struct sim *s, const struct hub *h, struct data *d)
{
    hub_data_free(d);
    *d = (struct data){ .seq = h->seq, .incarnation = h->incarnation, .there = true };
    memcpy(d->id, h->data_id, sizeof d->id);
    CHECK(s, d->outbox = calloc(h->outbox_n + 1, sizeof *d->outbox));
    CHECK(s, d->journal = calloc(h->journal_n + 1, sizeof *d->journal));
    for (; d->outbox_n < h->outbox_n; d->outbox_n++) {
        d->outbox[d->outbox_n] = h->outbox[d->outbox_n];
        d->outbox[d->outbox_n].item = copy(s, h->outbox[d->outbox_n].item, h->outbox[d->outbox_n].n);
    }
    for (; d->journal_n < h->journal_n; d->journal_n++) {
        d->journal[d->journal_n] = h->journal[d->journal_n];
        d->journal[d->journal_n].fields = copy(s, h->journal[d->journal_n].fields, h->journal[d->journal_n].fields_n);
        d->journal[d->journal_n].context =
            copy(s, h->journal[d->journal_n].context, h->journal[d->journal_n].context_n);
    }
}

void hub_data_put(struct sim *s, struct hub *h, struct data *d)
{
    hub_promises_end(s, h);
    hub_data_drop(h);
    h->outbox = d->outbox;
    h->journal = d->journal;
    h->outbox_n = d->outbox_n;
    h->outbox_cap = d->outbox_n + 1;
    h->journal_n = d->journal_n;
    h->journal_cap = d->journal_n + 1;
    h->seq = d->seq;
    h->incarnation = d->incarnation;
    memcpy(h->data_id, d->id, sizeof d->id);
    *d = (struct data){ 0 };
    hub_data_sync(h); /* a copy lies on the disk as a whole */
}

void hub_promises_end(struct sim *s, const struct hub *h)
{
    for (size_t i = 0; i < h->outbox_n; i++)
        hub_promise(s, h, h->outbox[i].assignment, false);
}
