/* Lines: versions of definitions, and the stations that each version has. */
#include "broker/engine/internal.h"
#include "broker/engine/numbers.h"

#define PIECE_BYTES 3500

struct line *line_named(struct engine *e, struct slp_bytes n)
{
    uint32_t id = name_find(e, NAME_LINE, n.p, n.n);
    return id ? e->line[id - 1] : NULL;
}

struct station *station_named(const struct engine *e, const struct line *l, struct slp_bytes name)
{
    for (uint32_t v = l->newest; v > 0; v--) {
        const struct line_version *o = &l->version[v - 1];
        for (uint32_t k = 0; k < o->def->station_count; k++)
            if (o->def->stations[k].name.n == name.n && !memcmp(o->def->stations[k].name.p, name.p, name.n))
                return e->station[e->station[o->first_station - 1 + k]->key - 1];
    }
    return NULL;
}

bool station_open(const struct station *s)
{
    return !s->paused && s->line->state == LINE_ACTIVE;
}

/* ---- records ---- */

static void line_key(uint8_t *k, uint32_t line, uint32_t version, uint32_t piece)
{
    uint8_t *q = key_u32(key_u32(k, line), version);
    q[0] = (uint8_t)(piece >> 8);
    q[1] = (uint8_t)piece;
}

static void definition_write(struct engine *e, const struct line *l, uint32_t version)
{
    const struct slp_bytes d = l->version[version - 1].def->definition;
    uint32_t piece = 0;
    for (size_t off = 0; off < d.n; off += PIECE_BYTES) {
        uint8_t k[10];
        size_t n = d.n - off < PIECE_BYTES ? d.n - off : PIECE_BYTES;
        line_key(k, l->id, version, piece++);
        e_put(e, TABLE_LINE, k, sizeof k, d.p + off, n);
    }
}

void lines_write(struct engine *e)
{
    for (uint32_t i = 0; i < e->dirty_lines; i++) {
        struct line *l = e->dirty_line[i];
        uint8_t k[10], b[128];
        struct rec rc = { b, 0, sizeof b, 0 };
        rec_u8(&rc, l->state);
        rec_u32(&rc, l->newest);
        rec_str(&rc, l->name.s, l->name.n);
        rec_u64(&rc, l->last_event);
        assert(!rc.bad);
        line_key(k, l->id, 0, 0);
        e_put(e, TABLE_LINE, k, sizeof k, b, rc.n);
        l->dirty = false;
    }
    e->dirty_lines = 0;
}

void line_dirty(struct engine *e, struct line *l)
{
    if (l->dirty)
        return;
    struct line **v = grow(e, e->dirty_line, &e->dirty_line_cap, e->dirty_lines + 1, sizeof *v);
    if (!v)
        return;
    e->dirty_line = v;
    e->dirty_line[e->dirty_lines++] = l;
    l->dirty = true;
}

void station_write(struct engine *e, const struct station *s)
{
    uint8_t k[4], b[16];
    struct rec rc = { b, 0, sizeof b, 0 };
    rec_u32(&rc, s->line->id);
    rec_u32(&rc, s->version);
    rec_u16(&rc, s->idx);
    rec_u8(&rc, s->paused);
    rec_u8(&rc, s->guarded);
    assert(!rc.bad);
    key_u32(k, s->id);
    e_put(e, TABLE_STATION, k, sizeof k, b, rc.n);
}

/* ---- memory ---- */

static struct line *line_new(struct engine *e, uint32_t id)
{
    struct line **v = grow(e, e->line, &e->line_cap, id, sizeof *v);
    struct line *l = v ? calloc(1, sizeof *l) : NULL;
    if (v)
        e->line = v;
    if (!l) {
        fail(e, STORE_NO_MEMORY);
        return NULL;
    }
    l->id = id;
    e->line[id - 1] = l;
    return l;
}

static bool version_add(struct engine *e, struct line *l, struct ld_line *def)
{
    struct line_version *v = realloc(l->version, (l->newest + 1) * sizeof *v);
    if (!v) {
        fail(e, STORE_NO_MEMORY);
        return false;
    }
    l->version = v;
    l->version[l->newest++] = (struct line_version){ def, 0 };
    return true;
}

