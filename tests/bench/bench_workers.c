/* A million workers: what the engine does with them, in this process, over a store that syncs. See docs/performance.md and `make bench-workers`.
 *
 *   bench_workers --dir DIR --op large|small    a company of that size, its life, and what each part of it cost, as JSON. DIR must not exist.
 *   bench_workers --dir DIR --op copies         the large one, where three workers answer each task: its life only; a life is one answer
 *   bench_workers --dir DIR --op author         a reviewer whose own work the first million tasks of a queue are
 *   bench_workers --dir DIR --op open           the large one's store is opened again: how long, how much memory
 *   --turns yes                                 large and small: asks for a turn before each round of what is compared (tests/bench/workers)
 *   --scale N                                   a part of it, for trying the bench out (1: all; up to 200; its figures mean nothing)
 *
 * large: 200 hubs of 5,000 workers, 1,250 of each on shift, 1,000 profiles, 200 stations; small: 10 hubs of 100, 25 on shift, 20 profiles, 10 stations.
 * Both have a million tasks queued. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/common.h"
#include "tests/bench/shop.h"

static struct shop s;
#define SCALE_MOST 200 /* a round of less would be a few assignments, or none */
static uint32_t scale = 1;

static const struct shop_plan large = { NULL, 200, 5000, 1250, 1000, 200, 0 }, small = { NULL, 10, 100, 25, 20, 10, 0 };

static double rss_mb(const char *what)
{
    char line[128];
    double kb = 0;
    size_t n = strlen(what);
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, what, n) == 0 && line[n] == ':')
            kb = strtod(line + n + 1, NULL);
    if (f)
        fclose(f);
    return kb / 1024;
}

/* What is compared between two companies is measured in rounds, theirs in turn: a machine that has other things to do meanwhile has them for both. With
 * --turns a line on stderr asks for the turn and another gives it back; one on stdin grants it. */
#define ROUNDS 7
static bool turns;

struct rounds {
    uint64_t assignments;
    double instructions[ROUNDS], cpu_us[ROUNDS], wall_us[ROUNDS];
};

static void turn_begins(void)
{
    char line[16];
    if (!turns)
        return;
    fputs("turn\n", stderr);
    if (!fgets(line, sizeof line, stdin))
        die("nobody gives a turn");
}

static void turn_ends(void)
{
    if (turns)
        fputs("done\n", stderr);
}

static void round_ends(struct rounds *r, int round, uint64_t n)
{
    if (n == 0)
        die("a round assigned nothing: there is nothing to measure"); /* and no number that JSON knows */
    r->assignments += n;
    r->instructions[round] = (double)s.cost.instructions / (double)n;
    r->cpu_us[round] = s.cost.cpu_s * 1e6 / (double)n;
    r->wall_us[round] = s.cost.wall_s * 1e6 / (double)n;
    turn_ends();
}

static void rounds_tell(const char *what, const struct rounds *r, int n)
{
    const struct {
        const char *name;
        const double *v;
    } of[] = { { "instructions", r->instructions }, { "cpu_us", r->cpu_us }, { "wall_us", r->wall_us } };
    printf("\"%s\":{\"assignments\":%" PRIu64, what, r->assignments);
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        printf(",\"%s\":[", of[i].name);
        for (int k = 0; k < n; k++)
            printf("%s%.3f", k ? "," : "", of[i].v[k]);
        printf("]");
    }
    printf("},");
}

static double longest, total_s;
static uint32_t hubs_timed;

static double all_s; /* of a hub all of whose workers sign in */

static void hubs_come(void)
{
    for (uint32_t h = 0; h < s.p.hubs; h++) {
        double from = now_s();
        shop_hello(&s, h);
        for (uint32_t i = 0; i < s.p.on_shift; i += 625) {
            shop_grant(&s, h, i, s.p.on_shift - i < 625 ? s.p.on_shift - i : 625, 1);
            shop_commit(&s);
        }
        double took = now_s() - from;
        for (uint32_t i = s.p.on_shift; h == 0 && i < s.p.workers; i += 625) { /* the first one's others, too */
            shop_grant(&s, h, i, s.p.workers - i < 625 ? s.p.workers - i : 625, 1);
            shop_commit(&s);
        }
        all_s = h ? all_s : now_s() - from;
        for (uint32_t i = s.p.on_shift; h == 0 && i < s.p.workers; i += 625) {
            shop_sign_off(&s, h, i, s.p.workers - i < 625 ? s.p.workers - i : 625);
            shop_commit(&s);
        }
        longest = took > longest ? took : longest;
        total_s += took;
        hubs_timed++;
    }
}

