/* Preloaded into a program: counts what it copies by memcpy itself, its libraries left out, and the payload in what it
 * writes (../calls.h). A program that knows of this finds the counters by the name `copies_counted`. */
#include "tests/bench/calls.h"

#include <dlfcn.h>
#include <link.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define SEEN __attribute__((visibility("default")))

SEEN struct copies *copies_counted(void);

static struct copies copies;
static void *(*volatile move)(void *, const void *,
                              size_t) = memmove; /* volatile: else the compiler may see a memcpy in it */
static uintptr_t from, to;                       /* the program's text */

SEEN struct copies *copies_counted(void)
{
    return &copies;
}

static int first(struct dl_phdr_info *i, size_t size, void *arg)
{
    (void)size;
    (void)arg;
    for (int k = 0; k < i->dlpi_phnum; k++)
        if (i->dlpi_phdr[k].p_type == PT_LOAD && (i->dlpi_phdr[k].p_flags & PF_X)) {
            from = i->dlpi_addr + i->dlpi_phdr[k].p_vaddr;
            to = from + i->dlpi_phdr[k].p_memsz;
        }
    return 1; /* the program itself comes first */
}

__attribute__((constructor)) static void begin(void)
{
    dl_iterate_phdr(first, NULL);
}

static uint64_t marks(const void *p, size_t n)
{
    const char *c = p;
    uint64_t found = 0;
    for (size_t i = 0; i < n; i++)
        found += c[i] == COPIES_MARK;
    return found;
}

SEEN void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
    uintptr_t caller = (uintptr_t)__builtin_return_address(0);
    if (caller >= from && caller < to) {
        copies.bytes += n;
        copies.of_payload += marks(src, n);
    }
    return move(dst, src, n);
}

SEEN ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    static ssize_t (*next)(int, const void *, size_t, off64_t);
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "pwrite64");
    copies.payload_written += marks(p, n);
    return next(fd, p, n, at);
}

SEEN ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    return pwrite64(fd, p, n, at);
}
