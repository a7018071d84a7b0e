/* See fake_broker.h. */
#include "tests/lib/fake_broker.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/reader.h"

static inline struct slp_bytes fb(const char *s)
{
    return (struct slp_bytes){ s, (uint32_t)strlen(s) };
}

static inline bool fake_take(atomic_int *knob)
{
    if (atomic_load(knob) <= 0)
        return false;
    atomic_fetch_sub(knob, 1);
    return true;
}

static void fake_send(struct fake *f, zmq_msg_t *peer, const struct slp_buf *b)
{
    zmq_msg_t id;
    zmq_msg_init(&id);
    zmq_msg_copy(&id, peer);
    if (zmq_msg_send(&id, f->router, ZMQ_SNDMORE) < 0)
        zmq_msg_close(&id);
    else
        zmq_send(f->router, b->p, b->n, 0);
}

static void fake_error(struct slp_buf *out, uint64_t id, int code, int retry, int after_ms, const char *place)
{
    struct slp_error e = { .code = (uint64_t)code,
                           .retry = (uint64_t)retry,
                           .after_ms = (uint64_t)after_ms,
                           .text = fb("because"),
                           .place = fb(place) };
    e.has |= 1u << SLP_BIT_error_after_ms | 1u << SLP_BIT_error_place;
    slp_encode(out, SLP_ERROR, id, &e);
}

static uint64_t fake_key(struct fake *f, struct slp_bytes key, uint64_t unit)
{
    for (uint32_t i = 0; i < f->key_count; i++)
        if (strlen(f->keys[i].key) == key.n && memcmp(f->keys[i].key, key.p, key.n) == 0)
            return f->keys[i].unit;
    assert(f->key_count < 4096 && key.n < 64);
    memcpy(f->keys[f->key_count].key, key.p, key.n);
    f->keys[f->key_count].key[key.n] = '\0';
    f->keys[f->key_count++].unit = unit;
    return 0;
}

static void fake_put_rows(struct fake *f, const struct slp_put *p, uint64_t skip, struct slp_put_done *d)
{
    struct slp_cursor rows = slp_each(p->rows), keys = slp_each(p->keys);
    struct slp_bytes raw, key = { NULL, 0 };
    slp_buf_clear(&f->list);
    for (uint64_t i = 0; slp_next_raw(&rows, &raw); i++) {
        if (p->keys.count > 0)
            slp_next_str(&keys, &key);
        if (i < skip) {
            d->duplicates++;
            continue;
        }
        struct slr r = slr_on(raw.p, raw.n);
        struct slr_value v;
        slr_next(&r, &v);
        v.type = SLR_NIL;
        slr_next(&r, &v);
        uint64_t unit = atomic_load(&f->units) + 1, was = key.n > 0 ? fake_key(f, key, unit) : 0;
        struct slp_item_unit_result u = {
            .index = i, .unit = was, .code = was ? SLP_E_DUPLICATE : SLP_E_BAD_UNIT, .text = fb("field text: no")
        };
        u.has = 1u << SLP_BIT_item_unit_result_text;
        if (was || (atomic_load(&f->bad_rows) && slr_str_is(&v, "bad"))) {
            slp_pack_item(&f->list, SLP_ITEM_unit_result, &u);
            d->items.count++;
            d->duplicates += was ? 1 : 0;
            continue;
        }
        f->unit_value[unit - 1] = v.type == SLR_U64 ? v.u64 : UINT64_MAX;
        d->first_unit = d->first_unit ? d->first_unit : unit;
        d->accepted++;
        atomic_store(&f->units, (unsigned)unit);
    }
    d->items.p = f->list.p;
    d->items.bytes = (uint32_t)f->list.n;
    d->has |= d->items.count ? 1u << SLP_BIT_put_done_items : 0;
}

