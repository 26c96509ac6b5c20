#include "furnish.h"

#include "code.h"
#include "hook.h"
#include "spool.h"

#define NO_CODE 0xFFFFFFFFu /* the id of library code that is described only: it stays */

typedef struct {
    PyObject *parts; /* of each code object, those in it first: None, or a tuple as in _probe.pyi */
    Py_ssize_t next;
    uint32_t first_site, first_code;
} Furnishing;

static int
place(PyObject *constants, Py_ssize_t index, PyObject *object)
{
    if (object == NULL) {
        return -1;
    }
    PyObject *placeholder = PyTuple_GET_ITEM(constants, index);
    PyTuple_SET_ITEM(constants, index, object);
    Py_DECREF(placeholder);
    return 0;
}

static int
furnish_one(Furnishing *all, PyObject *part, PyObject *constants)
{
    Py_ssize_t start;
    PyObject *sites, *actions, *names, *table;
    unsigned int id, first_call;
    if (!PyTuple_Check(part)) {
        PyErr_SetString(PyExc_TypeError, "a part is a tuple or None");
        return -1;
    }
    if (!PyArg_ParseTuple(part, "nO!O!O!IO!I", &start, &PyBytes_Type, &sites, &PyBytes_Type, &actions, &PyTuple_Type,
                          &names, &id, &PyBytes_Type, &table, &first_call)) {
        return -1;
    }
    Py_ssize_t count = PyBytes_GET_SIZE(actions);
    bool fits = start >= 0 && PyBytes_GET_SIZE(sites) == count * (Py_ssize_t)sizeof(uint32_t) &&
                PyTuple_GET_SIZE(names) == count && PyTuple_GET_SIZE(constants) == start + count + 1;
    for (Py_ssize_t i = start; fits && i <= start + count; i++) {
        fits = PyTuple_GET_ITEM(constants, i) == Py_None;
    }
    if (!fits) {
        PyErr_SetString(PyExc_ValueError, "the parts are not those of this code");
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        uint32_t site;
        memcpy(&site, PyBytes_AS_STRING(sites) + i * (Py_ssize_t)sizeof(site), sizeof(site));
        PyObject *hook = hook_make(site == NO_SITE ? NO_SITE : all->first_site + site,
                                   (unsigned char)PyBytes_AS_STRING(actions)[i], PyTuple_GET_ITEM(names, i));
        if (place(constants, start + i, hook) < 0) {
            return -1;
        }
    }
    first_call = first_call == NO_SITE ? NO_SITE : all->first_site + first_call;
    return place(constants, start + count, code_make(id == NO_CODE ? id : all->first_code + id, table, first_call));
}

static int
furnish_all(Furnishing *all, PyCodeObject *code)
{
    if (Py_EnterRecursiveCall(" while code is furnished")) {
        return -1;
    }
    PyObject *constants = code->co_consts;
    int status = 0;
    for (Py_ssize_t i = 0; status == 0 && i < PyTuple_GET_SIZE(constants); i++) {
        PyObject *constant = PyTuple_GET_ITEM(constants, i);
        if (PyCode_Check(constant)) {
            status = furnish_all(all, (PyCodeObject *)constant);
        }
    }
    if (status == 0 && all->next >= PyTuple_GET_SIZE(all->parts)) {
        PyErr_SetString(PyExc_ValueError, "there are more code objects than parts");
        status = -1;
    }
    if (status == 0) {
        PyObject *part = PyTuple_GET_ITEM(all->parts, all->next++);
        status = part == Py_None ? 0 : furnish_one(all, part, constants);
    }
    Py_LeaveRecursiveCall();
    return status;
}

/* The code is the caller's alone, fresh from marshal: its constants may be changed in place. */
PyObject *
furnish(PyObject *module, PyObject *args)
{
    (void)module;
    PyCodeObject *code;
    Furnishing all = {0};
    if (!PyArg_ParseTuple(args, "O!O!II:furnish", &PyCode_Type, &code, &PyTuple_Type, &all.parts, &all.first_site,
                          &all.first_code)) {
        return NULL;
    }
    if (furnish_all(&all, code) < 0) {
        return NULL;
    }
    if (all.next != PyTuple_GET_SIZE(all.parts)) {
        PyErr_SetString(PyExc_ValueError, "there are more parts than code objects");
        return NULL;
    }
    Py_RETURN_NONE;
}

static int
renumber_all(PyCodeObject *code, uint32_t first_site, uint32_t first_code)
{
    if (Py_EnterRecursiveCall(" while code is numbered")) {
        return -1;
    }
    PyObject *constants = code->co_consts;
    bool is_woven = code_of(code) != NULL;
    int status = 0;
    for (Py_ssize_t i = 0; status == 0 && i < PyTuple_GET_SIZE(constants); i++) {
        PyObject *constant = PyTuple_GET_ITEM(constants, i);
        if (PyCode_Check(constant)) {
            status = renumber_all((PyCodeObject *)constant, first_site, first_code);
        }
        else if (is_woven && Py_IS_TYPE(constant, &Hook_Type)) {
            if (((Hook *)constant)->site != NO_SITE) { /* of library code by which threads wait */
                ((Hook *)constant)->site += first_site;
            }
        }
    }
    if (is_woven && code_of(code)->id != NO_CODE) {
        code_of(code)->id += first_code;
        if (code_of(code)->first_site != NO_SITE) {
            code_of(code)->first_site += first_site;
        }
    }
    Py_LeaveRecursiveCall();
    return status;
}

PyObject *
renumber(PyObject *module, PyObject *args)
{
    (void)module;
    PyCodeObject *code;
    unsigned int first_site, first_code;
    if (!PyArg_ParseTuple(args, "O!II:renumber", &PyCode_Type, &code, &first_site, &first_code)) {
        return NULL;
    }
    if (renumber_all(code, first_site, first_code) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}
