#include "intercept.h"
#include "activation.h"
#include "code.h"
#include "hook.h"
#include "location.h"
#include "switch.h"
#include "sync.h"
#include "task.h"

/* One call that is under way. What it refers to, the caller holds. */
typedef struct {
    Thread *thread; /* NULL: it is not followed */
    uint32_t run, site;
    unsigned direct;
    const char *name;
    PyObject *container, *first, *second;
    Py_ssize_t given; /* positional arguments behind the container */
    PyObject *keywords; /* a dict, a tuple of names, or NULL */
    uint64_t earliest;
    uint32_t quiet;
    Py_ssize_t size; /* of the container before */
    uint64_t switches; /* that there were before (GIL builds) */
    bool plain;      /* nothing can come between the lookup and the record of it */
    uint32_t lane;   /* before */
    uint32_t step;   /* the lane of the task whose step it is */
    uint64_t clock;
    const void *wrapped; /* of a wrapper: the slot function that it calls */
} Call;

typedef struct Seen Seen;
typedef void (*Before)(Call *call, const Seen *seen);
typedef void (*After)(Call *call, PyObject *result); /* result NULL: it raised */

struct Seen {
    const char *owner, *name;
    Before before;
    After after;
    const char *waits_while; /* a method of the same type that says whether the call will wait */
    PyMethodDef *definition; /* NULL: this version has none */
    PyCFunction original;
    struct wrapperbase *base; /* of a wrapper, in place of `definition`; NULL: this version has none */
    wrapperfunc wrapper;
    PyCFunction waits;
    PyCFunction replacement;
    bool is_function; /* of a module: the container is the first argument */
};

/* ---- what a record says ---- */

static void
write_record(Call *call, unsigned kind, PyObject *container, Datum key, Datum value)
{
    Thread *thread = call->thread;
    uint64_t word = container_word(thread, container);
    emit(thread, key_flags(kind, key), call->site, word, key, value, activation_word(thread), call->earliest,
         call->quiet);
    /* Of what the call did besides: this is no other thread's record, and no later time to begin at, for all of it is done. */
    call->quiet--;
}

static Py_ssize_t
size_of(PyObject *container)
{
    if (PyDict_Check(container)) {
        return PyDict_GET_SIZE(container);
    }
    return PySet_Check(container) ? PySet_GET_SIZE(container) : Py_SIZE(container);
}

static Datum
key_in(Call *call, PyObject *container, PyObject *key)
{
    if (key == NULL) {
        return (Datum){.sort = TAG_ABSENT | UNSURE};
    }
    return PyList_Check(container) || PyByteArray_Check(container) || is_deque(container)
               ? sequence_key(call->thread, key, Py_SIZE(container))
               : mapping_key(call->thread, key);
}

static Datum
value_of(Call *call, PyObject *value)
{
    return value == NULL ? ABSENT : value_datum(call->thread, value);
}

static bool
succeeded_on_container(const Call *call, PyObject *result)
{
    return result != NULL && call->container != NULL && is_container(call->container);
}

/* ---- the whole of a container ---- */

static void
remember_size(Call *call, const Seen *seen)
{
    (void)seen;
    if (call->container != NULL && is_container(call->container)) {
        call->size = size_of(call->container);
    }
    else {
        call->thread = NULL;
    }
}

static void
whole_read(Call *call, PyObject *result)
{
    if (succeeded_on_container(call, result)) {
        write_record(call, READ, call->container, WHOLE, ABSENT);
    }
}

/* One step that reads and writes: its version comes from the one before. */
static void
whole_changed(Call *call, PyObject *result, Datum key)
{
    if (succeeded_on_container(call, result)) {
        write_record(call, READ, call->container, WHOLE, ABSENT);
        write_record(call, WRITE, call->container, key, ABSENT);
    }
}

static void
change(Call *call, PyObject *result)
{
    whole_changed(call, result, WHOLE);
}

static void
append(Call *call, PyObject *result)
{
    bool moves = call->container != NULL && is_deque(call->container) && size_of(call->container) == call->size;
    whole_changed(call, result, moves ? WHOLE : END); /* a full deque lets go of its first item */
}

static void
replace(Call *call, PyObject *result)
{
    if (succeeded_on_container(call, result)) {
        write_record(call, WRITE, call->container, WHOLE, ABSENT);
    }
}

/* ---- items ---- */

static void
item_get(Call *call, PyObject *result)
{
    if (succeeded_on_container(call, result) && call->given >= 1) {
        write_record(call, READ, call->container, key_in(call, call->container, call->first), value_of(call, result));
    }
}

/* dict.get: the default is no value of the item. */
static void
item_get_or_default(Call *call, PyObject *result)
{
    if (result == NULL || call->given < 1) {
        return;
    }
    Datum key = mapping_key(call->thread, call->first), value = ABSENT;
    PyObject *otherwise = call->given >= 2 ? call->second : Py_None;
    bool there = result != otherwise;
    if (!there && PyDict_CheckExact(call->container) && (key.sort & PLAIN) && mapping_is_plain(call->container, call->first)) {
        there = PyDict_Contains(call->container, call->first) == 1;
    }
    write_record(call, READ, call->container, key, there ? value_of(call, result) : value);
}

static void
item_has(Call *call, PyObject *result)
{
    if (succeeded_on_container(call, result) && call->given >= 1) {
        bool by_position = !PyDict_Check(call->container) && !PySet_Check(call->container);
        write_record(call, READ, call->container, by_position ? WHOLE : mapping_key(call->thread, call->first), ABSENT);
    }
}

static void
item_set(Call *call, PyObject *result)
{
    if (succeeded_on_container(call, result) && call->given >= 2) {
        write_record(call, WRITE, call->container, key_in(call, call->container, call->first), value_of(call, call->second));
    }
}

static void
item_delete(Call *call, PyObject *result)
{
    if (succeeded_on_container(call, result) && call->given >= 1) {
        write_record(call, DELETE, call->container, key_in(call, call->container, call->first), ABSENT);
    }
}

