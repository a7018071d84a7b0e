/* Every answer of a station: the rows of sl_output with `answers`, taken apart. */
#include <string.h>

#include "client/internal.h"

enum {
    WORKER,
    DONE,
    ASSIGNMENT,
    COUNTED,
    STANDS,
    HUB,
    ASSIGNED,
    STARTED,
    ACTIVE,
    PLACE,
    ENTRY,
    TAIL
}; /* the columns behind the form's fields */

struct taker {
    struct sl *sl;
    sl_answer_fn *fn;
    void *arg;
    bool odd; /* a row that is not as the protocol says */
};

static uint64_t number(const struct sl_value *v)
{
    return v->type == SL_T_UINT ? v->v.u64 : 0;
}

static int64_t time_of(const struct sl_value *v)
{
    return v->type == SL_T_INT ? v->v.i64 : (int64_t)number(v);
}

static void name(char to[SL_NAME_SIZE], const struct sl_value *v)
{
    size_t n = v->type == SL_T_STR && v->n < SL_NAME_SIZE ? v->n : 0;
    if (n)
        memcpy(to, v->p, n);
    to[n] = 0;
}

static int take(void *arg, const struct sl_output_row *row)
{
    struct taker *t = arg;
    uint32_t inputs = 0;
    if (row->column_count < 1 + TAIL) {
        t->odd = true;
        return 1;
    }
    const struct sl_value *tail = row->values + row->column_count - TAIL;
    while (1 + inputs < row->column_count - TAIL && !strchr(row->columns[1 + inputs], '.'))
        inputs++;
    struct sl_answer a = { .unit = row->unit,
                           .assignment = number(&tail[ASSIGNMENT]),
                           .counted = tail[COUNTED].type == SL_T_BOOL && tail[COUNTED].v.b,
                           .stands = tail[STANDS].type == SL_T_BOOL ? tail[STANDS].v.b : -1,
                           .assigned_wall_us = time_of(&tail[ASSIGNED]),
                           .started_wall_us = time_of(&tail[STARTED]),
                           .done_wall_us = time_of(&tail[DONE]),
                           .active_us = number(&tail[ACTIVE]),
                           .place = (uint32_t)number(&tail[PLACE]),
                           .entry = number(&tail[ENTRY]),
                           .input_count = inputs,
                           .field_count = row->column_count - TAIL - 1 - inputs,
                           .inputs = row->columns + 1,
                           .fields = row->columns + 1 + inputs,
                           .input_values = row->values + 1,
                           .values = row->values + 1 + inputs };
    name(a.worker, &tail[WORKER]);
    name(a.hub, &tail[HUB]);
    return t->fn(t->arg, &a);
}

int sl_answers(struct sl *sl, const char *run, const char *station, sl_answer_fn *fn, void *arg)
{
    struct taker t = { .sl = sl, .fn = fn, .arg = arg };
    int rc = sl_output(sl, run, &(struct sl_output_options){ .station = station, .answers = true }, take, &t, NULL);
    return t.odd ? sl__fail(sl, SL_BAD_REPLY, "output.columns", "they are not those of answers") : rc;
}
