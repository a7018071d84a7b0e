#include "worker-agent/outbox.h"
#include "worker-agent/u64map.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RECORD_RESULT = 1, RECORD_ACK = 2 };
#define RESULT_HEAD 26
#define ACK_BYTES 9

struct segment {
    uint64_t number;
    struct reclog log;
    uint64_t live; /* results in it that are not acknowledged */
    struct segment *next;
};
struct entry {
    uint64_t seq, assignment, worker_no, off;
    uint32_t n;
    bool person;
    struct segment *segment;
    struct entry *next;
};

struct outbox {
    int dir_fd;
    uint32_t segment_bytes;
    uint64_t next_seq, damaged;
    struct segment *first, *last;
    struct u64map entries;
    struct entry *load_head, *load_tail; /* only while opening: order of the found */
};

static void put_u64(unsigned char *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (unsigned char)(v >> 8 * i);
}

static uint64_t get_u64(const unsigned char *p)
{
    uint64_t v = 0;
    for (int i = 8; i-- > 0;)
        v = v << 8 | p[i];
    return v;
}

/* ---------------------------------------------------------------- segments */
static void segment_name(char name[64], uint64_t number)
{
    snprintf(name, 64, "outbox-%010" PRIu64 ".log", number);
}

struct loading {
    struct outbox *o;
    struct segment *s;
};

static int on_record(void *arg, uint64_t off, const char *p, uint32_t n)
{
    struct loading *l = arg;
    struct outbox *o = l->o;
    const unsigned char *b = (const unsigned char *)p;
    if (b[0] == RECORD_ACK && n == ACK_BYTES) {
        uint64_t seq = get_u64(b + 1);
        struct entry *e = seq ? u64map_del(&o->entries, seq) : NULL;
        if (e) {
            e->segment->live--;
            e->seq = 0; /* freed when the list is walked */
        }
        if (seq >= o->next_seq)
            o->next_seq = seq + 1;
        return 0;
    }
    if (b[0] != RECORD_RESULT || n <= RESULT_HEAD)
        return 0; /* of a newer program: not ours to judge, not ours to send */
    struct entry *e = calloc(1, sizeof *e);
    if (!e)
        return ENOMEM;
    *e = (struct entry){ .seq = get_u64(b + 2),
                         .assignment = get_u64(b + 10),
                         .worker_no = get_u64(b + 18),
                         .off = off + RESULT_HEAD,
                         .n = n - RESULT_HEAD,
                         .person = b[1] != 0,
                         .segment = l->s };
    if (e->seq == 0 || u64map_get(&o->entries, e->seq)) {
        free(e);
        return 0;
    }
    if (!u64map_put(&o->entries, e->seq, e)) {
        free(e);
        return ENOMEM;
    }
    l->s->live++;
    if (e->seq >= o->next_seq)
        o->next_seq = e->seq + 1;
    if (o->load_tail)
        o->load_tail->next = e;
    else
        o->load_head = e;
    o->load_tail = e;
    return 0;
}

static int segment_open(struct outbox *o, uint64_t number)
{
    struct segment *s = calloc(1, sizeof *s);
    if (!s)
        return ENOMEM;
    s->number = number;
    char name[64];
    segment_name(name, number);
    struct loading l = { o, s };
    int rc = reclog_open(&s->log, o->dir_fd, name, on_record, &l);
    if (rc == 0 && fsync(o->dir_fd) != 0) { /* the name must outlive a power cut, too */
        rc = EIO;                           /* whatever it says: it says so once */
        reclog_close(&s->log);
    }
    if (rc != 0) { /* entries that point at s are freed by the caller, which gives up */
        free(s);
        return rc;
    }
    o->damaged += s->log.damaged;
    if (o->last)
        o->last->next = s;
    else
        o->first = s;
    o->last = s;
    return 0;
}

/* Unlink segments from the oldest on that nobody needs. The last one stays. */
static void trim(struct outbox *o)
{
    while (o->first != o->last && o->first->live == 0) {
        struct segment *s = o->first;
        char name[64];
        segment_name(name, s->number);
        unlinkat(o->dir_fd, name, 0);
        o->first = s->next;
        reclog_close(&s->log);
        free(s);
    }
}

static int roll(struct outbox *o)
{
    if (fdatasync(o->last->log.fd) != 0) /* so that syncing the newest segment is enough from here on */
        return EIO; /* whatever it says (EDQUOT, ENOSPC): it says so once, and the next sync would be taken for good */
    int rc = segment_open(o, o->last->number + 1);
    trim(o);
    return rc;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static int list_segments(int dir_fd, uint64_t **numbers, size_t *count)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d) {
        int rc = errno;
        if (fd >= 0)
            close(fd);
        return rc;
    }
    size_t cap = 0;
    int rc = 0;
    for (struct dirent *e; rc == 0 && (e = readdir(d));) {
        uint64_t number;
        int end = 0;
        if (sscanf(e->d_name, "outbox-%10" SCNu64 ".log%n", &number, &end) != 1 || end == 0 || e->d_name[end] != 0)
            continue;
        if (*count == cap) {
            cap = cap ? cap * 2 : 16;
            uint64_t *v = realloc(*numbers, cap * sizeof *v);
            if (!v) {
                rc = ENOMEM;
                break;
            }
            *numbers = v;
        }
        (*numbers)[(*count)++] = number;
    }
    closedir(d);
    if (*count)
        qsort(*numbers, *count, sizeof **numbers, by_number);
    return rc;
}

