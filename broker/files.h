/* Small files of the data directory, beside the store: read whole, replaced atomically. */
#ifndef SUNLINE_BROKER_FILES_H
#define SUNLINE_BROKER_FILES_H
#include <stddef.h>
#include <sys/types.h>

/* Read DIR/NAME into buf and terminate it. Returns its bytes; -1 with errno: not there, unreadable, or larger than size
 * - 1. */
ssize_t file_read(const char *dir, const char *name, char *buf, size_t size);
/* Replace DIR/NAME by these bytes: old or new, whole, also after a power cut. 0; -1 with errno. */
int file_replace(const char *dir, const char *name, const void *p, size_t n);
void file_remove(const char *dir, const char *name); /* if it is there */
#endif
