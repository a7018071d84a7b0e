/* A bounded reader of msgpack values, our own: it keeps to the bytes it was given, counts depth, never allocates, and tells
 * truncated from malformed. The codec is built on it; engine, agent and client use it to look into RAW values. */
#ifndef SUNLINE_PROTO_READER_H
#define SUNLINE_PROTO_READER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum slr_type { SLR_NIL, SLR_BOOL, SLR_U64, SLR_I64, SLR_DOUBLE, SLR_STR, SLR_BIN, SLR_ARRAY, SLR_MAP, SLR_EXT };

struct slr_value {
    enum slr_type type;   /* SLR_U64 for any integer >= 0, SLR_I64 for negative ones; float32 is widened to SLR_DOUBLE */
    union { bool b; uint64_t u64; int64_t i64; double d; };
    const char *p;        /* STR, BIN, EXT: the bytes, n of them */
    uint32_t n;           /* ARRAY, MAP: elements or pairs that follow */
};

struct slr { const char *p, *end; }; /* the cursor; copy it to look ahead */
static inline struct slr slr_on(const void *p, size_t n) /* n bytes at p; NULL with 0 is no byte */
{
    return (struct slr){ (const char *)p, n ? (const char *)p + n : (const char *)p };
}

/* Read one value (of a container: its header). 0; -1 truncated or malformed. A container that announces more elements than there are
 * bytes left is refused at once. */
int slr_next(struct slr *r, struct slr_value *v);
/* Skip one whole value, at most `depth` containers deep. 0; -1 as above, or too deep. */
int slr_skip(struct slr *r, int depth);
/* As slr_skip, and check: strings are UTF-8, no EXT, no NaN or infinity, map keys of one map are pairwise different strings or unsigned
 * integers, at most SL_MAP_PAIRS_MAX of them. */
int slr_check(struct slr *r, int depth);

enum slr_why { SLR_OK, SLR_TRUNCATED, SLR_MALFORMED, SLR_TOO_DEEP, SLR_NOT_UTF8, SLR_BAD_KIND, SLR_KEY_TWICE, SLR_TOO_MANY };
enum slr_why slr_check_why(struct slr *r, int depth); /* slr_check that says what was wrong */
const char *slr_why_text(enum slr_why why);           /* "truncated"; static */

/* Find string key `key` in the map whose pairs begin at r (after the header, `pairs` of them): *at becomes the cursor before its value.
 * true if there. The map must have been checked. */
bool slr_find(struct slr r, uint32_t pairs, const char *key, struct slr *at);
bool slr_str_is(const struct slr_value *v, const char *s); /* v is a STR equal to s */
bool sl_utf8_ok(const char *p, size_t n);
bool sl_name_ok(const char *p, size_t n); /* the rule of error BAD_NAME */
#endif
