/* What the probe keeps for each thread of the program, and the records it emits in the thread's name. */

#ifndef OPCODETRACE_THREAD_H
#define OPCODETRACE_THREAD_H

#include "birth.h"
#include "spool.h"

/* `earliest` of an access whose place in the order is its record's. */
#define EXACT UINT64_MAX

/* A key or a value as a record names it. Two words, so that it travels in registers. */
typedef struct {
    uint64_t word;
    uint64_t sort; /* its Tag, and of keys: */
} Datum;

enum {
    TAG_MASK = 0xF,
    UNSURE = 0x100,  /* equality is the program's own: other keys may be equal to this one */
    PLAIN = 0x200, /* hash and comparison are built in: no Python code runs, whatever plain key it is compared with */
    LASTING = 0x400, /* the datum stays right for the whole run (of a constant) */
    RAISES = 0x800, /* there is no such item: the operation raises */
};

static inline unsigned
tag_of(Datum datum)
{
    return (unsigned)datum.sort & TAG_MASK;
}

/* An access that was begun: the hook after the instruction emits it. */
typedef struct {
    uint64_t frame, earliest, container;
    Datum key, value;
    uint32_t site;
    uint32_t quiet;
    uint8_t kind; /* 0: an operation that makes no access */
    uint8_t failing; /* `kind` for the record of one that raises, if that is another: then it reads what made it fail */
} Pending;

typedef struct {
    uint64_t hash; /* of the bytes; or Python's own of the string, */
    uint64_t characters; /* which then has so many; else NO_STRING */
    uint32_t id;
    uint32_t length;
    uint8_t bytes[MAX_TEXT];
} KnownText;

#define NO_STRING UINT64_MAX

typedef struct {
    PyTypeObject *type;
    uint32_t version;
    uint64_t word; /* type id << 48 */
} KnownType;

enum {
    PENDING = 256, /* nested operations; powers of two */
    KNOWN_TEXTS = 256,
    KNOWN_TYPES = 128,
    DESCRIBED = 64,
};

/* An asyncio task of a thread. */
typedef struct {
    uint64_t address; /* 0: an empty entry */
    uint64_t name; /* its hash, as it was written last */
    uint32_t number;
    uint32_t round; /* in which its record was written last */
} Lane;

/* The C function that a thread is in and that may give the GIL up: noted before it is called, read by the next thread that
   passes a hook. It is that very function as long as `frame` is the thread's newest frame. */
typedef struct {
    const void *call; /* NULL: none */
    Frame *frame;
    const char *callee;
    bool yields; /* it does no more than that: sleep(0) */
} Inside;

/* The access of the thread that failed last: by which instruction, with an exception of which type, and its record. */
typedef struct {
    const PyCodeObject *code; /* NULL: there is none; only compared */
    int instruction; /* in code units */
    uint64_t type, seq;
} Failure;

typedef struct Thread {
    struct Thread *next; /* in the pool of those that no thread has */
    struct Thread *all; /* the next of all that were ever made */
#if FREE_THREADED
    uint32_t inside; /* 1 while a hook is at work: only then may the window not go */
#endif
    uint32_t round; /* what it knows was written in this one; 0: it knows nothing yet */
    uint32_t number; /* of the lane that runs: `own`, or that of a task. STALE: of an earlier run, or none */
    uint32_t own;
    bool nameless; /* threading did not know it when its record was written */
    /* Records of this thread that are no events (TEXT, TYPE, BIRTH). If only those came between two hooks, no other
       thread's hook did. */
    uint32_t quiet;
    uint64_t last; /* the counter as this thread's last hook left it, and `quiet` then */
    uint32_t last_quiet;
    /* A stack in a ring: what does not fit drops the oldest. */
    uint32_t top, depth;
    uint32_t pushes;
    bool dropped;
    /* Operands of the ITEM_VALUE that follows at once; they lie on the program's value stack meanwhile. */
    PyObject *target, *target_key;
    /* Bounds for the slice operation that follows at once in the same frame. */
    PyObject *start, *stop;
    uint64_t bounds_frame;
    Frame *known; /* a frame of this thread's own stack whose activation was entered, the last one that was asked for */
    /* The call that a hook has just told of: if it goes through the C function, that does not count it again. */
    uint64_t told_frame;
    uint32_t told_site;
#if !FREE_THREADED
    Inside inside;
#endif
    uint64_t frame; /* of the last record that has one */
    uint64_t chunk, root; /* the newest and the oldest piece of the interpreter's stack of frames then */
    uint64_t state_id; /* and the thread state whose stack that is */
    uint64_t coroutine; /* whose step this is, of a task or not; 0: of none */
    const PyObject *callback; /* that the event loop runs next, told apart by its address; NULL: none */
    uint64_t watched; /* a coroutine that is no task's; 0: none so far */
    uint32_t steps, watched_until; /* of such coroutines: how many there were, and the one that is watched next */
    bool others; /* there was a step of another one since the last of the one that is watched */
    Lane *lanes; /* a hash table */
    size_t lane_count, lane_capacity;
    Failure failure;
    Pending pending[PENDING];
    KnownType types[KNOWN_TYPES];
    KnownText texts[KNOWN_TEXTS];
    uint64_t described[DESCRIBED]; /* the objects that were looked at to describe them; by address */
} Thread;

#if defined(__ELF__)
extern __thread Thread *current_thread __attribute__((tls_model("initial-exec")));
#else
extern __thread Thread *current_thread;
#endif

