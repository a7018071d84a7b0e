/* What messages.def becomes in C. Included by codec.h only, which is the manual.
 *
 *   enum slp_type          SLP_PUT = 40 ...            enum slp_item      SLP_ITEM_act ...
 *   struct slp_put         has, then the fields        struct slp_item_act  likewise
 *   union slp_any          one member a message        slp_next_act()     steps through a list of items
 *   SLP_BIT_put_columns    the place of a field in put's `has`; SLP_BIT_item_act_reason of an item's field
 *
 * messages.def names a type by one word that is pasted: U64 -> slp_t_U64, LIST_act -> slp_t_LIST_act. */
#ifndef SUNLINE_PROTO_CODEC_GEN_H
#define SUNLINE_PROTO_CODEC_GEN_H

#define ITEM(name, what)
#define I(item, type, field, req, max, what)
#define ITEM_END(name)
#define MSG(NAME, name, number, way, what) SLP_##NAME = number,
#define F(msg, key, type, field, req, max, what)
#define MSG_END(name)
enum slp_type {
#include "proto/messages.def"
};
#undef ITEM
#undef MSG

#define ITEM(name, what) SLP_ITEM_##name,
#define MSG(NAME, name, number, way, what)
enum slp_item {
#include "proto/messages.def"
    SLP_ITEM_COUNT
};
#undef ITEM

/* ---- one C type for each type word ---- */
typedef uint64_t slp_t_U64;
typedef int64_t slp_t_I64;
typedef bool slp_t_BOOL;
typedef struct slp_bytes slp_t_STR, slp_t_NAME, slp_t_BIN, slp_t_RAW;
typedef struct slp_list slp_t_U64S, slp_t_STRS, slp_t_RAWS;
#define ITEM(name, what) typedef struct slp_list slp_t_LIST_##name;
#include "proto/messages.def"
#undef ITEM
#undef I
#undef ITEM_END
#undef MSG
#undef F
#undef MSG_END

/* ---- structs ---- */
#define ITEM(name, what) struct slp_item_##name { uint32_t has;
#define I(item, type, field, req, max, what) slp_t_##type field;
#define ITEM_END(name) };
#define MSG(NAME, name, number, way, what) struct slp_##name { uint32_t has;
#define F(msg, key, type, field, req, max, what) slp_t_##type field;
#define MSG_END(name) };
#include "proto/messages.def"
#undef ITEM
#undef I
#undef ITEM_END
#undef MSG
#undef F
#undef MSG_END

/* ---- the places of fields in `has` ---- */
#define ITEM(name, what) enum slp_bits_item_##name {
#define I(item, type, field, req, max, what) SLP_BIT_item_##item##_##field,
#define ITEM_END(name) SLP_BITS_item_##name };
#define MSG(NAME, name, number, way, what) enum slp_bits_##name {
#define F(msg, key, type, field, req, max, what) SLP_BIT_##msg##_##field,
#define MSG_END(name) SLP_BITS_##name };
#include "proto/messages.def"
#undef ITEM
#undef I
#undef ITEM_END
#undef MSG
#undef F
#undef MSG_END

/* ---- what depends on names only ---- */
#define I(item, type, field, req, max, what)
#define F(msg, key, type, field, req, max, what)
#define MSG_END(name)

#define ITEM(name, what)
#define ITEM_END(name)
#define MSG(NAME, name, number, way, what) struct slp_##name name;
union slp_any {
#include "proto/messages.def"
};
#undef MSG
#undef ITEM

struct slp_cursor { const char *p; uint32_t bytes, left; }; /* elements not stepped over yet, in so many bytes */
#define MSG(NAME, name, number, way, what)
#define ITEM(name, what) bool slp_next_##name(struct slp_cursor *c, struct slp_item_##name *v);
#include "proto/messages.def"
#undef ITEM
#undef I
#undef ITEM_END
#undef MSG
#undef F
#undef MSG_END
#endif