/* Numbers have no holes: with one bad row a numbered put is refused as a whole. */
static bool fake_bad_row(struct fake *f, const struct slp_put *p, uint64_t skip, struct slp_buf *out, uint64_t id)
{
    struct slp_cursor rows = slp_each(p->rows);
    struct slp_bytes raw;
    for (uint64_t i = 0; slp_next_raw(&rows, &raw); i++) {
        struct slr r = slr_on(raw.p, raw.n);
        struct slr_value v;
        char place[32];
        if (i < skip || slr_next(&r, &v) != 0 || slr_next(&r, &v) != 0 || !slr_str_is(&v, "bad") ||
            !atomic_load(&f->bad_rows))
            continue;
        snprintf(place, sizeof place, "rows[%llu]", (unsigned long long)i);
        fake_error(out, id, SLP_E_BAD_UNIT, SLP_RETRY_NEVER, 0, place);
        return true;
    }
    return false;
}

static void fake_put(struct fake *f, uint64_t id, const struct slp_put *p, struct slp_buf *out)
{
    struct slp_put_done d = { .accepted = 0 };
    uint64_t skip = 0;
    unsigned quota = atomic_load(&f->quota);
    if (quota && atomic_load(&f->units) + p->rows.count > quota) {
        fake_error(out, id, SLP_E_QUEUE_FULL, SLP_RETRY_LATER, 10, "run");
        return;
    }
    if (p->producer.n > 0) {
        if (p->epoch < f->producer_epoch) {
            fake_error(out, id, SLP_E_OLD_EPOCH, SLP_RETRY_NEVER, 0, "epoch");
            return;
        }
        if (p->epoch > f->producer_epoch) {
            f->producer_epoch = p->epoch;
            f->producer_seq = 0;
        }
        if (p->first_seq > f->producer_seq + 1) {
            fake_error(out, id, SLP_E_SEQUENCE_GAP, SLP_RETRY_NEVER, 0, "first_seq");
            return;
        }
        skip = f->producer_seq + 1 - p->first_seq;
        skip = skip > p->rows.count ? p->rows.count : skip;
    }
    if (p->producer.n > 0 && fake_bad_row(f, p, skip, out, id))
        return;
    fake_put_rows(f, p, skip, &d);
    if (p->producer.n > 0 && p->first_seq + p->rows.count - 1 > f->producer_seq)
        f->producer_seq = p->first_seq + p->rows.count - 1;
    if (fake_take(&f->lie_in_counts))
        d.accepted++;
    slp_encode(out, SLP_PUT_DONE, id, &d);
}

/* Events are numbered 1..event_last, of type 4 (RUN_STARTED) with {"run": seq}; of stream run/a are the even ones. */
static void fake_event(struct slp_buf *list, uint64_t seq)
{
    struct slp_buf data = { 0 };
    slp_pack_map(&data, 1);
    slp_pack_cstr(&data, "run");
    slp_pack_u64(&data, seq);
    slp_pack_item(
        list, SLP_ITEM_event,
        &(struct slp_item_event){ .seq = seq, .type = 4, .wall_us = 1, .data = { data.p, (uint32_t)data.n } });
    slp_buf_free(&data);
}

static void fake_events(struct slp_buf *out, uint64_t id, const char *stream, uint64_t first, uint64_t last,
                        uint64_t next_since, bool more)
{
    struct slp_buf list = { 0 };
    uint64_t step = strcmp(stream, "all") == 0 ? 1 : 2;
    first += step == 2 && first % 2 ? 1 : 0;
    struct slp_events e = {
        .stream = fb(stream), .prev_seq = first > step ? first - step : 0, .next_since = next_since, .more = more
    };
    for (uint64_t s = first; s <= last; s += step, e.events.count++)
        fake_event(&list, s);
    e.events.p = list.p;
    e.events.bytes = (uint32_t)list.n;
    e.has |= 1u << SLP_BIT_events_more;
    slp_encode(out, SLP_EVENTS, id, &e);
    slp_buf_free(&list);
}

