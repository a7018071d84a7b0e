/* Listings: a page is asked for, its rows are handed out, the next page begins behind the last of them. */
#include "client/internal.h"

int sl__rows(struct sl *sl, struct slp_list rows, sl__row_fn *row, void *arg)
{
    struct slp_cursor c = slp_each(rows);
    for (uint32_t i = 0; i < rows.count; i++) {
        sl->in_callback = true;
        int stop = row(arg, &c);
        sl->in_callback = false;
        if (stop)
            return sl__fail(sl, SL_STOPPED, "", NULL);
    }
    return SL_OK;
}

int sl__list(struct sl *sl, const struct sl__listing *l)
{
    for (;;) {
        struct slp_msg m;
        int rc = sl__request(sl, l->type, l->get, l->reply_type, &m);
        if (rc != SL_OK)
            return rc;
        const struct slp_list *rows = (const void *)((const char *)&m + l->rows_at);
        const bool *more = (const void *)((const char *)&m + l->more_at);
        rc = sl__rows(sl, *rows, l->row, l->arg);
        if (rc != SL_OK || !*more || rows->count == 0)
            return rc;
    }
}
