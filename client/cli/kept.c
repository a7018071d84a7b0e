/* Blocks of rows, the one under way in memory. A row is a head and its bytes. No row is cut by a block's end: a head
 * without a row, or no place for a head, ends a block. */
#include "client/cli/kept.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/limits.h"

struct head {
    uint64_t number;
    uint64_t n; /* NO_ROW: the block is over */
};
#define NO_ROW UINT64_MAX
_Static_assert(KEPT_BLOCK_BYTES >= 4 * (SL_UNIT_BYTES_MAX + sizeof(struct head)), "a block holds some rows");

struct kept {
    int fd; /* -1: all is in `block` */
    bool reading;
    uint64_t blocks, read; /* in the file; of these, read again */
    size_t at;             /* in `block`: where the next row goes or comes from */
    char block[KEPT_BLOCK_BYTES];
};

struct kept *kept_new(void)
{
    struct kept *k = malloc(sizeof *k);
    if (k) {
        k->fd = -1;
        k->reading = false;
        k->blocks = k->read = k->at = 0;
    }
    return k;
}

void kept_free(struct kept **k)
{
    if (*k && (*k)->fd >= 0) {
        close((*k)->fd);
    }
    free(*k);
    *k = NULL;
}

static int temporary_file(void)
{
    const char *dir = getenv("TMPDIR");
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/sunline.XXXXXX", dir && *dir ? dir : "/var/tmp");
    if (n < 0 || (size_t)n >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0) {
        unlink(path);
    }
    return fd;
}

static void end_block(struct kept *k)
{
    if (KEPT_BLOCK_BYTES - k->at >= sizeof(struct head)) {
        memcpy(k->block + k->at, &(struct head){ .n = NO_ROW }, sizeof(struct head));
    }
}

static bool write_block(struct kept *k)
{
    end_block(k);
    if (k->fd < 0 && (k->fd = temporary_file()) < 0) {
        return false;
    }
    for (size_t done = 0; done < KEPT_BLOCK_BYTES;) {
        ssize_t n =
            pwrite(k->fd, k->block + done, KEPT_BLOCK_BYTES - done, (off_t)(k->blocks * KEPT_BLOCK_BYTES + done));
        if (n < 0 && errno != EINTR) {
            return false;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    k->blocks++;
    k->at = 0;
    return true;
}

bool kept_add(struct kept *k, uint64_t number, const void *p, size_t n)
{
    assert(!k->reading && n <= SL_UNIT_BYTES_MAX);
    struct head head = { number, n };
    if (sizeof head + n > KEPT_BLOCK_BYTES - k->at && !write_block(k)) {
        return false;
    }
    memcpy(k->block + k->at, &head, sizeof head);
    memcpy(k->block + k->at + sizeof head, p, n);
    k->at += sizeof head + n;
    return true;
}

uint64_t kept_bytes(const struct kept *k)
{
    return k->blocks * KEPT_BLOCK_BYTES + (k->reading ? 0 : k->at);
}

bool kept_rewind(struct kept *k)
{
    if (!k->reading && k->fd >= 0 && !write_block(k)) {
        return false;
    }
    if (!k->reading) {
        end_block(k);
        k->reading = true;
    }
    k->read = 0;
    k->at = k->fd < 0 ? 0 : KEPT_BLOCK_BYTES; /* the block in memory is not the first */
    return true;
}

static bool read_block(struct kept *k)
{
    for (size_t done = 0; done < KEPT_BLOCK_BYTES;) {
        ssize_t n = pread(k->fd, k->block + done, KEPT_BLOCK_BYTES - done, (off_t)(k->read * KEPT_BLOCK_BYTES + done));
        if (n == 0) {
            errno = EIO; /* nobody else has this file */
        }
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return false;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    k->read++;
    k->at = 0;
    return true;
}

enum kept_rc kept_next(struct kept *k, uint64_t *number, const char **p, size_t *n)
{
    struct head head;
    assert(k->reading);
    for (;;) {
        head.n = NO_ROW;
        if (KEPT_BLOCK_BYTES - k->at >= sizeof head) {
            memcpy(&head, k->block + k->at, sizeof head);
        }
        if (head.n != NO_ROW) {
            break;
        }
        if (k->read == k->blocks) {
            return KEPT_END;
        }
        if (!read_block(k)) {
            return KEPT_FAILED;
        }
    }
    if (head.n > KEPT_BLOCK_BYTES - k->at - sizeof head) {
        errno = EIO;
        return KEPT_FAILED;
    }
    *number = head.number;
    *p = k->block + k->at + sizeof head;
    *n = (size_t)head.n;
    k->at += sizeof head + *n;
    return KEPT_ROW;
}
