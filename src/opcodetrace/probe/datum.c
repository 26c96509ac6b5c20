#include "datum.h"
#include "describe.h"
#include "location.h"

#include <stdio.h>

static inline uint64_t
float_bits(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof(bits));
    return bits;
}

static inline bool
text_datum(Thread *thread, PyObject *string, Datum *datum)
{
    *datum = (Datum){.word = string_id(thread, string), .sort = TAG_STR};
    return datum->word != 0;
}

static inline bool
bytes_datum(Thread *thread, PyObject *bytes, Datum *datum)
{
    if (PyBytes_GET_SIZE(bytes) > MAX_TEXT) {
        return false;
    }
    *datum =
        (Datum){.word = text_id(thread, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)), .sort = TAG_BYTES};
    return true;
}

Datum
value_datum_slow(Thread *thread, PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    Datum datum;
    if (type == &PyBool_Type) {
        return (Datum){.sort = value == Py_True ? TAG_TRUE : TAG_FALSE};
    }
    if (type == &PyFloat_Type) {
        return (Datum){.word = float_bits(PyFloat_AS_DOUBLE(value)), .sort = TAG_FLOAT};
    }
    if (type == &PyBytes_Type && bytes_datum(thread, value, &datum)) {
        return datum;
    }
    uint64_t word = object_word(thread, value);
    if (birth_is_seen(type)) {
        /* What can be told of an object is told once: by whoever sees it first, or by each thread that does not know that. */
        uint64_t *described = &thread->described[word >> 4 & (DESCRIBED - 1)];
        if ((birth_know(word) || *described != word) && this_run.birth_table != NULL) {
            *described = word;
            describe(thread, value, word);
        }
    }
    else {
        word &= ~ADDRESS_MASK;
    }
    return (Datum){.word = word, .sort = TAG_OBJECT};
}

Datum
hidden_datum(Thread *thread, PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    /* Without an identity two values would count as the same, and a write as one that changes nothing. */
    if (type == &PyLong_Type || type == &PyBool_Type || type == &PyFloat_Type || type == &PyUnicode_Type ||
        type == &PyBytes_Type || value == Py_None || !birth_is_seen(type)) {
        return ABSENT;
    }
    uint64_t word = object_word(thread, value);
    birth_know(word);
    return (Datum){.word = word, .sort = TAG_OBJECT};
}

/* ---- keys ---- */

enum { MOST_NESTED = 4 }; /* tuples and frozensets within a key that are looked into */

static inline bool
compares_like(PyTypeObject *type, PyTypeObject *base)
{
    return type == base || (type->tp_hash == base->tp_hash && type->tp_richcompare == base->tp_richcompare);
}

static PyObject *hash_name, *id_name, *object_name;

int
datum_prepare(void)
{
    hash_name = PyUnicode_InternFromString("__hash__");
    id_name = PyUnicode_InternFromString("id");
    object_name = PyUnicode_InternFromString("object");
    return hash_name == NULL || id_name == NULL || object_name == NULL ? -1 : 0;
}

/* Has the type a __hash__ in Python that may tell objects of the same content apart: by `id(self)`, or `object.__hash__(self)`? */
static bool
may_hash_by_identity(PyTypeObject *type)
{
    PyObject *method = lookup_may_run_code(type) ? NULL : type_lookup(type, hash_name);
    if (method == NULL || !PyFunction_Check(method)) {
        return true;
    }
    PyObject *names = ((PyCodeObject *)PyFunction_GET_CODE(method))->co_names;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); i++) {
        if (PyTuple_GET_ITEM(names, i) == id_name || PyTuple_GET_ITEM(names, i) == object_name) {
            return true;
        }
    }
    return false;
}

/* Are two keys of this type, or one and a tuple, the same key if they have the same items? It may have a __hash__ of its own, which
   is the same of equal keys: functools and cachetools keep what a tuple's returned. */
static bool
equals_as_tuple(PyTypeObject *type)
{
    return compares_like(type, &PyTuple_Type) ||
           ((type->tp_flags & Py_TPFLAGS_TUPLE_SUBCLASS) && type->tp_richcompare == PyTuple_Type.tp_richcompare &&
            !may_hash_by_identity(type));
}

