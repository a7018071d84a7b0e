/* sunline hub and sunline worker: who could work, who does, when, and why somebody gets no work. */
#include <inttypes.h>
#include <string.h>

#include "client/cli/args.h"
#include "client/cli/cmd_worker.h"
#include "client/cli/family.h"
#include "client/cli/json_out.h"
#include "client/cli/table.h"
#include "client/cli/text.h"

struct listing {
    struct cli *cli;
    struct table table;
    const char *only; /* this hub only; NULL: all */
    bool found, one;  /* one: of `worker show`, whose row waits for what is measured of him */
    int code;
    json_t *row;
    int64_t now_wall_us;
};

static int on_hub(void *arg, const struct sl_hub_row *r)
{
    struct listing *l = arg;
    char seen[TEXT_TIME_BYTES];
    if (l->only && strcmp(l->only, r->name) != 0) {
        return 0;
    }
    l->found = true;
    if (l->cli->json) {
        l->code = json_line(l->cli, json_of_hub(r));
        return l->code;
    }
    table_str(&l->table, r->name);
    table_str(&l->table, r->zone);
    table_str(&l->table, r->connected ? "connected" : "away");
    table_u64(&l->table, r->workers);
    table_u64(&l->table, r->signed_in);
    table_u64(&l->table, r->holding);
    table_str(&l->table, text_time(r->seen_wall_us, seen));
    return 0;
}

static void skills_text(const struct sl_value *skills, char *to, size_t size)
{
    struct sl_cursor c = sl_inside(skills);
    struct sl_value pair, name, level, until, source;
    static const char *const sources[] = { "", "+", "-" }; /* granted by an operator, lowered by a rule */
    size_t at = 0;
    to[0] = 0;
    while (sl_next(&c, &pair) && at < size) {
        struct sl_cursor in = sl_inside(&pair);
        if (sl_next(&in, &name) && sl_next(&in, &level)) {
            bool ends = sl_next(&in, &until) && until.type != SL_T_NIL;
            uint64_t from = sl_next(&in, &source) ? sl_uint(&source) : 0;
            char when[TEXT_TIME_BYTES] = "";
            if (ends)
                text_time(until.type == SL_T_INT ? until.v.i64 : (int64_t)sl_uint(&until), when);
            at += (size_t)snprintf(to + at, size - at, "%s%.*s:%llu%s%s%s", at ? " " : "", (int)name.n, name.p,
                                   (unsigned long long)sl_uint(&level), from < 3 ? sources[from] : "",
                                   ends ? " until " : "", when);
        }
    }
}

/* "on until ...", "off until ..."; "-" without a shift. */
static const char *presence_text(bool on, int64_t change_wall_us, const char *zone, char *to, size_t size)
{
    char when[TEXT_ZONED_BYTES];
    if (change_wall_us)
        snprintf(to, size, "%s until %s", on ? "on" : "off", text_zoned(change_wall_us, zone, when));
    else
        snprintf(to, size, "%s", on ? "on" : "off, no times are known");
    return to;
}

static int on_worker(void *arg, const struct sl_worker_row *r)
{
    struct listing *l = arg;
    char skills[2048], presence[TEXT_ZONED_BYTES + 40], today[48];
    l->found = true;
    if (l->cli->json && l->one) {
        l->row = json_of_worker(r);
        return 0;
    }
    if (l->cli->json) {
        l->code = json_line(l->cli, json_of_worker(r));
        return l->code;
    }
    skills_text(&r->skills, skills, sizeof skills);
    table_str(&l->table, r->name);
    table_str(&l->table, r->hub[0] ? r->hub : "-");
    table_str(&l->table, r->kind == 1 ? "robot" : "human");
    table_str(&l->table, r->signed_in ? "in" : "off");
    table_u64(&l->table, r->holding);
    table_u64(&l->table, r->credit);
    table_u64(&l->table, r->done);
    if (r->per_day)
        snprintf(today, sizeof today, "%llu of %llu", (unsigned long long)r->today, (unsigned long long)r->per_day);
    table_str(&l->table, r->per_day ? today : "-");
    table_str(&l->table, skills[0] ? skills : "-");
    table_str(&l->table, *r->shift ? r->shift : "-");
    table_str(&l->table, *r->shift
                             ? presence_text(r->on_shift, r->change_wall_us, r->shift_zone, presence, sizeof presence)
                             : "-");
    return 0;
}

static int on_shift(void *arg, const struct sl_shift_row *r)
{
    struct listing *l = arg;
    char presence[TEXT_ZONED_BYTES + 40];
    int64_t change = 0;
    uint64_t n = 0;
    if (l->cli->json) {
        l->code = json_line(l->cli, json_of_shift(r));
        return l->code;
    }
    struct sl_cursor c = sl_inside(&r->times);
    for (struct sl_value v; sl_next(&c, &v) && !change; n++)
        if ((int64_t)sl_uint(&v) > l->now_wall_us && (n % 2 == 1) == r->on)
            change = (int64_t)sl_uint(&v);
    table_str(&l->table, r->name);
    table_str(&l->table, r->zone);
    table_u64(&l->table, r->workers);
    table_str(&l->table, presence_text(r->on, change, r->zone, presence, sizeof presence));
    table_str(&l->table, *r->pattern ? r->pattern : "-");
    return 0;
}

