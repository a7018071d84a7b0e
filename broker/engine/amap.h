/* The live assignments' segments by the numbers of their assignments: an open-addressed map that grows a little with each put.
 *
 * A hundred thousand assignments go out in a second or stay for days; a map that moves to twice the room at once stops everybody for as long as that takes.
 * Here the old room is emptied as the new one fills: of both is asked, AMAP_MOVES places are looked at in each put. */
#ifndef SUNLINE_AMAP_H
#define SUNLINE_AMAP_H
#include <stdbool.h>
#include <stdint.h>

#define AMAP_MOVES 4

struct aseg;
struct amap_table {
    struct amap_entry { uint64_t no; struct aseg *s; } *v; /* no 0: free */
    uint64_t cap, n;                                       /* cap: a power of two, or 0 */
};
struct amap {
    struct amap_table now, old; /* old.cap 0: nothing is to be moved */
    uint64_t moved;             /* so many places of old, from the first on, count no more */
};

bool amap_put(struct amap *m, uint64_t no, struct aseg *s); /* a number that is not in it. False: no memory, and nothing changed */
struct aseg *amap_get(const struct amap *m, uint64_t no);   /* NULL: not in it */
void amap_del(struct amap *m, uint64_t no);                 /* nothing, if it is not in it: a put may have failed */
void amap_soon(const struct amap *m, uint64_t no);          /* this one is about to be put: fetch its place meanwhile */
void amap_free(struct amap *m);
#endif
