#include "program.h"

#include "text.h"
#include "uncaught.h"

#include <signal.h>
#include <unistd.h>

/* The frames of our own, put out of sight while the program runs: they show in no traceback, no sys._getframe, and do not
   count against the recursion limit. */
typedef struct {
    PyThreadState *state;
    Frame *newest;
    int depth;
    int c_depth;
    PyObject *held;
} Hidden;

#if FREE_THREADED
/* The free-threaded collector finds what is only referenced from frames by walking the frames: it cannot while they are out of
   sight, so what they refer to is held. */
static PyObject *
hold_frames(Frame *frame)
{
    PyObject *held = PyList_New(0);
    for (; held != NULL && frame != NULL; frame = frame->previous) {
        PyCodeObject *code = frame_code(frame);
        if (code == NULL) {
            continue;
        }
        int failed = PyList_Append(held, (PyObject *)code);
        if (!PyStackRef_IsNull(frame->f_funcobj)) {
            failed |= PyList_Append(held, PyStackRef_AsPyObjectBorrow(frame->f_funcobj));
        }
        for (_PyStackRef *slot = frame->localsplus; slot < frame->stackpointer; slot++) {
            if (!PyStackRef_IsNullOrInt(*slot)) {
                failed |= PyList_Append(held, PyStackRef_AsPyObjectBorrow(*slot));
            }
        }
        if (failed) {
            Py_CLEAR(held);
        }
    }
    return held;
}
#endif

static int
hide(Hidden *hidden)
{
    PyThreadState *state = PyThreadState_Get();
    hidden->state = state;
    hidden->newest = newest_frame(state);
    hidden->held = NULL;
#if FREE_THREADED
    hidden->held = hold_frames(hidden->newest);
    if (hidden->held == NULL) {
        return -1;
    }
#endif
    hidden->depth = recursion_limit(state) - *recursion_remaining(state);
    *recursion_remaining(state) += hidden->depth;
    hidden->c_depth = c_recursion(state);
    forgive_c_recursion(state, hidden->c_depth);
    set_newest_frame(state, NULL);
    return 0;
}

static void
show(Hidden *hidden)
{
    PyThreadState *state = hidden->state;
    set_newest_frame(state, hidden->newest);
    *recursion_remaining(state) -= hidden->depth;
    forgive_c_recursion(state, -hidden->c_depth);
    Py_CLEAR(hidden->held);
}

/* What Py_RunMain does at its very end, for a caller that leaves by sys.exit instead of by its own end. */
static void
die_of_interrupt(void)
{
    if (*unhandled_keyboard_interrupt()) {
        PyOS_setsig(SIGINT, SIG_DFL);
        kill(getpid(), SIGINT);
    }
}

static void
flush(const char *name)
{
    PyObject *file = PySys_GetObject(name);
    if (file != NULL) {
        Py_INCREF(file);
        PyObject *result = PyObject_CallMethod(file, "flush", NULL);
        if (result == NULL) {
            PyErr_Clear();
        }
        Py_XDECREF(result);
        Py_DECREF(file);
    }
}

/* What SystemExit was raised with. The caller is to leave by it once its own frames have gone: what they refer to would
   outlive the program's last collection if the interpreter ended here. */
static PyObject *
exit_code(void)
{
    PyObject *type, *exit, *traceback;
    PyErr_Fetch(&type, &exit, &traceback);
    PyErr_NormalizeException(&type, &exit, &traceback);
    PyObject *code = PyObject_GetAttrString(exit, "code");
    if (code == NULL) {
        PyErr_Clear();
        code = Py_NewRef(exit);
    }
    Py_XDECREF(type);
    Py_XDECREF(exit);
    Py_XDECREF(traceback);
    return code;
}

static PyObject *ended_by; /* a str: the exception that ended the program */

/* No bytes: their text may be a warning (-b). */
static bool
is_plain(PyObject *value)
{
    return value == NULL || value == Py_None || PyUnicode_CheckExact(value) || PyLong_CheckExact(value) ||
           PyBool_Check(value) || PyFloat_CheckExact(value);
}