/* The same for a list, which has no __hash__ unless a subclass has given it one. */
static bool
equals_as_list(PyTypeObject *type)
{
    return (type->tp_flags & Py_TPFLAGS_LIST_SUBCLASS) && type != &PyList_Type &&
           type->tp_richcompare == PyList_Type.tp_richcompare && !may_hash_by_identity(type);
}

/* Does a key of this type hash and compare without Python code? (Tuples and frozensets are for the caller to look into.) */
static inline bool
type_is_plain(PyTypeObject *type)
{
    if (type == &PyLong_Type || type == &PyUnicode_Type || type == &PyBool_Type || type == &PyFloat_Type ||
        type == &PyBytes_Type || type == &_PyNone_Type) {
        return true;
    }
    if (type->tp_flags & Py_TPFLAGS_LONG_SUBCLASS) {
        return compares_like(type, &PyLong_Type);
    }
    if (type->tp_flags & Py_TPFLAGS_UNICODE_SUBCLASS) {
        return compares_like(type, &PyUnicode_Type);
    }
    return compares_like(type, &PyBaseObject_Type) || compares_like(type, &PyBytes_Type) ||
           compares_like(type, &PyFloat_Type);
}

/* The next item of a frozenset, or NULL at the end. */
static PyObject *
next_of_frozenset(PyObject *set, Py_ssize_t *position)
{
    const PySetObject *table = (PySetObject *)set;
    while (*position <= table->mask) {
        const setentry *entry = &table->table[(*position)++];
        if (entry->key != NULL && entry->hash != -1) { /* -1: it was removed before the set was frozen */
            return entry->key;
        }
    }
    return NULL;
}

static bool
key_is_plain(PyObject *key, int depth)
{
    bool is_frozenset = PyFrozenSet_CheckExact(key);
    if (!is_frozenset && !compares_like(Py_TYPE(key), &PyTuple_Type)) {
        return type_is_plain(Py_TYPE(key));
    }
    if (depth == 0) {
        return false;
    }
    if (is_frozenset) {
        Py_ssize_t position = 0;
        for (PyObject *item; (item = next_of_frozenset(key, &position)) != NULL;) {
            if (!key_is_plain(item, depth - 1)) {
                return false;
            }
        }
        return true;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(key); i++) {
        if (!key_is_plain(PyTuple_GET_ITEM(key, i), depth - 1)) {
            return false;
        }
    }
    return true;
}

bool
mapping_is_plain_slow(PyObject *dict, PyObject *key)
{
    const PyDictKeysObject *keys = ((PyDictObject *)dict)->ma_keys;
    /* The lookup compares the key with those of the same hash, until one is the same object or equal. */
    int64_t number;
    Py_hash_t hash;
    if (PyLong_CheckExact(key) && int_value(key, &number) && number > -(INT64_C(1) << 60) &&
        number < INT64_C(1) << 60) {
        hash = number == -1 ? -2 : (Py_hash_t)number; /* what an int's hash is */
    }
    else {
        hash = PyObject_Hash(key);
    }
    const PyDictKeyEntry *entries = dict_entries(keys);
    size_t mask = ((size_t)1 << keys->dk_log2_size) - 1;
    size_t perturb = (size_t)hash, slot = (size_t)hash & mask;
    for (;;) {
        Py_ssize_t index = dict_index_at(keys, slot);
        if (index == DKIX_EMPTY) {
            return true;
        }
        if (index >= 0) {
            if (entries[index].me_key == key) {
                return true;
            }
            if (entries[index].me_hash == hash && !key_is_plain(entries[index].me_key, MOST_NESTED)) {
                return false;
            }
        }
        perturb >>= 5;
        slot = (slot * 5 + perturb + 1) & mask;
    }
}

/* The canonical text of a tuple, a list or a frozenset: what Python's repr shows of one of the built-in type, with the numbers that are
   equal to an int written as one, and the items of a set in the order of their texts. */
typedef struct {
    uint8_t bytes[MAX_TEXT];
    size_t length;
} Canon;

