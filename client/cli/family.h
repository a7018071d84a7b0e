/* The handlers, for the table in commands.c. Each takes the arguments from its last word on (argv[0]) and returns an
 * exit code. */
#ifndef SUNLINE_CLI_FAMILY_H
#define SUNLINE_CLI_FAMILY_H
struct cli;

int cmd_line_check(struct cli *cli, int argc, char **argv);
int cmd_line_apply(struct cli *cli, int argc, char **argv);
int cmd_line_list(struct cli *cli, int argc, char **argv);
int cmd_line_show(struct cli *cli, int argc, char **argv);
int cmd_line_pause(struct cli *cli, int argc, char **argv);
int cmd_line_resume(struct cli *cli, int argc, char **argv);
int cmd_line_delete(struct cli *cli, int argc, char **argv);

int cmd_run_start(struct cli *cli, int argc, char **argv);
int cmd_run_add(struct cli *cli, int argc, char **argv);
int cmd_run_close(struct cli *cli, int argc, char **argv);
int cmd_run_pause(struct cli *cli, int argc, char **argv);
int cmd_run_resume(struct cli *cli, int argc, char **argv);
int cmd_run_cancel(struct cli *cli, int argc, char **argv);
int cmd_run_delete(struct cli *cli, int argc, char **argv);
int cmd_run_priority(struct cli *cli, int argc, char **argv);
int cmd_run_list(struct cli *cli, int argc, char **argv);
int cmd_run_show(struct cli *cli, int argc, char **argv);
int cmd_run_watch(struct cli *cli, int argc, char **argv);
int cmd_run_output(struct cli *cli, int argc, char **argv);
int cmd_run_aggregate(struct cli *cli, int argc, char **argv);
int cmd_run_quality(struct cli *cli, int argc, char **argv);

int cmd_station_list(struct cli *cli, int argc, char **argv);
int cmd_station_show(struct cli *cli, int argc, char **argv);
int cmd_station_pause(struct cli *cli, int argc, char **argv);
int cmd_station_resume(struct cli *cli, int argc, char **argv);
int cmd_station_peek(struct cli *cli, int argc, char **argv);
int cmd_station_dead(struct cli *cli, int argc, char **argv);
int cmd_station_requeue(struct cli *cli, int argc, char **argv);
int cmd_station_drop(struct cli *cli, int argc, char **argv);

int cmd_coverage(struct cli *cli, int argc, char **argv);

int cmd_hub_list(struct cli *cli, int argc, char **argv);
int cmd_hub_show(struct cli *cli, int argc, char **argv);
int cmd_worker_list(struct cli *cli, int argc, char **argv);
int cmd_worker_show(struct cli *cli, int argc, char **argv);
int cmd_worker_why(struct cli *cli, int argc, char **argv);
int cmd_worker_suspend(struct cli *cli, int argc, char **argv);
int cmd_worker_readmit(struct cli *cli, int argc, char **argv);
int cmd_worker_grant(struct cli *cli, int argc, char **argv);
int cmd_worker_revoke(struct cli *cli, int argc, char **argv);

int cmd_work(struct cli *cli, int argc, char **argv);

int cmd_unit_show(struct cli *cli, int argc, char **argv);
int cmd_events(struct cli *cli, int argc, char **argv);
int cmd_stats(struct cli *cli, int argc, char **argv);
int cmd_check(struct cli *cli, int argc, char **argv);
int cmd_top(struct cli *cli, int argc, char **argv);
int cmd_backup(struct cli *cli, int argc, char **argv);
int cmd_version(struct cli *cli, int argc, char **argv);
#endif
