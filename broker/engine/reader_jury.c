/* Who voted for what: a vote is a place in the order in which its juror saw the entries. */
#include "broker/engine/jury.h"
#include "broker/engine/reader.h"

/* The entries that counted, in the order in which they did; how many. */
static uint32_t entries_of(struct reader *r, const struct rd_run *run, uint64_t newest, uint64_t no[SL_COPIES_MAX])
{
    uint64_t result[SL_COPIES_MAX];
    uint32_t n = 0;
    struct rd_assignment a;
    for (uint64_t at = newest; at && rd_linked(r, run, at, &a); at = rd_earlier(r, &a)) {
        if (a.state != ASSIGN_COUNTED || n == SL_COPIES_MAX)
            continue;
        uint32_t i = n++;
        for (; i && result[i - 1] > a.result; i--) {
            result[i] = result[i - 1];
            no[i] = no[i - 1];
        }
        result[i] = a.result;
        no[i] = at;
    }
    return n;
}

uint64_t rd_vote(struct reader *r, const struct rd_run *run, uint16_t jury, const struct rd_assignment *vote)
{
    uint64_t no[SL_COPIES_MAX];
    uint8_t buf[STATE_GROUP_BYTES_MAX], order[SL_COPIES_MAX], *head;
    struct rd_list l;
    if (!vote->result || !(head = rd_unit(r, run, vote->unit, buf)) || !rd_result(r, jury, vote->result, &l))
        return 0;
    struct slp_list form = { l.rest.p, (uint32_t)(l.rest.end - l.rest.p), 1 };
    uint32_t place = jury_place(&form);
    const uint8_t *t = head + STATE_UNIT_BYTES + STATE_STATION_BYTES * run->lv->stations[jury].partner;
    uint32_t n = entries_of(r, run, get_u48(t + ST_ASSIGN), no);
    jury_order(run->id, vote->unit, vote->worker, n, order);
    return place >= 1 && place <= n ? no[order[place - 1]] : 0;
}
