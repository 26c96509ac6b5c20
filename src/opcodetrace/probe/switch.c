#include "switch.h"
#include "code.h"
#include "datum.h"

#include <opcode.h>
#include <stdio.h>

enum { GONE = 1, TOP = 2, IN_CALL = 4, YIELD = 8, AWAITS = 16 }; /* SwitchFlag */

uint32_t running_thread = UNNUMBERED;
uint64_t switch_count;

#if FREE_THREADED

void
switch_to(Thread *thread)
{
    (void)thread; /* without the GIL there are no switches */
}

#else

/* The running thread as it was when it became that: we compare, and look for it among the living, before we follow it. */
static struct {
    PyThreadState *state;
    uint64_t state_id;
    unsigned long ident;
} running;

static PyThreadState *
outgoing_state(void)
{
    PyThreadState *same_thread = NULL;
    PyInterpreterState *interpreter = current_thread_state()->interp;
    for (PyThreadState *state = PyInterpreterState_ThreadHead(interpreter); state != NULL;
         state = PyThreadState_Next(state)) {
        if (state == running.state && state->id == running.state_id) {
            return state;
        }
        if (state->thread_id == running.ident) {
            same_thread = state; /* it has let go of its state and made another */
        }
    }
    return same_thread;
}

static Left left = {.lane = UNNUMBERED};

void
switch_leave(Left now)
{
    left = now;
}

void
switch_resume(uint32_t lane)
{
    if (left.lane == lane) {
        left.lane = UNNUMBERED;
    }
}

typedef struct {
    PyObject *callee; /* NULL: unknown */
    PyObject *only_argument;
    bool in_call, after_call; /* neither: it cannot be told */
} Call;

/* What lies at this depth of a frame's value stack; NULL for NULL. */
static PyObject *
stack_at(Frame *frame, PyCodeObject *code, int depth)
{
#if PY_VERSION_HEX >= 0x030E0000
    _PyStackRef slot = frame->localsplus[code->co_nlocalsplus + depth];
    if (PyStackRef_IsNull(slot) || PyStackRef_IsTaggedInt(slot)) {
        return NULL;
    }
    return PyStackRef_AsPyObjectBorrow(slot);
#else
    return frame->localsplus[code->co_nlocalsplus + depth];
#endif
}

enum { CALL_PLAIN, CALL_WITH_NAMES, CALL_TO_ENTER, CALL_UNKNOWN };

/* How an instruction calls. What it is specialised to matters not, but for which family. */
static int
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
    case BEFORE_WITH:
    case BEFORE_ASYNC_WITH:
        return CALL_TO_ENTER;
#endif
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

/* Is the thread inside the call at which its frame stands, and in what? While a C function runs the interpreter leaves the
   call's operands in the value stack; afterwards the lowest of them is the result. Only slots that hold living objects in
   either case are looked into. */
static Call
call_at(Frame *frame, PyCodeObject *code, const CallSite *site)
{
    Call call = {0};
    int shape = call_shape(((const uint8_t *)_PyCode_CODE(code))[site->instruction * sizeof(_Py_CODEUNIT)]);
    if (shape == CALL_TO_ENTER) {
        /* BEFORE_WITH never looks at the eval breaker: who stands there is inside __enter__. */
        call.in_call = true;
        return call;
    }
    if (shape == CALL_UNKNOWN) {
        return call;
    }
    int arguments = site->arguments, lowest = site->depth - arguments - 2 - (shape == CALL_WITH_NAMES);
    if (lowest < 0) {
        return call;
    }
#if PY_VERSION_HEX >= 0x030E0000
    /* The stack pointer is written before every call that may leave the interpreter. */
    ptrdiff_t height = frame->stackpointer - (frame->localsplus + code->co_nlocalsplus);
    if (height == lowest + 1) {
        call.after_call = true;
        return call;
    }
    if (height != site->depth) {
        return call;
    }
    call.in_call = true;
    call.callee = stack_at(frame, code, lowest);
#elif PY_VERSION_HEX >= 0x030D0000
    PyObject *object = stack_at(frame, code, lowest);
    if (object == NULL) {
        return call;
    }
    if (PyCFunction_Check(object) || Py_IS_TYPE(object, &PyMethodDescr_Type)) {
        /* The callee. Were it the result, a function that returned a C function was called just now. */
        call.in_call = true;
        call.callee = object;
    }
    else if (Py_TYPE(object)->tp_call == NULL || PyFunction_Check(object)) {
        call.after_call = true; /* no C function: the result */
        return call;
    }
    else {
        return call;
    }
#else
    PyObject *object = stack_at(frame, code, lowest);
    if (object == NULL) { /* a result is never NULL: the call is not over, and the callee lies above */
        call.in_call = true;
        call.callee = stack_at(frame, code, lowest + 1);
    }
    else if (Py_IS_TYPE(object, &PyMethodDescr_Type)) {
        call.in_call = true;
        call.callee = object;
    }
    else {
        call.after_call = true;
    }
#endif
    if (call.in_call && call.callee != NULL && PyCFunction_Check(call.callee) && arguments == 1 &&
        shape == CALL_PLAIN) {
        call.only_argument = stack_at(frame, code, lowest + 2);
    }
    return call;
}