/* Stations of one name, in whatever version of the line, share what is by name: under the number of the first. */
static uint32_t key_by_name(const struct engine *e, const struct line *l, const struct station *s)
{
    for (uint32_t v = s->version - 1; v > 0; v--) { /* mostly the one before has it */
        const struct line_version *o = &l->version[v - 1];
        for (uint32_t k = 0; k < o->def->station_count; k++)
            if (o->def->stations[k].name.n == s->def->name.n &&
                !memcmp(o->def->stations[k].name.p, s->def->name.p, s->def->name.n)) {
                uint32_t id = o->first_station + k;
                const struct station *was = id && id <= e->station_cap ? e->station[id - 1] : NULL;
                return was ? was->key : s->id; /* a damaged store may lack it */
            }
    }
    return s->id;
}

static struct station *station_new(struct engine *e, uint32_t id, struct line *l, uint32_t version, uint16_t idx)
{
    struct station **v = grow(e, e->station, &e->station_cap, id, sizeof *v);
    struct station *s = v ? calloc(1, sizeof *s) : NULL;
    if (v)
        e->station = v;
    if (!s) {
        fail(e, STORE_NO_MEMORY);
        return NULL;
    }
    *s = (struct station){ .id = id, .version = version, .idx = idx, .line = l, .lv = l->version[version - 1].def };
    s->def = &s->lv->stations[idx];
    for (uint32_t i = 0; i < s->lv->station_count; i++) {
        uint32_t depth = s->lv->stations[i].depth;
        s->rank = (uint16_t)(s->rank + (depth > s->def->depth || (depth == s->def->depth && i < idx)));
    }
    if (idx == 0)
        l->version[version - 1].first_station = id;
    e->station[id - 1] = s;
    s->key = key_by_name(e, l, s);
    e->station[s->key - 1]->latest = s;
    if (!(s->limit = limit_of(e, s)))
        return NULL;
    limit_set(e, s);
    return s;
}

static void definition_done(struct engine *e, struct line *l, struct slp_buf *b)
{
    bool damaged = false;
    if (!b->n && !b->failed)
        return;
    struct ld_line *def = b->failed ? NULL : ld_compile_again(b->p, b->n, &damaged);
    if (!def)
        fail(e, damaged ? STORE_CORRUPT : STORE_NO_MEMORY);
    else if (!version_add(e, l, def))
        ld_free(&def);
    slp_buf_clear(b);
}

static void definitions_load(struct engine *e)
{
    struct store_cursor c;
    struct slp_buf b = { 0 };
    struct line *l = NULL;
    uint32_t version = 0;
    enum store_rc rc = store_cursor_open(e->t, TABLE_LINE, &c);
    for (rc = rc ? rc : store_seek(&c, "", 0); rc == STORE_OK && !e->rc; rc = store_next(&c)) {
        uint32_t id = number_of_key(e, &c, 10, e->meta.line);
        if (!id)
            break;
        uint32_t v = key_get_u32((const uint8_t *)c.key.p + 4);
        if (l && (id != l->id || v != version))
            definition_done(e, l, &b);
        version = v;
        if (v && (!l || id != l->id || v != l->newest + 1)) { /* versions follow one another */
            fail(e, STORE_CORRUPT);
            break;
        }
        if (v) {
            slp_buf_add(&b, c.val.p, c.val.n);
            continue;
        }
        struct rdr r = rdr_on(c.val.p, c.val.n);
        size_t n;
        if (!(l = line_new(e, id)))
            break;
        l->state = rdr_u8(&r);
        rdr_u32(&r); /* newest: counted while loading */
        const char *name = rdr_str(&r, &n);
        l->last_event = rdr_u64(&r);
        if (r.bad || n > SL_NAME_BYTES_MAX || (l->state != LINE_DELETED && name_find(e, NAME_LINE, name, n) != id))
            fail(e, STORE_CORRUPT);
        else
            name_set(&l->name, name, n);
    }
    if (l)
        definition_done(e, l, &b);
    walked(e, rc);
    store_cursor_close(&c);
    slp_buf_free(&b);
}

void lines_load(struct engine *e)
{
    struct store_cursor c;
    definitions_load(e);
    enum store_rc rc = store_cursor_open(e->t, TABLE_STATION, &c);
    for (rc = rc ? rc : store_seek(&c, "", 0); rc == STORE_OK && !e->rc; rc = store_next(&c)) {
        struct rdr r = rdr_on(c.val.p, c.val.n);
        uint32_t line = rdr_u32(&r), version = rdr_u32(&r);
        uint16_t idx = rdr_u16(&r);
        uint32_t id = number_of_key(e, &c, 4, e->meta.station);
        if (!id)
            break;
        if (r.bad || !line || line > e->meta.line || !e->line[line - 1] || !version ||
            version > e->line[line - 1]->newest || idx >= e->line[line - 1]->version[version - 1].def->station_count) {
            fail(e, STORE_CORRUPT);
            break;
        }
        struct station *s = station_new(e, id, e->line[line - 1], version, idx);
        if (s)
            s->paused = rdr_u8(&r);
        if (s && r.p < r.end) /* 0.1.0 knew no guards */
            s->guarded = rdr_u8(&r);
    }
    walked(e, rc);
    store_cursor_close(&c);
}

