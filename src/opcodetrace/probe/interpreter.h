/* What differs between the CPython versions, in one place: frames, thread states, dictionaries, type versions.

   The internal headers are used for layout alone; everything that is called is exported by every build. */

#ifndef OPCODETRACE_INTERPRETER_H
#define OPCODETRACE_INTERPRETER_H

#define PY_SSIZE_T_CLEAN
#ifndef Py_BUILD_CORE_MODULE
#  define Py_BUILD_CORE_MODULE 1
#endif

#if defined(__GNUC__) || defined(__clang__)
#  pragma GCC diagnostic push
#  pragma GCC diagnostic ignored "-Wunused-parameter"
#  pragma GCC diagnostic ignored "-Wsign-compare"
#  pragma GCC diagnostic ignored "-Wcast-function-type"
#  pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#  pragma GCC diagnostic ignored "-Wpedantic"
#endif
#include <Python.h>
#include <structmember.h>
#include <internal/pycore_frame.h>
#if PY_VERSION_HEX >= 0x030E0000
#  include <internal/pycore_interpframe.h>
#  include <internal/pycore_stackref.h>
#endif
#include <internal/pycore_code.h>
#include <internal/pycore_dict.h>
#include <internal/pycore_moduleobject.h>
#include <internal/pycore_object.h>
#include <internal/pycore_pystate.h>
#include <internal/pycore_runtime.h>
#if PY_VERSION_HEX < 0x030C0000
#  include <internal/pycore_pylifecycle.h>
#endif
#if defined(__GNUC__) || defined(__clang__)
#  pragma GCC diagnostic pop
#endif

#include <stdbool.h>
#include <stdint.h>

#if PY_VERSION_HEX < 0x030B0000
#  error "opcodetrace needs CPython 3.11 or later"
#endif
#if SIZEOF_VOID_P != 8
#  error "opcodetrace needs a 64-bit machine"
#endif

#ifdef Py_GIL_DISABLED
#  define FREE_THREADED 1
#else
#  define FREE_THREADED 0
#endif

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define COLD __attribute__((noinline, cold))

/* Plain loads and stores where the GIL orders them; relaxed atomics compile to the same. */
#define LOAD(address) __atomic_load_n((address), __ATOMIC_RELAXED)
#define STORE(address, value) __atomic_store_n((address), (value), __ATOMIC_RELAXED)
#define LOAD_ACQUIRE(address) __atomic_load_n((address), __ATOMIC_ACQUIRE)
#define STORE_RELEASE(address, value) __atomic_store_n((address), (value), __ATOMIC_RELEASE)

typedef struct _PyInterpreterFrame Frame;

static inline PyThreadState *
current_thread_state(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    return PyThreadState_GetUnchecked();
#elif PY_VERSION_HEX >= 0x030C0000
    return _PyThreadState_UncheckedGet();
#else
    return _PyThreadState_GET();
#endif
}

static inline Frame *
newest_frame(const PyThreadState *state)
{
#if PY_VERSION_HEX >= 0x030D0000
    return state->current_frame;
#else
    return state->cframe->current_frame;
#endif
}

static inline void
set_newest_frame(PyThreadState *state, Frame *frame)
{
#if PY_VERSION_HEX >= 0x030D0000
    state->current_frame = frame;
#else
    state->cframe->current_frame = frame;
#endif
}

static inline Frame *
current_frame(void)
{
    return newest_frame(current_thread_state());
}

/* The code of a frame of Python code; NULL for the interpreter's own (entry frames, trampolines). */
static inline PyCodeObject *
frame_code(Frame *frame)
{
#if PY_VERSION_HEX >= 0x030E0000
    if (frame->owner >= FRAME_OWNED_BY_INTERPRETER || PyStackRef_IsNull(frame->f_executable)) {
        return NULL;
    }
    PyObject *code = PyStackRef_AsPyObjectBorrow(frame->f_executable);
#elif PY_VERSION_HEX >= 0x030D0000
    if (frame->owner == FRAME_OWNED_BY_CSTACK) {
        return NULL;
    }
    PyObject *code = frame->f_executable;
#elif PY_VERSION_HEX >= 0x030C0000
    if (frame->owner == FRAME_OWNED_BY_CSTACK) {
        return NULL;
    }
    PyObject *code = (PyObject *)frame->f_code;
#else
    PyObject *code = (PyObject *)frame->f_code;
#endif
    return code != NULL && PyCode_Check(code) ? (PyCodeObject *)code : NULL;
}

/* The instruction a frame stands at, in code units from the start. Before 3.13 a frame that called Python code stands at the
   last inline cache entry of the instruction that called. */
static inline int
frame_instruction(Frame *frame, PyCodeObject *code)
{
#if PY_VERSION_HEX >= 0x030E0000
    (void)code;
    return (int)(frame->instr_ptr - _PyFrame_GetBytecode(frame));
#elif PY_VERSION_HEX >= 0x030D0000
    return (int)(frame->instr_ptr - _PyCode_CODE(code));
#else
    return (int)(frame->prev_instr - _PyCode_CODE(code));
#endif
}

