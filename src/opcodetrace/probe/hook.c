#include "hook.h"
#include "activation.h"
#include "code.h"
#include "failure.h"
#include "iterator.h"
#include "switch.h"
#include "sync.h"
#include "uncaught.h"

/* Everything here runs between two instructions of the program. It calls no Python code, keeps no reference to the program's
   objects, allocates no Python object and never fails. */

/* ---- what hooks share ---- */

/* An operation that makes no access, begun while others are pending: so that the hook after it does not take one that raised
   at the same place for it. */
static inline void
pending_nothing(Thread *thread, uint32_t site, uint64_t frame)
{
    if (UNLIKELY(thread->depth > 0)) {
        pending_push(thread, site, frame);
    }
}

/* A write or deletion: emitted at once if it cannot fail and nothing comes between, else pending. */
static inline void
store(Thread *thread, const Hook *hook, unsigned kind, uint64_t container, Datum key, Datum value, bool exact)
{
    uint64_t frame = activation_word(thread);
    if (!FREE_THREADED && LIKELY(exact)) {
        emit(thread, kind, hook->site, container, key, value, frame, EXACT, 0);
        pending_nothing(thread, hook->site, frame);
        return;
    }
    Pending *pending = pending_push(thread, hook->site, frame);
    pending->kind = (uint8_t)kind;
    pending->container = container;
    pending->key = key;
    pending->value = value;
}

/* A pending access ends. If its container died meanwhile, another object may soon live there: the access is shut off. */
static inline uint64_t
finish(Thread *thread, const Pending *begun, Datum value)
{
    uint64_t seq = emit(thread, begun->kind, begun->site, begun->container, begun->key, value, begun->frame,
                        begun->earliest, begun->quiet);
    if (UNLIKELY(!birth_is_known(begun->container))) {
        thread_emit_birth(begun->container & ADDRESS_MASK);
    }
    return seq;
}

/* ---- subscripts ---- */

/* The constant key of a hook; what it is in a mapping is worked out once. */
static inline Datum
constant_key(Thread *thread, Hook *hook)
{
    uint64_t text = LOAD_ACQUIRE(&hook->key_text);
    if (LIKELY(text >> 32 == thread->round)) {
        return (Datum){.word = (uint32_t)text, .sort = hook->key_tag | (uint64_t)(PLAIN | LASTING)};
    }
    Datum key = mapping_key(thread, hook->name);
    unsigned tag = tag_of(key);
    if ((key.sort & LASTING) && (tag == TAG_STR || tag == TAG_BYTES || tag == TAG_TUPLE)) {
        hook->key_tag = (uint8_t)tag;
        STORE_RELEASE(&hook->key_text, (uint64_t)thread->round << 32 | key.word);
    }
    return key;
}

/* The key of an item; PLAIN if the access cannot run Python code before it is done, which is worked out if `ordered`. */
static inline Datum
item_key(Thread *thread, Hook *hook, Service service, PyObject *container, PyObject *key, bool constant, bool ordered)
{
    Datum datum;
    switch (service) {
    case LIST_ITEM:
        if (constant && LIKELY((uint64_t)hook->index < (uint64_t)PyList_GET_SIZE(container))) {
            return (Datum){.word = (uint64_t)hook->index, .sort = TAG_INT | PLAIN};
        }
        datum = sequence_key(thread, key, PyList_GET_SIZE(container));
        if (UNLIKELY(tag_of(datum) != TAG_INT)) {
            datum.sort &= ~(uint64_t)PLAIN;
        }
        return datum;
    case DICT_ITEM:
        datum = constant ? constant_key(thread, hook) : mapping_key(thread, key);
        if (ordered && !((datum.sort & PLAIN) && mapping_is_plain(container, key))) {
            datum.sort &= ~(uint64_t)PLAIN;
        }
        return datum;
    case DICT_ITEM_OR_MISSING:
        datum = constant ? constant_key(thread, hook) : mapping_key(thread, key);
        break;
    case SIZED_ITEM:
        datum = sequence_key(thread, key, Py_SIZE(container));
        break;
    default:
        datum = PyDict_Check(container) || Py_IS_TYPE(container, &PyDictProxy_Type) ? mapping_key(thread, key)
                                                                                    : sequence_key(thread, key, -1);
    }
    datum.sort &= ~(uint64_t)PLAIN;
    return datum;
}

static inline void
item_begin(Thread *thread, Hook *hook, PyObject *container, PyObject *key)
{
    Pending *pending = pending_push(thread, hook->site, activation_word(thread));
    Service service = service_of_item(&hook->verdict, container, READING);
    if (service == SERVED_BY_CODE) {
        return;
    }
    if (UNLIKELY(service == FOREIGN_ITEM)) {
        container = behind_proxy(container);
    }
    Datum datum = item_key(thread, hook, service, container, key, false, false);
    pending->container = container_word(thread, container);
    if (UNLIKELY(datum.sort & RAISES)) {
        pending->key = WHOLE;
        pending->failing = READ;
        return;
    }
    pending->key = datum;
    pending->kind = (uint8_t)key_flags(READ, datum);
}

/* If __missing__ may have run (GIL builds): does the dictionary hold that very value now, so that it is as if it had been
   read just now? */
