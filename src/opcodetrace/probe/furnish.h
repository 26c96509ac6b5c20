/* Woven code that comes from the cache, or was numbered by itself, is made ready to run. */

#ifndef OPCODETRACE_FURNISH_H
#define OPCODETRACE_FURNISH_H

#include "interpreter.h"

/* As documented in _probe.pyi. */
PyObject *furnish(PyObject *module, PyObject *args);
PyObject *renumber(PyObject *module, PyObject *args);

#endif
