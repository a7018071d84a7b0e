/* Ours in the common workload (life.h): the broker as shipped, over the real protocol, with a real line, events on, results kept. The producer
 * numbers its units; the agent answers at once. `where` is the broker's endpoints file.
 *
 * variant:  ""         one station
 *           keys       one station, a free idempotency key for each unit instead of numbers
 *           chain      five stations, one after the other
 *           wide       one station, then eight side by side, then one: ten tasks a unit
 *           review     one station, and one that reviews its work: two robots, each reviews what the other did
 *           copies     one station, three answers to each task: three robots
 * With more than one station, or answer, a life ends when the unit has them all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "proto/codec.h"
#include "tests/bench/common.h"
#include "tests/bench/life.h"


struct peer {
    void *sock;
    struct slp_buf out;
    zmq_msg_t in;
    uint64_t id;
    struct slp_msg m;
};

static struct peer me;
static struct slp_buf rows, names;     /* scratch of the producer */
static struct slp_buf results, grants; /* scratch of the agent */

/* ---- a peer ---- */

/* The endpoint of that name from the broker's endpoints file. */
static void find_endpoint(const struct life *l, const char *name, char *out, size_t n)
{
    char line[256];
    size_t k = strlen(name);
    FILE *f = fopen(l->where, "r");
    if (!f)
        die("cannot read %s", l->where);
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, name, k) == 0 && line[k] == '=') {
            snprintf(out, n, "%.*s", (int)strcspn(line + k + 1, "\n"), line + k + 1);
            fclose(f);
            return;
        }
    }
    die("%s names no %s", l->where, name);
}

static void peer_open(const struct life *l, const char *endpoint_name)
{
    int zero = 0;
    char endpoint[256];
    find_endpoint(l, endpoint_name, endpoint, sizeof endpoint);
    me.sock = zmq_socket(zmq_ctx_new(), ZMQ_DEALER);
    zmq_setsockopt(me.sock, ZMQ_SNDHWM, &zero, sizeof zero);
    zmq_setsockopt(me.sock, ZMQ_RCVHWM, &zero, sizeof zero);
    zmq_setsockopt(me.sock, ZMQ_LINGER, &zero, sizeof zero);
    if (zmq_connect(me.sock, endpoint))
        die("cannot connect to %s", endpoint);
    zmq_msg_init(&me.in);
}

static uint64_t peer_send(uint64_t type, const void *any)
{
    slp_buf_clear(&me.out);
    if (slp_encode(&me.out, type, ++me.id, any) || zmq_send(me.sock, me.out.p, me.out.n, 0) < 0)
        die("cannot send");
    return me.id;
}

static bool peer_recv(int flags)
{
    struct slp_fault fault;
    if (zmq_msg_recv(&me.in, me.sock, flags) < 0)
        return false;
    if (slp_decode(zmq_msg_data(&me.in), zmq_msg_size(&me.in), SLP_B2C | SLP_B2A, &me.m, &fault))
        die("a frame is refused: %s at %s", slp_error_name(fault.code), fault.place);
    if (me.m.type == SLP_ERROR)
        die("refused: %s %.*s", slp_error_name(me.m.u.error.code), (int)me.m.u.error.text.n, me.m.u.error.text.p);
    return true;
}

static struct slp_msg *peer_ask(uint64_t type, const void *any)
{
    uint64_t id = peer_send(type, any);
    while (!peer_recv(0) || me.m.id != id)
        ;
    return &me.m;
}

static struct slp_bytes str(const char *s)
{
    return (struct slp_bytes){ s, (uint32_t)strlen(s) };
}

/* ---- the line ---- */

static void pair(struct slp_buf *b, const char *k, const char *v)
{
    slp_pack_cstr(b, k);
    slp_pack_cstr(b, v);
}

#define REVIEW (-2)
#define COPIES (-3)
/* after_n < 0: behind the station above, as in a file that does not say; REVIEW: it reviews that one's work; COPIES: three answer each task. */
static void pack_station(struct slp_buf *b, const char *name, const char *const *after, int after_n)
{
    bool review = after_n == REVIEW;
    slp_pack_map(b, review ? 3 : after_n == COPIES ? 6 : after_n < 0 ? 4 : 5);
    pair(b, "name", name);
    pair(b, "type", review ? "improve" : "work");
    slp_pack_cstr(b, "worker");
    slp_pack_map(b, 1);
    pair(b, "kind", "robot");
    if (review)
        return;
    slp_pack_cstr(b, "form");
    slp_pack_map(b, 1);
    slp_pack_cstr(b, "fields");
    slp_pack_array(b, 1);
    slp_pack_map(b, 2);
    pair(b, "name", "ok");
    pair(b, "type", "short_answer");
    if (after_n == COPIES) {
        slp_pack_cstr(b, "copies");
        slp_pack_map(b, 1);
        slp_pack_cstr(b, "min");
        slp_pack_u64(b, 3);
        slp_pack_cstr(b, "agree");
        slp_pack_map(b, 2);
        pair(b, "method", "plurality");
        pair(b, "ties", "first");
    }
    if (after_n < 0)
        return;
    slp_pack_cstr(b, "after");
    slp_pack_array(b, (uint32_t)after_n);
    for (int i = 0; i < after_n; i++)
        slp_pack_cstr(b, after[i]);
}

