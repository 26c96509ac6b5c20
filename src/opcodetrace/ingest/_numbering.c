/* Numbers for rows of several columns: equal rows get equal numbers, in the order in which they first come.
 *
 * What the function does is said in _numbering.pyi; ingest/row_numbers.py keeps the arrays. */

#include "../trace/columns.h"

enum { MAX_WIDTH = 4 }; /* of a row */

static size_t
place_of(const uint64_t *row, int width, size_t mask)
{
    uint64_t mixed = 0;
    for (int column = 0; column < width; column++) {
        mixed = (mixed ^ row[column]) * UINT64_C(0x9E3779B97F4A7C15);
        mixed ^= mixed >> 29;
    }
    return (size_t)(mixed ^ mixed >> 32) & mask;
}

static bool
equal(const uint64_t *one, const uint64_t *other, int width)
{
    for (int column = 0; column < width; column++) {
        if (one[column] != other[column]) {
            return false;
        }
    }
    return true;
}

PyDoc_STRVAR(number_doc, "number($module, table, rows, count, columns, numbers, /)\n--\n\n"
                         "Number rows of columns; see _numbering.pyi.");

static PyObject *
number(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *given_table, *given_rows, *given_columns, *given_numbers;
    Py_ssize_t count;
    if (!PyArg_ParseTuple(args, "OOnO!O", &given_table, &given_rows, &count, &PyTuple_Type, &given_columns,
                          &given_numbers)) {
        return NULL;
    }
    Columns opened = {.count = 0};
    PyObject *result = NULL;
    Py_ssize_t size = -1, room = -1, length = -1;
    Py_ssize_t width = PyTuple_GET_SIZE(given_columns);
    int32_t *table = columns_items(&opened, given_table, 4, &size, true);
    uint64_t *rows = table == NULL ? NULL : columns_items(&opened, given_rows, 8, &room, true);
    int32_t *numbers = rows == NULL ? NULL : columns_items(&opened, given_numbers, 4, &length, true);
    const uint64_t *columns[MAX_WIDTH];
    bool fits = numbers != NULL;
    if (fits && (width < 1 || width > MAX_WIDTH || size & (size - 1) || count < 0 || count + length > INT32_MAX ||
                 (count + length) * width > room || 2 * (count + length) > size)) {
        PyErr_SetString(PyExc_ValueError, "the rows do not fit");
        fits = false;
    }
    for (Py_ssize_t column = 0; column < width && fits; column++) {
        columns[column] = columns_items(&opened, PyTuple_GET_ITEM(given_columns, column), 8, &length, false);
        fits = columns[column] != NULL;
    }
    for (Py_ssize_t at = 0; at < length && fits; at++) {
        uint64_t row[MAX_WIDTH];
        for (Py_ssize_t column = 0; column < width; column++) {
            row[column] = columns[column][at];
        }
        size_t mask = (size_t)size - 1, place = place_of(row, (int)width, mask);
        while (table[place] >= 0 && !equal(rows + (Py_ssize_t)table[place] * width, row, (int)width)) {
            place = (place + 1) & mask;
        }
        if (table[place] < 0) {
            for (Py_ssize_t column = 0; column < width; column++) {
                rows[count * width + column] = row[column];
            }
            table[place] = (int32_t)count++;
        }
        numbers[at] = table[place];
    }
    if (fits) {
        result = PyLong_FromSsize_t(count);
    }
    columns_release(&opened);
    return result;
}

static PyMethodDef methods[] = {{"number", number, METH_VARARGS, number_doc}, {NULL, NULL, 0, NULL}};

static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "opcodetrace.ingest._numbering", .m_size = 0,
                                        .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC
PyInit__numbering(void)
{
    return PyModuleDef_Init(&definition);
}
