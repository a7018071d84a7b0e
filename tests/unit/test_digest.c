/* Digests of imported files: the same as ever, however the bytes come, so that an import that was broken off is known again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/cli/digest.h"

static void digests_are_those_of_sha_256(void **state)
{
    (void)state;
    static const char text[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"; /* of FIPS 180 */
    static const uint8_t expected[DIGEST_BYTES] = { 0x24, 0x8d, 0x6a, 0x61, 0xd2, 0x06, 0x38, 0xb8, 0xe5, 0xc0, 0x26,
                                                    0x93, 0x0c, 0x3e, 0x60, 0x39, 0xa3, 0x3c, 0xe4, 0x59, 0x64, 0xff,
                                                    0x21, 0x67, 0xf6, 0xec, 0xed, 0xd4, 0x19, 0xdb, 0x06, 0xc1 };
    for (size_t piece = 1; piece <= sizeof text; piece++) {
        uint8_t got[DIGEST_BYTES];
        struct digest *d = digest_new();
        assert_non_null(d);
        for (size_t at = 0; at < sizeof text - 1; at += piece) {
            digest_add(d, text + at, piece < sizeof text - 1 - at ? piece : sizeof text - 1 - at);
        }
        digest_get(d, got);
        assert_memory_equal(got, expected, sizeof got);
        digest_free(&d);
        digest_free(&d);
    }
}

static void much_in_pieces_of_any_size_has_one_digest(void **state)
{
    (void)state;
    uint8_t first[DIGEST_BYTES], got[DIGEST_BYTES];
    size_t n = 3u << 20;
    char *text = malloc(n);
    assert_non_null(text);
    for (size_t i = 0; i < n; i++)
        text[i] = (char)(i * 2654435761u >> 13);
    static const size_t pieces[] = { 3u << 20, 1000, 262144, 262143, 524289 };
    for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++) {
        struct digest *d = digest_new();
        assert_non_null(d);
        for (size_t at = 0; at < n; at += pieces[k])
            digest_add(d, text + at, pieces[k] < n - at ? pieces[k] : n - at);
        digest_get(d, k == 0 ? first : got);
        if (k > 0)
            assert_memory_equal(got, first, sizeof got);
        digest_free(&d);
    }
    struct digest *given_up = digest_new(); /* an import that is broken off */
    digest_add(given_up, text, n);
    digest_free(&given_up);
    assert_null(given_up);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_those_of_sha_256),
        cmocka_unit_test(much_in_pieces_of_any_size_has_one_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
