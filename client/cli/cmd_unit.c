/* sunline unit show: the whole story of a unit. The broker tells it as a tree (PROTOCOL.md says of what); here it is
 * only laid out for reading: what ends in _wall_us is a time, other _us are durations, the numbers of states get
 * their words, history is a line an entry, and whatever a newer broker adds is shown as well. */
#include <string.h>

#include "client/cli/args.h"
#include "client/cli/family.h"
#include "client/cli/json_out.h"
#include "client/cli/text.h"

#define DEPTH_MAX 16

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

static void put_scalar(FILE *out, const char *key, const struct sl_value *v)
{
    char text[64];
    bool integer = v->type == SL_T_UINT || v->type == SL_T_INT;
    int64_t i = v->type == SL_T_INT ? v->v.i64 : v->type == SL_T_UINT && v->v.u64 <= INT64_MAX ? (int64_t)v->v.u64 : 0;
    if (integer && ends_with(key, "_wall_us")) {
        fputs(text_time(i, text), out);
    } else if (integer && ends_with(key, "_us")) {
        fputs(text_duration(i, text), out);
    } else if (v->type == SL_T_STR) {
        text_put(out, v->p, v->n);
    } else if (v->type == SL_T_NIL) {
        fputs("-", out);
    } else if (v->type == SL_T_BIN) {
        fprintf(out, "(%u bytes)", v->n);
    } else {
        sl_text(v, text, sizeof text);
        fputs(text, out);
    }
}

/* The word for a number, which for a state depends on whose it is: `of` is the key of what it stands in. NULL: no word. */
static const char *word(const char *of, const char *key, const struct sl_value *v)
{
    static const char *const unit[] = { "open", "done", "dropped", "cancelled" };
    static const char *const task[] = { "blocked", "waiting", "ready", "assigned", "started",
                                        "done",    "skipped", "dead",  "ended" };
    static const char *const assignment[] = { "handed out", "started", "counted", "late", "returned" };
    static const char *const why[] = { "new",
                                       "an upstream station was done",
                                       "a delay was over",
                                       "released",
                                       "declined",
                                       "expired",
                                       "failed",
                                       "requeued",
                                       "recalled",
                                       "buried",
                                       "dropped",
                                       "another answer was wanted",
                                       "a review sent it back",
                                       "not its author's alone any more",
                                       NULL,
                                       "somebody has come who may do it",
                                       [17] = "suspended" };
    const char *const *words = NULL;
    size_t count = 0;
    if (strcmp(key, "why") == 0 || strcmp(key, "what") == 0) {
        words = why;
        count = sizeof why / sizeof why[0];
    } else if (strcmp(key, "state") != 0) {
        return NULL;
    } else if (!*of) {
        words = unit;
        count = sizeof unit / sizeof unit[0];
    } else if (strcmp(of, "stations") == 0) {
        words = task;
        count = sizeof task / sizeof task[0];
    } else if (strcmp(of, "assignments") == 0) {
        words = assignment;
        count = sizeof assignment / sizeof assignment[0];
    }
    return v->type == SL_T_UINT && v->v.u64 < count ? words[v->v.u64] : NULL;
}

/* What is not there comes as nil, "", 0 or false as well; but a field of the input or of a result that is empty is shown. */
static bool is_absent(const char *of, const char *key, const struct sl_value *v)
{
    if (strcmp(of, "input") == 0 || strcmp(of, "result") == 0) {
        return false;
    }
    bool zero = v->type == SL_T_UINT && v->v.u64 == 0;
    bool optional = ends_with(key, "_us") || strcmp(key, "why") == 0 || strcmp(key, "assignment") == 0;
    return v->type == SL_T_NIL || (v->type == SL_T_STR && v->n == 0) || (zero && optional) ||
           (v->type == SL_T_BOOL && !v->v.b) || ((v->type == SL_T_ARRAY || v->type == SL_T_MAP) && v->n == 0);
}

static bool is_container(const struct sl_value *v)
{
    return v->type == SL_T_MAP || v->type == SL_T_ARRAY;
}

/* Does an array hold plain values only? Then it fits a line. */
static bool is_flat(const struct sl_value *v)
{
    struct sl_cursor c = sl_inside(v);
    struct sl_value item;
    while (sl_next(&c, &item)) {
        if (is_container(&item)) {
            return false;
        }
    }
    return true;
}

static void put_tree(FILE *out, const char *of, const char *key, const struct sl_value *v, int depth);

/* A key as people read it: without its unit, which the value shows. */
static void put_key(FILE *out, int depth, const char *key)
{
    size_t n = strlen(key);
    n -= ends_with(key, "_wall_us") ? 8 : ends_with(key, "_us") ? 3 : 0;
    fprintf(out, "%*s", depth * 2, "");
    text_put(out, key, n);
}

