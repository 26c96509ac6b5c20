/* Counts the processes that the program starts. They run unrecorded. */

#ifndef OPCODETRACE_CHILDREN_H
#define OPCODETRACE_CHILDREN_H

#include "interpreter.h"

/* From now on they are counted, in the header of whatever window is attached. 0, or -1 with an exception. */
int children_watch(void);

/* fork() has been called by this thread, which holds the lock of threads. */
void children_forked(void);

#endif