/* Work comes while many wait, in small frames whose tasks go out at once: half of those on shift get one. Then they answer, and wait again. */
static void work_comes(struct rounds *r)
{
    uint32_t lines = s.p.stations / 5, l = 0;
    uint64_t goal = 8000 / scale;
    for (uint32_t i = 0; i < lines; i++) /* all stations have been asked for once: what they ask is known */
        shop_put(&s, i, 1);
    shop_commit(&s);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t n = 0;
        turn_begins();
        shop_measure(&s);
        while (n < goal) {
            uint64_t from = s.assigned, until = from + (uint64_t)s.p.hubs * s.p.on_shift / 2;
            s.counting = true;
            for (uint32_t k = 0; s.assigned < until && s.assigned - from < goal && k < 4 * lines; k++) {
                for (uint32_t i = 0; i < 4; i++)
                    shop_put(&s, l++ % lines, 4);
                shop_commit(&s);
            }
            n += s.assigned - from;
            s.counting = false;
            for (uint32_t h = 0; h < s.p.hubs; h++)
                while (shop_submit(&s, h, 1000)) {}
            shop_commit(&s);
        }
        round_ends(r, round, n);
    }
}

static void backlog(uint64_t tasks)
{
    uint32_t lines = s.p.stations / 5, units = (uint32_t)(tasks / 5);
    uint32_t each = units / lines < 1000 ? units / lines : 1000; /* each line gets its part of a small backlog, too */
    for (uint32_t k = 0; k * each < units; k++) {
        shop_put(&s, k % lines, each);
        if (k % 8 == 7)
            shop_commit(&s);
    }
    shop_commit(&s);
}

/* Those on shift ask for one more each, `step` of a hub in a frame, as many frames in a batch as make 400. */
static void workers_ask(struct rounds *r, uint32_t step)
{
    uint64_t n = 0, goal = 8000 / scale;
    if (step > s.p.on_shift)
        step = s.p.on_shift;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t from = s.assigned, end = n + goal;
        turn_begins();
        shop_measure(&s);
        while (s.assigned - from < goal && n < end) {
            uint32_t h = (uint32_t)(n * 61 % s.p.hubs), first = (uint32_t)(n * 351 % (s.p.on_shift - step + 1));
            shop_grant(&s, h, first, step, 1);
            if (++n % (400 / step) == 0)
                shop_commit(&s);
        }
        shop_commit(&s);
        round_ends(r, round, s.assigned - from);
    }
}

static void others(uint32_t hub)
{
    if (shop_submit(&s, hub, 10) == 0)
        die("hub %u holds nothing", hub);
}

/* A fifth of the hubs changes shifts at one moment: all who are at work there go, as many come. Meanwhile another hub's workers hand in and ask for more, ten in
 * each batch, and each batch has a tick in it, as the broker's loop has while there is something left to do. What a request waits at most: the batch
 * that it finds under way, and its own. */
static void shift_change(void)
{
    uint32_t n = s.p.hubs / 5, other = n, batches = 0, changing = 2 * n * s.p.on_shift;
    double before = 0, was = 0, longest_ms = 0, cpu_ms = 0, from;
    uint64_t assigned, held = 0;
    for (uint32_t h = 0; h < n; h++)
        for (uint32_t i = 0; i < s.p.on_shift; i += 625) {
            shop_grant(&s, h, s.p.on_shift + i, s.p.on_shift - i < 625 ? s.p.on_shift - i : 625, 1);
            shop_commit(&s);
        }
    for (uint32_t h = 0; h < n; h++)
        shop_turn(&s, h, 1000000);
    for (uint32_t h = 0; h < n; h++)
        held += s.hub[h].holds;
    shop_measure(&s);
    for (int k = 0; k < 201; k++) {
        double at = shop_spent_s(&s);
        others(other + (uint32_t)k % (s.p.hubs - n));
        shop_tick(&s);
        shop_commit(&s);
        double took = (shop_spent_s(&s) - at) * 1e3;
        if (k && took + was > before)
            before = took + was;
        was = took;
    }
    s.now_us += 1100000;
    from = now_s();
    assigned = s.assigned;
    do {
        double at = shop_spent_s(&s), cpu = s.cost.cpu_s;
        others(other + batches % (s.p.hubs - n));
        shop_tick(&s);
        shop_commit(&s);
        double took = (shop_spent_s(&s) - at) * 1e3;
        if (took + was > longest_ms)
            longest_ms = took + was;
        if ((s.cost.cpu_s - cpu) * 1e3 > cpu_ms)
            cpu_ms = (s.cost.cpu_s - cpu) * 1e3;
        was = took;
        batches++;
    } while (engine_backlog(s.engine));
    for (uint32_t h = 0; h < n; h++)
        for (uint32_t i = 0; i < s.hub[h].holds; i++)
            if (s.hub[h].held[i].worker < s.hub[h].number[s.p.on_shift])
                die("somebody kept what he had not begun");
    printf("\"shift_change\":{\"workers\":%u,\"held\":%" PRIu64
           ",\"longest_ms\":%.2f,\"engine_cpu_ms\":%.2f,\"before_ms\":%.2f,\"batches\":%u,\"assigned\":%" PRIu64
           ",\"seconds\":%.3f},",
           changing, held, longest_ms, cpu_ms, before, batches, s.assigned - assigned, now_s() - from);
    fflush(stdout);
}

