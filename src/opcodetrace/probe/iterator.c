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

PyObject *
iterator_container(PyObject *iterator)
{
    PyTypeObject *type = Py_TYPE(iterator);
    if (!is_own(iterator)) {
        return NULL;
    }
    if (type == &PyEnum_Type && type->tp_basicsize == sizeof(Enumerate)) {
        PyObject *inner = ((Enumerate *)iterator)->inner;
        return inner == NULL || Py_IS_TYPE(inner, &PyEnum_Type) ? NULL : iterator_container(inner);
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
