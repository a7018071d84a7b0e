/* How the process of a branch over a damaged store ends (damage.c), and what a text about damage names. What may end so is the broker, by LMDB alone: by one of its
 * assertions, or by a signal that one of its instructions brought, or a page of its file that is not there. Any other signal is a mistake, in the broker's own
 * code as in the agent's core or the simulator: whose it is, the broker's own handlers tell (broker/broken_tree.h, lost_page.h). */
#ifndef TESTS_SIM_ENDINGS_H
#define TESTS_SIM_ENDINGS_H
#include <stdbool.h>

/* The status of a branch. NAMED: the broker, or a read of it, ended with an error that names a table, with the record mostly; FILE_NAMED: only a file of the store; STOPPED: the
 * broker ended without that. */
enum ending { ENDS_UNHARMED = 0, ENDS_NAMED = 10, ENDS_STOPPED = 11, ENDS_WRONG = 12, ENDS_FILE_NAMED = 13 };

/* The broker's own code, engine, store and reader, runs in here: only there may LMDB end the process. */
extern bool in_broker;
#define BROKER(call) __extension__({ in_broker = true; __typeof__(call) rc_ = (call); in_broker = false; rc_; })

/* From here on what ends this process by a signal is told: by the status and, if it is a mistake, by a text into this file. */
void endings_watch(int fd);
/* Ends the process: a mistake, which is this. */
_Noreturn void endings_wrong(const char *text);
/* How the broker ends that says this last: does it say where the damage is? "ASSIGN 00a7: checksum", "READY: records are missing": a table, and mostly the record: NAMED; "DIR/data.mdb is cut off", "DIR/wal: at byte 512: ...":
 * one of the store's files, where no table can be told of: FILE_NAMED. Otherwise STOPPED. dir: of the store, where the text may begin with it. */
enum ending endings_named(const char *text, const char *dir);
#endif
