/* errors.def as tables. */
#include "proto/codec.h"

struct row {
    const char *name, *text;
    uint16_t number;
    uint8_t retry;
};
static const struct row rows[] = {
#define ERR(NAME, number, retry, text) { #NAME, text, number, SLP_RETRY_##retry },
#include "proto/errors.def"
#undef ERR
};

/* Few rows, and only refusals look here: a walk will do. */
static const struct row *find(uint64_t code)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].number == code)
            return &rows[i];
    return NULL;
}

const char *slp_error_name(uint64_t code)
{
    const struct row *r = find(code);
    return r ? r->name : "UNKNOWN";
}

const char *slp_error_text(uint64_t code)
{
    const struct row *r = find(code);
    return r ? r->text : "an error that this program does not know";
}

enum slp_retry slp_error_retry(uint64_t code)
{
    const struct row *r = find(code);
    return r ? (enum slp_retry)r->retry : SLP_RETRY_NEVER; /* not knowing better, do not repeat it */
}
