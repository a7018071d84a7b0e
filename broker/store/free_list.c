/* LMDB's list of free pages, as it lies in the file: looked at before LMDB opens it, as heads.c does. LMDB takes from it and rewrites it with each commit, and believes what its pages say of
 * bounds and lengths: over one bit that has turned it moves memory that is not the page's. It has no checksum.
 *
 * A tree. A record's key is the number of the commit that gave pages back, its value how many these are and their numbers, the largest first; a value that does not fit half a page has pages of its
 * own. What a page holds lies at its end, without a gap. */
#include "broker/store/internal.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_HEAD_BYTES                                                                                                \
    16 /* number u64, pad u16, flags u16, lower u16, upper u16; then where each entry is, u16. Of a long value: how many pages it has, u32, instead of the bounds */
#define FLAGS_AT 10
#define LOWER_AT 12
#define UPPER_AT 14
#define PAGES_AT 12
#define BRANCH 1
#define LEAF 2
#define LONG 4
#define ENTRY_HEAD_BYTES                                                                                               \
    8 /* of a leaf's: bytes of its value u32, flags u16, bytes of its key u16; of a branch's: its child u48, bytes of its key u16; the key; the value, or its first page */
#define ENTRY_LONG 1
#define FIRST_PAGE 2 /* behind the heads */
#define NO_PAGE UINT64_MAX
#define INTEGER_KEY 8
#define WORD sizeof(uint64_t)

struct walk {
    int fd;
    const struct free_list *at;
    uint64_t branches, leaves, long_pages, entries; /* that were found */
    uint64_t id, id_min; /* the last record's key, and the least that may come next: of a branch */
    bool unread;         /* a page is not there, or cannot be read: LMDB or space.c will say */
    uint64_t pages;      /* of the file; of each, a bit: it is a page of the list, or listed */
    uint8_t page[FREE_LIST_PAGE_BYTES_MAX], part[FREE_LIST_PAGE_BYTES_MAX];
    bool covered[FREE_LIST_PAGE_BYTES_MAX / 2]; /* two bytes of the page each */
    uint8_t taken[];
};

