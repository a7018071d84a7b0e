/* The broker's figures (message stats) as Prometheus text. The command line and the broker's HTTP endpoint print the same.
 *
 * Names begin with sunline_; times are in seconds; counters end in _total; by line, station and hub there are labels. Every metric has HELP and
 * TYPE, and stands in one block, as the format wants. What it does not know by name it prints by rule, so that a new figure appears by itself. */
#ifndef SUNLINE_PROTO_METRICS_H
#define SUNLINE_PROTO_METRICS_H
#include "proto/codec.h"

/* Append the text for the packed map `figures`. 0; -1: it is no such map. Memory that ran out is remembered in out->failed. */
int metrics_text(struct slp_bytes figures, struct slp_buf *out);
#endif