void lines_free(struct engine *e)
{
    for (uint32_t i = 0; i < e->station_cap; i++) /* what was loaded before memory ran out, too */
        free(e->station[i]);
    limits_free(e);
    for (uint32_t i = 0; i < e->line_cap; i++) {
        if (!e->line[i])
            continue;
        for (uint32_t v = 0; v < e->line[i]->newest; v++)
            ld_free(&e->line[i]->version[v].def);
        free(e->line[i]->version);
        free(e->line[i]);
    }
    free(e->station);
    free(e->line);
}

/* ---- commands ---- */

struct problems {
    struct slp_buf *b;
    uint32_t n;
};

static void gather(void *arg, const char *path, const char *text)
{
    struct problems *p = arg;
    if (p->n >= SL_BATCH_ITEMS_MAX || p->b->n > SL_FRAME_BYTES_MAX / 2)
        return;
    struct slp_item_problem it = { .path = { path, (uint32_t)strlen(path) }, .text = { text, (uint32_t)strlen(text) } };
    slp_pack_item(p->b, SLP_ITEM_problem, &it);
    p->n++;
}

static void bad_line(struct engine *e, const struct problems *p)
{
    static const char text[] = "the line definition has mistakes";
    struct slp_error m = { .code = SLP_E_BAD_LINE,
                           .retry = SLP_RETRY_NEVER,
                           .text = { text, sizeof text - 1 },
                           .problems = { p->b->p, (uint32_t)p->b->n, p->n } };
    SLP_SET(&m, error, problems);
    reply(e, SLP_ERROR, &m);
}

static void line_applied(struct engine *e, struct slp_bytes name, uint32_t version, bool changed)
{
    struct slp_line_applied a = { .line = name, .version = version, .changed = changed };
    reply(e, SLP_LINE_APPLIED, &a);
}

#define NAMES_EVENT_BYTES 2400 /* of station names in one event: it must fit a value */

/* Stations from *i on, as many as one event holds. Numbered from first_station, in the definition's order. */
static void announce_stations(struct engine *e, struct line *l, uint32_t *i)
{
    const struct line_version *v = &l->version[l->newest - 1];
    uint32_t end = *i;
    for (size_t bytes = 0; end < v->def->station_count && bytes < NAMES_EVENT_BYTES; end++)
        bytes += v->def->stations[end].name.n + 8;
    slp_pack_cstr(&e->b3, "stations");
    slp_pack_array(&e->b3, end - *i);
    for (; *i < end; (*i)++) {
        slp_pack_array(&e->b3, 2);
        slp_pack_u64(&e->b3, v->first_station + *i);
        slp_pack_str(&e->b3, v->def->stations[*i].name.p, v->def->stations[*i].name.n);
    }
}

static void announce_version(struct engine *e, struct line *l)
{
    for (uint32_t i = 0, n = l->version[l->newest - 1].def->station_count; i < n;) {
        bool first = i == 0;
        slp_buf_clear(&e->b3);
        slp_pack_map(&e->b3, first ? 4 : 3);
        slp_pack_cstr(&e->b3, "line");
        slp_pack_u64(&e->b3, l->id);
        if (first) {
            slp_pack_cstr(&e->b3, "name");
            slp_pack_cstr(&e->b3, l->name.s);
        }
        slp_pack_cstr(&e->b3, "version");
        slp_pack_u64(&e->b3, l->newest);
        announce_stations(e, l, &i);
        ev_emit(e, first ? EV_LINE_APPLIED : EV_LINE_STATIONS, l, NULL, NULL, &e->b3);
    }
}

/* A pause is by name, over all versions: the newest of the earlier ones that has such a station knows. NULL: none has. */
static const struct station *station_before(const struct engine *e, const struct line *l, struct slp_bytes name)
{
    for (uint32_t v = l->newest - 1; v > 0; v--) {
        const struct line_version *o = &l->version[v - 1];
        for (uint32_t k = 0; k < o->def->station_count; k++)
            if (o->def->stations[k].name.n == name.n && !memcmp(o->def->stations[k].name.p, name.p, name.n))
                return e->station[o->first_station - 1 + k];
    }
    return NULL;
}