/* Did the call give something else than the default that it was given? By the size alone it does not show what the call did:
   another thread, or the key's own __hash__, may have changed that too. */
static bool
is_no_default(const Call *call, const PyObject *result)
{
    return call->keywords == NULL && result != (call->given >= 2 ? call->second : Py_None);
}

/* dict.pop: the version that it makes comes from the one that it removed. */
static void
item_pop(Call *call, PyObject *result)
{
    if (result == NULL || call->given < 1) {
        return;
    }
    Datum key = mapping_key(call->thread, call->first);
    bool must = call->given < 2 && call->keywords == NULL; /* without a default it raises where there is none */
    bool gone = must || is_no_default(call, result) || size_of(call->container) != call->size;
    write_record(call, READ, call->container, key, gone ? value_of(call, result) : ABSENT);
    if (gone) {
        write_record(call, DELETE, call->container, key, ABSENT);
    }
}

static void
item_default(Call *call, PyObject *result)
{
    if (result == NULL || call->given < 1) {
        return;
    }
    Datum key = mapping_key(call->thread, call->first);
    bool added = !is_no_default(call, result) && size_of(call->container) != call->size;
    write_record(call, READ, call->container, key, added ? ABSENT : value_of(call, result));
    if (added) {
        write_record(call, WRITE, call->container, key, value_of(call, result));
    }
}

/* Has no other thread recorded anything since the call began? */
static bool
is_undisturbed(const Call *call)
{
#if FREE_THREADED
    return spool_next() - call->earliest == call->thread->quiet - call->quiet;
#else
    return switch_count == call->switches;
#endif
}

/* defaultdict.__missing__, for a subscript or called by name: the item was not found, and is made. */
static void
item_missed(Call *call, const Seen *seen)
{
    (void)seen;
    Thread *thread = call->thread;
    if (call->container == NULL || call->given < 1) {
        call->thread = NULL;
        return;
    }
    Datum key = mapping_key(thread, call->first);
    call->plain = (key.sort & PLAIN) && mapping_is_plain(call->container, call->first);
    if (!call->plain) {
        call->earliest = thread->last;
        call->quiet = thread->last_quiet;
    }
    write_record(call, READ, call->container, key, ABSENT);
    call->earliest = thread->last = spool_next();
    call->quiet = thread->last_quiet = thread->quiet;
#if !FREE_THREADED
    call->switches = switch_count;
#endif
}

/* From 3.14 on `__missing__` keeps an item that was made meanwhile, and gives that. */
static bool keeps_what_was_made;

static void
item_made(Call *call, PyObject *result)
{
    Thread *thread = call->thread;
    if (result == NULL) {
        return;
    }
    if (!keeps_what_was_made || is_undisturbed(call)) {
        if (call->plain) { /* what makes the value comes before the store, and nothing behind */
            call->earliest = spool_next();
            call->quiet = thread->quiet;
        }
        write_record(call, WRITE, call->container, mapping_key(thread, call->first), value_of(call, result));
    }
    else if (FREE_THREADED) {
        return;
    }
    Pending *pending = &thread->pending[thread->top];
    if (thread->depth > 0 && pending->site == call->site && pending->frame == frame_word(current_frame())) {
        pending->earliest = spool_next(); /* the subscript gives what is there now */
        pending->quiet = thread->quiet;
    }
}

static void
item_popped(Call *call, PyObject *result)
{
    if (result != NULL && PyTuple_CheckExact(result) && PyTuple_GET_SIZE(result) == 2) {
        Datum key = mapping_key(call->thread, PyTuple_GET_ITEM(result, 0));
        write_record(call, READ, call->container, key, value_of(call, PyTuple_GET_ITEM(result, 1)));
        write_record(call, DELETE, call->container, key, ABSENT);
    }
}

enum { MOST_ITEMS = 64 }; /* of an update: beyond these it counts as a change of the whole */

static bool
items_from(Call *call, PyObject *other, bool is_own)
{
    if (!PyDict_CheckExact(other) || PyDict_GET_SIZE(other) > MOST_ITEMS) {
        return false;
    }
    if (FREE_THREADED && !is_own) { /* another thread may change it under our hands */
        return PyDict_GET_SIZE(other) == 0;
    }
    Py_ssize_t at = 0;
    PyObject *key, *value;
    while (PyDict_Next(other, &at, &key, &value)) {
        write_record(call, WRITE, call->container, mapping_key(call->thread, key), value_of(call, value));
    }
    return true;
}

static void
items_update(Call *call, PyObject *result)
{
    if (result == NULL) {
        return;
    }
    bool known = call->given == 0 || (call->given == 1 && items_from(call, call->first, false));
    known = known && (call->keywords == NULL || (PyDict_Check(call->keywords) && items_from(call, call->keywords, true)));
    if (!known) {
        write_record(call, WRITE, call->container, WHOLE, ABSENT);
    }
}

/* ---- sets: an item is a member ---- */

static void
member_add(Call *call, PyObject *result)
{
    if (result != NULL && call->given >= 1) {
        write_record(call, WRITE, call->container, mapping_key(call->thread, call->first), (Datum){.sort = TAG_TRUE});
    }
}

static void
member_remove(Call *call, PyObject *result)
{
    if (result != NULL && call->given >= 1 && size_of(call->container) != call->size) {
        write_record(call, DELETE, call->container, mapping_key(call->thread, call->first), ABSENT);
    }
}

static void
member_popped(Call *call, PyObject *result)
{
    if (result != NULL) {
        write_record(call, DELETE, call->container, mapping_key(call->thread, result), ABSENT);
    }
}

/* ---- attributes by name ---- */

/* The object that holds the attribute, and the flags of its record; NULL where it is no memory. */
static PyObject *
attribute_holder(PyObject *object, PyObject *name, Service service, Operation operation, unsigned *flags)
{
    *flags = ATTRIBUTE;
    switch (service) {
    case INSTANCE_IF_THERE:
        if (operation == READING && !instance_has(object, name)) {
            return NULL;
        }
        return object;
    case INSTANCE:
    case SLOT:
    case CLASS_ATTRIBUTE:
        return object;
    case MODULE_GLOBAL:
        *flags = MODULE;
        return ((PyModuleObject *)object)->md_dict;
    default:
        return NULL;
    }
}

