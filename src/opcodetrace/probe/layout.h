/* Is the interpreter that runs laid out as the one whose headers the probe was compiled with? */

#ifndef OPCODETRACE_LAYOUT_H
#define OPCODETRACE_LAYOUT_H

#include "interpreter.h"

/* Looks at real objects, and reads nothing that may not be there. 0, or -1 with an ImportError of one line. */
int layout_check(void);

#endif
