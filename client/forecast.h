/* Inside a forecast: what does not change from repeat to repeat (struct plan), and one repeat (struct sim). sunline_forecast.h has the model.
 *
 * A pool is all slots that fit the same stations; a source is the part of it that comes from one hub, by shift or without: what a draw of presence
 * multiplies. A flow is a run, or the usual arrivals of a line. Stations are numbered as in the input; a flow's arrays are by station within its line. */
#ifndef SUNLINE_CLIENT_FORECAST_H
#define SUNLINE_CLIENT_FORECAST_H
#include "client/sunline_forecast.h"

#define FC_STEPS (SL_FORECAST_DAYS * 24 * 6)
#define FC_DAY_STEPS 144
#define FC_STEP_HOURS (1 / 6.0)
#define FC_LAG_MAX 144 /* steps that a task may take; longer ones count as so long */
#define FC_EPSILON 1e-9
#define FC_PRIORITIES 10

struct fc_pool { uint64_t fits[SL_FORECAST_WORDS]; unsigned flexible; }; /* flexible: how many stations */
struct fc_source { uint32_t pool; uint16_t hub; bool anytime; double workers; float on[FC_STEPS]; };
struct fc_flow {
    uint16_t line;
    uint8_t priority;
    bool paused, arrivals;
    double weight;
    const struct sl_forecast_run *run; /* NULL: arrivals */
    uint32_t at; /* of its stations in the arrays of struct sim */
};
struct fc_plan {
    const struct sl_forecast_input *in;
    uint32_t pools, sources, flows, places; /* places: stations of all flows together */
    struct fc_pool *pool;
    struct fc_source *source;
    double *people;            /* [hubs * 2]: by shift, without */
    struct fc_flow *flow;      /* the runs first, in the input's order */
    uint16_t *by_flow;         /* flows by priority, 9 first */
    uint32_t *fitting, *fitting_from; /* pools that fit a station, those that fit fewer stations first: fitting[fitting_from[s] .. fitting_from[s + 1]) */
    uint16_t *order;           /* by line: its stations, the furthest downstream first, at order[line.first] */
    double *expected;          /* [lines * SL_FORECAST_WEEK_HOURS] units, gaps filled */
    double *deviation;         /* likewise */
};

struct fc_times { uint32_t steps; double mean_h, answers, slots[FC_LAG_MAX + 2], done[FC_LAG_MAX + 2]; }; /* a task's use of slots and its end, by steps since it began */

/* One repeat. */
struct fc_sim {
    const struct fc_plan *plan;
    struct fc_times *times;    /* [stations] */
    double *skip;              /* [stations] */
    double *present;           /* [sources * days] */
    double *surge;             /* [lines * days]: standard deviations from what usually arrives */
    double *left;              /* [flows]: the threshold at which a run is done */
    /* state */
    double *ready, *fly, *entered, *passed; /* [places] */
    double *landing;           /* [places * ring] */
    double *busy, *cap, *free; /* [pools * ring], [pools], [pools] */
    double *arrived;           /* [flows] */
    double *end;               /* [flows]: steps from now; < 0: not yet */
    uint32_t ring;
    int32_t extra;             /* station with one slot more, -1: none */
    double extra_free, *extra_busy; /* [ring] */
};

/* What happened in a step, for who counts. */
struct fc_watch {
    void *arg;
    void (*step)(void *arg, const struct fc_sim *s, uint32_t step, const double *came, const double *begun); /* by station */
};

void fc_sim_run(struct fc_sim *s, uint32_t steps_min, const struct fc_watch *w); /* until steps_min are over and all runs done, or FC_STEPS */
void fc_times_make(const struct sl_forecast_station *st, double stretch, struct fc_times *t);
bool fc_fits(const uint64_t *fits, uint32_t station);
double fc_answers(const struct sl_forecast_station *st); /* that a task costs: as measured, or as asked for */
struct fc_moments { double n, sum, squares; }; /* of a station's times, each in the middle of what its count stands for */
struct fc_moments fc_moments(const struct sl_forecast_station *st);
#endif
