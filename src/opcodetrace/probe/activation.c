#include "activation.h"
#include "code.h"
#include "hook.h"

enum { LONGEST_CHAIN = 256 }; /* of fresh callers that are followed */

/* The marks are objects, for whoever should look at all places of a frame. */
#define FRESH ((uintptr_t)Py_False)
#define KNOWN ((uintptr_t)Py_None)

/* The hook at the entry of woven code: its last constant but one. NULL if it has none. */
static inline const Hook *
entry_of(PyCodeObject *code)
{
    if (code == NULL || code_of(code) == NULL) {
        return NULL;
    }
    Py_ssize_t size = PyTuple_GET_SIZE(code->co_consts);
    PyObject *constant = size < 2 ? NULL : PyTuple_GET_ITEM(code->co_consts, size - 2);
    if (constant == NULL || !Py_IS_TYPE(constant, &Hook_Type)) {
        return NULL;
    }
    const Hook *hook = (const Hook *)constant;
    return hook->action == DO_ENTER || hook->action == DO_CALLED ? hook : NULL;
}

static inline uintptr_t *
mark_of(Frame *frame, PyCodeObject *code)
{
    return (uintptr_t *)(void *)frame->localsplus + code->co_nlocalsplus + code->co_stacksize - 1;
}

static void
emit_enter(Thread *thread, Frame *frame, Frame *caller, Datum value)
{
    PyCodeObject *code = frame_code(frame);
    uint64_t place = (uint64_t)NO_SITE << 32 | NO_SITE;
    if (caller != NULL) {
        PyCodeObject *calling = frame_code(caller);
        int instruction = frame_instruction(caller, calling);
        place =
            (uint64_t)code_site_of(code_of(calling), instruction) << 32 | (uint32_t)instruction * sizeof(_Py_CODEUNIT);
    }
    emit(thread, ENTER, entry_of(code)->site, frame_word(caller) & ADDRESS_MASK,
         (Datum){.word = place, .sort = TAG_INT}, value, frame_word(frame), EXACT, 0);
    thread->quiet++;
    *mark_of(frame, code) = KNOWN;
}

/* Enters all that are fresh from `frame` down to the first that is known; gives that one, or NULL. */
static Frame *
enter_chain(Thread *thread, Frame *frame)
{
    Frame *fresh[LONGEST_CHAIN];
    int count = 0;
    for (; frame != NULL; frame = frame->previous) {
        PyCodeObject *code = frame_code(frame);
        if (entry_of(code) == NULL) {
            continue; /* code that is not woven comes between, or such as neither accesses nor calls anything */
        }
        if (*mark_of(frame, code) != FRESH) {
            break;
        }
        if (count == LONGEST_CHAIN) {
            frame = NULL; /* it stays fresh; who called the outermost of these is not known */
            break;
        }
        fresh[count++] = frame;
    }
    while (count > 0) {
        Frame *next = fresh[--count];
        emit_enter(thread, next, frame, (Datum){.sort = TAG_ABSENT});
        frame = next;
    }
    return frame;
}

void
activation_enter(Thread *thread, Frame *frame)
{
    PyCodeObject *code = frame == NULL ? NULL : frame_code(frame);
    if (entry_of(code) != NULL && *mark_of(frame, code) == FRESH) {
        enter_chain(thread, frame);
    }
    /* A generator's frame may go, and another one begin there, on another thread. */
    thread->known = frame != NULL && frame->owner == FRAME_OWNED_BY_THREAD ? frame : NULL;
}

bool
activation_begins(Thread *thread, Frame *frame)
{
    PyCodeObject *code = frame_code(frame);
    if (entry_of(code) == NULL) {
        return false;
    }
    *mark_of(frame, code) = FRESH;
    thread->known = NULL;
    return true;
}

void
activation_begins_known(Thread *thread, Frame *frame)
{
    thread->known = NULL;
    emit_enter(thread, frame, enter_chain(thread, frame->previous), (Datum){.sort = TAG_TRUE});
}
