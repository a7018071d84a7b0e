/* Codes and the last error of a handle. The numbers in sunline.h are proved equal to those of errors.def here. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "client/internal.h"
#include "proto/reader.h"

#define ERR(NAME, number, retry, text)                                                                                 \
    _Static_assert(SL_##NAME == number, "sunline.h and errors.def give " #NAME " the same number");
#include "proto/errors.def"
#undef ERR
_Static_assert(SL_RETRY_OK == (int)SLP_RETRY_OK && SL_RETRY_NOW == (int)SLP_RETRY_NOW &&
                   SL_RETRY_LATER == (int)SLP_RETRY_LATER && SL_RETRY_NEVER == (int)SLP_RETRY_NEVER,
               "retry classes are the protocol's");

static const struct {
    int code;
    const char *name, *text;
    enum sl_retry retry;
} local[] = {
    { SL_TIMEOUT, "TIMEOUT", "no answer came in time", SL_RETRY_LATER },
    { SL_DISCONNECTED, "DISCONNECTED", "there is no link to the broker", SL_RETRY_LATER },
    { SL_NO_MEMORY, "NO_MEMORY", "memory ran out", SL_RETRY_LATER },
    { SL_MISUSE, "MISUSE", "the library was called against its manual", SL_RETRY_NEVER },
    { SL_BAD_REPLY, "BAD_REPLY", "the answer is not what the protocol says", SL_RETRY_NEVER },
    { SL_SYSTEM, "SYSTEM", "the system refused", SL_RETRY_NEVER },
    { SL_STOPPED, "STOPPED", "stopped as asked", SL_RETRY_OK },
    { SL_ONLY_DEAD, "ONLY_DEAD", "what remains is dead and needs a person", SL_RETRY_OK },
    { SL_NOT_PUT, "NOT_PUT", "not put, because a row beside or before it was refused", SL_RETRY_NOW },
    { SL_RUN_CANCELLED, "RUN_CANCELLED", "the run was cancelled", SL_RETRY_OK },
};

static int local_index(int code)
{
    for (int i = 0; i < (int)(sizeof local / sizeof *local); i++)
        if (local[i].code == code)
            return i;
    return -1;
}

const char *sl_error_name(int code)
{
    int i = local_index(code);
    return i >= 0 ? local[i].name : slp_error_name(code < 0 ? UINT64_MAX : (uint64_t)code);
}

const char *sl_error_text(int code)
{
    int i = local_index(code);
    return i >= 0 ? local[i].text : slp_error_text(code < 0 ? UINT64_MAX : (uint64_t)code);
}

enum sl_retry sl_error_retry(int code)
{
    int i = local_index(code);
    return i >= 0 ? local[i].retry : (enum sl_retry)slp_error_retry(code < 0 ? UINT64_MAX : (uint64_t)code);
}

const struct sl_error *sl_last_error(const struct sl *sl)
{
    return &sl->error;
}

const struct sl_problem *sl_problems(const struct sl *sl, size_t *count)
{
    *count = sl->problem_count;
    return sl->problems;
}

void sl__forget_error(struct sl *sl)
{
    sl->error.code = SL_OK;
    sl->error.retry = SL_RETRY_OK;
    sl->error.after_ms = 0;
    sl->error.text[0] = sl->error.place[0] = '\0';
    free(sl->problems);
    free(sl->problem_text);
    sl->problems = NULL;
    sl->problem_text = NULL;
    sl->problem_count = 0;
}

void sl__copy(char *out, size_t size, struct slp_bytes b)
{
    size_t n = b.n < size ? b.n : size - 1;
    if (n > 0)
        memcpy(out, b.p, n);
    out[n] = '\0';
}

struct slp_bytes sl__bytes(const char *s)
{
    return (struct slp_bytes){ s, s ? (uint32_t)strlen(s) : 0 };
}

int sl__fail(struct sl *sl, int code, const char *place, const char *text)
{
    assert(code != SL_OK);
    sl__forget_error(sl);
    sl->error.code = code;
    sl->error.retry = sl_error_retry(code);
    sl__copy(sl->error.text, sizeof sl->error.text, sl__bytes(text ? text : sl_error_text(code)));
    sl__copy(sl->error.place, sizeof sl->error.place, sl__bytes(place));
    return code;
}

/* All problems in two blocks: the texts one after the other, and the pointers to them. Without memory, the list is
 * left out. */
static void keep_problems(struct sl *sl, struct slp_list list)
{
    struct sl_problem *v = calloc(list.count, sizeof *v);
    /* packed strings, their headers turned into ends */
    char *text = malloc((size_t)list.bytes + 2 * (size_t)list.count);
    if (!v || !text) {
        free(v);
        free(text);
        return;
    }
    struct slp_cursor c = slp_each(list);
    struct slp_item_problem p;
    size_t n = 0;
    char *at = text;
    while (slp_next_problem(&c, &p)) {
        v[n].path = at;
        sl__copy(at, p.path.n + 1, p.path);
        at += p.path.n + 1;
        v[n].text = at;
        sl__copy(at, p.text.n + 1, p.text);
        at += p.text.n + 1;
        n++;
    }
    sl->problems = v;
    sl->problem_text = text;
    sl->problem_count = n;
}

void sl__fail_as(struct sl *sl, const struct slp_error *e)
{
    sl__forget_error(sl);
    /* A code or class from a newer broker, or one that must not stand in an error, is kept as something that never
     * counts as well done. */
    bool sane = e->code > 0 && e->code < 1000;
    sl->error.code = sane ? (int)e->code : SL_BAD_REPLY;
    sl->error.retry = sane && e->retry != SLP_RETRY_OK ? (enum sl_retry)e->retry : SL_RETRY_NEVER;
    sl->error.after_ms = e->after_ms;
    sl__copy(sl->error.text, sizeof sl->error.text, e->text);
    sl__copy(sl->error.place, sizeof sl->error.place, e->place);
    if (e->problems.count > 0)
        keep_problems(sl, e->problems);
}

int sl__enter(struct sl *sl)
{
    if (!sl)
        return SL_MISUSE;
    if (sl->in_callback)
        return sl__fail(sl, SL_MISUSE, "", "called from inside a callback");
    sl__forget_error(sl);
    return SL_OK;
}

int sl__name_ok(struct sl *sl, const char *name, const char *place)
{
    if (!name)
        return sl__fail(sl, SL_MISUSE, place, "a name is required");
    return sl_name_ok(name, strlen(name)) ? SL_OK : sl__fail(sl, SL_BAD_NAME, place, NULL);
}

int sl__text_ok(struct sl *sl, const char *text, const char *place)
{
    if (strlen(text) > SL_TEXT_BYTES_MAX)
        return sl__fail(sl, SL_TOO_BIG, place, NULL);
    return sl_utf8_ok(text, strlen(text)) ? SL_OK : sl__fail(sl, SL_BAD_VALUE, place, "it is not UTF-8");
}
