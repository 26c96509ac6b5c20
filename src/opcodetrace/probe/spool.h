/* The window that the probe writes its records to. Layout and meaning: ../spool/layout.py. */

#ifndef OPCODETRACE_SPOOL_H
#define OPCODETRACE_SPOOL_H

#include "interpreter.h"

#include "../spool/record.h"

enum {
    SPOOL_VERSION = 1,
    ENDED_OFFSET = 4096,
    MAX_THREADS = 65536,
    HEADER_SIZE = ENDED_OFFSET + MAX_THREADS,
    TEXT_CHUNK = 32,
    MAX_TEXT = 128,
    ROUNDS = 8, /* in which a ring is filled once; it is so large that the one before the kept records is in it */
};
#define SPOOL_MAGIC UINT64_C(0x4543415254504F43)
#define NO_SITE UINT32_C(0xFFFFFFFF)

typedef enum { ATTACHED = 1, STOPPED = 2, BIRTHS = 4, FREE_THREADED_RUN = 8, NO_VALUES = 16 } HeaderFlag;

typedef enum {
    READ = 1,
    WRITE = 2,
    DELETE = 3,
    COMPUTE = 4,
    ENTER = 5,
    DEFINE = 6,
    PASS = 7,
    TEXT = 8,
    TYPE = 9,
    THREAD = 10,
    SWITCH = 11,
    BIRTH = 12,
    SYNC = 13,
    ALIAS = 14,
    LANE = 15,
    DESCRIBE = 16,
    UNCAUGHT = 17,
} RecordKind;

typedef enum { MERGED_GREENLETS = 1, MERGED_COROUTINES = 2 } Merged;

enum { KIND_MASK = 0x1F }; /* RECORD_KIND_MASK */
enum { ATTRIBUTE = 0x20, MODULE = 0x40, UNCERTAIN = 0x80, RESIZES = ATTRIBUTE | MODULE }; /* RecordFlag */

typedef enum {
    TAG_ABSENT = 0,
    TAG_INT = 1,
    TAG_FLOAT = 2,
    TAG_NONE = 3,
    TAG_FALSE = 4,
    TAG_TRUE = 5,
    TAG_STR = 6,
    TAG_BYTES = 7,
    TAG_OBJECT = 8,
    TAG_NAME = 9,
    TAG_SLICE = 10,
    TAG_TUPLE = 11,
    TAG_WHOLE = 12,
    TAG_END = 13,
    TAG_RAISED = 14,
} Tag;

typedef struct {
    uint64_t magic;
    uint32_t version, record_size;
    uint32_t pid, flags;
    uint64_t limit; /* the disk has room for the records below it; only the probe raises it */
    uint64_t stop_seq;
    uint64_t ring; /* records in the ring, a power of two; 0: the window is linear */
    uint64_t end; /* no record is written at it or above */
    uint64_t allocated; /* records that the collector made room for, where the probe cannot */
    uint64_t next; /* offset 64: a cache line of its own */
    uint64_t unused2[7];
    uint64_t missed; /* offset 128 */
    uint64_t children; /* offset 136 */
    uint64_t merged; /* offset 144: Merged */
    uint64_t disk_full; /* offset 152: not 0 if there was no room for more */
} Header;

_Static_assert(offsetof(Header, limit) == 24 && offsetof(Header, ring) == 40 && offsetof(Header, end) == 48 &&
                   offsetof(Header, allocated) == 56 && offsetof(Header, next) == 64 &&
                   offsetof(Header, missed) == 128 && offsetof(Header, children) == 136 &&
                   offsetof(Header, merged) == 144 && offsetof(Header, disk_full) == 152,
               "layout.py says where the header's fields lie");

typedef struct {
    Header *header; /* NULL while not attached, and in a forked child */
    uint8_t *ended; /* a byte a thread */
    Record *records;
    uint64_t mask; /* a record's place is its seq and this */
    uint64_t limit; /* the header's: records below it may be written */
    uint64_t started; /* the counter as recording was last turned on: operations begun before are not followed */
    /* In a ring what records refer to (texts, types, threads) is overwritten in time. So it is all written anew now and then:
       this counts how often, from 1 on; what was written in an earlier round counts as not written. */
    uint32_t round;
    uint64_t next_round; /* the seq at which it goes up */
    size_t size; /* of the map */
    uint32_t run; /* counts the windows that this process attached, from 1: that of the next hook to be made */
    uint32_t recording; /* `run` while recording is on, else 0: a hook of another run does nothing */
    /* The interpreter that is recorded. What is the same for all of the process (C functions, the tracer of births) is also called
       by others, whose objects are not ours and who may have a GIL of their own. */
    PyInterpreterState *interpreter;
} Spool;

extern Spool spool;

/* Maps the window file. 0, or -1 with an exception. */
int spool_map(const char *path);
/* The header is in memory, and the records that come first. */
void spool_populate(void);
/* Unmaps it, once nobody can write there any more. */
void spool_unmap(void);
/* The slow part of claiming a record: makes room on the disk for the next ones. False: there is none, recording is over. */
bool spool_raise_limit(uint64_t seq);
/* For accesses that were seen and could not be recorded. */
void spool_miss(void);
/* For what takes turns within a thread and is taken for one lane. */
void spool_merge(Merged what);

/* Is it in the recorded interpreter that this thread runs now? */
static inline bool
spool_is_here(void)
{
    PyThreadState *state = current_thread_state();
    return LIKELY(state != NULL) && state->interp == LOAD(&spool.interpreter);
}

static inline uint64_t
spool_next(void)
{
    return LOAD(&spool.header->next);
}

/* Takes the next record; NULL when the window is full. Fill it, then commit it. */
static inline Record *
spool_claim(uint64_t *seq)
{
#if FREE_THREADED
    *seq = __atomic_fetch_add(&spool.header->next, 1, __ATOMIC_ACQ_REL);
#else
    *seq = LOAD(&spool.header->next);
#endif
    if (UNLIKELY(*seq >= LOAD(&spool.limit)) && !spool_raise_limit(*seq)) {
        return NULL;
    }
    return &spool.records[*seq & spool.mask];
}

static inline void
spool_commit(Record *record, uint64_t seq)
{
    STORE_RELEASE(&record->commit, (uint32_t)(seq + 1));
#if !FREE_THREADED
    STORE_RELEASE(&spool.header->next, seq + 1);
#endif
}

#endif
