/* Which thread serves the sockets (the pattern Leader/Followers). Their own thread does, as long as there is more to do than one thread can: it receives while the
 * other commits. Where one message comes at a time, that only costs: it passes from thread to thread twice, and each of them sleeps. Then the
 * sockets' thread passes the lead to the committer, which waits at the sockets itself, commits what comes, answers, and waits again.
 *
 * While it commits nobody is at the sockets. So a sync that takes longer than LEADER_AWAY_US takes the lead away from it: whoever else
 * has something to say or to ask is never held up for longer by a slow disk.
 *
 * Who has the lead owns the sockets and all that belongs to the loop; what one thread did with it, the other sees. */
#ifndef SUNLINE_BROKER_LEADER_H
#define SUNLINE_BROKER_LEADER_H
#include <stdbool.h>

#define LEADER_AWAY_US 10000

struct leader;
struct leader *leader_new(void); /* the sockets' thread leads. NULL: no memory */
void leader_free(struct leader **l);

/* The sockets' thread, while it leads. */
void leader_pass(struct leader *l);
/* Until it leads again: the lead came back, or the other has left the sockets for LEADER_AWAY_US. */
void leader_wait(struct leader *l);

bool leader_passed(struct leader *l); /* any thread: the committer leads */

/* The committer. */
bool leader_enter(struct leader *l);  /* true: it leads, and is at the sockets until it leaves them */
void leader_leave(struct leader *l);  /* for something that may take time */
void leader_return(struct leader *l); /* at the sockets or not, whether it leads or not */
#endif
