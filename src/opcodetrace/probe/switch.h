/* Switches of the GIL from one thread to another, and where the outgoing thread stands. */

#ifndef OPCODETRACE_SWITCH_H
#define OPCODETRACE_SWITCH_H

#include "thread.h"

/* The number of the thread that passed the last hook. */
extern uint32_t running_thread;
/* How often that changed by switch_to. */
extern uint64_t switch_count;

enum {
    MAX_AWAITS = 256, /* coroutines that wait for one another and are looked at */
    MAX_CALLERS = 8,
};

typedef struct {
    uint32_t code;
    int instruction;
} Awaiting;

/* Where a task stands whose step is over: its innermost woven coroutine; code NO_SITE: in no woven code. */
typedef struct {
    uint32_t lane, code;
    int instruction;
    uint64_t frame;
    bool ended;
    int depth; /* of `callers`: the woven coroutines that wait for it, the innermost first */
    Awaiting callers[MAX_CALLERS];
} Left;

/* If this lane is the last that passed a hook, the switch away from it will say so. */
void switch_leave(Left left);
/* The lane goes on. */
void switch_resume(uint32_t lane);

/* The calling thread passed a hook and is not the running one: emits SWITCH, and makes it so. */
void switch_to(Thread *thread);

#endif
