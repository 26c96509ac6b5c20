/* The table of the C functions that are seen from inside: one row a function. */

#ifndef OPCODETRACE_INTERCEPTED_H
#define OPCODETRACE_INTERCEPTED_H

#include "effects.h"

enum {
    WRAPPER = 1,      /* of a type slot: an entry of slotdefs, not a PyMethodDef */
    SAME_WRAPPER =
        2, /* and the interpreter wants the one of the row before to be the same function: both, or neither */
    ANYWHERE = 4,     /* followed wherever it takes place, also if no woven code led to it */
    BELOW = 8,        /* an access of the woven call that led to it, however deep below */
    ON_BEHALF = 16,   /* called in the middle of a subscript: its site is that of the hook after the instruction */
    TOLD = 32,        /* the interpreter runs it without the C function once it is hot: a hook may have told of it */
    BLOCKS = 64,      /* gives the GIL up: which thread is inside of it is noted */
    YIELDS = 128,     /* no more than that with an argument of 0 */
    TYPE_CALL = 256,  /* a call of an instance of the type */
    OPERATOR = 4096,  /* `|=`: a slot of the type, which the interpreter calls without a method */
    RECURSIVE = 2048, /* of an RLock */
    AWAIT = 8192,     /* `await`: a slot of the type, which the interpreter calls without a method */
    IMPORT = 512, /* makes a module: what of the table is found in it is the module's own, not the interpreter's */
    STEP = 1024, /* a step of a task, itself no event */
};

typedef struct {
    const char *owner; /* one of `owners` */
    const char *name;
    const Effect *effect;
    unsigned flags;
    const char *
        waits_while; /* a method of the same type that says whether there is something to wait for (of a join: whether not), or to release */
} Intercepted;

/* Where the owners are found. */
typedef struct {
    const char *name, *module, *attribute; /* attribute NULL: the module itself */
} Owner;

extern const Owner owners[];
extern const int owner_count;
extern const Intercepted intercepted[];
enum { MAX_INTERCEPTED = 256 };
extern const int intercepted_count;

#endif
