#include "task.h"
#include "code.h"
#include "switch.h"
#include "text.h"

/* The type that asyncio's own C code gives tasks, among the bases of this one; else NULL. */
static PyTypeObject *
task_type(PyTypeObject *type)
{
    for (; type != NULL; type = type->tp_base) {
        if (is_c_type(type, "_asyncio.Task")) {
            return type;
        }
    }
    return NULL;
}

static bool
is_step(PyTypeObject *type)
{
    return is_c_type(type, "_asyncio.TaskStepMethWrapper") || is_c_type(type, "TaskStepMethWrapper"); /* 3.11 */
}

PyObject *
task_of_callback(PyObject *callback)
{
    PyObject *self = NULL;
    if (PyCFunction_Check(callback)) { /* task.__wakeup */
        self = PyCFunction_GET_SELF(callback);
    }
    else if (is_step(Py_TYPE(callback))) {
        self = PyObject_GetAttrString(callback, "__self__");
        if (self == NULL) {
            PyErr_Clear();
            return NULL;
        }
        let_go(self); /* the callback holds it */
    }
    return self != NULL && task_type(Py_TYPE(self)) != NULL ? self : NULL;
}

/* What a method of asyncio's own gives, whatever a subclass makes of it; to let go of. NULL without an exception. */
static PyObject *
ask(PyObject *task, const char *method)
{
    PyObject *descriptor = PyObject_GetAttrString((PyObject *)task_type(Py_TYPE(task)), method), *answer = NULL;
    if (descriptor != NULL && Py_IS_TYPE(descriptor, &PyMethodDescr_Type)) {
        PyMethodDef *definition = ((PyMethodDescrObject *)descriptor)->d_method;
        if (definition->ml_flags & METH_NOARGS) {
            answer = definition->ml_meth(task, NULL);
        }
    }
    Py_XDECREF(descriptor);
    if (answer == NULL) {
        PyErr_Clear();
    }
    return answer;
}

static size_t
lane_slot(uint64_t address, size_t capacity)
{
    return (size_t)((address * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (capacity - 1);
}

static Lane *
lane_find(Lane *lanes, size_t capacity, uint64_t address, uint64_t name)
{
    size_t slot = lane_slot(address, capacity);
    while (lanes[slot].address != 0 && (lanes[slot].address != address || lanes[slot].name != name)) {
        slot = (slot + 1) & (capacity - 1);
    }
    return &lanes[slot];
}

/* Room for one more. */
static bool
lanes_grow(Thread *thread)
{
    if (thread->lane_count * 2 < thread->lane_capacity) {
        return true;
    }
    size_t capacity = thread->lane_capacity == 0 ? 64 : thread->lane_capacity * 2;
    Lane *lanes = PyMem_RawCalloc(capacity, sizeof(Lane));
    if (lanes == NULL) {
        return false;
    }
    for (size_t i = 0; i < thread->lane_capacity; i++) {
        if (thread->lanes[i].address != 0) {
            *lane_find(lanes, capacity, thread->lanes[i].address, thread->lanes[i].name) = thread->lanes[i];
        }
    }
    PyMem_RawFree(thread->lanes);
    thread->lanes = lanes;
    thread->lane_capacity = capacity;
    return true;
}

uint32_t
task_lane(Thread *thread, PyObject *task)
{
    /* An address may be that of another task later, which has another name: Task-1, Task-2 ... */
    uint8_t text[MAX_TEXT];
    size_t length = 0;
    PyObject *name = ask(task, "get_name");
    if (name != NULL && PyUnicode_CheckExact(name)) {
        length = text_cut(name, text, sizeof(text));
    }
    let_go(name);
    uint64_t hash = UINT64_C(0xCBF29CE484222325); /* FNV-1a */
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ text[i]) * UINT64_C(0x100000001B3);
    }
    uint64_t address = (uint64_t)(uintptr_t)task;
    if (!lanes_grow(thread)) {
        return UNNUMBERED;
    }
    Lane *lane = lane_find(thread->lanes, thread->lane_capacity, address, hash);
    if (lane->address == 0) {
        uint32_t number = thread_number();
        if (number == UNNUMBERED) {
            return UNNUMBERED;
        }
        *lane = (Lane){.address = address, .name = hash, .number = number};
        thread->lane_count++;
    }
    if (lane->round != thread->round) {
        uint32_t id = text_id(thread, text, length), before = thread->number;
        thread->number = lane->number;
        emit(thread, LANE, NO_SITE, thread->own, (Datum){0}, (Datum){.word = id, .sort = TAG_STR}, 0, EXACT, 0);
        thread->number = before;
        thread->quiet++;
        lane->round = thread->round;
    }
    return lane->number;
}

/* The task will make no more steps. */
static void
lane_ends(Thread *thread, uint64_t address)
{
    size_t last = thread->lane_capacity - 1, slot = lane_slot(address, thread->lane_capacity);
    Lane *lanes = thread->lanes;
    while (lanes[slot].address != 0 && lanes[slot].number != thread->number) {
        slot = (slot + 1) & last;
    }
    if (lanes[slot].address == 0) {
        return;
    }
    thread_number_ends(thread->number);
    thread->lane_count--;
    /* Those behind it move up, unless they lie at or before their own place (Knuth, volume 3, 6.4, algorithm R). */
    for (size_t next = (slot + 1) & last; lanes[next].address != 0; next = (next + 1) & last) {
        size_t home = lane_slot(lanes[next].address, thread->lane_capacity);
        if (((next - home) & last) >= ((next - slot) & last)) {
            lanes[slot] = lanes[next];
            slot = next;
        }
    }
    lanes[slot].address = 0;
}

#if !FREE_THREADED
/* Where a coroutine that is suspended stands; left.code stays as it is where that is not woven. */
static void
note_place(Left *left, PyGenObject *generator)
{
    Frame *frame = generator_frame(generator);
    PyCodeObject *code = frame_code(frame);
    Code *woven = code == NULL ? NULL : code_of(code);
    if (woven != NULL && woven->id != NO_SITE) {
        left->code = woven->id;
        left->instruction = frame_instruction(frame, code);
        left->frame = frame_word(frame);
    }
}
#endif

void
task_leaves(Thread *thread, PyObject *task)
{
    PyObject *coroutine = ask(task, "get_coro");
    PyGenObject *generator = coroutine != NULL && PyCoro_CheckExact(coroutine) ? (PyGenObject *)coroutine : NULL;
    bool ended = generator != NULL && generator->gi_frame_state >= FRAME_COMPLETED;
#if !FREE_THREADED
    Left left = {.lane = thread->number, .code = NO_SITE, .ended = ended};
    if (generator != NULL && !ended) {
        note_place(&left, generator);
    }
    switch_leave(left);
#endif
    if (ended) {
        lane_ends(thread, (uint64_t)(uintptr_t)task);
    }
    let_go(coroutine);
}
