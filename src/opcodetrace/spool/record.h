/* A record of the window, as spool/layout.py specifies it. To be included after Python.h. */

#ifndef OPCODETRACE_RECORD_H
#define OPCODETRACE_RECORD_H

#include <stdint.h>

typedef struct {
    uint32_t commit, before, site;
    uint16_t thread;
    uint8_t kind, tags;
    uint64_t container, key, value, frame;
} Record;

enum { RECORD_SIZE = 48 };
_Static_assert(sizeof(Record) == RECORD_SIZE, "layout.py says how large a record is");

#endif
