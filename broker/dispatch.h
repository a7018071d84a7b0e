/* Who handles a message: one row for every message that a peer may send. */
#ifndef SUNLINE_BROKER_DISPATCH_H
#define SUNLINE_BROKER_DISPATCH_H
#include <stddef.h>
#include <stdint.h>

enum handler {
    BY_ENGINE, /* in the batch's transaction: whatever changes something, or reads the engine's memory */
    BY_READER, /* long reads, on the reader's thread in short read transactions */
    BY_BACKUP, /* a copy of the store, on a thread of its own */
    BY_LOOP    /* answered at once, from what the loop knows */
};

/* Who may send it. Used once there are keys and roles; until then, whoever reaches the endpoint has all of its
 * rights. */
enum right {
    RIGHT_ANYONE,  /* any peer of that endpoint */
    RIGHT_WATCH,   /* see state, figures and events */
    RIGHT_PRODUCE, /* put units, follow one's runs */
    RIGHT_EXPORT,  /* read payloads and results */
    RIGHT_OPERATE, /* change lines, runs, stations; back up */
    RIGHT_AGENT    /* serve a hub */
};

struct dispatch_row { uint64_t type; enum handler handler; enum right right; };

const struct dispatch_row *dispatch_find(uint64_t type); /* NULL: no peer may send it */
const struct dispatch_row *dispatch_all(size_t *count);
#endif
