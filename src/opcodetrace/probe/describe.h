/* What can be told of a value besides its type and its identity, without running any code. */

#ifndef OPCODETRACE_DESCRIBE_H
#define OPCODETRACE_DESCRIBE_H

#include "thread.h"

/* Learns the names that it needs. 0, or -1 with an exception. */
int describe_prepare(void);

/* Emits DESCRIBE for the object that `word` names, if there is something to tell of it. A text of bounded length, by a bounded
   amount of work. */
void describe(Thread *thread, PyObject *value, uint64_t word);

#endif