static uint32_t stations(const struct life *l)
{
    return strcmp(l->variant, "chain") == 0    ? 5
           : strcmp(l->variant, "wide") == 0   ? 10
           : strcmp(l->variant, "review") == 0 ? 2
                                               : 1;
}

static bool has_copies(const struct life *l)
{
    return strcmp(l->variant, "copies") == 0;
}

/* That make up the life of a unit. */
static uint32_t answers(const struct life *l)
{
    return has_copies(l) ? 3 : stations(l);
}

static void pack_line(struct slp_buf *b, const struct life *l)
{
    static const char *const name[] = { "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9" };
    uint32_t n = stations(l);
    slp_pack_map(b, 3);
    pair(b, "line", "bench");
    slp_pack_cstr(b, "input");
    slp_pack_array(b, 1);
    slp_pack_map(b, 2);
    pair(b, "name", "payload");
    pair(b, "type", "text");
    slp_pack_cstr(b, "stations");
    slp_pack_array(b, n);
    for (uint32_t i = 0; i < n; i++) {
        if (n == 2 && i == 1)
            pack_station(b, name[i], NULL, REVIEW);
        else if (has_copies(l))
            pack_station(b, name[i], NULL, COPIES);
        else if (n < 10 || i == 0)
            pack_station(b, name[i], NULL, -1);
        else if (i < 9)
            pack_station(b, name[i], name, 1);
        else
            pack_station(b, name[i], name + 1, 8);
    }
}

/* The run's number is in the answer to me, and the same for whoever asks under that name. */
static uint64_t start_run(void)
{
    struct slp_run_start q = { .line = str("bench"), .name = str("life") };
    return peer_ask(SLP_RUN_START, &q)->u.run_started.run_id;
}

static void prepare(const struct life *l)
{
    struct slp_buf b = { 0 };
    peer_open(l, "clients");
    pack_line(&b, l);
    struct slp_line_apply q = { .definition = { b.p, (uint32_t)b.n } };
    peer_ask(SLP_LINE_APPLY, &q);
    start_run();
    slp_buf_free(&b);
    zmq_close(me.sock);
}

/* ---- the producer ---- */

static uint64_t run;
static char producer_id[17];

static void open_producer(const struct life *l)
{
    peer_open(l, "clients");
    run = start_run();
    snprintf(producer_id, sizeof producer_id, "bench %010d", (int)getpid()); /* another producer than the last run's */
}

static void put(const struct life *l, uint64_t first, uint64_t n)
{
    static char payload[SL_UNIT_BYTES_MAX];
    struct slp_put q = { .run_id = run };
    slp_buf_clear(&rows);
    slp_buf_clear(&names);
    for (uint64_t i = 0; i < n; i++) {
        slp_pack_array(&rows, 1);
        life_payload(first + i, payload, l->payload_bytes);
        slp_pack_str(&rows, payload, l->payload_bytes);
    }
    q.rows = (struct slp_list){ rows.p, (uint32_t)rows.n, (uint32_t)n };
    if (strcmp(l->variant, "keys") == 0) {
        for (uint64_t i = 0; i < n; i++) {
            char key[40];
            snprintf(key, sizeof key, "customer-%016llx",
                     (unsigned long long)((((uint64_t)getpid() << 40) + first + i) *
                                          0x9E3779B97F4A7C15ull)); /* in no order, and not those of the last run */
            slp_pack_cstr(&names, key);
        }
        q.keys = (struct slp_list){ names.p, (uint32_t)names.n, (uint32_t)n };
        SLP_SET(&q, put, keys);
    } else {
        q.producer = (struct slp_bytes){ producer_id, 16 };
        q.first_seq = first + 1;
        SLP_SET(&q, put, producer);
        SLP_SET(&q, put, epoch);
        SLP_SET(&q, put, first_seq);
    }
    peer_send(SLP_PUT, &q);
}

static uint64_t acks(const struct life *l, bool wait)
{
    uint64_t n = 0;
    (void)l;
    while (peer_recv(wait && n == 0 ? 0 : ZMQ_DONTWAIT))
        n += me.m.u.put_done.accepted;
    return n;
}

static int producer_fd(const struct life *l)
{
    int fd;
    size_t n = sizeof fd;
    (void)l;
    zmq_getsockopt(me.sock, ZMQ_FD, &fd, &n);
    return fd;
}

