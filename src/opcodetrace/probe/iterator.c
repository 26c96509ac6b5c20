#include "iterator.h"
#include "location.h"

/* The layouts of Objects/listobject.c, bytearrayobject.c, enumobject.c, dictobject.c, odictobject.c and
   Modules/_collectionsmodule.c; the same from 3.11 to 3.14. A version in which a size differs sees nothing. */

typedef struct {
    PyObject_HEAD
    Py_ssize_t index; /* of the next item */
    PyObject *sequence;
} SequenceIterator;

typedef struct {
    PyObject_HEAD
    Py_ssize_t index;
    PyObject *inner, *result, *long_index, *one;
} Enumerate;

typedef struct {
    PyObject_HEAD
    PyObject *dict;
    Py_ssize_t used, entry; /* the next one */
    PyObject *result;
    Py_ssize_t left;
} DictIterator;

typedef struct {
    PyObject_HEAD
    void *block;
    Py_ssize_t index;
    PyObject *deque;
    size_t state;
    Py_ssize_t left;
} DequeIterator;

typedef struct {
    PyObject_HEAD
    int kind; /* reversed 1, keys 2, values 4 */
    PyObject *dict;
    Py_ssize_t size;
    size_t state;
    PyObject *result, *current;
} OrderedIterator;

typedef struct {
    PyObject_HEAD
    PyObject *set;
    Py_ssize_t used, at, left;
} SetIterator;

/* By name: a module that is imported again has types of its own. */
static bool
is_of_deque(PyTypeObject *type, const char *name)
{
    if (type->tp_basicsize != sizeof(DequeIterator)) {
        return false;
    }
    const char *dot = strrchr(type->tp_name, '.'); /* 3.11: _collections._deque_iterator, later collections. ... */
    return dot != NULL && strcmp(dot + 1, name) == 0 && is_c_type(type, type->tp_name);
}

/* Can no other thread use it meanwhile? */
static inline bool
is_own(PyObject *iterator)
{
#if FREE_THREADED
    return _Py_IsOwnedByCurrentThread(iterator) && LOAD(&iterator->ob_ref_shared) == 0;
#else
    (void)iterator;
    return true;
#endif
}

static bool
took_from_sequence(PyObject *iterator, Py_ssize_t step, PyObject *given, Taken *taken)
{
    SequenceIterator *state = (SequenceIterator *)iterator;
    Py_ssize_t index = state->index - step;
    if (Py_TYPE(iterator)->tp_basicsize != sizeof(SequenceIterator) || state->sequence == NULL || index < 0) {
        return false;
    }
    *taken = (Taken){.container = state->sequence, .value = given, .index = index};
#if !FREE_THREADED
    taken->exact = PyByteArray_Check(state->sequence) ||
                   (index < PyList_GET_SIZE(state->sequence) && PyList_GET_ITEM(state->sequence, index) == given);
#endif
    return true;
}

static bool
took_from_deque(PyObject *iterator, bool reverse, PyObject *given, Taken *taken)
{
    DequeIterator *state = (DequeIterator *)iterator;
    if (state->deque == NULL || !is_deque(state->deque)) {
        return false;
    }
    Py_ssize_t index = reverse ? state->left : Py_SIZE(state->deque) - state->left - 1;
    *taken = (Taken){.container = state->deque, .value = given, .index = index, .exact = true};
    return index >= 0;
}

#if !FREE_THREADED
/* The entry of a table of keys, as it is now; false if there is none, or values lie elsewhere. */
static bool
entry_at(PyObject *dict, Py_ssize_t at, PyObject **key, PyObject **value)
{
    PyDictObject *table = (PyDictObject *)dict;
    PyDictKeysObject *keys = table->ma_keys;
    if (table->ma_values != NULL || at < 0 || at >= keys->dk_nentries) {
        return false;
    }
    if (keys->dk_kind == DICT_KEYS_GENERAL) {
        const PyDictKeyEntry *entry = &((const PyDictKeyEntry *)dict_entries(keys))[at];
        *key = entry->me_key;
        *value = entry->me_value;
    }
    else {
        const PyDictUnicodeEntry *entry = &((const PyDictUnicodeEntry *)dict_entries(keys))[at];
        *key = entry->me_key;
        *value = entry->me_value;
    }
    return true;
}
#endif

static bool
is_pair(PyObject *given)
{
    return PyTuple_CheckExact(given) && PyTuple_GET_SIZE(given) == 2;
}

