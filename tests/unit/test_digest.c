/* Digests of imported files: the same as ever, however the bytes come, so that an import that was broken off is known again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(digests_are_those_of_sha_256) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
