#include "text.h"

#include <pthread.h>

static void
emit_text(Thread *thread, RecordKind kind, uint32_t id, const uint8_t *bytes, size_t length)
{
    size_t done = 0;
    uint8_t chunk = 0;
    do {
        uint64_t seq;
        Record *record = spool_claim(&seq);
        if (record == NULL) {
            return;
        }
        uint8_t part[TEXT_CHUNK] = {0};
        size_t size = length - done < TEXT_CHUNK ? length - done : TEXT_CHUNK;
        memcpy(part, bytes + done, size);
        record->before = (uint32_t)length;
        record->site = id;
        record->thread = (uint16_t)thread->number;
        record->kind = (uint8_t)kind;
        record->tags = chunk++;
        memcpy(&record->container, part, TEXT_CHUNK);
        spool_commit(record, seq);
        thread->quiet++;
        done += TEXT_CHUNK;
    } while (done < length);
}

static inline uint64_t
hash_bytes(const uint8_t *bytes, size_t length)
{
    const uint64_t prime = UINT64_C(0x9E3779B97F4A7C15);
    uint64_t hash = length * prime, word = 0;
    for (; length >= 8; bytes += 8, length -= 8) {
        memcpy(&word, bytes, 8);
        hash = (hash ^ word) * prime;
        hash ^= hash >> 32;
    }
    word = 0;
    memcpy(&word, bytes, length);
    hash = (hash ^ word) * prime;
    return hash ^ hash >> 32;
}

static void
learn_text(Thread *thread, KnownText *known, uint64_t hash, uint64_t characters, const void *bytes, size_t length)
{
    do {
        known->id = __atomic_add_fetch(&this_run.texts, 1, __ATOMIC_RELAXED);
    } while (known->id == 0); /* the numbers begin anew */
    known->hash = hash;
    known->characters = characters;
    known->length = (uint32_t)length;
    memcpy(known->bytes, bytes, length);
    emit_text(thread, TEXT, known->id, known->bytes, length);
}

/* How much of a UTF-8 text fits, whole characters. */
static inline size_t
length_that_fits(const void *text, size_t length)
{
    const uint8_t *bytes = text;
    if (LIKELY(length <= MAX_TEXT)) {
        return length;
    }
    length = MAX_TEXT;
    while (length > 0 && (bytes[length] & 0xC0) == 0x80) {
        length--;
    }
    return length;
}

uint32_t
text_id(Thread *thread, const void *bytes, size_t length)
{
    length = length_that_fits(bytes, length);
    uint64_t hash = hash_bytes(bytes, length);
    KnownText *known = &thread->texts[hash % KNOWN_TEXTS];
    if (LIKELY(known->id != 0 && known->hash == hash && known->characters == NO_STRING && known->length == length &&
               memcmp(known->bytes, bytes, length) == 0)) {
        return known->id;
    }
    learn_text(thread, known, hash, NO_STRING, bytes, length);
    return known->id;
}

size_t
text_encode(Py_UCS4 c, uint8_t *out)
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xC0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xE0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | c >> 18);
    out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (c & 0x3F));
    return 4;
}

/* Appends a character's UTF-8; false if it does not fit. */
static inline bool
put_character(Py_UCS4 c, uint8_t *buffer, size_t *length, size_t size)
{
    uint8_t encoded[4];
    size_t need = text_encode(c, encoded);
    if (*length + need > size) {
        return false;
    }
    memcpy(buffer + *length, encoded, need);
    *length += need;
    return true;
}

size_t
text_cut(PyObject *string, uint8_t *buffer, size_t size)
{
    size_t length = 0;
    if (!text_is_ready(string)) {
        return 0;
    }
    Py_ssize_t characters = PyUnicode_GET_LENGTH(string);
    int kind = (int)PyUnicode_KIND(string);
    const void *data = PyUnicode_DATA(string);
    for (Py_ssize_t i = 0; i < characters; i++) {
        if (!put_character(PyUnicode_READ(kind, data, i), buffer, &length, size)) {
            break;
        }
    }
    return length;
}

Py_ssize_t
text_utf8(PyObject *string, uint8_t buffer[MAX_TEXT], const uint8_t **bytes)
{
    if (!text_is_ready(string) || PyUnicode_GET_LENGTH(string) > MAX_TEXT) {
        return -1;
    }
    Py_ssize_t characters = PyUnicode_GET_LENGTH(string);
    if (PyUnicode_IS_COMPACT_ASCII(string)) {
        *bytes = PyUnicode_DATA(string);
        return characters;
    }
    size_t length = 0;
    int kind = (int)PyUnicode_KIND(string);
    const void *data = PyUnicode_DATA(string);
    for (Py_ssize_t i = 0; i < characters; i++) {
        if (!put_character(PyUnicode_READ(kind, data, i), buffer, &length, MAX_TEXT)) {
            return -1;
        }
    }
    *bytes = buffer;
    return (Py_ssize_t)length;
}

