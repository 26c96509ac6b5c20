/* The module opcodetrace.probe._probe. Its stub, _probe.pyi, is its documentation. */

#include "children.h"
#include "code.h"
#include "describe.h"
#include "exec_hook.h"
#include "frozen.h"
#include "furnish.h"
#include "hook.h"
#include "intercept.h"
#include "layout.h"
#include "memory.h"
#include "program.h"
#include "switch.h"

#include <pthread.h>
#include <unistd.h>

/* Nobody's lock is copied in a state that nobody will end. */
static void
before_fork(void)
{
    thread_before_fork();
    text_before_fork();
}

static void
after_fork(void)
{
    text_after_fork();
    thread_after_fork();
}

static void
after_fork_in_parent(void)
{
    text_after_fork();
    children_forked();
    thread_after_fork();
}

static void
leave_map(void)
{
    spool.header = NULL;
    spool.run++;
    spool.round++;
}

static void
unmap(void)
{
    spool_unmap();
    spool.run++;
    spool.round++; /* what threads and hooks know to be written is not in the next window */
}

/* A forked child records nothing; the map stays, for it costs nothing and the program's addresses must not shift. */
static void
forked_child(void)
{
    after_fork();
    STORE(&spool.recording, 0);
    STORE(&this_run.birth_table, NULL);
    thread_forget(leave_map);
}

static PyObject *
probe_attach(PyObject *module, PyObject *path)
{
    (void)module;
    if (spool.header != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the probe is attached already");
        return NULL;
    }
    PyObject *bytes;
    if (!PyUnicode_FSConverter(path, &bytes)) {
        return NULL;
    }
    int status = spool_map(PyBytes_AS_STRING(bytes));
    Py_DECREF(bytes);
    if (status < 0) {
        return NULL;
    }
    static bool watches_forks;
    if (!watches_forks && pthread_atfork(before_fork, after_fork_in_parent, forked_child) != 0) {
        spool_unmap();
        return PyErr_NoMemory();
    }
    watches_forks = true;
    if (children_watch() < 0) {
        spool_unmap();
        return NULL;
    }
    STORE(&spool.header->pid, (uint32_t)getpid());
    run_clear();
    this_run.hides_values = (LOAD(&spool.header->flags) & NO_VALUES) != 0;
    if (thread_prepare() < 0 || intercept_prepare() < 0) {
        thread_forget(unmap);
        return NULL;
    }
    birth_watch();
    type_prepare(current_thread);
    switch_to(current_thread);
    __atomic_fetch_or(&spool.header->flags, ATTACHED | (FREE_THREADED ? FREE_THREADED_RUN : 0), __ATOMIC_RELEASE);
    Py_RETURN_NONE;
}

static PyObject *
probe_start(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    if (spool.header == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the probe is not attached");
        return NULL;
    }
    if (!(LOAD_ACQUIRE(&spool.header->flags) & STOPPED)) {
        birth_check();
        spool.started = spool_next();
        intercept_install();
        STORE_RELEASE(&spool.recording, spool.run);
    }
    Py_RETURN_NONE;
}

static PyObject *
probe_populate(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    if (spool.header != NULL) {
        memory_populate_probe();
        spool_populate();
        birth_populate();
    }
    Py_RETURN_NONE;
}

static PyObject *
probe_stop(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    STORE(&spool.recording, 0);
    intercept_remove();
    Py_RETURN_NONE;
}

static PyObject *
probe_intercepted(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return intercept_prepare() < 0 ? NULL : intercept_names();
}

static PyObject *
probe_detach(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    if (spool.header != NULL) {
        STORE(&spool.recording, 0);
        intercept_remove();
        birth_check();
        birth_end();
        thread_await_hooks();
        thread_forget(unmap);
    }
    Py_RETURN_NONE;
}

static PyObject *
probe_attached(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return PyBool_FromLong(spool.header != NULL);
}

