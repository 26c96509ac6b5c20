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
#if PY_VERSION_HEX >= 0x030E0000
#  include <internal/pycore_lock.h>
#endif
#include <internal/pycore_moduleobject.h>
#include <internal/pycore_object.h>
#include <internal/pycore_pystate.h>
#include <internal/pycore_runtime.h>
#if PY_VERSION_HEX < 0x030C0000
#  include <internal/pycore_pylifecycle.h>
#endif
#include <opcode.h>
#if defined(__GNUC__) || defined(__clang__)
#  pragma GCC diagnostic pop
#endif

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#if PY_VERSION_HEX < 0x030B0000
#  error "opcodetrace needs CPython 3.11 or later"
#endif
#if PY_VERSION_HEX >= 0x030F0000
#  error "this opcodetrace knows CPython up to 3.14: a later one is laid out otherwise"
#endif
#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX < 0x030E0000
#  error "without the GIL opcodetrace needs CPython 3.14 or later"
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

/* Plain loads and stores if the GIL orders them; relaxed atomics compile to the same. */
#define LOAD(address) __atomic_load_n((address), __ATOMIC_RELAXED)
#define STORE(address, value) __atomic_store_n((address), (value), __ATOMIC_RELAXED)
#define LOAD_ACQUIRE(address) __atomic_load_n((address), __ATOMIC_ACQUIRE)
#define STORE_RELEASE(address, value) __atomic_store_n((address), (value), __ATOMIC_RELEASE)

/* 3.13 and later tell of each object that is made; before, the allocator must be wrapped. */
#define HAS_REF_TRACER (PY_VERSION_HEX >= 0x030D0000)

/* Code units of cache after a subscript. */
#if PY_VERSION_HEX >= 0x030E0000
enum { SUBSCRIPT_CACHES = INLINE_CACHE_ENTRIES_BINARY_OP };
#else
enum { SUBSCRIPT_CACHES = INLINE_CACHE_ENTRIES_BINARY_SUBSCR };
#endif

/* By how many code units beyond it a frame may stand that called Python code: before 3.13 at the last of the call's caches. */
#if PY_VERSION_HEX >= 0x030D0000
enum { CALL_STANDS_BEHIND = 0 };
#else
enum { CALL_STANDS_BEHIND = INLINE_CACHE_ENTRIES_CALL };
#endif

/* On 3.11 a coroutine sends to the one that it awaits as anyone does; later the interpreter does it by itself. */
#define AWAITS_BY_CALL (PY_VERSION_HEX < 0x030C0000)

/* From 3.14 on a thread's state has the asyncio task that runs. */
#define STATE_HAS_TASK (PY_VERSION_HEX >= 0x030E0000)

typedef struct _PyInterpreterFrame Frame;

/* Objects/descrobject.c: mappingproxyobject, which no header has. What it shows never changes. */
typedef struct {
    PyObject_HEAD
    PyObject *mapping;
} MappingProxy;

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

#if STATE_HAS_TASK
static inline PyObject *
running_task(PyThreadState *state)
{
    return ((_PyThreadStateImpl *)state)->asyncio_running_task;
}
#endif

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

/* How an instruction calls. */
typedef enum { CALL_PLAIN, CALL_WITH_NAMES, CALL_UNKNOWN } CallShape;

/* What the instruction is specialised to does not matter, only which family it is of. */
static inline CallShape
call_shape(uint8_t opcode)
{
    switch (opcode) {
#if PY_VERSION_HEX >= 0x030D0000
    case CALL_KW:
    case INSTRUMENTED_CALL_KW:
#  if PY_VERSION_HEX >= 0x030E0000
    case CALL_KW_BOUND_METHOD:
    case CALL_KW_NON_PY:
    case CALL_KW_PY:
#  endif
        return CALL_WITH_NAMES;
#endif
#ifdef BEFORE_WITH
    case BEFORE_WITH: /* never looks at the eval breaker */
    case BEFORE_ASYNC_WITH:
#endif
    case BINARY_OP: /* no call: what lies where its result goes is no callee before either */
    case CALL_FUNCTION_EX:
#ifdef INSTRUMENTED_CALL_FUNCTION_EX
    case INSTRUMENTED_CALL_FUNCTION_EX:
#endif
#ifdef INSTRUMENTED_LINE
    case INSTRUMENTED_LINE: /* these two stand in for another instruction */
    case INSTRUMENTED_INSTRUCTION:
#endif
#ifdef ENTER_EXECUTOR
    case ENTER_EXECUTOR:
#endif
        return CALL_UNKNOWN;
    default:
        return CALL_PLAIN;
    }
}

