/* The dispatch table: see dispatch.h. A test compares it with the catalogue: every message to the broker has exactly
 * one row. */
#include "broker/dispatch.h"

#include "proto/codec.h"

static const struct dispatch_row rows[] = {
    /* type, handler, who may send it (later) */
    { SLP_INFO_GET, BY_LOOP, RIGHT_ANYONE },        { SLP_LINE_APPLY, BY_ENGINE, RIGHT_OPERATE },
    { SLP_LINES_GET, BY_ENGINE, RIGHT_WATCH },      { SLP_LINE_GET, BY_ENGINE, RIGHT_WATCH },
    { SLP_LINE_SET, BY_ENGINE, RIGHT_OPERATE },     { SLP_RUN_START, BY_ENGINE, RIGHT_PRODUCE },
    { SLP_RUN_SET, BY_ENGINE, RIGHT_OPERATE },      { SLP_RUNS_GET, BY_ENGINE, RIGHT_WATCH },
    { SLP_RUN_GET, BY_ENGINE, RIGHT_WATCH },        { SLP_PUT, BY_ENGINE, RIGHT_PRODUCE },
    { SLP_PRODUCER_GET, BY_ENGINE, RIGHT_PRODUCE }, { SLP_OUTPUT_GET, BY_READER, RIGHT_EXPORT },
    { SLP_UNIT_GET, BY_READER, RIGHT_EXPORT },      { SLP_STATIONS_GET, BY_ENGINE, RIGHT_WATCH },
    { SLP_STATION_SET, BY_ENGINE, RIGHT_OPERATE },  { SLP_TASKS_GET, BY_READER, RIGHT_WATCH },
    { SLP_TASKS_SET, BY_ENGINE, RIGHT_OPERATE },    { SLP_HUBS_GET, BY_ENGINE, RIGHT_WATCH },
    { SLP_WORKERS_GET, BY_ENGINE, RIGHT_WATCH },    { SLP_EVENTS_GET, BY_READER, RIGHT_WATCH },
    { SLP_STATS_GET, BY_ENGINE, RIGHT_WATCH },      { SLP_BACKUP, BY_BACKUP, RIGHT_OPERATE },
    { SLP_SNAPSHOT_GET, BY_READER, RIGHT_WATCH },   { SLP_CHECK_GET, BY_READER, RIGHT_OPERATE },
    { SLP_HELLO, BY_ENGINE, RIGHT_AGENT },          { SLP_ROSTER, BY_ENGINE, RIGHT_AGENT },
    { SLP_ROSTER_GET, BY_ENGINE, RIGHT_AGENT },     { SLP_CREDIT, BY_ENGINE, RIGHT_AGENT },
    { SLP_ACTS, BY_ENGINE, RIGHT_AGENT },           { SLP_SUBMIT, BY_ENGINE, RIGHT_AGENT },
    { SLP_HEARTBEAT, BY_ENGINE, RIGHT_AGENT },      { SLP_FORM_GET, BY_ENGINE, RIGHT_AGENT },
    { SLP_WHY_GET, BY_ENGINE, RIGHT_AGENT },        { SLP_BYE, BY_ENGINE, RIGHT_AGENT },
    { SLP_SHIFTS, BY_ENGINE, RIGHT_AGENT },         { SLP_SHIFTS_GET, BY_ENGINE, RIGHT_WATCH },
    { SLP_WORKER_WHY_GET, BY_ENGINE, RIGHT_WATCH }, { SLP_REPUTE_GET, BY_ENGINE, RIGHT_WATCH },
    { SLP_COVERAGE_GET, BY_READER, RIGHT_WATCH },   { SLP_WORKER_SET, BY_ENGINE, RIGHT_OPERATE },
};

const struct dispatch_row *dispatch_find(uint64_t type)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].type == type) {
            return &rows[i];
        }
    }
    return NULL;
}

const struct dispatch_row *dispatch_all(size_t *count)
{
    *count = sizeof rows / sizeof *rows;
    return rows;
}