static void
attribute_record(Call *call, unsigned kind, Operation operation, PyObject *value)
{
    PyObject *name = call->first;
    if (call->container == NULL || name == NULL || !PyUnicode_CheckExact(name)) {
        return;
    }
    Verdict verdict = 0;
    Service service = call->wrapped == NULL
                          ? service_of_attribute(&verdict, call->container, name, operation)
                          : service_of_generic_attribute(call->container, name, operation, call->wrapped);
    unsigned flags;
    PyObject *holder = attribute_holder(call->container, name, service, operation, &flags);
    if (holder != NULL) {
        write_record(call, kind | flags, holder, mapping_key(call->thread, name), value_of(call, value));
    }
}

static void
attribute_get(Call *call, PyObject *result)
{
    if (result != NULL) {
        attribute_record(call, READ, READING, call->given >= 2 && result == call->second ? NULL : result);
    }
}

static void
attribute_has(Call *call, PyObject *result)
{
    if (result != NULL) {
        attribute_record(call, READ, READING, NULL);
    }
}

static void
attribute_set(Call *call, PyObject *result)
{
    if (result != NULL) {
        attribute_record(call, WRITE, STORING, call->second);
    }
}

static void
attribute_delete(Call *call, PyObject *result)
{
    if (result != NULL) {
        attribute_record(call, DELETE, ERASING, NULL);
    }
}

/* vars(object): from now on the dictionary is another name for the object's attributes. */
static void
attributes_of(Call *call, PyObject *result)
{
    if (result != NULL && call->container != NULL && PyDict_CheckExact(result) && has_plain_dict(call->container)) {
        write_record(call, ALIAS, call->container, (Datum){0}, value_of(call, result));
        birth_know((uint64_t)(uintptr_t)result & ADDRESS_MASK);
    }
}

/* ---- synchronisation ---- */

static void
will_wait(Call *call, const Seen *seen)
{
    call->clock = sync_clock();
    if (seen->waits != NULL && call->container != NULL && (call->given == 0 || call->first != Py_False)) {
        PyObject *answer = seen->waits(call->container, NULL);
        if (answer == NULL) {
            PyErr_Clear();
        }
        else if (answer == Py_True) {
            sync_emit(call->thread, call->site, call->container, seen->name, SYNC_BEGINS | call->direct, 0, EXACT, 0);
        }
        Py_XDECREF(answer);
    }
}

static void
waited(Call *call, PyObject *result)
{
    unsigned flags = call->direct | (result == NULL || result == Py_False ? SYNC_FAILED : 0);
    sync_emit(call->thread, call->site, call->container, call->name, flags, sync_clock() - call->clock, call->earliest,
              call->quiet);
}

/* Said before it is done: as soon as it is, another thread may go on. */
static void
releases(Call *call, const Seen *seen)
{
    sync_emit(call->thread, call->site, call->container, seen->name, call->direct, 0, EXACT, 0);
}

static void
started(Call *call, PyObject *result)
{
    PyObject *ident = result == NULL ? NULL : Py_NewRef(result);
    if (ident != NULL && !PyLong_Check(ident)) {
        Py_SETREF(ident, PyObject_GetAttrString(result, "ident"));
    }
    uint64_t number = ident != NULL && PyLong_Check(ident) ? PyLong_AsUnsignedLongLongMask(ident) : 0;
    if (result != NULL) {
        PyErr_Clear();
        sync_emit(call->thread, call->site, NULL, "start", 0, number, call->earliest, call->quiet);
    }
    Py_XDECREF(ident);
}

/* ---- tasks: the event loop runs each of their steps by context.run ---- */

static void
step_begins(Call *call, const Seen *seen)
{
    (void)seen;
    PyObject *task = call->given < 1 ? NULL : task_of_callback(call->first);
    uint32_t lane = task == NULL ? UNNUMBERED : task_lane(call->thread, task);
    if (lane == UNNUMBERED) {
        call->thread = NULL;
        return;
    }
    call->second = task; /* the callback holds it, and the caller the callback */
    call->lane = call->thread->number;
    call->thread->number = call->step = lane;
#if !FREE_THREADED
    switch_resume(lane);
#endif
}

static void
step_ends(Call *call, PyObject *result)
{
    (void)result;
    task_leaves(call->thread, call->second);
    call->thread->number = call->lane;
}

/* ---- the table ---- */

#define LIST(X)                                                                                                        \
    X(list, append, NULL, append, NULL)                                                                                \
    X(list, extend, NULL, append, NULL)                                                                                \
    X(list, insert, NULL, change, NULL)                                                                                \
    X(list, pop, NULL, change, NULL)                                                                                   \
    X(list, remove, NULL, change, NULL)                                                                                \
    X(list, reverse, NULL, change, NULL)                                                                               \
    X(list, sort, NULL, change, NULL)                                                                                  \
    X(list, clear, NULL, replace, NULL)                                                                                \
    X(list, copy, NULL, whole_read, NULL)                                                                              \
    X(list, count, NULL, whole_read, NULL)                                                                             \
    X(list, index, NULL, whole_read, NULL)                                                                             \
    X(list, __getitem__, NULL, item_get, NULL)                                                                         \
    X(list, __reversed__, NULL, whole_read, NULL)

