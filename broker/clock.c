/* Times: see clock.h. */
#include "broker/clock.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "broker/files.h"

static int64_t read_us(clockid_t id)
{
    struct timespec t;
    int rc = clock_gettime(id, &t);
    assert(rc == 0);
    (void)rc;
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_boot_us(void)
{
    return read_us(CLOCK_BOOTTIME);
}

int64_t clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

int64_t clock_elapsed_us(const struct clock *c)
{
    return c->offset_us + clock_boot_us();
}

int64_t clock_elapsed_at(const struct clock_record *then, const struct clock_record *now, int64_t stored_us)
{
    int64_t elapsed_us = stored_us;
    if (then && strcmp(then->store_id, now->store_id) == 0) {
        if (strcmp(then->boot_id, now->boot_id) != 0) {
            elapsed_us = stored_us + now->boot_us;
        } else if (now->boot_us >= then->boot_us) { /* else: another time namespace; the pair means nothing here */
            elapsed_us = then->elapsed_us + (now->boot_us - then->boot_us);
        }
    }
    return elapsed_us > stored_us ? elapsed_us : stored_us;
}

bool clock_format(const struct clock_record *r, char *text, size_t size)
{
    int n = snprintf(text, size, "sunline-clock 1 %s %s %" PRId64 " %" PRId64 "\n", r->boot_id, r->store_id, r->boot_us,
                     r->elapsed_us);
    return n > 0 && (size_t)n < size;
}

bool clock_parse(const char *text, struct clock_record *r)
{
    int used = 0;
    memset(r, 0, sizeof *r);
    if (sscanf(text, "sunline-clock 1 %36s %32s %" SCNd64 " %" SCNd64 " %n", r->boot_id, r->store_id, &r->boot_us,
               &r->elapsed_us, &used) != 4 ||
        text[used] != '\0') {
        return false;
    }
    return strlen(r->boot_id) == CLOCK_ID_BYTES && strlen(r->store_id) == 32 && r->boot_us >= 0 && r->elapsed_us >= 0;
}

int clock_start(struct clock *c, const char *data, const uint8_t store_id[16], int64_t stored_us)
{
    struct clock_record then, now = { 0 };
    char text[256];
    bool known = file_read(data, "clock", text, sizeof text) > 0 && clock_parse(text, &then);

    for (int i = 0; i < 16; i++) {
        snprintf(now.store_id + 2 * i, 3, "%02x", store_id[i]);
    }
    /* A kernel that has no boot id gets one that equals no other: what is not known counts as a reboot. */
    if (file_read("/proc/sys/kernel/random", "boot_id", text, sizeof text) < CLOCK_ID_BYTES) {
        memset(text, '-', CLOCK_ID_BYTES);
        known = false;
    }
    memcpy(now.boot_id, text, CLOCK_ID_BYTES);
    now.boot_us = clock_boot_us();
    now.elapsed_us = clock_elapsed_at(known ? &then : NULL, &now, stored_us);
    c->offset_us = now.elapsed_us - now.boot_us;
    bool fits = clock_format(&now, text, sizeof text);
    assert(fits);
    (void)fits;
    return file_replace(data, "clock", text, strlen(text));
}
