#include "uncaught.h"

#include "datum.h"

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
void
uncaught_ends(Thread *thread, PyObject *exception)
{
    Failure *failure = &thread->failure;
    PyTracebackObject *entry = failure->code == NULL || !PyExceptionInstance_Check(exception) ? NULL : innermost(exception);
    if (entry == NULL || entry->tb_lasti / (int)sizeof(_Py_CODEUNIT) != failure->instruction ||
        type_word(thread, Py_TYPE(exception)) != failure->type) {
        return;
    }
    PyCodeObject *code = PyFrame_GetCode(entry->tb_frame);
    if (code == failure->code) {
        emit(thread, UNCAUGHT, NO_SITE, failure->seq, (Datum){0}, (Datum){0}, 0, EXACT, 0);
    }
    Py_DECREF(code);
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
