/* `Code`: what the last constant of a woven code object tells of it. */

#ifndef OPCODETRACE_CODE_H
#define OPCODETRACE_CODE_H

#include "interpreter.h"

/* An instruction that calls: where it is, and how to find the callee in the value stack. */
typedef struct {
    uint32_t instruction; /* in code units */
    uint16_t depth;       /* of the value stack before it */
    uint16_t arguments;   /* its oparg */
} CallSite;

_Static_assert(sizeof(CallSite) == 8, "the weaver packs it as <IHH");

typedef struct {
    PyObject_HEAD
    uint32_t id;
    PyObject *table;
} Code;

extern PyTypeObject Code_Type;

/* The Code of a woven code object, else NULL. */
static inline Code *
code_of(PyCodeObject *code)
{
    PyObject *constants = code->co_consts;
    Py_ssize_t size = PyTuple_GET_SIZE(constants);
    if (size == 0) {
        return NULL;
    }
    PyObject *last = PyTuple_GET_ITEM(constants, size - 1);
    return Py_IS_TYPE(last, &Code_Type) ? (Code *)last : NULL;
}

/* The call at exactly this instruction, else NULL. */
const CallSite *code_call_at(const Code *code, int instruction);

/* A new Code; `table` is a bytes object. */
PyObject *code_make(uint32_t id, PyObject *table);

/* Gives an object a reference count that never falls to zero. */
void make_immortal(PyObject *object);

#endif
