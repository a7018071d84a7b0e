/* The disk of the broker's machine: what of the store's two files is certain, and what is only written. Each write to them and each sync passes here, those that LMDB makes as
 * well (disk.c says how), so a sync can fail and lose what it was for, the power can go at any of these calls, and the disk can be full. What was not synced is then gone or not, by
 * sectors of 512 bytes, as the dice fall; what was synced is never touched. Where it is followed, it is from the first write on to the last: what was written and not synced is uncertain
 * until somebody syncs it, whichever call to the store that was, and over the death of a broker, whose machine goes on and has it in its cache. The real code decides when to sync: sunline-sim asks it to, whatever store_options.no_sync
 * says, but as it makes a log, which is certain at once; and a sync costs nothing here. */
#ifndef TESTS_SIM_DISK_H
#define TESTS_SIM_DISK_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/sim/rng.h"

/* The n-th sync fails, and what it was for is lost; the power goes at the n-th call, and none behind it does anything; from here on the disk takes nothing, or
 * (FULL_FILES) only what lies in the files already. */
enum disk_fault { DISK_WELL, DISK_SYNC_LOSES, DISK_POWER, DISK_FULL, DISK_FULL_FILES };

struct iovec;
void disk_of(const char *dir);  /* the store's folder; a name that may change */
void disk_follow(bool on);      /* from here on; a disk to which nothing will happen need not be */
void disk_new(void);            /* the files were put there by others: all that is there is certain */
void disk_arm(enum disk_fault how, uint64_t nth, bool reaches); /* reaches: where the sync that fails is that of a meta page's few bytes, they are there all the same */
bool disk_struck(void);         /* since it was armed */
enum disk_fault disk_armed(void);
bool disk_is_full(void);        /* armed to take nothing, or only what lies in the files */
void disk_disarm(void);
void disk_log_dies(void); /* until it is disarmed: who writes the log is killed behind the write, before the sync */
/* The broker is dead, and its files are closed. How many sectors are gone: those of a write that a failed sync was for, or all that the power cut found unsynced; none of a full disk. */
uint64_t disk_loses(struct rng *r);
/* What decides whether the last batch is there (its sectors in the log, or LMDB's page that points to its pages) was written since the disk was armed, and is there to the byte. */
bool disk_kept(void);

/* As the calls of these names; calls.c */
ssize_t disk_pwrite(int fd, const void *p, size_t n, off_t at);
ssize_t disk_writev(int fd, const struct iovec *v, int n);
int disk_fdatasync(int fd);
int disk_ftruncate(int fd, off_t n);
int disk_close(int fd);
#endif
