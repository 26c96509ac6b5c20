/* `Code`: what the last constant of a woven code object tells of it. */

#ifndef OPCODETRACE_CODE_H
#define OPCODETRACE_CODE_H

#include "interpreter.h"

/* An instruction that calls: where it is, how to find the callee in the value stack, and which site it is. */
typedef struct {
    uint32_t instruction; /* in code units */
    uint16_t depth;       /* of the value stack before it, or NO_CALLEE: it does not show what is called */
    uint16_t arguments;   /* its oparg */
    uint32_t site;        /* counted from the code object's first */
} CallSite;

enum { NO_CALLEE = 65535 };

_Static_assert(sizeof(CallSite) == 12, "the weaver packs it as <IHHI");

typedef struct {
    PyObject_HEAD
    uint32_t id;
    uint32_t first_site; /* of its calls; NO_SITE if they have none */
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
/* The site of the call that a frame stands at, or NO_SITE. */
uint32_t code_site_of(const Code *code, int instruction);
/* The site of the `await` for which a frame is about to ask an object what to wait for, or NO_SITE. */
uint32_t code_site_of_await(const Code *code, int instruction);

/* A new Code; `table` is a bytes object. */
PyObject *code_make(uint32_t id, PyObject *table, uint32_t first_site);

/* Woven code may be pickled (cloudpickle takes its constants one by one). A constant is loaded by a function, which pickle
 * finds by importing the module that is not in sys.modules; a type it would take for one of the program's own. */
extern PyObject *unpickle_hook, *unpickle_code;
/* Tells this process from all others: what they pickled has the numbers of another run. Children by fork are the same. */
extern uint64_t own_stamp;
/* unpickle_code(stamp, code_id, table, first_site): the Code, or one that says nothing, if another process pickled it. */
PyObject *code_unpickle(PyObject *module, PyObject *args);
/* To be called before a Hook or Code is pickled. */
int unpickle_prepare(PyObject *module);

#endif
