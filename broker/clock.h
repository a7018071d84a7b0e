/* The two times of every input: `elapsed`, a total of running time that outlives restarts, and `wall`, UTC.
 *
 * elapsed is an offset plus CLOCK_BOOTTIME, so it grows while the machine sleeps, never goes back, and cares nothing
 * for a wall clock that jumps. The engine stores elapsed with every commit; what is not stored anywhere is how long the
 * broker was down. DATA/clock, written once at each start, tells: it holds the boot id of the kernel, the store's id,
 * and one pair (boot time, elapsed). If the machine has not been rebooted since, the pair is exact, and elapsed goes on
 * as if the broker had never stopped:
 *     elapsed now = elapsed recorded + (boot time now - boot time recorded)
 * After a reboot the time between the last commit and the new boot is unknown. It is taken as zero, and the time since
 * the boot counts:
 *     elapsed now = elapsed stored + boot time now
 * so that leases can only grow by an outage, never run out early. Without a usable file elapsed goes on where the store
 * stands. */
#ifndef SUNLINE_BROKER_CLOCK_H
#define SUNLINE_BROKER_CLOCK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLOCK_ID_BYTES 36 /* of a boot id as text */

struct clock_record {
    char boot_id[CLOCK_ID_BYTES + 1];
    char store_id[33]; /* hex */
    int64_t boot_us, elapsed_us;
};

struct clock { int64_t offset_us; }; /* elapsed = offset + boot time; constant after the start: any thread may read */

/* The arithmetic, pure. `then`: the record of DATA/clock or NULL; `now`: this boot's ids and boot time; stored_us: what
 * the store holds. Returns the elapsed time of this moment, never less than stored_us. */
int64_t clock_elapsed_at(const struct clock_record *then, const struct clock_record *now, int64_t stored_us);

bool clock_format(const struct clock_record *r, char *text, size_t size);
bool clock_parse(const char *text, struct clock_record *r); /* false: not such a file */

/* Read DATA/clock, set the clock, write DATA/clock anew (atomically, synced). 0, or -1 with errno: the file could not
 * be written. A damaged file counts as none. */
int clock_start(struct clock *c, const char *data, const uint8_t store_id[16], int64_t stored_us);

int64_t clock_boot_us(void);
int64_t clock_wall_us(void);
int64_t clock_elapsed_us(const struct clock *c);
#endif
