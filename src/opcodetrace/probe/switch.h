/* Switches of the GIL from one thread to another, and where the outgoing thread stands. */

#ifndef OPCODETRACE_SWITCH_H
#define OPCODETRACE_SWITCH_H

#include "thread.h"

/* The number of the thread that passed the last hook. */
extern uint32_t running_thread;

/* The calling thread passed a hook and is not the running one: emits SWITCH, and makes it so. */
void switch_to(Thread *thread);

#endif
