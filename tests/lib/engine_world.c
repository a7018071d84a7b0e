/* The engine alone: see engine_world.h. */
#include "tests/lib/engine_world.h"

#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/linefile.h"
#include "proto/reader.h"
#include "tests/lib/check.h"

/* A call of the product; its code is in rc. */
#define CALL(w, call)                                                                                                  \
    do {                                                                                                               \
        if ((w)->around)                                                                                               \
            (w)->around(true);                                                                                         \
        call;                                                                                                          \
        if ((w)->around)                                                                                               \
            (w)->around(false);                                                                                        \
    } while (0)

static bool went(struct world *w, enum store_rc rc)
{
    if (rc != STORE_OK && !w->around) {
        fprintf(stderr, "the product fails: %d %s\n", rc, w->store ? store_error_text(w->store) : "");
        abort();
    }
    if (rc != STORE_OK && !w->failed)
        w->failed = rc;
    return rc == STORE_OK;
}

static void step(struct world *w, struct input *in)
{
    enum store_rc rc;
    if (w->failed)
        return;
    if (!w->t) {
        CALL(w, rc = store_begin(w->store, &w->t));
        if (!went(w, rc))
            return;
        CHECK(engine_batch_begin(w->engine, w->t, &w->out) == STORE_OK);
    }
    in->elapsed_us = w->now_us;
    in->wall_us = w->wall_us;
    CALL(w, rc = engine_step(w->engine, in));
    if (went(w, rc) && ++w->in_batch >= w->batch)
        world_flush(w);
}

void world_flush(struct world *w)
{
    enum store_rc rc;
    if (!w->t || w->failed)
        return;
    CALL(w, rc = engine_batch_end(w->engine); if (!rc) rc = store_commit(&w->t));
    if (!went(w, rc))
        return;
    if (w->watched)
        CHECK(engine_state_hash(w->store, w->hash) == STORE_OK);
    w->in_batch = 0;
    for (size_t i = 0; i < w->out.n; i++) {
        if (w->frames == w->cap)
            CHECK(w->frame = realloc(w->frame, (w->cap = w->cap * 2 + 16) * sizeof *w->frame));
        struct world_frame *f = &w->frame[w->frames++];
        f->peer = w->out.v[i].peer;
        f->n = w->out.v[i].n;
        CHECK(f->bytes = malloc(f->n + 1));
        memcpy(f->bytes, effect_frame(&w->out, &w->out.v[i]), f->n);
        struct slp_fault fault;
        CHECK(slp_decode(f->bytes, f->n, SLP_B2C | SLP_B2A | SLP_B2M, &f->m, &fault) == 0);
    }
}

void world_up(struct world *w)
{
    enum store_rc rc;
    struct store_options o = { .dir = w->dir, .map_bytes = 1 << 28, .wal_bytes = w->how.wal_bytes, .no_sync = true };
    uint8_t id[16] = "test store", hash[16];
    char text[200];
    w->failed = STORE_OK;
    CALL(w, rc = store_open(&w->store, &o, id, text, sizeof text));
    if (rc && !w->around)
        fprintf(stderr, "%s\n", text);
    if (!went(w, rc))
        return;
    if (w->watched) {
        CHECK(engine_state_hash(w->store, hash) == STORE_OK);
        CHECK(memcmp(hash, w->hash, sizeof hash) == 0);
        w->watched = false;
    }
    CALL(w, w->engine = engine_open(w->store, &w->cfg, &rc));
    if (!went(w, rc))
        return;
    CALL(w, w->reader = reader_new(w->store));
    if (!went(w, w->reader ? STORE_OK : STORE_NO_MEMORY))
        return;
    w->hellos = 0;
    struct input in = { .kind = INPUT_BOOT, .restart = 1000 * ++w->restarts };
    step(w, &in);
    world_flush(w);
}

void world_boot(struct world *w)
{
    world_flush(w);
    /* The engine counts its sessions on: what it has given is taken off, so that the next numbers are those of a new one. */
    struct input in = { .kind = INPUT_BOOT, .restart = 1000 * ++w->restarts - w->hellos };
    step(w, &in);
    world_flush(w);
}

void world_open(struct world *w)
{
    world_open_with(w, (struct world_how){ 0 });
}

