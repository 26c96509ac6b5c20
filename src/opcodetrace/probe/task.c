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

bool
is_task(PyObject *object)
{
    return task_type(Py_TYPE(object)) != NULL;
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

/* What a method of asyncio's own gives, whatever a subclass makes of it; the caller releases it. NULL without an exception. */
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

static PyObject *asyncio_name, *current_name;

int
task_prepare(void)
{
    if (asyncio_name == NULL) {
        asyncio_name = PyUnicode_InternFromString("_asyncio");
        current_name = PyUnicode_InternFromString("_current_tasks");
    }
    return asyncio_name == NULL || current_name == NULL ? -1 : 0;
}

/* The coroutine of a task; borrowed, the task holds it. NULL: it has none any more, or no plain one. */
static PyObject *
coroutine_of(PyObject *task)
{
    PyObject *coroutine = ask(task, "get_coro");
    let_go(coroutine);
    return coroutine != NULL && PyCoro_CheckExact(coroutine) ? coroutine : NULL;
}

static bool
runs(PyObject *task, PyObject *coroutine)
{
    return task != NULL && task_type(Py_TYPE(task)) != NULL && coroutine_of(task) == coroutine;
}

#if STATE_HAS_TASK

PyObject *
task_that_runs(PyObject *coroutine)
{
    PyObject *task = running_task(current_thread_state());
    return runs(task, coroutine) ? task : NULL;
}

#else

PyObject *
task_that_runs(PyObject *coroutine)
{
    PyObject *modules = modules_dict();
    PyObject *module = modules == NULL ? NULL : dict_find(modules, asyncio_name);
    PyObject *dict = module == NULL || !PyModule_CheckExact(module) ? NULL : ((PyModuleObject *)module)->md_dict;
    PyObject *current = dict == NULL ? NULL : dict_find(dict, current_name);
    if (current == NULL || !PyDict_CheckExact(current)) {
        return NULL;
    }
    /* One for each event loop that runs. */
    PyObject *loop, *task;
    for (Py_ssize_t at = 0; PyDict_Next(current, &at, &loop, &task);) {
        if (runs(task, coroutine)) {
            return task;
        }
    }
    return NULL;
}

#endif

void
task_is_none(Thread *thread, PyGenObject *coroutine)
{
    /* Coroutines that take turns are found as cycles are, with one mark that is set anew ever more rarely (Brent, An improved
       Monte Carlo factorization algorithm, 1980). One that was never resumed is not in turn with another. */
    uint64_t address = (uint64_t)(uintptr_t)coroutine;
    if (address == thread->watched && coroutine->gi_frame_state != FRAME_CREATED && thread->others) {
        spool_merge(MERGED_COROUTINES);
    }
    thread->others = address != thread->watched;
    if (++thread->steps > thread->watched_until) {
        thread->watched = address;
        thread->watched_until = 2 * thread->steps;
        thread->others = false;
    }
}

static size_t
lane_slot(uint64_t address, size_t capacity)
{
    return (size_t)((address * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (capacity - 1);
}

static Lane *
lane_find(Lane *lanes, size_t capacity, uint64_t address)
{
    size_t slot = lane_slot(address, capacity);
    while (lanes[slot].address != 0 && lanes[slot].address != address) {
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
            *lane_find(lanes, capacity, thread->lanes[i].address) = thread->lanes[i];
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
    Lane *lane = lane_find(thread->lanes, thread->lane_capacity, address);
    /* The address may be that of a task that was given up before it ended. One that makes its first step is a new one. */
    PyGenObject *coroutine = (PyGenObject *)coroutine_of(task);
    bool is_new = coroutine != NULL ? coroutine->gi_frame_state == FRAME_CREATED : lane->name != hash;
    if (lane->address == 0 || is_new) {
        uint32_t number = thread_number();
        if (number == UNNUMBERED) {
            return UNNUMBERED;
        }
        if (lane->address == 0) {
            thread->lane_count++;
        }
        else {
            thread_number_ends(lane->number);
        }
        *lane = (Lane){.address = address, .name = hash, .number = number};
    }
    if (lane->round != thread->round || lane->name != hash) {
        uint32_t id = text_id(thread, text, length), before = thread->number;
        thread->number = lane->number;
        emit(thread, LANE, NO_SITE, thread->own, (Datum){0}, (Datum){.word = id, .sort = TAG_STR}, 0, EXACT, 0);
        thread->number = before;
        thread->quiet++;
        lane->round = thread->round;
        lane->name = hash;
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
    /* Those after it move up, unless they lie at or before their own place (Knuth, volume 3, 6.4, algorithm R). */
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

/* The generator or coroutine that runs as long as one waits for this; NULL: it is none. */
static PyGenObject *
generator_inside(PyObject *awaited)
{
    if (awaited == NULL) {
        return NULL;
    }
    if (PyGen_CheckExact(awaited) || PyCoro_CheckExact(awaited)) {
        return (PyGenObject *)awaited;
    }
    PyTypeObject *type = Py_TYPE(awaited);
    if (is_c_type(type, "coroutine_wrapper") || is_c_type(type, "async_generator_asend") ||
        is_c_type(type, "async_generator_athrow")) {
        return *(PyGenObject **)(void *)((char *)awaited + sizeof(PyObject)); /* the first field of each */
    }
    return NULL;
}

/* Where a coroutine stands that is suspended, and those that it waits for: what is woven of them, the innermost first. */
static void
note_places(Left *left, PyGenObject *generator)
{
    for (int depth = 0; generator != NULL && generator->gi_frame_state < FRAME_EXECUTING && depth < MAX_AWAITS;
         depth++) {
        Frame *frame = generator_frame(generator);
        PyCodeObject *code = frame_code(frame);
        Code *woven = code == NULL ? NULL : code_of(code);
        if (woven != NULL && woven->id != NO_SITE) {
            if (left->code != NO_SITE) {
                memmove(&left->callers[1], left->callers, sizeof(left->callers) - sizeof(left->callers[0]));
                left->callers[0] = (Awaiting){left->code, left->instruction};
                left->depth += left->depth < MAX_CALLERS;
            }
            left->code = woven->id;
            left->instruction = frame_instruction(frame, code);
            left->frame = frame_word(frame);
        }
        generator = generator_inside(generator_awaits(generator));
    }
}

#endif

void
task_leaves(Thread *thread, PyObject *task)
{
    PyGenObject *generator = (PyGenObject *)coroutine_of(task);
    bool ended = generator != NULL && generator->gi_frame_state >= FRAME_COMPLETED;
#if !FREE_THREADED
    Left left = {.lane = thread->number, .code = NO_SITE, .ended = ended};
    if (generator != NULL && !ended) {
        note_places(&left, generator);
    }
    switch_leave(left);
#endif
    if (ended) {
        lane_ends(thread, (uint64_t)(uintptr_t)task);
    }
}

uint64_t
task_coroutine(PyObject *task)
{
    return (uint64_t)(uintptr_t)coroutine_of(task);
}
