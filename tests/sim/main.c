/* sunline-sim: one world from one seed. Exit 0: nothing was found; 1: the checker, or the simulator itself, found something; 2: usage. */
#include <getopt.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include "tests/sim/memory.h"
#include "tests/sim/sim.h"

static jmp_buf broken;
static char broken_text[1000];

void sim_tell(struct sim *s, const char *fmt, ...)
{
    va_list ap;
    int64_t ms = s->now_us / 1000;
    fprintf(s->story, "%3" PRId64 ":%02" PRId64 ":%02" PRId64 ".%03" PRId64 "  ", ms / 3600000, ms / 60000 % 60,
            ms / 1000 % 60, ms % 1000);
    va_start(ap, fmt);
    vfprintf(s->story, fmt, ap);
    va_end(ap);
    fputc('\n', s->story);
}

void sim_broken(struct sim *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(broken_text, sizeof broken_text, fmt, ap);
    va_end(ap);
    memory_disarm();
    damage_wrong(s, broken_text);
    TELL(s, "BROKEN %s", broken_text);
    longjmp(broken, 1);
}

void sim_hash(struct sim *s, const void *p, size_t n)
{
    const uint8_t *b = p;
    uint64_t h = s->hash ^ (uint64_t)s->now_us;
    h *= 0x100000001b3ull;
    for (; n >= 8; n -= 8, b += 8) {
        uint64_t w = 0;
        for (int i = 0; i < 8; i++)
            w |= (uint64_t)b[i] << (8 * i);
        h = (h ^ w) * 0x9e3779b97f4a7c15ull;
        h ^= h >> 29;
    }
    while (n--)
        h = (h ^ *b++) * 0x100000001b3ull;
    s->hash = h;
}

void sim_run(struct sim *s, const struct options *o)
{
    s->opt = *o;
    plan_make(&s->plan, o);
    s->tally.worlds_of_heavy_loss = s->plan.loss_ppm > 200000;
    s->tally.worlds_of_heavy_replay = s->plan.dup_ppm > 300000;
    s->tally.worlds_of_many_hubs = s->plan.hubs >= 15;
    s->tally.worlds_of_small_portions = s->plan.portion_max != 0;
    s->tally.dense_worlds = s->plan.dense;
    s->story = o->trace ? stdout : NULL;
    s->checker = checker_new(s->story);
    if (s->plan.portion_max)
        checker_patience(s->checker, PORTIONS_US);
    if (s->story)
        plan_print(&s->plan, s->story);
    s->now_us = SEC;
    net_open(s);
    lines_make(s);
    server_open(s);
    operator_open(s);
    hubs_open(s);
    producers_open(s);
    watchers_open(s);
    restore_open(s);
    while (sched_step(s, s->plan.hours_us))
        ;
    if (s->branch_until_us)
        damage_over(s);
    s->now_us = s->plan.hours_us;
    sim_finish(s);
    uint8_t state[16];
    CHECK(s, engine_state_hash(s->server.store, state) == STORE_OK);
    sim_hash(s, state, sizeof state);
}

void sim_free(struct sim *s)
{
    hubs_close(s);
    restore_close(s);
    net_free(s);
    server_close(s);
    producers_close(s);
    operator_close(s);
    lines_free_all(s);
    checker_free(&s->checker);
    free(s->sched.v);
}

static void report(struct sim *s, const struct options *o, bool ok, const char *args)
{
    struct checker_sums c = checker_sums(s->checker);
    printf("seed %" PRIu64 " %s hash %016" PRIx64 " hours %" PRId64 " drained_min %" PRId64 " units %" PRIu64
           " rows_acked %" PRIu64 " results %" PRIu64 " late %" PRIu64 " assignments %" PRIu64 " events %" PRIu64
           " recovered %" PRIu64 " frames %" PRIu64 " lost %" PRIu64 " replayed %" PRIu64 " crashes %" PRIu64
           " commits %" PRIu64,
           o->seed, ok ? "ok" : "FAILED", s->hash, (s->now_us + HOUR / 2) / HOUR, s->drained_us / MINUTE, c.units,
           c.rows_acked, c.results_counted, c.results_late, c.assignments, c.events, c.recovered, s->net.sent,
           s->net.lost, s->net.doubled, s->server.crashes, s->server.commits);
#define T(n) printf(" " #n " %" PRIu64, s->tally.n);
    TALLIES(T)
#undef T
    for (enum verdict v = 0; v < VERDICTS; v++)
        printf(" verdict_%s %" PRIu64, verdict_name(v), checker_count(s->checker, v));
    printf(" idle_judged %" PRIu64 " late_frames %" PRIu64 " overtaken %" PRIu64 "\n", c.idle_judged, s->net.late,
           s->net.overtaken);
    if (ok)
        return;
    plan_print(&s->plan, stdout);
    if (broken_text[0])
        printf("  broken: %s\n", broken_text);
    for (enum verdict v = 0; v < VERDICTS; v++)
        if (checker_count(s->checker, v))
            printf("  %s: %" PRIu64 ", first: %s\n", verdict_name(v), checker_count(s->checker, v),
                   checker_first(s->checker, v));
    printf("  again: %s\n", args);
}

