/* PostgreSQL as a queue: a table, inserts of a frame each, SELECT ... FOR UPDATE SKIP LOCKED and DELETE in one transaction. `where` is the connection string.
 *
 * A window holds so many inserts: all of them are sent without waiting for an answer (libpq's pipeline mode), and each commits for itself. With frames of a
 * whole window there is one at a time, and the producer waits for its commit before it makes the next. The consumer takes up to a window in a transaction
 * in either case, and sends the next request together with what is done, so that the server has it before it commits. */
#include <arpa/inet.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/bench/common.h"
#include "tests/bench/life.h"

#define OID_BYTEA 17
#define OID_INT8 20
#define ARRAY_HEAD_BYTES 20

static PGconn *link_;
static char *array;                               /* one parameter: a binary array */
static uint64_t *frames, frame_first, frame_next; /* how many tasks each insert under way holds: a ring of `window` */

static void open_link(const struct life *l)
{
    for (int left = 2000;; left--) { /* the port opens a moment before sessions are taken */
        link_ = PQconnectdb(l->where);
        if (PQstatus(link_) == CONNECTION_OK)
            return;
        if (left == 0)
            die("cannot connect: %s", PQerrorMessage(link_));
        PQfinish(link_);
        nanosleep(&(struct timespec){ 0, 5000000 }, NULL);
    }
}

static void must(PGresult *r, ExecStatusType wanted)
{
    if (PQresultStatus(r) != wanted)
        die("%s: %s", PQresStatus(PQresultStatus(r)), PQerrorMessage(link_));
    PQclear(r);
}

static void statement(const char *name, const char *sql)
{
    must(PQprepare(link_, name, sql, 0, NULL), PGRES_COMMAND_OK);
}

static void prepare(const struct life *l)
{
    open_link(l);
    must(PQexec(link_, "SET client_min_messages = warning"), PGRES_COMMAND_OK);
    must(PQexec(link_, "CREATE TABLE IF NOT EXISTS life (id bigserial PRIMARY KEY, body bytea NOT NULL)"),
         PGRES_COMMAND_OK);
    PQfinish(link_);
}

static void u32(char **p, uint32_t v)
{
    v = htonl(v);
    memcpy(*p, &v, 4);
    *p += 4;
}

static char *array_head(uint32_t oid, uint64_t n)
{
    char *p = array;
    const uint32_t head[] = { 1, 0, oid, (uint32_t)n, 1 };
    for (int i = 0; i < 5; i++)
        u32(&p, head[i]);
    return p;
}

/* The next request, with `array` up to `end` as its parameter (NULL: none). */
static void request(const char *name, const char *end)
{
    const char *v[] = { array };
    const int n[] = { end ? (int)(end - array) : 0 }, binary[] = { 1 };
    if (!PQsendQueryPrepared(link_, name, end ? 1 : 0, end ? v : NULL, end ? n : NULL, end ? binary : NULL, 1))
        die("%s: %s", name, PQerrorMessage(link_));
}

static void end_of_pipe(void)
{
    if (!PQpipelineSync(link_))
        die("%s", PQerrorMessage(link_));
    PQflush(link_);
}

/* One request's result; caller frees. */
static PGresult *result(ExecStatusType wanted)
{
    PGresult *r = PQgetResult(link_);
    if (!r || PQresultStatus(r) != wanted || PQgetResult(link_))
        die("%s", PQerrorMessage(link_));
    return r;
}

static void synced(void)
{
    must(PQgetResult(link_), PGRES_PIPELINE_SYNC);
}

/* ---- the producer ---- */

static void open_producer(const struct life *l)
{
    open_link(l);
    array = malloc(ARRAY_HEAD_BYTES + l->window * (4 + l->payload_bytes));
    frames = malloc(l->window * sizeof *frames);
    statement("put", "INSERT INTO life (body) SELECT unnest($1::bytea[])");
    PQenterPipelineMode(link_);
}

static void put(const struct life *l, uint64_t first, uint64_t n)
{
    char *p = array_head(OID_BYTEA, n);
    for (uint64_t i = 0; i < n; i++) {
        u32(&p, (uint32_t)l->payload_bytes);
        life_payload(first + i, p, l->payload_bytes);
        p += l->payload_bytes;
    }
    request("put", p);
    end_of_pipe();
    frames[frame_next++ % l->window] = n;
}

static uint64_t acks(const struct life *l, bool wait)
{
    if (frame_first == frame_next)
        return 0;
    if (!wait && (!PQconsumeInput(link_) || PQisBusy(link_)))
        return 0;
    PQclear(result(PGRES_COMMAND_OK));
    synced();
    return frames[frame_first++ % l->window];
}

static int producer_fd(const struct life *l)
{
    (void)l;
    return PQsocket(link_);
}

/* ---- the consumer ---- */

static bool asked; /* a BEGIN and a SELECT are under way */

static void ask(void)
{
    request("begin", NULL);
    request("take", NULL);
    end_of_pipe();
    asked = true;
}

static void open_consumer(const struct life *l)
{
    char sql[128];
    open_link(l);
    array = malloc(ARRAY_HEAD_BYTES + l->window * 12);
    snprintf(sql, sizeof sql, "SELECT id, body FROM life ORDER BY id LIMIT %llu FOR UPDATE SKIP LOCKED",
             (unsigned long long)l->window);
    statement("take", sql);
    statement("done", "DELETE FROM life WHERE id = ANY($1::bigint[])");
    statement("begin", "BEGIN");
    statement("commit", "COMMIT");
    PQenterPipelineMode(link_);
}

static uint64_t serve(const struct life *l)
{
    (void)l;
    if (!asked)
        ask();
    PQclear(result(PGRES_COMMAND_OK));
    PGresult *r = result(PGRES_TUPLES_OK);
    synced();
    int n = PQntuples(r);
    char *p = array_head(OID_INT8, (uint64_t)n);
    for (int i = 0; i < n; i++) {
        life_received(PQgetvalue(r, i, 1), (size_t)PQgetlength(r, i, 1));
        u32(&p, 8);
        memcpy(p, PQgetvalue(r, i, 0), 8);
        p += 8;
    }
    PQclear(r);
    if (n)
        request("done", p);
    request("commit", NULL);
    end_of_pipe();
    asked = false;
    if (n)
        ask();
    if (n)
        PQclear(result(PGRES_COMMAND_OK));
    PQclear(result(PGRES_COMMAND_OK));
    synced();
    if (!n)
        nanosleep(&(struct timespec){ 0, 500000 }, NULL); /* it tells nobody when there is work: ask again soon */
    return (uint64_t)n;
}

int main(int argc, char **argv)
{
    static const struct life_client c = { "postgresql", prepare,     open_producer, put,
                                          acks,         producer_fd, open_consumer, serve };
    return life_main(argc, argv, &c);
}
