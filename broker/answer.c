/* Answers without the engine: see answer.h. */
#include "broker/answer.h"

#include <string.h>

#include "proto/utf8.h"

static struct slp_bytes cut(const char *text)
{
    size_t n = strlen(text);
    n = sl_utf8_cut(text, n < SL_TEXT_BYTES_MAX ? n : SL_TEXT_BYTES_MAX); /* whoever made it may have cut it, too */
    return (struct slp_bytes){ text, (uint32_t)n };
}

int answer_error(struct slp_buf *b, uint64_t id, enum slp_code code, const char *place, const char *text,
                 uint64_t after_ms)
{
    struct slp_error e;
    memset(&e, 0, sizeof e);
    e.code = code;
    e.retry = slp_error_retry(code);
    e.text = cut(text ? text : slp_error_text(code));
    if (place && *place) {
        e.place = cut(place);
        SLP_SET(&e, error, place);
    }
    if (after_ms) {
        e.after_ms = after_ms;
        SLP_SET(&e, error, after_ms);
    }
    slp_buf_clear(b);
    return slp_encode(b, SLP_ERROR, id, &e);
}

int answer_done(struct slp_buf *b, uint64_t id)
{
    struct slp_done d;
    memset(&d, 0, sizeof d);
    slp_buf_clear(b);
    return slp_encode(b, SLP_DONE, id, &d);
}