void on_line_apply(struct engine *e, const struct slp_msg *m)
{
    const struct slp_line_apply *q = &m->u.line_apply;
    struct problems p = { &e->b1, 0 };
    slp_buf_clear(&e->b1);
    struct ld_line *def = ld_compile(q->definition.p, q->definition.n, gather, &p);
    if (!def) {
        if (p.n)
            bad_line(e, &p);
        else
            fail(e, STORE_NO_MEMORY);
        return;
    }
    struct line *l = line_named(e, def->name);
    const struct ld_line *old = l ? l->version[l->newest - 1].def : NULL;
    bool same = old && old->definition.n == def->definition.n &&
                !memcmp(old->definition.p, def->definition.p, old->definition.n);
    if (same || q->dry_run) {
        line_applied(e, def->name, l ? l->newest + !same : 1, !same);
        ld_free(&def);
        return;
    }
    if (!l) {
        if (!(l = line_new(e, e->meta.line + 1))) {
            ld_free(&def);
            return;
        }
        e->meta.line++;
        name_set(&l->name, def->name.p, def->name.n);
        name_put(e, NAME_LINE, def->name.p, def->name.n, l->id);
    }
    if (!version_add(e, l, def)) {
        ld_free(&def);
        return;
    }
    for (uint32_t i = 0; i < def->station_count && !e->rc; i++) {
        struct station *s = station_new(e, e->meta.station + 1, l, l->newest, (uint16_t)i);
        if (!s)
            return;
        e->meta.station++;
        const struct station *was = station_before(e, l, s->def->name);
        if (!was && s->def->type == LD_JURY) /* where there was none before, as its tournament */
            was = e->station[s->id - s->idx + s->def->partner - 1];
        s->paused = was && was->paused;
        station_write(e, s);
    }
    stations_guard_newest(e, l);
    definition_write(e, l, l->newest);
    line_dirty(e, l);
    announce_version(e, l);
    line_applied(e, name_bytes(&l->name), l->newest, true);
}

static struct line *find_or_refuse(struct engine *e, struct slp_bytes name)
{
    struct line *l = line_named(e, name);
    if (!l)
        reply_error(e, SLP_E_NOT_FOUND, "line", "there is no line %.*s", (int)name.n, name.p);
    return l;
}

static int by_line_name(const void *a, const void *b)
{
    return strcmp((*(struct line *const *)a)->name.s, (*(struct line *const *)b)->name.s);
}

void on_lines_get(struct engine *e, const struct slp_msg *m)
{
    const struct slp_lines_get *q = &m->u.lines_get;
    struct slp_lines a = { 0 };
    uint32_t n = 0, rows = 0;
    struct line **v = malloc((e->meta.line + 1) * sizeof *v);
    if (!v) {
        fail(e, STORE_NO_MEMORY);
        return;
    }
    for (uint32_t i = 0; i < e->meta.line; i++)
        if (e->line[i]->state != LINE_DELETED)
            v[n++] = e->line[i];
    qsort(v, n, sizeof *v, by_line_name);
    slp_buf_clear(&e->b1);
    for (uint32_t i = 0; i < n; i++) {
        struct line *l = v[i];
        size_t m_ = l->name.n < q->after.n ? l->name.n : q->after.n;
        int d = q->after.n ? memcmp(l->name.s, q->after.p, m_) : 1;
        if (q->after.n && (d < 0 || (d == 0 && l->name.n <= q->after.n)))
            continue;
        if (page_over(e, rows)) {
            a.more = true;
            break;
        }
        struct ld_line *def = l->version[l->newest - 1].def;
        struct slp_item_line_row row = { .name = name_bytes(&l->name),
                                         .version = l->newest,
                                         .state = l->state,
                                         .stations = def->station_count,
                                         .runs_open = l->runs_open,
                                         .title = def->title };
        slp_pack_item(&e->b1, SLP_ITEM_line_row, &row);
        rows++;
    }
    free(v);
    a.rows = (struct slp_list){ e->b1.p, (uint32_t)e->b1.n, rows };
    reply(e, SLP_LINES, &a);
}

