/* How objects are named in records: as values, and as keys of containers. */

#ifndef OPCODETRACE_DATUM_H
#define OPCODETRACE_DATUM_H

#include "text.h"

static const Datum ABSENT = {0, TAG_ABSENT};
static const Datum NAME = {0, TAG_NAME};

typedef struct {
    Datum datum;
    bool uncertain; /* equality is the program's own: other keys may be equal to this one */
    bool plain;     /* hash and comparison are built in: no Python code runs, whatever plain key it is compared with */
    bool lasting;   /* the datum stays right for the whole run (of a constant) */
} Key;

Datum value_datum_slow(Thread *thread, PyObject *value);

/* The value of an exact int, where it fits into a record. */
static inline bool
int_value(PyObject *value, int64_t *number)
{
#if PY_VERSION_HEX >= 0x030C0000
    if (LIKELY(PyUnstable_Long_IsCompact((PyLongObject *)value))) {
        *number = PyUnstable_Long_CompactValue((PyLongObject *)value);
        return true;
    }
#else
    Py_ssize_t size = Py_SIZE(value);
    if (LIKELY(size >= -1 && size <= 1)) {
        *number = size == 0 ? 0 : (int64_t)size * ((PyLongObject *)value)->ob_digit[0];
        return true;
    }
#endif
    int overflow;
    *number = PyLong_AsLongLongAndOverflow(value, &overflow);
    return overflow == 0;
}

static inline Datum
value_datum(Thread *thread, PyObject *value)
{
    if (LIKELY(PyLong_CheckExact(value))) {
        int64_t number;
        if (LIKELY(int_value(value, &number))) {
            return (Datum){(uint64_t)number, TAG_INT};
        }
    }
    else if (value == Py_None) {
        return (Datum){0, TAG_NONE};
    }
    return value_datum_slow(thread, value);
}

/* A key of a mapping. */
Key mapping_key(Thread *thread, PyObject *key);

/* A key of a sequence of `size` items, or of unknown size (-1). An index out of range gives TAG_ABSENT and not `plain`: the
   operation will raise, or the container knows better. */
Key sequence_key(Thread *thread, PyObject *key, Py_ssize_t size);

/* Bounds of a slice over `size` items, or an unknown number of them (-1). */
Key slice_key(PyObject *start, PyObject *stop, PyObject *step, Py_ssize_t size);

/* On GIL builds: can the dictionary look this plain key up without running Python code? */
bool mapping_is_plain(PyObject *dict, PyObject *key);

#endif