void world_open_with(struct world *w, struct world_how how)
{
    struct engine_config cfg = w->cfg;
    memset(w, 0, sizeof *w);
    w->cfg = cfg;
    w->how = how;
    strcpy(w->dir, access("/dev/shm", W_OK) == 0 ? "/dev/shm/sunline-engine-XXXXXX" : "/tmp/sunline-engine-XXXXXX");
    CHECK(mkdtemp(w->dir));
    w->now_us = 1000000;
    w->wall_us = 1700000000000000;
    w->batch = 1;
    world_up(w);
}

void world_down(struct world *w)
{
    store_abort(&w->t);
    reader_free(&w->reader);
    engine_close(&w->engine);
    store_close(&w->store);
    w->in_batch = 0;
}

void world_restart(struct world *w)
{
    world_down(w);
    world_up(w);
}

void world_clear(struct world *w)
{
    for (size_t i = 0; i < w->frames; i++)
        free(w->frame[i].bytes);
    w->frames = 0;
}

void world_end(struct world *w)
{
    world_check(w);
    world_close(w);
}

void world_close(struct world *w)
{
    world_down(w);
    world_clear(w);
    free(w->frame);
    effects_free(&w->out);
    for (size_t i = 0; i < 256; i++)
        slp_buf_free(&w->kept[i]);
    DIR *d = opendir(w->dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[400];
        snprintf(path, sizeof path, "%s/%s", w->dir, e->d_name);
        if (e->d_name[0] != '.')
            unlink(path);
    }
    if (d)
        closedir(d);
    rmdir(w->dir);
}

void world_batch(struct world *w, unsigned inputs)
{
    world_flush(w);
    CHECK(inputs < 256);
    w->batch = inputs;
}

void world_tick(struct world *w)
{
    struct input in = { .kind = INPUT_TICK };
    step(w, &in);
}

void world_pass(struct world *w, int64_t us)
{
    int64_t end = w->now_us + us;
    world_flush(w);
    for (unsigned i = 0; i < 100000 && !w->failed; i++) {
        int64_t due = engine_next_due_us(w->engine);
        bool more = engine_backlog(w->engine);
        if (!more && due > end)
            break;
        int64_t to = more || due < w->now_us ? w->now_us : due;
        w->wall_us += to - w->now_us;
        w->now_us = to;
        world_tick(w);
        world_flush(w);
    }
    w->wall_us += end - w->now_us;
    w->now_us = end;
    world_tick(w);
    world_flush(w);
}

struct slp_msg *world_send(struct world *w, uint64_t peer, uint64_t type, const void *any)
{
    struct slp_buf *b = &w->kept[w->in_batch]; /* messages point into it until the batch ends */
    struct slp_msg m;
    struct slp_fault fault;
    if (w->failed)
        return &w->nothing;
    slp_buf_clear(b);
    CHECK(slp_encode(b, type, ++w->next_id, any) == 0);
    if (slp_decode(b->p, b->n, SLP_C2B | SLP_A2B, &m, &fault)) {
        fprintf(stderr, "the test's own message is refused: %s at %s\n", slp_error_name(fault.code), fault.place);
        abort();
    }
    uint64_t id = w->next_id;
    struct input in = { .kind = INPUT_MESSAGE, .peer = peer, .msg = &m };
    step(w, &in);
    if (w->failed)
        return &w->nothing;
    for (size_t i = w->frames; i-- > 0;)
        if (w->frame[i].peer == peer && w->frame[i].m.id == id)
            return w->refusals && w->frame[i].m.type == SLP_ERROR ? &w->nothing : &w->frame[i].m;
    return NULL;
}

struct slp_msg *world_read(struct world *w, uint64_t type, const void *any)
{
    struct slp_buf b = { 0 }, out = { 0 };
    struct slp_msg m;
    struct slp_fault fault;
    int rc;
    world_flush(w);
    if (w->failed)
        return &w->nothing;
    CHECK(slp_encode(&b, type, ++w->next_id, any) == 0);
    CHECK(slp_decode(b.p, b.n, SLP_C2B, &m, &fault) == 0);
    CALL(w, rc = reader_answer(w->reader, &m, w->now_us, &out));
    slp_buf_free(&b);
    if (!went(w, rc ? STORE_IO : STORE_OK)) {
        slp_buf_free(&out);
        return &w->nothing;
    }
    if (w->frames == w->cap)
        CHECK(w->frame = realloc(w->frame, (w->cap = w->cap * 2 + 16) * sizeof *w->frame));
    struct world_frame *f = &w->frame[w->frames++];
    *f = (struct world_frame){ .peer = WORLD_CLIENT, .bytes = out.p, .n = out.n };
    CHECK(slp_decode(f->bytes, f->n, SLP_B2C | SLP_B2M, &f->m, &fault) == 0);
    if (w->around && f->m.type == SLP_ERROR && f->m.u.error.code == SLP_E_CORRUPT)
        w->failed = STORE_CORRUPT;
    return &f->m;
}

