/* A store that is damaged under the broker. Whoever finds a bit turned cannot put it back, so the world forks: in a branch, a process of its own, the
 * broker comes up over a damaged copy of its store, and everybody goes on for a while, judged by the same checker; the world itself goes on over
 * the store as it was, which is what a restored backup of that moment would be. What the branch may do:
 *
 *   named     the broker ends with an error that names a table, with the record mostly; or a read of it is refused as damaged, and the store's own check names
 *             what is. Counted by itself is one that names a file of the store alone: nothing of it was read
 *   stopped   the broker ends by itself, with another error, or LMDB ends it while its code runs (BROKER): by an assertion, or by a signal that one of
 *             LMDB's instructions brought (endings.h). No acknowledgement goes out any more
 *   unharmed  nobody met the damage while the branch went on, and all that can be read at its end is right, to the byte
 *
 * What it may not do is what this is for: serve a byte that is not what was sent, lose what was acknowledged, count a result twice, or go on in silence
 * (LIMIT_S). A crash of the broker's own code, of the agent's core or of the simulator is a failure of the world. A branch is silent; --branch N
 * lets the N-th one tell its story, behind that of the world up to there. */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sim/sim.h"

#define LIMIT_S 60
#define LOG_SPOILED_BYTES 16384

void damage_ends(struct sim *s, const char *text)
{
    if (s->branch_until_us)
        _exit((int)endings_named(text, s->server.dir));
}

/* What the checker has found in this branch ends it: all that counts, since a branch comes to no end, and nothing in it can be unfinished. */
static void judged(struct sim *s)
{
    char text[400];
    for (enum verdict v = 0; v < VERDICTS; v++)
        if (checker_count(s->checker, v)) {
            snprintf(text, sizeof text, "verdict %s: %s", verdict_name(v), checker_first(s->checker, v));
            endings_wrong(text);
        }
}

void damage_wrong(struct sim *s, const char *text)
{
    if (!s->branch_until_us)
        return;
    judged(s); /* that was before it */
    endings_wrong(text);
}

/* An answer says that something is damaged, and not what: who asked for a unit knows of which. What it is, `sunline check` must say. */
void damage_refused(struct sim *s)
{
    static bool checks;
    if (!s->branch_until_us)
        return;
    if (checks)
        endings_wrong("the store's own check is refused as damaged, and names nothing");
    checks = true;
    sim_damage(s, damage_ends);
    endings_wrong("what is refused as damaged, the store's own check does not name");
}

/* The branch went on as long as it should: what can be read now? */
void damage_over(struct sim *s)
{
    if (s->story)
        TELL(s, "---- the branch is over: what can be read now?");
    server_lands(s);
    if (s->server.up) {
        sim_read_all(s);
        checker_missing(s->checker);
    }
    judged(s);
    _exit(ENDS_UNHARMED);
}

/* ---- what happens to the file ---- */

static bool copy_file(int in, int out)
{
    static char b[1 << 16];
    bool ok = in >= 0 && out >= 0;
    ssize_t n;
    while (ok && (n = read(in, b, sizeof b)) > 0)
        ok = write(out, b, (size_t)n) == n;
    if (in >= 0)
        close(in);
    return ok;
}