static void fake_page(struct fake *f, uint64_t id, const struct slp_events_get *g, struct slp_buf *out)
{
    char stream[129] = "all";
    if (g->stream.n > 0) {
        memcpy(stream, g->stream.p, g->stream.n);
        stream[g->stream.n] = '\0';
    }
    pthread_mutex_lock(&f->lock);
    uint64_t last = f->event_last, end = g->since + (uint64_t)atomic_load(&f->page_rows) - 1;
    pthread_mutex_unlock(&f->lock);
    atomic_fetch_add(&f->events_gets, 1);
    end = end > last ? last : end;
    fake_events(out, id, stream, g->since, end, end + 1 > g->since ? end + 1 : g->since, end < last);
}

/* Three answers a unit, from ann, bob and cid: unit * 10, + 1, + 2. The last one came too late; of the others the first stands, of unit 1 nothing is decided; those of unit 2 were
 * placed. */
static void fake_answers(struct fake *f, uint64_t id, const struct slp_output_get *g, struct slp_buf *out)
{
    static const char *const names[] = {
        "unit",   "text", "judge.value",      "worker",          "done_wall_us", "assignment", "counted",
        "stands", "hub",  "assigned_wall_us", "started_wall_us", "active_us",    "place",      "entry"
    };
    static const char *const workers[] = { "ann", "bob", "cid" };
    struct slp_buf columns = { 0 }, rows = { 0 };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        slp_pack_cstr(&columns, names[i]);
    struct slp_output o = { .columns = { columns.p, (uint32_t)columns.n, sizeof names / sizeof *names } };
    uint64_t units = atomic_load(&f->units), u = g->after_unit + 1, k = g->after_answer;
    for (; u <= units && o.rows.count < (uint32_t)atomic_load(&f->page_rows); o.rows.count++) {
        slp_pack_array(&rows, sizeof names / sizeof *names);
        slp_pack_u64(&rows, u);
        slp_pack_cstr(&rows, "hello");
        slp_pack_u64(&rows, u * 10 + k);
        slp_pack_cstr(&rows, workers[k]);
        slp_pack_i64(&rows, 3000);
        slp_pack_u64(&rows, u * 3 + k);
        slp_pack_bool(&rows, k < 2);
        if (u == 1)
            slp_pack_nil(&rows);
        else
            slp_pack_bool(&rows, k == 0);
        slp_pack_cstr(&rows, "accra");
        slp_pack_i64(&rows, 1000);
        slp_pack_nil(&rows);
        slp_pack_u64(&rows, 77);
        if (u == 2)
            slp_pack_u64(&rows, k + 1);
        else
            slp_pack_nil(&rows);
        slp_pack_nil(&rows);
        k = (k + 1) % 3;
        u += k == 0;
    }
    o.rows.p = rows.p;
    o.rows.bytes = (uint32_t)rows.n;
    o.next_after = u - 1;
    o.more = u <= units;
    o.next_answer = k;
    if (k)
        SLP_SET(&o, output, next_answer);
    slp_encode(out, SLP_OUTPUT, id, &o);
    slp_buf_free(&columns);
    slp_buf_free(&rows);
}

static void fake_output(struct fake *f, uint64_t id, const struct slp_output_get *g, struct slp_buf *out)
{
    if (g->answers) {
        fake_answers(f, id, g, out);
        return;
    }
    struct slp_buf columns = { 0 }, rows = { 0 };
    atomic_fetch_add(&f->output_gets, 1);
    slp_pack_cstr(&columns, "unit");
    slp_pack_cstr(&columns, "value");
    struct slp_output o = { .columns = { columns.p, (uint32_t)columns.n, 2 } };
    uint64_t units = atomic_load(&f->units), u = g->after_unit + 1;
    for (; u <= units && o.rows.count < (uint32_t)atomic_load(&f->page_rows); u++, o.rows.count++) {
        slp_pack_array(&rows, 2);
        slp_pack_u64(&rows, u);
        slp_pack_u64(&rows, f->unit_value[u - 1]);
    }
    o.rows.p = rows.p;
    o.rows.bytes = (uint32_t)rows.n;
    o.next_after = u - 1;
    o.more = u <= units;
    slp_encode(out, SLP_OUTPUT, id, &o);
    slp_buf_free(&columns);
    slp_buf_free(&rows);
}