void world_publish(struct world *w, bool (*wanted)(void *, const char *topic),
                   void (*emit)(void *, const char *topic, const char *body, size_t n), void *arg)
{
    int rc;
    world_flush(w);
    if (w->failed)
        return;
    CALL(w, rc = reader_publish(w->reader, 1, UINT64_MAX / 2, wanted, emit, arg));
    went(w, rc ? STORE_IO : STORE_OK);
}

void world_settle(struct world *w)
{
    enum store_rc rc;
    world_flush(w);
    if (w->failed)
        return;
    CALL(w, rc = store_settle(w->store, SETTLE_ALL));
    went(w, rc);
}

struct slp_msg *world_sent(struct world *w, uint64_t peer, uint64_t type, size_t i)
{
    for (size_t k = 0; k < w->frames; k++)
        if (w->frame[k].peer == peer && w->frame[k].m.type == type && i-- == 0)
            return &w->frame[k].m;
    return NULL;
}

void world_hash(struct world *w, uint8_t hash[16])
{
    world_flush(w);
    CHECK(engine_state_hash(w->store, hash) == STORE_OK);
}

void world_watch(struct world *w)
{
    world_hash(w, w->hash);
    w->watched = true;
}

/* ---- shorthands ---- */

struct slp_bytes world_str(const char *s)
{
    return (struct slp_bytes){ s, (uint32_t)strlen(s) };
}

static void agreed(const struct slp_msg *m, uint64_t type)
{
    CHECK(m);
    if (!m->type) /* the product has failed, and may */
        return;
    if (m->type == SLP_ERROR && type != SLP_ERROR) {
        fprintf(stderr, "refused: %s %.*s\n", slp_error_name(m->u.error.code), (int)m->u.error.text.n,
                m->u.error.text.p);
        struct slp_cursor c = slp_each(m->u.error.problems);
        for (struct slp_item_problem p; slp_next_problem(&c, &p);)
            fprintf(stderr, "  %.*s: %.*s\n", (int)p.path.n, p.path.p, (int)p.text.n, p.text.p);
    }
    CHECK(m->type == type);
}

uint32_t world_line(struct world *w, const char *yaml)
{
    struct linefile *f = linefile_parse("test.yml", yaml, strlen(yaml));
    CHECK(f);
    if (linefile_check(f))
        fprintf(stderr, "%s\n", linefile_problem(f, 0));
    CHECK(linefile_problem_count(f) == 0);
    struct slp_bytes packed = linefile_packed(f);
    struct slp_line_apply q = { .definition = packed };
    struct slp_msg *m = world_send(w, WORLD_CLIENT, SLP_LINE_APPLY, &q);
    agreed(m, SLP_LINE_APPLIED);
    struct slp_line_get g = { .line = m->u.line_applied.line };
    m = world_send(w, WORLD_CLIENT, SLP_LINE_GET, &g);
    agreed(m, SLP_LINE);
    struct slp_cursor c = slp_each(m->u.line.stations);
    struct slp_item_station_row row = { .station_id = 0 };
    CHECK(slp_next_station_row(&c, &row) || !m->type);
    linefile_free(&f);
    return (uint32_t)row.station_id;
}

uint64_t world_run(struct world *w, const char *line, const char *name)
{
    struct slp_run_start q = { .line = world_str(line), .name = world_str(name) };
    struct slp_msg *m = world_send(w, WORLD_CLIENT, SLP_RUN_START, &q);
    agreed(m, SLP_RUN_STARTED);
    return m->u.run_started.run_id;
}

uint64_t world_put(struct world *w, uint64_t run_id, unsigned n)
{
    struct slp_buf b = { 0 };
    for (unsigned i = 0; i < n; i++) {
        char s[32];
        snprintf(s, sizeof s, "unit %u", ++w->units_put);
        slp_pack_array(&b, 1);
        slp_pack_cstr(&b, s);
    }
    struct slp_put q = { .run_id = run_id, .rows = { b.p, (uint32_t)b.n, n } };
    struct slp_msg *m = world_send(w, WORLD_CLIENT, SLP_PUT, &q);
    slp_buf_free(&b);
    if (w->batch > 1)
        return 0; /* the answer comes with the commit */
    agreed(m, SLP_PUT_DONE);
    CHECK(m->u.put_done.accepted == n);
    return m->u.put_done.first_unit;
}