/* The copy, with something wrong within its first `most` bytes (0: as it is). */
static bool copy_spoiled(struct rng *r, const char *from, const char *to, off_t most, bool zeros, char *what,
                         size_t size)
{
    static char b[1 << 16];
    struct stat st;
    int out = open(to, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = copy_file(open(from, O_RDONLY | O_CLOEXEC), out) && fstat(out, &st) == 0;
    if (ok && most) {
        st.st_size = st.st_size < most ? st.st_size : most;
        ok = st.st_size > 0;
        uint64_t kind = rng_below(r, 10);
        unsigned bits = kind < 7 ? 1 : kind < 9 || !zeros ? (unsigned)rng_range(r, 2, 64) : 0;
        snprintf(what, size, !bits ? "a sector is zeros" : bits == 1 ? "a bit is turned" : "%u bits are turned", bits);
        for (unsigned i = 0; ok && i < bits; i++) {
            off_t at = (off_t)rng_below(r, (uint64_t)st.st_size);
            uint8_t byte;
            ok = pread(out, &byte, 1, at) == 1;
            byte ^= (uint8_t)(1u << rng_below(r, 8));
            ok = ok && pwrite(out, &byte, 1, at) == 1;
        }
        if (!bits) {
            memset(b, 0, 512);
            ok = pwrite(out, b, 512, (off_t)rng_below(r, (uint64_t)st.st_size / 512) * 512) == 512;
        }
    }
    if (out >= 0)
        close(out);
    return ok;
}

/* One of the two files that make a store; of the log its beginning, where something is in it, and no sector of zeros: in the last batch that is what a power cut
 * leaves, and nobody can tell. */
static bool spoil(struct rng *r, const char *from_dir, const char *dir, char *what, size_t size)
{
    char from[400], to[400];
    snprintf(from, sizeof from, "%s/wal", from_dir);
    bool has_log = access(from, F_OK) == 0, log = rng_chance(r, 300000) && has_log, ok = true;
    for (int i = 0; i < 1 + has_log && ok; i++) {
        const char *name = i ? "wal" : "data.mdb";
        snprintf(from, sizeof from, "%s/%s", from_dir, name);
        snprintf(to, sizeof to, "%s/%s", dir, name);
        off_t most = log != i ? 0 : i ? LOG_SPOILED_BYTES : INT64_MAX;
        ok = copy_spoiled(r, from, to, most, !i, what, size);
    }
    return ok;
}

static void remove_copy(const char *dir)
{
    static const char *const names[] = { "data.mdb", "wal", "lock.mdb", "lock" };
    char path[400];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

void damage_maybe(struct sim *s)
{
    struct server *v = &s->server;
    char dir[300], what[60] = "nothing", said[500] = "";
    int p[2], status = 0;
    uint64_t nth = s->tally.damaged_stores + 1;
    if (s->calm || s->branch_until_us || !s->plan.damage_ppm)
        return;
    struct rng r = rng_of(s->plan.seed, "damage", v->restarts);
    if (!rng_chance(&r, s->plan.damage_ppm))
        return;
    snprintf(dir, sizeof dir, "%s-damaged", v->dir);
    if (mkdir(dir, 0700) || !spoil(&r, v->dir, dir, what, sizeof what)) {
        remove_copy(dir);
        return;
    }
    CHECK(s, pipe(p) == 0);
    fflush(NULL);
    pid_t pid = fork();
    CHECK(s, pid >= 0);
    if (pid == 0) {
        close(p[0]);
        if (s->opt.branch == nth) {
            TELL(s, "---- branch %" PRIu64 ": the broker comes up over a store in which %s", nth, what);
        } else {
            int null = open("/dev/null", O_WRONLY);
            dup2(null, 1);
            dup2(null, 2); /* an assertion's words */
            s->story = NULL;
            checker_quiet(s->checker);
        }
        endings_watch(p[1]);
        signal(SIGPROF, SIG_DFL);
        struct itimerval limit = { .it_value.tv_sec = LIMIT_S }; /* of the processor's time */
        setitimer(ITIMER_PROF, &limit, NULL);
        strcat(v->dir, "-damaged");
        s->branch_until_us = s->now_us + rng_spread(&r, 10 * MINUTE, 4 * HOUR);
        return; /* the branch goes on from here */
    }
    close(p[1]);
    ssize_t n = read(p[0], said, sizeof said - 1);
    said[n > 0 ? n : 0] = 0;
    close(p[0]);
    while (waitpid(pid, &status, 0) < 0)
        ;
    remove_copy(dir);
    CHECK(s, strcmp(what, "nothing") != 0);
    s->tally.damaged_stores++;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    s->tally.damage_named += code == ENDS_NAMED;
    s->tally.damage_file_named += code == ENDS_FILE_NAMED;
    s->tally.damage_stops += code == ENDS_STOPPED;
    s->tally.damage_unharmed += code == ENDS_UNHARMED;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF)
        snprintf(said, sizeof said, "the broker neither stopped nor went on for %d s", LIMIT_S);
    else if (WIFSIGNALED(status))
        snprintf(said, sizeof said, "the world ended by signal %d", WTERMSIG(status));
    const char *well = code == ENDS_NAMED        ? "named"
                       : code == ENDS_FILE_NAMED ? "a file is named"
                       : code == ENDS_UNHARMED   ? "unharmed"
                       : code == ENDS_STOPPED    ? "stopped"
                                                 : NULL;
    TELL(s, "%sbroker: had a store in which %s, in branch %" PRIu64 " of this world: %s",
         s->opt.branch == nth ? "---- " : "", what, nth, well ? well : said);
    if (!well)
        sim_broken(s, "over a damaged store (%s): %s; its story: --trace --branch %" PRIu64, what, said, nth);
}