/* Hubs 1 .. FAKE_HUBS, named hub-NUMBER. */
static void fake_hubs(struct fake *f, uint64_t id, const struct slp_hubs_get *g, struct slp_buf *out)
{
    struct slp_buf rows = { 0 };
    struct slp_hubs m = { .more = false };
    uint64_t hub = g->after + 1;
    for (; hub <= FAKE_HUBS && m.rows.count < (uint32_t)atomic_load(&f->page_rows); hub++, m.rows.count++) {
        char name[32];
        snprintf(name, sizeof name, "hub-%u", (unsigned)hub);
        slp_pack_item(&rows, SLP_ITEM_hub_row,
                      &(struct slp_item_hub_row){ .hub = hub, .name = fb(name), .zone = fb("UTC") });
    }
    m.rows.p = rows.p;
    m.rows.bytes = (uint32_t)rows.n;
    m.more = hub <= FAKE_HUBS;
    slp_encode(out, SLP_HUBS, id, &m);
    slp_buf_free(&rows);
}

static void fake_run_info(struct fake *f, uint64_t id, struct slp_buf *out)
{
    struct slp_buf run = { 0 }, stations = { 0 };
    pthread_mutex_lock(&f->lock);
    slp_pack_item(&run, SLP_ITEM_run_row, &f->run);
    slp_pack_item(&stations, SLP_ITEM_station_row, &f->station);
    pthread_mutex_unlock(&f->lock);
    slp_encode(out, SLP_RUN_INFO, id,
               &(struct slp_run_info){ .run = { run.p, (uint32_t)run.n, 1 },
                                       .stations = { stations.p, (uint32_t)stations.n, 1 } });
    slp_buf_free(&run);
    slp_buf_free(&stations);
}

static void fake_line_apply(uint64_t id, struct slp_buf *out)
{
    struct slp_buf list = { 0 };
    slp_pack_item(&list, SLP_ITEM_problem,
                  &(struct slp_item_problem){ .path = fb("stations[0].type"), .text = fb("no such type") });
    slp_pack_item(&list, SLP_ITEM_problem, &(struct slp_item_problem){ .path = fb("input"), .text = fb("is missing") });
    struct slp_error e = { .code = SLP_E_BAD_LINE,
                           .retry = SLP_RETRY_NEVER,
                           .text = fb("2 mistakes"),
                           .problems = { list.p, (uint32_t)list.n, 2 } };
    e.has |= 1u << SLP_BIT_error_problems;
    slp_encode(out, SLP_ERROR, id, &e);
    slp_buf_free(&list);
}

static void fake_answer(struct fake *f, const struct slp_msg *m, struct slp_buf *out)
{
    struct slp_buf columns = { 0 };
    switch (m->type) {
    case SLP_INFO_GET: {
        struct slp_info i = { .version = fb("fake"),
                              .protocol = 1,
                              .store_id = fb(atomic_load(&f->other_store) ? "fedcba9876543210" : "0123456789abcdef"),
                              .events_endpoint = fb(f->events_endpoint) };
        pthread_mutex_lock(&f->lock);
        i.event_seq = f->event_last;
        pthread_mutex_unlock(&f->lock);
        i.has |= 1u << SLP_BIT_info_events_endpoint;
        atomic_fetch_add(&f->info_gets, 1);
        slp_encode(out, SLP_INFO, m->id, &i);
        break;
    }
    case SLP_RUN_START:
        slp_pack_cstr(&columns, "value");
        slp_encode(out, SLP_RUN_STARTED, m->id,
                   &(struct slp_run_started){
                       .run_id = FAKE_RUN, .version = 1, .columns = { columns.p, (uint32_t)columns.n, 1 } });
        slp_buf_free(&columns);
        break;
    case SLP_PUT: fake_put(f, m->id, &m->u.put, out); break;
    case SLP_PRODUCER_GET:
        slp_encode(out, SLP_PRODUCER, m->id,
                   &(struct slp_producer){ .epoch = f->producer_epoch, .last_seq = f->producer_seq });
        break;
    case SLP_HUBS_GET: fake_hubs(f, m->id, &m->u.hubs_get, out); break;
    case SLP_RUN_GET: fake_run_info(f, m->id, out); break;
    case SLP_OUTPUT_GET: fake_output(f, m->id, &m->u.output_get, out); break;
    case SLP_EVENTS_GET: fake_page(f, m->id, &m->u.events_get, out); break;
    case SLP_LINE_APPLY: fake_line_apply(m->id, out); break;
    default: slp_encode(out, SLP_DONE, m->id, &(struct slp_done){ .has = 0 }); break;
    }
}