static bool
is_there_now(Thread *thread, Hook *hook, PyObject *dict, PyObject *value)
{
    if (!(constant_key(thread, hook).sort & PLAIN) || !mapping_is_plain(dict, hook->name)) {
        return false;
    }
    Raised raised = put_error_aside();
    bool there = PyDict_GetItemWithError(dict, hook->name) == value;
    PyErr_Clear();
    put_error_back(raised);
    return there;
}

static inline void
item_read(Thread *thread, Hook *hook, PyObject *container, PyObject *value)
{
    Service service = service_of_item(&hook->verdict, container, READING);
    if (service == SERVED_BY_CODE) {
        return;
    }
    if (UNLIKELY(service == FOREIGN_ITEM)) {
        container = behind_proxy(container);
    }
    Datum key = item_key(thread, hook, service, container, hook->name, true, !FREE_THREADED);
    Datum datum = value_datum(thread, value);
    uint64_t word = container_word(thread, container);
    emit(thread, key_flags(READ, key), hook->site, word, key, datum, activation_word(thread),
         !FREE_THREADED && ((key.sort & PLAIN) ||
                            (service == DICT_ITEM_OR_MISSING && is_there_now(thread, hook, container, value)))
             ? EXACT
             : thread->last,
         thread->last_quiet);
}

/* Of a store or (value NULL) a deletion. */
static inline void
item_store(Thread *thread, Hook *hook, PyObject *container, PyObject *key, PyObject *value, bool constant)
{
    Service service = service_of_item(&hook->verdict, container, value == NULL ? ERASING : STORING);
    if (LIKELY(service != SERVED_BY_CODE)) {
        Datum datum = item_key(thread, hook, service, container, key, constant, !FREE_THREADED && value != NULL);
        if (LIKELY(!(datum.sort & RAISES))) {
            Datum stored = value == NULL ? ABSENT : value_datum(thread, value);
            bool plain = value != NULL && (datum.sort & PLAIN);
            bool hashes = plain || PyUnicode_CheckExact(key) || PyLong_CheckExact(key); /* without running code */
            bool adds = value != NULL && hashes && PyDict_Check(container) && dict_lacks(container, key);
            unsigned kind = value == NULL ? DELETE : adds ? WRITE | RESIZES : WRITE;
            store(thread, hook, key_flags(kind, datum), container_word(thread, container), datum, stored, plain);
            return;
        }
        Pending *pending = pending_push(thread, hook->site, activation_word(thread));
        pending->container = container_word(thread, container);
        pending->key = WHOLE;
        pending->failing = READ;
        return;
    }
    pending_nothing(thread, hook->site, activation_word(thread));
}

/* The size of a container whose slices are known to be memory; -1 if it is not. */
static inline Py_ssize_t
slice_size(Service service, PyObject *container)
{
    return service == LIST_ITEM ? PyList_GET_SIZE(container) : service == SIZED_ITEM ? Py_SIZE(container) : -1;
}

static inline Datum
slice_bounds(Thread *thread, uint64_t frame, Py_ssize_t size)
{
    PyObject *start = thread->start, *stop = thread->stop;
    thread->start = NULL;
    if (start == NULL || thread->bounds_frame != frame) {
        return ABSENT;
    }
    return slice_key(start, stop, Py_None, size);
}

static inline void
slice_begin(Thread *thread, Hook *hook, PyObject *container)
{
    uint64_t frame = activation_word(thread);
    Pending *pending = pending_push(thread, hook->site, frame);
    Service service = service_of_item(&hook->verdict, container, READING);
    if (service != SERVED_BY_CODE) {
        pending->key = slice_bounds(thread, frame, slice_size(service, container));
        pending->container = container_word(thread, container);
        pending->kind = READ;
    }
}

static inline void
slice_store(Thread *thread, Hook *hook, PyObject *container, PyObject *value)
{
    Service service = service_of_item(&hook->verdict, container, STORING);
    if (service != SERVED_BY_CODE) {
        Datum key = slice_bounds(thread, activation_word(thread), slice_size(service, container));
        Datum datum = value_datum(thread, value);
        store(thread, hook, WRITE, container_word(thread, container), key, datum, false);
        return;
    }
    pending_nothing(thread, hook->site, activation_word(thread));
}

/* ---- attributes ---- */

static inline uint64_t
globals_word(Thread *thread, PyObject *module, unsigned *kind)
{
    PyObject *dict = ((PyModuleObject *)module)->md_dict;
    *kind |= MODULE;
    return dict == NULL ? 0 : container_word(thread, dict);
}

static inline void
attr_begin(Thread *thread, Hook *hook, PyObject *object)
{
    Pending *pending = pending_push(thread, hook->site, activation_word(thread));
    unsigned kind = READ;
    PyObject *dict;
    if (UNLIKELY(hook->name == dict_name)) {
        if (has_plain_dict(object)) {
            pending->container = container_word(thread, object);
            pending->key = ABSENT;
            pending->kind = ALIAS;
        }
        return;
    }
    switch (service_of_attribute(&hook->verdict, object, hook->name, READING)) {
    case INSTANCE_IF_THERE:
        if (!instance_has(object, hook->name)) {
            return;
        }
        __attribute__((fallthrough));
    case INSTANCE:
    case SLOT:
    case CLASS_ATTRIBUTE:
        pending->container = container_word(thread, object);
        break;
    case MODULE_GLOBAL:
        dict = ((PyModuleObject *)object)->md_dict;
        if (dict == NULL) {
            return;
        }
        pending->container = globals_word(thread, object, &kind);
        pending->key = NAME;
        if (dict_find(dict, hook->name) == NULL) { /* the module's __getattr__ serves it, or it fails */
            pending->failing = (uint8_t)kind;
            return;
        }
        break;
    default:
        return;
    }
    pending->key = NAME;
    pending->kind = (uint8_t)kind;
}

