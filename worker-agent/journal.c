#include "worker-agent/journal.h"
#include "worker-agent/reclog.h"
#include "worker-agent/u64map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME "journal.log"
#define ASIDE "journal.new"
#define REWRITE_BYTES (1024 * 1024)

enum { RECORD_FORM = 1, RECORD_BEGUN = 2, RECORD_DRAFT = 3, RECORD_OVER = 4 };
#define BEGUN_HEAD 49

struct blob {
    uint32_t n;
    char p[];
};
struct begun {
    uint64_t assignment, station_id;
    struct blob *record, *draft;
    struct begun *prev, *next;
};
struct kept_form {
    uint64_t station_id;
    struct blob *body;
    struct kept_form *next;
};

struct journal {
    int dir_fd;
    struct reclog log;
    struct u64map tasks, forms;
    struct begun *first, *last;
    struct kept_form *form_list;
    uint64_t live_bytes; /* what a rewrite would leave, roughly */
};

static void put_u64(char *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (char)(unsigned char)(v >> 8 * i);
}

static uint64_t get_u64(const char *p)
{
    uint64_t v = 0;
    for (int i = 8; i-- > 0;)
        v = v << 8 | (unsigned char)p[i];
    return v;
}

static struct blob *blob_of(const char *p, size_t n)
{
    struct blob *b = malloc(sizeof *b + n);
    if (b) {
        b->n = (uint32_t)n;
        memcpy(b->p, p, n);
    }
    return b;
}

/* ---------------------------------------------------------------- in memory */
static int keep_form(struct journal *j, struct slp_bytes body)
{
    struct slp_msg m;
    struct slp_fault fault;
    if (slp_decode(body.p, body.n, SLP_B2A, &m, &fault) != 0 || m.type != SLP_FORM || m.u.form.station_id == 0)
        return 0;
    if (u64map_get(&j->forms, m.u.form.station_id))
        return 0;
    struct kept_form *f = calloc(1, sizeof *f);
    struct blob *b = blob_of(body.p, body.n);
    if (!f || !b || !u64map_put(&j->forms, m.u.form.station_id, f)) {
        free(f);
        free(b);
        return ENOMEM;
    }
    *f = (struct kept_form){ m.u.form.station_id, b, j->form_list };
    j->form_list = f;
    j->live_bytes += body.n;
    return 0;
}

static void forget(struct journal *j, uint64_t assignment)
{
    struct begun *b = assignment ? u64map_del(&j->tasks, assignment) : NULL;
    if (!b)
        return;
    *(b->prev ? &b->prev->next : &j->first) = b->next;
    *(b->next ? &b->next->prev : &j->last) = b->prev;
    j->live_bytes -= b->record->n + (b->draft ? b->draft->n : 0);
    free(b->record);
    free(b->draft);
    free(b);
}

static int keep_begun(struct journal *j, const char *p, uint32_t n)
{
    uint64_t assignment = get_u64(p + 1);
    if (assignment == 0)
        return 0;
    forget(j, assignment);
    struct begun *b = calloc(1, sizeof *b);
    struct blob *record = blob_of(p, n);
    if (!b || !record || !u64map_put(&j->tasks, assignment, b)) {
        free(b);
        free(record);
        return ENOMEM;
    }
    *b = (struct begun){ .assignment = assignment, .station_id = get_u64(p + 17), .record = record, .prev = j->last };
    *(j->last ? &j->last->next : &j->first) = b;
    j->last = b;
    j->live_bytes += n;
    return 0;
}

static int keep_draft(struct journal *j, uint64_t assignment, const char *p, size_t n)
{
    struct begun *b = assignment ? u64map_get(&j->tasks, assignment) : NULL;
    if (!b)
        return ENOENT;
    struct blob *draft = blob_of(p, n);
    if (!draft)
        return ENOMEM;
    j->live_bytes += n - (b->draft ? b->draft->n : 0);
    free(b->draft);
    b->draft = draft;
    return 0;
}