void world_put_keyed(struct world *w, uint64_t run_id, unsigned n)
{
    struct slp_buf rows = { 0 }, keys = { 0 };
    for (unsigned i = 0; i < n; i++) {
        char s[32];
        snprintf(s, sizeof s, "unit %u", ++w->units_put);
        slp_pack_array(&rows, 1);
        slp_pack_cstr(&rows, s);
        slp_pack_cstr(&keys, s);
    }
    struct slp_put q = { .run_id = run_id,
                         .rows = { rows.p, (uint32_t)rows.n, n },
                         .keys = { keys.p, (uint32_t)keys.n, n } };
    SLP_SET(&q, put, keys);
    struct slp_msg *m = world_send(w, WORLD_CLIENT, SLP_PUT, &q);
    slp_buf_free(&rows);
    slp_buf_free(&keys);
    agreed(m, SLP_PUT_DONE);
    CHECK(m->u.put_done.accepted == n);
}

struct slp_msg *world_run_get(struct world *w, const char *name)
{
    struct slp_run_get q = { .run = world_str(name) };
    struct slp_msg *m = world_send(w, WORLD_CLIENT, SLP_RUN_GET, &q);
    agreed(m, SLP_RUN_INFO);
    return m;
}

uint64_t world_count(struct world *w, const char *run, const char *station, enum task_state s)
{
    struct slp_msg *m = world_run_get(w, run);
    struct slp_cursor c = slp_each(m->u.run_info.stations);
    for (struct slp_item_station_row r; slp_next_station_row(&c, &r);)
        if (r.name.n == strlen(station) && !memcmp(r.name.p, station, r.name.n)) {
            uint64_t v[TASK_STATES] = { r.blocked, r.waiting, r.ready, r.assigned, r.started,
                                        r.done,    r.skipped, r.dead,  r.ended };
            return v[s];
        }
    CHECK(!"no such station");
    return 0;
}

void world_hello(struct world *w, struct world_hub *h, const uint64_t *held, size_t n)
{
    struct slp_buf b = { 0 };
    for (size_t i = 0; i < n; i++)
        slp_pack_u64(&b, held[i]);
    struct slp_hello q = { .hub = world_str(h->name),
                           .incarnation = 1,
                           .data_id = { (char *)h->id, 16 },
                           .zone = world_str("Africa/Nairobi"),
                           .roster_digest = { (char *)h->roster, 32 },
                           .held = { b.p, (uint32_t)b.n, (uint32_t)n },
                           .wall_us = w->wall_us };
    struct slp_msg *m = world_send(w, h->peer, SLP_HELLO, &q);
    slp_buf_free(&b);
    w->hellos++;
    agreed(m, SLP_WELCOME);
    h->session = m->u.welcome.session;
    memset(h->granted, 0, sizeof h->granted);
    if (!m->u.welcome.roster_wanted)
        return;
    CHECK(!memcmp(h->roster, h->id, sizeof h->id) || w->around); /* it would not be the one that the test means */
    for (unsigned i = 0; i < h->workers; i++) {
        char name[48];
        snprintf(name, sizeof name, "%s-%u", h->name, i);
        struct slp_item_worker_def d = { .name = world_str(name), .kind = h->kind, .capacity = 10 };
        slp_pack_item(&b, SLP_ITEM_worker_def, &d);
    }
    struct slp_roster r = { .session = h->session,
                            .digest = { (char *)h->roster, 32 },
                            .workers = { b.p, (uint32_t)b.n, h->workers },
                            .last = true };
    m = world_send(w, h->peer, SLP_ROSTER, &r);
    slp_buf_free(&b);
    agreed(m, SLP_ROSTER_DONE);
    struct slp_cursor c = slp_each(m->u.roster_done.workers);
    for (unsigned i = 0; i < h->workers; i++)
        CHECK((slp_next_u64(&c, &h->worker[i]) && h->worker[i]) || !m->type || w->refusals);
}

