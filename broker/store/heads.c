/* LMDB's two heads (its meta pages) and its list of tables, as they lie in the file: looked at before LMDB opens it, since it believes what they say. They have no checksum. Its list of free pages:
 * free_list.c. */
#include "broker/store/internal.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define FIRST_PAGE_BYTES 4096 /* of LMDB's meta pages on all our machines */
#define MAGIC_AT 16           /* behind the page's header */
#define PAGE_BYTES_AT 40
#define FREE_AT                                                                                                        \
    44 /* of the list of free pages: flags u16, depth u16; branches, leaves, pages of long values, entries, root: u64 each */
#define LAST_PAGE_AT 136 /* last page in use: 1 in a store without a commit */
#define COMMIT_AT 144    /* number of the last commit: 0 */
#define LIST_AT 128      /* the page with the list of tables; all bits set: there is none yet */
#define NO_PAGE UINT64_MAX
#define HEAD_BYTES 152
#define PAGE_BYTES_MIN 512
#define PAGE_BYTES_MAX FREE_LIST_PAGE_BYTES_MAX
#define TRIES 20 /* of a store whose broker lives, and writes one head after the other */

static const uint8_t magic[8] = { 0xde, 0xc0, 0xef, 0xbe, 1 }; /* and the version of its format */

struct head {
    uint32_t page_bytes;
    uint64_t commit, list;
    struct free_list free;
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
    memcpy(&to->list, b + LIST_AT, sizeof to->list);
    struct free_list *f = &to->free;
    uint64_t words[5];
    memcpy(&f->flags, b + FREE_AT, sizeof f->flags);
    memcpy(&f->depth, b + FREE_AT + 2, sizeof f->depth);
    memcpy(words, b + FREE_AT + 4, sizeof words);
    f->branches = words[0], f->leaves = words[1], f->long_pages = words[2], f->entries = words[3], f->root = words[4];
    memcpy(&f->last_page, b + LAST_PAGE_AT, sizeof f->last_page);
    f->page_bytes = to->page_bytes;
    f->commit = to->commit;
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

/* ---- the list of tables: one page, in which LMDB puts each new one below the one before. It copies no more of it than its header says is in use, and what it does not
 * find there any more it writes once more, where nobody finds it: a commit that is lost. ---- */

#define PAGE_HEAD_BYTES 16 /* number u64, pad u16, flags u16, lower u16, upper u16; then where each entry is, u16 */
#define LEAF 2
#define ENTRY_BYTES 58 /* bytes of the table's record u32, flags u16, bytes of its name u16; the name; the record */
#define NAME_BYTES 2
#define RECORD_BYTES 48 /* pad u32, flags u16 ... */
#define SUBTABLE 2
#define TABLES_MAX                                                                                                     \
    63 /* that are looked at, a bit each; of a newer store they may be more than ours, and its format will tell */

static uint16_t u16_at(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* By the first two, which stand at its end. Else it may be another program's, which LMDB and the format will tell. */
static bool is_our_list(const uint8_t *page, uint32_t bytes)
{
    bool first = memcmp(page + bytes - ENTRY_BYTES + 8, "00", NAME_BYTES) == 0,
         second = memcmp(page + bytes - 2 * ENTRY_BYTES + 8, "01", NAME_BYTES) == 0;
    return (first || second) && u16_at(page + 10) == LEAF;
}

/* What LMDB has of the table whose number this is. */
static bool entry_is_whole(const uint8_t *e, unsigned table)
{
    const char name[NAME_BYTES] = { (char)('0' + table / 10), (char)('0' + table % 10) };
    return u16_at(e) == RECORD_BYTES && u16_at(e + 2) == 0 && u16_at(e + 4) == SUBTABLE &&
           u16_at(e + 6) == NAME_BYTES && memcmp(e + 8, name, NAME_BYTES) == 0 && u16_at(e + 14) == 0;
}

static bool list_is_whole(int fd, const struct head *h)
{
    uint8_t page[PAGE_BYTES_MAX];
    uint64_t taken = 0;
    if (h->list == NO_PAGE || h->list > INT64_MAX / h->page_bytes ||
        pread(fd, page, h->page_bytes, (off_t)(h->list * h->page_bytes)) != (ssize_t)h->page_bytes ||
        !is_our_list(page, h->page_bytes))
        return true;
    unsigned lower = u16_at(page + 12), upper = u16_at(page + 14), n = (lower - PAGE_HEAD_BYTES) / 2;
    if (lower <= PAGE_HEAD_BYTES || lower % 2 != 0 || n > TABLES_MAX || upper != h->page_bytes - n * ENTRY_BYTES)
        return false;
    for (unsigned i = 0; i < n; i++) {
        unsigned at = u16_at(page + PAGE_HEAD_BYTES + 2 * i), place = (h->page_bytes - at) / ENTRY_BYTES;
        if (at < upper || at >= h->page_bytes || (h->page_bytes - at) % ENTRY_BYTES != 0 || taken >> place & 1 ||
            !entry_is_whole(page + at, i))
            return false;
        taken |= 1ull << place;
    }
    return true;
}
_Static_assert(STORE_TABLE_COUNT <= TABLES_MAX, "ours are among them");

static enum store_rc look(int fd, const char **wrong)
{
    struct head first, second;
    if (!read_head(fd, 0, &first))
        return STORE_OK;
    *wrong = "its first head is damaged: no size of a page";
    if (!is_page_size(first.page_bytes))
        return STORE_CORRUPT;
    if (!read_head(fd, first.page_bytes, &second))
        return STORE_OK;
    *wrong = "its heads are damaged: two sizes of a page";
    if (second.page_bytes != first.page_bytes)
        return STORE_CORRUPT;
    *wrong = "its heads are damaged: their commits do not follow each other";
    if (!follow_each_other(first.commit, second.commit))
        return STORE_CORRUPT;
    const struct head *newer = second.commit > first.commit ? &second : &first;
    *wrong = "its list of tables is damaged";
    if (!list_is_whole(fd, newer))
        return STORE_CORRUPT;
    enum store_rc r = free_list_look(fd, &newer->free);
    *wrong = r == STORE_NO_MEMORY ? "no memory" : "its list of free pages is damaged";
    struct head again;
    if (r == STORE_CORRUPT && read_head(fd, newer == &first ? first.page_bytes : 0, &again) &&
        again.commit > newer->commit)
        return STORE_OK; /* a broker that lives has gone on meanwhile, and may have used these pages again: they are whole to it */
    return r;
}

enum store_rc heads_look(int dir_fd, const char **wrong)
{
    int fd = openat(dir_fd, "data.mdb", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return STORE_OK; /* LMDB will say why, or make it */
    enum store_rc r = look(fd, wrong);
    for (int i = 1; r == STORE_CORRUPT && i < TRIES; i++)
        r = look(fd, wrong);
    close(fd);
    return r;
}