static void fake_hold(struct fake *f, zmq_msg_t *peer, const struct slp_buf *body, uint32_t rows)
{
    assert(f->held_count < 512);
    uint32_t i = f->held_count++;
    zmq_msg_init(&f->held[i].peer);
    zmq_msg_copy(&f->held[i].peer, peer);
    f->held[i].body = (struct slp_buf){ 0 };
    slp_buf_add(&f->held[i].body, body->p, body->n);
    f->held[i].rows = rows;
    f->held_rows += rows;
    if (f->held_rows > atomic_load(&f->rows_held_max))
        atomic_store(&f->rows_held_max, f->held_rows);
}

static void fake_let_go(struct fake *f, bool send)
{
    for (uint32_t i = 0; i < f->held_count; i++) {
        if (send)
            fake_send(f, &f->held[i].peer, &f->held[i].body);
        zmq_msg_close(&f->held[i].peer);
        slp_buf_free(&f->held[i].body);
    }
    f->held_count = f->held_rows = 0;
}

static void fake_frame(struct fake *f, zmq_msg_t *peer, zmq_msg_t *body)
{
    struct slp_msg m;
    struct slp_fault fault;
    int rc = slp_decode(zmq_msg_data(body), zmq_msg_size(body), SLP_C2B, &m, &fault);
    assert(rc == 0); /* the library sends nothing malformed */
    atomic_fetch_add(&f->requests, 1);
    if (atomic_exchange(&f->last_request_id, m.id) == m.id)
        atomic_fetch_add(&f->same_id_seen, 1);
    bool put = m.type == SLP_PUT;
    if (put) {
        int n = atomic_fetch_add(&f->puts, 1) + 1;
        if ((int)m.u.put.rows.count > atomic_load(&f->put_rows_max))
            atomic_store(&f->put_rows_max, (int)m.u.put.rows.count);
        if (n == atomic_load(&f->swallow_put_at))
            return;
    }
    if (fake_take(&f->swallow_requests))
        return;
    struct slp_buf out = { 0 };
    if ((put || !atomic_load(&f->refuse_puts_only)) && fake_take(&f->refuse))
        fake_error(&out, m.id, atomic_load(&f->refuse_code), atomic_load(&f->refuse_retry),
                   atomic_load(&f->refuse_after_ms), "there");
    else
        fake_answer(f, &m, &out);
    if (fake_take(&f->other_type)) {
        slp_buf_clear(&out);
        slp_encode(&out, SLP_DONE, m.id, &(struct slp_done){ .has = 0 });
    }
    if (fake_take(&f->babble))
        out.n--; /* truncated; the id can still be read */
    if (fake_take(&f->swallow_answers))
        ;
    else if (put && atomic_load(&f->hold_puts))
        fake_hold(f, peer, &out, m.u.put.rows.count);
    else
        fake_send(f, peer, &out);
    slp_buf_free(&out);
}