void world_hub(struct world *w, struct world_hub *h, const char *name, unsigned n, unsigned kind)
{
    static uint64_t peers = 100;
    memset(h, 0, sizeof *h);
    CHECK(n <= 8);
    h->peer = ++peers;
    h->workers = n;
    h->kind = kind;
    snprintf(h->name, sizeof h->name, "%s", name);
    snprintf((char *)h->id, sizeof h->id, "id %s", name);
    memcpy(h->roster, h->id, sizeof h->id);
    world_hello(w, h, NULL, 0);
}

void world_shift(struct world *w, struct world_hub *h, const char *name, const int64_t *in_s, unsigned n,
                 int64_t overtime_us)
{
    struct slp_buf times = { 0 }, item = { 0 };
    uint8_t digest[32];
    memset(digest, (int)(++w->next_id % 255 + 1), sizeof digest);
    for (unsigned i = 0; i < n; i++)
        slp_pack_u64(&times, (uint64_t)(w->wall_us + in_s[i] * 1000000));
    struct slp_item_shift_def d = { .name = world_str(name),
                                    .zone = world_str("Africa/Nairobi"),
                                    .text = world_str("as the test says"),
                                    .overtime_us = (uint64_t)overtime_us,
                                    .times = { times.p, (uint32_t)times.n, n } };
    slp_pack_item(&item, SLP_ITEM_shift_def, &d);
    struct slp_shifts q = { .session = h->session,
                            .digest = { (char *)digest, 32 },
                            .shifts = { item.p, (uint32_t)item.n, 1 },
                            .until_wall_us = w->wall_us + 8 * 86400000000ll,
                            .last = true };
    agreed(world_send(w, h->peer, SLP_SHIFTS, &q), SLP_DONE);
    slp_buf_free(&times);
    slp_buf_free(&item);
}

void world_roster_by(struct world *w, struct world_hub *h, const char *shift)
{
    struct slp_buf b = { 0 };
    uint8_t digest[32];
    memset(digest, (int)(++w->next_id % 255 + 1), sizeof digest);
    for (unsigned i = 0; i < h->workers; i++) {
        char name[48];
        snprintf(name, sizeof name, "%s-%u", h->name, i);
        struct slp_item_worker_def d = { .name = world_str(name), .kind = h->kind, .capacity = 10 };
        if (shift) {
            d.shift = world_str(shift);
            SLP_SET(&d, item_worker_def, shift);
        }
        slp_pack_item(&b, SLP_ITEM_worker_def, &d);
    }
    struct slp_roster r = { .session = h->session,
                            .digest = { (char *)digest, 32 },
                            .workers = { b.p, (uint32_t)b.n, h->workers },
                            .last = true };
    struct slp_msg *m = world_send(w, h->peer, SLP_ROSTER, &r);
    agreed(m, SLP_ROSTER_DONE);
    if (m->type == SLP_ROSTER_DONE)
        memcpy(h->roster, digest, sizeof digest);
    slp_buf_free(&b);
}

void world_credit(struct world *w, struct world_hub *h, unsigned worker, unsigned more)
{
    struct slp_buf b = { 0 };
    h->granted[worker] += more;
    struct slp_item_credit it = { .worker = h->worker[worker], .total = h->granted[worker] };
    slp_pack_item(&b, SLP_ITEM_credit, &it);
    struct slp_credit q = { .session = h->session, .grants = { b.p, (uint32_t)b.n, 1 } };
    SLP_SET(&q, credit, grants);
    world_send(w, h->peer, SLP_CREDIT, &q);
    slp_buf_free(&b);
}

size_t world_tasks(struct world *w, struct world_hub *h, struct world_task *v, size_t max)
{
    size_t n = 0;
    struct slp_msg *m;
    world_flush(w);
    for (size_t i = 0; (m = world_sent(w, h->peer, SLP_PUSH, i)); i++) {
        struct slp_cursor c = slp_each(m->u.push.assignments);
        for (struct slp_item_assignment a; slp_next_assignment(&c, &a) && n < max;)
            v[n++] = (struct world_task){ a.assignment, a.worker, a.attempt, (uint32_t)m->u.push.station_id };
    }
    return n;
}

