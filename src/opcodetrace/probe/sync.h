/* SYNC records: what threads do to wait for each other. Layout: ../spool/layout.py. */

#ifndef OPCODETRACE_SYNC_H
#define OPCODETRACE_SYNC_H

#include "datum.h"

enum {
    SYNC_BEGINS = 1,
    SYNC_FAILED = 2,
    SYNC_DIRECT = 4,
    SYNC_TRIES = 8,
    SYNC_BOUNDED = 16,
    SYNC_JOINED_AT_EXIT = 32
}; /* SyncFlag */

/* Once in a process. 0, or -1 with an exception. */
int sync_prepare(void);
/* Nanoseconds of a clock that never goes back. */
uint64_t sync_clock(void);

/* The site of the woven call that the running thread is in, however deep below its newest `own` frames; or NO_SITE. *direct is
   SYNC_DIRECT if no other frames are between, else 0. */
uint32_t sync_site(int own, unsigned *direct);

/* The same of the `await` that the running frame itself begins, or NO_SITE. */
uint32_t sync_site_of_await(void);

/* `moved_from`: the counter when the operation began, or EXACT. `waited`: nanoseconds, or an ident. */
void sync_emit(Thread *thread, uint32_t site, PyObject *object, const char *operation, unsigned flags, uint64_t waited,
               uint64_t earliest, uint32_t quiet);

/* Of a callback of an event loop, which is told apart by its address alone. `of`: what it belongs to, or NULL. */
void sync_emit_callback(Thread *thread, const char *operation, const PyObject *callback, const PyObject *of);

#endif