void station_row(const struct station *s, const struct counts *c, struct slp_item_station_row *row)
{
    *row =
        (struct slp_item_station_row){ .station_id = s->id,
                                       .line = name_bytes(&s->line->name),
                                       .version = s->version,
                                       .name = s->def->name,
                                       .paused = s->paused,
                                       .blocked = c->n[TASK_BLOCKED],
                                       .waiting = c->n[TASK_WAITING],
                                       .ready = c->n[TASK_READY],
                                       .assigned = c->n[TASK_ASSIGNED],
                                       .started = c->n[TASK_STARTED],
                                       .done = c->n[TASK_DONE],
                                       .skipped = c->n[TASK_SKIPPED],
                                       .dead = c->n[TASK_DEAD],
                                       .ended = c->n[TASK_ENDED],
                                       .mean_us = s->pace && s->pace->count ? s->pace->total_us / s->pace->count : 0 };
    if (row->mean_us)
        SLP_SET(row, item_station_row, mean_us);
    if ((row->at_once = s->limit->at_once)) {
        row->in_hand = s->limit->in_hand;
        SLP_SET(row, item_station_row, at_once);
        SLP_SET(row, item_station_row, in_hand);
    }
    if ((row->per_day = s->limit->per_day))
        SLP_SET(row, item_station_row, per_day);
}

void on_line_get(struct engine *e, const struct slp_msg *m)
{
    const struct slp_line_get *q = &m->u.line_get;
    struct line *l = find_or_refuse(e, q->line);
    if (!l)
        return;
    uint32_t version = q->version ? (uint32_t)q->version : l->newest;
    if (q->version > l->newest) {
        reply_error(e, SLP_E_NOT_FOUND, "version", "line %s has versions 1 to %u", l->name.s, l->newest);
        return;
    }
    const struct line_version *v = &l->version[version - 1];
    slp_buf_clear(&e->b1);
    for (uint32_t i = 0; i < v->def->station_count; i++) {
        struct slp_item_station_row row;
        const struct station *s = e->station[v->first_station - 1 + i];
        station_row(s, &s->c, &row);
        slp_pack_item(&e->b1, SLP_ITEM_station_row, &row);
    }
    struct slp_line a = { .line = name_bytes(&l->name),
                          .version = version,
                          .state = l->state,
                          .definition = v->def->definition,
                          .stations = { e->b1.p, (uint32_t)e->b1.n, v->def->station_count } };
    reply(e, SLP_LINE, &a);
}

static void line_runs(struct engine *e, struct line *l, void (*each)(struct engine *, struct run *))
{
    for (uint32_t i = 0; i < e->meta.run; i++)
        if (e->run[i] && e->run[i]->line == l && e->run[i]->state <= RUN_CLOSED)
            each(e, e->run[i]);
}

void on_line_set(struct engine *e, const struct slp_msg *m)
{
    const struct slp_line_set *q = &m->u.line_set;
    struct line *l = find_or_refuse(e, q->line);
    if (!l)
        return;
    if (q->action == 2) {
        if (l->runs_open && !q->force) {
            reply_error(e, SLP_E_IN_USE, "line", "line %s has %llu runs that are not over", l->name.s,
                        (unsigned long long)l->runs_open);
            return;
        }
        line_runs(e, l, run_cancel);
        name_drop(e, NAME_LINE, l->name.s, l->name.n);
    }
    static const uint8_t to[] = { LINE_PAUSED, LINE_ACTIVE, LINE_DELETED };
    bool changed = l->state != to[q->action];
    if (changed) {
        l->state = to[q->action];
        line_dirty(e, l);
        slp_buf_clear(&e->b3);
        slp_pack_map(&e->b3, 2);
        slp_pack_cstr(&e->b3, "line");
        slp_pack_u64(&e->b3, l->id);
        slp_pack_cstr(&e->b3, "state");
        slp_pack_u64(&e->b3, l->state);
        ev_emit(e, EV_LINE_STATE, l, NULL, NULL, &e->b3);
        if (l->state == LINE_PAUSED)
            line_runs(e, l, run_recall);
        else if (l->state == LINE_ACTIVE)
            line_runs(e, l, run_activate);
    }
    reply_done(e, changed);
}