static uint16_t u16_at(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint32_t u32_at(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint64_t u64_at(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Once, of those that there are. Behind the file's end may be free pages, and nobody counts these. */
static bool take(struct walk *w, uint64_t page)
{
    if (page < FIRST_PAGE || page > w->at->last_page)
        return false;
    if (page >= w->pages)
        return true;
    if (w->taken[page / 8] >> page % 8 & 1)
        return false;
    w->taken[page / 8] |= (uint8_t)(1u << page % 8);
    return true;
}

static bool get(struct walk *w, uint8_t *to, size_t n, uint64_t page, uint64_t at)
{
    if (page >= w->pages || pread(w->fd, to, n, (off_t)(page * w->at->page_bytes + at)) != (ssize_t)n)
        w->unread = true;
    return !w->unread;
}

/* ---- a record's value ---- */

static bool numbers_are_whole(struct walk *w, const uint8_t *p, size_t n, uint64_t *before)
{
    for (; n > 0; p += WORD, n -= WORD) {
        uint64_t page = u64_at(p);
        if (page >= *before || !take(w, page))
            return false;
        *before = page;
    }
    return true;
}

/* None, in a value that has room for some: LMDB had kept it free, and then did not need it. */
static bool count_is_whole(uint64_t count, size_t bytes)
{
    return count == 0 || count == bytes / WORD - 1;
}

/* It may have more pages than it needs: it was longer when LMDB took them. */
static bool long_value_is_whole(struct walk *w, uint64_t first, size_t bytes)
{
    const struct free_list *at = w->at;
    uint64_t before = NO_PAGE;
    if (first > at->last_page || !get(w, w->part, PAGE_HEAD_BYTES + WORD, first, 0))
        return w->unread;
    uint64_t pages = u32_at(w->part + PAGES_AT), count = u64_at(w->part + PAGE_HEAD_BYTES);
    w->long_pages += pages;
    if (u64_at(w->part) != first || u16_at(w->part + FLAGS_AT) != LONG || w->long_pages > at->long_pages ||
        pages * at->page_bytes < PAGE_HEAD_BYTES + bytes || !count_is_whole(count, bytes))
        return false;
    for (uint64_t i = 0; i < pages; i++)
        if (!take(w, first + i))
            return false;
    size_t end = (size_t)(count + 1) * WORD;
    for (size_t done = WORD, n; done < end; done += n) {
        n = end - done < sizeof w->part ? end - done : sizeof w->part;
        if (!get(w, w->part, n, first, PAGE_HEAD_BYTES + done))
            return true;
        if (!numbers_are_whole(w, w->part, n, &before))
            return false;
    }
    return true;
}

static bool record_is_whole(struct walk *w, const uint8_t *e)
{
    size_t bytes = u32_at(e);
    uint64_t id = u64_at(e + ENTRY_HEAD_BYTES), before = NO_PAGE;
    const uint8_t *value = e + ENTRY_HEAD_BYTES + WORD;
    if (id <= w->id || id < w->id_min || id > w->at->commit || bytes < WORD || bytes % WORD != 0)
        return false;
    w->id = id;
    w->entries++;
    if (u16_at(e + 4) == ENTRY_LONG)
        return long_value_is_whole(w, u64_at(value), bytes);
    uint64_t count = u64_at(value);
    return count_is_whole(count, bytes) && numbers_are_whole(w, value + WORD, (size_t)count * WORD, &before);
}

/* ---- a page ---- */

/* How long an entry is, of which the head is in the page; 0: there is no such entry. The key of a branch's first is not looked at by anybody, and may be none. */
static size_t entry_bytes(const uint8_t *e, bool leaf, unsigned i)
{
    unsigned flags = u16_at(e + 4), key = u16_at(e + 6);
    if (key != WORD && (leaf || i > 0 || key != 0))
        return 0;
    if (!leaf)
        return ENTRY_HEAD_BYTES + key;
    if (flags != 0 && flags != ENTRY_LONG)
        return 0;
    return ENTRY_HEAD_BYTES + key + (flags == ENTRY_LONG ? WORD : u32_at(e));
}

static bool cover(struct walk *w, size_t at, size_t n)
{
    for (size_t i = at / 2; i < (at + n) / 2; i++) {
        if (w->covered[i])
            return false;
        w->covered[i] = true;
    }
    return true;
}

/* All that is on the page lies where the page says, nothing over something else, and there is nothing between. */
static bool bounds_are_whole(struct walk *w, uint64_t number, bool leaf)
{
    const uint8_t *p = w->page;
    size_t end = w->at->page_bytes, lower = u16_at(p + LOWER_AT), upper = u16_at(p + UPPER_AT), used = 0;
    if (u64_at(p) != number || u16_at(p + FLAGS_AT) != (leaf ? LEAF : BRANCH) || lower % 2 != 0 || upper % 2 != 0 ||
        lower <= PAGE_HEAD_BYTES || lower > upper || upper > end)
        return false;
    memset(w->covered, 0, end / 2);
    for (unsigned i = 0; i < (lower - PAGE_HEAD_BYTES) / 2; i++) {
        size_t at = u16_at(p + PAGE_HEAD_BYTES + 2 * i), n;
        if (at % 2 != 0 || at < upper || at + ENTRY_HEAD_BYTES > end || (n = entry_bytes(p + at, leaf, i)) == 0 ||
            n % 2 != 0 || n > end - at || !cover(w, at, n))
            return false;
        used += n;
    }
    return used == end - upper;
}

static unsigned entries_of(const struct walk *w)
{
    return (u16_at(w->page + LOWER_AT) - PAGE_HEAD_BYTES) / 2u;
}

static const uint8_t *entry(const struct walk *w, unsigned i)
{
    return w->page + u16_at(w->page + PAGE_HEAD_BYTES + 2 * i);
}

static bool leaf_is_whole(struct walk *w)
{
    w->leaves++;
    for (unsigned i = 0; i < entries_of(w) && !w->unread; i++)
        if (!record_is_whole(w, entry(w, i)))
            return false;
    return true;
}

static bool page_is_whole(struct walk *w, uint64_t number, unsigned level)
{
    bool leaf = level == w->at->depth;
    if (!take(w, number))
        return false;
    if (!get(w, w->page, w->at->page_bytes, number, 0))
        return true;
    if (!bounds_are_whole(w, number, leaf))
        return false;
    if (leaf)
        return leaf_is_whole(w);
    w->branches++;
    unsigned n = entries_of(w);
    for (unsigned i = 0; i < n; i++) {
        if (i > 0 && !get(w, w->page, w->at->page_bytes, number, 0)) /* the one below lies where it was */
            return true;
        const uint8_t *e = entry(w, i);
        uint64_t child = u32_at(e) | (uint64_t)u16_at(e + 4) << 32;
        if (i > 0 && (w->id_min = u64_at(e + ENTRY_HEAD_BYTES)) <= w->id)
            return false;
        if (!page_is_whole(w, child, level + 1))
            return false;
        if (w->unread)
            return true;
    }
    return true;
}

static bool tree_is_whole(struct walk *w)
{
    const struct free_list *at = w->at;
    if (at->flags != INTEGER_KEY)
        return false;
    if (at->root != NO_PAGE && (at->depth == 0 || at->depth > FREE_LIST_DEPTH_MAX || !page_is_whole(w, at->root, 1)))
        return false;
    return w->unread || (w->branches == at->branches && w->leaves == at->leaves && w->long_pages == at->long_pages &&
                         w->entries == at->entries && (at->root != NO_PAGE || at->depth == 0));
}

enum store_rc free_list_look(int fd, const struct free_list *at)
{
    struct stat file;
    if (fstat(fd, &file) != 0)
        return STORE_OK; /* LMDB will say */
    uint64_t pages = (uint64_t)file.st_size / at->page_bytes;
    struct walk *w = calloc(1, sizeof *w + pages / 8 + 1);
    if (w == NULL)
        return STORE_NO_MEMORY;
    w->fd = fd;
    w->at = at;
    w->pages = pages;
    bool whole = tree_is_whole(w);
    free(w);
    return whole ? STORE_OK : STORE_CORRUPT;
}