/* The instructions that a frame runs. */
static inline const _Py_CODEUNIT *
frame_code_units(Frame *frame, PyCodeObject *code)
{
#if PY_VERSION_HEX >= 0x030E0000
    (void)code;
    return _PyFrame_GetBytecode(frame);
#else
    (void)frame;
    return _PyCode_CODE(code);
#endif
}

static inline uint32_t
type_version(PyTypeObject *type)
{
    return (uint32_t)LOAD(&type->tp_version_tag);
}

/* Looks a name up in the type and its bases; a borrowed reference on GIL builds, a new one on free-threaded builds.
   An exact interned string as name: no Python code runs. */
static inline PyObject *
type_lookup(PyTypeObject *type, PyObject *name)
{
#if FREE_THREADED
    return _PyType_LookupRef(type, name);
#else
    return _PyType_Lookup(type, name);
#endif
}

static inline void
type_lookup_done(PyObject *found)
{
#if FREE_THREADED
    Py_XDECREF(found);
#else
    (void)found;
#endif
}

/* Puts the error indicator aside and back; for the rare paths that call what may set it. */
typedef struct {
    PyObject *type, *value, *traceback;
} Raised;

static inline Raised
put_error_aside(void)
{
    Raised raised = {0};
#if PY_VERSION_HEX >= 0x030C0000
    raised.value = PyErr_GetRaisedException();
#else
    PyErr_Fetch(&raised.type, &raised.value, &raised.traceback);
#endif
    return raised;
}

static inline void
put_error_back(Raised raised)
{
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(raised.value);
#else
    PyErr_Restore(raised.type, raised.value, raised.traceback);
#endif
}

/* ---- dictionaries, looked at without the dictionary's own code ---- */

static inline Py_ssize_t
dict_index_at(const PyDictKeysObject *keys, size_t slot)
{
    int log2_size = keys->dk_log2_size;
    if (log2_size < 8) {
        return ((const int8_t *)keys->dk_indices)[slot];
    }
    if (log2_size < 16) {
        return ((const int16_t *)(const void *)keys->dk_indices)[slot];
    }
    if (log2_size < 32) {
        return ((const int32_t *)(const void *)keys->dk_indices)[slot];
    }
    return (Py_ssize_t)((const int64_t *)(const void *)keys->dk_indices)[slot];
}

/* The entries follow the indices. */
static inline const void *
dict_entries(const PyDictKeysObject *keys)
{
    return (const char *)keys->dk_indices + ((size_t)1 << keys->dk_log2_index_bytes);
}

static inline bool
same_text(PyObject *a, PyObject *b)
{
    return a == b || (PyUnicode_GET_LENGTH(a) == PyUnicode_GET_LENGTH(b) && PyUnicode_KIND(a) == PyUnicode_KIND(b) &&
                      memcmp(PyUnicode_DATA(a), PyUnicode_DATA(b),
                             (size_t)PyUnicode_GET_LENGTH(a) * (size_t)PyUnicode_KIND(a)) == 0);
}

/* The entry of an exact string in a table of keys, or -1. Compares exact strings alone. */
static inline Py_ssize_t
keys_find(const PyDictKeysObject *keys, PyObject *name)
{
    Py_hash_t hash = ((PyASCIIObject *)name)->hash;
    if (hash == -1) {
        hash = PyObject_Hash(name);
    }
    size_t mask = ((size_t)1 << keys->dk_log2_size) - 1;
    size_t perturb = (size_t)hash, slot = (size_t)hash & mask;
    for (;;) {
        Py_ssize_t index = dict_index_at(keys, slot);
        if (index == DKIX_EMPTY) {
            return -1;
        }
        if (index >= 0) {
            PyObject *key;
            if (keys->dk_kind == DICT_KEYS_GENERAL) {
                key = ((const PyDictKeyEntry *)dict_entries(keys))[index].me_key;
            }
            else {
                key = ((const PyDictUnicodeEntry *)dict_entries(keys))[index].me_key;
            }
            if (key == name ||
                (key != NULL && PyUnicode_CheckExact(key) && ((PyASCIIObject *)key)->hash == hash && same_text(key, name))) {
                return index;
            }
        }
        perturb >>= 5;
        slot = (slot * 5 + perturb + 1) & mask;
    }
}

