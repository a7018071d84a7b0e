/* `sunlined --verify`: every record of a store, its checksum and its place in order, read only. A broker may be serving the store meanwhile. */
#ifndef SUNLINE_BROKER_VERIFY_H
#define SUNLINE_BROKER_VERIFY_H

/* Tell of each damaged record and of the whole on standard output. Returns the process's exit code: 0 sound, 3 damage, 1 it cannot be told:
 * the store cannot be opened, or memory or the disk failed before all was looked at, and no damage was found until then.
 * A page that the disk does not give is damage, too, and so is a tree that LMDB falls over: either is the last that is told, with the table; the process ends there. */
int verify(const char *dir);
#define VERIFY_DAMAGED 3
#endif