static bool
took_from_dict(PyObject *iterator, Py_ssize_t step, bool pairs, PyObject *given, Taken *taken)
{
    DictIterator *state = (DictIterator *)iterator;
    if (Py_TYPE(iterator)->tp_basicsize != sizeof(DictIterator) || state->dict == NULL || (pairs && !is_pair(given))) {
        return false;
    }
    *taken = (Taken){.container = state->dict, .second = pairs};
    taken->key = pairs ? PyTuple_GET_ITEM(given, 0) : NULL;
    taken->value = pairs ? PyTuple_GET_ITEM(given, 1) : given;
#if !FREE_THREADED
    PyObject *key, *value;
    if (entry_at(state->dict, state->entry - step, &key, &value) && value == taken->value) {
        taken->exact = !pairs || key == taken->key;
        taken->key = pairs ? taken->key : key;
    }
#else
    (void)step;
#endif
    return taken->key != NULL;
}

static bool
took_from_ordered(PyObject *iterator, PyObject *given, Taken *taken)
{
    OrderedIterator *state = (OrderedIterator *)iterator;
    if (Py_TYPE(iterator)->tp_basicsize != sizeof(OrderedIterator) || state->dict == NULL || (state->kind & 6) != 6 ||
        !is_pair(given)) {
        return false;
    }
    *taken = (Taken){.container = state->dict, .second = true};
    taken->key = PyTuple_GET_ITEM(given, 0);
    taken->value = PyTuple_GET_ITEM(given, 1);
#if !FREE_THREADED
    taken->exact = PyUnicode_CheckExact(taken->key) && dict_find(state->dict, taken->key) == taken->value;
#endif
    return true;
}

/* Of iterators that give the items themselves. */
static bool
took_item(PyObject *iterator, PyObject *given, Taken *taken)
{
    PyTypeObject *type = Py_TYPE(iterator);
    if (type == &PyListIter_Type || type == &PyByteArrayIter_Type) {
        return took_from_sequence(iterator, 1, given, taken);
    }
    if (type == &PyListRevIter_Type) {
        return took_from_sequence(iterator, -1, given, taken);
    }
    if (type == &PyDictIterValue_Type) {
        return took_from_dict(iterator, 1, false, given, taken);
    }
    if (type == &PyDictRevIterValue_Type) {
        return took_from_dict(iterator, -1, false, given, taken);
    }
    if (is_of_deque(type, "_deque_iterator")) {
        return took_from_deque(iterator, false, given, taken);
    }
    return is_of_deque(type, "_deque_reverse_iterator") && took_from_deque(iterator, true, given, taken);
}

bool
iterator_took(PyObject *iterator, PyObject *given, Taken *taken)
{
    PyTypeObject *type = Py_TYPE(iterator);
    if (type == &PyRangeIter_Type || type == &PyGen_Type || type == &PyTupleIter_Type || !is_own(iterator)) {
        return false;
    }
    if (type == &PyDictIterItem_Type) {
        return took_from_dict(iterator, 1, true, given, taken);
    }
    if (type == &PyDictRevIterItem_Type) {
        return took_from_dict(iterator, -1, true, given, taken);
    }
    if (type == &PyODictIter_Type) {
        return took_from_ordered(iterator, given, taken);
    }
    if (type == &PyEnum_Type) {
        PyObject *inner = ((Enumerate *)iterator)->inner;
        if (type->tp_basicsize != sizeof(Enumerate) || !is_pair(given) || inner == NULL || !is_own(inner) ||
            !took_item(inner, PyTuple_GET_ITEM(given, 1), taken)) {
            return false;
        }
        taken->second = true;
        /* It has released what it gave before: that may have run code. */
        taken->exact = taken->exact && (PyList_Check(taken->container) || PyDict_Check(taken->container));
        return true;
    }
    return took_item(iterator, given, taken);
}

static bool
is_of_dict(const PyTypeObject *type)
{
    return type->tp_basicsize == sizeof(DictIterator) &&
           (type == &PyDictIterKey_Type || type == &PyDictIterValue_Type || type == &PyDictIterItem_Type ||
            type == &PyDictRevIterKey_Type || type == &PyDictRevIterValue_Type || type == &PyDictRevIterItem_Type);
}

/* Those of itertools that go over one iterator, or over several at a time, and keep nothing else of what these gave. */
static const char *const of_itertools[] = {
    "accumulate", "batched",  "chain",   "compress",  "dropwhile",   "filterfalse",
    "islice",     "pairwise", "starmap", "takewhile", "zip_longest",
};
enum { DEEPEST = 4, MOST_ARGUMENTS = 16 };