/* The workers of two fifths of the hubs sign off, frame after frame of 625. */
static void all_sign_off(void)
{
    uint64_t n = 0, left = 0;
    double from = now_s();
    for (uint32_t h = s.p.hubs * 2 / 5; h < s.p.hubs * 4 / 5; h++)
        for (uint32_t i = 0; i < s.p.on_shift; i += 625) {
            uint32_t k = s.p.on_shift - i < 625 ? s.p.on_shift - i : 625;
            shop_sign_off(&s, h, i, k);
            left += k;
            if (++n % 4 == 0)
                shop_commit(&s);
        }
    shop_commit(&s);
    printf("\"sign_off\":{\"workers\":%" PRIu64 ",\"seconds\":%.3f},", left, now_s() - from);
    fflush(stdout);
}

/* All hubs submit in turn, each some results and as much new credit; producers put as much as is done. A life is one answer. `batch` lives in a commit. */
static void lives(uint32_t batch, double seconds)
{
    uint64_t done = 0, units = 0;
    uint32_t h = 0, lines = s.p.stations / 5, l = 0, of_unit = 5 * (s.p.copies ? s.p.copies : 1);
    uint64_t put_bytes = store_counters(s.store)->put_bytes;
    double from = now_s();
    shop_measure(&s);
    while (now_s() - from < seconds) {
        uint32_t in_batch = 0, idle = 0;
        while (in_batch < batch && idle < s.p.hubs) {
            uint32_t k = shop_submit(&s, h++ % s.p.hubs, batch / 40 ? batch / 40 : 1);
            in_batch += k;
            idle = k ? 0 : idle + 1;
        }
        done += in_batch;
        for (; units * of_unit < done; units += 20)
            shop_put(&s, l++ % lines, 20);
        s.now_us += 10000;
        shop_commit(&s);
        if (in_batch == 0)
            die("nobody holds a task");
    }
    double took = now_s() - from;
    printf("\"lives_%u\":{\"lives\":%" PRIu64
           ",\"per_s\":%.0f,\"engine_cpu_us\":%.3f,\"instructions\":%.0f,\"commit_share\":%.3f,\"put_bytes\":%.0f},",
           batch, done, (double)done / took, s.cost.cpu_s * 1e6 / (double)done,
           (double)s.cost.instructions / (double)done, s.commit_s / took,
           (double)(store_counters(s.store)->put_bytes - put_bytes) / (double)done);
    fflush(stdout);
}

/* One worker does the first million tasks of a line, so he may review none of them; then another does some more. What does it cost to find the
 * author the next one that he may, and what anybody else? */
static void author(struct shop_plan *p)
{
    uint64_t n = 1000000 / scale, from;
    p->hubs = 1;
    p->workers = p->on_shift = 10;
    p->profiles = 1;
    shop_open(&s, p);
    shop_review(&s);
    shop_hello(&s, 0);
    s.no_more = true;
    for (uint64_t k = 0; k < n + 1000; k += 1000) {
        shop_put(&s, 0, 1000);
        shop_grant(&s, 0, k < n ? 0 : 1, 1, 1000);
        shop_commit(&s);
        if (shop_submit(&s, 0, 1000) != 1000)
            die("the author did not get all there is");
        shop_commit(&s);
    }
    printf("{\"tasks\":%" PRIu64 ",", n);
    for (int i = 0; i < 2; i++) { /* the author, then somebody who did nothing */
        struct rounds cost = { 0 };
        shop_measure(&s);
        from = s.assigned;
        for (int k = 0; k < 500; k++) {
            shop_grant(&s, 0, 2 * (uint32_t)i, 1, 1);
            shop_commit(&s);
        }
        if (s.assigned - from != 500)
            die("%" PRIu64 " of 500 were given", s.assigned - from);
        round_ends(&cost, 0, 500);
        rounds_tell(i ? "other" : "author", &cost, 1);
    }
    printf("\"counts\":%s}\n", shop_counts() ? "true" : "false");
    shop_close(&s);
}

