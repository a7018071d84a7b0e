/* The codec: bytes of one message body to a struct and back. It knows no socket and no clock, allocates nothing when it
 * decodes, and takes every fact about messages from messages.def.
 *
 * Decoding checks everything before it hands out anything: version, type, keys, types, limits, UTF-8, depth, counts, that no
 * byte is missing and none is left over. What it hands out points into the frame, which must outlive the struct.
 *
 * For every MSG(NAME, name, number, ...) there is an enum value SLP_NAME and a struct slp_name; for every ITEM(name) a struct
 * slp_item_name. In each struct `has` holds a bit for each field, in order of declaration: bit i set = field i was there. Absent fields are
 * zero. When encoding, required fields are always written and optional ones where their bit is set.
 *   SLP_SET(&m, put, columns)      set the bit          SLP_SET(&act, item_act, reason)    for an item's field
 *   SLP_IS(&m, put, columns)       was it there? */
#ifndef SUNLINE_PROTO_CODEC_H
#define SUNLINE_PROTO_CODEC_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

enum slp_code { /* SLP_E_NAME */
#define ERR(NAME, number, retry, text) SLP_E_##NAME = number,
#include "proto/errors.def"
#undef ERR
};
enum slp_retry { SLP_RETRY_OK, SLP_RETRY_NOW, SLP_RETRY_LATER, SLP_RETRY_NEVER };

const char *slp_error_name(uint64_t code);  /* "QUEUE_FULL"; "UNKNOWN" for a number that is none. Static. */
const char *slp_error_text(uint64_t code);  /* the sentence */
enum slp_retry slp_error_retry(uint64_t code);

struct slp_bytes { const char *p; uint32_t n; };           /* borrowed, not terminated */
struct slp_list { const char *p; uint32_t bytes, count; }; /* borrowed: `count` packed elements without the array header */

/* ---- structs made from messages.def: see codec_gen.h for how; included here ---- */
#include "proto/codec_gen.h"

#define SLP_SET(m, msg, field) ((m)->has |= 1u << SLP_BIT_##msg##_##field)
#define SLP_IS(m, msg, field) (((m)->has >> SLP_BIT_##msg##_##field & 1u) != 0)

enum slp_way { /* B2X: to clients and agents alike */
    SLP_C2B = 1, SLP_B2C = 2, SLP_A2B = 4, SLP_B2A = 8, SLP_B2M = 16, SLP_B2X = SLP_B2C | SLP_B2A
};

/* A decoded message. Big enough for any. */
struct slp_msg {
    uint64_t version, type, id; /* type: enum slp_type; id: the request id, 0 if absent */
    union slp_any u;            /* u.put, u.hello, ... */
};

struct slp_fault { /* where and why decoding failed */
    enum slp_code code;
    char place[96]; /* "put.rows[3]" */
};

/* Decode one body of n bytes. `ways`: which directions are taken (or of enum slp_way). Returns 0, or -1 with *fault filled; then
 * m->id holds the request id if it could be read (else 0), so that an error can be answered. */
int slp_decode(const char *p, size_t n, unsigned ways, struct slp_msg *m, struct slp_fault *fault);

/* ---- lists: elements were checked when the message was decoded, so stepping cannot fail ---- */
/* struct slp_cursor: see codec_gen.h. */
struct slp_cursor slp_each(struct slp_list l);
bool slp_items_ok(int item, struct slp_list l); /* item: enum slp_item. Of a list that came by no message: are these its elements, checked as one's are? */
/* Each returns false at the end. slp_next_raw yields the packed bytes of any element. */
bool slp_next_u64(struct slp_cursor *c, uint64_t *v);
bool slp_next_str(struct slp_cursor *c, struct slp_bytes *v);
bool slp_next_raw(struct slp_cursor *c, struct slp_bytes *v);
/* slp_next_<item>(cursor, struct slp_item_<item> *) are declared by codec_gen.h for every item. */

/* ---- encoding into a growing buffer ---- */
struct slp_buf { char *p; size_t n, cap; bool failed; }; /* failed: an allocation failed; n is then meaningless. Start from {0}. */
void slp_buf_clear(struct slp_buf *b);  /* n = 0, keeps the memory, clears failed */
void slp_buf_free(struct slp_buf *b);   /* safe to repeat */
void slp_buf_add(struct slp_buf *b, const void *p, size_t n);

/* slp_encode appends one body: version, type, id and the struct's fields. `any` is a struct slp_<name> *. Lists in it must be packed
 * elements (made with the packers below). Returns 0, -1 when memory ran out. Asserts that values keep their limits. */
int slp_encode(struct slp_buf *b, uint64_t type, uint64_t id, const void *any);
/* The same for a message whose last field is a list, without that list's elements: they must follow the body, as many as its `count` says. */
int slp_encode_open(struct slp_buf *b, uint64_t type, uint64_t id, const void *any);

/* Packers of single values, for building lists and RAW values (thin, over msgpack-c). */
void slp_pack_nil(struct slp_buf *b);
void slp_pack_bool(struct slp_buf *b, bool v);
void slp_pack_u64(struct slp_buf *b, uint64_t v);
void slp_pack_i64(struct slp_buf *b, int64_t v);
void slp_pack_double(struct slp_buf *b, double v);
void slp_pack_str(struct slp_buf *b, const char *p, size_t n);
void slp_pack_cstr(struct slp_buf *b, const char *s);
void slp_pack_bin(struct slp_buf *b, const void *p, size_t n);
void slp_pack_array(struct slp_buf *b, uint32_t n); /* header; n elements must follow */
void slp_pack_map(struct slp_buf *b, uint32_t n);   /* header; n pairs must follow */
void slp_pack_item(struct slp_buf *b, int item, const void *any); /* item: enum slp_item; one item as a list's element */

/* ---- the catalogue as data, for tests, documents and the broker's dispatch table ---- */
struct slp_msg_info { const char *name; uint64_t type; unsigned way; const char *what; };
const struct slp_msg_info *slp_info(uint64_t type); /* NULL: no such message */
const struct slp_msg_info *slp_info_all(size_t *count);

#endif