#define DICT(X)                                                                                                        \
    X(dict, get, NULL, item_get_or_default, NULL)                                                                      \
    X(dict, setdefault, remember_size, item_default, NULL)                                                             \
    X(dict, pop, remember_size, item_pop, NULL)                                                                        \
    X(dict, popitem, NULL, item_popped, NULL)                                                                          \
    X(dict, update, NULL, items_update, NULL)                                                                          \
    X(dict, clear, NULL, replace, NULL)                                                                                \
    X(dict, copy, NULL, whole_read, NULL)                                                                              \
    X(dict, keys, NULL, whole_read, NULL)                                                                              \
    X(dict, values, NULL, whole_read, NULL)                                                                            \
    X(dict, items, NULL, whole_read, NULL)                                                                             \
    X(dict, __contains__, NULL, item_has, NULL)                                                                        \
    X(dict, __getitem__, NULL, item_get, NULL)                                                                         \
    X(dict, __reversed__, NULL, whole_read, NULL)

#define SET(X)                                                                                                         \
    X(set, add, NULL, member_add, NULL)                                                                                \
    X(set, discard, remember_size, member_remove, NULL)                                                                \
    X(set, remove, remember_size, member_remove, NULL)                                                                 \
    X(set, pop, NULL, member_popped, NULL)                                                                             \
    X(set, update, NULL, change, NULL)                                                                                 \
    X(set, difference_update, NULL, change, NULL)                                                                      \
    X(set, intersection_update, NULL, change, NULL)                                                                    \
    X(set, symmetric_difference_update, NULL, change, NULL)                                                            \
    X(set, clear, NULL, replace, NULL)                                                                                 \
    X(set, copy, NULL, whole_read, NULL)                                                                               \
    X(set, difference, NULL, whole_read, NULL)                                                                         \
    X(set, intersection, NULL, whole_read, NULL)                                                                       \
    X(set, isdisjoint, NULL, whole_read, NULL)                                                                         \
    X(set, issubset, NULL, whole_read, NULL)                                                                           \
    X(set, issuperset, NULL, whole_read, NULL)                                                                         \
    X(set, symmetric_difference, NULL, whole_read, NULL)                                                               \
    X(set, union, NULL, whole_read, NULL)                                                                              \
    X(set, __contains__, NULL, item_has, NULL)

#define DEQUE(X)                                                                                                       \
    X(deque, append, remember_size, append, NULL)                                                                      \
    X(deque, appendleft, NULL, change, NULL)                                                                           \
    X(deque, extend, NULL, change, NULL)                                                                               \
    X(deque, extendleft, NULL, change, NULL)                                                                           \
    X(deque, insert, NULL, change, NULL)                                                                               \
    X(deque, pop, NULL, change, NULL)                                                                                  \
    X(deque, popleft, NULL, change, NULL)                                                                              \
    X(deque, remove, NULL, change, NULL)                                                                               \
    X(deque, reverse, NULL, change, NULL)                                                                              \
    X(deque, rotate, NULL, change, NULL)                                                                               \
    X(deque, clear, NULL, replace, NULL)                                                                               \
    X(deque, copy, NULL, whole_read, NULL)                                                                             \
    X(deque, __copy__, NULL, whole_read, NULL)                                                                         \
    X(deque, count, NULL, whole_read, NULL)                                                                            \
    X(deque, index, NULL, whole_read, NULL)                                                                            \
    X(deque, __reversed__, NULL, whole_read, NULL)

#define BYTEARRAY(X)                                                                                                   \
    X(bytearray, append, NULL, append, NULL)                                                                           \
    X(bytearray, extend, NULL, append, NULL)                                                                           \
    X(bytearray, insert, NULL, change, NULL)                                                                           \
    X(bytearray, pop, NULL, change, NULL)                                                                              \
    X(bytearray, remove, NULL, change, NULL)                                                                           \
    X(bytearray, reverse, NULL, change, NULL)                                                                          \
    X(bytearray, clear, NULL, replace, NULL)

#define ORDERED(X)                                                                                                     \
    X(OrderedDict, move_to_end, NULL, change, NULL)                                                                    \
    X(OrderedDict, pop, remember_size, item_pop, NULL)                                                                 \
    X(OrderedDict, popitem, NULL, item_popped, NULL)                                                                   \
    X(OrderedDict, setdefault, remember_size, item_default, NULL)                                                      \
    X(OrderedDict, update, NULL, items_update, NULL)                                                                   \
    X(OrderedDict, clear, NULL, replace, NULL)                                                                         \
    X(OrderedDict, copy, NULL, whole_read, NULL)                                                                       \
    X(OrderedDict, keys, NULL, whole_read, NULL)                                                                       \
    X(OrderedDict, values, NULL, whole_read, NULL)                                                                     \
    X(OrderedDict, items, NULL, whole_read, NULL)                                                                      \
    X(OrderedDict, __reversed__, NULL, whole_read, NULL)

#define DEFAULTDICT(X)                                                                                                 \
    X(defaultdict, __missing__, item_missed, item_made, NULL)                                                          \
    X(defaultdict, copy, NULL, whole_read, NULL)                                                                       \
    X(defaultdict, __copy__, NULL, whole_read, NULL)

#define BUILTINS(X)                                                                                                    \
    X(builtins, len, NULL, whole_read, NULL)                                                                           \
    X(builtins, getattr, NULL, attribute_get, NULL)                                                                    \
    X(builtins, setattr, NULL, attribute_set, NULL)                                                                    \
    X(builtins, delattr, NULL, attribute_delete, NULL)                                                                 \
    X(builtins, hasattr, NULL, attribute_has, NULL)                                                                    \
    X(builtins, vars, NULL, attributes_of, NULL)                                                                       \
    X(builtins, sorted, NULL, whole_read, NULL)

/* What Counter.update and the like call, whoever called them. */
#define COUNTER(X) X(_collections, _count_elements, NULL, change, NULL)

#define OPERATOR(X)                                                                                                    \
    X(_operator, getitem, NULL, item_get, NULL)                                                                        \
    X(_operator, setitem, NULL, item_set, NULL)                                                                        \
    X(_operator, delitem, NULL, item_delete, NULL)                                                                     \
    X(_operator, contains, NULL, item_has, NULL)

#define HEAPQ(X)                                                                                                       \
    X(_heapq, heappush, NULL, change, NULL)                                                                            \
    X(_heapq, heappop, NULL, change, NULL)                                                                             \
    X(_heapq, heapify, NULL, change, NULL)                                                                             \
    X(_heapq, heapreplace, NULL, change, NULL)                                                                         \
    X(_heapq, heappushpop, NULL, change, NULL)

