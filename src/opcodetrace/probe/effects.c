#include "activation.h"
#include "effects.h"
#include "failure.h"
#include "intercept.h"
#include "location.h"
#include "switch.h"
#include "sync.h"
#include "task.h"
#include "uncaught.h"

/* ---- what a record says ---- */

static void
write_record(Call *call, unsigned kind, PyObject *container, Datum key, Datum value)
{
    Thread *thread = call->thread;
    uint64_t word = container_word(thread, container);
    uint64_t seq = emit(thread, key_flags(kind, key), call->site, word, key, value, activation_word(thread),
                        call->earliest, call->quiet);
    if (UNLIKELY(tag_of(value) == TAG_RAISED)) {
        uncaught_note(thread, seq, value, NULL);
    }
    /* Of what else the call did: this is not another thread's record, nor a later time to begin at, because all of it is done. */
    call->quiet--;
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
remember_size(Call *call)
{
    if (call->container != NULL && is_container(call->container)) {
        call->size = size_of(call->container);
    }
    else {
        call->thread = NULL;
    }
}

/* WRITE, with RESIZES if the size is another than before. (If another thread changed it meanwhile, that is recorded, too.) */
static unsigned
writes(const Call *call)
{
    return size_of(call->container) != call->size ? WRITE | RESIZES : WRITE;
}

static void
whole_read(Call *call, PyObject *result)
{
    if (succeeded_on_container(call, result)) {
        write_record(call, READ, call->container, WHOLE, ABSENT);
    }
}

/* len: the same, with how many items there are. */
static void
size_read(Call *call, PyObject *result)
{
    if (succeeded_on_container(call, result)) {
        write_record(call, READ, call->container, WHOLE, size_datum(size_of(call->container)));
    }
}

/* One step that reads and writes: its version comes from the one before. The value is the item, if it added one. */
static void
whole_changed(Call *call, PyObject *result, Datum key, Datum value)
{
    if (succeeded_on_container(call, result)) {
        unsigned kind = writes(call);
        write_record(call, READ, call->container, WHOLE, ABSENT);
        write_record(call, kind, call->container, key, value);
    }
}

static void
change(Call *call, PyObject *result)
{
    whole_changed(call, result, WHOLE, ABSENT);
}

static void
extend(Call *call, PyObject *result)
{
    whole_changed(call, result, END, ABSENT);
}

static void
append(Call *call, PyObject *result)
{
    if (call->container != NULL && is_deque(call->container) && size_of(call->container) == call->size) {
        whole_changed(call, result, WHOLE, ABSENT); /* a full deque drops its first item */
    }
    else {
        whole_changed(call, result, END, value_of(call, call->given == 1 ? call->first : NULL));
    }
}

static void
replace(Call *call, PyObject *result)
{
    if (succeeded_on_container(call, result)) {
        write_record(call, writes(call), call->container, WHOLE, ABSENT);
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
    if (!there && PyDict_CheckExact(call->container) && (key.sort & PLAIN) &&
        mapping_is_plain(call->container, call->first)) {
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

/* `move_to_end`: it asks whether the item is there. What is at each key stays. */
static void
item_moved(Call *call, PyObject *result)
{
    item_has(call, result);
    whole_changed(call, result, END, ABSENT);
}

static void
item_set(Call *call, PyObject *result)
{
    if (succeeded_on_container(call, result) && call->given >= 2) {
        write_record(call, writes(call), call->container, key_in(call, call->container, call->first),
                     value_of(call, call->second));
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
    bool must = call->given < 2 && call->keywords == NULL; /* without a default it raises if there is none */
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
        write_record(call, WRITE | RESIZES, call->container, key, value_of(call, result));
    }
}

/* defaultdict.__missing__, for a subscript or called by name: the item was not found, and is made. */
static void
item_missed(Call *call)
{
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
    call->switches = this_run.switch_count;
#endif
}

/* Has no other thread recorded anything since the call began? */
static bool
is_undisturbed(const Call *call)
{
#if FREE_THREADED
    return spool_next() - call->earliest == call->thread->quiet - call->quiet;
#else
    return this_run.switch_count == call->switches;
#endif
}

/* From 3.14 on `__missing__` keeps an item that was made meanwhile, and gives that. */
static bool keeps_what_was_made;

static PyObject *
make_meanwhile(PyObject *dict, PyObject *unused)
{
    (void)unused;
    return PyDict_SetItemString(dict, "key", Py_True) < 0 ? NULL : Py_NewRef(Py_None);
}

int
effects_learn_missing(PyObject *defaultdict)
{
    static PyMethodDef definition = {"make_meanwhile", make_meanwhile, METH_NOARGS, NULL};
    PyObject *dict = PyObject_CallNoArgs(defaultdict);
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
item_made(Call *call, PyObject *result)
{
    Thread *thread = call->thread;
    if (result == NULL) {
        return;
    }
    bool is_made_now = is_undisturbed(call);
    if (!keeps_what_was_made || is_made_now) {
        if (call->plain) { /* what makes the value comes before the store, and nothing after */
            call->earliest = spool_next();
            call->quiet = thread->quiet;
        }
        unsigned kind = is_made_now ? WRITE | RESIZES : WRITE;
        write_record(call, kind, call->container, mapping_key(thread, call->first), value_of(call, result));
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

/* Can no other thread change it under our hands? */
static bool
is_own(PyObject *object)
{
#if FREE_THREADED
    return _Py_IsOwnedByCurrentThread(object) && LOAD(&object->ob_ref_shared) == 0;
#else
    (void)object;
    return true;
#endif
}

static bool
is_pair(PyObject *object)
{
    return (PyTuple_CheckExact(object) || (PyList_CheckExact(object) && is_own(object))) &&
           PySequence_Fast_GET_SIZE(object) == 2;
}

/* The items that a dictionary was given, each as a write of that `kind`; false if they are not known. */
static bool
items_from(Call *call, unsigned kind, PyObject *other)
{
    Py_ssize_t at = 0;
    PyObject *key, *value;
    if (PyDict_Check(other) && (Py_TYPE(other)->tp_iter == PyDict_Type.tp_iter || PyODict_CheckExact(other)) &&
        is_own(other) && PyDict_GET_SIZE(other) <= MOST_ITEMS) {
        while (PyDict_Next(other, &at, &key, &value)) {
            write_record(call, kind, call->container, mapping_key(call->thread, key), value_of(call, value));
        }
        return true;
    }
    if (!(PyTuple_CheckExact(other) || (PyList_CheckExact(other) && is_own(other))) ||
        PySequence_Fast_GET_SIZE(other) > MOST_ITEMS) {
        return false;
    }
    Py_ssize_t size = PySequence_Fast_GET_SIZE(other);
    for (at = 0; at < size; at++) {
        if (!is_pair(PySequence_Fast_GET_ITEM(other, at))) {
            return false;
        }
    }
    for (at = 0; at < size; at++) {
        PyObject **pair = PySequence_Fast_ITEMS(PySequence_Fast_GET_ITEM(other, at));
        write_record(call, kind, call->container, mapping_key(call->thread, pair[0]), value_of(call, pair[1]));
    }
    return true;
}

static void
items_update(Call *call, PyObject *result)
{
    if (result == NULL || call->container == NULL) {
        return;
    }
    if (!PyDict_Check(call->container)) { /* a set's `|=` */
        change(call, result);
        return;
    }
    unsigned kind = writes(call);
    bool known = call->given == 0 || (call->given == 1 && items_from(call, kind, call->first));
    known =
        known && (call->keywords == NULL || (PyDict_Check(call->keywords) && items_from(call, kind, call->keywords)));
    if (!known && result != Py_NotImplemented) {
        write_record(call, kind, call->container, WHOLE, ABSENT);
    }
}

/* The value of an item now, and of a number `less` than that; ABSENT if it is not known. */
static Datum
count_now(Call *call, PyObject *key, Py_ssize_t less)
{
    PyObject *value = NULL;
    int64_t number = 0;
    if (!is_undisturbed(call) || !PyUnicode_CheckExact(key) || !dict_has_text_keys_only(call->container)) {
        return ABSENT;
    }
    value = dict_find(call->container, key);
    bool known = value != NULL && PyLong_CheckExact(value) && int_value(value, &number);
    return known && number != less && !this_run.hides_values
               ? (Datum){.word = (uint64_t)(number - less), .sort = TAG_INT}
               : ABSENT;
}

static bool
are_one(PyObject *a, PyObject *b)
{
    return a == b || (PyUnicode_CheckExact(a) && PyUnicode_CheckExact(b) && same_text(a, b));
}

/* Counter.update of what can be counted: each item that is found is read and written. Of a text, a tuple or a list. */
static void
items_counted(Call *call, PyObject *result)
{
    PyObject *others = call->first;
    bool is_text = others != NULL && PyUnicode_CheckExact(others);
    bool known =
        is_text || (others != NULL && (PyTuple_CheckExact(others) || (PyList_CheckExact(others) && is_own(others))));
    Py_ssize_t size = !known ? 0 : is_text ? PyUnicode_GET_LENGTH(others) : PySequence_Fast_GET_SIZE(others);
    if (!known || size > MOST_ITEMS || !succeeded_on_container(call, result) || !PyDict_Check(call->container)) {
        change(call, result);
        return;
    }
    unsigned kind = writes(call);
    for (Py_ssize_t i = 0; i < size; i++) {
        Py_ssize_t times = 0;
        bool is_first = true;
        PyObject *key = is_text ? PyUnicode_FromOrdinal((int)PyUnicode_READ_CHAR(others, i))
                                : Py_NewRef(PySequence_Fast_GET_ITEM(others, i));
        if (key == NULL) {
            PyErr_Clear();
            continue;
        }
        for (Py_ssize_t other = 0; other < size; other++) {
            bool same = is_text ? PyUnicode_READ_CHAR(others, i) == PyUnicode_READ_CHAR(others, other)
                                : are_one(PySequence_Fast_GET_ITEM(others, other), key);
            times += same;
            is_first = is_first && !(same && other < i);
        }
        if (is_first) {
            Datum item = mapping_key(call->thread, key);
            write_record(call, READ, call->container, item, count_now(call, key, times));
            write_record(call, kind, call->container, item, count_now(call, key, 0));
        }
        Py_DECREF(key);
    }
}

/* ---- sets: an item is a member ---- */

static void
member_add(Call *call, PyObject *result)
{
    if (result != NULL && call->given >= 1) {
        write_record(call, writes(call), call->container, mapping_key(call->thread, call->first),
                     (Datum){.sort = TAG_TRUE});
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

/* The object that holds the attribute, and the flags of its record; NULL if it is no memory. */
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
attribute_record(Call *call, unsigned kind, Operation operation, PyObject *object, PyObject *name, Datum value)
{
    if (object == NULL || name == NULL || !PyUnicode_CheckExact(name)) {
        return;
    }
    Verdict verdict = 0;
    Service service = call->wrapped == NULL ? service_of_attribute(&verdict, object, name, operation)
                                            : service_of_generic_attribute(object, name, operation, call->wrapped);
    unsigned flags;
    PyObject *holder = attribute_holder(object, name, service, operation, &flags);
    if (holder != NULL) {
        write_record(call, kind | flags, holder, mapping_key(call->thread, name), value);
    }
}

static void
attribute_get(Call *call, PyObject *result)
{
    if (result != NULL) {
        attribute_record(call, READ, READING, call->container, call->first,
                         value_of(call, call->given >= 2 && result == call->second ? NULL : result));
    }
}

static void
attribute_has(Call *call, PyObject *result)
{
    if (result != NULL) {
        attribute_record(call, READ, READING, call->container, call->first, ABSENT);
    }
}

static void
attribute_set(Call *call, PyObject *result)
{
    if (result != NULL) {
        attribute_record(call, WRITE, STORING, call->container, call->first, value_of(call, call->second));
    }
}

static void
attribute_delete(Call *call, PyObject *result)
{
    if (result != NULL) {
        attribute_record(call, DELETE, ERASING, call->container, call->first, ABSENT);
    }
}

/* ---- operator.itemgetter and attrgetter: the layouts of Modules/_operator.c, the same from 3.11 to 3.14 ---- */

typedef struct {
    PyObject_HEAD
    Py_ssize_t count;
    PyObject *item; /* of more than one: a tuple */
} ItemGetter;

typedef struct {
    PyObject_HEAD
    Py_ssize_t count;
    PyObject *attributes; /* a tuple; of one with dots: a tuple of names */
} AttrGetter;

/* The one that a getter gives as its i-th of `count`. */
static PyObject *
part_of(PyObject *result, Py_ssize_t count, Py_ssize_t i)
{
    return count == 1 ? result : PyTuple_GET_ITEM(result, i);
}

static void
items_got(Call *call, PyObject *result)
{
    ItemGetter *getter = (ItemGetter *)call->container;
    PyObject *container = call->first;
    Verdict verdict = 0;
    if (result == NULL || container == NULL || service_of_item(&verdict, container, READING) == SERVED_BY_CODE) {
        return;
    }
    for (Py_ssize_t i = 0; i < getter->count; i++) {
        PyObject *item = getter->count == 1 ? getter->item : PyTuple_GET_ITEM(getter->item, i);
        Datum key = PyDict_Check(container) ? mapping_key(call->thread, item) : key_in(call, container, item);
        write_record(call, READ, container, key, value_of(call, part_of(result, getter->count, i)));
    }
}

/* What the instance itself has there now, as long as the hook lasts; NULL: nothing, or that is not followed (slots, and what the
   class has for its instances). */
static PyObject *
plain_value(PyObject *object, PyObject *name)
{
    if (PyModule_Check(object)) {
        PyObject *dict = ((PyModuleObject *)object)->md_dict;
        return dict == NULL ? NULL : dict_find(dict, name);
    }
    return type_lookup(Py_TYPE(object), name) == NULL ? instance_value(object, name) : NULL;
}

static void
attributes_got(Call *call, PyObject *result)
{
    AttrGetter *getter = (AttrGetter *)call->container;
    if (result == NULL || call->first == NULL) {
        return;
    }
    for (Py_ssize_t i = 0; i < getter->count; i++) {
        PyObject *names = PyTuple_GET_ITEM(getter->attributes, i), *object = call->first;
        PyObject *value = part_of(result, getter->count, i);
        if (PyTuple_Check(names)) { /* a.b.c: what lies between is looked for where it lies now */
            Py_ssize_t last = PyTuple_GET_SIZE(names) - 1;
            for (Py_ssize_t step = 0; step < last && object != NULL; step++) {
                PyObject *name = PyTuple_GET_ITEM(names, step);
                PyObject *next = is_undisturbed(call) ? plain_value(object, name) : NULL;
                if (next != NULL) {
                    attribute_record(call, READ, READING, object, name, value_of(call, next));
                }
                object = next;
            }
            names = PyTuple_GET_ITEM(names, last);
        }
        attribute_record(call, READ, READING, object, names, value_of(call, value));
    }
}

/* vars(object): from now on the dictionary is another name for the object's attributes. */
static void
attributes_of(Call *call, PyObject *result)
{
    PyObject *dict = result == NULL ? NULL : behind_proxy(result);
    if (dict != NULL && call->container != NULL && PyDict_CheckExact(dict) && has_plain_dict(call->container)) {
        write_record(call, ALIAS, call->container, (Datum){0}, value_of(call, dict));
        birth_know((uint64_t)(uintptr_t)dict & ADDRESS_MASK);
    }
}

/* ---- synchronisation ---- */

/* The argument at this place, or of this keyword; NULL if it was not given. */
static PyObject *
argument(const Call *call, Py_ssize_t at, const char *name)
{
    PyObject *names = call->keywords;
    if (at < call->given) {
        return call->args[at];
    }
    if (names != NULL && PyDict_Check(names)) {
        Py_ssize_t next = 0;
        PyObject *key, *value;
        while (PyDict_Next(names, &next, &key, &value)) {
            if (PyUnicode_CompareWithASCIIString(key, name) == 0) {
                return value;
            }
        }
        return NULL;
    }
    for (Py_ssize_t i = 0; names != NULL && i < PyTuple_GET_SIZE(names); i++) {
        if (PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, i), name) == 0) {
            return call->args[call->given + i];
        }
    }
    return NULL;
}

static bool
is_zero(PyObject *number)
{
    int64_t value;
    return number != NULL && ((PyLong_CheckExact(number) && int_value(number, &value) && value == 0) ||
                              (PyFloat_CheckExact(number) && PyFloat_AS_DOUBLE(number) == 0.0));
}

/* acquire(False), acquire(timeout=0), get(block=False), get_nowait(): takes what is there, or gives up. */
static bool
only_tries(const Call *call)
{
    if (strcmp(call->name, "get_nowait") == 0) {
        return true;
    }
    bool is_get = strcmp(call->name, "get") == 0, is_join = strcmp(call->name, "join") == 0;
    PyObject *blocks = is_join ? NULL : argument(call, 0, is_get ? "block" : "blocking");
    return blocks == Py_False || is_zero(blocks) || is_zero(argument(call, !is_join, "timeout"));
}

/* acquire(timeout=1), join(1), get(True, 1): gives up after a time. To wait without end, some are given None, others -1. */
static bool
is_bounded(const Call *call)
{
    bool is_join = strcmp(call->name, "join") == 0;
    PyObject *timeout = argument(call, !is_join, "timeout");
    int64_t value;
    if (timeout == NULL || timeout == Py_None) {
        return false;
    }
    if (PyFloat_CheckExact(timeout)) {
        return PyFloat_AS_DOUBLE(timeout) >= 0.0;
    }
    return !PyLong_CheckExact(timeout) || !int_value(timeout, &value) || value >= 0;
}

static bool
will_have_to_wait(const Call *call)
{
    if (call->container == NULL || only_tries(call)) {
        return false;
    }
    if (call->waits == NULL) {
        return call->recursive && rlock_owner(call->container) != 0 &&
               rlock_owner(call->container) != PyThread_get_thread_ident();
    }
    PyObject *answer = call->waits(call->container, NULL);
    if (answer == NULL) {
        PyErr_Clear();
    }
    bool waits = answer == (strcmp(call->name, "join") == 0 ? Py_False : Py_True); /* is_done() */
    Py_XDECREF(answer);
    return waits;
}

#if FREE_THREADED

static bool
may_have_to_wait(const Call *call)
{
    (void)call;
    return false; /* a lock says at any time whether it is held */
}

static void
note_waiting(Call *call)
{
    call->is_waiting = false;
}

static void
note_waited(const Call *call)
{
    (void)call;
}

#else

/* Another thread waits for the lock, which seems free: it may have been given that already, and says so only when it has the GIL. */
static bool
may_have_to_wait(const Call *call)
{
    bool is_lock = call->container != NULL && strcmp(Py_TYPE(call->container)->tp_name, "_thread.lock") == 0;
    if (!is_lock && !(call->recursive && call->container != NULL && rlock_owner(call->container) == 0)) {
        return false;
    }
    for (int i = 0; i < this_run.waiting; i++) {
        if (this_run.waited_for[i] == call->container) {
            return !only_tries(call);
        }
    }
    return false;
}

static void
note_waiting(Call *call)
{
    call->is_waiting = this_run.waiting < MAX_WAITED_FOR;
    if (call->is_waiting) {
        this_run.waited_for[this_run.waiting++] = call->container;
    }
}

static void
note_waited(const Call *call)
{
    for (int i = 0; call->is_waiting && i < this_run.waiting; i++) {
        if (this_run.waited_for[i] == call->container) {
            this_run.waited_for[i] = this_run.waited_for[--this_run.waiting];
            return;
        }
    }
}

#endif

static void
will_wait(Call *call)
{
    call->clock = sync_clock();
    call->is_waiting = false;
    if (will_have_to_wait(call) || may_have_to_wait(call)) {
        unsigned flags = SYNC_BEGINS | call->direct | (is_bounded(call) ? SYNC_BOUNDED : 0);
        sync_emit(call->thread, call->site, call->container, call->name, flags, 0, EXACT, 0);
        note_waiting(call);
    }
}

static void
waited(Call *call, PyObject *result)
{
    note_waited(call);
    bool failed = result == NULL || result == Py_False, tries = only_tries(call);
    unsigned flags = call->direct | (failed ? SYNC_FAILED : 0) | (tries ? SYNC_TRIES : 0);
    flags |= is_bounded(call) ? SYNC_BOUNDED : 0;
    sync_emit(call->thread, call->site, call->container, call->name, flags, tries ? 0 : sync_clock() - call->clock,
              call->earliest, call->quiet);
}

/* The interpreter is about to end, and joins all threads that are no daemons: nothing is said if this one is the only thread. */
static void
will_shut_down(Call *call)
{
    lock_thread_states();
    PyThreadState *first = current_thread_state()->interp->threads.head;
    bool is_alone = first != NULL && first->next == NULL;
    unlock_thread_states();
    if (is_alone) {
        call->thread = NULL;
        return;
    }
    call->clock = sync_clock();
    sync_emit(call->thread, call->site, call->container, call->name, SYNC_BEGINS | call->direct, 0, EXACT, 0);
}

/* Said before it is done: as soon as it is, another thread may go on. Of a lock that is not held nobody waits for: there it is
   said afterwards, when it is known whether that raised. */
static void
releases(Call *call)
{
    bool is_held = true;
    if (call->recursive) {
        is_held = rlock_owner(call->container) == PyThread_get_thread_ident();
    }
    else if (call->waits != NULL) {
        PyObject *answer = call->waits(call->container, NULL);
        if (answer == NULL) {
            PyErr_Clear();
        }
        is_held = answer != Py_False;
        Py_XDECREF(answer);
    }
    call->plain = is_held;
    if (is_held) {
        sync_emit(call->thread, call->site, call->container, call->name, call->direct, 0, EXACT, 0);
    }
}

static void
released(Call *call, PyObject *result)
{
    if (!call->plain) {
        sync_emit(call->thread, call->site, call->container, call->name,
                  call->direct | (result == NULL ? SYNC_FAILED : 0), 0, call->earliest, call->quiet);
    }
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
        unsigned flags = argument(call, 1, "daemon") == Py_False ? SYNC_JOINED_AT_EXIT : 0;
        sync_emit(call->thread, call->site, NULL, "start", flags, number, call->earliest, call->quiet);
    }
    Py_XDECREF(ident);
}

/* ---- the end of a thread: `threading.excepthook`, unless the program has put its own there ---- */

static void
thread_ends(Call *call)
{
    PyObject *args = call->container; /* exc_type, exc_value, exc_traceback, thread */
    /* not if the program itself calls it, and goes on */
    if (call->site == NO_SITE && args != NULL && PyTuple_Check(args) && PyTuple_GET_SIZE(args) >= 2) {
        uncaught_ends(call->thread, PyTuple_GET_ITEM(args, 1));
    }
}

/* ---- modules ---- */

static void
imported(Call *call, PyObject *result)
{
    if (result != NULL && call->container != NULL && PyModule_Check(call->container)) {
        intercept_module(call->container);
    }
}

/* ---- tasks ---- */

static void
goes_on(Call *call, PyObject *task, uint32_t lane, uint64_t coroutine)
{
    Thread *thread = call->thread;
    call->second = task; /* whoever calls holds it */
    call->lane = thread->number;
    call->coroutine = thread->coroutine;
    thread->number = call->step = lane;
    thread->coroutine = coroutine;
#if !FREE_THREADED
    if (task != NULL) {
        switch_resume(lane);
    }
#endif
}

/* What all callbacks of one `gather` or one task group have in common: a closure, or an object. */
static const PyObject *
owner_of_callback(PyObject *function)
{
    if (function == NULL) {
        return NULL;
    }
    if (PyFunction_Check(function)) {
        return PyFunction_GET_CLOSURE(function) == NULL ? NULL : function;
    }
    return PyMethod_Check(function)      ? PyMethod_GET_SELF(function)
           : PyCFunction_Check(function) ? PyCFunction_GET_SELF(function)
                                         : NULL;
}

/* asyncio's own event loop runs each step by context.run. */
static void
step_begins(Call *call)
{
    PyObject *task = call->given < 1 ? NULL : task_of_callback(call->first);
    uint32_t lane = task == NULL ? UNNUMBERED : task_lane(call->thread, task);
    const PyObject *callback = call->thread->callback;
    call->thread->callback = NULL;
    if (lane == UNNUMBERED) {
        if (callback != NULL) {
            sync_emit_callback(call->thread, "run", callback, owner_of_callback(call->first));
        }
        call->thread = NULL;
        return;
    }
    goes_on(call, task, lane, task_coroutine(task));
    if (callback != NULL) {
        sync_emit_callback(call->thread, "run", callback, task);
    }
}

/* A step that began otherwise: of an event loop in C, an eager one, of another kind of tasks. What is told is that a coroutine goes
   on. One that another coroutine awaits does not come here, but on 3.11. */
static void
drive_begins(Call *call)
{
    Thread *thread = call->thread;
    PyObject *coroutine = call->container;
    uint64_t address = (uint64_t)(uintptr_t)coroutine;
    call->thread = NULL;
    if (!PyCoro_CheckExact(coroutine) || thread->coroutine == address || (AWAITS_BY_CALL && thread->coroutine != 0)) {
        return;
    }
    PyObject *task = task_that_runs(coroutine);
    uint32_t lane = thread->number;
    if (task != NULL) {
        lane = task_lane(thread, task);
        if (lane == UNNUMBERED) {
            return;
        }
    }
    else if (thread->coroutine != 0 || lane != thread->own) {
        return; /* it is a part of the step */
    }
    else {
        task_is_none(thread, (PyGenObject *)coroutine);
    }
    call->thread = thread;
    goes_on(call, task, lane, address);
    if (task != NULL) {
        sync_emit_callback(thread, "run", NULL, task); /* it is not known who made it go on */
    }
}

static void
step_ends(Call *call, PyObject *result)
{
    (void)result;
    if (call->second != NULL) {
        task_leaves(call->thread, call->second);
    }
    call->thread->number = call->lane;
    call->thread->coroutine = call->coroutine;
}

/* A task looks at a future. False if it is not done. */
static bool
looks_at_future(Call *call)
{
    if (call->thread->number == call->thread->own || call->waits == NULL) {
        return true;
    }
    PyObject *answer = call->waits(call->container, NULL);
    if (answer == NULL) {
        PyErr_Clear();
    }
    if (answer == Py_True) {
        sync_emit_callback(call->thread, "find_done", call->container, NULL);
    }
    Py_XDECREF(answer);
    return answer != Py_False;
}

static void
finds_done(Call *call)
{
    looks_at_future(call);
}

/* A task is about to wait for another one, or for another future. Most of these are awaited by asyncio's own code, whose operations
   are told as a whole. */
static void
will_await(Call *call)
{
    bool of_task = is_task(call->container);
    if (!looks_at_future(call) && (of_task || call->direct)) {
        uint32_t site = call->direct ? sync_site_of_await() : call->site;
        const char *what = of_task ? "await_end" : "await_result";
        sync_emit(call->thread, site, call->container, what, SYNC_BEGINS | call->direct, 0, EXACT, 0);
    }
}

/* A thread waits without end for what comes through one file alone. Of an event loop that is its own pipe, by which threads and
   signals wake it: it has nothing to do, no timer, and nothing comes from outside. */
static void
idles(Call *call)
{
    int64_t timeout, files;
    Thread *thread = call->thread;
    if (thread->number == thread->own && call->given == 2 && PyLong_CheckExact(call->args[0]) &&
        int_value(call->args[0], &timeout) && timeout < 0 && PyLong_CheckExact(call->args[1]) &&
        int_value(call->args[1], &files) && files == 1) {
        sync_emit_callback(thread, "idle", call->container, NULL);
    }
}

/* ---- what raised: it read what made it fail ---- */

static void
failed_on(Call *call, const Raised *raised, PyObject *container, Datum key, unsigned kinds)
{
    Datum failure = failure_of_call(call->thread, raised, kinds);
    if (tag_of(failure) == TAG_RAISED) {
        write_record(call, READ, container, key, failure);
    }
}

static void
whole_failed(Call *call, const Raised *raised)
{
    if (call->container != NULL && is_container(call->container)) {
        failed_on(call, raised, call->container, WHOLE, NO_ITEM | NO_VALUE | CHANGED);
    }
}

static void
item_failed(Call *call, const Raised *raised)
{
    if (call->container != NULL && is_container(call->container) && call->given >= 1) {
        Datum key = PySet_Check(call->container) ? mapping_key(call->thread, call->first)
                                                 : key_in(call, call->container, call->first);
        failed_on(call, raised, call->container, key.sort & RAISES ? WHOLE : key, NO_ITEM);
    }
}

static void
attribute_failed(Call *call, const Raised *raised)
{
    Datum failure = failure_of_call(call->thread, raised, NO_NAME);
    if (tag_of(failure) == TAG_RAISED) {
        attribute_record(call, READ, READING, call->container, call->first, failure);
    }
}

static void
items_not_got(Call *call, const Raised *raised)
{
    ItemGetter *getter = (ItemGetter *)call->container;
    PyObject *container = call->first;
    Verdict verdict = 0;
    if (getter->count == 1 && container != NULL && service_of_item(&verdict, container, READING) != SERVED_BY_CODE) {
        Datum key =
            PyDict_Check(container) ? mapping_key(call->thread, getter->item) : key_in(call, container, getter->item);
        failed_on(call, raised, container, key.sort & RAISES ? WHOLE : key, NO_ITEM);
    }
}

static void
attributes_not_got(Call *call, const Raised *raised)
{
    AttrGetter *getter = (AttrGetter *)call->container;
    Datum failure = failure_of_call(call->thread, raised, NO_NAME);
    if (getter->count == 1 && tag_of(failure) == TAG_RAISED) { /* of one with dots it is not known which was missing */
        attribute_record(call, READ, READING, call->first, PyTuple_GET_ITEM(getter->attributes, 0), failure);
    }
}

/* ---- by name ---- */

const Effect effect_whole_read = {NULL, whole_read, whole_failed};
const Effect effect_change = {remember_size, change, whole_failed};
const Effect effect_size_read = {NULL, size_read, whole_failed};
const Effect effect_append = {remember_size, append, whole_failed};
const Effect effect_extend = {remember_size, extend, whole_failed};
const Effect effect_append_bounded = {remember_size, append, NULL};
const Effect effect_replace = {remember_size, replace, NULL};
const Effect effect_item_get = {NULL, item_get, item_failed};
const Effect effect_item_get_or_default = {NULL, item_get_or_default, NULL};
const Effect effect_item_has = {NULL, item_has, NULL};
const Effect effect_item_set = {remember_size, item_set, item_failed};
const Effect effect_item_delete = {NULL, item_delete, item_failed};
const Effect effect_item_pop = {remember_size, item_pop, item_failed};
const Effect effect_item_moved = {remember_size, item_moved, item_failed};
const Effect effect_item_default = {remember_size, item_default, NULL};
const Effect effect_item_missed = {item_missed, item_made, NULL};
const Effect effect_item_popped = {NULL, item_popped, whole_failed};
const Effect effect_items_update = {remember_size, items_update, NULL};
const Effect effect_items_counted = {remember_size, items_counted, NULL};
const Effect effect_member_add = {remember_size, member_add, NULL};
const Effect effect_member_remove = {remember_size, member_remove, item_failed};
const Effect effect_member_popped = {NULL, member_popped, whole_failed};
const Effect effect_attribute_get = {NULL, attribute_get, attribute_failed};
const Effect effect_attribute_has = {NULL, attribute_has, NULL};
const Effect effect_attribute_set = {NULL, attribute_set, NULL};
const Effect effect_attribute_delete = {NULL, attribute_delete, attribute_failed};
const Effect effect_attributes_of = {NULL, attributes_of, NULL};
const Effect effect_items_got = {NULL, items_got, items_not_got};
const Effect effect_attributes_got = {NULL, attributes_got, attributes_not_got};
const Effect effect_wait = {will_wait, waited, NULL};
const Effect effect_shut_down = {will_shut_down, waited, NULL};
const Effect effect_release = {releases, released, NULL};
const Effect effect_thread_ends = {thread_ends, NULL, NULL};
const Effect effect_start = {NULL, started, NULL};
const Effect effect_import = {NULL, imported, NULL};
const Effect effect_step = {step_begins, step_ends, NULL};
const Effect effect_drive = {drive_begins, step_ends, NULL};
const Effect effect_find_done = {finds_done, NULL, NULL};
const Effect effect_await = {will_await, NULL, NULL};
const Effect effect_idle = {idles, NULL, NULL};
const Effect effect_nothing = {NULL, NULL, NULL};