static inline void
attr_read(Thread *thread, Hook *hook, PyObject *object, PyObject *value)
{
    unsigned kind = READ;
    bool exact = !FREE_THREADED;
    uint64_t container;
    PyObject *dict;
    switch (service_of_attribute(&hook->verdict, object, hook->name, READING)) {
    case INSTANCE_IF_THERE:
        if (!instance_has(object, hook->name)) {
            return;
        }
        exact = false; /* the descriptor's own code may have put it there just now */
        __attribute__((fallthrough));
    case INSTANCE:
    case SLOT:
    case CLASS_ATTRIBUTE:
        container = container_word(thread, object);
        break;
    case MODULE_GLOBAL:
        dict = ((PyModuleObject *)object)->md_dict;
        if (dict == NULL ||
            (FREE_THREADED ? dict_find(dict, hook->name) == NULL : dict_find(dict, hook->name) != value)) {
            return;
        }
        container = globals_word(thread, object, &kind);
        break;
    default:
        return;
    }
    Datum datum = value_datum(thread, value);
    emit(thread, kind, hook->site, container, NAME, datum, activation_word(thread), exact ? EXACT : thread->last,
         thread->last_quiet);
}

/* Of a store or (value NULL) a deletion. */
static inline void
attr_store(Thread *thread, Hook *hook, PyObject *object, PyObject *value)
{
    unsigned kind = value == NULL ? DELETE : WRITE;
    bool exact = value != NULL;
    uint64_t container;
    switch (service_of_attribute(&hook->verdict, object, hook->name, value == NULL ? ERASING : STORING)) {
    case INSTANCE:
        exact = exact && !FREE_THREADED && instance_store_is_plain(object, hook->name);
        __attribute__((fallthrough));
    case SLOT:
    case CLASS_ATTRIBUTE:
        container = container_word(thread, object);
        break;
    case MODULE_GLOBAL:
        container = globals_word(thread, object, &kind);
        break;
    default:
        if (UNLIKELY(hook->name == name_of_threads) && value != NULL) {
            thread_renamed(thread, object, value);
        }
        pending_nothing(thread, hook->site, activation_word(thread));
        return;
    }
    store(thread, hook, kind, container, NAME, value == NULL ? ABSENT : value_datum(thread, value), exact);
}

/* ---- globals, names, cells ---- */

/* A dictionary that the interpreter reads and writes as it is; NULL otherwise. */
static inline PyObject *
plain_dict(PyObject *dict)
{
    return dict != NULL && PyDict_CheckExact(dict) ? dict : NULL;
}

static inline void
global_read(Thread *thread, Hook *hook, Frame *frame, PyObject *value)
{
    PyObject *globals = frame->f_globals;
    if (globals == NULL || !PyDict_Check(globals)) {
        return;
    }
    bool exact = !FREE_THREADED && PyDict_CheckExact(globals) && dict_has_text_keys_only(globals);
    Datum datum = value_datum(thread, value);
    emit(thread, READ, hook->site, container_word(thread, globals), NAME, datum, activation_word(thread),
         exact ? EXACT : thread->last, thread->last_quiet);
}

/* Of a store or (value NULL) a deletion. */
static inline void
global_store(Thread *thread, Hook *hook, PyObject *namespace, PyObject *value)
{
    if (namespace == NULL || !PyDict_Check(namespace)) {
        pending_nothing(thread, hook->site, activation_word(thread));
        return;
    }
    store(thread, hook, value == NULL ? DELETE : WRITE, container_word(thread, namespace), NAME,
          value == NULL ? ABSENT : value_datum(thread, value), value != NULL);
}

static inline void
name_read(Thread *thread, Hook *hook, Frame *frame, PyObject *value)
{
    PyObject *locals = frame->f_locals;
    if (locals == NULL || locals == frame->f_globals) {
        global_read(thread, hook, frame, value);
        return;
    }
    if (plain_dict(locals) == NULL) {
        return; /* a namespace of __prepare__: its own code may serve it */
    }
    if (dict_find(locals, hook->name) == NULL) {
        global_read(thread, hook, frame, value);
        return;
    }
    Datum datum = value_datum(thread, value);
    emit(thread, READ, hook->site, container_word(thread, locals), NAME, datum, activation_word(thread),
         FREE_THREADED ? thread->last : EXACT, thread->last_quiet);
}

static inline void
name_store(Thread *thread, Hook *hook, Frame *frame, PyObject *value)
{
    PyObject *locals = frame->f_locals;
    if (locals == NULL || locals == frame->f_globals) {
        global_store(thread, hook, frame->f_globals, value);
    }
    else {
        global_store(thread, hook, plain_dict(locals), value);
    }
}

