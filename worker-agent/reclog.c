#include "worker-agent/reclog.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "SUNLINE1"
#define MAGIC_BYTES 8
#define HEAD_BYTES 8
#define REACH_BYTES (HEAD_BYTES + RECLOG_RECORD_BYTES_MAX) /* a record is no longer */
#define WINDOW_BYTES (2 * REACH_BYTES)

uint32_t reclog_crc32c(uint32_t crc, const void *p, size_t n)
{
    static uint32_t table[256];
    if (table[1] == 0)
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t v = i;
            for (int k = 0; k < 8; k++)
                v = v >> 1 ^ (v & 1 ? 0x82f63b78u : 0);
            table[i] = v;
        }
    const unsigned char *b = p;
    crc = ~crc;
    while (n--)
        crc = table[(crc ^ *b++) & 255] ^ crc >> 8;
    return ~crc;
}

static void put_u32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(v >> 8 * i);
}

static uint32_t get_u32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Length of the payload of the record at p, of which n bytes are there; 0: there is no whole record (empty ones are
 * never written). */
static uint32_t record_at(const unsigned char *p, uint64_t n)
{
    if (n < HEAD_BYTES)
        return 0;
    uint32_t length = get_u32(p);
    if (length == 0 || length > RECLOG_RECORD_BYTES_MAX || length > n - HEAD_BYTES)
        return 0;
    uint32_t crc = reclog_crc32c(reclog_crc32c(0, p, 4), p + HEAD_BYTES, length);
    return crc == get_u32(p + 4) ? length : 0;
}

/* A piece of the file in memory. Read and not mapped: what the disk does not give is an error then, and no signal. */
struct window {
    int fd;
    uint64_t file_n; /* as long as the file was found */
    unsigned char *p;
    uint64_t from; /* where in the file p is */
    size_t n;
};

/* Move it forward, so that it holds all that may belong to a record at `at`, which it reaches already. 0 or an errno. */
static int slide(struct window *w, uint64_t at)
{
    uint64_t left = w->file_n - at;
    size_t here = (size_t)(w->from + w->n - at);
    if (here >= left || here >= REACH_BYTES)
        return 0;
    memmove(w->p, w->p + w->n - here, here);
    w->from = at;
    w->n = here;
    while (w->n < WINDOW_BYTES && w->n < left) {
        size_t want = left < WINDOW_BYTES ? (size_t)left - w->n : WINDOW_BYTES - w->n;
        ssize_t n = pread(w->fd, w->p + w->n, want, (off_t)(w->from + w->n));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        w->n += (size_t)n;
    }
    return 0;
}

/* Returns 0 or an errno; *end is where the last whole record ends. */
static int scan(struct reclog *l, struct window *w, uint64_t *end, reclog_found *found, void *arg)
{
    uint64_t at = MAGIC_BYTES;
    *end = at;
    while (at < w->file_n) {
        int rc = slide(w, at);
        if (rc != 0)
            return rc;
        const unsigned char *p = w->p + (at - w->from);
        uint32_t length = record_at(p, w->from + w->n - at);
        if (length == 0) {
            at++; /* perhaps another record follows the damage */
            continue;
        }
        l->damaged += at - *end;
        rc = found(arg, at + HEAD_BYTES, (const char *)p + HEAD_BYTES, length);
        if (rc != 0)
            return rc;
        at += HEAD_BYTES + length;
        *end = at;
    }
    return 0;
}

/* A power cut may leave a new file its length and none of its bytes: nothing in it was ever kept, and it is new again. Whole records behind a head of zeros
 * are another damage, and stay. */
static int head_lost(struct reclog *l, uint64_t *end)
{
    if (*end <= MAGIC_BYTES) {
        *end = 0;
        return 0;
    }
    l->damaged += MAGIC_BYTES;
    return pwrite(l->fd, MAGIC, MAGIC_BYTES, 0) == MAGIC_BYTES ? 0 : errno ? errno : EIO;
}

static int read_file(struct reclog *l, struct window *w, uint64_t *end, reclog_found *found, void *arg)
{
    static const unsigned char no_bytes[MAGIC_BYTES];
    size_t head = w->file_n < MAGIC_BYTES ? (size_t)w->file_n : MAGIC_BYTES;
    int rc = slide(w, 0);
    if (rc != 0)
        return rc;
    bool zeros = memcmp(w->p, no_bytes, head) == 0;
    if (!zeros && memcmp(w->p, MAGIC, head) != 0)
        return EBADMSG;
    if (head == MAGIC_BYTES)
        rc = scan(l, w, end, found, arg);
    return rc == 0 && zeros ? head_lost(l, end) : rc;
}

static int load(struct reclog *l, reclog_found *found, void *arg)
{
    struct stat st;
    if (fstat(l->fd, &st) != 0)
        return errno;
    uint64_t n = (uint64_t)st.st_size, end = 0;
    if (n > 0) {
        struct window w = { .fd = l->fd, .file_n = n, .p = malloc(n < WINDOW_BYTES ? n : WINDOW_BYTES) };
        if (!w.p)
            return ENOMEM;
        int rc = read_file(l, &w, &end, found, arg);
        free(w.p);
        if (rc != 0)
            return rc;
    }
    if (end == 0) { /* new, or torn within its first bytes */
        if (ftruncate(l->fd, 0) != 0)
            return errno;
        if (pwrite(l->fd, MAGIC, MAGIC_BYTES, 0) != MAGIC_BYTES)
            return errno ? errno : EIO;
        end = MAGIC_BYTES;
    } else if (end < n && ftruncate(l->fd, (off_t)end) != 0) {
        return errno;
    }
    l->size = end;
    return 0;
}

int reclog_open(struct reclog *l, int dir_fd, const char *name, reclog_found *found, void *arg)
{
    *l = (struct reclog){ .fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600) };
    if (l->fd < 0)
        return errno;
    int rc = load(l, found, arg);
    if (rc != 0)
        reclog_close(l);
    return rc;
}

void reclog_close(struct reclog *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
    slp_buf_free(&l->buffer);
}

uint64_t reclog_add(struct reclog *l, const void *head, uint32_t head_n, const void *body, uint32_t body_n)
{
    unsigned char h[HEAD_BYTES];
    assert(head_n + body_n > 0 && (uint64_t)head_n + body_n <= RECLOG_RECORD_BYTES_MAX);
    put_u32(h, head_n + body_n);
    put_u32(h + 4, reclog_crc32c(reclog_crc32c(reclog_crc32c(0, h, 4), head, head_n), body, body_n));
    size_t before = l->buffer.n;
    slp_buf_add(&l->buffer, h, sizeof h);
    slp_buf_add(&l->buffer, head, head_n);
    if (body_n)
        slp_buf_add(&l->buffer, body, body_n);
    if (l->buffer.failed) {
        l->buffer.failed = false;
        l->buffer.n = before;
        return 0;
    }
    uint64_t off = l->size + HEAD_BYTES;
    l->size += HEAD_BYTES + head_n + body_n;
    return off;
}

int reclog_write(struct reclog *l)
{
    uint64_t start = l->size - l->buffer.n;
    size_t done = 0;
    while (done < l->buffer.n) {
        ssize_t n = pwrite(l->fd, l->buffer.p + done, l->buffer.n - done, (off_t)(start + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            int rc = n < 0 ? errno : EIO;
            if (done > 0 && ftruncate(l->fd, (off_t)start) != 0)
                /* half a record stays: the next opening steps over it, and we write over it when we try again */
                return EIO;
            return rc;
        }
        done += (size_t)n;
    }
    slp_buf_clear(&l->buffer);
    return 0;
}
