/* What the intercepted C functions do to memory, to other threads and to tasks: one `Effect` a kind of function. */

#ifndef OPCODETRACE_EFFECTS_H
#define OPCODETRACE_EFFECTS_H

#include "thread.h"

/* One call that is under way. What it refers to, the caller holds. */
typedef struct {
    Thread *thread; /* NULL: nothing of it is recorded */
    uint32_t run, site;
    unsigned direct;
    const char *name;
    PyObject *container, *first, *second;
    PyObject *const *args; /* after the container; those given by keywords follow if `keywords` is a tuple */
    Py_ssize_t given;      /* positional arguments after the container */
    PyObject *keywords;    /* a dict, a tuple of names, or NULL */
    uint64_t earliest;
    uint32_t quiet;
    Py_ssize_t size; /* of the container before */
    uint64_t switches; /* that there were before (GIL builds) */
    bool plain;      /* nothing can come between the lookup and the record of it */
    uint32_t lane;   /* before */
    uint32_t step;   /* the lane of the task whose step it is */
    uint64_t coroutine; /* whose step was under way before */
    uint64_t clock;
    bool is_waiting;     /* in `this_run.waited_for` */
    bool recursive;      /* of an RLock */
    PyCFunction waits;   /* a method of the same type that says whether the call will wait, or NULL */
    const void *wrapped; /* of a wrapper: the slot function that it calls */
#if !FREE_THREADED
    Inside outer; /* what the thread was inside of when the call began */
#endif
} Call;

typedef struct {
    void (*before)(Call *call);
    void (*after)(Call *call, PyObject *result); /* result NULL: it raised */
    void (*failed)(Call *call, const Raised *raised); /* after `after`, if it raised */
} Effect;

#define EFFECTS(X)                                                                                                     \
    X(whole_read)                                                                                                      \
    X(size_read)                                                                                                       \
    X(change)                                                                                                          \
    X(extend)                                                                                                          \
    X(append)                                                                                                          \
    X(append_bounded)                                                                                                  \
    X(replace)                                                                                                         \
    X(item_get)                                                                                                        \
    X(item_get_or_default)                                                                                             \
    X(item_has)                                                                                                        \
    X(item_set)                                                                                                        \
    X(item_delete)                                                                                                     \
    X(item_pop)                                                                                                        \
    X(item_moved)                                                                                                      \
    X(item_default)                                                                                                    \
    X(item_missed)                                                                                                     \
    X(item_popped)                                                                                                     \
    X(items_update)                                                                                                    \
    X(items_counted)                                                                                                   \
    X(member_add)                                                                                                      \
    X(member_remove)                                                                                                   \
    X(member_popped)                                                                                                   \
    X(attribute_get)                                                                                                   \
    X(attribute_has)                                                                                                   \
    X(attribute_set)                                                                                                   \
    X(attribute_delete)                                                                                                \
    X(attributes_of)                                                                                                   \
    X(items_got)                                                                                                       \
    X(attributes_got)                                                                                                  \
    X(wait)                                                                                                            \
    X(shut_down)                                                                                                       \
    X(release)                                                                                                         \
    X(thread_ends)                                                                                                     \
    X(start)                                                                                                           \
    X(import)                                                                                                          \
    X(step)                                                                                                            \
    X(drive)                                                                                                           \
    X(find_done)                                                                                                       \
    X(await)                                                                                                           \
    X(idle)                                                                                                            \
    X(nothing)

#define X(name) extern const Effect effect_##name;
EFFECTS(X)
#undef X

/* Sees what this interpreter's defaultdict does with an item that its factory has put there. 0, or -1 with an exception. */
int effects_learn_missing(PyObject *defaultdict);

#endif