static int on_record(void *arg, uint64_t off, const char *p, uint32_t n)
{
    struct journal *j = arg;
    (void)off;
    switch (p[0]) {
    case RECORD_FORM: return keep_form(j, (struct slp_bytes){ p + 1, n - 1 });
    case RECORD_BEGUN: return n >= BEGUN_HEAD ? keep_begun(j, p, n) : 0;
    case RECORD_DRAFT:
        if (n >= 9 && keep_draft(j, get_u64(p + 1), p + 9, n - 9) == ENOMEM)
            return ENOMEM;
        return 0;
    case RECORD_OVER:
        if (n >= 9)
            forget(j, get_u64(p + 1));
        return 0;
    default: return 0;
    }
}

/* ---------------------------------------------------------------- records */
static int add(struct reclog *l, char kind, uint64_t assignment, bool with_assignment, const char *p, size_t n)
{
    char head[9] = { kind };
    put_u64(head + 1, assignment);
    return reclog_add(l, head, with_assignment ? 9 : 1, p, (uint32_t)n) ? 0 : ENOMEM;
}

static bool form_needed(const struct journal *j, uint64_t station_id)
{
    for (const struct begun *b = j->first; b; b = b->next)
        if (b->station_id == station_id)
            return true;
    return false;
}

/* Write what is alive into a new file and put it in the old one's place. If that cannot be made, the old one goes on. Once it has the name it is the one that is written
 * to; EIO: the name is not certain, and which of the two a power cut leaves is not known: a fresh start reads it. */
static int rewrite(struct journal *j)
{
    struct reclog fresh;
    unlinkat(j->dir_fd, ASIDE, 0);
    int rc = reclog_open(&fresh, j->dir_fd, ASIDE, on_record, j);
    if (rc != 0)
        return 0;
    for (struct kept_form **p = &j->form_list; *p && rc == 0;) {
        struct kept_form *f = *p;
        if (form_needed(j, f->station_id)) {
            rc = add(&fresh, RECORD_FORM, 0, false, f->body->p, f->body->n);
            p = &f->next;
            continue;
        }
        *p = f->next;
        u64map_del(&j->forms, f->station_id);
        j->live_bytes -= f->body->n;
        free(f->body);
        free(f);
    }
    for (const struct begun *b = j->first; b && rc == 0; b = b->next) {
        rc = reclog_add(&fresh, b->record->p, b->record->n, NULL, 0) ? 0 : ENOMEM;
        if (rc == 0 && b->draft)
            rc = add(&fresh, RECORD_DRAFT, b->assignment, true, b->draft->p, b->draft->n);
    }
    if (rc == 0)
        rc = reclog_write(&fresh);
    if (rc != 0 || fdatasync(fresh.fd) != 0 || renameat(j->dir_fd, ASIDE, j->dir_fd, NAME) != 0) {
        reclog_close(&fresh);
        return 0;
    }
    reclog_close(&j->log);
    j->log = fresh;
    return fsync(j->dir_fd) == 0 ? 0 : EIO;
}

/* ---------------------------------------------------------------- face */
static uint32_t get_u32(const char *p)
{
    return (uint32_t)(unsigned char)p[0] | (uint32_t)(unsigned char)p[1] << 8 | (uint32_t)(unsigned char)p[2] << 16 |
           (uint32_t)(unsigned char)p[3] << 24;
}

static void tell(const struct journal *j, const struct journal_events *found)
{
    for (const struct kept_form *f = j->form_list; f; f = f->next)
        found->form(found->arg, (struct slp_bytes){ f->body->p, f->body->n });
    for (const struct begun *b = j->first; b; b = b->next) {
        const char *p = b->record->p;
        uint32_t bytes = get_u32(p + 41), count = get_u32(p + 45);
        if (bytes > b->record->n - BEGUN_HEAD)
            continue;
        struct core_task t = { .assignment = b->assignment,
                               .worker_no = get_u64(p + 9),
                               .station_id = b->station_id,
                               .attempt = get_u64(p + 25),
                               .lease_us = (int64_t)get_u64(p + 33),
                               .fields = { p + BEGUN_HEAD, bytes, count },
                               .context = { p + BEGUN_HEAD + bytes, b->record->n - BEGUN_HEAD - bytes } };
        found->task(found->arg, &t);
    }
}