/* "time.sleep", "_thread.lock.acquire"; 0 where the callee is no C function. */
static size_t
callee_name(PyObject *callee, char buffer[MAX_TEXT])
{
    const char *owner = NULL, *name;
    uint8_t module[MAX_TEXT];
    if (PyCFunction_Check(callee)) {
        PyCFunctionObject *function = (PyCFunctionObject *)callee;
        name = function->m_ml->ml_name;
        if (function->m_module != NULL && PyUnicode_CheckExact(function->m_module)) {
            module[text_cut(function->m_module, module, sizeof(module) - 1)] = '\0';
            owner = (const char *)module;
        }
        else {
            PyObject *self = PyCFunction_GET_SELF(callee);
            if (self != NULL && !PyModule_Check(self)) {
                owner = PyType_Check(self) ? ((PyTypeObject *)self)->tp_name : Py_TYPE(self)->tp_name;
            }
        }
    }
    else if (Py_IS_TYPE(callee, &PyMethodDescr_Type)) {
        name = ((PyMethodDescrObject *)callee)->d_method->ml_name;
        owner = PyDescr_TYPE(callee)->tp_name;
    }
    else {
        return 0;
    }
    int length = snprintf(buffer, MAX_TEXT, "%s%s%s", owner == NULL ? "" : owner, owner == NULL ? "" : ".", name);
    return length < 0 ? 0 : length < MAX_TEXT ? (size_t)length : MAX_TEXT - 1;
}

static bool
is_zero(PyObject *number)
{
    int64_t value;
    return number != NULL && ((PyLong_CheckExact(number) && int_value(number, &value) && value == 0) ||
                              (PyFloat_CheckExact(number) && PyFloat_AS_DOUBLE(number) == 0.0));
}

/* Where a thread that stands still is: its newest woven frame, and the call that its newest frame of all is in. That may be
   one of a library function that is no more than described (threading.Condition.wait): then it tells what the woven frame's
   call waits for. */
typedef struct {
    Frame *frame; /* NULL: in no woven code */
    Code *woven;
    int instruction;
    bool top;     /* the woven frame is the newest */
    bool calling; /* the newest frame stands at an instruction that calls */
    Call call;
} Place;

static Place
place_of(PyThreadState *state)
{
    Place place = {0};
    bool newest = true;
    for (Frame *frame = newest_frame(state); frame != NULL; frame = frame->previous) {
        PyCodeObject *code = frame_code(frame);
        if (code == NULL) {
            continue; /* the interpreter's own */
        }
        Code *described = code_of(code);
        if (described != NULL && (newest || described->id != NO_SITE)) {
            int instruction = frame_instruction(frame, code);
            if (newest) {
                const CallSite *at = instruction < 0 ? NULL : code_call_at(described, instruction);
                place.calling = at != NULL;
                if (at != NULL) {
                    place.call = call_at(frame, code, at);
                }
            }
            if (described->id != NO_SITE) {
                place.frame = frame;
                place.woven = described;
                place.instruction = instruction;
                place.top = newest;
                return place;
            }
        }
        newest = false;
    }
    return place;
}

static void
emit_switch(Thread *thread, uint32_t from)
{
    uint32_t flags = 0, site = NO_SITE;
    uint64_t address = 0;
    Datum place = ABSENT, callee = ABSENT;
    PyThreadState *state = outgoing_state();
    if (left.lane == from) {
        flags = left.ended ? GONE : AWAITS | TOP;
        site = left.code;
        address = left.frame;
        if (site != NO_SITE) {
            place = (Datum){.word = (uint64_t)(int64_t)left.instruction * sizeof(_Py_CODEUNIT), .sort = TAG_INT};
        }
    }
    else if (state == NULL) {
        flags = GONE;
    }
    else {
        Place at = place_of(state);
        if (at.frame != NULL) {
            site = at.woven->id;
            address = frame_word(at.frame);
            place = (Datum){.word = (uint64_t)(int64_t)at.instruction * sizeof(_Py_CODEUNIT), .sort = TAG_INT};
        }
        if (at.top && (!at.calling || at.call.in_call || at.call.after_call)) {
            flags |= TOP;
        }
        if (at.call.in_call) {
            flags |= IN_CALL;
            char name[MAX_TEXT];
            size_t length = at.call.callee == NULL ? 0 : callee_name(at.call.callee, name);
            if (length > 0) {
                callee = (Datum){.word = text_id(thread, name, length), .sort = TAG_STR};
                if (length == 10 && memcmp(name, "time.sleep", 10) == 0 && is_zero(at.call.only_argument)) {
                    flags |= YIELD;
                }
            }
        }
    }
    uint64_t seq;
    Record *record = spool_claim(&seq);
    if (record == NULL) {
        return;
    }
    record->before = flags;
    record->site = site;
    record->thread = (uint16_t)thread->number;
    record->kind = SWITCH;
    record->tags = (uint8_t)(tag_of(place) | tag_of(callee) << 4);
    record->container = from;
    record->key = place.word;
    record->value = callee.word;
    record->frame = address;
    spool_commit(record, seq);
}

COLD void
switch_to(Thread *thread)
{
    if (running_thread != UNNUMBERED) {
        emit_switch(thread, running_thread);
    }
    running_thread = thread->number;
    switch_count++;
    running.state = current_thread_state();
    running.state_id = running.state->id;
    running.ident = PyThread_get_thread_ident();
}

#endif
