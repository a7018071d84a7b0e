/* A store's file as bytes, changed behind its back. */
#ifndef SUNLINE_TEST_STORE_IMAGE_H
#define SUNLINE_TEST_STORE_IMAGE_H
#include <fcntl.h>
#include <sys/stat.h>

#include "tests/unit/store_world.h"

struct image {
    uint8_t *p;
    size_t n;
};

static inline void data_path(const struct world *w, char path[128])
{
    snprintf(path, 128, "%s/data.mdb", w->dir);
}

static inline struct image load(const struct world *w)
{
    char path[128];
    struct stat st;
    data_path(w, path);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    struct image im = { malloc((size_t)st.st_size), (size_t)st.st_size };
    assert_non_null(im.p);
    assert_int_equal(pread(fd, im.p, im.n, 0), im.n);
    close(fd);
    return im;
}

static inline void save(const struct world *w, const void *p, size_t n)
{
    char path[128];
    data_path(w, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, p, n), n);
    close(fd);
}

static inline unsigned nodes_of(const uint8_t *page)
{
    return ((unsigned)page[12] + page[13] * 256u - 16) / 2;
}

/* LMDB's branch page: number (8 bytes), pad (2), flags (2), lower (2), upper (2), then a u16 offset a node; a node
 * begins with the child's page number in 6 bytes. The largest branch of all. */
static inline uint8_t *largest_branch(struct image im)
{
    uint8_t *branch = NULL;
    unsigned most = 0;
    for (uint8_t *page = im.p + 2 * 4096; page + 4096 <= im.p + im.n; page += 4096) {
        unsigned nodes = nodes_of(page);
        if (page[10] != 1 || page[11] != 0 || nodes > 1000 || nodes <= most)
            continue;
        branch = page;
        most = nodes;
    }
    assert_true(most > 10);
    return branch;
}

static inline uint8_t *child_of(struct image im, int i)
{
    uint8_t *branch = largest_branch(im);
    return branch + branch[16 + 2 * i] + branch[17 + 2 * i] * 256;
}

/* Make the child `to` the same as the child `from`. */
static inline void mislead(struct image im, int from, int to)
{
    memcpy(child_of(im, to), child_of(im, from), 6);
}

/* Ways to do so, by which nothing but the order and the number of the records tells it. */
#define WRONG_PAGES 4
static const int wrong_page[WRONG_PAGES][2] = { { 4, 5 }, { 5, 4 }, { 2, 8 }, { 8, 2 } };

/* Of a store that is closed: a page leads back, behind a few of its records. */
static inline void leave_leading_back(const struct world *w)
{
    struct image im = load(w);
    mislead(im, 2, 8);
    save(w, im.p, im.n);
    free(im.p);
}

/* Of a store that is closed, whose keys are numbers: the key that a branch has of its child is another one by so much, of the largest branch. Searches near it go to
 * the wrong page; a walk in order does not look at it. Returns which key it was: that of the page's first record. */
static inline uint32_t leave_branch_key_off_by(const struct world *w, int child, int by)
{
    struct image im = load(w);
    uint8_t *key = child_of(im, child) + 8; /* behind the child's page, flags, and the key's length */
    uint32_t was = key_get_u32(key);
    key_u32(key, was + (uint32_t)by);
    save(w, im.p, im.n);
    free(im.p);
    return was;
}

/* Of a store that is closed: a bit is flipped of the record in which this is found. */
/* What leave_flipped() damages one of; closed behind them. */
static inline void put_three(struct world *w)
{
    open_store(w);
    struct store_txn *t = begin(w);
    put(t, TABLE_ASSIGN, "aaaa", "the first one's value");
    put(t, TABLE_ASSIGN, "mmmm", "the middle one's value");
    put(t, TABLE_ASSIGN, "zzzz", "the last one's value");
    commit(t);
    store_close(&w->s);
}

static inline void leave_flipped(const struct world *w, const char *text)
{
    struct image im = load(w);
    uint8_t *at = memmem(im.p, im.n, text, strlen(text));
    assert_non_null(at);
    *at ^= 1;
    save(w, im.p, im.n);
    free(im.p);
}

/* The child leads to a page that the file does not have. */
static inline void mislead_out(struct image im, int to)
{
    memset(child_of(im, to) + 3, 0x7f, 1);
}
#endif
