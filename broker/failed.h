/* How a serving broker ends when its store has failed: a line `store_failed`, then at once, without answering what is under way. What is on disk is the
 * truth, and a fresh process reads it. A handler of signals may call all of it, as it may log.h. */
#ifndef SUNLINE_BROKER_FAILED_H
#define SUNLINE_BROKER_FAILED_H
#include "broker/broken_tree.h"
#include "broker/log.h"
#include "broker/lost_page.h"

#define FAILED_EXIT 70

void failed_begin(struct log_line *l); /* the caller adds what failed */
int failed_end(struct log_line *l);    /* writes it; returns FAILED_EXIT, for _exit() */

int failed_by_page(const struct lost_page *page);   /* for lost_page_catch() */
int failed_by_tree(const struct broken_tree *tree); /* for broken_tree_catch() */
#endif
