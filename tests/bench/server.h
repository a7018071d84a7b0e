/* A broker of the bench's own: started on ports that the system chooses, with its data in a fresh directory, ended by its process id. */
#ifndef TESTS_BENCH_SERVER_H
#define TESTS_BENCH_SERVER_H
#include <stdint.h>
#include <sys/types.h>

struct server { pid_t pid; char dir[256], clients[128], agents[128], events[128]; double ready_s; };

/* Start `build`/sunlined with data in s->dir (made if it is empty: below `base`). Ends the bench with a message if it does not come up in 60 s. */
void server_start(struct server *s, const char *build, const char *base);
void server_stop(struct server *s);    /* SIGTERM, and wait */
void server_remove(struct server *s);  /* its directory */
double server_cpu_s(const struct server *s);
uint64_t server_rss_anon_bytes(const struct server *s);
uint64_t server_store_bytes(const struct server *s); /* blocks that data.mdb really has on disk */
double now_s(void);
double cpu_self_s(void);
void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
#endif
