/* `sunlined --restored`: what the first start on a backup does by itself, for a folder that has no mark: a backup of 0.1.0, or files put back from a
 * snapshot of a disk or machine. No broker may be serving it. */
#ifndef SUNLINE_BROKER_RESTORED_H
#define SUNLINE_BROKER_RESTORED_H

/* Say on standard output where assignment numbers go on. Returns the process's exit code: 0 done, 1 not, and nothing has changed: so, too, the process
 * ends where the disk does not give a page. */
int restored(const char *dir);
#endif
