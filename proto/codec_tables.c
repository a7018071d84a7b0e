/* messages.def as tables. */
#include "proto/codec_tables.h"

// clang-format off
/* The words for types, as they are pasted together below. */
enum {
#define ITEM(name, what) KIND_LIST_##name = KIND_LIST + SLP_ITEM_##name,
#define I(item, type, field, req, max, what)
#define ITEM_END(name)
#define MSG(UPPER, name, number, way, what)
#define F(msg, key, type, field, req, max, what)
#define MSG_END(name)
#include "proto/messages.def"
#undef ITEM
#undef I
#undef ITEM_END
#undef MSG
#undef F
#undef MSG_END
    KIND_END
};
_Static_assert(KIND_END <= 256, "a kind fits a byte");
enum { O = 0, R = 1 };

#define ITEM(name, what) static const struct field fields_item_##name[] = {
#define I(item, type, field, req, max, what) {#field, offsetof(struct slp_item_##item, field), 0, KIND_##type, req, max},
#define ITEM_END(name) {0}};
#define MSG(UPPER, name, number, way, what) static const struct field fields_##name[] = {
#define F(msg, key, type, field, req, max, what) {#field, offsetof(struct slp_##msg, field), key, KIND_##type, req, max},
#define MSG_END(name) {0}};
#include "proto/messages.def"
#undef ITEM
#undef I
#undef ITEM_END
#undef MSG
#undef F
#undef MSG_END

#define COUNT(fields) (sizeof(fields) / sizeof *(fields) - 1) /* without the end mark */

#define I(item, type, field, req, max, what)
#define ITEM_END(name)
#define F(msg, key, type, field, req, max, what)
#define MSG_END(name)

#define ITEM(name, what) {#name, fields_item_##name, COUNT(fields_item_##name), sizeof(struct slp_item_##name)},
#define MSG(UPPER, name, number, way, what)
const struct shape codec_items[SLP_ITEM_COUNT] = {
#include "proto/messages.def"
};
#undef ITEM
#undef MSG

#define ITEM(name, what)
#define MSG(UPPER, name, number, way, what) {#name, fields_##name, COUNT(fields_##name), sizeof(struct slp_##name)},
static const struct shape shapes[] = {
#include "proto/messages.def"
};
#undef MSG

#define MSG(UPPER, name, number, way, what) {#name, number, SLP_##way, what},
static const struct slp_msg_info infos[] = { /* in step with shapes */
#include "proto/messages.def"
};
#undef MSG

#define NUMBER_MAX 255
enum {
#define MSG(UPPER, name, number, way, what) PLACE_##name,
#include "proto/messages.def"
#undef MSG
    PLACES
};
#define MSG(UPPER, name, number, way, what) [number] = 1 + PLACE_##name,
static const uint8_t places[NUMBER_MAX + 1] = { /* message number -> 1 + place in shapes; 0: none */
#include "proto/messages.def"
};
#undef ITEM
#undef I
#undef ITEM_END
#undef MSG
#undef F
#undef MSG_END

#define MSG(UPPER, name, number, way, what) _Static_assert(number <= NUMBER_MAX, "the number of " #name " fits the table of places");
#define F(msg, key, type, field, req, max, what) \
    _Static_assert(key >= KEY_FIRST && key < KEYS_MAX && SLP_BIT_##msg##_##field < 32, "key and bit of " #msg "." #field);
#define MSG_END(name)
#define ITEM(name, what)
#define I(item, type, field, req, max, what) _Static_assert(SLP_BIT_item_##item##_##field < 32, "bit of " #item "." #field);
#define ITEM_END(name)
#include "proto/messages.def"
#undef ITEM
#undef I
#undef ITEM_END
#undef MSG
#undef F
#undef MSG_END

// clang-format on

static int place_of(uint64_t type)
{
    return type <= NUMBER_MAX ? places[type] - 1 : -1;
}

const struct shape *codec_shape(uint64_t type)
{
    int at = place_of(type);
    return at < 0 ? NULL : &shapes[at];
}

const struct slp_msg_info *slp_info(uint64_t type)
{
    int at = place_of(type);
    return at < 0 ? NULL : &infos[at];
}

const struct slp_msg_info *slp_info_all(size_t *count)
{
    *count = sizeof infos / sizeof *infos;
    return infos;
}
