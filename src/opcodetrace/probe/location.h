/* What is a location: whether an attribute or a subscript is served by memory, and whose. */

#ifndef OPCODETRACE_LOCATION_H
#define OPCODETRACE_LOCATION_H

#include "datum.h"

typedef enum { READING, STORING, ERASING } Operation;

/* How a type serves an operation. */
typedef enum {
    SERVED_BY_CODE = 1, /* or by what never changes: no location */
    LIST_ITEM,          /* the list's own slots */
    DICT_ITEM,
    DICT_ITEM_OR_MISSING, /* a subclass with __missing__ */
    SIZED_ITEM,           /* other C code, Py_SIZE items */
    FOREIGN_ITEM,         /* other C code */
    INSTANCE,             /* of the instance, found there or in the class */
    SLOT,                 /* a member of __slots__ */
    INSTANCE_IF_THERE,    /* memory only if the instance itself holds it */
    CLASS_ATTRIBUTE,
    MODULE_GLOBAL,
} Service;

/* A verdict remembered for one version of one type: version << 8 | metatype << 7 | service. */
typedef uint64_t Verdict;

/* Of an operation that goes straight to a slot function of object, type or module (`wrapped`), whatever the class has made of
   the operation itself: super().__setattr__(name, value). Any other function is SERVED_BY_CODE. */
Service service_of_generic_attribute(PyObject *object, PyObject *name, Operation operation, const void *wrapped);

/* Learns the interpreter's slot functions. 0, or -1 with an exception. */
int location_prepare(void);

Service service_of_item_slow(Verdict *verdict, PyObject *container, Operation operation);
Service service_of_attribute_slow(Verdict *verdict, PyObject *object, PyObject *name, Operation operation);

/* Looking a name up in a class that was given keys other than text may run their __eq__. */
bool lookup_may_run_code(PyTypeObject *type);
/* Of a subclass of list: is `append` the list's own? */
bool list_appends(PyObject *object);
/* builtins.len; borrowed */
extern PyObject *len_function;
/* Is it a collections.deque, or of a subclass? */
bool is_deque(PyObject *object);
/* A list, dict, set, bytearray or deque: what can grow and shrink, and is a location as a whole. */
bool is_container(PyObject *object);

/* How many items there are. */
static inline Py_ssize_t
size_of(PyObject *container)
{
    if (PyDict_Check(container)) {
        return PyDict_GET_SIZE(container);
    }
    return PySet_Check(container) ? PySet_GET_SIZE(container) : Py_SIZE(container);
}
/* Is it a container that is true if it has items, as its built-in type says and no code of a subclass? */
bool tells_its_truth(PyObject *object);
/* The same of one that gives its items. */
bool gives_its_items(PyObject *object);
/* Does `in` look among the object's own items, by C code? `by_key`: as a mapping does. */
bool contains_items(PyObject *object, bool *by_key);
/* Is `object.__dict__` the memory of its attributes, and of no other's? (A threading.local has one for each thread.) Of a class
   it is a mappingproxy of that. */
bool has_plain_dict(PyObject *object);
/* The dictionary that a mappingproxy shows; of anything else, the object itself. Borrowed. */
PyObject *behind_proxy(PyObject *object);
/* The dictionary that a view of keys shows; of anything else, the object itself. Borrowed. */
PyObject *behind_keys(PyObject *object);
/* The name `__dict__`, interned. */
extern PyObject *dict_name;

static inline Service
service_of_item(Verdict *verdict, PyObject *container, Operation operation)
{
    PyTypeObject *type = Py_TYPE(container);
    if (LIKELY(type == &PyList_Type)) {
        return LIST_ITEM;
    }
    if (LIKELY(type == &PyDict_Type)) {
        return DICT_ITEM;
    }
    Verdict known = LOAD(verdict);
    uint32_t version = type_version(type);
    if (LIKELY(version != 0 && known >> 8 == version)) {
        return (Service)(known & 0x7F);
    }
    return service_of_item_slow(verdict, container, operation);
}

static inline Service
service_of_attribute(Verdict *verdict, PyObject *object, PyObject *name, Operation operation)
{
    PyTypeObject *type = Py_TYPE(object);
    bool is_class = PyType_Check(object);
    Verdict known = LOAD(verdict);
    uint32_t version = type_version(is_class ? (PyTypeObject *)object : type);
    if (LIKELY(version != 0 && known >> 7 == ((uint64_t)version << 1 | is_class))) {
        return (Service)(known & 0x7F);
    }
    return service_of_attribute_slow(verdict, object, name, operation);
}

#endif
