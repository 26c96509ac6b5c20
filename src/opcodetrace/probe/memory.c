#define _GNU_SOURCE /* madvise, dl_iterate_phdr */
#include "memory.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __linux__
#  include <link.h>
/* Linux 5.14: the headers may be older than the kernel. */
#  ifndef MADV_POPULATE_READ
#    define MADV_POPULATE_READ 22
#    define MADV_POPULATE_WRITE 23
#  endif

static Populated
populate(uintptr_t from, size_t size, int advice)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = from & ~(page - 1);
    int error = errno;
    int status = madvise((void *)start, from + size - start, advice);
    Populated populated = status == 0 ? POPULATED : errno == EFAULT ? NO_ROOM : IMPOSSIBLE;
    errno = error;
    return populated;
}

Populated
memory_populate(void *start, size_t size)
{
    return populate((uintptr_t)start, size, MADV_POPULATE_WRITE);
}

static int
populate_library(struct dl_phdr_info *library, size_t size, void *inside)
{
    (void)size;
    uintptr_t address = (uintptr_t)inside;
    bool is_ours = false;
    for (int i = 0; i < library->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &library->dlpi_phdr[i];
        is_ours |= segment->p_type == PT_LOAD && address - (library->dlpi_addr + segment->p_vaddr) < segment->p_memsz;
    }
    for (int i = 0; is_ours && i < library->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &library->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD) {
            (void)populate(library->dlpi_addr + segment->p_vaddr, segment->p_memsz,
                           segment->p_flags & PF_W ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
        }
    }
    return is_ours;
}

void
memory_populate_probe(void)
{
    static const char inside = 0;
    (void)dl_iterate_phdr(populate_library, (void *)(uintptr_t)&inside);
}

#else

Populated
memory_populate(void *start, size_t size)
{
    (void)start;
    (void)size;
    return IMPOSSIBLE;
}

void
memory_populate_probe(void)
{
}

#endif