/* Does the dictionary hold this exact string as a key? No code of the dictionary's keys runs. */
static inline PyObject *
dict_find(PyObject *dict, PyObject *name)
{
#if FREE_THREADED
    /* Keys of any type: to look the name up may run their __eq__. Then nothing is said to be there. */
    if (LOAD_ACQUIRE(&((PyDictObject *)dict)->ma_keys)->dk_kind == DICT_KEYS_GENERAL) {
        return NULL;
    }
    Raised raised = put_error_aside();
    PyObject *value = NULL;
    (void)PyDict_GetItemRef(dict, name, &value);
    PyErr_Clear();
    put_error_back(raised);
    /* For comparison with NULL and with other addresses only. */
    Py_XDECREF(value);
    return value;
#else
    PyDictObject *table = (PyDictObject *)dict;
    Py_ssize_t index = keys_find(table->ma_keys, name);
    if (index < 0) {
        return NULL;
    }
    if (table->ma_values != NULL) {
        return table->ma_values->values[index];
    }
    if (table->ma_keys->dk_kind == DICT_KEYS_GENERAL) {
        return ((const PyDictKeyEntry *)dict_entries(table->ma_keys))[index].me_value;
    }
    return ((const PyDictUnicodeEntry *)dict_entries(table->ma_keys))[index].me_value;
#endif
}

static inline bool
dict_has_text_keys_only(PyObject *dict)
{
    return ((PyDictObject *)dict)->ma_keys->dk_kind != DICT_KEYS_GENERAL;
}

/* ---- the memory of an instance ---- */

typedef struct {
    PyObject *dict;        /* its dictionary, where one exists */
    PyDictValues *values;  /* else the values it holds without one */
    bool able;             /* it can have attributes of its own at all */
} InstanceMemory;

static inline InstanceMemory
instance_memory(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    InstanceMemory memory = {NULL, NULL, false};
    if (type->tp_flags & Py_TPFLAGS_MANAGED_DICT) {
        memory.able = true;
#if PY_VERSION_HEX >= 0x030D0000
        memory.dict = (PyObject *)_PyObject_GetManagedDict(object);
        if (memory.dict == NULL && (type->tp_flags & Py_TPFLAGS_INLINE_VALUES)) {
            PyDictValues *values = _PyObject_InlineValues(object);
            memory.values = values->valid ? values : NULL;
        }
#elif PY_VERSION_HEX >= 0x030C0000
        PyDictOrValues both = *_PyObject_DictOrValuesPointer(object);
        if (_PyDictOrValues_IsValues(both)) {
            memory.values = _PyDictOrValues_GetValues(both);
        }
        else {
            memory.dict = _PyDictOrValues_GetDict(both);
        }
#else
        memory.values = *_PyObject_ValuesPointer(object);
        memory.dict = *_PyObject_ManagedDictPointer(object);
#endif
    }
    else if (type->tp_dictoffset != 0) {
        PyObject **place = _PyObject_GetDictPtr(object); /* creates nothing: the dictionary is not a managed one */
        memory.able = place != NULL;
        memory.dict = place == NULL ? NULL : LOAD(place);
    }
    if (memory.dict != NULL && !PyDict_Check(memory.dict)) {
        memory.dict = NULL;
    }
    return memory;
}

/* Does the instance itself hold an attribute of this name? */
static inline bool
instance_has(PyObject *object, PyObject *name)
{
    InstanceMemory memory = instance_memory(object);
    if (memory.dict != NULL) {
        return dict_find(memory.dict, name) != NULL;
    }
    if (memory.values != NULL) {
        PyDictKeysObject *keys = ((PyHeapTypeObject *)Py_TYPE(object))->ht_cached_keys;
        Py_ssize_t index = keys == NULL ? -1 : keys_find(keys, name);
        return index >= 0 && LOAD(&memory.values->values[index]) != NULL;
    }
    return false;
}

#if !FREE_THREADED
/* What the instance itself holds under this name; borrowed, or NULL. */
static inline PyObject *
instance_value(PyObject *object, PyObject *name)
{
    InstanceMemory memory = instance_memory(object);
    if (memory.dict != NULL) {
        return dict_find(memory.dict, name);
    }
    PyDictKeysObject *keys = memory.values == NULL ? NULL : ((PyHeapTypeObject *)Py_TYPE(object))->ht_cached_keys;
    Py_ssize_t index = keys == NULL ? -1 : keys_find(keys, name);
    return index < 0 ? NULL : memory.values->values[index];
}
#endif

/* Can a store of an attribute into this instance run Python code before it stores? (GIL builds) */
static inline bool
instance_store_is_plain(PyObject *object, PyObject *name)
{
    InstanceMemory memory = instance_memory(object);
    if (memory.dict != NULL) {
        return dict_has_text_keys_only(memory.dict);
    }
#if PY_VERSION_HEX >= 0x030C0000
    (void)name;
    return true;
#else
    /* 3.11 collects garbage as it allocates a container: so where the store must make the dictionary, finalisers may run. */
    if (memory.values == NULL) {
        return false;
    }
    PyDictKeysObject *keys = ((PyHeapTypeObject *)Py_TYPE(object))->ht_cached_keys;
    return keys != NULL && (keys->dk_usable > 0 || keys_find(keys, name) >= 0);
#endif
}

#endif