/* Whether C code alone makes a text of the exception: its type inherits that, and it was raised with plain values. */
static bool
tells_itself(PyObject *exception)
{
    PyTypeObject *base = Py_TYPE(exception);
    while (base->tp_base != NULL && (base->tp_flags & Py_TPFLAGS_HEAPTYPE)) {
        base = base->tp_base;
    }
    if (!PyExceptionInstance_Check(exception) || Py_TYPE(exception)->tp_str != base->tp_str) {
        return false;
    }
    PyObject *args = ((PyBaseExceptionObject *)exception)->args;
    if (args == NULL || !PyTuple_CheckExact(args)) {
        return false;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args); i++) {
        if (!is_plain(PyTuple_GET_ITEM(args, i))) {
            return false;
        }
    }
    if (PyObject_TypeCheck(exception, (PyTypeObject *)PyExc_OSError)) {
        PyOSErrorObject *error = (PyOSErrorObject *)exception;
        return is_plain(error->myerrno) && is_plain(error->strerror) && is_plain(error->filename) &&
               is_plain(error->filename2);
    }
    return !PyObject_TypeCheck(exception, (PyTypeObject *)PyExc_SyntaxError);
}

/* What the last line of a traceback would say of it, as far as none of the program's code need run for that. NULL if there is
   no memory for it. */
static PyObject *
description(PyObject *exception)
{
    uint8_t name[MAX_TEXT];
    size_t length = text_of_type(Py_TYPE(exception), name);
    PyObject *type = PyUnicode_DecodeUTF8((char *)name, (Py_ssize_t)length, "replace");
    PyObject *text = type != NULL && tells_itself(exception) ? PyObject_Str(exception) : NULL;
    PyObject *told =
        text == NULL || PyUnicode_GET_LENGTH(text) == 0 ? Py_XNewRef(type) : PyUnicode_FromFormat("%U: %U", type, text);
    PyErr_Clear(); /* no memory, or a number of too many digits */
    Py_XDECREF(text);
    Py_XDECREF(type);
    return told;
}

/* Notes the exception that is raised; it stays raised. */
static void
note_exception(void)
{
    Raised raised = put_error_aside();
#if PY_VERSION_HEX < 0x030C0000
    PyErr_NormalizeException(&raised.type, &raised.value, &raised.traceback);
#endif
    if (raised.value != NULL) {
        Py_XSETREF(ended_by, description(raised.value));
        uncaught_ends_program(raised.value);
    }
    put_error_back(raised);
}

PyObject *
program_ended_by(PyObject *module, PyObject *args)
{
    (void)module;
    (void)args;
    return Py_NewRef(ended_by == NULL ? Py_None : ended_by);
}

/* 0 for a result, SystemExit's own code, else 1 with the exception printed, as Py_RunMain does. */
static PyObject *
report(PyObject *result, bool flushes)
{
    Py_CLEAR(ended_by);
    bool interrupted = result == NULL && PyErr_Occurred() == PyExc_KeyboardInterrupt;
    if (interrupted) {
        *unhandled_keyboard_interrupt() = 1;
        Py_AtExit(die_of_interrupt);
    }
    if (flushes) {
        Raised raised = put_error_aside();
        flush("stderr");
        flush("stdout");
        put_error_back(raised);
    }
    if (result == NULL) {
        if (PyErr_ExceptionMatches(PyExc_SystemExit) && !_Py_GetConfig()->inspect) {
            return exit_code();
        }
        note_exception();
        PyErr_Print();
        return PyLong_FromLong(1);
    }
    Py_DECREF(result);
    return PyLong_FromLong(0);
}

PyObject *
program_run_main(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *code, *globals;
    if (!PyArg_ParseTuple(args, "O!O!:run_main", &PyCode_Type, &code, &PyDict_Type, &globals)) {
        return NULL;
    }
    int has_builtins = PyMapping_HasKeyString(globals, "__builtins__");
    if (!has_builtins && PyDict_SetItemString(globals, "__builtins__", PyEval_GetBuiltins()) < 0) {
        return NULL;
    }
    Hidden hidden;
    if (hide(&hidden) < 0) {
        return NULL;
    }
    *unhandled_keyboard_interrupt() = 0;
    PyObject *status = report(PyEval_EvalCode(code, globals, globals), true);
    show(&hidden);
    return status;
}

PyObject *
program_run_callable(PyObject *module, PyObject *args)
{
    (void)module;
    if (PyTuple_GET_SIZE(args) < 1) {
        PyErr_SetString(PyExc_TypeError, "run_callable needs a function");
        return NULL;
    }
    PyObject *rest = PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args));
    if (rest == NULL) {
        return NULL;
    }
    Hidden hidden;
    if (hide(&hidden) < 0) {
        Py_DECREF(rest);
        return NULL;
    }
    *unhandled_keyboard_interrupt() = 0;
    PyObject *status = report(PyObject_Call(PyTuple_GET_ITEM(args, 0), rest, NULL), false);
    show(&hidden);
    Py_DECREF(rest);
    return status;
}
