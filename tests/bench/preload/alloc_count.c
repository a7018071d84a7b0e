/* Preloaded into a program: counts its allocations apart: its own (called from the program's file), the C library's (qsort, strdup, getaddrinfo ..., for whomever),
 * and its other libraries'. The three counters lie in the file that ALLOC_COUNT_FILE names, so that they can be read while it runs. tests/bench/counts.py asks how many a life takes. */
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct counters {
    _Atomic uint64_t own, libc, libraries;
};

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);

static struct counters nowhere, *counters = &nowhere;
static struct {
    uintptr_t from, to;
} program, libc;

static int find(struct dl_phdr_info *i, size_t size, void *arg)
{
    (void)size;
    (void)arg;
    bool first = program.to == 0; /* the first one is the program itself */
    if (!first && !strstr(i->dlpi_name, "/libc.so")) {
        return 0;
    }
    for (int k = 0; k < i->dlpi_phnum; k++) {
        const ElfW(Phdr) *h = &i->dlpi_phdr[k];
        if (h->p_type == PT_LOAD && (h->p_flags & PF_X)) {
            uintptr_t from = i->dlpi_addr + h->p_vaddr;
            if (first) {
                program.from = from;
                program.to = from + h->p_memsz;
            } else {
                libc.from = from;
                libc.to = from + h->p_memsz;
            }
        }
    }
    return 0;
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("ALLOC_COUNT_FILE");
    int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (fd < 0 || ftruncate(fd, sizeof *counters) != 0) {
        return;
    }
    void *p = mmap(NULL, sizeof *counters, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    dl_iterate_phdr(find, NULL);
    if (p != MAP_FAILED) {
        counters = p;
    }
}

static void count(void *caller)
{
    uintptr_t at = (uintptr_t)caller;
    atomic_fetch_add(at >= program.from && at < program.to ? &counters->own
                     : at >= libc.from && at < libc.to     ? &counters->libc
                                                           : &counters->libraries,
                     1);
}

__attribute__((visibility("default"))) void *malloc(size_t n)
{
    count(__builtin_return_address(0));
    return __libc_malloc(n);
}

__attribute__((visibility("default"))) void *calloc(size_t n, size_t size)
{
    count(__builtin_return_address(0));
    return __libc_calloc(n, size);
}

__attribute__((visibility("default"))) void *realloc(void *p, size_t n)
{
    count(__builtin_return_address(0));
    return __libc_realloc(p, n);
}
