#include "layout.h"
#include "iterator.h"
#include "location.h"

#define TEXT_OF(x) #x
#define EXPANDED(x) TEXT_OF(x)
/* The version is read out of the extension, as it is a wheel's name that says so and not its content. Volatile: it is to be read. */
static const volatile char compiled_for[] =
    "opcodetrace compiled for CPython " EXPANDED(PY_MAJOR_VERSION) "." EXPANDED(PY_MINOR_VERSION) ".";

static bool
version_fits(void)
{
    const char *running = Py_GetVersion();
    size_t skipped = sizeof("opcodetrace compiled for CPython ") - 1;
    for (size_t i = skipped; i < sizeof(compiled_for) - 1; i++) {
        if (compiled_for[i] != running[i - skipped]) {
            return false;
        }
    }
    return true;
}

/* What 3.13 and later say of themselves, for debuggers. */
static bool
offsets_fit(void)
{
#if HAS_REF_TRACER
    const _Py_DebugOffsets *offsets = &_PyRuntime.debug_offsets;
    return memcmp(offsets->cookie, "xdebugpy", 8) == 0 && offsets->version >> 16 == PY_VERSION_HEX >> 16 &&
           offsets->free_threaded == FREE_THREADED &&
           offsets->interpreter_state.threads_head == offsetof(PyInterpreterState, threads.head) &&
           offsets->interpreter_state.imports_modules == offsetof(PyInterpreterState, imports.modules) &&
           offsets->thread_state.next == offsetof(PyThreadState, next) &&
           offsets->thread_state.interp == offsetof(PyThreadState, interp) &&
           offsets->thread_state.current_frame == offsetof(PyThreadState, current_frame) &&
           offsets->thread_state.thread_id == offsetof(PyThreadState, thread_id) &&
           offsets->interpreter_frame.size == sizeof(Frame) &&
           offsets->interpreter_frame.previous == offsetof(Frame, previous) &&
           offsets->interpreter_frame.executable == offsetof(Frame, f_executable) &&
           offsets->interpreter_frame.instr_ptr == offsetof(Frame, instr_ptr) &&
           offsets->interpreter_frame.localsplus == offsetof(Frame, localsplus) &&
           offsets->interpreter_frame.owner == offsetof(Frame, owner) &&
           offsets->code_object.co_code_adaptive == offsetof(PyCodeObject, co_code_adaptive);
#else
    return true;
#endif
}

static bool
sizes_fit(void)
{
    const struct {
        PyTypeObject *type;
        size_t size;
    } sizes[] = {
        {&PyBaseObject_Type, sizeof(PyObject)},
        {&PyType_Type, sizeof(PyHeapTypeObject)},
        {&PyDict_Type, sizeof(PyDictObject)},
        {&PyDictProxy_Type, sizeof(MappingProxy)},
        {&PyList_Type, sizeof(PyListObject)},
        {&PyUnicode_Type, sizeof(PyUnicodeObject)},
        {&PyCell_Type, sizeof(PyCellObject)},
        {&PyModule_Type, sizeof(PyModuleObject)},
        {&PyFunction_Type, sizeof(PyFunctionObject)},
        {&PyCFunction_Type, sizeof(PyCFunctionObject)},
        {&PyMethodDescr_Type, sizeof(PyMethodDescrObject)},
        {&PyMemberDescr_Type, sizeof(PyMemberDescrObject)},
        {&PyWrapperDescr_Type, sizeof(PyWrapperDescrObject)},
        {&PyCode_Type, offsetof(PyCodeObject, co_code_adaptive)},
        {&PyFrame_Type, offsetof(PyFrameObject, _f_frame_data) + offsetof(Frame, localsplus)},
        {&PyGen_Type, offsetof(PyGenObject, gi_iframe) + offsetof(Frame, localsplus)},
    };
    for (size_t i = 0; i < Py_ARRAY_LENGTH(sizes); i++) {
        if ((size_t)sizes[i].type->tp_basicsize != sizes[i].size) {
            return false;
        }
    }
    return true;
}