/* Of a frame of another thread, which stands at a call whose lowest operand lay so deep in its value stack: has the result taken that
   operand's place? (GIL builds) */
static inline bool
has_result_at(Frame *frame, PyCodeObject *code, int lowest)
{
#if PY_VERSION_HEX >= 0x030E0000
    /* The stack pointer is written before every call that may leave the interpreter. */
    return frame->stackpointer - (frame->localsplus + code->co_nlocalsplus) == lowest + 1;
#else
    /* Part of the interpreter itself and never a callee: None, a small int. By the address alone: what lies in the value stack of
       another thread may have been freed. */
    const PyObject *object = frame->localsplus[code->co_nlocalsplus + lowest];
    const char *address = (const char *)object, *runtime = (const char *)&_PyRuntime;
    return object == Py_None || object == Py_True || object == Py_False || object == Py_NotImplemented ||
           (address >= runtime && address < runtime + sizeof(_PyRuntime));
#endif
}

/* Around a walk through the interpreter's thread states: foreign threads add theirs without the GIL. Who holds the lock waits for
   nobody, least of all for the GIL, which we keep. (GIL builds) */
static inline void
lock_thread_states(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    /* PyMutex_Lock would give the GIL up if it has to wait. */
    uint8_t *bits = &_PyRuntime.interpreters.mutex._bits, seen = LOAD(bits) & (uint8_t)~_Py_LOCKED;
    while (!__atomic_compare_exchange_n(bits, &seen, seen | _Py_LOCKED, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        if (seen & _Py_LOCKED) {
            sched_yield();
            seen &= (uint8_t)~_Py_LOCKED;
        }
    }
#else
    PyThread_acquire_lock(_PyRuntime.interpreters.mutex, WAIT_LOCK);
#endif
}

static inline void
unlock_thread_states(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    PyMutex_Unlock(&_PyRuntime.interpreters.mutex);
#else
    PyThread_release_lock(_PyRuntime.interpreters.mutex);
#endif
}

/* Are the string's characters where they are looked for? 3.11 still has strings of Py_UNICODE, which old extensions make. */
static inline bool
text_is_ready(PyObject *string)
{
#if PY_VERSION_HEX >= 0x030C0000
    (void)string;
    return true;
#else
    return PyUnicode_IS_READY(string);
#endif
}

/* Is it a type of this name that C code made? A class of the program's may be called the same; its instances are laid out otherwise. */
static inline bool
is_c_type(PyTypeObject *type, const char *name)
{
    bool by_program = (type->tp_flags & Py_TPFLAGS_HEAPTYPE) && !(type->tp_flags & Py_TPFLAGS_IMMUTABLETYPE);
    return !by_program && strcmp(type->tp_name, name) == 0;
}

/* sys.modules as the interpreter itself has it, borrowed; NULL if it is none, and once the interpreter has dropped it as it
   ends: finalisers run even then, and PyImport_GetModuleDict() would be fatal. */
static inline PyObject *
modules_dict(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    PyObject *modules = LOAD(&PyInterpreterState_Get()->imports.modules);
#else
    PyObject *modules = PyInterpreterState_Get()->modules;
#endif
    return modules != NULL && PyDict_CheckExact(modules) ? modules : NULL;
}

/* The frame of a generator or coroutine that does not run. */
static inline Frame *
generator_frame(PyGenObject *generator)
{
#if PY_VERSION_HEX >= 0x030E0000
    return &generator->gi_iframe;
#else
    return (Frame *)(void *)generator->gi_iframe;
#endif
}

/* What a generator or coroutine waits for that is suspended in an `await` or `yield from`; borrowed, NULL if it is in none. */
static inline PyObject *
generator_awaits(PyGenObject *generator)
{
    Frame *frame = generator_frame(generator);
#if PY_VERSION_HEX >= 0x030E0000
    return generator->gi_frame_state == FRAME_SUSPENDED_YIELD_FROM
               ? PyStackRef_AsPyObjectBorrow(frame->stackpointer[-1])
               : NULL;
#elif PY_VERSION_HEX >= 0x030D0000
    return generator->gi_frame_state == FRAME_SUSPENDED_YIELD_FROM ? frame->localsplus[frame->stacktop - 1] : NULL;
#else
    if (generator->gi_frame_state != FRAME_SUSPENDED) {
        return NULL;
    }
    /* It goes on at a RESUME whose argument says after what: 2 is `yield from`, 3 is `await`. */
    uint8_t next[2];
    memcpy(next, &frame->prev_instr[1], sizeof(next));
    bool resumes = next[0] == RESUME;
#  if PY_VERSION_HEX >= 0x030C0000
    resumes = resumes || next[0] == INSTRUMENTED_RESUME;
#  else
    resumes = resumes || next[0] == RESUME_QUICK;
#  endif
    return resumes && next[1] >= 2 ? frame->localsplus[frame->stacktop - 1] : NULL;
#endif
}

/* ---- frames put out of sight ---- */

static inline int *
recursion_remaining(PyThreadState *state)
{
#if PY_VERSION_HEX >= 0x030C0000
    return &state->py_recursion_remaining;
#else
    return &state->recursion_remaining;
#endif
}

static inline int
recursion_limit(PyThreadState *state)
{
#if PY_VERSION_HEX >= 0x030C0000
    return state->py_recursion_limit;
#else
    return state->recursion_limit;
#endif
}

/* How deep in C calls the thread is, by the interpreter's own count; 0 if it keeps none. */
static inline int
c_recursion(PyThreadState *state)
{
#if PY_VERSION_HEX >= 0x030E0000 || PY_VERSION_HEX < 0x030C0000
    (void)state;
    return 0;
#elif PY_VERSION_HEX >= 0x030D0000
    return Py_C_RECURSION_LIMIT - state->c_recursion_remaining;
#else
    return C_RECURSION_LIMIT - state->c_recursion_remaining;
#endif
}

static inline void
forgive_c_recursion(PyThreadState *state, int depth)
{
#if PY_VERSION_HEX >= 0x030C0000 && PY_VERSION_HEX < 0x030E0000
    state->c_recursion_remaining += depth;
#else
    (void)state;
    (void)depth;
#endif
}

static inline int *
unhandled_keyboard_interrupt(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    return &_PyRuntime.signals.unhandled_keyboard_interrupt;
#else
    return &_Py_UnhandledKeyboardInterrupt;
#endif
}

/* ---- objects ---- */

/* Gives an object a reference count that never falls to zero. */
static inline void
make_immortal(PyObject *object)
{
#if FREE_THREADED
    object->ob_tid = _Py_UNOWNED_TID;
    object->ob_ref_local = _Py_IMMORTAL_REFCNT_LOCAL;
    object->ob_ref_shared = 0;
#elif PY_VERSION_HEX >= 0x030E0000
    object->ob_refcnt = _Py_IMMORTAL_INITIAL_REFCNT;
#elif PY_VERSION_HEX >= 0x030C0000
    object->ob_refcnt = _Py_IMMORTAL_REFCNT;
#else
    object->ob_refcnt = PY_SSIZE_T_MAX / 2; /* 3.11 knows no immortal objects: this one just never gets there */
#endif
}

/* The value of an exact int of one digit at most. */
static inline bool
compact_int(PyObject *value, int64_t *number)
{
#if PY_VERSION_HEX >= 0x030C0000
    if (LIKELY(PyUnstable_Long_IsCompact((PyLongObject *)value))) {
        *number = PyUnstable_Long_CompactValue((PyLongObject *)value);
        return true;
    }
#else
    Py_ssize_t size = Py_SIZE(value);
    if (LIKELY(size >= -1 && size <= 1)) {
        *number = size == 0 ? 0 : (int64_t)size * ((PyLongObject *)value)->ob_digit[0];
        return true;
    }
#endif
    return false;
}

/* The digits of an exact int, the least first; `count` of them, PyLong_SHIFT bits each. */
static inline const digit *
int_digits(PyObject *value, Py_ssize_t *count, bool *negative)
{
    const PyLongObject *number = (const PyLongObject *)value;
#if PY_VERSION_HEX >= 0x030C0000
    *count = (Py_ssize_t)(number->long_value.lv_tag >> 3);
    *negative = (number->long_value.lv_tag & 3) == 2;
    return number->long_value.ob_digit;
#else
    *count = Py_ABS(Py_SIZE(number));
    *negative = Py_SIZE(number) < 0;
    return number->ob_digit;
#endif
}

static inline uint32_t
type_version(PyTypeObject *type)
{
    return (uint32_t)LOAD(&type->tp_version_tag);
}

#if FREE_THREADED
/* thread.c: takes a reference over (NULL is none) and gives it up once the hook is through: the last one runs a finaliser. */
PyObject *hold(PyObject *reference);
#endif

/* Gives a reference up that a hook was given. With the GIL another is left: nothing else has run since. */
static inline void
let_go(PyObject *reference)
{
#if FREE_THREADED
    (void)hold(reference);
#else
    Py_XDECREF(reference);
#endif
}

/* Looks a name up in the type and its bases: what it finds is there as long as the hook lasts. An exact interned string as name:
   no Python code runs. */
static inline PyObject *
type_lookup(PyTypeObject *type, PyObject *name)
{
#if FREE_THREADED
    return hold(_PyType_LookupRef(type, name));
#else
    return _PyType_Lookup(type, name);
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

/* The type of an exception that has no traceback yet; NULL if it has one. */
static inline PyTypeObject *
raised_type(const Raised *raised)
{
#if PY_VERSION_HEX >= 0x030C0000
    return raised->value != NULL && ((PyBaseExceptionObject *)raised->value)->traceback == NULL ? Py_TYPE(raised->value)
                                                                                                : NULL;
#else
    return raised->traceback == NULL && raised->type != NULL && PyType_Check(raised->type)
               ? (PyTypeObject *)raised->type
               : NULL;
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

/* The key of an entry; NULL if it has none, or (without the GIL) not yet. */
static inline PyObject *
keys_entry_key(const PyDictKeysObject *keys, Py_ssize_t index)
{
    if (keys->dk_kind == DICT_KEYS_GENERAL) {
        return LOAD_ACQUIRE(&((const PyDictKeyEntry *)dict_entries(keys))[index].me_key);
    }
    return LOAD_ACQUIRE(&((const PyDictUnicodeEntry *)dict_entries(keys))[index].me_key);
}

/* The entry of a key with this hash that is the one looked for, or -1. */
#define KEYS_SEARCH(keys, hash, is_it)                                                                                 \
    size_t mask = ((size_t)1 << (keys)->dk_log2_size) - 1;                                                             \
    size_t perturb = (size_t)(hash), slot = (size_t)(hash) & mask;                                                     \
    for (;;) {                                                                                                         \
        Py_ssize_t index = dict_index_at((keys), slot);                                                                \
        if (index == DKIX_EMPTY) {                                                                                     \
            return -1;                                                                                                 \
        }                                                                                                              \
        if (index >= 0) {                                                                                              \
            PyObject *key = keys_entry_key((keys), index);                                                             \
            if (key != NULL && (is_it)) {                                                                              \
                return index;                                                                                          \
            }                                                                                                          \
        }                                                                                                              \
        perturb >>= 5;                                                                                                 \
        slot = (slot * 5 + perturb + 1) & mask;                                                                        \
    }

/* The entry of an exact string in a table of keys, or -1. Compares exact strings alone. */
static inline Py_ssize_t
keys_find(const PyDictKeysObject *keys, PyObject *name)
{
    Py_hash_t hash = LOAD(&((PyASCIIObject *)name)->hash);
    if (hash == -1) {
        hash = PyObject_Hash(name);
    }
    KEYS_SEARCH(keys, hash,
                key == name ||
                    (PyUnicode_CheckExact(key) && LOAD(&((PyASCIIObject *)key)->hash) == hash && same_text(key, name)))
}

/* The entry of an exact int, or -1; one that is its own hash. */
static inline Py_ssize_t
keys_find_int(const PyDictKeysObject *keys, unsigned long number)
{
    if (keys->dk_kind != DICT_KEYS_GENERAL) {
        return -1;
    }
    KEYS_SEARCH(keys, number, PyLong_CheckExact(key) && PyLong_AsUnsignedLongMask(key) == number)
}

/* Where the value of a dictionary's entry lies. */
static inline PyObject **
dict_value_place(PyDictObject *table, Py_ssize_t index)
{
    if (table->ma_values != NULL) {
        return &table->ma_values->values[index];
    }
    if (table->ma_keys->dk_kind == DICT_KEYS_GENERAL) {
        return &((PyDictKeyEntry *)(uintptr_t)dict_entries(table->ma_keys))[index].me_value;
    }
    return &((PyDictUnicodeEntry *)(uintptr_t)dict_entries(table->ma_keys))[index].me_value;
}

/* Without the GIL another thread may put a new table in a dictionary's place and free the old one: it is locked as long as we look. */
#if FREE_THREADED
#  define LOCK_OBJECT_WHILE(object, statement)                                                                         \
    do {                                                                                                               \
        PyCriticalSection section;                                                                                     \
        PyCriticalSection_Begin(&section, (object));                                                                   \
        statement;                                                                                                     \
        PyCriticalSection_End(&section);                                                                               \
    } while (0)
#else
#  define LOCK_OBJECT_WHILE(object, statement) statement
#endif

/* The object is locked. */
static inline PyObject *
dict_value(PyDictObject *table, Py_ssize_t index)
{
    PyObject *value = index < 0 ? NULL : LOAD(dict_value_place(table, index));
#if FREE_THREADED
    return Py_XNewRef(value);
#else
    return value;
#endif
}

/* What the dictionary holds for this exact string, as long as the hook lasts; NULL: nothing. None of the code of its keys runs. */
static inline PyObject *
dict_find(PyObject *dict, PyObject *name)
{
    PyDictObject *table = (PyDictObject *)dict;
    PyObject *value;
    LOCK_OBJECT_WHILE(dict, value = dict_value(table, keys_find(table->ma_keys, name)));
#if FREE_THREADED
    hold(value);
#endif
    return value;
}

/* The same for an exact int that is its own hash. */
static inline PyObject *
dict_find_int(PyObject *dict, unsigned long number)
{
    PyDictObject *table = (PyDictObject *)dict;
    PyObject *value;
    LOCK_OBJECT_WHILE(dict, value = dict_value(table, keys_find_int(table->ma_keys, number)));
#if FREE_THREADED
    hold(value);
#endif
    return value;
}

/* The entry of a key with this hash, or -1. */
static inline Py_ssize_t
keys_find_hash(const PyDictKeysObject *keys, Py_hash_t hash)
{
    if (keys->dk_kind == DICT_KEYS_GENERAL) {
        KEYS_SEARCH(keys, hash, ((const PyDictKeyEntry *)dict_entries(keys))[index].me_hash == hash)
    }
    else {
        KEYS_SEARCH(keys, hash, LOAD(&((PyASCIIObject *)key)->hash) == hash)
    }
}

/* Is it certain that the dictionary has no such key? Of a key that is hashed without running Python code. */
static inline bool
dict_lacks(PyObject *dict, PyObject *key)
{
    PyDictObject *table = (PyDictObject *)dict;
    Py_hash_t hash = PyUnicode_CheckExact(key) ? LOAD(&((PyASCIIObject *)key)->hash) : -1;
    if (hash == -1) {
        hash = PyObject_Hash(key);
    }
    Py_ssize_t index;
    LOCK_OBJECT_WHILE(dict, index = keys_find_hash(table->ma_keys, hash));
    return index < 0;
}

/* (GIL builds) */
static inline bool
dict_has_text_keys_only(PyObject *dict)
{
    return ((PyDictObject *)dict)->ma_keys->dk_kind != DICT_KEYS_GENERAL;
}

/* ---- the memory of an instance ---- */

typedef struct {
    PyObject *dict;        /* its dictionary, if one exists */
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
#if FREE_THREADED
        PyObject **place = (PyObject **)&_PyObject_ManagedDictPointer(object)->dict;
        PyObject *dict = _Py_TryXGetRef(place);
        if (dict == NULL && LOAD(place) != NULL) { /* see instance_value */
            LOCK_OBJECT_WHILE(object, dict = Py_XNewRef(*place));
        }
        memory.dict = hold(dict);
        if (memory.dict == NULL && (type->tp_flags & Py_TPFLAGS_INLINE_VALUES)) {
            PyDictValues *values = _PyObject_InlineValues(object);
            memory.values = LOAD_ACQUIRE(&values->valid) ? values : NULL;
        }
#elif PY_VERSION_HEX >= 0x030D0000
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
#if FREE_THREADED
        memory.dict = place == NULL ? NULL : hold(_Py_TryXGetRef(place));
#else
        memory.dict = place == NULL ? NULL : *place;
#endif
    }
    if (memory.dict != NULL && !PyDict_Check(memory.dict)) {
        memory.dict = NULL;
    }
    return memory;
}

/* The attribute of this name that the instance itself holds, as long as the hook lasts; NULL: none. */
static inline PyObject *
instance_value(PyObject *object, PyObject *name)
{
    InstanceMemory memory = instance_memory(object);
    if (memory.dict != NULL) {
        return dict_find(memory.dict, name);
    }
    if (memory.values != NULL) {
        PyDictKeysObject *keys = ((PyHeapTypeObject *)Py_TYPE(object))->ht_cached_keys;
        Py_ssize_t index = keys == NULL ? -1 : keys_find(keys, name);
        if (index >= 0) {
#if FREE_THREADED
            PyObject *value = _Py_TryXGetRef(&memory.values->values[index]);
            if (value == NULL) { /* perhaps an object that the thread which made it shares with no other yet */
                LOCK_OBJECT_WHILE(object, value = _PyObject_ManagedDictPointer(object)->dict == NULL
                                                      ? Py_XNewRef(memory.values->values[index])
                                                      : NULL);
            }
            return hold(value);
#else
            return memory.values->values[index];
#endif
        }
    }
    return NULL;
}

/* Does the instance itself hold an attribute of this name? */
static inline bool
instance_has(PyObject *object, PyObject *name)
{
    return instance_value(object, name) != NULL;
}

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
    /* 3.11 collects garbage as it allocates a container: so if the store must make the dictionary, finalisers may run. */
    if (memory.values == NULL) {
        return false;
    }
    PyDictKeysObject *keys = ((PyHeapTypeObject *)Py_TYPE(object))->ht_cached_keys;
    return keys != NULL && (keys->dk_usable > 0 || keys_find(keys, name) >= 0);
#endif
}

/* ---- locks ---- */

/* The thread that holds an RLock; 0: none. (Modules/_threadmodule.c, rlockobject.) */
static inline unsigned long long
rlock_owner(PyObject *lock)
{
#if PY_VERSION_HEX >= 0x030E0000
    const struct {
        PyObject_HEAD
        _PyRecursiveMutex mutex;
    } *state = (const void *)lock;
    return LOAD(&state->mutex.thread);
#else
    const struct {
        PyObject_HEAD
        PyThread_type_lock lock;
        unsigned long owner;
        unsigned long count;
    } *state = (const void *)lock;
    return LOAD(&state->count) == 0 ? 0 : LOAD(&state->owner);
#endif
}

#endif
