/* Accesses whose failure nobody caught: UNCAUGHT records. Layout: ../spool/layout.py. */

#ifndef OPCODETRACE_UNCAUGHT_H
#define OPCODETRACE_UNCAUGHT_H

#include "thread.h"

/* The calling thread has recorded that an access of woven code failed. By an instruction's own handler: with what it raised;
   NULL: in a C function that this frame calls. */
void uncaught_note(Thread *thread, uint64_t seq, Datum raised, PyObject *exception);

/* The exception ends the calling thread. Is it the one of the access that failed last? Called inside, as hooks are. */
void uncaught_ends(Thread *thread, PyObject *exception);

/* The same for the program's main thread, from outside. */
void uncaught_ends_program(PyObject *exception);

#endif
