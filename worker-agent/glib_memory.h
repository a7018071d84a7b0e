/* GLib, of which the agent has time zones and SHA-256, gives no answer where it finds no memory: it ends the process, by a trap or by abort(). Between begin and end
 * it does so with a word and a status, as the agent ends wherever it cannot go on; elsewhere these signals are what they always were. */
#ifndef SUNLINE_AGENT_GLIB_MEMORY_H
#define SUNLINE_AGENT_GLIB_MEMORY_H
#include <glib.h>

/* The status of a process that GLib found no memory for. */
#define GLIB_NO_MEMORY_STATUS 1

/* Once, before any other thread is there. */
void glib_memory_catch(void);

/* This thread calls GLib; this may be nested. What is between them is GLib's calls alone: an assertion of ours that fails there would be told as a want of memory. */
void glib_memory_begin(void);
void glib_memory_end(void);

/* A new sum between the two, never NULL. The caller frees it: g_checksum_free. */
GChecksum *glib_sha256_new(void);

#endif