static bool
thread_fits(void)
{
    PyThreadState *state = PyThreadState_Get();
    PyInterpreterState *interpreter = PyInterpreterState_Get();
    return current_thread_state() == state && state->interp == interpreter && state->id == PyThreadState_GetID(state) &&
           state->thread_id == PyThread_get_thread_ident() && recursion_limit(state) == Py_GetRecursionLimit() &&
           interpreter->threads.head == PyInterpreterState_ThreadHead(interpreter) &&
           modules_dict() == PyImport_GetModuleDict();
}

static bool
frame_fits(void)
{
    PyFrameObject *newest = PyThreadState_GetFrame(PyThreadState_Get());
    if (newest == NULL) {
        return true;
    }
    PyCodeObject *expected = PyFrame_GetCode(newest), *code = NULL;
    PyObject *globals = PyFrame_GetGlobals(newest);
    Frame *frame = current_frame();
    while (frame != NULL && (code = frame_code(frame)) == NULL) {
        frame = frame->previous;
    }
    bool fits = frame != NULL && code == expected && frame->f_globals == globals &&
                frame_instruction(frame, code) * (int)sizeof(_Py_CODEUNIT) == PyFrame_GetLasti(newest);
    Py_XDECREF(globals);
    Py_DECREF(expected);
    Py_DECREF(newest);
    return fits;
}

/* A dictionary of three texts, of these and an int, of these and many ints. */
static bool
dict_fits(PyObject *dict)
{
    enum { MANY = 400 };
    PyObject *name = PyUnicode_InternFromString("second"), *other = PyUnicode_InternFromString("fourth");
    bool fits = name != NULL && other != NULL;
    for (int step = 0; fits && step <= MANY; step++) {
        if (step == 0 || step == 1 || step == MANY) {
            PyObject *second = PyDict_GetItemWithError(dict, name);
            fits = second != NULL && dict_find(dict, name) == second && dict_find(dict, other) == NULL &&
                   dict_has_text_keys_only(dict) == (step == 0);
        }
        PyObject *number = PyLong_FromLong(step);
        fits = fits && number != NULL && PyDict_SetItem(dict, number, number) == 0 &&
               dict_find_int(dict, (unsigned long)step) == number;
        Py_XDECREF(number);
    }
    Py_XDECREF(name);
    Py_XDECREF(other);
    return fits && dict_find_int(dict, MANY + 1) == NULL;
}

/* Attributes lie where they are looked for, with and without a dictionary. */
static bool
instance_fits(PyObject *object, PyObject *value)
{
    PyObject *name = PyUnicode_InternFromString("attribute");
    bool fits = name != NULL && instance_value(object, name) == NULL && PyObject_SetAttr(object, name, value) == 0 &&
                instance_value(object, name) == value;
    PyObject *dict = fits ? PyObject_GenericGetDict(object, NULL) : NULL;
    fits = dict != NULL && instance_value(object, name) == value && PyObject_SetAttr(object, name, Py_None) == 0 &&
           instance_value(object, name) == Py_None;
    Py_XDECREF(dict);
    Py_XDECREF(name);
    return fits;
}

static bool
functions_fit(void)
{
    PyObject *append = PyObject_GetAttrString((PyObject *)&PyList_Type, "append");
    PyObject *length = PyObject_GetAttrString((PyObject *)&PyList_Type, "__len__");
    bool fits = append != NULL && length != NULL && Py_IS_TYPE(append, &PyMethodDescr_Type) &&
                Py_IS_TYPE(length, &PyWrapperDescr_Type) && PyCFunction_Check(len_function) &&
                strcmp(((PyMethodDescrObject *)append)->d_method->ml_name, "append") == 0 &&
                strcmp(((PyWrapperDescrObject *)length)->d_base->name, "__len__") == 0 &&
                strcmp(((PyCFunctionObject *)len_function)->m_ml->ml_name, "len") == 0;
    Py_XDECREF(append);
    Py_XDECREF(length);
    return fits;
}

static bool
generator_fits(PyObject *generator)
{
    PyObject *code = PyObject_GetAttrString(generator, "gi_code");
    PyGenObject *inside = (PyGenObject *)generator;
    bool fits = code != NULL && PyGen_CheckExact(generator) &&
                (PyObject *)frame_code(generator_frame(inside)) == code && inside->gi_frame_state < FRAME_COMPLETED &&
                PyIter_Next(generator) == NULL && !PyErr_Occurred() && inside->gi_frame_state >= FRAME_COMPLETED;
    Py_XDECREF(code);
    return fits;
}

