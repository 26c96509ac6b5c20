/* Activations: which call of a function a frame is.

   The hook at a function's entry writes nothing. It marks the frame as fresh, in the last place of its value stack: the weaver
   makes that one deeper than anything there ever needs, so nobody else touches it. The first record of a fresh activation is
   preceded by its ENTER, which names the frame that called it and where that one stands; and by those of the callers that are
   fresh themselves, from the outermost on. So every activation that a record names is known with all that led to it, and one
   that accesses nothing costs a store. The mark lies in the frame itself: a generator takes it along from thread to thread. */

#ifndef OPCODETRACE_ACTIVATION_H
#define OPCODETRACE_ACTIVATION_H

#include "thread.h"

/* The frame begins; false where its code is not woven, so that it has no place for a mark. */
bool activation_begins(Thread *thread, Frame *frame);
/* The frame begins, and is entered at once. The record's value says so: that call is asked for by itself. */
void activation_begins_known(Thread *thread, Frame *frame);
/* Emits what is to come before a record of the frame. */
void activation_enter(Thread *thread, Frame *frame);

/* The newest frame, for a record that is about to be emitted. */
static inline uint64_t
activation_word(Thread *thread)
{
    Frame *frame = current_frame();
    if (UNLIKELY(thread->known != frame)) {
        activation_enter(thread, frame);
    }
    return frame_word(frame);
}

#endif
