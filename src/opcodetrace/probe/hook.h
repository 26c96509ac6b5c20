/* `Hook`: what woven code stores to. docs/hook-protocol.md is the protocol. */

#ifndef OPCODETRACE_HOOK_H
#define OPCODETRACE_HOOK_H

#include "location.h"

/* In the order of the table in docs/hook-protocol.md. */
#define ACTIONS(X)                                                                                                     \
    X(ITEM_BEGIN)                                                                                                      \
    X(SLICE_BOUNDS)                                                                                                    \
    X(SLICE_BEGIN)                                                                                                     \
    X(ATTR_BEGIN)                                                                                                      \
    X(READ_END)                                                                                                        \
    X(ITEM_READ)                                                                                                       \
    X(ATTR_READ)                                                                                                       \
    X(ITEM_TARGET)                                                                                                     \
    X(ITEM_VALUE)                                                                                                      \
    X(ITEM_STORE)                                                                                                      \
    X(SLICE_STORE)                                                                                                     \
    X(ITEM_DELETE)                                                                                                     \
    X(ATTR_STORE)                                                                                                      \
    X(ATTR_DELETE)                                                                                                     \
    X(WRITE_END)                                                                                                       \
    X(GLOBAL_READ)                                                                                                     \
    X(GLOBAL_STORE)                                                                                                    \
    X(GLOBAL_DELETE)                                                                                                   \
    X(NAME_READ)                                                                                                       \
    X(NAME_STORE)                                                                                                      \
    X(NAME_DELETE)                                                                                                     \
    X(CELL_READ)                                                                                                       \
    X(CELL_STORE)                                                                                                      \
    X(CELL_DELETE)                                                                                                     \
    X(HAS_BEGIN)                                                                                                       \
    X(WHOLE_READ)                                                                                                      \
    X(SYNC_BEGIN)                                                                                                      \
    X(SYNC_END)                                                                                                        \
    X(COMPUTE)                                                                                                         \
    X(ENTER)                                                                                                           \
    X(DEFINE)                                                                                                          \
    X(CALLED)                                                                                                          \
    X(APPEND_BEGIN)                                                                                                    \
    X(APPEND)                                                                                                          \
    X(WHOLE_CALL)                                                                                                      \
    X(NEXT)                                                                                                            \
    X(FAILED)                                                                                                          \
    X(ITEM_FAILED)                                                                                                     \
    X(ATTR_FAILED)                                                                                                     \
    X(GLOBAL_FAILED)                                                                                                   \
    X(NAME_FAILED)                                                                                                     \
    X(CELL_FAILED)                                                                                                     \
    X(NEXT_FAILED)                                                                                                     \
    X(SYNC_AWAIT)                                                                                                      \
    X(SYNC_AWAITED)                                                                                                    \
    X(SCHEDULE)                                                                                                        \
    X(RUN)

typedef enum {
#define X(name) DO_##name,
    ACTIONS(X)
#undef X
        ACTION_COUNT
} Action;

struct Hook;
typedef void (*Performer)(Thread *thread, struct Hook *hook, PyObject *key, PyObject *value);

typedef struct Hook {
    PyObject_HEAD
    uint32_t site;
    uint8_t action;
    uint8_t key_tag;   /* of a constant key that is a text: its tag, */
    uint64_t key_text; /* and round << 32 | its number, as written in that round */
    uint32_t run;      /* in which it records */
    int64_t index;     /* a constant key that is a plain index, or -1 */
    Performer perform;
    Verdict verdict;
    PyObject *name;
} Hook;

extern PyTypeObject Hook_Type;

/* A new Hook. */
PyObject *hook_make(uint32_t site, int action, PyObject *name);
/* unpickle_hook(stamp, site, action, name): the Hook, or one that records nothing, if another process pickled it. */
PyObject *hook_unpickle(PyObject *module, PyObject *args);
/* Makes the hooks in a woven code object, and in those nested in it, hooks of the run to come. */
void hook_adopt(PyCodeObject *code);

/* The site of the subscript that the newest frame, of woven code, stands at, told by the hook after it; or NO_SITE. */
uint32_t hook_site_behind(Frame *frame, PyCodeObject *code);

#endif
