/* LMDB that falls over its own tree, caught where it does. LMDB checks few of its pages' words and trusts the others: of a damaged page it may read that a node
 * has what no node of ours has, or how long something is, and go where nothing is mapped (SIGSEGV), or come to a page that is none of those that it expects, and
 * abort by an assertion. Records have checksums, so no wrong byte is served before; but the process must end, and somebody must learn why.
 *
 * Whose fault a SIGSEGV is, the instruction tells: one of LMDB's library, or one of the C library's that LMDB called (memory is copied and compared by functions that
 * call no other, so the caller is still where the processor left it: known for x86-64 and AArch64). Any other is our mistake, and ends the process by the
 * signal, as if nobody had looked; so does one in an LMDB that is linked statically, and of the latter kind one under a C library that is not called libc (musl's
 * is not; the platform is Debian 12). LMDB's assertions come through store_options.lmdb_asserted.
 *
 * An assertion tells of which environment it is. A fault does not: it is told as the store's, and the sentence names the others: a copy that is being made, which
 * LMDB has open for a moment, and lock.mdb. A mistake of LMDB's, or a call of ours with a pointer that is wrong, looks the same; the text says so. What is damaged, `sunlined --verify` tells as far as it comes.
 * The same is allowed here as in lost_page.h, and held by the same test. */
#ifndef SUNLINE_BROKER_BROKEN_TREE_H
#define SUNLINE_BROKER_BROKEN_TREE_H
#include <stdbool.h>

struct broken_tree {
    const char *dir;  /* whose data.mdb it is */
    const char *said; /* by LMDB, or "" */
    bool endless;     /* it did not fall, it does not come back */
};

/* A sentence. */
const char *broken_tree_why(const struct broken_tree *tree);

/* Tell of it, in a handler or in the middle of LMDB; returns the status that the process ends with at once. */
typedef int broken_tree_fn(const struct broken_tree *tree);
/* From here on, in all threads, for the store in dir, which stays. Once a process, before there is a second thread. */
void broken_tree_catch(const char *dir, broken_tree_fn *tell);
/* For store_options.lmdb_asserted: does not return, if somebody catches. */
void broken_tree_asserted(const char *dir, const char *said);
/* For endless.h. Is the thread in LMDB, or in the C library called by it? In a handler of signals, of its third argument. */
bool broken_tree_in_lmdb(const void *context);
/* LMDB does not come back to us: does not return either, if somebody catches. */
void broken_tree_endless(void);
/* "DIR/data.mdb", which is cut if it is very long. */
#define BROKEN_TREE_FILE_BYTES_MAX 512
void broken_tree_file(const struct broken_tree *tree, char file[BROKEN_TREE_FILE_BYTES_MAX]);
/* What a tool says of it, on standard error: "sunlined: FILE: WHY (SAID)". */
void broken_tree_print(const struct broken_tree *tree);
#endif
