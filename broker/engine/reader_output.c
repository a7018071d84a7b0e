/* OUTPUT_GET: the finished fields of a run, in input order, a page at a time; while the run goes on, too. */
#include "broker/engine/reader.h"
#include "broker/engine/review.h"

#define ANSWER_COLUMNS 12         /* besides the fields of the input and of the form */
#define HEAD_BYTES 1024           /* of a page, beside its names and rows */
#define UNITS_LOOKED_AT_MAX 20000 /* in one page, so that a page of a run where little is finished stays short */

struct shape { /* what a row is made of */
    const struct rd_run *run;
    int station; /* -1: all that the line hands out */
    bool all, answers;
};

/* An answer to several is what its worker filled in; of a verdict also what it changed. */
static uint32_t answer_fields(const struct ld_station *st)
{
    return st->type == LD_IMPROVE ? st->value_count : st->field_count;
}

static void columns(struct slp_buf *b, const struct shape *s, uint32_t *n)
{
    const struct ld_line *lv = s->run->lv;
    char name[2 * SL_NAME_BYTES_MAX + 2];
    slp_pack_cstr(b, "unit");
    if (s->station < 0) {
        for (uint32_t i = 0; i < lv->out_count; i++)
            slp_pack_str(b, lv->out_names[i].p, lv->out_names[i].n);
        *n = 1 + lv->out_count;
        return;
    }
    const struct ld_station *st = &lv->stations[s->station];
    struct slp_bytes said = s->answers ? st->name : ld_given_name(lv, (uint32_t)s->station);
    const struct ld_field *fields = s->answers ? st->form : st->fields;
    for (uint32_t i = 0; i < lv->input_count; i++)
        slp_pack_str(b, lv->inputs[i].name.p, lv->inputs[i].name.n);
    for (uint32_t i = 0; i < (s->answers ? answer_fields(st) : st->value_count); i++) {
        memcpy(name, said.p, said.n);
        name[said.n] = '.';
        memcpy(name + said.n + 1, fields[i].name.p, fields[i].name.n);
        slp_pack_str(b, name, said.n + 1 + fields[i].name.n);
    }
    slp_pack_cstr(b, "worker");
    slp_pack_cstr(b, "done_wall_us");
    *n = 3 + lv->input_count + st->value_count;
    if (s->answers) {
        slp_pack_cstr(b, "assignment");
        slp_pack_cstr(b, "counted");
        slp_pack_cstr(b, "stands");
        slp_pack_cstr(b, "hub");
        slp_pack_cstr(b, "assigned_wall_us");
        slp_pack_cstr(b, "started_wall_us");
        slp_pack_cstr(b, "active_us");
        slp_pack_cstr(b, "place");
        slp_pack_cstr(b, "entry");
        *n = ANSWER_COLUMNS + lv->input_count + answer_fields(st);
    }
}

static void row_of_station(struct reader *r, struct slp_buf *b, const struct shape *s, const uint8_t *t,
                           struct rd_list *in)
{
    const struct ld_station *st = &s->run->lv->stations[s->station];
    uint64_t result = st_result(t), no = get_u48(t + ST_ASSIGN);
    struct rd_list l = { .at = 0 };
    struct rd_assignment a = { 0 };
    if (result && !rd_result(r, (uint16_t)s->station, result, &l))
        return;
    for (uint32_t i = 0; i < s->run->lv->input_count; i++)
        rd_element(b, in, i);
    for (uint32_t i = 0; i < st->value_count; i++)
        rd_element(b, &l, i);
    int64_t done_us = r->result_done_wall_us;
    if (result && st->copies.max) { /* the outcome of several: it cites the one that it follows */
        no = r->result_assignment;
        if (no && !rd_linked(r, s->run, no, &a))
            no = 0;
    } else {
        while (result && no && rd_linked(r, s->run, no, &a) && a.result != result)
            no = rd_earlier(r, &a); /* a later assignment may have ended without a result */
    }
    struct slp_bytes w = rd_name_of(r, NAME_WORKER, a.worker);
    if (result && no) {
        slp_pack_str(b, w.p, w.n);
        slp_pack_i64(b, done_us ? done_us : a.ended_wall_us); /* by the hub's clock, if the hub said */
    } else {
        slp_pack_nil(b);
        slp_pack_nil(b);
    }
}

static void number_or_nil(struct slp_buf *b, uint64_t n)
{
    if (n)
        slp_pack_u64(b, n);
    else
        slp_pack_nil(b);
}

