/* What the parts of libsunline share, and what the command line may use beyond sunline.h: sl__request carries any
 * message of the catalogue. Not installed.
 *
 * A handle is one DEALER socket with a monitor (is the link up?), a last error, and whoever waits for answers: at
 * most one request (sl__request waits right there) and any number of pipes. Request ids tell whose an answer is:
 *     bit 62 set: a request;   else bits 48..61 the pipe, 8..47 the frame in it, 0..7 the attempt. */
#ifndef SUNLINE_CLIENT_INTERNAL_H
#define SUNLINE_CLIENT_INTERNAL_H
#include <zmq.h>

#include "client/sunline.h"
#include "proto/codec.h"

#define SL__ID_REQUEST (1ull << 62)

struct sl {
    struct sl_options o; /* strings are ours */
    void *ctx, *sock, *monitor;
    bool up;               /* the handshake went well and the link was not lost since */
    bool ended;            /* no_reconnect, and the link was lost */
    uint64_t losses;       /* how often the link was lost: who has something under way compares */
    bool in_callback;

    struct sl_error error;
    struct sl_problem *problems;
    size_t problem_count;
    char *problem_text;

    uint64_t next_request;   /* counts requests */
    uint64_t waiting_id;     /* id of the request that is waited for, 0: none */
    enum { SL__NO_REPLY, SL__REPLY, SL__BROKEN_REPLY } got;
    struct slp_msg reply;    /* points into reply_frame */
    zmq_msg_t reply_frame;   /* initialised always */
    struct slp_buf out, list; /* scratch: the encoded request; a packed list */

    struct sl_pipe *pipes;
    uint64_t next_pipe;
    uint64_t moves; /* counts what pipes finished, so that nobody sleeps over it */
    struct sl_events *events;
    const char **columns; /* of the last sl_run_start, in one block */
};

/* ---- for everybody, the command line too ---- */
/* Send a request, wait for the answer, obey retry classes, as sunline.h says under WHAT IS RESENT. `body` is a
 * struct slp_<name> *. SL_OK: *reply holds the message of type reply_type, which points into the handle: valid until
 * the next call. Otherwise the code, and sl_last_error() and sl_problems() are filled. reply may be NULL. */
int sl__request(struct sl *sl, uint64_t type, const void *body, uint64_t reply_type, struct slp_msg *reply);
/* The same with a timeout of its own (INT64_MAX: none), and the choice of resending. */
int sl__request_with(struct sl *sl, uint64_t type, const void *body, uint64_t reply_type, struct slp_msg *reply,
                     int64_t timeout_ms, bool resend);
/* The two halves of it, for who has something to do while the answer is on its way. A handle has one request at a time:
 * between the halves nothing else may be asked. The time is counted from sl__ask_end on, the answer is in sl->reply. */
struct sl__ask {
    uint64_t type;
    const void *body; /* stays until sl__ask_end returns */
    bool resend;
    bool sent, ever_sent, sent_twice; /* from here on request.c's */
    int64_t deadline_us, again_us, resend_at_us, silence_us; /* again_us: pause before the next time */
    uint64_t losses;
};
int sl__ask_begin(struct sl *sl, struct sl__ask *a); /* SL_OK, SL_NO_MEMORY, SL_TOO_BIG */
int sl__ask_end(struct sl *sl, struct sl__ask *a, uint64_t reply_type, int64_t timeout_ms);
void sl__ask_drop(struct sl *sl); /* instead: nobody wants the answer any more */
struct slp_bytes sl__bytes(const char *s); /* of a terminated string; NULL: {NULL, 0} */
int64_t sl__now_us(void); /* monotonic */

/* ---- within the library ---- */
/* Mark an optional field of a message as there, after it was set. */
#define SL__SET(m, msg, field) ((m)->has |= 1u << SLP_BIT_##msg##_##field)
/* Every public function begins with it: SL_MISUSE inside a callback (or without a handle), else the last error is
 * cleared. */
int sl__enter(struct sl *sl);
/* fills the last error; text NULL: the code's sentence. Returns code */
int sl__fail(struct sl *sl, int code, const char *place, const char *text);
void sl__fail_as(struct sl *sl, const struct slp_error *e); /* from an error message, problems included */
void sl__forget_error(struct sl *sl);

