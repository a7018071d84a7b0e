/* A forecast for people and for programs: the drawing of `sunline coverage`, apart from asking for it. Pure but for the stream. */
#ifndef SUNLINE_CLI_COVERAGE_H
#define SUNLINE_CLI_COVERAGE_H
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "client/sunline_forecast.h"

struct coverage_view {
    FILE *out;
    bool blocks, color;           /* blocks of UTF-8, as on a terminal; else ASCII */
    const char *line;
    const char *zone;             /* in whose time it is drawn; known (coverage_zone_ok) */
    const struct sl_coverage *coverage;
    const struct sl_forecast_input *in;
    const struct sl_forecast *f;
};
/* One character of height v of max, from "nothing" up to "full": 0..8. */
int coverage_height(double v, double max);
bool coverage_zone_ok(const char *zone);
void coverage_draw(const struct coverage_view *v);
json_t *coverage_json(const struct coverage_view *v); /* NULL: no memory */
#endif
