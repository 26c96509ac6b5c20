/* Objects of ours that the garbage collector does not walk, and that the program is not told of. */

#ifndef OPCODETRACE_FROZEN_H
#define OPCODETRACE_FROZEN_H

#include "interpreter.h"

/* As documented in _probe.pyi. */
PyObject *frozen_freeze(PyObject *module, PyObject *gc);

#endif
