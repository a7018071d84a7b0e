/* A file of records that survives a crash at any byte: append only, each record with its length and a checksum.
 *
 *   file    "SUNLINE1" then records
 *   record  u32 length of the payload, u32 CRC32C of (length, payload), payload; little-endian
 *
 * Opening reads all records and cuts off a torn tail. Bytes that make no record in the middle of a file (a damaged
 * disk) are stepped over
 * and counted: what stands after them is not thrown away. Appending is buffered until reclog_write; whoever needs the
 * bytes to outlive a power
 * cut syncs the file descriptor after it. */
#ifndef SUNLINE_AGENT_RECLOG_H
#define SUNLINE_AGENT_RECLOG_H
#include "proto/codec.h"

#define RECLOG_RECORD_BYTES_MAX (512 * 1024)

struct reclog {
    int fd;
    uint64_t size;         /* bytes of the file, with what is buffered */
    uint64_t damaged;      /* bytes that opening stepped over */
    struct slp_buf buffer; /* not written yet */
};

/* Called for each record at opening; off: where its payload begins. A return other than 0 ends the opening with that
 * errno. */
typedef int reclog_found(void *arg, uint64_t off, const char *p, uint32_t n);

/* Open or create `name` in the directory dir_fd. 0, or an errno (EBADMSG: not such a file; EIO: the disk does not give it); then *l is closed. */
int reclog_open(struct reclog *l, int dir_fd, const char *name, reclog_found *found, void *arg);
void reclog_close(struct reclog *l); /* drops what is buffered; safe to repeat */
/* Append one record made of two parts. Returns the offset of its payload, 0 when memory ran out. */
uint64_t reclog_add(struct reclog *l, const void *head, uint32_t head_n, const void *body, uint32_t body_n);
/* Hand the buffer to the system. 0 or an errno; after an error the file is cut back to whole records and the buffer is
 * kept: try again. */
int reclog_write(struct reclog *l);
uint32_t reclog_crc32c(uint32_t crc, const void *p, size_t n);
#endif
