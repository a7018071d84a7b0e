/* UNIT_GET: the whole story of a unit: its stations, every assignment with its end and its result, and what else happened. */
#include "broker/engine/reader.h"

#define STORY_BYTES_MAX (200 * 1024)
#define HISTORY_TOLD_MAX 200
#define STORY_ASSIGNMENTS_MAX 100 /* of one station */

static void text(struct slp_buf *b, const char *key, struct slp_bytes v)
{
    slp_pack_cstr(b, key);
    slp_pack_str(b, v.p, v.n);
}

static void number(struct slp_buf *b, const char *key, uint64_t v)
{
    slp_pack_cstr(b, key);
    slp_pack_u64(b, v);
}

static void number_or_nil(struct slp_buf *b, const char *key, uint64_t v)
{
    slp_pack_cstr(b, key);
    if (v)
        slp_pack_u64(b, v);
    else
        slp_pack_nil(b);
}

static void when(struct slp_buf *b, const char *key, int64_t v)
{
    slp_pack_cstr(b, key);
    if (v)
        slp_pack_i64(b, v);
    else
        slp_pack_nil(b);
}

/* The reason that HISTORY keeps for an assignment. */
static struct slp_bytes reason_of(struct reader *r, const struct rd_run *run, uint64_t unit, uint64_t no)
{
    uint8_t k[12];
    struct store_cursor c;
    struct slp_bytes found = { "", 0 };
    key_u64(key_u32(k, run->id), unit);
    enum store_rc rc = store_cursor_open(r->t, TABLE_HISTORY, &c);
    for (rc = rc ? rc : store_seek(&c, k, sizeof k); rc == STORE_OK && !memcmp(c.key.p, k, sizeof k);
         rc = store_next(&c)) {
        struct rdr rd = rdr_on(c.val.p, c.val.n);
        size_t n;
        rdr_bytes(&rd, 8 + 1 + 2);
        if (rdr_u64(&rd) != no)
            continue;
        rdr_u32(&rd);
        const char *s = rdr_str(&rd, &n);
        if (s && n)
            found = (struct slp_bytes){ s, (uint32_t)n };
        break;
    }
    rd_walked(r, rc);
    store_cursor_close(&c);
    return found;
}

static void values(struct slp_buf *b, const struct ld_field *fields, uint32_t count, struct rd_list *l)
{
    slp_pack_map(b, count);
    for (uint32_t i = 0; i < count; i++) {
        slp_pack_str(b, fields[i].name.p, fields[i].name.n);
        rd_element(b, l, i);
    }
}

static void assignment(struct reader *r, const struct rd_run *run, const struct ld_station *st,
                       const struct rd_assignment *a, uint64_t outcome)
{
    struct slp_buf *b = &r->b;
    struct rd_list l;
    uint16_t station = (uint16_t)(st - run->lv->stations);
    bool copies = st->copies.max != 0, review = st->type == LD_IMPROVE, reviewed = review || st->reviewed_by >= 0;
    bool jury = st->type == LD_JURY, entry = st->type == LD_TOURNAMENT;
    slp_pack_map(b, 12u + (copies || reviewed) + reviewed + review + (jury || entry));
    number(b, "assignment", a->no);
    text(b, "worker", rd_name_of(r, NAME_WORKER, a->worker));
    text(b, "hub", rd_name_of(r, NAME_HUB, a->hub));
    number(b, "state", a->state);
    number(b, "why", a->why);
    text(b, "reason", reason_of(r, run, a->unit, a->no));
    when(b, "assigned_wall_us", a->assigned_wall_us);
    when(b, "started_wall_us", a->started_wall_us);
    when(b, "ended_wall_us", a->ended_wall_us);
    number(b, "active_us", a->active_us);
    slp_pack_cstr(b, "late");
    slp_pack_bool(b, a->state == ASSIGN_LATE);
    if (copies || reviewed) {
        slp_pack_cstr(b, "stands");
        rd_stands(r, b, run, station, a, outcome);
    }
    if (entry)
        number_or_nil(b, "place", a->round);
    if (jury) /* the assignment of the entry that he voted for */
        number_or_nil(b, "entry", rd_vote(r, run, station, a));
    if (reviewed)
        number(b, "round", a->round + 1u); /* of the work; at a review, of the work that was shown */
    if (review) {
        slp_pack_cstr(b, "changes");
        rd_changes(r, b, run, station, a);
    }
    slp_pack_cstr(b, "result");
    if (!a->result || !rd_result(r, station, a->result, &l)) {
        slp_pack_nil(b);
        return;
    }
    values(b, st->form, st->field_count, &l);
}

