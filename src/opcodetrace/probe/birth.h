/* Births: an address is an identity only as long as its object lives.

   A table remembers the addresses that records named as containers, as keys by identity, or as values by identity. When an object comes to life at
   one of them, BIRTH is emitted, once, and the address is forgotten until a record names it again.

   The table is direct-mapped, an entry for every 16 bytes modulo 64 MiB of address space, and the entry holds the rest of the
   address: so births next to a known object, or 64 MiB away from it, are not mistaken for its own. If two known addresses
   meet in one entry, it says CROWDED from then on and is never cleared: every birth there is emitted, for the exact address that
   was born. That costs records, never a birth that stays unseen. */

#ifndef OPCODETRACE_BIRTH_H
#define OPCODETRACE_BIRTH_H

#include "run.h"

enum { BIRTH_BITS = 22 };
#define CROWDED UINT32_C(0xFFFFFFFF)
#define ADDRESS_MASK ((UINT64_C(1) << 48) - 1)

/* Starts to watch; without an error, and without effect if that cannot be. */
void birth_watch(void);
/* The whole table is in memory. */
void birth_populate(void);
/* Ends it, and takes out of the interpreter again what was put in. */
void birth_end(void);
/* Has another tool taken our place? Then identities are uncertain from here on. */
void birth_check(void);

/* Are births of objects of this type seen? Before 3.13 not of those that lie in a free list that we do not watch. */
static inline bool
birth_is_seen(PyTypeObject *type)
{
#if HAS_REF_TRACER
    (void)type;
    return true;
#else
    return type != &PySlice_Type && type != &PyContext_Type && type != (PyTypeObject *)PyExc_MemoryError;
#endif
}

static inline uint32_t
birth_entry(uint64_t address)
{
    return (uint32_t)(address >> 4) & ((UINT32_C(1) << BIRTH_BITS) - 1);
}

/* The address above the entry's number (22 bits) with a bit that tells it from an empty entry. */
static inline uint32_t
birth_label(uint64_t address)
{
    return (uint32_t)((address & ADDRESS_MASK) >> (BIRTH_BITS + 4)) << 1 | 1;
}

/* The address is known from now on. False if it was before, since the object there was born. */
static inline bool
birth_know(uint64_t word)
{
    if (UNLIKELY(this_run.birth_table == NULL)) {
        return false;
    }
    uint32_t *entry = &this_run.birth_table[birth_entry(word)];
    uint32_t label = birth_label(word), seen = LOAD(entry);
    if (LIKELY(seen == label)) {
        return false;
    }
    do {
        if (seen == label || seen == CROWDED) {
            return false;
        }
    } while (!__atomic_compare_exchange_n(entry, &seen, seen == 0 ? label : CROWDED, false, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    return true;
}

static inline bool
birth_is_known(uint64_t word)
{
    if (this_run.birth_table == NULL) {
        return true;
    }
    uint32_t seen = LOAD(&this_run.birth_table[birth_entry(word)]);
    return seen == CROWDED || seen == birth_label(word);
}

#endif