/* ---- the agent ---- */

#define WORKERS_MAX 3
static uint64_t session, worker[WORKERS_MAX], granted[WORKERS_MAX], left_of_unit;
static unsigned workers = 1;

static void pack_grants(const uint64_t *more)
{
    slp_buf_clear(&grants);
    for (unsigned i = 0; i < workers; i++) {
        granted[i] += more[i];
        struct slp_item_credit grant = { .worker = worker[i], .total = granted[i] };
        slp_pack_item(&grants, SLP_ITEM_credit, &grant);
    }
}

static void open_consumer(const struct life *l)
{
    static const char digest[32] = "bench roster";
    struct timespec now;
    struct slp_item_worker_def bot[WORKERS_MAX] = { { .name = str("bot"), .kind = 1, .capacity = 1 },
                                                    { .name = str("other"), .kind = 1, .capacity = 1 },
                                                    { .name = str("third"), .kind = 1, .capacity = 1 } };
    workers = has_copies(l) ? 3 : strcmp(l->variant, "review") == 0 ? 2 : 1;
    clock_gettime(CLOCK_REALTIME, &now);
    peer_open(l, "agents");
    struct slp_hello h = {
        .hub = str("bench"), .data_id = { "bench data id 16", 16 }, .zone = str("UTC"), .roster_digest = { digest, 32 }
    };
    h.wall_us = now.tv_sec * 1000000ll + now.tv_nsec / 1000;
    h.incarnation = (uint64_t)h.wall_us;
    session = peer_ask(SLP_HELLO, &h)->u.welcome.session;
    for (unsigned i = 0; i < workers; i++)
        slp_pack_item(&results, SLP_ITEM_worker_def, &bot[i]);
    struct slp_roster r = { .session = session,
                            .digest = { digest, 32 },
                            .workers = { results.p, (uint32_t)results.n, workers },
                            .last = true };
    struct slp_cursor c = slp_each(peer_ask(SLP_ROSTER, &r)->u.roster_done.workers);
    for (unsigned i = 0; i < workers; i++)
        if (!slp_next_u64(&c, &worker[i]))
            die("the roster was not taken");
    pack_grants((const uint64_t[]){ l->window, l->window, l->window });
    struct slp_credit credit = { .session = session, .grants = { grants.p, (uint32_t)grants.n, workers } };
    SLP_SET(&credit, credit, grants);
    peer_send(SLP_CREDIT, &credit);
}

static void answer_push(void)
{
    static const char yes[] = "\xa1y", accepted[] = "\xc0\xa6"
                                                    "accept\xc0"; /* the work as it was, the verdict, no note */
    bool review = workers == 2 && me.m.u.push.station_id == 2;
    uint32_t n = 0;
    uint64_t more[WORKERS_MAX] = { 0 };
    struct slp_cursor c = slp_each(me.m.u.push.assignments);
    slp_buf_clear(&results);
    for (struct slp_item_assignment a; slp_next_assignment(&c, &a); n++) {
        struct slp_cursor f = slp_each(a.fields);
        struct slp_bytes payload;
        if (!slp_next_str(&f, &payload))
            die("an assignment without its payload");
        unsigned who = 0;
        while (worker[who] != a.worker)
            who++;
        if (me.m.u.push.station_id == 1 &&
            (workers < 3 || who == 0)) /* every unit comes to the first station once, or to each of three there */
            life_received(payload.p, payload.n);
        struct slp_item_result it = { .assignment = a.assignment, .worker = a.worker, .values = { yes, 2, 1 } };
        if (review)
            it.values = (struct slp_list){ accepted, sizeof accepted - 1, 3 };
        slp_pack_item(&results, SLP_ITEM_result, &it);
        more[who]++;
    }
    pack_grants(more);
    struct slp_submit q = { .session = session,
                            .results = { results.p, (uint32_t)results.n, n },
                            .grants = { grants.p, (uint32_t)grants.n, workers } };
    SLP_SET(&q, submit, grants);
    peer_send(SLP_SUBMIT, &q);
}

static uint64_t serve(const struct life *l)
{
    if (!peer_recv(0))
        return 0;
    if (me.m.type == SLP_PUSH)
        answer_push();
    if (me.m.type != SLP_OUTCOMES)
        return 0;
    left_of_unit += me.m.u.outcomes.ok;
    uint64_t lives =
        left_of_unit / answers(l); /* work at all of a unit's stations, whoever's it is, makes up one life */
    left_of_unit %= answers(l);
    return lives;
}

int main(int argc, char **argv)
{
    static const struct life_client c = { "sunline", prepare,     open_producer, put,
                                          acks,      producer_fd, open_consumer, serve };
    return life_main(argc, argv, &c);
}