static enum slp_code first_outcome(const struct slp_msg *m, int64_t *lease_us)
{
    if (!m)
        return SLP_E_OK;
    if (m->type == SLP_ERROR)
        return (enum slp_code)m->u.error.code;
    if (!m->type)
        return SLP_E_OK;
    CHECK(m->type == SLP_OUTCOMES);
    struct slp_cursor c = slp_each(m->u.outcomes.outcomes);
    struct slp_item_outcome o = { .code = SLP_E_OK, .lease_us = -1 };
    slp_next_outcome(&c, &o);
    if (lease_us)
        *lease_us = o.lease_us;
    return (enum slp_code)o.code;
}

enum slp_code world_submit(struct world *w, struct world_hub *h, const struct world_task *t, const char *answer)
{
    struct slp_buf v = { 0 }, b = { 0 };
    slp_pack_cstr(&v, answer);
    struct slp_item_result it = { .assignment = t->assignment,
                                  .worker = t->worker,
                                  .values = { v.p, (uint32_t)v.n, 1 } };
    slp_pack_item(&b, SLP_ITEM_result, &it);
    struct slp_submit q = { .session = h->session, .results = { b.p, (uint32_t)b.n, 1 } };
    enum slp_code code = first_outcome(world_send(w, h->peer, SLP_SUBMIT, &q), NULL);
    slp_buf_free(&v);
    slp_buf_free(&b);
    return code;
}

enum slp_code world_act(struct world *w, struct world_hub *h, const struct world_task *t, unsigned act,
                        const char *reason, int64_t *lease_us)
{
    struct slp_buf b = { 0 };
    struct slp_item_act it = { .act = act, .assignment = t->assignment, .worker = t->worker };
    if (reason) {
        it.reason = world_str(reason);
        SLP_SET(&it, item_act, reason);
    }
    slp_pack_item(&b, SLP_ITEM_act, &it);
    struct slp_acts q = { .session = h->session, .acts = { b.p, (uint32_t)b.n, 1 } };
    enum slp_code code = first_outcome(world_send(w, h->peer, SLP_ACTS, &q), lease_us);
    slp_buf_free(&b);
    return code;
}

/* ---- commands of operators ---- */

enum slp_code world_code(const struct slp_msg *m)
{
    CHECK(m);
    return m->type == SLP_ERROR ? (enum slp_code)m->u.error.code
                                : SLP_E_OK; /* OK also for a product that failed, and may */
}

enum slp_code world_run_set(struct world *w, const char *run, unsigned action, unsigned priority)
{
    struct slp_run_set q = { .run = world_str(run), .action = action, .priority = priority, .force = true };
    if (action == RUN_SET_PRIORITY)
        SLP_SET(&q, run_set, priority);
    if (action == RUN_SET_DELETE)
        SLP_SET(&q, run_set, force);
    return world_code(world_send(w, WORLD_CLIENT, SLP_RUN_SET, &q));
}

enum slp_code world_line_set(struct world *w, const char *line, unsigned action, bool force)
{
    struct slp_line_set q = { .line = world_str(line), .action = action, .force = force };
    SLP_SET(&q, line_set, force);
    return world_code(world_send(w, WORLD_CLIENT, SLP_LINE_SET, &q));
}

enum slp_code world_station_set(struct world *w, const char *line, const char *station, unsigned action)
{
    struct slp_station_set q = { .line = world_str(line), .station = world_str(station), .action = action };
    return world_code(world_send(w, WORLD_CLIENT, SLP_STATION_SET, &q));
}

uint64_t world_tasks_set(struct world *w, uint32_t station_id, unsigned action, const char *run, const uint64_t *unit,
                         unsigned n)
{
    struct slp_buf b = { 0 };
    struct slp_tasks_set q = { .station_id = station_id, .action = action, .reason = world_str("by hand") };
    SLP_SET(&q, tasks_set, reason);
    for (unsigned i = 0; i < n; i++)
        slp_pack_u64(&b, unit[i]);
    if (run) {
        q.run = world_str(run);
        SLP_SET(&q, tasks_set, run);
    }
    if (n) {
        q.units = (struct slp_list){ b.p, (uint32_t)b.n, n };
        SLP_SET(&q, tasks_set, units);
    }
    struct slp_msg *m = world_send(w, WORLD_CLIENT, SLP_TASKS_SET, &q);
    slp_buf_free(&b);
    agreed(m, SLP_DONE);
    return m->u.done.count;
}

void world_sign_off(struct world *w, struct world_hub *h, unsigned worker)
{
    struct slp_buf b = { 0 };
    slp_pack_u64(&b, h->worker[worker]);
    struct slp_credit q = { .session = h->session, .sign_off = { b.p, (uint32_t)b.n, 1 } };
    SLP_SET(&q, credit, sign_off);
    world_send(w, h->peer, SLP_CREDIT, &q);
    slp_buf_free(&b);
}