/* In order of time, as the history; where there are more than fit, the newest ones. The chain leads from the newest back. */
static void assignments(struct reader *r, const struct rd_run *run, const struct ld_station *st, uint64_t newest,
                        uint64_t outcome)
{
    uint64_t numbers[STORY_ASSIGNMENTS_MAX];
    uint32_t n = 0;
    struct rd_assignment a;
    for (uint64_t no = newest; no && n < STORY_ASSIGNMENTS_MAX && rd_linked(r, run, no, &a); no = rd_earlier(r, &a))
        numbers[n++] = no;
    slp_pack_array(&r->b, n);
    while (n > 0 && rd_linked(r, run, numbers[--n], &a))
        assignment(r, run, st, &a, outcome);
}

/* At a station with copies: how many answers are wanted, in hand and counted; once it is done, what they came to and by which rule (of a tournament its
 * jury's station tells that). */
static void outcome(struct reader *r, const struct ld_station *st, uint16_t station, const uint8_t *t)
{
    struct rd_list l;
    slp_pack_cstr(&r->b, "outcome");
    if (t[ST_STATE] == TASK_SKIPPED || t[ST_STATE] == TASK_ENDED) {
        slp_pack_nil(&r->b);
    } else if (t[ST_STATE] != TASK_DONE) {
        slp_pack_map(&r->b, 3);
        number(&r->b, "wanted", t[ST_WANTED] ? t[ST_WANTED] : st->copies.min);
        number(&r->b, "counted", t[ST_COUNTED]);
        number(&r->b, "in_hand", t[ST_HELD]);
    } else if (st_result(t) && rd_result(r, station, st_result(t), &l)) {
        values(&r->b, st->fields, st->value_count, &l);
    } else {
        slp_pack_nil(&r->b);
    }
}

static void history(struct reader *r, const struct rd_run *run, uint64_t unit)
{
    uint8_t k[12];
    struct store_cursor c;
    uint32_t n = 0, all = 0, seen = 0;
    key_u64(key_u32(k, run->id), unit);
    slp_buf_clear(&r->b2);
    enum store_rc rc = store_cursor_open(r->t, TABLE_HISTORY, &c);
    for (rc = rc ? rc : store_seek(&c, k, sizeof k); rc == STORE_OK && !memcmp(c.key.p, k, sizeof k);
         rc = store_next(&c))
        all++;
    if (rc == STORE_OK || rc == STORE_NOT_FOUND)
        rc = store_seek(&c, k, sizeof k);
    for (; rc == STORE_OK && !memcmp(c.key.p, k, sizeof k); rc = store_next(&c)) {
        if (all - seen++ > HISTORY_TOLD_MAX)
            continue; /* the newest are told */
        struct rdr rd = rdr_on(c.val.p, c.val.n);
        struct slp_buf *b = &r->b2;
        size_t len;
        slp_pack_map(b, 6);
        when(b, "wall_us", rdr_i64(&rd));
        number(b, "what", rdr_u8(&rd));
        uint16_t idx = rdr_u16(&rd);
        text(b, "station", idx < run->lv->station_count ? run->lv->stations[idx].name : (struct slp_bytes){ "", 0 });
        number(b, "assignment", rdr_u64(&rd));
        uint32_t worker = rdr_u32(&rd);
        text(b, "worker", rd_name_of(r, NAME_WORKER, worker));
        const char *s = rdr_str(&rd, &len);
        text(b, "reason", (struct slp_bytes){ s ? s : "", (uint32_t)len });
        n++;
    }
    rd_walked(r, r->b2.failed ? STORE_NO_MEMORY : rc);
    store_cursor_close(&c);
    slp_pack_array(&r->b, n);
    slp_buf_add(&r->b, r->b2.p, r->b2.n);
}

