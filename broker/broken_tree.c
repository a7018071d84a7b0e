/* The handler of SIGSEGV, and of LMDB's assertions: see broken_tree.h, also for what may be called here. */
#include "broker/broken_tree.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "broker/log.h"
#include "broker/mapping.h"

#define A_PAGE                                                                                                         \
    ": a page of this file, of a copy that is being made, or of lock.mdb is damaged, or a program has a mistake"
#define FELL "LMDB fell over its own tree" A_PAGE
#define ENDLESS "LMDB does not come back from its own tree" A_PAGE
#define FILE_NAME "/data.mdb"
#define SAID_BYTES_MAX 256

static broken_tree_fn *tell_of_it;
static const char *of_dir;
static struct sigaction before; /* a sanitizer's, say */

/* Where it happened. */
struct place {
    uintptr_t at;   /* the instruction */
    uintptr_t from; /* who called its function, if that has called nobody and keeps nothing on the stack */
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
    const char *slash = strrchr(m.file, '/');
    return slash != NULL && strncmp(slash + 1, library, strlen(library)) == 0;
}

static int fell(const char *dir, const char *said)
{
    return tell_of_it(&(struct broken_tree){ .dir = dir, .said = said });
}

bool broken_tree_in_lmdb(const void *context)
{
    struct place p = place_of(context);
    return is_in(p.at, "liblmdb") || (is_in(p.at, "libc") && is_in(p.from, "liblmdb"));
}

static void on_segv(int signo, siginfo_t *info, void *context)
{
    if (info->si_code > 0 && broken_tree_in_lmdb(context)) { /* the kernel's, about an instruction */
        _exit(fell(of_dir, ""));
    }
    sigaction(signo, &before, NULL);
    if (info->si_code <= 0) {
        raise(signo); /* it waits until the handler is left. Otherwise the instruction is tried again */
    }
}

void broken_tree_catch(const char *dir, broken_tree_fn *tell)
{
    of_dir = dir;
    tell_of_it = tell;
    sigaction(SIGSEGV, &(struct sigaction){ .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO }, &before);
}

void broken_tree_asserted(const char *dir, const char *said)
{
    if (tell_of_it != NULL) {
        _exit(fell(dir, said));
    }
}

void broken_tree_endless(void)
{
    if (tell_of_it != NULL) {
        _exit(tell_of_it(&(struct broken_tree){ .dir = of_dir, .said = "", .endless = true }));
    }
}

const char *broken_tree_why(const struct broken_tree *tree)
{
    return tree->endless ? ENDLESS : FELL;
}

/* As much of it as there is room for; no NUL behind. */
static char *copy(char *to, const char *text, size_t room)
{
    size_t n = strlen(text);
    n = n < room ? n : room;
    memcpy(to, text, n);
    return to + n;
}

void broken_tree_file(const struct broken_tree *tree, char file[BROKEN_TREE_FILE_BYTES_MAX])
{
    stpcpy(copy(file, tree->dir, BROKEN_TREE_FILE_BYTES_MAX - sizeof FILE_NAME), FILE_NAME);
}

void broken_tree_print(const struct broken_tree *tree)
{
    char file[BROKEN_TREE_FILE_BYTES_MAX], text[sizeof file + sizeof ENDLESS + SAID_BYTES_MAX + 64];
    broken_tree_file(tree, file);
    char *end = stpcpy(stpcpy(stpcpy(stpcpy(text, "sunlined: "), file), ": "), broken_tree_why(tree));
    if (*tree->said != '\0') {
        end = stpcpy(copy(stpcpy(end, " ("), tree->said, SAID_BYTES_MAX), ")");
    }
    end = stpcpy(end, "\n");
    log_raw(STDERR_FILENO, text, (size_t)(end - text));
}
