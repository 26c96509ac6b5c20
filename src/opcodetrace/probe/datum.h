/* How objects are named in records: as values, and as keys of containers. */

#ifndef OPCODETRACE_DATUM_H
#define OPCODETRACE_DATUM_H

#include "text.h"

static const Datum ABSENT = {.sort = TAG_ABSENT};
static const Datum NAME = {.sort = TAG_NAME};
static const Datum WHOLE = {.sort = TAG_WHOLE};
static const Datum END = {.sort = TAG_END};

/* Learns names. 0, or -1 with an exception. */
int datum_prepare(void);

Datum value_datum_slow(Thread *thread, PyObject *value);

/* The value of an exact int, if it fits into a record. */
static inline bool
int_value(PyObject *value, int64_t *number)
{
    if (LIKELY(compact_int(value, number))) {
        return true;
    }
    int overflow;
    *number = PyLong_AsLongLongAndOverflow(value, &overflow);
    return overflow == 0;
}

/* If no values are to be written: which object it is, and ABSENT for what is no more than its value. */
Datum hidden_datum(Thread *thread, PyObject *value);

static inline Datum
value_datum(Thread *thread, PyObject *value)
{
    if (UNLIKELY(this_run.hides_values)) {
        return hidden_datum(thread, value);
    }
    if (LIKELY(PyLong_CheckExact(value))) {
        int64_t number;
        if (LIKELY(int_value(value, &number))) {
            return (Datum){.word = (uint64_t)number, .sort = TAG_INT};
        }
    }
    else if (value == Py_None) {
        return (Datum){.sort = TAG_NONE};
    }
    else if (PyUnicode_CheckExact(value)) {
        uint32_t id = string_id(thread, value);
        if (LIKELY(id != 0)) {
            return (Datum){.word = id, .sort = TAG_STR};
        }
    }
    return value_datum_slow(thread, value);
}

/* The number of items of a container, as a value. */
static inline Datum
size_datum(Py_ssize_t size)
{
    return this_run.hides_values ? ABSENT : (Datum){.word = (uint64_t)size, .sort = TAG_INT};
}

/* A key of a mapping. */
Datum mapping_key_slow(Thread *thread, PyObject *key);

static inline Datum
mapping_key(Thread *thread, PyObject *key)
{
    int64_t number;
    if (LIKELY(PyLong_CheckExact(key)) && LIKELY(int_value(key, &number))) {
        return (Datum){.word = (uint64_t)number, .sort = TAG_INT | PLAIN | LASTING};
    }
    if (PyUnicode_CheckExact(key)) {
        uint32_t id = string_id(thread, key);
        if (LIKELY(id != 0)) {
            return (Datum){.word = id, .sort = TAG_STR | PLAIN | LASTING};
        }
    }
    return mapping_key_slow(thread, key);
}

/* A key of a sequence of `size` items, or of unknown size (-1). An index out of range RAISES. */
Datum sequence_key_slow(Thread *thread, PyObject *key, Py_ssize_t size);

static inline Datum
sequence_key(Thread *thread, PyObject *key, Py_ssize_t size)
{
    int64_t index;
    if (LIKELY(PyLong_CheckExact(key)) && LIKELY(int_value(key, &index)) && LIKELY((uint64_t)index < (uint64_t)size) &&
        size >= 0) {
        return (Datum){.word = (uint64_t)index, .sort = TAG_INT | PLAIN};
    }
    return sequence_key_slow(thread, key, size);
}

/* The container of an access. */
static inline uint64_t
container_word(Thread *thread, PyObject *container)
{
    uint64_t address = (uint64_t)(uintptr_t)container & ADDRESS_MASK, word;
    if (PyList_CheckExact(container)) {
        word = LOAD(&this_run.list_word) | address;
    }
    else if (PyDict_CheckExact(container)) {
        word = LOAD(&this_run.dict_word) | address;
    }
    else {
        word = object_word(thread, container);
    }
    birth_know(word);
    return word;
}

static inline unsigned
key_flags(unsigned kind, Datum key)
{
    return key.sort & UNSURE ? kind | UNCERTAIN : kind;
}

/* Bounds of a slice over `size` items, or an unknown number of them (-1). */
Datum slice_key(PyObject *start, PyObject *stop, PyObject *step, Py_ssize_t size);

/* On GIL builds: can the dictionary look this plain key up without running Python code? */
bool mapping_is_plain_slow(PyObject *dict, PyObject *key);

static inline bool
mapping_is_plain(PyObject *dict, PyObject *key)
{
    return !FREE_THREADED && (LIKELY(dict_has_text_keys_only(dict)) || mapping_is_plain_slow(dict, key));
}

#endif
