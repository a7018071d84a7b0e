/* JSON output. */
#include "client/cli/json_out.h"

#include <string.h>

#include "proto/reader.h"

json_t *json_text(const char *p, size_t n)
{
    return sl_utf8_ok(p, n) && !(n && memchr(p, 0, n)) ? json_stringn(p, n) : json_stringn("(not text)", 10);
}

static json_t *text(const char *s)
{
    return json_text(s, strlen(s));
}

static json_t *number(uint64_t n)
{
    char digits[24];
    if (n <= INT64_MAX) {
        return json_integer((json_int_t)n);
    }
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    return json_string(digits);
}

static json_t *hex(const struct sl_value *v)
{
    static const char digit[] = "0123456789abcdef";
    char *s = malloc((size_t)v->n * 2 + 1);
    if (!s) {
        return NULL;
    }
    for (uint32_t i = 0; i < v->n; i++) {
        unsigned char c = (unsigned char)v->p[i];
        s[2 * i] = digit[c >> 4];
        s[2 * i + 1] = digit[c & 15];
    }
    json_t *j = json_stringn(s, (size_t)v->n * 2);
    free(s);
    return j;
}

static json_t *of_array(const struct sl_value *v)
{
    json_t *array = json_array();
    struct sl_cursor c = sl_inside(v);
    struct sl_value item;
    while (array && sl_next(&c, &item)) {
        if (json_array_append_new(array, json_of_value(&item)) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *of_map(const struct sl_value *v)
{
    json_t *object = json_object();
    struct sl_cursor c = sl_inside(v);
    struct sl_value key, item;
    while (object && sl_next(&c, &key) && sl_next(&c, &item)) {
        char name[256]; /* keys of ours are names; a longer one is cut */
        size_t n = sl_text(&key, name, sizeof name);
        if (!sl_utf8_ok(name, n < sizeof name ? n : sizeof name - 1)) {
            snprintf(name, sizeof name, "(not text)");
        }
        if (json_object_set_new(object, name, json_of_value(&item)) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

json_t *json_of_value(const struct sl_value *v)
{
    switch (v->type) {
    case SL_T_NIL: return json_null();
    case SL_T_BOOL: return json_boolean(v->v.b);
    case SL_T_UINT: return number(v->v.u64);
    case SL_T_INT: return json_integer((json_int_t)v->v.i64);
    case SL_T_DOUBLE: {
        json_t *real = json_real(v->v.d);
        return real ? real : json_null(); /* JSON has no NaN and no infinity */
    }
    case SL_T_STR: {
        json_t *exact = json_stringn(v->p, v->n); /* NUL is fine in JSON: \u0000 */
        return exact ? exact : json_text(v->p, v->n);
    }
    case SL_T_BIN: return hex(v);
    case SL_T_ARRAY: return of_array(v);
    case SL_T_MAP: return of_map(v);
    }
    return NULL;
}

/* json_pack takes over what stands for "o" also when it fails. */
json_t *json_of_line(const struct sl_line_row *r)
{
    static const char *const states[] = { "active", "paused", "deleted" };
    return json_pack("{s:o, s:o, s:s, s:o, s:o, s:o}", "line", text(r->name), "version", number(r->version), "state",
                     r->state < 3 ? states[r->state] : "unknown", "stations", number(r->stations), "runs_open",
                     number(r->runs_open), "title", text(r->title));
}

static json_t *limit(uint64_t n)
{
    return n ? number(n) : json_null();
}

json_t *json_of_station(const struct sl_station_row *r)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                     "station_id", number(r->station_id), "line", text(r->line), "version", number(r->version),
                     "station", text(r->name), "paused", (int)r->paused, "blocked", number(r->blocked), "waiting",
                     number(r->waiting), "ready", number(r->ready), "assigned", number(r->assigned), "started",
                     number(r->started), "done", number(r->done), "skipped", number(r->skipped), "dead",
                     number(r->dead), "ended", number(r->ended), "mean_us", number(r->mean_us), "at_once",
                     limit(r->at_once), "in_hand", r->at_once ? number(r->in_hand) : json_null(), "per_day",
                     limit(r->per_day));
}

json_t *json_of_run(const struct sl_run_row *r)
{
    static const char *const states[] = { "open", "closed", "done", "cancelled", "deleting" };
    return json_pack("{s:o, s:o, s:o, s:o, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I}", "run_id",
                     number(r->run_id), "run", text(r->name), "line", text(r->line), "version", number(r->version),
                     "state", r->state < 5 ? states[r->state] : "unknown", "paused", (int)r->paused, "priority",
                     number(r->priority), "units", number(r->units), "done", number(r->done), "dropped",
                     number(r->dropped), "cancelled", number(r->cancelled), "dead", number(r->dead), "created_wall_us",
                     (json_int_t)r->created_wall_us, "changed_wall_us", (json_int_t)r->changed_wall_us);
}

json_t *json_of_task(const struct sl_task_row *r, const char *run)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:o}", "run", text(run), "run_id", number(r->run_id), "unit",
                     number(r->unit), "state", number(r->state), "attempts", number(r->attempts), "due_us",
                     (json_int_t)r->due_us, "reason", text(r->reason));
}

json_t *json_of_hub(const struct sl_hub_row *r)
{
    return json_pack("{s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:I}", "hub_id", number(r->hub), "hub", text(r->name), "zone",
                     text(r->zone), "connected", (int)r->connected, "workers", number(r->workers), "signed_in",
                     number(r->signed_in), "holding", number(r->holding), "seen_wall_us", (json_int_t)r->seen_wall_us);
}

json_t *json_of_worker(const struct sl_worker_row *r)
{
    json_t *skills = json_object();
    struct sl_cursor c = sl_inside(&r->skills);
    struct sl_value pair;
    while (skills && sl_next(&c, &pair)) {
        struct sl_cursor in = sl_inside(&pair);
        struct sl_value name, level;
        char key[SL_NAME_SIZE];
        if (sl_next(&in, &name) && sl_next(&in, &level)) {
            sl_text(&name, key, sizeof key);
            if (json_object_set_new(skills, key, number(sl_uint(&level))) != 0) {
                json_decref(skills);
                return NULL;
            }
        }
    }
    json_t *shift = *r->shift ? json_pack("{s:o, s:o, s:b, s:I}", "name", text(r->shift), "zone", text(r->shift_zone),
                                          "on", (int)r->on_shift, "change_wall_us", (json_int_t)r->change_wall_us)
                              : json_null();
    return json_pack("{s:o, s:o, s:o, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "worker_id",
                     number(r->worker), "worker", text(r->name), "hub", text(r->hub), "kind",
                     r->kind == 1 ? "robot" : "human", "signed_in", (int)r->signed_in, "holding", number(r->holding),
                     "credit", number(r->credit), "done", number(r->done), "skills", skills, "shift", shift, "capacity",
                     number(r->capacity), "team", text(r->team), "per_day", limit(r->per_day), "today",
                     r->per_day ? number(r->today) : json_null());
}

json_t *json_of_shift(const struct sl_shift_row *r)
{
    json_t *times = json_array();
    struct sl_cursor c = sl_inside(&r->times);
    for (struct sl_value v; times && sl_next(&c, &v);)
        json_array_append_new(times, number(sl_uint(&v)));
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:I, s:o}", "shift_id", number(r->shift), "shift",
                     text(r->name), "hub", text(r->hub), "zone", text(r->zone), "pattern", text(r->pattern), "workers",
                     number(r->workers), "on", (int)r->on, "overtime_us", number(r->overtime_us), "until_wall_us",
                     (json_int_t)r->until_wall_us, "times_wall_us", times);
}

int json_line(struct cli *cli, json_t *tree)
{
    if (!tree) {
        return cli_nomem(cli);
    }
    int rc = json_dumpf(tree, cli->out, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(tree);
    fputc('\n', cli->out);
    return rc == 0 ? CLI_DONE : cli_fail(cli, "cannot write the output");
}