static PyObject *
probe_adopt(PyObject *module, PyObject *code)
{
    (void)module;
    if (!PyCode_Check(code)) {
        PyErr_Format(PyExc_TypeError, "a code object is wanted, not %R", code);
        return NULL;
    }
    hook_adopt((PyCodeObject *)code);
    Py_RETURN_NONE;
}

static PyObject *
probe_recorded(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return PyLong_FromUnsignedLongLong(spool.header == NULL ? 0 : spool_next());
}

/* code.replace() on 3.14 makes of a function's arguments plain locals: the original's kinds are the right ones. */
static PyObject *
probe_fix_kinds(PyObject *module, PyObject *args)
{
    (void)module;
    PyCodeObject *original, *woven;
    if (!PyArg_ParseTuple(args, "O!O!:fix_kinds", &PyCode_Type, &original, &PyCode_Type, &woven)) {
        return NULL;
    }
    int same = PyObject_RichCompareBool(original->co_localsplusnames, woven->co_localsplusnames, Py_EQ);
    if (same < 0) {
        return NULL;
    }
    Py_ssize_t size = PyBytes_GET_SIZE(original->co_localspluskinds);
    if (!same || size != PyBytes_GET_SIZE(woven->co_localspluskinds)) {
        PyErr_SetString(PyExc_ValueError, "the two code objects have not the same variables");
        return NULL;
    }
    char *kinds = PyBytes_AS_STRING(woven->co_localspluskinds);
    if (memcmp(kinds, PyBytes_AS_STRING(original->co_localspluskinds), (size_t)size) != 0) {
        memcpy(kinds, PyBytes_AS_STRING(original->co_localspluskinds), (size_t)size);
    }
    Py_RETURN_NONE;
}

static PyMethodDef probe_methods[] = {
    {"attach", probe_attach, METH_O, NULL},
    {"populate", probe_populate, METH_NOARGS, NULL},
    {"start", probe_start, METH_NOARGS, NULL},
    {"stop", probe_stop, METH_NOARGS, NULL},
    {"intercepted", probe_intercepted, METH_NOARGS, NULL},
    {"detach", probe_detach, METH_NOARGS, NULL},
    {"attached", probe_attached, METH_NOARGS, NULL},
    {"adopt", probe_adopt, METH_O, NULL},
    {"recorded", probe_recorded, METH_NOARGS, NULL},
    {"fix_kinds", probe_fix_kinds, METH_VARARGS, NULL},
    {"weave_executed", exec_hook_install, METH_VARARGS, NULL},
    {"freeze", frozen_freeze, METH_O, NULL},
    {"furnish", furnish, METH_VARARGS, NULL},
    {"renumber", renumber, METH_VARARGS, NULL},
    {"unpickle_hook", hook_unpickle, METH_VARARGS, NULL},
    {"unpickle_code", code_unpickle, METH_VARARGS, NULL},
    {"run_main", program_run_main, METH_VARARGS, NULL},
    {"run_callable", program_run_callable, METH_VARARGS, NULL},
    {"ended_by", program_ended_by, METH_NOARGS, NULL},
    {0},
};

static struct PyModuleDef probe_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "opcodetrace.probe._probe",
    .m_size = -1,
    .m_methods = probe_methods,
};

PyMODINIT_FUNC
PyInit__probe(void)
{
    PyObject *module = PyModule_Create(&probe_module);
    if (module == NULL) {
        return NULL;
    }
#if FREE_THREADED
    PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED);
#endif
    bool failed = datum_prepare() < 0 || location_prepare() < 0 || describe_prepare() < 0 || layout_check() < 0 ||
                  unpickle_prepare(module) < 0 || PyModule_AddType(module, &Hook_Type) < 0 ||
                  PyModule_AddType(module, &Code_Type) < 0
#define X(name) || PyModule_AddIntConstant(module, #name, DO_##name) < 0
                      ACTIONS(X)
#undef X
        ;
    if (failed) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