static inline void
cell_read(Thread *thread, Hook *hook, PyObject *cell, PyObject *value)
{
    Frame *frame = current_frame();
    /* In a class body the value may come out of its namespace. */
    if (!PyCell_Check(cell) || (frame->f_locals != NULL && LOAD(&((PyCellObject *)cell)->ob_ref) != value)) {
        return;
    }
    Datum datum = value_datum(thread, value);
    emit(thread, READ, hook->site, container_word(thread, cell), NAME, datum, activation_word(thread),
         FREE_THREADED ? thread->last : EXACT, thread->last_quiet);
}

static inline void
cell_store(Thread *thread, Hook *hook, PyObject *cell, PyObject *value)
{
    if (!PyCell_Check(cell)) {
        pending_nothing(thread, hook->site, activation_word(thread));
        return;
    }
    store(thread, hook, value == NULL ? DELETE : WRITE, container_word(thread, cell), NAME,
          value == NULL ? ABSENT : value_datum(thread, value), value != NULL);
}

/* ---- the hook itself ---- */

#define PERFORMER(action) static void do_##action(Thread *thread, Hook *hook, PyObject *key, PyObject *value)
#define UNUSED_KEY (void)key
#define UNUSED_VALUE (void)value

static inline void
leave(Thread *thread)
{
    thread->last = spool_next();
    thread->last_quiet = thread->quiet;
}

PERFORMER(ITEM_BEGIN)
{
    item_begin(thread, hook, key, value);
    leave(thread);
}

PERFORMER(SLICE_BOUNDS)
{
    (void)hook;
    thread->start = key;
    thread->stop = value;
    thread->bounds_frame = activation_word(thread);
    leave(thread);
}

PERFORMER(SLICE_BEGIN)
{
    UNUSED_VALUE;
    slice_begin(thread, hook, key);
    leave(thread);
}

PERFORMER(ATTR_BEGIN)
{
    UNUSED_VALUE;
    attr_begin(thread, hook, key);
    leave(thread);
}

PERFORMER(READ_END)
{
    UNUSED_KEY;
    Pending *begun = pending_pop(thread, hook->site, activation_word(thread));
    if (UNLIKELY(begun == NULL)) {
        spool_miss();
    }
    else if (LIKELY(begun->kind != 0)) {
        PyObject *read = UNLIKELY(begun->kind == ALIAS) ? behind_proxy(value) : value;
        finish(thread, begun, value_datum(thread, read));
    }
    leave(thread);
}

PERFORMER(ITEM_READ)
{
    item_read(thread, hook, key, value);
    leave(thread);
}

PERFORMER(ATTR_READ)
{
    attr_read(thread, hook, key, value);
    leave(thread);
}

PERFORMER(ITEM_TARGET)
{
    (void)hook;
    thread->target = key;
    thread->target_key = value;
    leave(thread);
}

PERFORMER(ITEM_VALUE)
{
    UNUSED_KEY;
    PyObject *container = thread->target;
    thread->target = NULL;
    if (LIKELY(container != NULL)) {
        item_store(thread, hook, container, thread->target_key, value, false);
    }
    leave(thread);
}

PERFORMER(ITEM_STORE)
{
    item_store(thread, hook, key, hook->name, value, true);
    leave(thread);
}

PERFORMER(SLICE_STORE)
{
    slice_store(thread, hook, key, value);
    leave(thread);
}

PERFORMER(ITEM_DELETE)
{
    item_store(thread, hook, key, value, NULL, false);
    leave(thread);
}

PERFORMER(ATTR_STORE)
{
    attr_store(thread, hook, key, value);
    leave(thread);
}

PERFORMER(ATTR_DELETE)
{
    UNUSED_VALUE;
    attr_store(thread, hook, key, NULL);
    leave(thread);
}

PERFORMER(WRITE_END)
{
    UNUSED_KEY;
    UNUSED_VALUE;
    if (UNLIKELY(thread->depth > 0)) {
        Pending *begun = pending_pop(thread, hook->site, activation_word(thread));
        if (begun != NULL && begun->kind != 0) {
            finish(thread, begun, begun->value);
        }
        else if (begun == NULL && thread->dropped) {
            spool_miss();
        }
    }
    leave(thread);
}

PERFORMER(GLOBAL_READ)
{
    UNUSED_KEY;
    global_read(thread, hook, current_frame(), value);
    leave(thread);
}

PERFORMER(GLOBAL_STORE)
{
    UNUSED_KEY;
    global_store(thread, hook, current_frame()->f_globals, value);
    leave(thread);
}

PERFORMER(GLOBAL_DELETE)
{
    UNUSED_KEY;
    UNUSED_VALUE;
    global_store(thread, hook, current_frame()->f_globals, NULL);
    leave(thread);
}

PERFORMER(NAME_READ)
{
    UNUSED_KEY;
    name_read(thread, hook, current_frame(), value);
    leave(thread);
}

PERFORMER(NAME_STORE)
{
    UNUSED_KEY;
    name_store(thread, hook, current_frame(), value);
    leave(thread);
}

PERFORMER(NAME_DELETE)
{
    UNUSED_KEY;
    UNUSED_VALUE;
    name_store(thread, hook, current_frame(), NULL);
    leave(thread);
}

PERFORMER(CELL_READ)
{
    cell_read(thread, hook, key, value);
    leave(thread);
}

PERFORMER(CELL_STORE)
{
    cell_store(thread, hook, key, value);
    leave(thread);
}