uint32_t
string_id_slow(Thread *thread, PyObject *string)
{
    uint8_t buffer[MAX_TEXT];
    const uint8_t *bytes;
    Py_ssize_t length = text_utf8(string, buffer, &bytes);
    if (length < 0) {
        return 0;
    }
    Py_hash_t hash = LOAD(&((PyASCIIObject *)string)->hash);
    if (hash == -1) { /* it was never hashed, so it is likely to be new */
        return text_id(thread, bytes, (size_t)length);
    }
    KnownText *known = &thread->texts[(uint64_t)hash % KNOWN_TEXTS];
    learn_text(thread, known, (uint64_t)hash, (uint64_t)PyUnicode_GET_LENGTH(string), bytes, (size_t)length);
    return known->id;
}

/* ---- types: numbered by name, so that classes made over and over do not use the numbers up ---- */

enum { MAX_TYPES = 0xFFFF, TYPE_SLOTS = 1 << 17 };

typedef struct {
    uint64_t hash;
    uint8_t *name;
    uint32_t length;
    uint32_t round; /* in which it was written last */
} NamedType;

static NamedType named_types[MAX_TYPES + 1]; /* by number, from 1 */
static uint16_t type_slots[TYPE_SLOTS];      /* numbers by the hash of the name, with open addressing; 0: free */
#if FREE_THREADED
static pthread_mutex_t types_lock = PTHREAD_MUTEX_INITIALIZER;
#  define LOCK_TYPES() pthread_mutex_lock(&types_lock)
#  define UNLOCK_TYPES() pthread_mutex_unlock(&types_lock)
#else
#  define LOCK_TYPES() ((void)0)
#  define UNLOCK_TYPES() ((void)0)
#endif

size_t
text_of_type(PyTypeObject *type, uint8_t buffer[MAX_TEXT])
{
    if (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE)) {
        size_t length = length_that_fits(type->tp_name, strlen(type->tp_name));
        memcpy(buffer, type->tp_name, length);
        return length;
    }
    static PyObject *module_name;
    PyObject *name = LOAD_ACQUIRE(&module_name);
    if (name == NULL) {
        Raised raised = put_error_aside();
        name = PyUnicode_InternFromString("__module__"); /* once in a run */
        PyErr_Clear();
        put_error_back(raised);
        STORE_RELEASE(&module_name, name);
    }
    size_t length = 0;
    PyObject *dict = type->tp_dict;
    if (name != NULL && dict != NULL && PyDict_CheckExact(dict)) {
        PyObject *module = dict_find(dict, name);
        if (module != NULL && PyUnicode_CheckExact(module)) {
            length = text_cut(module, buffer, MAX_TEXT - 1);
            if (length == 8 && memcmp(buffer, "builtins", 8) == 0) {
                length = 0;
            }
            else {
                buffer[length++] = '.';
            }
        }
    }
    PyObject *qualified = ((PyHeapTypeObject *)type)->ht_qualname;
    if (qualified != NULL && PyUnicode_CheckExact(qualified)) {
        length += text_cut(qualified, buffer + length, MAX_TEXT - length);
    }
    return length;
}

static bool
is_named(const NamedType *type, uint64_t hash, const uint8_t *name, size_t length)
{
    return type->hash == hash && type->length == length && memcmp(type->name, name, length) == 0;
}

static uint32_t
type_number(Thread *thread, const uint8_t *name, size_t length)
{
    uint64_t hash = hash_bytes(name, length);
    size_t slot = hash % TYPE_SLOTS;
    LOCK_TYPES();
    while (type_slots[slot] != 0 && !is_named(&named_types[type_slots[slot]], hash, name, length)) {
        slot = (slot + 1) % TYPE_SLOTS;
    }
    uint32_t id = type_slots[slot];
    if (id != 0 && named_types[id].round < thread->round) {
        named_types[id].round = thread->round;
        emit_text(thread, TYPE, id, name, length);
    }
    if (id == 0 && this_run.types < MAX_TYPES) {
        uint8_t *copy = malloc(length + 1);
        if (copy != NULL) {
            memcpy(copy, name, length);
            id = ++this_run.types;
            type_slots[slot] = (uint16_t)id;
            named_types[id] = (NamedType){hash, copy, (uint32_t)length, thread->round};
            emit_text(thread, TYPE, id, name, length); /* within the lock: no other thread may use the number before */
        }
    }
    UNLOCK_TYPES();
    return id;
}

void
type_prepare(Thread *thread)
{
    STORE(&this_run.list_word, type_word(thread, &PyList_Type));
    STORE(&this_run.dict_word, type_word(thread, &PyDict_Type));
}

COLD uint64_t
type_word_slow(Thread *thread, PyTypeObject *type)
{
    uint8_t name[MAX_TEXT];
    uint32_t version = type_version(type);
    uint64_t word = (uint64_t)type_number(thread, name, text_of_type(type, name)) << 48;
    uintptr_t place = (uintptr_t)type >> 4;
    thread->types[(place ^ place >> 7) % KNOWN_TYPES] = (KnownType){type, version, word};
    return word;
}

void
text_forget(void)
{
    for (; this_run.types > 0; this_run.types--) {
        free(named_types[this_run.types].name);
    }
    memset(type_slots, 0, sizeof(type_slots));
}

void
text_before_fork(void)
{
    LOCK_TYPES();
}

void
text_after_fork(void)
{
    UNLOCK_TYPES();
}
