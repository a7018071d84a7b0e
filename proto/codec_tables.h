/* The catalogue as tables of fields: what decode.c and encode.c walk. Private to the codec; codec.h is the public face. */
#ifndef SUNLINE_PROTO_CODEC_TABLES_H
#define SUNLINE_PROTO_CODEC_TABLES_H
#include "proto/codec.h"

/* A field's type. A list of item x has kind KIND_LIST + SLP_ITEM_x. */
enum kind { KIND_U64, KIND_I64, KIND_BOOL, KIND_STR, KIND_NAME, KIND_BIN, KIND_RAW, KIND_U64S, KIND_STRS, KIND_RAWS, KIND_LIST };

struct field {
    const char *name;
    uint16_t offset; /* in the message's or item's struct */
    uint8_t key;     /* of a message's field; items go by position */
    uint8_t kind;
    bool required;
    uint64_t max; /* 0: any */
};

struct shape { /* a message or an item; its struct begins with `uint32_t has` */
    const char *name;
    const struct field *fields;
    uint32_t count, size; /* fields; bytes of the struct */
};

enum { KEY_VERSION = 0, KEY_TYPE = 1, KEY_ID = 2, KEY_FIRST = 4, KEYS_MAX = 64 }; /* keys are 0..63: a set of them fits a word */

extern const struct shape codec_items[SLP_ITEM_COUNT]; /* by enum slp_item */
const struct shape *codec_shape(uint64_t type);        /* NULL: no such message */
#endif