/* There must be fewer who wait than tasks, as there are of all, or none is left in the queue for those who ask: of the large company's hubs ten stay, and what is
 * still too much is taken from each. */
static void take_part(struct shop_plan *p)
{
    uint32_t hubs = p->hubs / scale < 10 ? 10 : p->hubs / scale, more = scale * hubs / p->hubs;
    p->hubs = hubs;
    if (more <= 1 || p->workers <= small.workers)
        return;
    p->workers = p->workers / more < small.workers ? small.workers : p->workers / more;
    p->on_shift = p->on_shift / more < small.on_shift ? small.on_shift : p->on_shift / more;
}

/* Seconds that lives go on. */
static double part_of(double seconds)
{
    return seconds / scale < 0.1 ? 0.1 : seconds / scale;
}

/* A process of its own opens the store. */
static void open_again(const struct shop_plan *p)
{
    double from = now_s();
    shop_open(&s, p);
    printf("{\"seconds\":%.3f,\"anon_mb\":%.0f,\"rss_mb\":%.0f,\"bytes_a_worker\":%.0f}\n", now_s() - from,
           rss_mb("RssAnon"), rss_mb("VmRSS"), rss_mb("VmRSS") * 1048576 / ((double)p->hubs * p->workers));
}

int main(int argc, char **argv)
{
    const char *dir = option(argc, argv, "--dir", ""), *op = option(argc, argv, "--op", "");
    turns = strcmp(option(argc, argv, "--turns", "no"), "yes") == 0;
    scale = (uint32_t)strtoul(option(argc, argv, "--scale", "1"), NULL, 10);
    bool is_small = strcmp(op, "small") == 0, opens = strcmp(op, "open") == 0, reviews = strcmp(op, "author") == 0,
         copies = strcmp(op, "copies") == 0;
    struct shop_plan p = is_small ? small : large;
    if (!*dir || !scale || scale > SCALE_MOST ||
        (!is_small && !opens && !reviews && !copies && strcmp(op, "large") != 0))
        die("bench_workers --dir DIR --op large|small|copies|open|author [--scale N], N from 1 to %d", SCALE_MOST);
    p.dir = dir;
    take_part(&p);
    if (opens) {
        open_again(&p);
        return 0;
    }
    if (reviews) {
        author(&p);
        return 0;
    }
    p.copies = copies ? 3 : 0;
    shop_open(&s, &p);
    shop_lines(&s);
    printf("{\"counts\":%s,\"workers\":%u,\"hubs\":%u,\"on_shift\":%u,\"profiles\":%u,\"stations\":%u,",
           shop_counts() ? "true" : "false", p.hubs * p.workers, p.hubs, p.hubs * p.on_shift, p.profiles, p.stations);
    hubs_come();
    printf("\"hub\":{\"workers\":%u,\"mean_s\":%.3f,\"longest_s\":%.3f,\"all_s\":%.3f},", p.workers,
           total_s / hubs_timed, longest, all_s);
    if (copies) {
        backlog(1000000 / scale);
        lives(1000, part_of(8));
        printf("\"end\":true}\n");
        shop_close(&s);
        return 0;
    }
    struct rounds arriving = { 0 }, asking = { 0 }, asking_50 = { 0 };
    work_comes(&arriving);
    turn_begins();
    backlog(1000000 / scale);
    turn_ends();
    workers_ask(&asking, 1);
    workers_ask(&asking_50, 50);
    rounds_tell("arriving", &arriving, ROUNDS);
    rounds_tell("asking", &asking, ROUNDS);
    rounds_tell("asking_50", &asking_50, ROUNDS);
    turn_begins();
    lives(1000, part_of(is_small ? 2 : 8));
    shift_change();
    all_sign_off();
    printf("\"rss_mb\":%.0f}\n", rss_mb("VmRSS"));
    shop_close(&s);
    return 0;
}