/* ---------------------------------------------------------------- life */
struct outbox *agent_outbox_open(int dir_fd, uint32_t segment_bytes, outbox_found *found, void *arg, int *rc)
{
    struct outbox *o = calloc(1, sizeof *o);
    uint64_t *numbers = NULL;
    size_t count = 0;
    if (!o) {
        *rc = ENOMEM;
        return NULL;
    }
    o->dir_fd = dir_fd;
    o->segment_bytes = segment_bytes ? segment_bytes : OUTBOX_SEGMENT_BYTES;
    o->next_seq = 1;
    *rc = list_segments(dir_fd, &numbers, &count);
    for (size_t i = 0; i < count && *rc == 0; i++)
        *rc = segment_open(o, numbers[i]);
    if (*rc == 0 && count == 0)
        *rc = segment_open(o, 1);
    free(numbers);
    struct slp_buf packed = { 0 };
    for (struct entry *e = o->load_head, *next; e; e = next) {
        next = e->next;
        e->next = NULL;
        if (e->seq == 0) {
            free(e);
        } else if (*rc == 0) {
            slp_buf_clear(&packed);
            *rc = agent_outbox_read(o, e->seq, &packed);
            if (*rc == 0)
                found(arg, &(struct outbox_entry){
                               e->seq, e->assignment, e->worker_no, e->person, { packed.p, (uint32_t)packed.n } });
        }
    }
    o->load_head = o->load_tail = NULL;
    slp_buf_free(&packed);
    if (*rc == 0)
        trim(o);
    else
        agent_outbox_close(&o);
    return o;
}

void agent_outbox_close(struct outbox **op)
{
    struct outbox *o = *op;
    if (!o)
        return;
    *op = NULL;
    for (size_t i = 0; i < o->entries.cap; i++)
        if (o->entries.keys[i])
            free(o->entries.values[i]);
    u64map_free(&o->entries);
    while (o->first) {
        struct segment *s = o->first;
        o->first = s->next;
        reclog_close(&s->log);
        free(s);
    }
    free(o);
}

/* ---------------------------------------------------------------- results */
uint64_t agent_outbox_add(struct outbox *o, uint64_t assignment, uint64_t worker_no, bool person,
                          struct slp_bytes packed)
{
    struct entry *e = calloc(1, sizeof *e);
    if (!e || !u64map_put(&o->entries, o->next_seq, e)) {
        free(e);
        return 0;
    }
    unsigned char head[RESULT_HEAD] = { RECORD_RESULT, person };
    put_u64(head + 2, o->next_seq);
    put_u64(head + 10, assignment);
    put_u64(head + 18, worker_no);
    uint64_t off = reclog_add(&o->last->log, head, sizeof head, packed.p, packed.n);
    if (off == 0) {
        u64map_del(&o->entries, o->next_seq);
        free(e);
        return 0;
    }
    *e = (struct entry){ .seq = o->next_seq,
                         .assignment = assignment,
                         .worker_no = worker_no,
                         .off = off + RESULT_HEAD,
                         .n = packed.n,
                         .person = person,
                         .segment = o->last };
    o->last->live++;
    return o->next_seq++;
}

int agent_outbox_write(struct outbox *o)
{
    if (o->last->log.buffer.n == 0)
        return 0;
    int rc = reclog_write(&o->last->log);
    /* Roll when the segment is full, or when nothing in it is needed and it has grown a little. */
    if (rc == 0 &&
        (o->last->log.size >= o->segment_bytes || (o->entries.count == 0 && o->last->log.size >= o->segment_bytes / 8)))
        rc = roll(o) == EIO
                 ? EIO
                 /* no room for a new segment just now: the old one takes more; but a failed sync is not passed over */
                 : 0;
    return rc;
}

void agent_outbox_ack(struct outbox *o, uint64_t seq)
{
    struct entry *e = seq ? u64map_del(&o->entries, seq) : NULL;
    if (!e)
        return;
    unsigned char record[ACK_BYTES] = { RECORD_ACK };
    put_u64(record + 1, seq);
    /* Without memory for it the result is sent once more: no harm. */
    reclog_add(&o->last->log, record, sizeof record, NULL, 0);
    e->segment->live--;
    free(e);
    trim(o);
}

void agent_outbox_take_back(struct outbox *o, uint64_t seq)
{
    agent_outbox_ack(o, seq); /* its record and the mark are written together, if ever */
}

int agent_outbox_fd(const struct outbox *o)
{
    return o->last->log.fd;
}
uint64_t agent_outbox_count(const struct outbox *o)
{
    return o->entries.count;
}
uint64_t agent_outbox_damaged(const struct outbox *o)
{
    return o->damaged;
}

uint32_t agent_outbox_segments(const struct outbox *o)
{
    uint32_t n = 0;
    for (const struct segment *s = o->first; s; s = s->next)
        n++;
    return n;
}

bool agent_outbox_is_person(const struct outbox *o, uint64_t seq)
{
    const struct entry *e = seq ? u64map_get(&o->entries, seq) : NULL;
    return e && e->person;
}

int agent_outbox_read(struct outbox *o, uint64_t seq, struct slp_buf *out)
{
    const struct entry *e = u64map_get(&o->entries, seq);
    if (!e)
        return ENOENT;
    const struct reclog *l = &e->segment->log;
    uint64_t written = l->size - l->buffer.n;
    if (e->off >= written) { /* still in memory */
        slp_buf_add(out, l->buffer.p + (e->off - written), e->n);
        return out->failed ? ENOMEM : 0;
    }
    char *p = malloc(e->n);
    if (!p)
        return ENOMEM;
    ssize_t n = pread(l->fd, p, e->n, (off_t)e->off);
    if (n == (ssize_t)e->n)
        slp_buf_add(out, p, e->n);
    free(p);
    return n < 0 ? errno : n != (ssize_t)e->n ? EBADMSG : out->failed ? ENOMEM : 0;
}
