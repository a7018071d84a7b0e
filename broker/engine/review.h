/* Where a field's value lies, for the engine and its readers: in the result of its station; but what passes a review by keeps its work, so that the fields of the
 * review are those of the work then. */
#ifndef SUNLINE_ENGINE_REVIEW_H
#define SUNLINE_ENGINE_REVIEW_H
#include "broker/engine/records.h"
#include "proto/linedef.h"

/* The number of the result that has it; 0: it is null. The field has the same place in all of them. */
static inline uint64_t review_result(const struct ld_line *l, const uint8_t *head, struct ld_ref ref)
{
    int station = ref.station;
    for (;;) {
        const struct ld_review *v = &l->stations[station].review;
        const uint8_t *t = head + STATE_UNIT_BYTES + STATE_STATION_BYTES * station;
        if (t[ST_STATE] != TASK_SKIPPED || v->of < 0 || (uint32_t)ref.field >= v->work)
            return st_result(t);
        station = v->of;
    }
}
#endif
