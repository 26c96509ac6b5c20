#define _GNU_SOURCE /* MADV_POPULATE_WRITE */
#include "spool.h"
#include "birth.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

Spool spool = {.round = 1, .run = 1};

/* How many records may pass before the header is asked again, the births are checked, and the next pages are fetched. */
enum { STRIDE = 4096 };

/* Maps the pages of the next records in one go: a page fault for each costs several times as much. */
static void
fetch_pages(uint64_t seq, uint64_t end)
{
#ifdef MADV_POPULATE_WRITE
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = (uintptr_t)&spool.records[seq & spool.mask] & ~(page - 1);
    uintptr_t to = (uintptr_t)(&spool.records[(end - 1) & spool.mask] + 1) & ~(page - 1);
    if (to > from) {
        int error = errno;
        madvise((void *)from, to - from, MADV_POPULATE_WRITE); /* an older kernel refuses: then they come one by one */
        errno = error;
    }
#else
    (void)seq;
    (void)end;
#endif
}

int
spool_map(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        PyErr_SetFromErrnoWithFilename(PyExc_OSError, path);
        return -1;
    }
    struct stat status;
    void *map = MAP_FAILED;
    size_t size = 0;
    if (fstat(fd, &status) == 0) {
        size = (size_t)status.st_size;
        if (size < HEADER_SIZE + RECORD_SIZE) {
            close(fd);
            PyErr_Format(PyExc_ValueError, "%s is too small for a window", path);
            return -1;
        }
        map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    int error = errno;
    close(fd);
    if (map == MAP_FAILED) {
        errno = error;
        PyErr_SetFromErrnoWithFilename(PyExc_OSError, path);
        return -1;
    }
    Header *header = map;
    if (header->magic != SPOOL_MAGIC || header->version != SPOOL_VERSION || header->record_size != RECORD_SIZE) {
        munmap(map, size);
        PyErr_Format(PyExc_ValueError, "%s is not a window of this version", path);
        return -1;
    }
    uint64_t ring = header->ring;
    if ((ring & (ring - 1)) != 0 || ring > (size - HEADER_SIZE) / RECORD_SIZE) {
        munmap(map, size);
        PyErr_Format(PyExc_ValueError, "%s is no ring of %llu records", path, (unsigned long long)ring);
        return -1;
    }
    spool.mask = ring - 1; /* of a linear window: all bits */
    spool.next_round = ring == 0 ? UINT64_MAX : LOAD(&header->next) + ring / ROUNDS;
    spool.ended = (uint8_t *)map + ENDED_OFFSET;
    spool.records = (Record *)(void *)((char *)map + HEADER_SIZE);
    spool.limit = 0;
    spool.started = 0;
    spool.size = size;
    STORE(&spool.interpreter, PyInterpreterState_Get());
    spool.header = header;
    return 0;
}

/* Has the time come for a new round? One of the threads that ask begins it. */
static void
begin_round(uint64_t seq)
{
    uint64_t due = LOAD(&spool.next_round);
    if (seq >= due && __atomic_compare_exchange_n(&spool.next_round, &due, seq + (spool.mask + 1) / ROUNDS, false,
                                                  __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        __atomic_fetch_add(&spool.round, 1, __ATOMIC_RELAXED);
    }
}

void
spool_unmap(void)
{
    Header *header = spool.header;
    spool.header = NULL;
    spool.ended = NULL;
    spool.records = NULL;
    spool.limit = 0;
    munmap(header, spool.size);
}

COLD bool
spool_raise_limit(uint64_t seq)
{
    Header *header = spool.header;
    uint64_t limit = LOAD_ACQUIRE(&header->limit);
    if (seq < limit) {
        uint64_t end = limit - seq > STRIDE ? seq + STRIDE : limit;
        if (spool.mask != UINT64_MAX) {
            uint64_t lap = (seq | spool.mask) + 1;
            end = end < lap ? end : lap;
            begin_round(seq);
        }
        birth_check();
        fetch_pages(seq, end);
        STORE(&spool.limit, end);
        return true;
    }
    STORE(&spool.recording, 0);
    /* Without the GIL several threads may find the window full: the smallest seq counts. */
    uint64_t stop = LOAD(&header->stop_seq);
    while ((stop == 0 || seq < stop) &&
           !__atomic_compare_exchange_n(&header->stop_seq, &stop, seq, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
    }
    __atomic_fetch_or(&header->flags, STOPPED, __ATOMIC_RELEASE);
    return false;
}

void
spool_merge(Merged what)
{
    if (!(LOAD(&spool.header->merged) & (uint64_t)what)) {
        __atomic_fetch_or(&spool.header->merged, (uint64_t)what, __ATOMIC_RELAXED);
    }
}

void
spool_miss(void)
{
    __atomic_fetch_add(&spool.header->missed, 1, __ATOMIC_RELAXED);
}
