/* libsunline, forecast: who can work in the coming hours, is it enough, when will a run be done. sl_forecast_new needs no broker and no handle: it is a
 * function of a struct. sl_coverage_get asks a broker for what the struct holds.
 *
 *     struct sl_coverage *c;
 *     int rc = sl_coverage_get(sl, "sentence-pairs", &c);
 *     struct sl_forecast *f;
 *     rc = sl_forecast_new(sl_coverage_input(c), NULL, &f);
 *     for (uint32_t i = 0; i < f->runs; i++)
 *         if (f->run[i].state == SL_END_WITHIN)
 *             printf("%s: between %lld and %lld\n", sl_coverage_run(c, i), f->run[i].low_us, f->run[i].high_us);
 *     sl_forecast_free(&f);
 *     sl_coverage_free(&c);
 *
 * THE MODEL. A fluid of tasks, in steps of SL_FORECAST_STEP_US, for SL_FORECAST_DAYS days. In each step:
 * - Units move on: a station is entered by what has passed all that stand in its `after`, an entry by what arrives. Of what enters, the share
 *   skipped / (done + skipped) passes by at once.
 * - A task costs results / done answers (while fewer than 20 tasks are done: `answers`): copies, work that is done again and answers that came too
 *   late are all in that number. An answer occupies one slot for a time out of the station's histogram, stretched so that its mean is mean_us
 *   (which the broker counts, of workers who have enough to do, from one result to the next: pauses between tasks are in it); a task is done
 *   when the longest of its answers is. Without a histogram a time is between nothing and the lease.
 * - Slots: those of crews on shift, times the share of their hub that is present. A slot is free or has one answer. Free ones are given out by priority; within
 *   a priority in rounds, in which each run that has work gets the same number of answers times its weight (the broker's start-time fair queueing: a
 *   run's virtual time grows by one with each assignment); within a run the station furthest downstream is served first (`rank`). Of the slots
 *   that fit a station those that fit fewer stations are used first: where there is more work than slots, these are the ones that stand idle.
 * - Usual arrivals come as a run of their own, of priority 5. Their share of slots is not there for the runs that are told about.
 *
 * THE RANGE. The same is done `repeats` times, with what is uncertain drawn anew from a generator with a fixed seed:
 * - each hub's presence, for each day:     beta, mean and spread over days as measured, more spread while few days are measured (a normal draw that is
 *                                          cut off at 1 would have a smaller mean, and everything would seem to end later)
 * - each line's arrivals, for each day:    all hours of the day together, normal, by the spread over weeks of each; not below 0
 * - each station's mean time:              log-normal, sd = sqrt(cv^2 (1 / measured + 1 / to be done) + SL_FORECAST_DRIFT^2)
 * - each station's skipped share:          beta, by p (1 - p) (1 / seen + 1 / to come)
 * A run is done when fewer units than a threshold are left of the fluid: ln 2 without chance; in a repeat -ln(u), u uniform, since of n units each left with a small
 * probability q none is left with probability exp(-n q). Low and high are the (1 - level) / 2 and (1 + level) / 2 quantiles of the repeats, mid is their median.
 * The fluid equations and their use for time-varying staffing are
 * those of W. Whitt, "Fluid Models for Multiserver Queues with Abandonments", Operations Research 54(1), 2006; the order of service is the broker's own
 * (docs/adr/0013-matching.md); docs/adr/0018-forecast.md says what all this cannot know.
 *
 * RULES. As in sunline.h. Results do not depend on addresses or threads: the same input gives the same forecast. Doubles, computed here and shown. */
