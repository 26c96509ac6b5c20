/* Memory that is there before it is needed. A page fault takes as long as a hundred hooks, and what it holds up may be just that
   stretch of the program that decides which thread comes first. */

#ifndef OPCODETRACE_MEMORY_H
#define OPCODETRACE_MEMORY_H

#include "interpreter.h"

typedef enum { POPULATED, IMPOSSIBLE, NO_ROOM } Populated;

/* Makes the pages writable in one go. NO_ROOM: the file system that they belong to has no blocks for them. IMPOSSIBLE: the system cannot, or has
   no memory; they come one by one as they are used. `errno` stays. */
Populated memory_populate(void *start, size_t size);
/* The probe's own code and data. */
void memory_populate_probe(void);

#endif