void world_beat(struct world *w, struct world_hub *h)
{
    struct slp_heartbeat q = { .session = h->session, .wall_us = w->wall_us };
    world_send(w, h->peer, SLP_HEARTBEAT, &q);
}

/* ---- looking into packed values ---- */

struct slp_bytes world_at(struct slp_bytes value, const char *path)
{
    struct slr r = slr_on(value.p, value.n);
    struct slr_value v;
    while (*path) {
        if (slr_next(&r, &v))
            return (struct slp_bytes){ NULL, 0 };
        if (*path == '[') {
            unsigned long i = strtoul(path + 1, (char **)(uintptr_t)&path, 10);
            CHECK(*path++ == ']');
            if (v.type != SLR_ARRAY || i >= v.n)
                return (struct slp_bytes){ NULL, 0 };
            while (i--)
                CHECK(slr_skip(&r, 16) == 0);
        } else {
            char key[64];
            size_t n = strcspn(path, ".[");
            CHECK(n < sizeof key);
            memcpy(key, path, n);
            key[n] = 0;
            path += n;
            if (v.type != SLR_MAP || !slr_find(r, v.n, key, &r))
                return (struct slp_bytes){ NULL, 0 };
        }
        path += *path == '.';
    }
    struct slr end = r;
    CHECK(slr_skip(&end, 16) == 0);
    return (struct slp_bytes){ r.p, (uint32_t)(end.p - r.p) };
}

uint64_t world_number(struct slp_bytes value)
{
    struct slr r = slr_on(value.p, value.n);
    struct slr_value v;
    return value.n && !slr_next(&r, &v) && v.type == SLR_U64 ? v.u64 : UINT64_MAX;
}

static struct slp_bytes story(struct world *w, const char *run, uint64_t unit, const char *path)
{
    struct slp_unit_get q = { .run = world_str(run), .unit = unit };
    struct slp_msg *m = world_read(w, SLP_UNIT_GET, &q);
    agreed(m, SLP_UNIT);
    return world_at(m->u.unit.story, path);
}

/* A reader's answer that nobody needs any more. */
static void forget_last(struct world *w)
{
    free(w->frame[--w->frames].bytes);
}

uint64_t world_story(struct world *w, const char *run, uint64_t unit, const char *path)
{
    uint64_t n = world_number(story(w, run, unit, path));
    forget_last(w);
    return n;
}

bool world_story_is(struct world *w, const char *run, uint64_t unit, const char *path, const char *text)
{
    struct slp_bytes b = story(w, run, unit, path);
    struct slr r = slr_on(b.p, b.n);
    struct slr_value v;
    bool is = b.n && !slr_next(&r, &v) && v.type == SLR_STR && slr_str_is(&v, text);
    forget_last(w);
    return is;
}

const char *world_shown(struct world *w, struct world_hub *h, uint64_t assignment, unsigned i)
{
    static char text[256];
    struct slp_msg *m;
    for (size_t k = 0; (m = world_sent(w, h->peer, SLP_PUSH, k)); k++) {
        struct slp_cursor c = slp_each(m->u.push.assignments);
        for (struct slp_item_assignment a; slp_next_assignment(&c, &a);) {
            struct slp_cursor f = slp_each(a.fields);
            struct slp_bytes raw;
            if (a.assignment != assignment)
                continue;
            for (unsigned at = 0; slp_next_raw(&f, &raw); at++) {
                struct slr r = slr_on(raw.p, raw.n);
                struct slr_value v;
                if (at < i)
                    continue;
                CHECK(slr_next(&r, &v) == 0 && (v.type == SLR_NIL || v.type == SLR_STR));
                snprintf(text, sizeof text, "%.*s", v.type == SLR_NIL ? 1 : (int)v.n, v.type == SLR_NIL ? "-" : v.p);
                return text;
            }
            return "";
        }
    }
    return "not pushed";
}

/* ---- counting again ---- */