PERFORMER(CELL_DELETE)
{
    UNUSED_VALUE;
    cell_store(thread, hook, key, NULL);
    leave(thread);
}

/* ---- containers as a whole ---- */

PERFORMER(HAS_BEGIN)
{
    Pending *pending = pending_push(thread, hook->site, activation_word(thread));
    PyObject *container = behind_keys(behind_proxy(key));
    bool by_key;
    if (contains_items(container, &by_key)) {
        pending->key = by_key ? mapping_key(thread, value) : WHOLE;
        pending->value = by_key ? ABSENT : value_datum(thread, value);
        pending->container = container_word(thread, container);
        pending->kind = (uint8_t)key_flags(READ, pending->key);
    }
    leave(thread);
}

/* Iterated over; or, with a name, asked whether it is true. */
PERFORMER(WHOLE_READ)
{
    UNUSED_VALUE;
    PyObject *container = hook->name == Py_True ? (tells_its_truth(key) ? key : NULL)
                          : is_container(key)   ? key
                                                : iterable_container(key);
    if (container != NULL) {
        uint64_t word = container_word(thread, container);
        Datum size = container == key && hook->name == Py_True ? size_datum(size_of(key)) : ABSENT;
        emit(thread, READ, hook->site, word, WHOLE, size, activation_word(thread), EXACT, 0);
    }
    leave(thread);
}

/* ---- synchronisation by library code ---- */

PERFORMER(SYNC_BEGIN)
{
    UNUSED_VALUE;
    const char *name = PyUnicode_AsUTF8(hook->name);
    if (name == NULL) {
        PyErr_Clear();
        return;
    }
    unsigned direct;
    uint32_t site = sync_site(1, &direct);
    sync_emit(thread, site, key, name, SYNC_BEGINS | direct, 0, EXACT, 0);
    Pending *pending = pending_push(thread, hook->site, activation_word(thread));
    pending->container = (uint64_t)(uintptr_t)key;
    pending->value.word = sync_clock();
    leave(thread);
}

PERFORMER(SYNC_END)
{
    UNUSED_KEY;
    Pending *begun = pending_pop(thread, hook->site, activation_word(thread));
    const char *name = PyUnicode_AsUTF8(hook->name);
    if (begun != NULL && name != NULL) {
        /* `self` is still there: a local of this very frame that its function never assigns. */
        unsigned direct;
        uint32_t site = sync_site(1, &direct);
        sync_emit(thread, site, (PyObject *)(uintptr_t)begun->container, name,
                  direct | (value == Py_False ? SYNC_FAILED : 0), sync_clock() - begun->value.word, begun->earliest,
                  begun->quiet);
    }
    PyErr_Clear();
    leave(thread);
}

/* The same of a coroutine: other tasks of the thread begin and end such ones meanwhile, so nothing is kept between the two. */
static void
sync_of_coroutine(Thread *thread, const Hook *hook, PyObject *object, unsigned flags)
{
    const char *name = PyUnicode_AsUTF8(hook->name);
    if (name != NULL) {
        unsigned direct;
        uint32_t site = sync_site(1, &direct);
        sync_emit(thread, site, object, name, flags | direct, 0, EXACT, 0);
    }
    PyErr_Clear();
    leave(thread);
}

PERFORMER(SYNC_AWAIT)
{
    UNUSED_VALUE;
    sync_of_coroutine(thread, hook, key, SYNC_BEGINS);
}

PERFORMER(SYNC_AWAITED)
{
    sync_of_coroutine(thread, hook, key, value == Py_False ? SYNC_FAILED : 0);
}

/* ---- callbacks of an event loop ---- */

/* A callback is made, which the loop is to run. The owner of one that is to run later is itself; others run in the order in which
   they were made. */
PERFORMER(SCHEDULE)
{
    UNUSED_VALUE;
    (void)hook;
    bool is_timer = strcmp(Py_TYPE(key)->tp_name, "TimerHandle") == 0;
    sync_emit_callback(thread, "schedule", key, is_timer ? key : NULL);
    leave(thread);
}

/* The loop runs it next: `step_begins` tells of it, which knows whether it is a task's step. */
PERFORMER(RUN)
{
    UNUSED_VALUE;
    (void)hook;
    thread->callback = key;
    leave(thread);
}

PERFORMER(COMPUTE)
{
    UNUSED_KEY;
    emit(thread, COMPUTE, hook->site, 0, ABSENT, value_datum(thread, value), activation_word(thread), EXACT, 0);
    leave(thread);
}

PERFORMER(ENTER)
{
    UNUSED_KEY;
    UNUSED_VALUE;
    Frame *frame = current_frame();
    if (UNLIKELY(!activation_begins(thread, frame))) {
        emit(thread, ENTER, hook->site, 0, ABSENT, ABSENT, frame_word(frame), EXACT, 0);
    }
    leave(thread);
}

PERFORMER(DEFINE)
{
    UNUSED_KEY;
    UNUSED_VALUE;
    emit(thread, DEFINE, hook->site, 0, ABSENT, ABSENT, activation_word(thread), EXACT, 0);
    leave(thread);
}

/* ---- accesses that failed: the handler of just that instruction, with the exception as `value` ---- */

