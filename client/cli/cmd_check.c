/* sunline check: the broker looks after its store while it works, piece by piece: the checksum of every record; or, with --recount, the counters of
 * every run against the states of its units. With --data there is no broker: `sunlined --verify` looks at the folder. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/args.h"
#include "client/cli/family.h"
#include "client/cli/json_out.h"
#include "client/cli/text.h"
#include "client/internal.h"

#define STATES 9
#define STATIONS_MAX 128
#define ROUNDS_MAX 5 /* a run that changed while it was counted is counted again */

static const char *const words[STATES] = { "blocked", "waiting", "ready", "assigned", "started",
                                           "done",    "skipped", "dead",  "ended" };
static const char *const unit_words[4] = { "done", "dropped", "cancelled", "dead" };

struct place {
    uint8_t p[160];
    uint32_t n;
};

/* One piece. The answer lies in the handle until the next call; *at becomes where the next piece begins, n 0 at the end. */
static int piece(struct cli *cli, struct place *at, bool recount, struct slp_msg *m)
{
    struct slp_check_get g = { .after = { (const char *)at->p, at->n }, .recount = recount };
    SL__SET(&g, check_get, recount);
    if (at->n) {
        SL__SET(&g, check_get, after);
    }
    if (session_check(cli,
                      sl__request_with(cli->sl, SLP_CHECK_GET, &g, SLP_CHECK, m, (int64_t)cli->timeout_s * 1000, true),
                      NULL)) {
        return CLI_FAILED;
    }
    struct slp_bytes next = m->u.check.next;
    if (next.n > sizeof at->p) {
        return cli_fail(cli, "the broker's answer makes no sense: a `next` of %u bytes", next.n);
    }
    at->n = next.n;
    if (next.n) {
        memcpy(at->p, next.p, next.n);
    }
    return CLI_DONE;
}

/* ---- records ---- */

static int check_records(struct cli *cli)
{
    struct place at = { .n = 0 };
    uint64_t records = 0, damaged = 0;
    struct slp_msg m;
    char count[2][TEXT_TIME_BYTES];
    do {
        if (piece(cli, &at, false, &m)) {
            return CLI_FAILED;
        }
        records += m.u.check.records;
        struct slp_cursor c = slp_each(m.u.check.damage);
        for (struct slp_bytes s; slp_next_str(&c, &s); damaged++) {
            if (cli->json) {
                if (json_line(cli, json_pack("{s:o}", "damaged", json_text(s.p, s.n)))) {
                    return CLI_FAILED;
                }
                continue;
            }
            fprintf(cli->out, "damaged\t");
            text_put(cli->out, s.p, s.n);
            fputc('\n', cli->out);
        }
    } while (at.n && !session_interrupted());
    if (cli->json) {
        if (json_line(
                cli, json_pack("{s:I, s:I}", "records", (json_int_t)records, "damaged_records", (json_int_t)damaged))) {
            return CLI_FAILED;
        }
    } else {
        fprintf(cli->out, "%s records checked, %s damaged\n", text_count(records, count[0]),
                text_count(damaged, count[1]));
    }
    return damaged ? CLI_FAILED : CLI_DONE;
}

/* ---- recount ---- */

struct run_count {
    char name[SL_NAME_SIZE];
    uint64_t id, last_event, counted, unit[4], kept[5];
    uint32_t stations;
    struct {
        char name[SL_NAME_SIZE];
        uint64_t counted[STATES], kept[STATES];
    } station[STATIONS_MAX];
};

static void read_numbers(struct sl_cursor *c, uint64_t *v, uint32_t n, bool add)
{
    struct sl_value list, x;
    if (!sl_next(c, &list)) {
        return;
    }
    struct sl_cursor in = sl_inside(&list);
    for (uint32_t i = 0; i < n && sl_next(&in, &x); i++) {
        v[i] = sl_uint(&x) + (add ? v[i] : 0);
    }
}

static uint64_t next_uint(struct sl_cursor *c)
{
    struct sl_value v;
    return sl_next(c, &v) ? sl_uint(&v) : 0;
}

static void next_name(struct sl_cursor *c, char to[SL_NAME_SIZE])
{
    struct sl_value v;
    to[0] = 0;
    if (sl_next(c, &v)) {
        sl_text(&v, to, SL_NAME_SIZE);
    }
}

/* Add a piece of a run. False: it is another run, or it has changed since the piece before. */
static bool add_piece(struct run_count *r, const struct sl_value *row)
{
    struct sl_cursor c = sl_inside(row);
    uint64_t id = next_uint(&c);
    char name[SL_NAME_SIZE];
    next_name(&c, name);
    uint64_t last_event = next_uint(&c), first = next_uint(&c), counted = next_uint(&c);
    if (first == 1) {
        memset(r, 0, sizeof *r);
        r->id = id;
        r->last_event = last_event;
        memcpy(r->name, name, sizeof name);
    } else if (r->id != id || r->last_event != last_event) {
        return false;
    }
    r->counted += counted;
    read_numbers(&c, r->unit, 4, true);
    read_numbers(&c, r->kept, 5, false);
    struct sl_value list, station;
    struct sl_cursor stations = { NULL, NULL };
    if (sl_next(&c, &list)) {
        stations = sl_inside(&list);
    }
    for (r->stations = 0; r->stations < STATIONS_MAX && sl_next(&stations, &station); r->stations++) {
        struct sl_cursor in = sl_inside(&station);
        next_name(&in, r->station[r->stations].name);
        read_numbers(&in, r->station[r->stations].counted, STATES, true);
        read_numbers(&in, r->station[r->stations].kept, STATES, false);
    }
    return true;
}

