/* Answers by themselves: whatever the text, they are ones that can be read. */
#include "broker/answer.h"
#include "tests/unit/store_world.h"

/* The reason stands behind the path, in a text as long as a path may be: what was cut inside a character is no text, and whoever asked hears nothing. */
static void a_text_that_was_cut_inside_a_character_is_an_answer_all_the_same(void **state)
{
    struct world *w = *state;
    struct slp_msg m;
    struct slp_fault fault;
    struct slp_buf b = { 0 };
    char path[SL_TEXT_BYTES_MAX + 1], text[SL_TEXT_BYTES_MAX + 1];
    size_t n = 1;
    open_store(w);
    path[0] = '/';
    for (; n + 2 <= SL_TEXT_BYTES_MAX; n += 2)
        memcpy(path + n, "\xc3\xbc", 2); /* u umlaut */
    path[n] = '\0';
    enum store_rc rc = store_backup(w->s, path, text, sizeof text); /* as readers.c does it */
    assert_int_equal(rc, STORE_IO);
    assert_int_equal(answer_error(&b, 7, SLP_E_BAD_VALUE, "backup.path", text, 0), 0);
    assert_int_equal(slp_decode(b.p, b.n, SLP_B2C, &m, &fault), 0);
    assert_int_equal(m.type, SLP_ERROR);
    assert_int_equal(m.id, 7);
    slp_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(a_text_that_was_cut_inside_a_character_is_an_answer_all_the_same) };
    return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}