void sl__copy(char *out, size_t size, struct slp_bytes b); /* cut to size, terminated */
bool sl__resendable(uint64_t type); /* repeating a message of this type does no harm */
int sl__name_ok(struct sl *sl, const char *name, const char *place); /* SL_OK or fails with BAD_NAME */
int sl__text_ok(struct sl *sl, const char *text, const char *place); /* SL_OK, or fails with TOO_BIG or BAD_VALUE */

/* link.c: the socket. */
int sl__link_open(struct sl *sl);
void sl__link_close(struct sl *sl);
/* Send what is in b. 1 sent, 0 not now (no link, or full), -1 memory. */
int sl__link_send(struct sl *sl, const struct slp_buf *b);
int sl__link_recv(struct sl *sl, zmq_msg_t *m); /* 1 a frame (m must be initialised), 0 none */
void sl__link_watch(struct sl *sl);             /* take in what the monitor tells */
/* Sleep until something comes (on the socket, the monitor, or `also` if not NULL), the socket takes messages
 * (want_out), or until_us. */
void sl__link_sleep(struct sl *sl, bool want_out, void *also, int64_t until_us);

/* turn.c: one turn of work: take in answers, serve pipes; if there was nothing to do, sleep until until_us at most.
 * want_out: the caller has something to send. SL_OK, or SL_STOPPED. */
int sl__turn(struct sl *sl, bool want_out, void *also, int64_t until_us);

/* pipe.c: called by turns. */
struct sl_pipe *sl__pipe_of(struct sl *sl, uint64_t id);
void sl__pipe_answer(struct sl_pipe *p, const struct slp_msg *m, zmq_msg_t *frame); /* may take the frame over */
/* an answer that cannot be decoded */
void sl__pipe_broken(struct sl_pipe *p, uint64_t id);
/* Send what is due, look at the clock. Returns when it wants to be called again; *want_out if the socket did not
 * take something. */
int64_t sl__pipe_serve(struct sl_pipe *p, int64_t now_us, bool *want_out);
struct sl_pipe *sl__pipe_next(struct sl_pipe *p);

/* put.c: what a put_done says of each of n rows. Returns false if it contradicts itself. */
bool sl__put_report(const struct slp_put_done *d, uint32_t n, uint64_t first_number, const uint64_t *tags,
                    sl_put_fn *on_row, void *arg, struct sl_put_counts *counts);
/* Appends a row as one array, and its key (NULL: none) if it or one of the `count` rows before has one. false: no
 * memory, nothing was appended. */
bool sl__put_row(struct slp_buf *rows, struct slp_buf *keys, uint32_t count, uint32_t keyed, const struct sl_buf *row,
                 const char *key);
int sl__row_ok(const struct sl_buf *row, const char *key); /* SL_OK, SL_MISUSE, SL_NO_MEMORY, SL_TOO_BIG */
bool sl__columns(struct slp_buf *b, const char *const *columns, uint32_t n); /* packed strings; false: out of memory */

/* value.c */
bool sl__value(struct slp_bytes raw, struct sl_value *v); /* of one packed value */
/* listing.c: page after page of rows. */
typedef int sl__row_fn(void *arg, struct slp_cursor *c); /* take one row from c and hand it out; not 0: stop */
int sl__rows(struct sl *sl, struct slp_list rows, sl__row_fn *row, void *arg); /* SL_OK, SL_STOPPED */
struct sl__listing {
    uint64_t type, reply_type;
    const void *get;          /* the request; `row` puts into it where the next page begins */
    size_t rows_at, more_at;  /* in the reply: SL__PAGE(runs) */
    sl__row_fn *row;
    void *arg;
};
int sl__station_rows(struct sl *sl, struct slp_list rows, sl_station_fn *fn, void *arg); /* lines.c; as sl__rows */
#define SL__PAGE(msg) offsetof(struct slp_msg, u.msg.rows), offsetof(struct slp_msg, u.msg.more)
int sl__list(struct sl *sl, const struct sl__listing *l); /* SL_OK, SL_STOPPED, or why a page did not come */

/* rows.c: items to rows. */
void sl__station_row(struct sl_station_row *out, const struct slp_item_station_row *in);
void sl__run_row(struct sl_run_row *out, const struct slp_item_run_row *in);
bool sl__run_over(const struct sl_run_row *r, const struct sl_station_row *stations, uint32_t n, int *code);
#endif
