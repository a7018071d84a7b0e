/* Delivery: from the outbox to the sockets. All of it is on disk, or was read from there. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "broker/files.h"
#include "broker/parts.h"

static uint64_t resident_bytes(void)
{
    char text[128];
    unsigned long long all, resident;
    if (file_read("/proc/self", "statm", text, sizeof text) < 0 || sscanf(text, "%llu %llu", &all, &resident) != 2) {
        return 0;
    }
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void add_traffic(const struct loop *l, struct figures *f)
{
    const struct transport_counters *t = transport_counters(l->transport);
    const struct {
        const char *key;
        uint64_t value;
    } all[] = {
        { "messages_in_total", t->messages_in },
        { "bytes_in_total", t->bytes_in },
        { "messages_out_total", t->messages_out },
        { "bytes_out_total", t->bytes_out },
        { "out_waiting_bytes", transport_waiting_bytes(l->transport) },
        { "dropped_slow_total", t->dropped_slow },
        { "dropped_gone_total", t->dropped_gone },
        { "dropped_memory_total", t->dropped_memory },
        { "refused_total", l->refused }, /* those of several frames, too */
        { "busy_answers_total", l->busy_answers },
        { "peers_clients", transport_peers(l->transport, SIDE_CLIENTS) },
        { "peers_agents", transport_peers(l->transport, SIDE_AGENTS) },
        { "peers_refused_total", t->peers_refused },
        { "connections", transport_connections(l->transport) },
        { "connections_cut_total", t->connections_cut },
        { "subscriptions", topics_count(l->topics) },
        { "published_frames_total", t->published },
        { "published_bytes_total", t->published_bytes },
        { "publish_behind_events", publisher_behind(l->publisher) },
        { "publish_skipped_events_total", publisher_skipped(l->publisher) },
        { "reads_waiting", readers_waiting(l->readers) },
        { "resident_bytes", resident_bytes() },
        { "uptime_us", (uint64_t)(clock_boot_us() - l->started_us) },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        figures_add(f, all[i].key, all[i].value);
    }
}

static void add_commits(const struct loop *l, struct figures *f)
{
    struct committer_figures c;
    committer_figures(l->committer, &c);
    figures_add_histogram(f, "commit_us", &c.commit_us);
    figures_add_histogram(f, "batch_us", &c.batch_us);
    figures_add_histogram(f, "batch_messages", &c.batch_items);
    const struct {
        const char *key;
        uint64_t value;
    } all[] = {
        { "commit_beside_us_total", c.beside_us },
        { "store_appends_total", c.store.appends },
        { "store_seeks_total", c.store.seeks },
        { "store_wal_bytes_total", c.store.wal_bytes },
        { "store_settles_total", c.store.settles },
        { "store_settle_us_total", c.store.settle_us_total },
        { "store_steps_total", c.store.steps },
        { "store_map_bytes", c.space.map_bytes },
        { "store_used_bytes", c.space.used_bytes },
        { "store_free_map_bytes", c.space.free_map_bytes },
        { "store_disk_free_bytes", c.space.disk_free_bytes },
        { "store_full", c.space.full },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        figures_add(f, all[i].key, all[i].value);
    }
}

/* The engine answers STATS_GET with its figures; ours go beside them. */
static bool merge_figures(struct loop *l, const char *body, size_t n)
{
    struct figures f = { 0 };
    add_traffic(l, &f);
    add_commits(l, &f);
    bool merged = figures_merge(&f, body, n, &l->scratch_merged) == 0;
    figures_free(&f);
    return merged;
}

static void note_drop(struct loop *l, uint64_t peer, enum transport_sent sent, int64_t now_us)
{
    uint64_t suppressed;
    if (sent == SENT_GONE || !log_allowed(&l->drops, now_us, &suppressed)) {
        return; /* that peers leave is the way of the world */
    }
    struct log_line line;
    log_begin(&line, LOG_LEVEL_WARN, "dropped");
    log_u64(&line, "peer", peer);
    log_str(&line, "why", sent == SENT_SLOW ? "it does not read what waits for it" : "out of memory");
    log_u64(&line, "suppressed", suppressed);
    log_end(&line);
}

static void log_key_reuse(struct loop *l, const struct key_reuse *k, int64_t now_us)
{
    uint64_t suppressed;
    if (!k->times || !log_allowed(&l->reuses, now_us, &suppressed)) {
        return;
    }
    struct log_line line;
    log_begin(&line, LOG_LEVEL_WARN, "key_reused");
    log_str(&line, "run", k->run);
    log_str(&line, "place", k->place);
    if (k->key_bytes) {
        log_strn(&line, "key", k->key, k->key_bytes);
    }
    log_u64(&line, "times", k->times);
    log_u64(&line, "suppressed", suppressed);
    log_end(&line);
}

static void send_replies(struct loop *l, struct parcel *p, int64_t now_us)
{
    struct effects *e = &p->effects;
    for (size_t i = 0; i < e->n; i++) {
        void *block = e->v[i].block;
        const char *body = effect_frame(e, &e->v[i]);
        size_t n = e->v[i].n;
        if (p->figures && !block && figures_wanted(body, n) && merge_figures(l, body, n)) {
            body = l->scratch_merged.p;
            n = l->scratch_merged.n;
        }
        if (n >
            SL_FRAME_BYTES_MAX) { /* a bug of ours, but what caused it is on disk: ending here would only repeat it */
            log_text(LOG_LEVEL_ERROR, "oversized", "a frame above the limit was not sent");
            continue;
        }
        e->v[i].block = NULL;
        enum transport_sent sent = block ? transport_send_block(l->transport, e->v[i].peer, block, n)
                                         : transport_send(l->transport, e->v[i].peer, body, n);
        if (sent != SENT) {
            note_drop(l, e->v[i].peer, sent, now_us);
        }
    }
}

static void send_events(struct loop *l, const struct parcel *p)
{
    const struct effects *e = &p->effects;
    assert(e->n % 2 == 0);
    for (size_t i = 0; i < e->n; i += 2) {
        const char *topic = effect_frame(e, &e->v[i]), *body = effect_frame(e, &e->v[i + 1]);
        transport_publish(l->transport, topic, e->v[i].n, body, e->v[i + 1].n);
    }
}

static void deliver_one(struct loop *l, struct parcel *p, int64_t now_us)
{
    switch (p->kind) {
    case PARCEL_REPLIES:
        send_replies(l, p, now_us);
        log_key_reuse(l, &p->effects.reused, now_us);
        readers_note_commit(l->readers);
        if (p->effects.last_event) {
            l->last_event = p->effects.last_event;
            publisher_note(l->publisher, l->last_event);
        }
        if (p->ticked) {
            l->tick_asked = false;
            l->crowd_held_us = 0;
        }
        break;
    case PARCEL_EVENTS: send_events(l, p); break;
    case PARCEL_FAREWELL: l->farewells++; break;
    }
    items_done(&l->items, &p->items);
    parcel_done(p);
}

void deliver(struct loop *l, int64_t now_us)
{
    struct parcel *p = outbox_take(l->outbox), *next;
    for (; p; p = next) {
        next = p->next;
        deliver_one(l, p, now_us);
    }
}