static bool
canon_put(Canon *canon, const void *bytes, size_t length)
{
    if (canon->length + length > MAX_TEXT) {
        return false;
    }
    memcpy(canon->bytes + canon->length, bytes, length);
    canon->length += length;
    return true;
}

static bool
canon_quoted(Canon *canon, const uint8_t *bytes, size_t length)
{
    if (!canon_put(canon, "'", 1)) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        uint8_t c = bytes[i];
        if (c == 1) {
            return false; /* an address begins so: `canon_object` */
        }
        if (((c == '\'' || c == '\\') && !canon_put(canon, "\\", 1)) || !canon_put(canon, &c, 1)) {
            return false;
        }
    }
    return canon_put(canon, "'", 1);
}

/* The int that a number is equal to; false if there is none that fits. */
static bool
equal_int(PyObject *number, int64_t *value)
{
    if (PyLong_Check(number)) {
        int overflow;
        *value = PyLong_AsLongLongAndOverflow(number, &overflow);
        return overflow == 0;
    }
    double real = PyFloat_AS_DOUBLE(number);
    if (!(real >= -9223372036854775808.0 && real < 9223372036854775808.0) || (double)(int64_t)real != real) {
        return false;
    }
    *value = (int64_t)real;
    return true;
}

/* What is equal to itself alone: its address between two control characters, and then what it is called. The address is one as long
   as nothing else is born there, which is watched from here on. */
static bool
canon_object(Canon *canon, PyObject *item)
{
    char address[24];
    bool is_class = PyType_Check(item);
    const char *name = is_class ? ((PyTypeObject *)item)->tp_name : Py_TYPE(item)->tp_name;
    birth_know((uint64_t)(uintptr_t)item & ADDRESS_MASK);
    snprintf(address, sizeof(address), "\1%llx\1", (unsigned long long)((uint64_t)(uintptr_t)item & ADDRESS_MASK));
    return canon_put(canon, address, strlen(address)) && canon_put(canon, "<", !is_class) &&
           canon_put(canon, name, strlen(name)) && canon_put(canon, ">", !is_class);
}

static bool canon_add(Canon *canon, PyObject *item, int depth);

static bool
canon_items(Canon *canon, PyObject *const *items, Py_ssize_t size, int depth)
{
    for (Py_ssize_t i = 0; i < size; i++) {
        if ((i > 0 && !canon_put(canon, ", ", 2)) || !canon_add(canon, items[i], depth)) {
            return false;
        }
    }
    return true;
}

typedef struct {
    const uint8_t *bytes;
    size_t length;
} Part;

