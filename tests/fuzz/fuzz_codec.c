/* libFuzzer target: any bytes into the decoder. What it takes must survive being walked through, written again and read again, and the
 * second writing must equal the first: then nothing was handed out that was not checked. First byte: which directions are taken.
 *
 * Seeds are made from the test vectors: tests/fuzz/seeds.py DIR, then fuzz_codec DIR -max_total_time=60. */
#include <string.h>

#include "proto/codec.h"
#include "tests/lib/codec_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_again(const struct slp_msg *m, unsigned ways)
{
    static struct slp_msg second;
    struct slp_buf once = { 0 }, twice = { 0 };
    struct slp_fault fault;
    walk_msg(m, &once);
    int rc = slp_decode(once.p, once.n, ways, &second, &fault);
    assert(rc == 0 && second.type == m->type && second.id == m->id);
    walk_msg(&second, &twice);
    assert(once.n == twice.n && memcmp(once.p, twice.p, once.n) == 0);
    slp_buf_free(&once);
    slp_buf_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct slp_msg m;
    struct slp_fault fault = { 0 };
    if (size == 0)
        return 0;
    unsigned ways = data[0];
    if (slp_decode((const char *)data + 1, size - 1, ways, &m, &fault) == 0)
        same_again(&m, ways);
    else
        assert(fault.code != SLP_E_OK && memchr(fault.place, 0, sizeof fault.place) && fault.place[0]);
    return 0;
}