#define ANSWERS_MAX 1000 /* of one unit at one station: the newest are told */

/* Every result of the unit at the station, in the order in which they came, from the `skip`th on: a row each. Returns how many are told, counted from the
 * first; *full: the page has no room for the others. */
static uint32_t rows_of_answers(struct reader *r, struct slp_buf *b, const struct shape *s, uint64_t unit,
                                const uint8_t *t, const struct rd_list *in, uint32_t skip, uint32_t room,
                                uint32_t *rows, size_t bytes_max, bool *full)
{
    const struct ld_station *st = &s->run->lv->stations[s->station];
    uint64_t no[ANSWERS_MAX], result[ANSWERS_MAX];
    uint32_t n = 0, columns_n = ANSWER_COLUMNS + s->run->lv->input_count + answer_fields(st);
    struct rd_assignment a;
    struct rd_list l;
    for (uint64_t at = get_u48(t + ST_ASSIGN); at && n < ANSWERS_MAX && rd_linked(r, s->run, at, &a);
         at = rd_earlier(r, &a)) {
        uint32_t i = n;
        if (!a.result)
            continue;
        for (n++; i && result[i - 1] > a.result; i--) {
            no[i] = no[i - 1];
            result[i] = result[i - 1];
        }
        no[i] = at;
        result[i] = a.result;
    }
    for (uint32_t i = skip; i < n && !r->rc; i++) {
        size_t was = b->n;
        if (*rows == room) {
            *full = true;
            return i;
        }
        if (!rd_linked(r, s->run, no[i], &a) || !rd_result(r, (uint16_t)s->station, a.result, &l))
            return i;
        struct rd_list input = *in;
        slp_pack_array(b, columns_n);
        slp_pack_u64(b, unit);
        for (uint32_t k = 0; k < s->run->lv->input_count; k++)
            rd_element(b, &input, k);
        for (uint32_t k = 0; k < st->field_count; k++)
            rd_element(b, &l, k);
        if (st->type == LD_IMPROVE && a.state == ASSIGN_COUNTED)
            rd_element(b, &l, st->field_count);
        else if (st->type == LD_IMPROVE)
            slp_pack_nil(b);
        struct slp_bytes w = rd_name_of(r, NAME_WORKER, a.worker);
        slp_pack_str(b, w.p, w.n);
        slp_pack_i64(b, r->result_done_wall_us ? r->result_done_wall_us : a.ended_wall_us);
        slp_pack_u64(b, a.no);
        slp_pack_bool(b, a.state == ASSIGN_COUNTED);
        rd_stands(r, b, s->run, (uint16_t)s->station, &a, st_result(t));
        w = rd_name_of(r, NAME_HUB, a.hub);
        slp_pack_str(b, w.p, w.n);
        slp_pack_i64(b, a.assigned_wall_us);
        if (a.started_wall_us)
            slp_pack_i64(b, a.started_wall_us);
        else
            slp_pack_nil(b); /* a submit implied it */
        slp_pack_u64(b, a.active_us);
        number_or_nil(b, st->type == LD_TOURNAMENT ? a.round : 0);
        number_or_nil(b, st->type == LD_JURY ? rd_vote(r, s->run, (uint16_t)s->station, &a) : 0);
        if (b->n > bytes_max && *rows) {
            b->n = was;
            *full = true;
            return i;
        }
        (*rows)++;
    }
    return n;
}

static void row_of_line(struct reader *r, struct slp_buf *b, const struct shape *s, const uint8_t *head,
                        struct rd_list *in)
{
    const struct ld_line *lv = s->run->lv;
    struct rd_list l = { .at = 0 };
    uint64_t of = 0;
    for (uint32_t i = 0; i < lv->out_count && !r->rc; i++) {
        struct ld_ref ref = lv->outs[i];
        if (ref.station < 0) {
            rd_element(b, in, (uint32_t)ref.field);
            continue;
        }
        uint64_t result = review_result(lv, head, ref);
        if (result != of || ref.field == 0) { /* a station's fields stand together */
            l = (struct rd_list){ .at = 0 };
            if (result && !rd_result(r, (uint16_t)ref.station, result, &l))
                return;
            of = result;
        }
        rd_element(b, &l, (uint32_t)ref.field);
    }
}

