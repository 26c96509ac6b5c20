/* Texts and types are written once and referred to by number. */

#ifndef OPCODETRACE_TEXT_H
#define OPCODETRACE_TEXT_H

#include "thread.h"

/* The number of a text, of which MAX_TEXT bytes count; emits it if this thread has not lately. */
uint32_t text_id(Thread *thread, const void *bytes, size_t length);

/* The same for a string, by the hash that it already has: 64 bits of SipHash and the length stand for the content. 0 if the
   string is too long. */
uint32_t string_id_slow(Thread *thread, PyObject *string);

static inline uint32_t
string_id(Thread *thread, PyObject *string)
{
    uint64_t hash = (uint64_t)LOAD(&((PyASCIIObject *)string)->hash);
    KnownText *known = &thread->texts[hash % KNOWN_TEXTS];
    if (LIKELY(known->hash == hash && known->characters == (uint64_t)PyUnicode_GET_LENGTH(string) && known->id != 0)) {
        return known->id;
    }
    return string_id_slow(thread, string);
}

/* A string's UTF-8 (lone surrogates as they are): its length, and *bytes set to it, which may be `buffer`. -1 if it is
   longer than MAX_TEXT. */
Py_ssize_t text_utf8(PyObject *string, uint8_t buffer[MAX_TEXT], const uint8_t **bytes);

/* A character's UTF-8 (of a lone surrogate as it is): its length; `out` has room for four bytes. */
size_t text_encode(Py_UCS4 c, uint8_t *out);

/* As text_utf8, but what does not fit is cut off at a character. */
size_t text_cut(PyObject *string, uint8_t *buffer, size_t size);

/* "module.qualname"; of a built-in type what it calls itself. Gives the length. */
size_t text_of_type(PyTypeObject *type, uint8_t buffer[MAX_TEXT]);

uint64_t type_word_slow(Thread *thread, PyTypeObject *type);

/* type id << 48 */
static inline uint64_t
type_word(Thread *thread, PyTypeObject *type)
{
    uintptr_t place = (uintptr_t)type >> 4;
    KnownType *known = &thread->types[(place ^ place >> 7) % KNOWN_TYPES];
    uint32_t version = type_version(type);
    /* A type at the address of a dead one has another version, as has one that was renamed. */
    if (LIKELY(known->type == type && known->version == version && version != 0)) {
        return known->word;
    }
    return type_word_slow(thread, type);
}

void type_prepare(Thread *thread);
/* The numbers of the types are nobody's. */
void text_forget(void);

void text_before_fork(void);
void text_after_fork(void);

static inline uint64_t
object_word(Thread *thread, PyObject *object)
{
    return type_word(thread, Py_TYPE(object)) | ((uint64_t)(uintptr_t)object & ADDRESS_MASK);
}

#endif
