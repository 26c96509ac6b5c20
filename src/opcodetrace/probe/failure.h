/* Accesses that failed: which exceptions say what a location held. */

#ifndef OPCODETRACE_FAILURE_H
#define OPCODETRACE_FAILURE_H

#include "datum.h"

/* The types of exceptions by which built-in containers, objects and namespaces say that there is no such thing. */
enum {
    NO_ITEM = 1,  /* KeyError, IndexError */
    NO_NAME = 2,  /* AttributeError, NameError */
    NO_VALUE = 4, /* ValueError, of list.remove */
    CHANGED = 8,  /* RuntimeError, of what changed while it was iterated over */
};

static inline bool
tells_of(PyTypeObject *type, unsigned kinds)
{
    return ((kinds & NO_ITEM) && PyType_IsSubtype(type, (PyTypeObject *)PyExc_LookupError)) ||
           ((kinds & NO_NAME) && (PyType_IsSubtype(type, (PyTypeObject *)PyExc_AttributeError) ||
                                  PyType_IsSubtype(type, (PyTypeObject *)PyExc_NameError))) ||
           ((kinds & NO_VALUE) && PyType_IsSubtype(type, (PyTypeObject *)PyExc_ValueError)) ||
           ((kinds & CHANGED) && PyType_IsSubtype(type, (PyTypeObject *)PyExc_RuntimeError));
}

/* As a value: that the access found nothing, and which exception said so. */
static inline Datum
raised_datum(Thread *thread, PyTypeObject *type)
{
    return (Datum){.word = type_word(thread, type), .sort = TAG_RAISED};
}

/* A woven instruction raised `exception`, which comes to the first handler. ABSENT if that says nothing of what was accessed:
   its traceback is longer than this one frame if code of the program raised it. */
static inline Datum
failure_of_instruction(Thread *thread, PyObject *exception, unsigned kinds)
{
    if (!PyExceptionInstance_Check(exception)) {
        return ABSENT;
    }
    PyTracebackObject *traceback = (PyTracebackObject *)((PyBaseExceptionObject *)exception)->traceback;
    bool own = traceback != NULL && PyTraceBack_Check(traceback) && traceback->tb_next == NULL;
    return own && tells_of(Py_TYPE(exception), kinds) ? raised_datum(thread, Py_TYPE(exception)) : ABSENT;
}

/* The same of a C function: there is no traceback yet, unless code of the program raised it. */
static inline Datum
failure_of_call(Thread *thread, const Raised *raised, unsigned kinds)
{
    PyTypeObject *type = raised_type(raised);
    return type != NULL && tells_of(type, kinds) ? raised_datum(thread, type) : ABSENT;
}

#endif