static void check_run(struct world *w, const struct slp_item_run_row *row)
{
    char name[SL_NAME_BYTES_MAX + 1];
    uint64_t states[4] = { 0 }, dead = 0, *task = calloc(SL_LINE_STATIONS_MAX * TASK_STATES, sizeof *task);
    CHECK(task);
    memcpy(name, row->name.p, row->name.n);
    name[row->name.n] = 0;
    uint32_t stations = world_run_get(w, name)->u.run_info.stations.count;
    for (uint64_t u = 1; u <= row->units; u++) {
        struct slp_unit_get q = { .run = world_str(name), .unit = u };
        struct slp_msg *m = world_read(w, SLP_UNIT_GET, &q);
        agreed(m, SLP_UNIT);
        uint64_t s = world_number(world_at(m->u.unit.story, "state"));
        bool any_dead = false;
        CHECK(s < 4);
        states[s]++;
        for (uint32_t i = 0; i < stations; i++) {
            char path[40];
            snprintf(path, sizeof path, "stations[%u].state", i);
            uint64_t t = world_number(world_at(m->u.unit.story, path));
            CHECK(t < TASK_STATES);
            task[i * TASK_STATES + t]++;
            any_dead = any_dead || t == TASK_DEAD;
        }
        dead += any_dead;
        forget_last(w);
    }
    struct slp_cursor c = slp_each(world_run_get(w, name)->u.run_info.stations);
    struct slp_item_station_row r;
    for (uint32_t i = 0; slp_next_station_row(&c, &r); i++) {
        uint64_t v[TASK_STATES] = { r.blocked, r.waiting, r.ready, r.assigned, r.started,
                                    r.done,    r.skipped, r.dead,  r.ended };
        for (int k = 0; k < TASK_STATES; k++)
            if (v[k] != task[i * TASK_STATES + k]) {
                fprintf(stderr, "run %s, station %u, state %d: the counter says %llu, the units %llu\n", name, i, k,
                        (unsigned long long)v[k], (unsigned long long)task[i * TASK_STATES + k]);
                abort();
            }
    }
    CHECK(states[UNIT_DONE] == row->done && states[UNIT_DROPPED] == row->dropped &&
          states[UNIT_CANCELLED] == row->cancelled);
    CHECK(dead == row->dead);
    free(task);
}

unsigned world_named(struct world *w, char *text, size_t size)
{
    uint8_t next[160];
    uint32_t next_n = 0;
    unsigned named = 0;
    size_t len = 0;
    text[0] = '\0';
    do {
        struct slp_check_get q = { .after = { (const char *)next, next_n } };
        if (next_n)
            SLP_SET(&q, check_get, after);
        struct slp_msg *m = world_read(w, SLP_CHECK_GET, &q);
        agreed(m, SLP_CHECK);
        struct slp_cursor c = slp_each(m->u.check.damage);
        for (struct slp_bytes d; slp_next_str(&c, &d); named++)
            if (len + d.n + 2 < size)
                len += (size_t)snprintf(text + len, size - len, "%.*s\n", (int)d.n, d.p);
        next_n = m->u.check.next.n;
        if (next_n)
            memcpy(next, m->u.check.next.p, next_n);
    } while (next_n);
    return named;
}

void world_check(struct world *w)
{
    struct slp_runs_get q = { 0 };
    world_batch(w, 1);
    struct slp_msg *m = world_send(w, WORLD_CLIENT, SLP_RUNS_GET, &q);
    agreed(m, SLP_RUNS);
    CHECK(!m->u.runs.more);
    struct slp_cursor c = slp_each(m->u.runs.rows); /* its bytes stay where they are when more frames come in */
    for (struct slp_item_run_row row; slp_next_run_row(&c, &row);)
        check_run(w, &row);
    static char text[4000];
    if (world_named(w, text, sizeof text) != 0) {
        fprintf(stderr, "%s", text);
        CHECK(!"a record refers to what is not there");
    }
}

void world_scene(struct world_scene *s, const char *yaml, unsigned workers, unsigned kind)
{
    char line[SL_NAME_BYTES_MAX + 1];
    assert(sscanf(yaml, "line: %64s", line) == 1);
    memset(s, 0, sizeof *s);
    world_open(&s->w);
    s->station = world_line(&s->w, yaml);
    s->run = world_run(&s->w, line, "r");
    world_hub(&s->w, &s->h, "hub", workers, kind);
    world_clear(&s->w);
}

size_t world_take(struct world_scene *s, unsigned worker, unsigned n)
{
    world_clear(&s->w);
    world_credit(&s->w, &s->h, worker, n);
    return world_tasks(&s->w, &s->h, s->t, sizeof s->t / sizeof s->t[0]);
}