/* Of one that was begun. */
PERFORMER(FAILED)
{
    UNUSED_KEY;
    Pending *begun = pending_pop(thread, hook->site, activation_word(thread));
    unsigned kind = begun == NULL ? 0 : begun->failing != 0 ? begun->failing : begun->kind;
    Datum raised = failure_of_instruction(thread, value, NO_ITEM | NO_NAME);
    if (kind != 0 && (kind & KIND_MASK) != ALIAS && tag_of(raised) == TAG_RAISED) {
        unsigned flags = (kind & RESIZES) == RESIZES ? kind & UNCERTAIN : kind & ~(unsigned)KIND_MASK;
        begun->kind = (uint8_t)(flags | READ);
        uncaught_note(thread, finish(thread, begun, raised), raised, value);
    }
    leave(thread);
}

/* What only the hook after the instruction would have told of. */
static inline void
read_failed(Thread *thread, const Hook *hook, unsigned kind, uint64_t container, Datum key, Datum raised,
            PyObject *exception)
{
    uint64_t seq = emit(thread, kind, hook->site, container, key, raised, activation_word(thread), thread->last,
                        thread->last_quiet);
    uncaught_note(thread, seq, raised, exception);
}

PERFORMER(ITEM_FAILED)
{
    Service service = service_of_item(&hook->verdict, key, READING);
    Datum raised = failure_of_instruction(thread, value, NO_ITEM);
    if (service != SERVED_BY_CODE && tag_of(raised) == TAG_RAISED) {
        Datum item = item_key(thread, hook, service, key, hook->name, true, false);
        item = item.sort & RAISES ? WHOLE : item;
        read_failed(thread, hook, key_flags(READ, item), container_word(thread, key), item, raised, value);
    }
    leave(thread);
}

PERFORMER(ATTR_FAILED)
{
    Datum raised = failure_of_instruction(thread, value, NO_NAME);
    unsigned kind = READ;
    uint64_t container = 0;
    if (tag_of(raised) == TAG_RAISED) {
        switch (service_of_attribute(&hook->verdict, key, hook->name, READING)) {
        case INSTANCE:
        case SLOT:
        case CLASS_ATTRIBUTE:
            container = container_word(thread, key);
            break;
        case MODULE_GLOBAL:
            container = globals_word(thread, key, &kind);
            break;
        default:
            break;
        }
    }
    if (container != 0) {
        read_failed(thread, hook, kind, container, NAME, raised, value);
    }
    leave(thread);
}

static inline void
global_failed(Thread *thread, const Hook *hook, PyObject *globals, PyObject *exception)
{
    Datum raised = failure_of_instruction(thread, exception, NO_NAME);
    if (tag_of(raised) == TAG_RAISED && globals != NULL && PyDict_Check(globals)) {
        read_failed(thread, hook, READ, container_word(thread, globals), NAME, raised, exception);
    }
}

PERFORMER(GLOBAL_FAILED)
{
    UNUSED_KEY;
    global_failed(thread, hook, current_frame()->f_globals, value);
    leave(thread);
}

/* In a class body it was looked for in two places: none of them is named. */
PERFORMER(NAME_FAILED)
{
    UNUSED_KEY;
    Frame *frame = current_frame();
    if (frame->f_locals == NULL || frame->f_locals == frame->f_globals) {
        global_failed(thread, hook, frame->f_globals, value);
    }
    leave(thread);
}

PERFORMER(CELL_FAILED)
{
    Datum raised = failure_of_instruction(thread, value, NO_NAME);
    if (tag_of(raised) == TAG_RAISED && PyCell_Check(key)) {
        read_failed(thread, hook, READ, container_word(thread, key), NAME, raised, value);
    }
    leave(thread);
}

PERFORMER(NEXT_FAILED)
{
    Datum raised = failure_of_instruction(thread, value, CHANGED);
    if (tag_of(raised) == TAG_RAISED) {
        PyObject *container = iterator_container(key);
        if (container != NULL ||
            iterator_let_go(key)) { /* of what it was, its start tells (ingest/failed_iterations.py) */
            uint64_t word = container == NULL ? 0 : container_word(thread, container);
            read_failed(thread, hook, READ, word, WHOLE, raised, value);
        }
    }
    leave(thread);
}

/* ---- calls that the interpreter runs without the C function, once they are hot (CALL_LIST_APPEND, CALL_LEN) ---- */

static inline void
told(Thread *thread, const Hook *hook)
{
    thread->told_site = hook->site;
    thread->told_frame = activation_word(thread);
}

/* Before the method is loaded: of what? */
PERFORMER(APPEND_BEGIN)
{
    UNUSED_VALUE;
    Pending *pending = pending_push(thread, hook->site, activation_word(thread));
    if (PyList_CheckExact(key) || list_appends(key)) {
        pending->container = container_word(thread, key);
        pending->kind = WRITE;
    }
    leave(thread);
}

/* Right before the call, which cannot fail: one step that reads and writes. */
PERFORMER(APPEND)
{
    UNUSED_KEY;
    Pending *begun = pending_pop(thread, hook->site, activation_word(thread));
    if (begun != NULL && begun->kind != 0) {
        uint64_t container = begun->container, frame = begun->frame;
        emit(thread, READ, hook->site, container, WHOLE, ABSENT, frame, EXACT, 0);
        emit(thread, WRITE, hook->site, container, END, value_datum(thread, value), frame, EXACT, 0);
        told(thread, hook);
    }
    leave(thread);
}