/* One hub or one worker is shown to people, with headings wherever it goes; lists elsewhere than on a terminal are for programs. */
static void begin(struct listing *l, bool one, const char *headings)
{
    table_begin(&l->table, l->cli->out, l->cli->out_tty || one, l->cli->color, headings);
}
#define HUB_HEADINGS "HUB|ZONE|LINK|>WORKERS|>IN|>HOLDING|LAST SEEN"
#define WORKER_HEADINGS "WORKER|HUB|KIND|SIGNED|>HOLDING|>CREDIT|>DONE|>TODAY|SKILLS|SHIFT|PRESENCE"
#define SHIFT_HEADINGS "SHIFT|ZONE|>WORKERS|NOW|PATTERN"

static int end(struct listing *l, int rc)
{
    bool ok = table_end(&l->table);
    if (l->code) {
        return l->code;
    }
    return ok ? session_check(l->cli, rc, NULL) : cli_nomem(l->cli);
}

int cmd_hub_list(struct cli *cli, int argc, char **argv)
{
    struct listing l = { .cli = cli };
    if (args_parse(cli, argc, argv, NULL, 0, 0) < 0) {
        return CLI_USAGE;
    }
    if (session_open(cli)) {
        return CLI_FAILED;
    }
    begin(&l, false, HUB_HEADINGS);
    return end(&l, sl_hubs(cli->sl, on_hub, &l));
}

int cmd_hub_show(struct cli *cli, int argc, char **argv)
{
    struct listing l = { .cli = cli };
    if (args_parse(cli, argc, argv, NULL, 1, 1) < 0) {
        return CLI_USAGE;
    }
    if (session_open(cli)) {
        return CLI_FAILED;
    }
    l.only = argv[1];
    begin(&l, true, HUB_HEADINGS);
    int code = end(&l, sl_hubs(cli->sl, on_hub, &l));
    if (code) {
        return code;
    }
    if (!l.found) {
        return cli_fail(cli, "NOT_FOUND: there is no hub '%s'", argv[1]);
    }
    if (!cli->json) {
        fputc('\n', cli->out);
    }
    begin(&l, true, WORKER_HEADINGS);
    if ((code = end(&l, sl_workers(cli->sl, argv[1], NULL, on_worker, &l))))
        return code;
    struct sl_info info;
    if (!cli->json)
        fputc('\n', cli->out);
    begin(&l, true, SHIFT_HEADINGS);
    int rc = sl_info(cli->sl, &info);
    l.now_wall_us = rc == SL_OK ? info.wall_us : 0;
    return end(&l, rc == SL_OK ? sl_shifts(cli->sl, argv[1], on_shift, &l) : rc);
}

int cmd_worker_list(struct cli *cli, int argc, char **argv)
{
    struct listing l = { .cli = cli };
    bool given = false;
    const char *hub = NULL;
    const struct arg args[] = { { "--hub", ARG_TEXT, &hub, &given, 0, 0 }, { .name = NULL } };
    if (args_parse(cli, argc, argv, args, 0, 0) < 0) {
        return CLI_USAGE;
    }
    if (session_open(cli)) {
        return CLI_FAILED;
    }
    begin(&l, false, WORKER_HEADINGS);
    return end(&l, sl_workers(cli->sl, hub, NULL, on_worker, &l));
}

int cmd_worker_show(struct cli *cli, int argc, char **argv)
{
    struct listing l = { .cli = cli };
    if (args_parse(cli, argc, argv, NULL, 1, 1) < 0) {
        return CLI_USAGE;
    }
    if (session_open(cli)) {
        return CLI_FAILED;
    }
    l.one = true;
    begin(&l, true, WORKER_HEADINGS);
    int code = end(&l, sl_workers(cli->sl, NULL, argv[1], on_worker, &l));
    if (!code && l.found)
        return worker_measures(cli, argv[1], l.row);
    json_decref(l.row);
    return code ? code : cli_fail(cli, "NOT_FOUND: there is no worker '%s'", argv[1]);
}

static const char *const why_words[] = {
    "NOTHING_MISSING", "NOTHING_QUEUED",      "SKILL_MISSING",   "LEVEL_TOO_LOW",
    "PAUSED",          "NO_CREDIT",           "NOT_SIGNED_IN",   "ALL_ANSWERED",
    "OFF_SHIFT",       "SHIFT_ENDS",          "HUB_AWAY",        "HUB_FULL",
    "OTHER_KIND",      "NOT_THIS_HUB",        "NOT_THIS_TEAM",   [17] = "SUSPENDED",
    [18] = "REQUIRE",  [19] = "IN_TRAINING",  [20] = "DAY_FULL", [21] = "STATION_FULL",
    [22] = "OWN_WORK", [23] = "HUB_CLOCK_OFF"
};

int cmd_worker_why(struct cli *cli, int argc, char **argv)
{
    uint64_t code;
    char text[513];
    if (args_parse(cli, argc, argv, NULL, 1, 1) < 0) {
        return CLI_USAGE;
    }
    if (session_open(cli)) {
        return CLI_FAILED;
    }
    int rc = session_check(cli, sl_worker_why(cli->sl, argv[1], &code, text, sizeof text), NULL);
    if (rc) {
        return rc;
    }
    const char *word = code < sizeof why_words / sizeof *why_words && why_words[code] ? why_words[code] : "UNKNOWN";
    if (cli->json) {
        return json_line(cli, json_pack("{s:s, s:I, s:s, s:s}", "worker", argv[1], "code", (json_int_t)code, "why",
                                        word, "text", text));
    }
    fprintf(cli->out, "%s: ", word);
    text_put(cli->out, text, strlen(text));
    fputc('\n', cli->out);
    return CLI_DONE;
}
