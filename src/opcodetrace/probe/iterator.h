/* What an iterator has just given: which item of which container. */

#ifndef OPCODETRACE_ITERATOR_H
#define OPCODETRACE_ITERATOR_H

#include "interpreter.h"

typedef struct {
    PyObject *container, *value;
    PyObject *key;    /* of a mapping; NULL: an item of a sequence, at */
    Py_ssize_t index;
    bool second; /* `value` is the second of the pair that the iterator gave */
    bool exact;  /* the container still holds it (GIL builds): so it is as if it had been read just now */
} Taken;

/* False if `given`, the latest that the iterator gave, is no item of a container, or it is not known of which. */
bool iterator_took(PyObject *iterator, PyObject *given, Taken *taken);
/* What it iterates over, borrowed from it; NULL: that is unknown, or it has let go of it. */
PyObject *iterator_container(PyObject *iterator);
/* Has it gone over a dictionary, or over an iterator, to which it no longer refers? It lets go of it as it ends; of a
   dictionary also as it fails because keys were exchanged, and islice as what it goes over fails. */
bool iterator_let_go(PyObject *iterator);
/* The dictionary of a view, or what an iterator iterates over, borrowed; NULL: it is neither, or that is unknown. */
PyObject *iterable_container(PyObject *iterable);

#endif
