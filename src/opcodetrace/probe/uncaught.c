#include "uncaught.h"

#include "code.h"
#include "datum.h"

enum { MAX_TOLD_ON = 8 };

/* Where an exception was raised: the oldest frame's entry comes first in a traceback. */
static PyTracebackObject *
innermost(PyObject *exception)
{
    PyTracebackObject *entry = (PyTracebackObject *)((PyBaseExceptionObject *)exception)->traceback;
    while (entry != NULL && PyTraceBack_Check(entry) && entry->tb_next != NULL) {
        entry = entry->tb_next;
    }
    return entry != NULL && PyTraceBack_Check(entry) ? entry : NULL;
}

void
uncaught_note(Thread *thread, uint64_t seq, Datum raised, PyObject *exception)
{
    Frame *frame = current_frame();
    PyCodeObject *code = frame == NULL ? NULL : frame_code(frame);
    thread->failure = (Failure){0};
    if (code == NULL || seq == EXACT) {
        return;
    }
    int instruction = frame_instruction(frame, code); /* in the handler it is the handler's */
    if (exception != NULL) {
        PyTracebackObject *entry = innermost(exception);
        if (entry == NULL) {
            return;
        }
        instruction = entry->tb_lasti / (int)sizeof(_Py_CODEUNIT);
    }
    thread->failure = (Failure){.code = code, .instruction = instruction, .type = raised.word, .seq = seq};
}

/* It is that one if it was raised by the same instruction: had that raised another one since, it would have been noted. */
static bool
is_of(const Failure *failure, Thread *thread, PyObject *exception)
{
    PyTracebackObject *entry = innermost(exception);
    if (entry == NULL || entry->tb_lasti / (int)sizeof(_Py_CODEUNIT) != failure->instruction ||
        type_word(thread, Py_TYPE(exception)) != failure->type) {
        return false;
    }
    PyCodeObject *code = PyFrame_GetCode(entry->tb_frame);
    bool same = code == failure->code;
    Py_DECREF(code);
    return same;
}

/* The one that was caught and told on by this one: `raise ... from error`, or raised anew for the same key. */
static PyObject *
told_on(PyObject *exception)
{
    PyBaseExceptionObject *one = (PyBaseExceptionObject *)exception, *other = (PyBaseExceptionObject *)one->context;
    if (one->cause != NULL && PyExceptionInstance_Check(one->cause)) {
        return one->cause;
    }
    bool same = other != NULL && PyExceptionInstance_Check((PyObject *)other) && Py_TYPE(one) == Py_TYPE(other) &&
                one->args != NULL && other->args != NULL && PyTuple_GET_SIZE(one->args) == 1 &&
                PyTuple_GET_SIZE(other->args) == 1 &&
                PyTuple_GET_ITEM(one->args, 0) == PyTuple_GET_ITEM(other->args, 0);
    return same ? (PyObject *)other : NULL;
}

/* It says that None has no such attribute: where woven code asked for it. */
static void
note_asked_of_none(Thread *thread, PyObject *exception)
{
    PyTracebackObject *entry = innermost(exception);
    if (entry == NULL || !Py_IS_TYPE(exception, (PyTypeObject *)PyExc_AttributeError) ||
        ((PyAttributeErrorObject *)exception)->obj != Py_None) {
        return;
    }
    PyCodeObject *code = PyFrame_GetCode(entry->tb_frame);
    const Code *woven = code_of(code);
    if (woven != NULL && woven->id != NO_SITE) {
        Datum place = {.word = (uint64_t)woven->id << 32 | (uint32_t)entry->tb_lasti, .sort = TAG_INT};
        emit(thread, UNCAUGHT, NO_SITE, 0, place, ABSENT, 0, EXACT, 0);
    }
    Py_DECREF(code);
}

void
uncaught_ends(Thread *thread, PyObject *exception)
{
    if (!PyExceptionInstance_Check(exception)) {
        return;
    }
    note_asked_of_none(thread, exception);
    if (thread->failure.code == NULL) {
        return;
    }
    for (int i = 0; exception != NULL && i < MAX_TOLD_ON; i++, exception = told_on(exception)) {
        if (is_of(&thread->failure, thread, exception)) {
            emit(thread, UNCAUGHT, NO_SITE, thread->failure.seq, (Datum){0}, (Datum){0}, 0, EXACT, 0);
            return;
        }
    }
}

void
uncaught_ends_program(PyObject *exception)
{
    Thread *thread = current_thread;
    uint32_t run = LOAD(&spool.recording);
    if (run != 0 && thread != NULL && thread->number < STALE && thread_goes_inside(thread, run)) {
        if (thread->round == LOAD(&spool.round)) {
            uncaught_ends(thread, exception);
        }
        thread_goes_outside(thread);
    }
}