/* Prepares for the threads of a run; registers the calling one as number 0. 0, or -1 with an exception. */
int thread_prepare(void);
/* The calling thread's first hook in a run; it is `inside` from then on. A thread that cannot be numbered gets one that is
   marked UNNUMBERED, and what it does is counted as missed. NULL if `recording` is not the run that is on. */
Thread *thread_enter(uint32_t recording);
/* After recording was turned off: waits until no thread is inside a hook. */
void thread_await_hooks(void);
/* The run is over: calls `end`, while no thread can end, and forgets which thread had which number. */
void thread_forget(void (*end)(void));

/* Around what writes to the window in the name of a thread that is numbered: false if `run` is over. */
static inline bool
thread_goes_inside(Thread *thread, uint32_t run)
{
#if FREE_THREADED
    STORE(&thread->inside, 1);
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* thread_await_hooks() is the other half of this fence */
    if (UNLIKELY(LOAD(&spool.recording) != run)) {
        STORE_RELEASE(&thread->inside, 0);
        return false;
    }
    return true;
#else
    (void)thread;
    return LOAD(&spool.recording) == run;
#endif
}

#if FREE_THREADED
/* References that this thread gives up once the hook is through. A hook needs a handful. */
typedef struct {
    uint32_t count;
    PyObject *references[63];
} Held;

#  if defined(__ELF__)
extern __thread Held held __attribute__((tls_model("initial-exec")));
#  else
extern __thread Held held;
#  endif

/* Gives them up. Finalisers may run. */
void held_let_go(void);
#endif

static inline void
thread_goes_outside(Thread *thread)
{
#if FREE_THREADED
    if (thread != NULL) {
        STORE_RELEASE(&thread->inside, 0);
        if (UNLIKELY(held.count != 0)) {
            held_let_go();
        }
    }
#else
    (void)thread;
#endif
}

/* Around a fork: no other thread holds what the child needs. */
void thread_before_fork(void);
void thread_after_fork(void);
/* A new round has begun: forgets what was written and writes the thread anew. False if its accesses are not recorded. */
bool thread_renew(Thread *thread);

/* The program is about to give `object`'s attribute `name` a value: if that is a thread's name, THREAD is emitted anew. */
void thread_renamed(Thread *thread, PyObject *object, PyObject *name);
/* The interned string "name". */
extern PyObject *name_of_threads;

/* A number for another thread or lane; UNNUMBERED if there are no more. */
uint32_t thread_number(void);
/* The task that had the number has ended. */
void thread_number_ends(uint32_t number);

/* Writes the thread anew if the threading module knows it by now. */
void thread_name_again(Thread *thread);
/* Does the threading module know the calling thread already? A new one synchronises with its starter before it does. */
bool thread_has_name(void);

/* The birth of an object at a known address, seen by whatever thread it happens on. */
void thread_emit_birth(uint64_t address);

/* A record has another frame than the one before: has the stack of frames been exchanged? That is what greenlets do. */
void thread_frame_changed(Thread *thread, uint64_t frame);

static inline uint64_t
frame_word(Frame *frame)
{
    return (uint64_t)(uintptr_t)frame;
}

/* Its seq; EXACT if there was no room. */
static inline uint64_t
emit(Thread *thread, unsigned kind, uint32_t site, uint64_t container, Datum key, Datum value, uint64_t frame,
     uint64_t earliest, uint32_t quiet)
{
    uint64_t seq;
    Record *record = spool_claim(&seq);
    if (UNLIKELY(record == NULL)) {
        return EXACT;
    }
    __builtin_prefetch((const char *)record + 6 * RECORD_SIZE, 1);
    if (UNLIKELY(frame != thread->frame) && frame != 0) {
        thread_frame_changed(thread, frame);
    }
    uint64_t moved = seq - earliest;
    record->before = earliest == EXACT || moved == thread->quiet - quiet ? 0
                     : moved < UINT32_MAX                                ? (uint32_t)moved
                                                                         : UINT32_MAX; /* no window holds as many */
    record->site = site;
    record->thread = (uint16_t)thread->number;
    record->kind = (uint8_t)kind;
    record->tags = (uint8_t)(tag_of(key) | tag_of(value) << 4);
    record->container = container;
    record->key = key.word;
    record->value = value.word;
    record->frame = frame;
    spool_commit(record, seq);
    return seq;
}

static inline Pending *
pending_push(Thread *thread, uint32_t site, uint64_t frame)
{
    thread->top = (thread->top + 1) % PENDING;
    thread->pushes++;
    if (LIKELY(thread->depth < PENDING)) {
        thread->depth++;
    }
    else {
        thread->dropped = true;
    }
    Pending *pending = &thread->pending[thread->top];
    pending->site = site;
    pending->frame = frame;
    pending->earliest = spool_next();
    pending->quiet = thread->quiet;
    pending->kind = 0;
    pending->failing = 0;
    return pending;
}

/* The newest operation begun at this site in this frame, which is then no longer pending, nor is what was begun since: that
   raised. What lies below with the same key is older and raised too: it can be met no more, for every operation that ends
   has begun before, and that entry is found first. */
static inline Pending *
pending_pop(Thread *thread, uint32_t site, uint64_t frame)
{
    for (uint32_t i = 0; i < thread->depth; i++) {
        Pending *pending = &thread->pending[(thread->top - i) % PENDING];
        if (pending->frame == frame && pending->site == site) {
            thread->top = (thread->top - i - 1) % PENDING;
            thread->depth -= i + 1;
            return pending->earliest < spool.started ? NULL : pending;
        }
    }
    return NULL;
}

#endif