static void fake_bind(struct fake *f)
{
    int zero = 0;
    f->router = zmq_socket(f->ctx, ZMQ_ROUTER);
    zmq_setsockopt(f->router, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(f->router, ZMQ_RCVHWM, &zero, sizeof zero);
    zmq_setsockopt(f->router, ZMQ_SNDHWM, &zero, sizeof zero);
    while (zmq_bind(f->router, *f->endpoint ? f->endpoint : "tcp://127.0.0.1:*") != 0) {
        assert(zmq_errno() == EADDRINUSE && *f->endpoint); /* the socket before is still being closed */
        usleep(1000);
    }
    size_t n = sizeof f->endpoint;
    zmq_getsockopt(f->router, ZMQ_LAST_ENDPOINT, f->endpoint, &n);
}

static void *fake_main(void *arg)
{
    struct fake *f = arg;
    for (;;) {
        zmq_pollitem_t items[] = { { .socket = f->control, .events = ZMQ_POLLIN },
                                   { .socket = f->router, .events = ZMQ_POLLIN } };
        zmq_poll(items, f->router ? 2 : 1, f->held_count ? 5 : -1);
        if (f->held_count && !atomic_load(&f->hold_puts))
            fake_let_go(f, true);
        if (items[0].revents) {
            char order = 0;
            zmq_recv(f->control, &order, 1, 0);
            if (f->router && (order == 'q' || order == 'd' || order == 'r')) {
                fake_let_go(f, false);
                zmq_close(f->router);
                f->router = NULL;
            }
            if (order == 'u' || order == 'r')
                fake_bind(f);
            atomic_fetch_add(&f->restarts, 1);
            zmq_send(f->control, "", 0, 0);
            if (order == 'q')
                return NULL;
            continue;
        }
        if (!f->router || !items[1].revents)
            continue;
        zmq_msg_t peer, body;
        zmq_msg_init(&peer);
        zmq_msg_init(&body);
        zmq_msg_recv(&peer, f->router, 0);
        assert(zmq_msg_more(&peer));
        zmq_msg_recv(&body, f->router, 0);
        assert(!zmq_msg_more(&body)); /* one frame, no delimiter */
        fake_frame(f, &peer, &body);
        zmq_msg_close(&peer);
        zmq_msg_close(&body);
    }
}

struct fake *fake_start(void)
{
    struct fake *f = calloc(1, sizeof *f);
    assert(f);
    pthread_mutex_init(&f->lock, NULL);
    atomic_store(&f->page_rows, 100);
    f->run =
        (struct slp_item_run_row){ .run_id = FAKE_RUN, .name = fb("r"), .line = fb("l"), .version = 1, .priority = 5 };
    f->station = (struct slp_item_station_row){ .station_id = 1, .line = fb("l"), .version = 1, .name = fb("s") };
    f->ctx = zmq_ctx_new();
    f->control = zmq_socket(f->ctx, ZMQ_PAIR);
    f->orders = zmq_socket(f->ctx, ZMQ_PAIR);
    zmq_bind(f->control, "inproc://control");
    zmq_connect(f->orders, "inproc://control");
    f->pub = zmq_socket(f->ctx, ZMQ_XPUB); /* used by the test's thread only */
    zmq_bind(f->pub, "tcp://127.0.0.1:*");
    size_t n = sizeof f->events_endpoint;
    zmq_getsockopt(f->pub, ZMQ_LAST_ENDPOINT, f->events_endpoint, &n);
    fake_bind(f);
    pthread_create(&f->thread, NULL, fake_main, f);
    return f;
}

void fake_order(struct fake *f, char order)
{
    char c;
    zmq_send(f->orders, &order, 1, 0);
    zmq_recv(f->orders, &c, 1, 0);
}

void fake_end(struct fake *f)
{
    int zero = 0;
    fake_order(f, 'q');
    pthread_join(f->thread, NULL);
    zmq_setsockopt(f->pub, ZMQ_LINGER, &zero, sizeof zero);
    zmq_close(f->pub);
    zmq_close(f->control);
    zmq_close(f->orders);
    zmq_ctx_term(f->ctx);
    slp_buf_free(&f->list);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

void fake_happen(struct fake *f, uint64_t last)
{
    pthread_mutex_lock(&f->lock);
    f->event_last = last;
    pthread_mutex_unlock(&f->lock);
}

void fake_publish(struct fake *f, const char *stream, uint64_t first, uint64_t last)
{
    struct slp_buf b = { 0 };
    fake_events(&b, 0, stream, first, last, last + 1, false);
    zmq_send(f->pub, stream, strlen(stream), ZMQ_SNDMORE);
    zmq_send(f->pub, b.p, b.n, 0);
    slp_buf_free(&b);
}