/* Wrappers of type slots, by one of the types that have them: what they are called with says more. A class's own method
   calls them by super(). `__iadd__` is not among them: see wrapper_of. */
#define WRAPPERS(X)                                                                                                    \
    X(object, __setattr__, NULL, attribute_set, NULL)                                                                  \
    X(object, __delattr__, NULL, attribute_delete, NULL)                                                               \
    X(object, __getattribute__, NULL, attribute_get, NULL)                                                             \
    X(list, __setitem__, NULL, item_set, NULL)                                                                         \
    X(list, __delitem__, NULL, item_delete, NULL)                                                                      \
    X(list, __contains__, NULL, item_has, NULL)                                                                        \
    X(deque, __getitem__, NULL, item_get, NULL)                                                                        \
    X(deque, __setitem__, NULL, item_set, NULL)                                                                        \
    X(deque, __delitem__, NULL, item_delete, NULL)                                                                     \
    X(list, __len__, NULL, whole_read, NULL)                                                                           \
    X(set, __len__, NULL, whole_read, NULL)                                                                            \
    X(dict, __ior__, NULL, change, NULL)

#define LOCK(X)                                                                                                        \
    X(lock, acquire, will_wait, waited, "locked")                                                                      \
    X(lock, acquire_lock, will_wait, waited, "locked")                                                                 \
    X(lock, __enter__, will_wait, waited, "locked")                                                                    \
    X(lock, release, releases, NULL, NULL)                                                                             \
    X(lock, release_lock, releases, NULL, NULL)                                                                        \
    X(lock, __exit__, releases, NULL, NULL)                                                                            \
    X(RLock, acquire, will_wait, waited, NULL)                                                                         \
    X(RLock, __enter__, will_wait, waited, NULL)                                                                       \
    X(RLock, _acquire_restore, will_wait, waited, NULL)                                                                \
    X(RLock, release, releases, NULL, NULL)                                                                            \
    X(RLock, __exit__, releases, NULL, NULL)                                                                           \
    X(RLock, _release_save, releases, NULL, NULL)

#define QUEUE(X)                                                                                                       \
    X(SimpleQueue, put, releases, NULL, NULL)                                                                          \
    X(SimpleQueue, put_nowait, releases, NULL, NULL)                                                                   \
    X(SimpleQueue, get, will_wait, waited, "empty")                                                                    \
    X(SimpleQueue, get_nowait, will_wait, waited, NULL)

#define THREAD_START(X)                                                                                                \
    X(_thread, start_new_thread, NULL, started, NULL)                                                                  \
    X(_thread, start_new, NULL, started, NULL)                                                                         \
    X(_thread, start_joinable_thread, NULL, started, NULL)

#define HANDLE(X) X(_ThreadHandle, join, will_wait, waited, NULL)

#define CONTEXT(X) X(Context, run, step_begins, step_ends, NULL)

#define ACCESSES(X)                                                                                                    \
    LIST(X)                                                                                                            \
    DICT(X)                                                                                                            \
    SET(X)                                                                                                             \
    DEQUE(X)                                                                                                           \
    BYTEARRAY(X)                                                                                                       \
    ORDERED(X)                                                                                                         \
    DEFAULTDICT(X)                                                                                                     \
    BUILTINS(X)                                                                                                        \
    OPERATOR(X)                                                                                                        \
    HEAPQ(X)                                                                                                           \
    COUNTER(X)

#define THREADS_AND_TASKS(X)                                                                                           \
    LOCK(X)                                                                                                            \
    QUEUE(X)                                                                                                           \
    THREAD_START(X)                                                                                                    \
    HANDLE(X)                                                                                                          \
    CONTEXT(X)

#define ALL(X)                                                                                                         \
    ACCESSES(X)                                                                                                        \
    WRAPPERS(X)                                                                                                        \
    THREADS_AND_TASKS(X)

enum {
#define X(owner, name, ...) AT_##owner##_##name,
    ALL(X)
#undef X
        SEEN_COUNT,
    FIRST_OF_WRAPPERS = AT_object___setattr__,
    FIRST_OF_SYNC = AT_lock_acquire,
    FIRST_OF_TASKS = AT_Context_run
};

