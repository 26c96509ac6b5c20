#include "frozen.h"

static Py_ssize_t ours, from_before; /* the interpreter itself freezes some */
static PyCFunction count_all, unfreeze_all;

static PyObject *
count_others(PyObject *module, PyObject *unused)
{
    PyObject *all = count_all(module, unused);
    Py_ssize_t count = all == NULL ? -1 : PyLong_AsSsize_t(all);
    Py_XDECREF(all);
    if (count < 0) {
        return NULL;
    }
    Py_ssize_t others = count - LOAD(&ours), least = LOAD(&from_before); /* some of ours may be gone by now */
    return PyLong_FromSsize_t(others > least ? others : least);
}

static PyObject *
unfreeze(PyObject *module, PyObject *unused)
{
    PyObject *result = unfreeze_all(module, unused);
    if (result != NULL) {
        STORE(&ours, 0);
        STORE(&from_before, 0);
    }
    return result;
}

/* Takes the place of a function that is called without arguments. Once in a process. -1 with an exception. */
static int
replace(PyObject *gc, const char *name, PyCFunction *original, PyCFunction replacement)
{
    PyObject *function = PyObject_GetAttrString(gc, name);
    if (function == NULL) {
        return -1;
    }
    PyMethodDef *method = PyCFunction_CheckExact(function) ? ((PyCFunctionObject *)function)->m_ml : NULL;
    Py_DECREF(function);
    if (method == NULL || method->ml_flags != METH_NOARGS) {
        PyErr_Format(PyExc_RuntimeError, "gc.%s is not the function that it was", name);
        return -1;
    }
    if (*original == NULL) {
        *original = method->ml_meth;
        method->ml_meth = replacement;
    }
    return 0;
}

/* -1 with an exception. */
static Py_ssize_t
count_in(PyObject *gc)
{
    PyObject *count = PyObject_CallMethod(gc, "get_freeze_count", NULL);
    Py_ssize_t frozen = count == NULL ? -1 : PyLong_AsSsize_t(count);
    Py_XDECREF(count);
    return frozen;
}

PyObject *
frozen_freeze(PyObject *module, PyObject *gc)
{
    (void)module;
    if (replace(gc, "get_freeze_count", &count_all, count_others) < 0 ||
        replace(gc, "unfreeze", &unfreeze_all, unfreeze) < 0) {
        return NULL;
    }
    STORE(&ours, 0);
    STORE(&from_before, 0);
    Py_ssize_t before = count_in(gc);
    PyObject *frozen = before < 0 ? NULL : PyObject_CallMethod(gc, "freeze", NULL);
    Py_ssize_t after = frozen == NULL ? -1 : count_in(gc);
    Py_XDECREF(frozen);
    if (after < 0) {
        return NULL;
    }
    STORE(&ours, after - before);
    STORE(&from_before, before);
    Py_RETURN_NONE;
}