/* Of what goes over all of its argument at once, by C code alone: list(d), tuple(d.items()) ... */
static bool
copies(PyObject *callee)
{
    return callee == (PyObject *)&PyList_Type || callee == (PyObject *)&PyTuple_Type ||
           callee == (PyObject *)&PySet_Type || callee == (PyObject *)&PyFrozenSet_Type;
}

PERFORMER(WHOLE_CALL)
{
    if (value == len_function ? is_container(key) : value == (PyObject *)&PyBool_Type && tells_its_truth(key)) {
        uint64_t word = container_word(thread, key);
        emit(thread, READ, hook->site, word, WHOLE, size_datum(size_of(key)), activation_word(thread), EXACT, 0);
        told(thread, hook);
    }
    else if (copies(value)) {
        PyObject *container = gives_its_items(key) ? key : iterable_container(key);
        if (container != NULL) {
            uint64_t word = container_word(thread, container);
            emit(thread, READ, hook->site, word, WHOLE, ABSENT, activation_word(thread), EXACT, 0);
        }
    }
    leave(thread);
}

/* ---- loops ---- */

/* After FOR_ITER. Of a pair, only the second is the item: that is the next site's. */
PERFORMER(NEXT)
{
    Taken taken;
    if (iterator_took(key, value, &taken) && (!taken.second || hook->index == 1)) {
        Datum item = taken.key != NULL ? mapping_key(thread, taken.key)
                                       : (Datum){.word = (uint64_t)taken.index, .sort = TAG_INT | PLAIN};
        Datum datum = value_datum(thread, taken.value);
        uint64_t word = container_word(thread, taken.container);
        emit(thread, key_flags(READ, item), hook->site + taken.second, word, item, datum, activation_word(thread),
             !FREE_THREADED && taken.exact ? EXACT : thread->last, thread->last_quiet);
    }
    leave(thread);
}

/* ENTER at once, whether anything is accessed or not. */
PERFORMER(CALLED)
{
    UNUSED_KEY;
    UNUSED_VALUE;
    Frame *frame = current_frame();
    if (LIKELY(activation_begins(thread, frame))) {
        activation_begins_known(thread, frame);
    }
    (void)hook;
    leave(thread);
}

static const Performer performers[] = {
#define X(name) do_##name,
    ACTIONS(X)
#undef X
};

#if !FREE_THREADED
/* Another thread than the last one passes a hook: SWITCH, then what the hook does; if that is nothing, PASS. */
static COLD void
perform_first(Thread *thread, Hook *hook, PyObject *key, PyObject *value)
{
    switch_to(thread);
    uint64_t before = spool_next();
    uint32_t quiet = thread->quiet, pushes = thread->pushes;
    hook->perform(thread, hook, key, value);
    if (spool_next() - before == thread->quiet - quiet && LOAD(&spool.recording)) {
        emit(thread, PASS, hook->site, 0, ABSENT, ABSENT, activation_word(thread), EXACT, 0);
        if (thread->pushes != pushes && thread->depth > 0) {
            Pending *pending = &thread->pending[thread->top]; /* what was begun here was not begun before the PASS */
            pending->earliest = spool_next();
            pending->quiet = thread->quiet;
        }
        leave(thread);
    }
}
#endif

static int
hook_store(PyObject *self, PyObject *key, PyObject *value)
{
    Hook *hook = (Hook *)self;
    uint32_t run = LOAD(&hook->run);
    if (LOAD(&spool.recording) != run || value == NULL) {
        return 0;
    }
    Thread *thread = current_thread;
#if FREE_THREADED
    if (LIKELY(thread != NULL) && !thread_goes_inside(thread, run)) {
        return 0;
    }
#endif
    if (UNLIKELY(thread == NULL || thread->number >= STALE)) {
        unsigned action = hook->action;
        Thread *known = thread;
        if ((action == DO_SYNC_BEGIN || action == DO_SYNC_END) && !thread_has_name()) {
            thread = NULL; /* it is about to be known to the threading module */
        }
        else {
            thread = thread_enter(run);
        }
        if (thread == NULL || thread->number == UNNUMBERED) {
            thread_goes_outside(known);
            return 0;
        }
    }
    if (UNLIKELY(thread->round != LOAD(&spool.round))) {
        thread_renew(thread);
    }
#if !FREE_THREADED
    if (UNLIKELY(thread->number != this_run.running_thread)) {
        perform_first(thread, hook, key, value);
        return 0;
    }
#endif
    hook->perform(thread, hook, key, value);
    thread_goes_outside(thread);
    return 0;
}

/* That of a hook which another process pickled; no run is numbered so. */
#define NO_RUN UINT32_MAX

void
hook_adopt(PyCodeObject *code)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(code->co_consts); i++) {
        PyObject *constant = PyTuple_GET_ITEM(code->co_consts, i);
        if (Py_IS_TYPE(constant, &Hook_Type)) {
            Hook *hook = (Hook *)constant;
            if (LOAD(&hook->run) != NO_RUN) {
                STORE(&hook->key_text, 0);
                STORE(&hook->run, spool.run);
            }
        }
        else if (PyCode_Check(constant)) {
            hook_adopt((PyCodeObject *)constant);
        }
    }
}

