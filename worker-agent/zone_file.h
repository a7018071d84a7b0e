/* Is a file of the zone database whole? GLib believes what its head promises: one that is cut off, as by a full disk or in the midst of an update, ends the process. */
#ifndef SUNLINE_AGENT_ZONE_FILE_H
#define SUNLINE_AGENT_ZONE_FILE_H
#include <stdbool.h>
#include <stddef.h>

/* RFC 8536: the heads are there, all that they announce is, up to the last line's end, and each number of a type or of an abbreviation leads to one. What the times are is
 * not looked at. Nothing is kept of `bytes`. */
bool zone_file_whole(const void *bytes, size_t n);
#endif