/* Is the first that the iterator gives known to be the item at `index`, or of `key`? */
static bool
iterator_fits(PyObject *iterator, PyObject *container, Py_ssize_t index, PyObject *key)
{
    PyObject *given = PyIter_Next(iterator);
    Taken taken = {0};
    bool fits = given != NULL && iterator_took(iterator, given, &taken) && taken.container == container &&
                (key == NULL ? taken.key == NULL && taken.index == index : FREE_THREADED || taken.key == key);
    Py_XDECREF(given);
    return fits;
}

/* One expression a thing to look at. */
static const char examples[] =
    "(lambda collections, items, numbers, octets, queue, ordered: ("
    "{'first': 1, 'second': 2, 'third': 3},"
    "type('Example', (), {})(), Exception(), object(),"
    "(None for each in ()),"
    "items, iter(items), reversed(items), enumerate(items),"
    "numbers, iter(numbers.values()), iter(numbers.items()), reversed(numbers.items()), 'only',"
    "octets, iter(octets),"
    "queue, iter(queue), reversed(queue),"
    "ordered, iter(ordered.items())"
    "))(None, [1, 2], {'only': 1}, bytearray(b'ab'), deque([1, 2]), OrderedDict({'only': 1}))";

static PyObject *
make_examples(void)
{
    PyObject *module = PyImport_ImportModule("_collections"), *made = NULL;
    PyObject *globals = module == NULL ? NULL : PyDict_Copy(PyModule_GetDict(module));
    PyObject *code = globals == NULL ? NULL : Py_CompileString(examples, "<opcodetrace>", Py_eval_input);
    if (code != NULL && PyDict_SetItemString(globals, "__builtins__", PyEval_GetBuiltins()) == 0) {
        made = PyEval_EvalCode(code, globals, globals);
    }
    Py_XDECREF(code);
    Py_XDECREF(globals);
    Py_XDECREF(module);
    return made;
}

/* NULL, or what does not lie where it should; NULL with an exception. */
static const char *
differing(void)
{
    if (!version_fits() || !offsets_fit()) {
        return "another version";
    }
    if (!sizes_fit()) {
        return "types of other sizes";
    }
    if (!thread_fits() || !frame_fits()) {
        return "other threads and frames";
    }
    PyObject *made = make_examples();
    if (made == NULL) {
        return NULL;
    }
    PyObject *const *at = &PyTuple_GET_ITEM(made, 0);
    const char *what = NULL;
    if (!dict_fits(at[0]) || !instance_fits(at[1], at[3]) || !instance_fits(at[2], at[3])) {
        what = "other dictionaries";
    }
    else if (!functions_fit() || !generator_fits(at[4])) {
        what = "other functions";
    }
    else if (!iterator_fits(at[6], at[5], 0, NULL) || !iterator_fits(at[7], at[5], 1, NULL) ||
             (!FREE_THREADED && !iterator_fits(at[10], at[9], 0, at[13])) || !iterator_fits(at[11], at[9], 0, at[13]) ||
             !iterator_fits(at[12], at[9], 0, at[13]) || !iterator_fits(at[15], at[14], 0, NULL) ||
             !iterator_fits(at[17], at[16], 0, NULL) || !iterator_fits(at[18], at[16], 1, NULL) ||
             !iterator_fits(at[20], at[19], 0, at[13])) {
        what = "other iterators";
    }
    Py_DECREF(made);
    return what;
}

int
layout_check(void)
{
    const char *what = differing();
    if (PyErr_Occurred()) {
        return -1;
    }
    if (what != NULL) {
        PyErr_Format(
            PyExc_ImportError,
            "opcodetrace was compiled for CPython %s and finds %s in CPython %d.%d.%d: it must be installed anew "
            "from source",
            PY_VERSION, what, (int)(Py_Version >> 24), (int)(Py_Version >> 16 & 0xFF), (int)(Py_Version >> 8 & 0xFF));
        return -1;
    }
    return 0;
}
