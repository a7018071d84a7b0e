/* Stepping through lists of items, for every item of the catalogue: all fields there; the optional ones nil; trailing optional ones cut off, as an older
 * peer sends them; and more elements than we know, as a newer one does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/codec.h"

enum { O = 0, R = 1 };
enum shape { WHOLE, NIL, CUT, MORE, SHAPES };
#define FIELDS_MAX 32 /* of an item */

struct layout {
    unsigned n, needed; /* fields; how many must be there: all up to the last required one */
    bool required[FIELDS_MAX];
};

static void pack_U64(struct slp_buf *b)
{
    slp_pack_u64(b, 1);
}
static void pack_I64(struct slp_buf *b)
{
    slp_pack_i64(b, -5);
}
static void pack_BOOL(struct slp_buf *b)
{
    slp_pack_bool(b, true);
}
static void pack_STR(struct slp_buf *b)
{
    slp_pack_cstr(b, "text");
}
static void pack_NAME(struct slp_buf *b)
{
    slp_pack_cstr(b, "name");
}
static inline void pack_BIN(struct slp_buf *b)
{
    slp_pack_bin(b, "\0\1", 2);
}
static void pack_RAW(struct slp_buf *b)
{
    slp_pack_u64(b, 3);
}
static void pack_list(struct slp_buf *b)
{
    slp_pack_array(b, 0);
}
#define pack_U64S pack_list
#define pack_STRS pack_list
#define pack_RAWS pack_list
#define MSG(UPPER, name, number, way, what)
#define F(msg, key, type, field, req, max, what)
#define MSG_END(name)
// clang-format off
#define ITEM(name, what) static inline void pack_LIST_##name(struct slp_buf *b) { pack_list(b); }
#define I(item, type, field, req, max, what)
#define ITEM_END(name)
#include "proto/messages.def"
#undef ITEM
#undef I
#undef ITEM_END

#define ITEM(name, what)                                              \
    static struct layout layout_##name(void)                          \
    {                                                                 \
        struct layout l = { .n = 0 };
#define I(item, type, field, req, max, what)                          \
        l.required[l.n++] = req;                                      \
        l.needed = req ? l.n : l.needed;
#define ITEM_END(name)                                                \
        return l;                                                     \
    }
#include "proto/messages.def"
#undef ITEM
#undef I
#undef ITEM_END

#define ITEM(name, what)                                              \
    static void list_of_##name(struct slp_buf *b, enum shape s)       \
    {                                                                 \
        struct layout l = layout_##name();                            \
        unsigned i = 0, n = s == CUT ? l.needed : s == MORE ? l.n + 2 : l.n; \
        slp_pack_array(b, n);
#define I(item, type, field, req, max, what)                          \
        if (i < n)                                                    \
            s == NIL && !l.required[i] ? slp_pack_nil(b) : pack_##type(b); \
        i++;
#define ITEM_END(name)                                                \
        for (; i < n; i++)                                            \
            slp_pack_cstr(b, "from a newer peer");                    \
    }
#include "proto/messages.def"
#undef ITEM
#undef I
#undef ITEM_END

#define ITEM(name, what)                                              \
    static void step_##name(enum shape s)                             \
    {                                                                 \
        struct layout l = layout_##name();                            \
        struct slp_buf b = { 0 };                                     \
        struct slp_item_##name v;                                     \
        unsigned i = 0;                                               \
        list_of_##name(&b, s);                                        \
        list_of_##name(&b, s);                                        \
        struct slp_cursor c = slp_each((struct slp_list){ b.p, (uint32_t)b.n, 2 }); \
        assert_true(slp_next_##name(&c, &v));
#define I(item, type, field, req, max, what)                          \
        assert_int_equal(SLP_IS(&v, item_##item, field), l.required[i] || (s != NIL && (s != CUT || i < l.needed))); \
        i++;
#define ITEM_END(name)                                                \
        assert_true(slp_next_##name(&c, &v)); /* the first ended where the second begins */ \
        assert_false(slp_next_##name(&c, &v));                        \
        slp_buf_free(&b);                                             \
    }
#include "proto/messages.def"
#undef ITEM
#undef I
#undef ITEM_END

static void each_item_is_read_whole_with_nil_cut_short_and_with_more(void **state)
{
    (void)state;
    for (int s = 0; s < SHAPES; s++) {
#define ITEM(name, what) step_##name((enum shape)s);
#define I(item, type, field, req, max, what)
#define ITEM_END(name)
#include "proto/messages.def"
    }
}
// clang-format on

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(each_item_is_read_whole_with_nil_cut_short_and_with_more) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