static int
compare_parts(const void *one, const void *other)
{
    const Part *a = one, *b = other;
    int order = memcmp(a->bytes, b->bytes, a->length < b->length ? a->length : b->length);
    return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

static bool
canon_frozenset(Canon *canon, PyObject *set, int depth)
{
    Canon items = {.length = 0};
    Part parts[MAX_TEXT];
    size_t count = 0;
    Py_ssize_t position = 0;
    for (PyObject *item; (item = next_of_frozenset(set, &position)) != NULL;) {
        size_t begin = items.length;
        if (count == MAX_TEXT || !canon_add(&items, item, depth)) {
            return false;
        }
        parts[count++] = (Part){items.bytes + begin, items.length - begin};
    }
    qsort(parts, count, sizeof(Part), compare_parts);
    bool fits = canon_put(canon, "frozenset({", count == 0 ? 10 : 11);
    for (size_t i = 0; fits && i < count; i++) {
        fits = canon_put(canon, ", ", i == 0 ? 0 : 2) && canon_put(canon, parts[i].bytes, parts[i].length);
    }
    return fits && canon_put(canon, count == 0 ? ")" : "})", count == 0 ? 1 : 2);
}

static bool
canon_add(Canon *canon, PyObject *item, int depth)
{
    PyTypeObject *type = Py_TYPE(item);
    int64_t number;
    char digits[40];
    if (PyTuple_Check(item) && equals_as_tuple(type)) {
        Py_ssize_t size = PyTuple_GET_SIZE(item);
        return depth > 0 && canon_put(canon, "(", 1) &&
               canon_items(canon, &PyTuple_GET_ITEM(item, 0), size, depth - 1) &&
               canon_put(canon, ",)", size == 1 ? 2 : 0) && canon_put(canon, ")", size == 1 ? 0 : 1);
    }
    if (PyFrozenSet_CheckExact(item)) {
        return depth > 0 && canon_frozenset(canon, item, depth - 1);
    }
    if (item == Py_None) {
        return canon_put(canon, "None", 4);
    }
    bool is_float = compares_like(type, &PyFloat_Type);
    if ((PyLong_Check(item) && compares_like(type, &PyLong_Type)) || PyBool_Check(item) || is_float) {
        if (equal_int(item, &number)) {
            return canon_put(canon, digits, (size_t)snprintf(digits, sizeof(digits), "%lld", (long long)number));
        }
        if (is_float && PyFloat_AS_DOUBLE(item) == PyFloat_AS_DOUBLE(item)) {
            /* As repr() does: printf would write it as the program's locale has it, (1,5) for (1.5). */
            char *shortest = PyOS_double_to_string(PyFloat_AS_DOUBLE(item), 'r', 0, 0, NULL);
            bool fits = shortest != NULL && canon_put(canon, shortest, strlen(shortest));
            PyMem_Free(shortest);
            return fits;
        }
        return false;
    }
    if (PyUnicode_Check(item) && compares_like(type, &PyUnicode_Type)) {
        uint8_t buffer[MAX_TEXT];
        const uint8_t *bytes;
        Py_ssize_t length = text_utf8(item, buffer, &bytes);
        return length >= 0 && canon_quoted(canon, bytes, (size_t)length);
    }
    if (compares_like(type, &PyBytes_Type)) {
        return canon_put(canon, "b", 1) &&
               canon_quoted(canon, (const uint8_t *)PyBytes_AS_STRING(item), (size_t)PyBytes_GET_SIZE(item));
    }
    return compares_like(type, &PyBaseObject_Type) && canon_object(canon, item);
}

/* A key's items, as their text. False if they do not tell it apart from others, or do not fit. */
static bool
canon_key(Canon *canon, PyObject *key)
{
    bool told;
    if (!PyList_Check(key)) {
        return canon_add(canon, key, MOST_NESTED);
    }
    if (!equals_as_list(Py_TYPE(key)) || !canon_put(canon, "[", 1)) {
        return false;
    }
    LOCK_OBJECT_WHILE(key,
                      told = canon_items(canon, ((PyListObject *)key)->ob_item, PyList_GET_SIZE(key), MOST_NESTED));
    return told && canon_put(canon, "]", 1);
}

static Datum
key_by_identity(Thread *thread, PyObject *key, bool uncertain, bool plain)
{
    uint64_t word = object_word(thread, key);
    birth_know(word);
    return (Datum){.word = word, .sort = TAG_OBJECT | (uncertain ? UNSURE : 0) | (plain ? PLAIN : 0)};
}

static inline Datum
lasting(Datum datum)
{
    datum.sort |= PLAIN | LASTING;
    return datum;
}

Datum
mapping_key_slow(Thread *thread, PyObject *key)
{
    PyTypeObject *type = Py_TYPE(key);
    int64_t number;
    Datum datum;
    if (key == Py_None) {
        return (Datum){.sort = TAG_NONE | PLAIN | LASTING};
    }
    if (PyLong_Check(key) && (type == &PyBool_Type || compares_like(type, &PyLong_Type))) {
        if (equal_int(key, &number)) {
            return (Datum){.word = (uint64_t)number, .sort = TAG_INT | PLAIN | LASTING};
        }
        return key_by_identity(thread, key, true, true);
    }
    if (PyUnicode_Check(key) && compares_like(type, &PyUnicode_Type)) {
        if (text_datum(thread, key, &datum)) {
            return lasting(datum);
        }
        return key_by_identity(thread, key, true, true);
    }
    if (compares_like(type, &PyBytes_Type)) {
        if (bytes_datum(thread, key, &datum)) {
            return lasting(datum);
        }
        return key_by_identity(thread, key, true, true);
    }
    if (compares_like(type, &PyFloat_Type)) {
        double real = PyFloat_AS_DOUBLE(key);
        if (equal_int(key, &number)) {
            return (Datum){.word = (uint64_t)number, .sort = TAG_INT | PLAIN | LASTING};
        }
        if (real == real) {
            return (Datum){.word = float_bits(real), .sort = TAG_FLOAT | PLAIN | LASTING};
        }
        return key_by_identity(thread, key, true, true);
    }
    if (PyTuple_Check(key) || PyList_Check(key) || PyFrozenSet_CheckExact(key)) {
        Canon canon = {.length = 0};
        /* A __hash__ in Python may switch threads, though it does not tell keys apart. */
        uint64_t plain = key_is_plain(key, MOST_NESTED) ? PLAIN : 0;
        if (canon_key(&canon, key)) {
            uint32_t text = text_id(thread, canon.bytes, canon.length);
            return (Datum){.word = text, .sort = TAG_TUPLE | LASTING | plain};
        }
        return key_by_identity(thread, key, true, plain != 0);
    }
    /* An Enum member has a __hash__ in Python, which may switch threads, but is equal to itself alone. */
    bool identical = type->tp_richcompare == PyBaseObject_Type.tp_richcompare;
    return key_by_identity(thread, key, !identical, compares_like(type, &PyBaseObject_Type));
}

Datum
sequence_key_slow(Thread *thread, PyObject *key, Py_ssize_t size)
{
    const Datum raises = {.sort = TAG_ABSENT | RAISES};
    if (LIKELY(PyLong_Check(key))) { /* int subclasses too: the interpreter takes their value as it is */
        int64_t index;
        if (LIKELY(PyLong_CheckExact(key)) ? !int_value(key, &index) : !equal_int(key, &index)) {
            return raises;
        }
        if (size < 0) {
            return (Datum){.word = (uint64_t)index, .sort = TAG_INT};
        }
        if (index < 0) {
            index += size;
        }
        if (UNLIKELY(index < 0 || index >= size)) {
            return raises;
        }
        return (Datum){.word = (uint64_t)index, .sort = TAG_INT | PLAIN};
    }
    if (PySlice_Check(key)) {
        PySliceObject *slice = (PySliceObject *)key;
        return slice_key(slice->start, slice->stop, slice->step, size);
    }
    Datum other = mapping_key(thread, key);
    return (Datum){.word = other.word, .sort = tag_of(other) | (tag_of(other) == TAG_OBJECT ? UNSURE : 0)};
}

static bool
bound(PyObject *object, int64_t absent, Py_ssize_t size, int64_t *value)
{
    if (object == Py_None) {
        *value = absent;
        return true;
    }
    if (!PyLong_Check(object)) {
        return false;
    }
    if (!equal_int(object, value)) {
        return false;
    }
    if (*value < 0) {
        *value += size;
        *value = *value < 0 ? 0 : *value;
    }
    *value = *value > size ? size : *value;
    return true;
}

Datum
slice_key(PyObject *start, PyObject *stop, PyObject *step, Py_ssize_t size)
{
    const Datum unknown = ABSENT;
    int64_t low, high, stride = 1;
    if (size < 0 || size > INT32_MAX || (step != Py_None && !(PyLong_Check(step) && equal_int(step, &stride))) ||
        stride == 0) {
        return unknown;
    }
    if (stride > 0) {
        if (!bound(start, 0, size, &low) || !bound(stop, size, size, &high)) {
            return unknown;
        }
    }
    else {
        /* [start:stop:-n] goes down from start to above stop. */
        int64_t first, past;
        if (!bound(start, size - 1, size, &first) || !bound(stop, -1, size, &past)) {
            return unknown;
        }
        low = past + 1;
        high = first + 1 > size ? size : first + 1;
    }
    high = high < low ? low : high;
    uint64_t word = (uint64_t)(uint32_t)(int32_t)low | (uint64_t)(uint32_t)(int32_t)high << 32;
    return (Datum){.word = word, .sort = TAG_SLICE | PLAIN};
}