int rd_unit_story(struct reader *r, const struct slp_msg *m, struct slp_buf *out)
{
    const struct slp_unit_get *q = &m->u.unit_get;
    struct rd_run run;
    uint8_t buf[STATE_GROUP_BYTES_MAX], *head;
    struct rd_list in;
    uint32_t id = rd_name(r, NAME_RUN, q->run);
    if (!id || !rd_run_get(r, id, &run))
        return rd_refuse(out, m->id, SLP_E_NOT_FOUND, "run", "there is no run of that name");
    if (!(head = rd_unit(r, &run, q->unit, buf)))
        return r->rc ? -1 : rd_refuse(out, m->id, SLP_E_NOT_FOUND, "unit", "the run has no unit of that number");
    if (!rd_values(r, &run, q->unit, &in))
        return -1;
    struct slp_buf *b = &r->b;
    bool cancelled = (run.state == RUN_CANCELLED || run.state == RUN_DELETING) && head[0] == UNIT_OPEN;
    slp_buf_clear(b);
    slp_pack_map(b, 7);
    text(b, "run", (struct slp_bytes){ run.name, (uint32_t)strlen(run.name) });
    text(b, "line", rd_name_of(r, NAME_LINE, run.line));
    number(b, "unit", q->unit);
    number(b, "state", cancelled ? UNIT_CANCELLED : head[0]);
    slp_pack_cstr(b, "input");
    slp_pack_map(b, run.lv->input_count);
    for (uint32_t i = 0; i < run.lv->input_count; i++) {
        slp_pack_str(b, run.lv->inputs[i].name.p, run.lv->inputs[i].name.n);
        rd_element(b, &in, i);
    }
    slp_pack_cstr(b, "stations");
    slp_pack_array(b, run.lv->station_count);
    for (uint32_t i = 0; i < run.lv->station_count; i++) {
        const uint8_t *t = head + STATE_UNIT_BYTES + STATE_STATION_BYTES * i;
        uint8_t state = cancelled && t[0] != TASK_DONE && t[0] != TASK_SKIPPED ? TASK_ENDED : t[0];
        const struct ld_station *st = &run.lv->stations[i];
        bool copies = st->copies.max != 0, reviews = st->type == LD_IMPROVE, reviewed = st->reviewed_by >= 0;
        slp_pack_map(b, 4u + copies + reviews + 2 * reviewed);
        text(b, "name", run.lv->stations[i].name);
        number(b, "state", state);
        number(b, "attempts", t[1]);
        if (copies)
            outcome(r, st, (uint16_t)i, t);
        if (reviews)
            text(b, "reviews", ld_given_name(run.lv, (uint32_t)st->review.of));
        if (reviewed) {
            number(b, "round", t[ST_ROUND] + 1u);
            slp_pack_cstr(b, "authors_only");
            slp_pack_bool(b, state != TASK_ENDED && (t[ST_FLAGS] & STATE_FLAG_AUTHORS) != 0);
        }
        slp_pack_cstr(b, "assignments");
        assignments(r, &run, st, get_u48(t + ST_ASSIGN), st_result(t));
    }
    slp_pack_cstr(b, "history");
    history(r, &run, q->unit);
    if (b->failed)
        return -1;
    if (b->n > STORY_BYTES_MAX)
        return rd_refuse(out, m->id, SLP_E_TOO_BIG, "unit", "the story is larger than a frame");
    struct slp_unit a = { .story = { b->p, (uint32_t)b->n } };
    return rd_reply(out, SLP_UNIT, m->id, &a);
}
