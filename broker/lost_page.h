/* A page of the store that is lost, caught where it is touched: LMDB reads and writes its files through the memory that they are mapped to, and what the kernel
 * cannot do there it tells by the signal SIGBUS. So the disk says that it does not give a page; or takes none, where a file system that writes anew what it
 * overwrites is full, or over its quota; or the file has been cut off; or the page's memory went bad. The same comes of a page of LMDB's tree that is damaged and leads out of the file
 * (broken_tree.h has the rest of that). Each is a failure of the store, like a read or a write that
 * fails. A signal that is left alone would end the process without a word.
 *
 * Whose page it is: the handler asks /proc/self/maps which file is mapped where it was touched. It is the store's if that file is mapped shared: in our programs LMDB
 * alone maps so, data.mdb and lock.mdb, wherever they lie and however often the map has moved; a program and its libraries are mapped private. Whatever
 * else brings the signal (a page of the program, a mistake of ours, `kill -BUS`) ends the process by it, as if nobody had looked.
 *
 * A page may be touched by any thread, with locks of ours held (the map grows under the store's). That does no harm: the handler takes none, and never goes back to
 * where it came from. It may have come in the middle of anything all the same, so it does only what POSIX allows in a handler (open, read,
 * write, memory, _exit): no stdio, no allocation. log.h is made so, too. tests/integration/test_lost_pages.py reads in the objects what they call. */
#ifndef SUNLINE_BROKER_LOST_PAGE_H
#define SUNLINE_BROKER_LOST_PAGE_H
#include <stdint.h>

struct lost_page {
    const char *file; /* as the kernel names it; cut if it is very long */
    uint64_t byte;    /* of it, which was touched */
    const char *why;  /* a sentence */
};

/* Tell of it, in the handler; returns the status that the process ends with at once. */
typedef int lost_page_fn(const struct lost_page *page);
/* From here on, in all threads. Once a process, before there is a second thread. */
void lost_page_catch(lost_page_fn *tell);
/* What a tool says of it, on standard error: "sunlined: FILE: WHY, at byte N". */
void lost_page_print(const struct lost_page *page);
#endif