/* The stations of this name, in all versions. *jury: the name of what goes with it, if it was a tournament in the newest of them. False: there is none. */
static bool pause_named(struct engine *e, struct line *l, struct slp_bytes name, bool pause, uint64_t *changed,
                        struct slp_bytes *jury)
{
    bool there = false, any = false;
    for (uint32_t i = 0; i < e->meta.station; i++) {
        struct station *s = e->station[i];
        if (s->line != l || s->def->name.n != name.n || memcmp(s->def->name.p, name.p, name.n))
            continue;
        there = true;
        if (s->def->type == LD_TOURNAMENT)
            *jury = s->lv->stations[s->def->partner].name;
        if (s->paused == pause)
            continue;
        s->paused = pause;
        any = true;
        station_write(e, s);
        (*changed)++;
        if (pause)
            sweep_start(e, SWEEP_RECALL_STATION, 0, s->id, "", 0);
    }
    if (any) {
        slp_buf_clear(&e->b3);
        slp_pack_map(&e->b3, 3);
        slp_pack_cstr(&e->b3, "line");
        slp_pack_u64(&e->b3, l->id);
        slp_pack_cstr(&e->b3, "station");
        slp_pack_str(&e->b3, name.p, name.n);
        slp_pack_cstr(&e->b3, "paused");
        slp_pack_bool(&e->b3, pause);
        ev_emit(e, EV_STATION_STATE, l, NULL, NULL, &e->b3);
    }
    return there;
}

/* A tournament and its jury are paused together; its jury can be alone. */
void on_station_set(struct engine *e, const struct slp_msg *m)
{
    const struct slp_station_set *q = &m->u.station_set;
    struct line *l = find_or_refuse(e, q->line);
    struct slp_bytes jury = { NULL, 0 };
    bool pause = q->action == 0;
    uint64_t changed = 0;
    if (!l)
        return;
    if (!pause_named(e, l, q->station, pause, &changed, &jury)) {
        reply_error(e, SLP_E_NOT_FOUND, "station", "line %s has no station %.*s", l->name.s, (int)q->station.n,
                    q->station.p);
        return;
    }
    if (jury.n)
        pause_named(e, l, jury, pause, &changed, &jury);
    if (changed)
        line_runs(e, l, pause ? match_closed : run_activate);
    reply_done(e, changed);
}

void on_stations_get(struct engine *e, const struct slp_msg *m)
{
    const struct slp_stations_get *q = &m->u.stations_get;
    struct slp_stations a = { 0 };
    uint32_t n = 0;
    slp_buf_clear(&e->b1);
    slp_buf_clear(&e->b2);
    for (uint64_t id = q->after; id++ < e->meta.station;) {
        const struct station *s = e->station[id - 1];
        if (s->line->state == LINE_DELETED ||
            (SLP_IS(q, stations_get, line) &&
             (s->line->name.n != q->line.n || memcmp(s->line->name.s, q->line.p, q->line.n))))
            continue;
        if (page_over(e, n) || e->b2.n > 8192) {
            a.more = true;
            break;
        }
        struct slp_item_station_row row;
        station_row(s, &s->c, &row);
        slp_pack_item(&e->b1, SLP_ITEM_station_row, &row);
        slp_pack_u64(&e->b2, s->results);
        n++;
    }
    a.rows = (struct slp_list){ e->b1.p, (uint32_t)e->b1.n, n };
    a.results = (struct slp_list){ e->b2.p, (uint32_t)e->b2.n, n };
    SLP_SET(&a, stations, results);
    reply(e, SLP_STATIONS, &a);
}

void on_form_get(struct engine *e, const struct slp_msg *m)
{
    uint64_t id = m->u.form_get.station_id;
    if (!id || id > e->meta.station) {
        reply_error(e, SLP_E_NOT_FOUND, "station_id", "there is no station %llu", (unsigned long long)id);
        return;
    }
    const struct station *s = e->station[id - 1];
    slp_buf_clear(&e->b1);
    uint32_t shows = s->def->show_count + (s->def->type == LD_JURY); /* the entries, too */
    for (uint32_t i = 0; i < shows; i++)
        slp_pack_str(&e->b1, s->def->show_names[i].p, s->def->show_names[i].n);
    struct slp_form a = { .station_id = id,
                          .line = name_bytes(&s->line->name),
                          .version = s->version,
                          .station = s->def->name,
                          .shows = { e->b1.p, (uint32_t)e->b1.n, shows },
                          .form = s->def->form_raw,
                          .lease_us = (uint64_t)s->def->lease_us,
                          .type = s->def->type };
    if (is_review(s)) {
        a.reviews = ld_given_name(s->lv, (uint32_t)s->def->review.of);
        SLP_SET(&a, form, reviews);
    }
    reply(e, SLP_FORM, &a);
}
