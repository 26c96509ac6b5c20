#include "switch.h"
#include "code.h"
#include "datum.h"

enum { GONE = 1, TOP = 2, IN_CALL = 4, YIELD = 8, AWAITS = 16 }; /* SwitchFlag */

#if FREE_THREADED

void
switch_to(Thread *thread)
{
    (void)thread; /* without the GIL there are no switches */
}

#else

static PyThreadState *
outgoing_state(void)
{
    PyThreadState *found = NULL;
    lock_thread_states();
    for (PyThreadState *state = current_thread_state()->interp->threads.head; state != NULL; state = state->next) {
        if (state == this_run.running.state && state->id == this_run.running.state_id) {
            found = state;
            break;
        }
        if (state->thread_id == this_run.running.ident) {
            found = state; /* it has let go of its state and made another */
        }
    }
    unlock_thread_states();
    return found;
}

void
switch_leave(Left now)
{
    this_run.left = now;
}

void
switch_resume(uint32_t lane)
{
    if (this_run.left.lane == lane) {
        this_run.left.lane = UNNUMBERED;
    }
}

/* Is it certain that the call at which a frame of another thread stands is over, so that the interpreter took the GIL away? While
   it runs its operands lie in the value stack, and also while they are being freed, which may give the GIL up, too. Afterwards
   the result lies in the place of the lowest of them. */
static bool
is_over(Frame *frame, PyCodeObject *code, const CallSite *site)
{
    CallShape shape = call_shape(((const uint8_t *)_PyCode_CODE(code))[site->instruction * sizeof(_Py_CODEUNIT)]);
    int lowest = site->depth - site->arguments - 2 - (shape == CALL_WITH_NAMES);
    return shape != CALL_UNKNOWN && lowest >= 0 && has_result_at(frame, code, lowest);
}

/* Where a thread that stands still is: its newest woven frame. */
typedef struct {
    Frame *frame; /* NULL: in no woven code */
    Code *woven;
    int instruction;
    bool
        top; /* the woven frame is the newest, and stands between two instructions or in the C function that is noted */
} Place;

static Place
place_of(PyThreadState *state, bool is_inside)
{
    Place place = {0};
    bool newest = true;
    for (Frame *frame = newest_frame(state); frame != NULL; frame = frame->previous) {
        PyCodeObject *code = frame_code(frame);
        if (code == NULL) {
            continue; /* the interpreter's own */
        }
        Code *woven = code_of(code);
        if (woven != NULL && woven->id != NO_SITE) {
            place.frame = frame;
            place.woven = woven;
            place.instruction = frame_instruction(frame, code);
            const CallSite *at = place.instruction < 0 ? NULL : code_call_at(woven, place.instruction);
            place.top = newest && (is_inside || at == NULL || is_over(frame, code, at));
            return place;
        }
        newest = false;
    }
    return place;
}

/* Those that wait for the coroutine in which a task stands: code:offset,code:offset */
static Datum
callers_of(Thread *thread, const Left *stands)
{
    char text[MAX_TEXT + 1];
    size_t length = 0;
    for (int i = 0; i < stands->depth; i++) {
        int added =
            PyOS_snprintf(text + length, sizeof(text) - length, "%s%u:%zu", i == 0 ? "" : ",", stands->callers[i].code,
                          (size_t)stands->callers[i].instruction * sizeof(_Py_CODEUNIT));
        if (added < 0 || length + (size_t)added > MAX_TEXT) {
            break;
        }
        length += (size_t)added;
    }
    return length == 0 ? ABSENT : (Datum){.word = text_id(thread, text, length), .sort = TAG_STR};
}

static void
emit_switch(Thread *thread, uint32_t from)
{
    uint32_t flags = 0, site = NO_SITE;
    uint64_t address = 0;
    Datum place = ABSENT, callee = ABSENT; /* or a task's callers */
    PyThreadState *state = outgoing_state();
    if (this_run.left.lane == from) {
        flags = this_run.left.ended ? GONE : AWAITS | TOP;
        site = this_run.left.code;
        address = this_run.left.frame;
        if (site != NO_SITE) {
            place =
                (Datum){.word = (uint64_t)(int64_t)this_run.left.instruction * sizeof(_Py_CODEUNIT), .sort = TAG_INT};
            callee = callers_of(thread, &this_run.left);
        }
    }
    else if (state == NULL) {
        flags = GONE;
    }
    else {
        const Inside *inside = &this_run.running.thread->inside;
        bool is_inside = inside->call != NULL && inside->frame == newest_frame(state);
        Place at = place_of(state, is_inside);
        if (at.frame != NULL) {
            site = at.woven->id;
            address = frame_word(at.frame);
            place = (Datum){.word = (uint64_t)(int64_t)at.instruction * sizeof(_Py_CODEUNIT), .sort = TAG_INT};
        }
        flags |= at.top ? TOP : 0;
        if (is_inside) {
            flags |= IN_CALL | (inside->yields ? YIELD : 0);
            callee = (Datum){.word = text_id(thread, inside->callee, strlen(inside->callee)), .sort = TAG_STR};
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
    if (this_run.running_thread != UNNUMBERED) {
        emit_switch(thread, this_run.running_thread);
    }
    this_run.running_thread = thread->number;
    this_run.switch_count++;
    this_run.running.state = current_thread_state();
    this_run.running.state_id = this_run.running.state->id;
    this_run.running.ident = PyThread_get_thread_ident();
    this_run.running.thread = thread;
}

#endif
