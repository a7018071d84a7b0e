/* What happened to a unit besides results: failures, expiries, declines, burials, requeues, drops, each with its reason. */
#include "broker/engine/internal.h"

void history_add(struct engine *e, struct run *r, uint64_t unit, uint32_t idx, enum why what, uint64_t assignment,
                 uint32_t worker, const char *reason, size_t n)
{
    uint8_t k[20], b[SL_TEXT_BYTES_MAX + 64];
    struct rec rc = { b, 0, sizeof b, 0 };
    rec_i64(&rc, e->wall_us);
    rec_u8(&rc, (uint8_t)what);
    rec_u16(&rc, (uint16_t)idx);
    rec_u64(&rc, assignment);
    rec_u32(&rc, worker);
    rec_str(&rc, reason, n);
    assert(!rc.bad);
    key_u64(key_u64(key_u32(k, r->id), unit), ++e->meta.job); /* any growing number will do for the order */
    e_put(e, TABLE_HISTORY, k, sizeof k, b, rc.n);
}