static bool wanted(const struct shape *s, const uint8_t *head)
{
    if (s->all)
        return true;
    if (s->station >= 0)
        return head[STATE_UNIT_BYTES + STATE_STATION_BYTES * s->station] == TASK_DONE;
    return head[0] == UNIT_DONE;
}

int rd_output(struct reader *r, const struct slp_msg *m, struct slp_buf *out)
{
    const struct slp_output_get *q = &m->u.output_get;
    struct rd_run run;
    struct shape s = { &run, -1, q->all_units, q->answers };
    uint32_t id = rd_name(r, NAME_RUN, q->run), column_n, limit = q->limit ? (uint32_t)q->limit : SL_PAGE_ITEMS_MAX;
    if (!id || !rd_run_get(r, id, &run))
        return rd_refuse(out, m->id, SLP_E_NOT_FOUND, "run", "there is no run of that name");
    if (SLP_IS(q, output_get, station)) {
        for (uint32_t i = 0; i < run.lv->station_count; i++)
            if (run.lv->stations[i].name.n == q->station.n &&
                !memcmp(run.lv->stations[i].name.p, q->station.p, q->station.n))
                s.station = (int)i;
        if (s.station < 0)
            return rd_refuse(out, m->id, SLP_E_NOT_FOUND, "station", "the run's line has no station of that name");
        if (!s.answers)
            s.station = (int)ld_giver(run.lv, (uint32_t)s.station);
    }
    if (s.answers && s.station < 0)
        return rd_refuse(out, m->id, SLP_E_MISSING_FIELD, "station", "answers are those of one station: name it");
    uint32_t skip = (uint32_t)q->after_answer;
    slp_buf_clear(&r->b);
    slp_buf_clear(&r->b2);
    columns(&r->b2, &s, &column_n);
    struct slp_output a = { .next_after = q->after_unit };
    uint32_t rows = 0, looked = 0;
    size_t names = r->b2.n + HEAD_BYTES, left = names < SL_FRAME_BYTES_MAX ? SL_FRAME_BYTES_MAX - names : 0;
    size_t bytes_max = left < PAGE_BYTES_MAX ? left : PAGE_BYTES_MAX;
    if (!left)
        return rd_refuse(out, m->id, SLP_E_TOO_BIG, "run",
                         "the names of what the line hands out are larger than a frame: ask for one station at a time");
    for (uint64_t u = q->after_unit; u++ < run.units && rows < limit && looked < UNITS_LOOKED_AT_MAX && !r->rc;
         looked++) {
        uint8_t buf[STATE_GROUP_BYTES_MAX], *head = rd_unit(r, &run, u, buf);
        struct rd_list in;
        size_t was = r->b.n;
        if (!head) {
            r->rc = r->rc ? r->rc : STORE_CORRUPT;
            break;
        }
        if (s.answers) {
            bool full = false;
            const uint8_t *t = head + STATE_UNIT_BYTES + STATE_STATION_BYTES * s.station;
            if (!get_u48(t + ST_ASSIGN)) {
                a.next_after = u;
                continue;
            }
            if (!rd_values(r, &run, u, &in))
                break;
            uint32_t told = rows_of_answers(r, &r->b, &s, u, t, &in, skip, limit, &rows, bytes_max, &full);
            skip = 0;
            if (full) {
                a.next_answer = told;
                SLP_SET(&a, output, next_answer);
                break;
            }
        } else if (wanted(&s, head)) {
            if (!rd_values(r, &run, u, &in))
                break;
            slp_pack_array(&r->b, column_n);
            slp_pack_u64(&r->b, u);
            if (s.station >= 0)
                row_of_station(r, &r->b, &s, head + STATE_UNIT_BYTES + STATE_STATION_BYTES * s.station, &in);
            else
                row_of_line(r, &r->b, &s, head, &in);
            if (r->b.n > bytes_max) {
                if (!rows)
                    return rd_refuse(out, m->id, SLP_E_TOO_BIG, "run",
                                     "a unit's row is larger than a frame: ask for one station at a time");
                r->b.n = was;
                break;
            }
            rows++;
        }
        a.next_after = u;
    }
    a.columns = (struct slp_list){ r->b2.p, (uint32_t)r->b2.n, column_n };
    a.rows = (struct slp_list){ r->b.p, (uint32_t)r->b.n, rows };
    a.more = a.next_after < run.units;
    if (r->b.failed || r->b2.failed)
        return -1;
    return rd_reply(out, SLP_OUTPUT, m->id, &a);
}
