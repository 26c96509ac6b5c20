#include "exec_hook.h"

#include "code.h"
#include "spool.h"

#include <string.h>

/* The builtin functions stay the objects that they are; what changes is the C function in their PyMethodDef. So no
 * frame is added, and who has taken a reference to `exec` before calls the weaver too. */

#define MAX_ARGUMENTS 8

typedef struct {
    int start; /* as for Py_CompileString */
    bool takes_keywords;
    PyCFunction original;
} Builtin;

static Builtin exec_builtin = {.start = Py_file_input}, eval_builtin = {.start = Py_eval_input};
static PyObject *wanted_function, *weave_function;

/* Calls a function of ours. No trace or profile function, and no monitoring, sees it. An Exception is its own affair:
 * the program goes on as if it had returned None; anything else (KeyboardInterrupt) is the program's. */
static PyObject *
call_unseen(PyObject *function, PyObject *const *args, size_t count)
{
    PyThreadState *tstate = PyThreadState_Get();
    PyThreadState_EnterTracing(tstate);
    PyObject *result = PyObject_Vectorcall(function, args, count, NULL);
    PyThreadState_LeaveTracing(tstate);
    return result;
}

/* The program shall not see our frames. */
static void
drop_traceback(void)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (value != NULL && PyException_SetTraceback(value, Py_None) < 0) {
        PyErr_Clear();
    }
    Py_XDECREF(traceback);
    PyErr_Restore(type, value, NULL);
}

static PyObject *
ask(PyObject *function, PyObject *const *args, size_t count)
{
    PyObject *answer = call_unseen(function, args, count);
    if (answer == NULL) {
        if (PyErr_ExceptionMatches(PyExc_Exception)) {
            PyErr_Clear();
            answer = Py_NewRef(Py_None);
        }
        else {
            drop_traceback();
        }
    }
    return answer;
}

/* The source as the builtin compiles it, for the frame that calls it. NULL without an error: the builtin itself is to
 * say what is wrong with it. */
static PyObject *
compile_source(PyObject *source, int start)
{
    PyCompilerFlags flags = {.cf_flags = PyCF_SOURCE_IS_UTF8, .cf_feature_version = PY_MINOR_VERSION};
    const char *text;
    Py_ssize_t size;
    if (PyUnicode_CheckExact(source)) {
        flags.cf_flags |= PyCF_IGNORE_COOKIE;
        text = PyUnicode_AsUTF8AndSize(source, &size);
        if (text == NULL) {
            PyErr_Clear();
            return NULL;
        }
    }
    else {
        text = PyBytes_AS_STRING(source);
        size = PyBytes_GET_SIZE(source);
    }
    if (strlen(text) != (size_t)size) {
        return NULL;
    }
    while (start == Py_eval_input && (*text == ' ' || *text == '\t')) {
        text++;
    }
    PyEval_MergeCompilerFlags(&flags);
    return Py_CompileStringExFlags(text, "<string>", start, &flags, -1);
}

/* The globals that the code will run in, borrowed; NULL if the builtin is to say that they cannot be, or that a
 * closure cannot. */
static PyObject *
globals_of(PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    PyObject *globals = count > 1 ? args[1] : NULL;
    for (Py_ssize_t i = 0; keywords != NULL && i < PyTuple_GET_SIZE(keywords); i++) {
        if (PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(keywords, i), "globals") == 0) {
            globals = args[count + i];
        }
        else if (!PyCode_Check(args[0]) &&
                 PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(keywords, i), "closure") == 0) {
            return NULL;
        }
    }
    if (globals == NULL || globals == Py_None) {
        globals = PyEval_GetGlobals();
    }
    return globals != NULL && PyDict_Check(globals) ? globals : NULL;
}