#ifndef SUNLINE_FORECAST_H
#define SUNLINE_FORECAST_H
#include "sunline.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SL_FORECAST_STATIONS_MAX 256 /* above it SL_TOO_MANY */
#define SL_FORECAST_RUNS_MAX 320
#define SL_FORECAST_WORDS (SL_FORECAST_STATIONS_MAX / 64)
#define SL_FORECAST_DAYS 7
#define SL_FORECAST_HOURS_MAX (24 * SL_FORECAST_DAYS)
#define SL_FORECAST_STEP_US 600000000ll
#define SL_FORECAST_DRIFT 0.1 /* relative: who works next is not who was measured; people differ by a quarter, and fifteen or so do most of a few hours' work */
#define SL_FORECAST_WEEK_HOURS 168
#define SL_FORECAST_MEASURED_HOURS 24 /* of the week, at least: fewer say nothing of what usually arrives */

/* ------------------------------------------------------------ what goes in; everything is borrowed for the call */
struct sl_forecast_time { double upto_us, count; }; /* so many took no longer than that, but longer than the one before tells */
struct sl_forecast_station {
    bool open;              /* neither it nor its line is paused */
    uint16_t rank;          /* within its line: 0 is the furthest downstream */
    uint16_t after_count;
    const uint16_t *after;  /* stations of the same line before it, by number in `station` */
    uint32_t time_count;
    const struct sl_forecast_time *time; /* ascending */
    double mean_us;         /* 0: nothing is measured */
    double lease_us;
    double answers;         /* a task asks for at least so many */
    double results, done, skipped; /* so far, all runs */
};
/* weeks 0: not measured. While fewer than SL_FORECAST_MEASURED_HOURS are, nothing is expected; then the same hour of other days stands for one that is not, or all. With few weeks
 * the spread is wider: sqrt(spread^2 + units^2 / weeks) */
struct sl_forecast_usual { double units, spread, weeks; };
struct sl_forecast_line {   /* one version of a line */
    uint16_t first, count;  /* its stations */
    const struct sl_forecast_usual *usual; /* [SL_FORECAST_WEEK_HOURS], 0 is Monday 00:00 UTC. NULL: nothing arrives */
};
struct sl_forecast_present { double share, spread, days; }; /* days 0: not measured, all are expected */
struct sl_forecast_hub { struct sl_forecast_present by_shift, anytime; };
struct sl_forecast_crew {
    uint16_t hub;
    bool anytime;           /* has no shift: counted at all hours */
    uint32_t time_count;
    const int64_t *time;    /* beginning, end, beginning, end ...: UTC */
    int64_t until_us;       /* the times are known until then */
    double workers, slots;  /* slots: tasks at a time, all together */
    uint64_t fits[SL_FORECAST_WORDS]; /* bit i: station i */
};
struct sl_forecast_queue { double ready, begun; }; /* units; ready: also those that wait for a delay, or are handed out and not begun */
struct sl_forecast_run {
    uint16_t line;
    uint8_t priority;
    bool paused;
    double weight;          /* of how many runs it is the sum; 0: 1 */
    const struct sl_forecast_queue *queue; /* [count of its line] */
};
struct sl_forecast_input {
    int64_t now_us;         /* wall time; all before it is over */
    uint32_t stations, lines, hubs, crews, runs;
    const struct sl_forecast_station *station;
    const struct sl_forecast_line *line;
    const struct sl_forecast_hub *hub;
    const struct sl_forecast_crew *crew;
    const struct sl_forecast_run *run;
};
struct sl_forecast_options {
    uint32_t hours;         /* told by the hour, up to SL_FORECAST_HOURS_MAX. 0: 24 */
    uint32_t repeats;       /* 0: 200, fewer where there is much to compute, never less than 40 */
    double level;           /* of the ranges. 0: 0.8 */
    uint64_t seed;          /* 0: a fixed one */
};