static Seen seen[SEEN_COUNT] = {
#define X(type, function, begins, ends, waits_until) \
    [AT_##type##_##function] = {.owner = #type, .name = #function, .before = begins, .after = ends, .waits_while = waits_until},
    ALL(X)
#undef X
};

/* ---- a call comes in ---- */

/* The calling thread, inside as in a hook; NULL where it cannot be followed. */
static Thread *
following_thread(uint32_t run)
{
    Thread *thread = current_thread;
    if (thread != NULL && !thread_goes_inside(thread, run)) {
        return NULL;
    }
    if (UNLIKELY(thread == NULL || thread->number >= STALE)) {
        Thread *known = thread;
        thread = thread_enter(run);
        if (thread == NULL || thread->number == UNNUMBERED) {
            thread_goes_outside(known);
            return NULL;
        }
    }
    if (UNLIKELY(thread->round != LOAD(&spool.round))) {
        thread_renew(thread);
    }
    if (UNLIKELY(thread->nameless)) {
        thread_name_again(thread);
    }
    return thread;
}

static inline void
came_to_run(Thread *thread)
{
#if !FREE_THREADED
    if (UNLIKELY(thread->number != running_thread)) {
        switch_to(thread);
    }
#else
    (void)thread;
#endif
}

/* Only calls by woven code itself are accesses; synchronisation is followed wherever it takes place. */
static void
begin(const Seen *entry, Call *call, PyObject *self, PyObject *const *args, Py_ssize_t given, PyObject *keywords)
{
    call->thread = NULL;
    uint32_t run = LOAD(&spool.recording);
    if (run == 0 || UNLIKELY(!spool_is_here())) {
        return;
    }
    bool is_sync = entry >= &seen[FIRST_OF_SYNC], is_task = entry >= &seen[FIRST_OF_TASKS];
    uint32_t site = NO_SITE;
    if (is_task) {
        call->direct = 0;
    }
    else if (is_sync) {
        if ((current_thread == NULL || current_thread->number >= STALE) && !thread_has_name()) {
            return;
        }
        site = sync_site(0, &call->direct);
    }
    else if (entry == &seen[AT__collections__count_elements]) {
        site = sync_site(0, &call->direct);
        if (site == NO_SITE) {
            return;
        }
    }
    else {
        Frame *frame = current_frame();
        PyCodeObject *code = frame == NULL ? NULL : frame_code(frame);
        Code *woven = code == NULL ? NULL : code_of(code);
        if (woven == NULL || woven->id == NO_SITE) {
            return;
        }
        site = code_site_of(woven, frame_instruction(frame, code));
        if (site == NO_SITE && entry == &seen[AT_defaultdict___missing__]) {
            site = hook_site_behind(frame, code);
        }
        if (site == NO_SITE) {
            return;
        }
    }
    Thread *thread = following_thread(run);
    if (thread == NULL) {
        return;
    }
    if (!is_task) {
        came_to_run(thread);
    }
    call->thread = thread;
    call->run = run;
    call->site = site;
    call->name = entry->name;
    call->container = self;
    if (entry->is_function) {
        call->container = given > 0 ? args[0] : NULL;
        args++;
        given = given > 0 ? given - 1 : 0;
    }
    call->given = given;
    call->first = given > 0 ? args[0] : NULL;
    call->second = given > 1 ? args[1] : NULL;
    call->keywords = keywords;
    call->size = 0;
    call->clock = 0;
    call->wrapped = NULL;
    call->earliest = spool_next();
    call->quiet = thread->quiet;
    if (entry->before != NULL) {
        entry->before(call, entry);
    }
    if (!is_sync && thread->told_site == site && thread->told_frame == frame_word(current_frame()) &&
        (entry == &seen[AT_list_append] || entry == &seen[AT_builtins_len])) {
        call->thread = NULL; /* the hook right before has told of it */
        thread->told_site = NO_SITE;
    }
    thread_goes_outside(thread);
}

static PyObject *
end(const Seen *entry, Call *call, PyObject *result)
{
    bool is_task = entry >= &seen[FIRST_OF_TASKS];
    if (call->thread != NULL && entry->after != NULL && thread_goes_inside(call->thread, call->run)) {
        if (!is_task) {
            came_to_run(call->thread);
        }
        Raised raised = {0};
        if (UNLIKELY(result == NULL)) {
            raised = put_error_aside();
        }
        entry->after(call, result);
        if (UNLIKELY(result == NULL)) {
            put_error_back(raised);
        }
        if (entry < &seen[FIRST_OF_SYNC]) { /* a hook: what this thread did before it is not later */
            call->thread->last = spool_next();
            call->thread->last_quiet = call->thread->quiet;
        }
        thread_goes_outside(call->thread);
    }
    else if (is_task && call->thread != NULL && call->thread->number == call->step) {
        call->thread->number = call->lane; /* recording was turned off during the step */
    }
    return result;
}

/* One function for each calling convention: METH_NOARGS, METH_O and METH_VARARGS are the same to C. */
typedef PyObject *(*WithKeywords)(PyObject *, PyObject *, PyObject *);
typedef PyObject *(*Fast)(PyObject *, PyObject *const *, Py_ssize_t);
typedef PyObject *(*FastWithKeywords)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);
typedef PyObject *(*OfClass)(PyObject *, PyTypeObject *, PyObject *const *, size_t, PyObject *);

static PyObject *
call_plain(Seen *entry, PyObject *self, PyObject *argument)
{
    Call call;
    switch (entry->definition->ml_flags & (METH_NOARGS | METH_O | METH_VARARGS)) {
    case METH_NOARGS:
        begin(entry, &call, self, NULL, 0, NULL);
        break;
    case METH_O:
        begin(entry, &call, self, &argument, 1, NULL);
        break;
    default:
        begin(entry, &call, self, &PyTuple_GET_ITEM(argument, 0), PyTuple_GET_SIZE(argument), NULL);
    }
    return end(entry, &call, entry->original(self, argument));
}

static PyObject *
call_with_keywords(Seen *entry, PyObject *self, PyObject *args, PyObject *keywords)
{
    Call call;
    begin(entry, &call, self, &PyTuple_GET_ITEM(args, 0), PyTuple_GET_SIZE(args), keywords);
    return end(entry, &call, ((WithKeywords)(void (*)(void))entry->original)(self, args, keywords));
}

static PyObject *
call_fast(Seen *entry, PyObject *self, PyObject *const *args, Py_ssize_t given)
{
    Call call;
    begin(entry, &call, self, args, given, NULL);
    return end(entry, &call, ((Fast)(void (*)(void))entry->original)(self, args, given));
}

static PyObject *
call_fast_with_keywords(Seen *entry, PyObject *self, PyObject *const *args, Py_ssize_t given, PyObject *names)
{
    Call call;
    begin(entry, &call, self, args, given, names);
    return end(entry, &call, ((FastWithKeywords)(void (*)(void))entry->original)(self, args, given, names));
}

static PyObject *
call_of_class(Seen *entry, PyObject *self, PyTypeObject *class, PyObject *const *args, size_t given, PyObject *names)
{
    Call call;
    begin(entry, &call, self, args, (Py_ssize_t)given, names);
    return end(entry, &call, ((OfClass)(void (*)(void))entry->original)(self, class, args, given, names));
}