struct journal *journal_open(int dir_fd, const struct journal_events *found, int *rc)
{
    struct journal *j = calloc(1, sizeof *j);
    if (!j) {
        *rc = ENOMEM;
        return NULL;
    }
    j->dir_fd = dir_fd;
    j->log.fd = -1;
    *rc = reclog_open(&j->log, dir_fd, NAME, on_record, j);
    if (*rc == 0)
        *rc = rewrite(j);
    if (*rc == 0)
        tell(j, found);
    else
        journal_close(&j);
    return j;
}

void journal_close(struct journal **jp)
{
    struct journal *j = *jp;
    if (!j)
        return;
    *jp = NULL;
    while (j->first)
        forget(j, j->first->assignment);
    while (j->form_list) {
        struct kept_form *f = j->form_list;
        j->form_list = f->next;
        free(f->body);
        free(f);
    }
    u64map_free(&j->tasks);
    u64map_free(&j->forms);
    reclog_close(&j->log);
    free(j);
}

int journal_begun(struct journal *j, const struct core_task *t, struct slp_bytes form)
{
    struct slp_buf b = { 0 };
    char head[BEGUN_HEAD] = { RECORD_BEGUN };
    put_u64(head + 1, t->assignment);
    put_u64(head + 9, t->worker_no);
    put_u64(head + 17, t->station_id);
    put_u64(head + 25, t->attempt);
    put_u64(head + 33, (uint64_t)t->lease_us);
    for (int i = 0; i < 4; i++) {
        head[41 + i] = (char)(unsigned char)(t->fields.bytes >> 8 * i);
        head[45 + i] = (char)(unsigned char)(t->fields.count >> 8 * i);
    }
    int rc = 0;
    if (!u64map_get(&j->forms, t->station_id)) {
        rc = add(&j->log, RECORD_FORM, 0, false, form.p, form.n);
        if (rc == 0)
            rc = keep_form(j, form);
    }
    slp_buf_add(&b, head, sizeof head);
    if (t->fields.bytes)
        slp_buf_add(&b, t->fields.p, t->fields.bytes);
    if (t->context.n)
        slp_buf_add(&b, t->context.p, t->context.n);
    if (b.failed)
        rc = ENOMEM;
    if (rc == 0)
        rc = reclog_add(&j->log, b.p, (uint32_t)b.n, NULL, 0) ? keep_begun(j, b.p, (uint32_t)b.n) : ENOMEM;
    slp_buf_free(&b);
    return rc;
}

int journal_draft(struct journal *j, uint64_t assignment, const char *json, size_t n)
{
    int rc = keep_draft(j, assignment, json, n);
    return rc != 0 ? rc : add(&j->log, RECORD_DRAFT, assignment, true, json, n);
}

void journal_over(struct journal *j, uint64_t assignment)
{
    if (assignment == 0 || !u64map_get(&j->tasks, assignment))
        return;
    forget(j, assignment);
    /* If memory is out for it: after a restart the broker says that it is over. */
    add(&j->log, RECORD_OVER, assignment, true, NULL, 0);
}

int journal_write(struct journal *j)
{
    int rc = j->log.buffer.n ? reclog_write(&j->log) : 0;
    if (rc == 0 && j->log.size > REWRITE_BYTES && j->log.size > 4 * j->live_bytes)
        rc = rewrite(j);
    return rc;
}

int journal_fd(const struct journal *j)
{
    return j->log.fd;
}
uint64_t journal_count(const struct journal *j)
{
    return j->tasks.count;
}

struct slp_bytes journal_draft_of(const struct journal *j, uint64_t assignment)
{
    const struct begun *b = assignment ? u64map_get(&j->tasks, assignment) : NULL;
    return b && b->draft ? (struct slp_bytes){ b->draft->p, b->draft->n } : (struct slp_bytes){ 0 };
}