uint32_t
hook_site_behind(Frame *frame, PyCodeObject *code)
{
    /* COPY 1, LOAD_CONST hook; the interpreter may have put another kind of LOAD_CONST there. */
    const Py_ssize_t at = frame_instruction(frame, code) + 1 + SUBSCRIPT_CACHES + 1, end = Py_SIZE(code);
    const _Py_CODEUNIT *units = frame_code_units(frame, code);
    Py_ssize_t index = 0;
    for (Py_ssize_t i = at; i < end && i < at + 3; i++) {
        uint16_t unit;
        memcpy(&unit, &units[i], sizeof(unit));
        const unsigned char *bytes = (const unsigned char *)&unit;
        index = index << 8 | bytes[1];
        if (bytes[0] == EXTENDED_ARG) {
            continue;
        }
        PyObject *constant =
            index < PyTuple_GET_SIZE(code->co_consts) ? PyTuple_GET_ITEM(code->co_consts, index) : NULL;
        if (constant != NULL && Py_IS_TYPE(constant, &Hook_Type)) {
            Hook *hook = (Hook *)constant;
            return hook->action == DO_READ_END || hook->action == DO_ITEM_READ ? hook->site : NO_SITE;
        }
        break;
    }
    return NO_SITE;
}

static PyObject *
hook_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"site", "action", "name", NULL};
    unsigned int site;
    int action;
    PyObject *name = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "Ii|O:Hook", names, &site, &action, &name)) {
        return NULL;
    }
    (void)type; /* there is no other: it cannot be subclassed */
    return hook_make(site, action, name);
}

PyObject *
hook_make(uint32_t site, int action, PyObject *name)
{
    if (action < 0 || action >= ACTION_COUNT) {
        PyErr_Format(PyExc_ValueError, "no such action: %d", action);
        return NULL;
    }
    bool by_name = action == DO_ATTR_BEGIN || action == DO_ATTR_READ || action == DO_ATTR_STORE ||
                   action == DO_ATTR_DELETE || action == DO_NAME_READ || action == DO_ATTR_FAILED;
    if (by_name && !PyUnicode_CheckExact(name)) {
        PyErr_Format(PyExc_TypeError, "this action needs a name, not %R", name);
        return NULL;
    }
    Hook *hook = PyObject_New(Hook, &Hook_Type);
    if (hook == NULL) {
        return NULL;
    }
    hook->site = site;
    hook->action = (uint8_t)action;
    hook->key_tag = TAG_ABSENT;
    hook->key_text = 0;
    hook->run = spool.run;
    int64_t index;
    hook->index = PyLong_CheckExact(name) && int_value(name, &index) ? index : -1;
    hook->verdict = 0;
    hook->perform = performers[action];
    hook->name = Py_NewRef(name);
    if (by_name) {
        PyUnicode_InternInPlace(&hook->name);
    }
    make_immortal((PyObject *)hook);
    return (PyObject *)hook;
}

static const char *const action_names[] = {
#define X(name) #name,
    ACTIONS(X)
#undef X
};

static PyObject *
hook_repr(PyObject *self)
{
    Hook *hook = (Hook *)self;
    if (hook->name == Py_None) {
        return PyUnicode_FromFormat("Hook(%u, %s)", hook->site, action_names[hook->action]);
    }
    return PyUnicode_FromFormat("Hook(%u, %s, %R)", hook->site, action_names[hook->action], hook->name);
}

static PyObject *
hook_reduce(PyObject *self, PyObject *unused)
{
    (void)unused;
    Hook *hook = (Hook *)self;
    unsigned long long stamp = LOAD(&hook->run) == NO_RUN ? 0 : own_stamp;
    return Py_BuildValue("(O(KIiO))", unpickle_hook, stamp, hook->site, (int)hook->action, hook->name);
}

PyObject *
hook_unpickle(PyObject *module, PyObject *args)
{
    (void)module;
    unsigned long long stamp;
    unsigned int site;
    int action;
    PyObject *name;
    if (!PyArg_ParseTuple(args, "KIiO:unpickle_hook", &stamp, &site, &action, &name)) {
        return NULL;
    }
    PyObject *made = hook_make(site, action, name);
    if (made != NULL && stamp != own_stamp) {
        ((Hook *)made)->run = NO_RUN;
    }
    return made;
}

static PyMappingMethods hook_mapping = {.mp_ass_subscript = hook_store};

static PyMemberDef hook_members[] = {
    {"site", T_UINT, offsetof(Hook, site), READONLY, "the site's number"},
    {"action", T_UBYTE, offsetof(Hook, action), READONLY, "what a store to the hook does"},
    {"name", T_OBJECT_EX, offsetof(Hook, name), READONLY, "the attribute's or global's name, or the constant key"},
    {0},
};

static PyMethodDef hook_methods[] = {
    {"__reduce__", hook_reduce, METH_NOARGS, NULL},
    {0},
};

PyTypeObject Hook_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "opcodetrace.probe._probe.Hook",
    .tp_doc =
        PyDoc_STR("Hook(site, action, name=None)\n--\n\nWhat woven code stores to, `hook[key] = value`: a record."),
    .tp_basicsize = sizeof(Hook),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = hook_new,
    .tp_repr = hook_repr,
    .tp_as_mapping = &hook_mapping,
    .tp_members = hook_members,
    .tp_methods = hook_methods,
};
