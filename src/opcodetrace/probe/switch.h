/* Switches of the GIL from one thread to another, and where the outgoing thread stands. */

#ifndef OPCODETRACE_SWITCH_H
#define OPCODETRACE_SWITCH_H

#include "thread.h"

/* If this lane is the last that passed a hook, the switch away from it will say so. */
void switch_leave(Left left);
/* The lane goes on. */
void switch_resume(uint32_t lane);

/* The calling thread passed a hook and is not the running one: emits SWITCH, and makes it so. */
void switch_to(Thread *thread);

#endif
