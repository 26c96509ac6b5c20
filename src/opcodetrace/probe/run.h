/* What belongs to one recording, besides the window that it is written to (spool.h) and what each thread has (thread.h). What
   belongs to the process is not here: pools, interned names, what was put into the interpreter's own tables. */

#ifndef OPCODETRACE_RUN_H
#define OPCODETRACE_RUN_H

#include "spool.h"

enum {
    UNNUMBERED = 0xFFFFFFFF,
    STALE = 0xFFFFFFFE,
};

enum {
    MAX_AWAITS = 256, /* coroutines that wait for one another and are looked at */
    MAX_CALLERS = 8,
};

typedef struct {
    uint32_t code;
    int instruction;
} Awaiting;

/* Where a task stands whose step is over: its innermost woven coroutine. */
typedef struct {
    uint32_t lane; /* UNNUMBERED: there is none */
    uint32_t code; /* NO_SITE: in no woven code */
    int instruction;
    uint64_t frame;
    bool ended;
    int depth; /* of `callers`: the woven coroutines that wait for it, the innermost first */
    Awaiting callers[MAX_CALLERS];
} Left;

/* The thread that passed the last hook, as it was then: its state is compared, and looked for among the living, before it is
   followed. */
typedef struct {
    PyThreadState *state;
    uint64_t state_id;
    unsigned long ident;
    const struct Thread *thread; /* they are never unmapped */
} Running;

enum { MAX_WAITED_FOR = 64 };

typedef struct {
    /* 16 MiB of lazily touched memory; NULL while births are not seen. */
    uint32_t *birth_table;
    /* type id << 48 of the containers met most; written once a round. */
    uint64_t list_word, dict_word;

    bool hides_values; /* NO_VALUES: no value of the program is written, but for which object it is */

    /* Switches of the GIL. */
    uint32_t running_thread; /* the number of the thread, or of its task, that passed the last hook */
    uint64_t switch_count;
    Running running;
    Left left; /* the task that took the last step, while no other lane has passed a hook */

    const void *waited_for[MAX_WAITED_FOR]; /* addresses of locks, one for each thread that waits for one */
    int waiting;

    /* Numbers given so far. */
    uint32_t texts, types, threads;
    /* Of a ring: those of threads that have ended, a queue. */
    uint32_t first_retired, retired_count;
} Run;

extern Run this_run;

/* A recording begins: nothing is left of the one before. Nobody records. */
void run_clear(void);

#endif