static void usage(FILE *f)
{
    fprintf(f, "usage: sunline-sim [--seed N] [--hours H] [--hubs N] [--runs N] [--rows N] [--lines N] [--no WHAT]...\n"
               "                   [--trace [--branch N]] [--plan] [--dir DIR]\n"
               "       WHAT:");
#define K(n) fputs(" " #n, f);
    LEFT_OUT(K)
#undef K
    fputc('\n', f);
}

static bool leaves_out(struct options *o, const char *what)
{
#define K(n)                                                                                                           \
    if (!strcmp(what, #n))                                                                                             \
        return o->no_##n = true;
    LEFT_OUT(K)
#undef K
    return false;
}

int main(int argc, char **argv)
{
    static const struct option opts[] = { { "seed", 1, 0, 's' }, { "hours", 1, 0, 'h' },  { "hubs", 1, 0, 'u' },
                                          { "runs", 1, 0, 'r' }, { "rows", 1, 0, 'w' },   { "lines", 1, 0, 'l' },
                                          { "no", 1, 0, 'n' },   { "trace", 0, 0, 't' },  { "plan", 0, 0, 'p' },
                                          { "dir", 1, 0, 'd' },  { "branch", 1, 0, 'b' }, { "help", 0, 0, '?' },
                                          { 0, 0, 0, 0 } };
    struct options o = {
        .seed = 1, .hours = -1, .hubs = UINT32_MAX, .runs = UINT32_MAX, .rows = UINT32_MAX, .lines = UINT32_MAX
    };
    static struct sim s;
    bool plan_only = false;
    setvbuf(stdout, NULL, _IOLBF, 0); /* a crash leaves what was told before it */
    const char *dirs[] = { getenv("TMPDIR"), "/dev/shm", "/tmp" };
    for (size_t i = 0; i < 3 && !o.dir; i++)
        if (dirs[i] && access(dirs[i], W_OK) == 0)
            o.dir = dirs[i];
    for (int c; (c = getopt_long(argc, argv, "", opts, NULL)) != -1;)
        switch (c) {
        case 's': o.seed = strtoull(optarg, NULL, 0); break;
        case 'h': o.hours = strtoll(optarg, NULL, 0); break;
        case 'u': o.hubs = (uint32_t)strtoul(optarg, NULL, 0); break;
        case 'r': o.runs = (uint32_t)strtoul(optarg, NULL, 0); break;
        case 'w': o.rows = (uint32_t)strtoul(optarg, NULL, 0); break;
        case 'l': o.lines = (uint32_t)strtoul(optarg, NULL, 0); break;
        case 'n':
            if (!leaves_out(&o, optarg)) {
                usage(stderr);
                return 2;
            }
            break;
        case 't': o.trace = true; break;
        case 'p': plan_only = true; break;
        case 'b': o.branch = strtoull(optarg, NULL, 0); break;
        case 'd': o.dir = optarg; break;
        default: usage(stderr); return 2;
        }
    if (optind != argc || o.hubs == 0 || o.runs == 0 || o.rows == 0 || o.lines == 0) {
        usage(stderr);
        return 2;
    }
    if (plan_only) {
        plan_make(&s.plan, &o);
        plan_print(&s.plan, stdout);
        return 0;
    }
    char args[1000];
    int n = snprintf(args, sizeof args, "%s", argv[0]);
    for (int i = 1; i < argc && n < (int)sizeof args; i++)
        n += snprintf(args + n, sizeof args - (size_t)n, " %s", argv[i]);
    bool ok = false;
    if (setjmp(broken) == 0) {
        sim_run(&s, &o);
        ok = checker_total(s.checker) == 0;
    }
    report(&s, &o, ok, args);
    sim_free(&s);
    return ok ? 0 : 1;
}
