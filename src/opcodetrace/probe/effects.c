#include "effects.h"
#include "location.h"
#include "switch.h"
#include "sync.h"
#include "task.h"

/* ---- what a record says ---- */

static void
write_record(Call *call, unsigned kind, PyObject *container, Datum key, Datum value)
{
    Thread *thread = call->thread;
    uint64_t word = container_word(thread, container);
    emit(thread, key_flags(kind, key), call->site, word, key, value, frame_word(current_frame()), call->earliest,
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
remember_size(Call *call)
{
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
    call->switches = switch_count;
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
will_wait(Call *call)
{
    call->clock = sync_clock();
    if (call->waits != NULL && call->container != NULL && (call->given == 0 || call->first != Py_False)) {
        PyObject *answer = call->waits(call->container, NULL);
        if (answer == NULL) {
            PyErr_Clear();
        }
        else if (answer == Py_True) {
            sync_emit(call->thread, call->site, call->container, call->name, SYNC_BEGINS | call->direct, 0, EXACT, 0);
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
releases(Call *call)
{
    sync_emit(call->thread, call->site, call->container, call->name, call->direct, 0, EXACT, 0);
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

/* asyncio's own event loop runs each step by context.run. */
static void
step_begins(Call *call)
{
    PyObject *task = call->given < 1 ? NULL : task_of_callback(call->first);
    uint32_t lane = task == NULL ? UNNUMBERED : task_lane(call->thread, task);
    if (lane == UNNUMBERED) {
        call->thread = NULL;
        return;
    }
    goes_on(call, task, lane, task_coroutine(task));
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
    if (!PyCoro_CheckExact(coroutine) || thread->coroutine == address ||
        (PY_VERSION_HEX < 0x030C0000 && thread->coroutine != 0)) {
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

/* ---- by name ---- */

const Effect effect_whole_read = {NULL, whole_read};
const Effect effect_change = {NULL, change};
const Effect effect_append = {NULL, append};
const Effect effect_append_bounded = {remember_size, append};
const Effect effect_replace = {NULL, replace};
const Effect effect_item_get = {NULL, item_get};
const Effect effect_item_get_or_default = {NULL, item_get_or_default};
const Effect effect_item_has = {NULL, item_has};
const Effect effect_item_set = {NULL, item_set};
const Effect effect_item_delete = {NULL, item_delete};
const Effect effect_item_pop = {remember_size, item_pop};
const Effect effect_item_default = {remember_size, item_default};
const Effect effect_item_missed = {item_missed, item_made};
const Effect effect_item_popped = {NULL, item_popped};
const Effect effect_items_update = {NULL, items_update};
const Effect effect_member_add = {NULL, member_add};
const Effect effect_member_remove = {remember_size, member_remove};
const Effect effect_member_popped = {NULL, member_popped};
const Effect effect_attribute_get = {NULL, attribute_get};
const Effect effect_attribute_has = {NULL, attribute_has};
const Effect effect_attribute_set = {NULL, attribute_set};
const Effect effect_attribute_delete = {NULL, attribute_delete};
const Effect effect_attributes_of = {NULL, attributes_of};
const Effect effect_wait = {will_wait, waited};
const Effect effect_release = {releases, NULL};
const Effect effect_start = {NULL, started};
const Effect effect_step = {step_begins, step_ends};
const Effect effect_drive = {drive_begins, step_ends};
const Effect effect_nothing = {NULL, NULL};
