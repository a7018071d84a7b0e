/* What the two halves of a pipe share: pipe.c (rows come in, callers wait) and pipe_wire.c (frames go out, answers
 * come in).
 *
 * Frames are numbered from 1 and stand in a ring, head..tail. The one at the tail is filling; the others wait to be
 * sent, are sent, or are answered. Answers may come in any order; rows are called back from the head on, so in the
 * order of the puts.
 *
 *     FILLING --seal--> WAITING --send--> SENT --answer--> ANSWERED --callback--> (gone)
 *                          ^                |
 *                          +--- link lost, silence, "come again later", gap
 *
 * A numbered producer's frames must reach the broker in order. So when one of them has to go again, all behind it go
 * again (go-back-N); the broker knows repeats by their number. After "come again later" one frame is sent as a
 * probe, then twice as many with each success. The attempt in a request id tells an answer to an earlier sending:
 * its success counts, its refusal does not. */
#ifndef SUNLINE_CLIENT_PIPE_H
#define SUNLINE_CLIENT_PIPE_H
#include "client/internal.h"

#define PIPE_RING_MAX 4096u /* frames at a time */

enum frame_state { FRAME_FILLING, FRAME_WAITING, FRAME_SENT, FRAME_ANSWERED };

struct frame {
    enum frame_state state;
    uint8_t attempt;
    uint8_t part_attempt;      /* the first attempt of the part that is under way now */
    uint32_t count, keyed;     /* rows, and how many have a key */
    uint32_t done;             /* rows at the front that were called back already */
    uint32_t part;             /* rows in the message that is under way; 0: not decided */
    size_t bytes;              /* as counted against the window */
    uint64_t first_seq;
    int64_t since_us;          /* filling: when the first row came; sent: when */
    struct slp_buf rows, keys; /* packed elements */
    uint64_t *tags;            /* one a row; frame_units of them */
    int code;                  /* answered: SL_OK, the answer is in reply; else what all rows get */
    uint32_t bad;              /* answered with a code: the row that is to blame, UINT32_MAX: all */
    char text[SL_TEXT_SIZE];
    zmq_msg_t reply;           /* initialised always */
};

struct sl_pipe {
    struct sl *sl;
    struct sl_pipe *next;
    uint64_t no;
    struct sl_pipe_options o; /* defaults filled in; producer and columns are not used from here */
    bool numbered;
    char producer[SL_PRODUCER_SIZE];
    struct slp_buf columns, out;

    struct frame **ring;
    uint64_t ring_mask, head, tail; /* frame numbers */
    uint64_t first_waiting;         /* no frame before it waits */
    uint32_t under_way, waiting;    /* frames sent; frames waiting */
    uint32_t allowed;               /* frames that may be under way now */
    uint32_t part_max;              /* rows that a message may have now */

    uint64_t next_seq;
    uint32_t rows_open;
    size_t bytes_open;
    uint64_t losses;                /* of the link, as seen last */
    int64_t turned_us;              /* when a put last looked for answers */
    int64_t head_since_us, progress_us, silence_us;
    int64_t pause_until_us, pause_us; /* the broker asked for it; next pause at least */
    int pressure;                     /* the code it asked with; 0: none */
    int failed;                       /* the pipe's end: the code */
    char failed_text[SL_TEXT_SIZE];
    struct sl_pipe_stats stats;
};

static inline struct frame *pipe_frame(const struct sl_pipe *p, uint64_t no)
{
    return p->ring[no & p->ring_mask];
}

/* Close the frame at the tail and open the next. false: no memory or no place in the ring yet; nothing has changed. */
bool pipe_seal(struct sl_pipe *p);
/* The frame of this number is over: its memory serves one of the next, so that a pipe holds what its window needs
 * and no more. */
void pipe_reuse(struct sl_pipe *p, uint64_t no);
/* End the pipe: every row that is open gets the code, except those already answered. */
void pipe_fail(struct sl_pipe *p, int code, const char *text);
#endif