static int differ(struct cli *cli, const struct run_count *r, const char *station, const char *word, uint64_t counted,
                  uint64_t kept, uint64_t *wrong)
{
    if (counted == kept) {
        return CLI_DONE;
    }
    ++*wrong;
    if (cli->json) {
        return json_line(cli, json_pack("{s:s, s:s, s:s, s:I, s:I}", "run", r->name, "station", station, "counter",
                                        word, "counted", (json_int_t)counted, "kept", (json_int_t)kept));
    }
    fprintf(cli->out, "wrong\trun %s\t%s\t%s: counted %llu, kept %llu\n", r->name, *station ? station : "-", word,
            (unsigned long long)counted, (unsigned long long)kept);
    return CLI_DONE;
}

static int compare(struct cli *cli, const struct run_count *r, uint64_t *wrong)
{
    int code = differ(cli, r, "", "units", r->counted, r->kept[0], wrong);
    for (int i = 0; i < 4 && !code; i++) {
        code = differ(cli, r, "", unit_words[i], r->unit[i], r->kept[i + 1], wrong);
    }
    for (uint32_t s = 0; s < r->stations && !code; s++) {
        for (int i = 0; i < STATES && !code; i++) {
            code = differ(cli, r, r->station[s].name, words[i], r->station[s].counted[i], r->station[s].kept[i], wrong);
        }
    }
    return code;
}

static int recount(struct cli *cli)
{
    static struct run_count r; /* large; one at a time */
    struct place at = { .n = 0 }, begin = at;
    uint64_t runs = 0, units = 0, wrong = 0, moving = 0;
    unsigned rounds = 0;
    struct slp_msg m;
    for (bool more = true; more && !session_interrupted();) {
        struct place before = at;
        if (piece(cli, &at, true, &m)) {
            return CLI_FAILED;
        }
        struct sl_cursor c = { m.u.check.counts.p, m.u.check.counts.p + m.u.check.counts.bytes };
        struct sl_value row, v;
        if (m.u.check.counts.count == 0 || !sl_next(&c, &row)) {
            break;
        }
        struct sl_cursor in = sl_inside(&row);
        sl_next(&in, &v); /* run */
        sl_next(&in, &v); /* name */
        sl_next(&in, &v); /* last event */
        if (next_uint(&in) == 1) {
            begin = before;
        }
        if (!add_piece(&r, &row)) { /* work goes on in it: begin the run again, a few times */
            if (++rounds < ROUNDS_MAX) {
                at = begin;
                continue;
            }
            moving++;
            cli_note(cli, "run %s changes all the time, and is too large to count in one piece: it was not compared",
                     r.name);
            /* its other pieces are passed over: they will not fit either */
            rounds = 0;
            r.id = 0;
            while (at.n == 13 && memcmp(at.p + 5, "\0\0\0\0\0\0\0\0", 8) != 0) {
                if (piece(cli, &at, true, &m)) {
                    return CLI_FAILED;
                }
            }
            more = at.n != 0;
            continue;
        }
        bool complete = !at.n || (at.n == 13 && memcmp(at.p + 5, "\0\0\0\0\0\0\0\0", 8) == 0);
        if (complete) {
            rounds = 0;
            runs++;
            units += r.counted;
            if (compare(cli, &r, &wrong)) {
                return CLI_FAILED;
            }
        }
        more = at.n != 0;
    }
    if (cli->json) {
        if (json_line(cli, json_pack("{s:I, s:I, s:I, s:I}", "runs", (json_int_t)runs, "units", (json_int_t)units,
                                     "wrong", (json_int_t)wrong, "not_compared", (json_int_t)moving))) {
            return CLI_FAILED;
        }
    } else {
        char count[2][TEXT_TIME_BYTES];
        fprintf(cli->out, "%s runs, %s units counted, %llu counters wrong, %llu runs not compared\n",
                text_count(runs, count[0]), text_count(units, count[1]), (unsigned long long)wrong,
                (unsigned long long)moving);
    }
    return wrong || moving ? CLI_FAILED : CLI_DONE;
}

/* ---- without a broker ---- */

/* The daemon that lies beside this program, else the first one in PATH. Returns only if there is none. */
static int verify(struct cli *cli, const char *dir)
{
    char beside[PATH_MAX + sizeof "/sunlined"];
    ssize_t n = readlink("/proc/self/exe", beside, PATH_MAX);
    char *slash = n > 0 ? memrchr(beside, '/', (size_t)n) : NULL;
    if (slash != NULL) {
        strcpy(slash, "/sunlined");
        execl(beside, "sunlined", "--verify", "--data", dir, (char *)NULL);
    }
    execlp("sunlined", "sunlined", "--verify", "--data", dir, (char *)NULL);
    return cli_fail(cli, "sunlined, which looks at a store without a broker, cannot be started: %s", strerror(errno));
}

int cmd_check(struct cli *cli, int argc, char **argv)
{
    bool count = false;
    const char *dir = NULL;
    const struct arg args[] = { { "--recount", ARG_FLAG, &count, NULL, 0, 0 },
                                { "--data", ARG_TEXT, &dir, NULL, 0, 0 },
                                { .name = NULL } };
    if (args_parse(cli, argc, argv, args, 0, 0) < 0) {
        return CLI_USAGE;
    }
    if (dir != NULL) {
        return count || cli->json ? cli_misuse(cli, "--data goes with neither --recount nor --json: no broker is asked")
                                  : verify(cli, dir);
    }
    if (session_open(cli)) {
        return CLI_FAILED;
    }
    session_catch_signals();
    return count ? recount(cli) : check_records(cli);
}
