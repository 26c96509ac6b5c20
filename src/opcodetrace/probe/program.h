/* Runs the traced program as the interpreter's main would: with nothing of ours below it. */

#ifndef OPCODETRACE_PROGRAM_H
#define OPCODETRACE_PROGRAM_H

#include "interpreter.h"

PyObject *program_run_main(PyObject *module, PyObject *args);
PyObject *program_run_callable(PyObject *module, PyObject *args);
PyObject *program_ended_by(PyObject *module, PyObject *args);

#endif