#define X(owner, name, ...)                                                                                            \
    static PyObject *plain_##owner##_##name(PyObject *self, PyObject *argument)                                        \
    {                                                                                                                  \
        return call_plain(&seen[AT_##owner##_##name], self, argument);                                                 \
    }                                                                                                                  \
    static PyObject *keywords_##owner##_##name(PyObject *self, PyObject *args, PyObject *keywords)                     \
    {                                                                                                                  \
        return call_with_keywords(&seen[AT_##owner##_##name], self, args, keywords);                                   \
    }                                                                                                                  \
    static PyObject *fast_##owner##_##name(PyObject *self, PyObject *const *args, Py_ssize_t given)                    \
    {                                                                                                                  \
        return call_fast(&seen[AT_##owner##_##name], self, args, given);                                               \
    }                                                                                                                  \
    static PyObject *fast_keywords_##owner##_##name(PyObject *self, PyObject *const *args, Py_ssize_t given,           \
                                                    PyObject *names)                                                   \
    {                                                                                                                  \
        return call_fast_with_keywords(&seen[AT_##owner##_##name], self, args, given, names);                          \
    }                                                                                                                  \
    static PyObject *class_##owner##_##name(PyObject *self, PyTypeObject *class, PyObject *const *args, size_t given,  \
                                            PyObject *names)                                                           \
    {                                                                                                                  \
        return call_of_class(&seen[AT_##owner##_##name], self, class, args, given, names);                             \
    }
ACCESSES(X)
THREADS_AND_TASKS(X)
#undef X

static PyObject *
call_wrapper(Seen *entry, PyObject *self, PyObject *args, void *wrapped)
{
    Call call;
    begin(entry, &call, self, &PyTuple_GET_ITEM(args, 0), PyTuple_GET_SIZE(args), NULL);
    call.wrapped = wrapped;
    return end(entry, &call, entry->wrapper(self, args, wrapped));
}

#define X(owner, name, ...)                                                                                            \
    static PyObject *wrapper_##owner##_##name(PyObject *self, PyObject *args, void *wrapped)                           \
    {                                                                                                                  \
        return call_wrapper(&seen[AT_##owner##_##name], self, args, wrapped);                                          \
    }
WRAPPERS(X)
#undef X

static const wrapperfunc wrapper_replacements[SEEN_COUNT] = {
#define X(owner, name, ...) [AT_##owner##_##name] = wrapper_##owner##_##name,
    WRAPPERS(X)
#undef X
};

static const struct {
    PyCFunction plain;
    WithKeywords keywords;
    Fast fast;
    FastWithKeywords fast_keywords;
    OfClass class;
} replacements[SEEN_COUNT] = {
#define X(owner, name, ...)                                                                                            \
    [AT_##owner##_##name] = {plain_##owner##_##name, keywords_##owner##_##name, fast_##owner##_##name,                 \
                             fast_keywords_##owner##_##name, class_##owner##_##name},
    ACCESSES(X)
    THREADS_AND_TASKS(X)
#undef X
};

static PyCFunction
replacement_of(int index, int flags)
{
    if (flags & METH_METHOD) {
        return (PyCFunction)(void (*)(void))replacements[index].class;
    }
    if (flags & METH_FASTCALL) {
        return flags & METH_KEYWORDS ? (PyCFunction)(void (*)(void))replacements[index].fast_keywords
                                     : (PyCFunction)(void (*)(void))replacements[index].fast;
    }
    return flags & METH_KEYWORDS ? (PyCFunction)(void (*)(void))replacements[index].keywords : replacements[index].plain;
}

/* ---- finding the functions ---- */

/* Where the owners of the table are to be had. */
static const struct {
    const char *owner, *module, *attribute; /* attribute NULL: the module itself */
} owners[] = {
    {"object", "builtins", "object"},
    {"list", "builtins", "list"},
    {"dict", "builtins", "dict"},
    {"set", "builtins", "set"},
    {"bytearray", "builtins", "bytearray"},
    {"deque", "_collections", "deque"},
    {"OrderedDict", "_collections", "OrderedDict"},
    {"defaultdict", "_collections", "defaultdict"},
    {"builtins", "builtins", NULL},
    {"_operator", "_operator", NULL},
    {"_collections", "_collections", NULL},
    {"_heapq", "_heapq", NULL},
    {"lock", "_thread", "LockType"},
    {"RLock", "_thread", "RLock"},
    {"SimpleQueue", "_queue", "SimpleQueue"},
    {"_thread", "_thread", NULL},
    {"Context", "_contextvars", "Context"},
    {"_ThreadHandle", "_thread", "_ThreadHandle"},
};

/* What the owner itself holds under that name, or NULL; a new reference. */
static PyObject *
held_by(PyObject *owner, const char *name)
{
    PyObject *object;
    if (PyType_Check(owner)) { /* not what it inherits */
        PyObject *key = PyUnicode_FromString(name);
        PyObject *namespace = PyObject_GetAttrString(owner, "__dict__");
        object = key == NULL || namespace == NULL ? NULL : PyObject_GetItem(namespace, key);
        Py_XDECREF(key);
        Py_XDECREF(namespace);
    }
    else {
        object = PyObject_GetAttrString(owner, name);
    }
    if (object == NULL) {
        PyErr_Clear();
    }
    return object;
}

static PyMethodDef *
definition_of(PyObject *owner, const char *name)
{
    PyObject *object = held_by(owner, name);
    PyMethodDef *definition = NULL;
    if (object != NULL && Py_IS_TYPE(object, &PyMethodDescr_Type)) {
        definition = ((PyMethodDescrObject *)object)->d_method;
    }
    else if (object != NULL && PyCFunction_CheckExact(object)) {
        definition = ((PyCFunctionObject *)object)->m_ml;
    }
    Py_XDECREF(object);
    return definition;
}

/* The entry of the table of slots (slotdefs in Objects/typeobject.c) that a method of a built-in type wraps. All types with
   that slot share it. Its `wrapper` is what calls of the method go through, and is asked for nowhere else but in
   update_one_slot: there, whether two entries of one name have the same. So either both are replaced by the same function
   (`__len__`), or neither is (`__iadd__`: one of them belongs to no built-in type). `d_wrapped` is not touched: classes that
   are made meanwhile would take it over as their own slot. */
static struct wrapperbase *
wrapper_of(PyObject *owner, const char *name)
{
    PyObject *object = held_by(owner, name);
    struct wrapperbase *base = NULL;
    if (object != NULL && Py_IS_TYPE(object, &PyWrapperDescr_Type)) {
        base = ((PyWrapperDescrObject *)object)->d_base;
    }
    Py_XDECREF(object);
    return base;
}

static void
prepare_wrapper(int index, PyObject *owner)
{
    struct wrapperbase *base = wrapper_of(owner, seen[index].name);
    for (int other = FIRST_OF_WRAPPERS; other < FIRST_OF_SYNC && base != NULL; other++) {
        if (seen[other].base == base) {
            base = NULL;
        }
    }
    if (base != NULL && !(base->flags & PyWrapperFlag_KEYWORDS)) {
        seen[index].wrapper = base->wrapper;
        seen[index].base = base;
    }
}

static PyObject *
make_meanwhile(PyObject *dict, PyObject *unused)
{
    (void)unused;
    return PyDict_SetItemString(dict, "key", Py_True) < 0 ? NULL : Py_NewRef(Py_None);
}

/* Sees what this interpreter's defaultdict does with an item that its factory has put there. 0, or -1 with an exception. */
static int
learn_missing(PyObject *type)
{
    static PyMethodDef definition = {"make_meanwhile", make_meanwhile, METH_NOARGS, NULL};
    PyObject *dict = PyObject_CallNoArgs(type);
    PyObject *factory = dict == NULL ? NULL : PyCFunction_New(&definition, dict);
    PyObject *key = factory == NULL ? NULL : PyUnicode_FromString("key");
    PyObject *value = NULL;
    if (key != NULL && PyObject_SetAttrString(dict, "default_factory", factory) == 0) {
        value = PyObject_GetItem(dict, key);
        if (PyObject_SetAttrString(dict, "default_factory", Py_None) < 0) { /* no cycle is left */
            Py_CLEAR(value);
        }
    }
    keeps_what_was_made = value == Py_True;
    Py_XDECREF(key);
    Py_XDECREF(factory);
    Py_XDECREF(dict);
    Py_XDECREF(value);
    return value == NULL ? -1 : 0;
}

static void
prepare_owner(const char *owner_name, PyObject *owner)
{
    for (int i = 0; i < SEEN_COUNT; i++) {
        if (strcmp(seen[i].owner, owner_name) != 0) {
            continue;
        }
        if (i >= FIRST_OF_WRAPPERS && i < FIRST_OF_SYNC) {
            prepare_wrapper(i, owner);
            continue;
        }
        PyMethodDef *definition = definition_of(owner, seen[i].name);
        for (int other = 0; other < i && definition != NULL; other++) {
            if (seen[other].definition == definition) {
                definition = NULL; /* two names of one function */
            }
        }
        if (definition == NULL) {
            continue;
        }
        seen[i].is_function = !PyType_Check(owner);
        seen[i].original = definition->ml_meth;
        seen[i].replacement = replacement_of(i, definition->ml_flags);
        if (seen[i].waits_while != NULL) {
            PyMethodDef *waits = definition_of(owner, seen[i].waits_while);
            seen[i].waits = waits != NULL && waits->ml_flags & METH_NOARGS ? waits->ml_meth : NULL;
        }
        seen[i].definition = definition;
    }
}

int
intercept_prepare(void)
{
    static bool prepared;
    if (prepared) {
        return 0;
    }
    for (size_t i = 0; i < Py_ARRAY_LENGTH(owners); i++) {
        PyObject *module = PyImport_ImportModule(owners[i].module);
        PyObject *owner = NULL;
        if (module != NULL) {
            owner = owners[i].attribute == NULL ? Py_NewRef(module) : PyObject_GetAttrString(module, owners[i].attribute);
        }
        Py_XDECREF(module);
        if (owner == NULL) { /* this version or this build has none */
            if (!PyErr_ExceptionMatches(PyExc_ImportError) && !PyErr_ExceptionMatches(PyExc_AttributeError)) {
                return -1;
            }
            PyErr_Clear();
            continue;
        }
        prepare_owner(owners[i].owner, owner);
        int failed = strcmp(owners[i].owner, "defaultdict") == 0 ? learn_missing(owner) : 0;
        Py_DECREF(owner);
        if (failed) {
            return -1;
        }
    }
    if (seen[AT_list___len__].base == NULL || seen[AT_set___len__].base == NULL ||
        seen[AT_list___len__].wrapper != seen[AT_set___len__].wrapper) {
        seen[AT_list___len__].base = seen[AT_set___len__].base = NULL;
    }
    prepared = true;
    return 0;
}

void
intercept_install(void)
{
    for (int i = 0; i < SEEN_COUNT; i++) {
        if (seen[i].definition != NULL) {
            STORE_RELEASE(&seen[i].definition->ml_meth, seen[i].replacement);
        }
        if (seen[i].base != NULL) {
            STORE_RELEASE(&seen[i].base->wrapper, wrapper_replacements[i == AT_set___len__ ? AT_list___len__ : i]);
        }
    }
}

void
intercept_remove(void)
{
    for (int i = 0; i < SEEN_COUNT; i++) {
        if (seen[i].definition != NULL) {
            STORE_RELEASE(&seen[i].definition->ml_meth, seen[i].original);
        }
        if (seen[i].base != NULL) {
            STORE_RELEASE(&seen[i].base->wrapper, seen[i].wrapper);
        }
    }
}

PyObject *
intercept_names(void)
{
    PyObject *names = PyList_New(0);
    for (int i = 0; names != NULL && i < SEEN_COUNT; i++) {
        if (seen[i].definition == NULL && seen[i].base == NULL) {
            continue;
        }
        PyObject *pair = Py_BuildValue("(ss)", seen[i].owner, seen[i].name);
        if (pair == NULL || PyList_Append(names, pair) < 0) {
            Py_CLEAR(names);
        }
        Py_XDECREF(pair);
    }
    return names;
}
