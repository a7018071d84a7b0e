/* LMDB that falls over its own tree, caught where it does. LMDB checks few of its pages' words and trusts the others: of a damaged page it may read that a node
 * has what no node of ours has, or how long something is, and go where nothing is mapped (SIGSEGV), or come to a page that is none of those that it expects, and
 * abort by an assertion. Records have checksums, so no wrong byte is served before; but the process must end, and somebody must learn why.
 *
 * Whose fault a SIGSEGV is, the instruction tells: one of LMDB's library, or one of the C library's that LMDB called (memory is copied and compared by functions that
 * call no other, so the caller is still where the processor left it: known for x86-64 and AArch64). Any other is our mistake, and ends the process by the
 * signal, as if nobody had looked; so does one in an LMDB that is linked statically. LMDB's assertions come through store_options.lmdb_asserted.
 *
 * A mistake of LMDB's, or a call of ours with a pointer that is wrong, looks the same; the text says so. What is damaged, `sunlined --verify` tells as far as it comes.
 * The same is allowed here as in lost_page.h, and held by the same test. */
#ifndef SUNLINE_BROKER_BROKEN_TREE_H
#define SUNLINE_BROKER_BROKEN_TREE_H

/* Tell of it, in a handler or in the middle of LMDB: a sentence, and what LMDB said or "". Returns the status that the process ends with at once. */
typedef int broken_tree_fn(const char *why, const char *said);
/* From here on, in all threads. Once a process, before there is a second thread. */
void broken_tree_catch(broken_tree_fn *tell);
/* For store_options.lmdb_asserted: does not return, if somebody catches. */
void broken_tree_asserted(const char *said);
/* What a tool says of it, on standard error: "sunlined: data.mdb: WHY (SAID)". */
void broken_tree_print(const char *why, const char *said);
#endif