/* What to run in place of the first argument: a new reference, NULL with an error, or NULL for the argument itself. */
static PyObject *
woven(const Builtin *builtin, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    if (count < 1 || wanted_function == NULL || !LOAD(&spool.recording) || !spool_is_here()) {
        return NULL;
    }
    PyObject *executed = args[0];
    bool is_code = PyCode_Check(executed);
    if (is_code ? code_of((PyCodeObject *)executed) != NULL
                : !PyUnicode_CheckExact(executed) && !PyBytes_CheckExact(executed)) {
        return NULL;
    }
    PyObject *globals = globals_of(args, count, keywords);
    if (globals == NULL) {
        return NULL;
    }
    PyObject *wanted = ask(wanted_function, (PyObject *[]){executed, globals}, 2);
    if (wanted == NULL || wanted == Py_None) {
        Py_XDECREF(wanted);
        return NULL;
    }
    PyObject *result = NULL;
    PyObject *code = is_code ? Py_NewRef(executed) : compile_source(executed, builtin->start);
    if (code != NULL) {
        result = ask(weave_function, (PyObject *[]){code, executed, wanted}, 3);
        if (result != NULL && !PyCode_Check(result)) {
            Py_DECREF(result); /* what was compiled is not compiled again: its warnings were shown */
            result = Py_NewRef(code);
        }
        Py_DECREF(code);
    }
    Py_DECREF(wanted);
    return result;
}

static PyObject *
run(const Builtin *builtin, PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    PyObject *code = woven(builtin, args, count, keywords);
    if (code == NULL && PyErr_Occurred()) {
        return NULL;
    }
    PyObject *changed[MAX_ARGUMENTS];
    size_t total = (size_t)count + (keywords == NULL ? 0 : (size_t)PyTuple_GET_SIZE(keywords));
    if (code != NULL && total <= MAX_ARGUMENTS) {
        memcpy(changed, args, total * sizeof(PyObject *));
        changed[0] = code;
        args = changed;
    }
    PyObject *result;
    if (builtin->takes_keywords) {
        result = ((_PyCFunctionFastWithKeywords)(void (*)(void))builtin->original)(module, args, count, keywords);
    }
    else {
        result = ((_PyCFunctionFast)(void (*)(void))builtin->original)(module, args, count);
    }
    Py_XDECREF(code);
    return result;
}

static PyObject *
run_exec(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    return run(&exec_builtin, module, args, count, keywords);
}

static PyObject *
run_eval(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    return run(&eval_builtin, module, args, count, keywords);
}

static PyObject *
run_eval_positional(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    return run(&eval_builtin, module, args, count, NULL);
}

static int
replace(Builtin *builtin, const char *name, _PyCFunctionFastWithKeywords with_keywords, _PyCFunctionFast positional)
{
    PyObject *builtins = PyImport_ImportModule("builtins");
    PyObject *function = builtins == NULL ? NULL : PyObject_GetAttrString(builtins, name);
    Py_XDECREF(builtins);
    if (function == NULL) {
        return -1;
    }
    PyMethodDef *method = PyCFunction_CheckExact(function) ? ((PyCFunctionObject *)function)->m_ml : NULL;
    bool takes_keywords = method != NULL && method->ml_flags == (METH_FASTCALL | METH_KEYWORDS);
    bool is_known = takes_keywords || (method != NULL && method->ml_flags == METH_FASTCALL && positional != NULL);
    if (is_known) {
        builtin->original = method->ml_meth;
        builtin->takes_keywords = takes_keywords;
        method->ml_meth =
            takes_keywords ? (PyCFunction)(void (*)(void))with_keywords : (PyCFunction)(void (*)(void))positional;
    }
    else {
        PyErr_Format(PyExc_RuntimeError, "%s is not the builtin function that it was", name);
    }
    Py_DECREF(function);
    return is_known ? 0 : -1;
}

PyObject *
exec_hook_install(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *wanted, *weave;
    if (!PyArg_ParseTuple(args, "OO:weave_executed", &wanted, &weave)) {
        return NULL;
    }
    if (wanted_function != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "what is executed is woven already");
        return NULL;
    }
    if (replace(&exec_builtin, "exec", run_exec, NULL) < 0 ||
        replace(&eval_builtin, "eval", run_eval, run_eval_positional) < 0) {
        return NULL;
    }
    weave_function = Py_NewRef(weave);
    wanted_function = Py_NewRef(wanted);
    Py_RETURN_NONE;
}
