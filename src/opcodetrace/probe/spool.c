#include "spool.h"
#include "birth.h"
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

Spool spool = {.round = 1, .run = 1};

/* The limit is raised by so many records at a time; then the births are checked, too. A ring is a multiple of it. */
enum { STRIDE = 4096 };

/* Makes room on the disk for the records from `seq` to `end`. The file has no blocks yet where nobody has written, and a write to a
   page that the disk has none for would end the program by SIGBUS. To populate the pages makes the file system give the blocks, or
   fails with EFAULT where a write would have raised the signal. It needs no descriptor, which the program could come to see, and in
   one go it costs a fraction of what a page fault for each costs. */
static bool
make_room(uint64_t seq, uint64_t end)
{
    switch (memory_populate(&spool.records[seq & spool.mask], (size_t)(end - seq) * sizeof(Record))) {
    case POPULATED:
        return true;
    case NO_ROOM:
        STORE(&spool.header->disk_full, 1);
        return false;
    default: /* a system that cannot: the collector goes ahead there */
        return end <= LOAD_ACQUIRE(&spool.header->allocated);
    }
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
    uint64_t ring = header->ring, end = header->end, room = (size - HEADER_SIZE) / RECORD_SIZE;
    if (ring == 0 ? end > room : (ring & (ring - 1)) != 0 || ring < STRIDE || ring > room) {
        munmap(map, size);
        PyErr_Format(PyExc_ValueError, "%s has no room for %llu records", path,
                     (unsigned long long)(ring ? ring : end));
        return -1;
    }
    uint64_t limit = LOAD(&header->next) / STRIDE * STRIDE;
    if (LOAD(&header->limit) < limit) {
        STORE(&header->limit, limit);
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

/* Without the GIL several threads may do this at once. Each makes room on from the limit that it finds, so below a limit that anyone
   has set there is room everywhere. */
static bool
raise_limit(uint64_t seq)
{
    Header *header = spool.header;
    uint64_t limit = LOAD_ACQUIRE(&header->limit);
    if (seq >= header->end) {
        return false;
    }
    while (limit <= seq) {
        uint64_t end = header->end - limit > STRIDE ? limit + STRIDE : header->end;
        if (!make_room(limit, end)) {
            return false;
        }
        if (__atomic_compare_exchange_n(&header->limit, &limit, end, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            limit = end;
        }
    }
    STORE_RELEASE(&spool.limit, limit);
    return true;
}

void
spool_populate(void)
{
    (void)memory_populate(spool.header, HEADER_SIZE);
    (void)raise_limit(spool_next());
}

COLD bool
spool_raise_limit(uint64_t seq)
{
    if (spool.mask != UINT64_MAX) {
        begin_round(seq);
    }
    birth_check();
    if (raise_limit(seq)) {
        return true;
    }
    Header *header = spool.header;
    STORE(&spool.recording, 0);
    /* Without the GIL several threads may find no room: the smallest seq counts. */
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
