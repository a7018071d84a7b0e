/* The answer of a worker, as texts. */
#ifndef TESTS_UNIT_HAND_IN_H
#define TESTS_UNIT_HAND_IN_H
#include "tests/unit/scene.h"

/* Hand in texts, NULL: nil. text (may be NULL) gets what the broker says about it. */
static inline enum slp_code hand_in(struct world_scene *s, const struct world_task *t, const char *const *v, unsigned n,
                                    char text[256])
{
    struct slp_buf b = { 0 }, values = { 0 };
    for (unsigned i = 0; i < n; i++)
        if (v[i])
            slp_pack_cstr(&values, v[i]);
        else
            slp_pack_nil(&values);
    struct slp_item_result it = { .assignment = t->assignment,
                                  .worker = t->worker,
                                  .values = { values.p, (uint32_t)values.n, n } };
    slp_pack_item(&b, SLP_ITEM_result, &it);
    struct slp_submit q = { .session = s->h.session, .results = { b.p, (uint32_t)b.n, 1 } };
    struct slp_msg *m = world_send(&s->w, s->h.peer, SLP_SUBMIT, &q);
    slp_buf_free(&b);
    slp_buf_free(&values);
    assert_non_null(m);
    assert_int_equal(m->type, SLP_OUTCOMES);
    struct slp_cursor c = slp_each(m->u.outcomes.outcomes);
    struct slp_item_outcome o;
    if (text)
        text[0] = 0;
    if (!slp_next_outcome(&c, &o))
        return SLP_E_OK;
    if (text)
        snprintf(text, 256, "%.*s", (int)o.text.n, o.text.p);
    return (enum slp_code)o.code;
}
#endif
