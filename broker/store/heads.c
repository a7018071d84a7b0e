/* LMDB's two heads (its meta pages), as they lie in the file: looked at before LMDB opens it, since it believes what they say. They have no checksum. */
#include "broker/store/internal.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define FIRST_PAGE_BYTES 4096 /* of LMDB's meta pages on all our machines */
#define MAGIC_AT 16           /* behind the page's header */
#define PAGE_BYTES_AT 40
#define LAST_PAGE_AT 136 /* last page in use: 1 in a store without a commit */
#define COMMIT_AT 144    /* number of the last commit: 0 */
#define HEAD_BYTES 152
#define PAGE_BYTES_MIN 512
#define PAGE_BYTES_MAX 65536
#define TRIES 20 /* of a store whose broker lives, and writes one head after the other */

static const uint8_t magic[4] = { 0xde, 0xc0, 0xef, 0xbe };

struct head {
    uint32_t page_bytes;
    uint64_t commit;
};

/* Anything else than what LMDB writes first is not half made: least of all the beginning of a store that has lost its end. */
bool heads_half_made(int fd)
{
    uint8_t page[2 * FIRST_PAGE_BYTES + 1] = { 0 };
    ssize_t n = pread(fd, page, sizeof page, 0);
    if (n < SECTOR_BYTES || n > 2 * FIRST_PAGE_BYTES)
        return false;
    for (size_t half = 0; half < 2 * FIRST_PAGE_BYTES; half += FIRST_PAGE_BYTES) {
        bool headless = true; /* its first sector never came to the disk */
        for (size_t i = 0; i < SECTOR_BYTES && headless; i++)
            headless = page[half + i] == 0;
        if (headless)
            continue;
        uint64_t last_page, commits;
        memcpy(&last_page, page + half + LAST_PAGE_AT, sizeof last_page);
        memcpy(&commits, page + half + COMMIT_AT, sizeof commits);
        if (memcmp(page + half + MAGIC_AT, magic, sizeof magic) != 0 || last_page != 1 || commits != 0)
            return false;
    }
    return true;
}

/* False: there is none, or not one of LMDB's, which LMDB will say. */
static bool read_head(int fd, uint64_t at, struct head *to)
{
    uint8_t b[HEAD_BYTES];
    if (pread(fd, b, sizeof b, (off_t)at) != (ssize_t)sizeof b || memcmp(b + MAGIC_AT, magic, sizeof magic) != 0)
        return false;
    memcpy(&to->page_bytes, b + PAGE_BYTES_AT, sizeof to->page_bytes);
    memcpy(&to->commit, b + COMMIT_AT, sizeof to->commit);
    return true;
}

static bool is_page_size(uint32_t n)
{
    return n >= PAGE_BYTES_MIN && n <= PAGE_BYTES_MAX && (n & (n - 1)) == 0;
}

/* Each commit goes to the head that its number's last bit names, over the one before the last. */
static bool follow_each_other(uint64_t even, uint64_t odd)
{
    return (even == 0 && odd == 0) || ((even & 1) == 0 && (odd & 1) == 1 && (odd == even + 1 || even == odd + 1));
}

static const char *look(int fd)
{
    struct head first, second;
    if (!read_head(fd, 0, &first))
        return NULL;
    if (!is_page_size(first.page_bytes))
        return "its first head is damaged: no size of a page";
    if (!read_head(fd, first.page_bytes, &second))
        return NULL;
    if (second.page_bytes != first.page_bytes)
        return "its heads are damaged: two sizes of a page";
    return follow_each_other(first.commit, second.commit)
               ? NULL
               : "its heads are damaged: their commits do not follow each other";
}

const char *heads_wrong(int dir_fd)
{
    int fd = openat(dir_fd, "data.mdb", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL; /* LMDB will say why, or make it */
    const char *wrong = look(fd);
    for (int i = 1; wrong != NULL && i < TRIES; i++)
        wrong = look(fd);
    close(fd);
    return wrong;
}
