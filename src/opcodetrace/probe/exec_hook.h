/* `exec` and `eval` show the weaver what they are going to run. */

#ifndef OPCODETRACE_EXEC_HOOK_H
#define OPCODETRACE_EXEC_HOOK_H

#include "interpreter.h"

/* As documented in _probe.pyi. */
PyObject *exec_hook_install(PyObject *module, PyObject *args);

#endif
