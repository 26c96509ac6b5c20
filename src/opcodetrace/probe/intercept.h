/* C functions of the interpreter that touch shared memory or synchronise threads, seen from inside (docs/hook-protocol.md,
   Calls into C).

   The function pointer in their PyMethodDef is replaced: the objects that programs see (`list.append`, a bound `lock.acquire`,
   `setattr`) stay the same, whoever calls them is seen, and a call into C stays one call into C. */

#ifndef OPCODETRACE_INTERCEPT_H
#define OPCODETRACE_INTERCEPT_H

#include "interpreter.h"

/* Finds the functions. 0, or -1 with an exception. */
int intercept_prepare(void);
/* From now on they are seen, or no longer. */
void intercept_install(void);
void intercept_remove(void);
/* A module has been made while they are seen: the types that it made are among them, in place of those of an earlier one. */
void intercept_module(PyObject *module);
/* [(owner, name), ...] of all that are found in this version. A new reference, or NULL with an exception. */
PyObject *intercept_names(void);

#endif
