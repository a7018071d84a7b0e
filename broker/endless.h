/* A call into LMDB that does not come back, caught by the time that it takes. LMDB trusts its pages (broken_tree.h): of a damaged one it may read that
 * it has two thousand million nodes, and look for a key among them for ever. No wrong byte is served then, but none at all, and nobody learns why. So the
 * process ends, in the same way as for the rest of a broken tree.
 *
 * A thread that works on the store is looked at by the clock of its own processor time, so that a slow disk, a stop (SIGSTOP) or a machine that is
 * overcommitted is no reason. Twice in a row it must be in the same call (store_calls_now: odd, and as it was), and in LMDB's code: what is looked for
 * in a tree takes microseconds. Commits, and copies of a whole store, may take long and are not looked at; nor is the thread that makes a backup.
 *
 * The same is allowed in the handler as in lost_page.h, and held by the same test. The signal is SIGXCPU; one that no timer of ours sent does what it always did. */
#ifndef SUNLINE_BROKER_ENDLESS_H
#define SUNLINE_BROKER_ENDLESS_H

#define ENDLESS_LOOK_S 10 /* of processor time between two looks: a call has had so much at least, and no more than twice as much */

/* The calling thread, from here to its end, once; behind broken_tree_catch(), which tells of it. If there is no timer for it a line of the log says that
 * nobody watches. */
void endless_watch(unsigned look_s);
#endif
