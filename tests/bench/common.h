/* What all programs of the bench need: the clock, CPU and memory of process trees, a way to end. */
#ifndef TESTS_BENCH_COMMON_H
#define TESTS_BENCH_COMMON_H
_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* a sentence on stderr, exit code 1 */
double now_s(void);                                                             /* monotonic */
double cpu_self_s(void);                                                        /* of this process */
/* Of a process and all that descend from it. */
double tree_cpu_s(int pid);
double tree_rss_anon_mb(int pid);
const char *option(int argc, char **argv, const char *name, const char *otherwise);
#endif