static bool
goes_over_others(PyTypeObject *type)
{
    if (type == &PyZip_Type || type == &PyMap_Type || type == &PyFilter_Type) {
        return true;
    }
    if (strncmp(type->tp_name, "itertools.", 10) != 0 || !is_c_type(type, type->tp_name)) {
        return false;
    }
    for (size_t i = 0; i < sizeof of_itertools / sizeof *of_itertools; i++) {
        if (strcmp(type->tp_name + 10, of_itertools[i]) == 0) {
            return true;
        }
    }
    return false;
}

typedef struct {
    PyObject *container; /* the one that all go over */
    bool several;
    bool nothing; /* it holds nothing at all */
    int depth;
} Inner;

static PyObject *container_at(PyObject *iterator, int depth);

static void
look_at(PyObject *held, Inner *found)
{
    PyObject *container = held == NULL ? NULL : container_at(held, found->depth + 1); /* zip_longest drops some */
    found->several |= container != NULL && found->container != NULL && found->container != container;
    found->container = container == NULL ? found->container : container;
}

static int
look_at_held(PyObject *held, void *found)
{
    if (held == NULL || PyType_Check(held)) { /* its own type, from 3.12 on */
        return 0;
    }
    ((Inner *)found)->nothing = false;
    if (!PyTuple_CheckExact(held)) {
        look_at(held, found);
    }
    else { /* zip and map keep several */
        for (Py_ssize_t i = 0; i < Py_MIN(PyTuple_GET_SIZE(held), MOST_ARGUMENTS); i++) {
            look_at(PyTuple_GET_ITEM(held, i), found);
        }
    }
    return 0;
}

/* What the iterators go over that one holds. */
static Inner
look_inside(PyObject *iterator, int depth)
{
    traverseproc traverse = Py_TYPE(iterator)->tp_traverse;
    Inner found = {.depth = depth, .nothing = traverse != NULL && depth < DEEPEST};
    if (found.nothing) {
        traverse(iterator, look_at_held, &found);
    }
    return found;
}

static PyObject *
container_at(PyObject *iterator, int depth)
{
    PyTypeObject *type = Py_TYPE(iterator);
    if (!is_own(iterator)) {
        return NULL;
    }
    if (type == &PyEnum_Type && type->tp_basicsize == sizeof(Enumerate)) {
        PyObject *inner = ((Enumerate *)iterator)->inner;
        return inner == NULL || depth >= DEEPEST ? NULL : container_at(inner, depth + 1);
    }
    if (goes_over_others(type)) {
        Inner found = look_inside(iterator, depth);
        return found.several ? NULL : found.container;
    }
    if (is_of_dict(type)) {
        return ((DictIterator *)iterator)->dict;
    }
    if (type == &PyODictIter_Type && type->tp_basicsize == sizeof(OrderedIterator)) {
        return ((OrderedIterator *)iterator)->dict;
    }
    if (type == &PySetIter_Type && type->tp_basicsize == sizeof(SetIterator)) {
        return ((SetIterator *)iterator)->set;
    }
    if (is_of_deque(type, "_deque_iterator") || is_of_deque(type, "_deque_reverse_iterator")) {
        return ((DequeIterator *)iterator)->deque;
    }
    return NULL;
}

PyObject *
iterator_container(PyObject *iterator)
{
    return container_at(iterator, 0);
}

bool
iterator_let_go(PyObject *iterator)
{
    PyTypeObject *type = Py_TYPE(iterator);
    if (!is_own(iterator)) {
        return false;
    }
    if (type == &PyEnum_Type && type->tp_basicsize == sizeof(Enumerate)) {
        PyObject *inner = ((Enumerate *)iterator)->inner;
        return inner != NULL && !Py_IS_TYPE(inner, &PyEnum_Type) && iterator_let_go(inner);
    }
    if (goes_over_others(type)) {
        return look_inside(iterator, 0).nothing; /* islice */
    }
    if (type == &PyODictIter_Type) {
        return type->tp_basicsize == sizeof(OrderedIterator) && ((OrderedIterator *)iterator)->dict == NULL;
    }
    return is_of_dict(type) && ((DictIterator *)iterator)->dict == NULL;
}

PyObject *
iterable_container(PyObject *iterable)
{
    if (PyDictKeys_Check(iterable) || PyDictItems_Check(iterable) || PyDictValues_Check(iterable)) {
        return (PyObject *)((_PyDictViewObject *)iterable)->dv_dict;
    }
    return iterator_container(iterable);
}
