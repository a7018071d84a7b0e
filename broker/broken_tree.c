/* The handler of SIGSEGV, and of LMDB's assertions: see broken_tree.h, also for what may be called here. */
#include "broker/broken_tree.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "broker/mapping.h"

#define WHY "LMDB fell over its own tree: a page of data.mdb is damaged, or a program has a mistake"
#define SAID_BYTES_MAX 256

static broken_tree_fn *tell_of_it;
static struct sigaction before; /* a sanitizer's, say */

struct place {
    uintptr_t at,
        from; /* the instruction; and who called its function, if that has called nobody and keeps nothing on the stack */
};

static struct place place_of(const ucontext_t *c)
{
#if defined __x86_64__
    return (struct place){ (uintptr_t)c->uc_mcontext.gregs[REG_RIP],
                           *(const uintptr_t *)c->uc_mcontext.gregs[REG_RSP] };
#elif defined __aarch64__
    return (struct place){ (uintptr_t)c->uc_mcontext.pc, (uintptr_t)c->uc_mcontext.regs[30] };
#else
    (void)c;
    return (struct place){ 0, 0 };
#endif
}

static bool is_in(uintptr_t instruction, const char *library)
{
    struct mapping m;
    if (!mapping_at(instruction, &m)) {
        return false;
    }
    const char *name = m.file;
    for (const char *slash; (slash = strchr(name, '/')) != NULL;) {
        name = slash + 1;
    }
    size_t n = strlen(library);
    return strlen(name) >= n && memcmp(name, library, n) == 0;
}

static void on_segv(int signo, siginfo_t *info, void *context)
{
    if (info->si_code > 0) { /* the kernel's, about an instruction */
        struct place p = place_of(context);
        if (is_in(p.at, "liblmdb") || (is_in(p.at, "libc.") && is_in(p.from, "liblmdb"))) {
            _exit(tell_of_it(WHY, ""));
        }
    }
    sigaction(signo, &before, NULL);
    if (info->si_code <= 0) {
        raise(signo); /* it waits until the handler is left. Otherwise the instruction is tried again */
    }
}

void broken_tree_catch(broken_tree_fn *tell)
{
    tell_of_it = tell;
    sigaction(SIGSEGV, &(struct sigaction){ .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO }, &before);
}

void broken_tree_asserted(const char *said)
{
    if (tell_of_it != NULL) {
        _exit(tell_of_it(WHY, said));
    }
}

void broken_tree_print(const char *why, const char *said)
{
    char text[sizeof WHY + SAID_BYTES_MAX + 64];
    char *end = stpcpy(stpcpy(text, "sunlined: data.mdb: "), why);
    if (*said != '\0') {
        size_t n = strlen(said);
        n = n < SAID_BYTES_MAX ? n : SAID_BYTES_MAX;
        end = stpcpy(end, " (");
        memcpy(end, said, n);
        end = stpcpy(end + n, ")");
    }
    end = stpcpy(end, "\n");
    while (write(STDERR_FILENO, text, (size_t)(end - text)) < 0 && errno == EINTR) {}
}
