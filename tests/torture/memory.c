/* A library to preload (LD_PRELOAD) into a program of ours: memory runs out. It sees every allocation that the program's own code asks for (malloc, calloc,
 * realloc, strdup, strndup, posix_memalign), counts them by who asks, and refuses some. Those of libraries pass by: ZeroMQ ends a process that has no memory,
 * by its own word.
 *
 *   STARVE_STATE=FILE   struct state, shared memory for whoever watches
 *   STARVE_SITE=HEX     whose: a number of the callers, out of a state file of the same program; without it nothing is refused
 *   STARVE_NTH=N        the N-th of that site, from 1 ...
 *   STARVE_MORE=N       ... and so many allocations of the program behind it, whosever
 *
 * Who asks is the call and the calls that led to it, DEPTH of them in the program's own text, as distances from where the program was loaded: the same number in
 * each process. The environment is cleared, so that children run without the shim. */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SEEN __attribute__((visibility("default")))
#define DEPTH 4   /* of the program's own calls */
#define FRAMES 16 /* that are looked through for them */
#define SITES_MAX 4096u

struct site {
    _Atomic uint64_t number, calls;
    uint64_t at[DEPTH]; /* 0: none */
};
struct state {
    _Atomic uint64_t calls, refused, overflow;
    struct site site[SITES_MAX];
};

static struct {
    struct state *state;
    uintptr_t base, begin, end; /* of the program's text */
    uint64_t site, nth, more;
    _Atomic uint64_t spell; /* so many are still to be refused */
} shim;
static __thread bool inside;

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "starve: %s\n", what);
    abort();
}

static int first_object(struct dl_phdr_info *i, size_t size, void *arg)
{
    (void)size;
    (void)arg;
    shim.base = i->dlpi_addr;
    for (int k = 0; k < i->dlpi_phnum; k++) {
        const ElfW(Phdr) *p = &i->dlpi_phdr[k];
        if (p->p_type == PT_LOAD && (p->p_flags & PF_X)) {
            shim.begin = i->dlpi_addr + p->p_vaddr;
            shim.end = shim.begin + p->p_memsz;
        }
    }
    return 1; /* the program itself comes first */
}

static uint64_t number_of(const char *name, int base)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, base) : 0;
}

static __attribute__((constructor)) void begin(void)
{
    const char *path = getenv("STARVE_STATE");
    void *warm[2];
    inside = true;
    if (path == NULL)
        fail("STARVE_STATE is needed");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof *shim.state) != 0)
        fail("STARVE_STATE");
    void *p = mmap(NULL, sizeof *shim.state, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        fail("STARVE_STATE cannot be mapped");
    close(fd);
    backtrace(warm, 2); /* it loads the unwinder */
    dl_iterate_phdr(first_object, NULL);
    shim.site = number_of("STARVE_SITE", 16);
    shim.nth = number_of("STARVE_NTH", 10);
    shim.more = number_of("STARVE_MORE", 10);
    shim.state = p; /* set last: until here nothing is counted */
    unsetenv("LD_PRELOAD");
    inside = false;
}

static bool ours(const void *at)
{
    return (uintptr_t)at >= shim.begin && (uintptr_t)at < shim.end;
}

static struct site *find(uint64_t number, const uint64_t at[DEPTH])
{
    for (uint64_t i = number % SITES_MAX, n = 0; n < SITES_MAX; i = (i + 1) % SITES_MAX, n++) {
        struct site *s = &shim.state->site[i];
        uint64_t none = 0;
        if (atomic_compare_exchange_strong(&s->number, &none, number)) {
            memcpy(s->at, at, sizeof s->at);
            return s;
        }
        if (none == number)
            return s;
    }
    return NULL;
}

/* caller: the address behind the call. */
static bool refuse(const void *caller)
{
    if (shim.state == NULL || inside || !ours(caller))
        return false;
    int before = errno;
    inside = true;
    void *frame[FRAMES];
    uint64_t at[DEPTH] = { 0 }, number = 0xcbf29ce484222325ull;
    int frames = backtrace(frame, FRAMES);
    for (int i = 0, n = 0; i < frames && n < DEPTH; i++)
        if (ours(frame[i])) {
            at[n] = (uintptr_t)frame[i] - shim.base;
            number = (number ^ at[n++]) * 0x100000001b3ull;
        }
    struct site *s = find(number, at);
    uint64_t call = s != NULL ? atomic_fetch_add(&s->calls, 1) + 1 : 0;
    atomic_fetch_add(&shim.state->calls, 1);
    atomic_fetch_add(&shim.state->overflow, s == NULL);
    bool no = number == shim.site && call == shim.nth && shim.site != 0;
    if (no) {
        atomic_store(&shim.spell, shim.more);
    } else {
        uint64_t left = atomic_load(&shim.spell);
        while (left > 0 && !atomic_compare_exchange_weak(&shim.spell, &left, left - 1)) {}
        no = left > 0;
    }
    atomic_fetch_add(&shim.state->refused, no);
    inside = false;
    errno = no ? ENOMEM : before;
    return no;
}

#define HERE __builtin_return_address(0)

SEEN void *malloc(size_t n)
{
    return refuse(HERE) ? NULL : __libc_malloc(n);
}

SEEN void *calloc(size_t n, size_t size)
{
    return refuse(HERE) ? NULL : __libc_calloc(n, size);
}

SEEN void *realloc(void *p, size_t n)
{
    return refuse(HERE) ? NULL : __libc_realloc(p, n);
}

SEEN int posix_memalign(void **p, size_t align, size_t n)
{
    void *at = refuse(HERE) ? NULL : __libc_memalign(align, n);
    *p = at != NULL ? at : *p;
    return at != NULL ? 0 : ENOMEM;
}

SEEN char *strndup(const char *text, size_t n)
{
    size_t length = strnlen(text, n);
    char *copy = refuse(HERE) ? NULL : __libc_malloc(length + 1);
    if (copy != NULL) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}

SEEN char *strdup(const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = refuse(HERE) ? NULL : __libc_malloc(n);
    return copy != NULL ? memcpy(copy, text, n) : NULL;
}