static void put_pairs(FILE *out, const char *of, const struct sl_value *map, int depth)
{
    struct sl_cursor c = sl_inside(map);
    struct sl_value k, v;
    while (sl_next(&c, &k) && sl_next(&c, &v)) {
        char key[128];
        sl_text(&k, key, sizeof key);
        bool heading = strcmp(key, "name") == 0 && strcmp(of, "stations") == 0; /* put_items wrote it */
        if (!heading && !is_absent(of, key, &v)) {
            put_tree(out, of, key, &v, depth);
        }
    }
}

/* "2026-03-01T09:30:00.250Z  released  station=judge  worker=amina" */
static void put_entry(FILE *out, const struct sl_value *map, int depth)
{
    struct sl_cursor c = sl_inside(map);
    struct sl_value k, v, when, what;
    char text[TEXT_TIME_BYTES];
    bool timed = sl_map_get(map, "wall_us", &when) && when.type == SL_T_UINT && when.v.u64 <= INT64_MAX;
    const char *name = sl_map_get(map, "what", &what) ? word("history", "what", &what) : NULL;
    fprintf(out, "%*s%s  ", depth * 2, "", text_time(timed ? (int64_t)when.v.u64 : 0, text));
    if (name) {
        fputs(name, out);
    }
    while (sl_next(&c, &k) && sl_next(&c, &v)) {
        char key[128];
        sl_text(&k, key, sizeof key);
        bool written = (timed && sl_str_is(&k, "wall_us")) || (name && sl_str_is(&k, "what"));
        if (written || is_container(&v) || is_absent("history", key, &v)) {
            continue;
        }
        fputs("  ", out);
        text_put(out, key, strlen(key));
        fputc('=', out);
        put_scalar(out, key, &v);
    }
    fputc('\n', out);
}

static void put_items(FILE *out, const char *key, const struct sl_value *array, int depth)
{
    struct sl_cursor c = sl_inside(array);
    struct sl_value item, name;
    unsigned at = 0;
    while (sl_next(&c, &item)) {
        at++;
        if (strcmp(key, "history") == 0 && item.type == SL_T_MAP) {
            put_entry(out, &item, depth);
            continue;
        }
        if (sl_map_get(&item, "name", &name)) {
            fprintf(out, "%*s", depth * 2, "");
            text_put(out, name.p, name.n);
            fputc('\n', out);
        } else {
            fprintf(out, "%*s%u.\n", depth * 2, "", at);
        }
        if (item.type == SL_T_MAP) {
            put_pairs(out, key, &item, depth + 1);
        } else {
            put_tree(out, key, key, &item, depth + 1);
        }
    }
}

static void put_tree(FILE *out, const char *of, const char *key, const struct sl_value *v, int depth)
{
    if (depth > DEPTH_MAX) {
        return;
    }
    put_key(out, depth, key);
    if (!is_container(v)) {
        const char *name = word(of, key, v);
        fputs(": ", out);
        if (name) {
            fputs(name, out);
        } else {
            put_scalar(out, key, v);
        }
        fputc('\n', out);
    } else if (v->type == SL_T_MAP) {
        fputs(v->n ? "\n" : ": -\n", out);
        put_pairs(out, key, v, depth + 1);
    } else if (is_flat(v)) {
        struct sl_cursor c = sl_inside(v);
        struct sl_value item;
        fputs(v->n ? ": " : ": -", out);
        for (unsigned i = 0; sl_next(&c, &item); i++) {
            fputs(!i ? "" : strcmp(of, "changes") == 0 ? " -> " : ", ", out); /* of a review: before and after */
            put_scalar(out, key, &item);
        }
        fputc('\n', out);
    } else {
        fputc('\n', out);
        put_items(out, key, v, depth + 1);
    }
}

int cmd_unit_show(struct cli *cli, int argc, char **argv)
{
    char run[SL_NAME_SIZE];
    uint64_t unit;
    int n = args_parse(cli, argc, argv, NULL, 1, 2);
    if (n < 0) {
        return CLI_USAGE;
    }
    const char *slash = strrchr(argv[1], '/');
    size_t run_n = n == 2 ? strlen(argv[1]) : slash ? (size_t)(slash - argv[1]) : 0;
    const char *number = n == 2 ? argv[2] : slash ? slash + 1 : "";
    if (run_n == 0 || run_n >= sizeof run || !args_u64(number, 0, &unit) || unit == 0) {
        return cli_misuse(cli, "name a unit as RUN UNIT or RUN/UNIT, with a unit number from 1 on");
    }
    memcpy(run, argv[1], run_n);
    run[run_n] = 0;
    struct sl_value story;
    char what[SL_NAME_SIZE + 24];
    snprintf(what, sizeof what, "%s/%llu", run, (unsigned long long)unit);
    if (session_open(cli) || session_check(cli, sl_unit(cli->sl, run, unit, &story), what)) {
        return CLI_FAILED;
    }
    if (cli->json) {
        return json_line(cli, json_of_value(&story));
    }
    put_pairs(cli->out, "", &story, 0);
    return CLI_DONE;
}
