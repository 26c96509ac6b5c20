/* Arrays that Python gives to compiled passes (NumPy's, by the buffer protocol): opened, checked, and let go together. */

#ifndef OPCODETRACE_COLUMNS_H
#define OPCODETRACE_COLUMNS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>
#include <stdint.h>

enum { MAX_COLUMNS = 12 };

typedef struct {
    Py_buffer buffers[MAX_COLUMNS];
    int count;
} Columns;

static inline void
columns_release(Columns *columns)
{
    while (columns->count) {
        PyBuffer_Release(&columns->buffers[--columns->count]);
    }
}

/* The items of an array, of `size` bytes each; how many there are goes to `*length`, or must be that if it is not
   negative, and is below 2^31. NULL with an exception if the array is none such: ValueError, BufferError or TypeError. */
static inline void *
columns_items(Columns *columns, PyObject *array, size_t size, Py_ssize_t *length, bool writable)
{
    Py_buffer *buffer = &columns->buffers[columns->count];
    if (PyObject_GetBuffer(array, buffer, PyBUF_ND | PyBUF_C_CONTIGUOUS | (writable ? PyBUF_WRITABLE : 0)) < 0) {
        return NULL;
    }
    columns->count++;
    Py_ssize_t count = buffer->len / (Py_ssize_t)size;
    size_t alignment = size < sizeof(uint64_t) ? size : sizeof(uint64_t);
    if (buffer->itemsize != (Py_ssize_t)size || (*length >= 0 && count != *length) || count > INT32_MAX ||
        (uintptr_t)buffer->buf % alignment != 0) {
        PyErr_Format(PyExc_ValueError, "array %d is not of the size and length that is wanted", columns->count - 1);
        return NULL;
    }
    *length = count;
    return buffer->buf;
}

#endif