/* ------------------------------------------------------------ what comes out */
struct sl_forecast_cell {   /* one station in one hour, without chance (low, high: over the repeats) */
    double slots;           /* of all who are on shift and fit, presence included; nobody else's need is taken off */
    double able;            /* tasks that they could do in the hour if they did nothing else */
    double arrive;          /* tasks that come to the station */
    double done;            /* tasks that slots are given to: able less what other stations and runs get */
    double queue, queue_low, queue_high; /* tasks there at the end of the hour, those in hand too */
    bool known;             /* all shifts that matter are known for this hour */
};
struct sl_forecast_gap { uint16_t station; int64_t from_us, to_us; }; /* nobody who fits is on shift; only within the hours told */
enum sl_forecast_state {
    SL_END_NOW,             /* nothing is left to do */
    SL_END_WITHIN,          /* low, mid and high are within the days that are computed; high may be INT64_MAX: some repeats were not done by then */
    SL_END_BEYOND,          /* not within the days that are computed */
    SL_END_PAUSED,          /* it is paused, or a station with work left is: nobody knows */
    SL_END_NOBODY           /* a station with work left has nobody who fits in all these days */
};
struct sl_forecast_end { enum sl_forecast_state state; int64_t low_us, mid_us, high_us; uint16_t stuck; }; /* stuck: PAUSED by a station (else its count), NOBODY: which one */
struct sl_forecast {
    uint32_t hours, stations, runs, gaps, repeats;
    double level;
    int64_t from_us;        /* the first hour begins then: the hour of now_us; what is over of it is not counted */
    const struct sl_forecast_cell *cell; /* [station * hours + hour] */
    const struct sl_forecast_gap *gap;   /* by station, then time */
    const struct sl_forecast_end *run;   /* what is in each run now: units that come later are not waited for */
    const double *relief;   /* [stations]: unit-hours of waiting that one more slot there, all the time, would save until the last hour told */
    const int64_t *known_until_us; /* [stations]: shifts of those who fit; INT64_MAX: nobody has a shift */
};
/* SL_OK with *out; SL_MISUSE: a number in the input leads nowhere, or a time is not finite; SL_TOO_MANY; SL_NO_MEMORY. *out is NULL then. o may be NULL. */
SL_API int sl_forecast_new(const struct sl_forecast_input *in, const struct sl_forecast_options *o, struct sl_forecast **out);
SL_API void sl_forecast_free(struct sl_forecast **f); /* safe to repeat */
/* The station of `line` whose relief is greatest; false: no station's queue would be shorter. */
SL_API bool sl_forecast_bottleneck(const struct sl_forecast *f, const struct sl_forecast_input *in, uint32_t line, uint32_t *station);

/* ------------------------------------------------------------ from a broker */
struct sl_coverage;
/* Everything that bears upon this line: its stations and runs, all others that the same people might serve, and who works when. Several requests, none of them
 * long for the broker; a roster is counted there, 20,000 workers a request. Runs beyond the largest 64 are one run for each version of a line. SL_NOT_FOUND: no such
 * line; SL_TOO_MANY: its open runs have more than SL_FORECAST_STATIONS_MAX stations. */
SL_API int sl_coverage_get(struct sl *sl, const char *line, struct sl_coverage **out);
SL_API void sl_coverage_free(struct sl_coverage **c); /* safe to repeat */
SL_API const struct sl_forecast_input *sl_coverage_input(const struct sl_coverage *c);
/* The line's own come first, its newest version before all. Names are borrowed until sl_coverage_free. */
SL_API uint32_t sl_coverage_stations(const struct sl_coverage *c); /* of the line, in versions that have open runs, and the newest */
SL_API uint32_t sl_coverage_runs(const struct sl_coverage *c);     /* open runs of the line */
struct sl_coverage_station {
    const char *line, *name, *needs; /* needs: what it asks of workers, for people */
    uint64_t version, workers;       /* workers: on rosters, who fit */
    double ready, mean_us, answers;  /* tasks that could be given out now; a time as measured, 0: not; answers a task, as measured or asked for */
};
SL_API struct sl_coverage_station sl_coverage_station(const struct sl_coverage *c, uint32_t station);
SL_API const char *sl_coverage_run(const struct sl_coverage *c, uint32_t run);
SL_API uint32_t sl_coverage_left_out(const struct sl_coverage *c); /* stations of other lines with open runs that found no room */

#ifdef __cplusplus
}
#endif
#endif
