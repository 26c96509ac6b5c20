#include "location.h"

/* The functions that CPython puts into the slots of classes with methods written in Python. */
static struct {
    getattrofunc getattr_hook;
    binaryfunc subscript;
    objobjargproc ass_subscript;
    ssizeargfunc item;
    ssizeobjargproc ass_item;
} served_by_python;

static PyObject *missing_name, *getattribute_name, *getitem_name;

/* list.__getitem__ and dict.__getitem__ are methods beside the slot, not wrappers of it: so subclasses of list and dict reach
   them through the slot function for Python code. */
static PyObject *list_getitem, *dict_getitem;

int
location_prepare(void)
{
    missing_name = PyUnicode_InternFromString("__missing__");
    getattribute_name = PyUnicode_InternFromString("__getattribute__");
    getitem_name = PyUnicode_InternFromString("__getitem__");
    PyObject *namespace = Py_BuildValue("{sOsOsOsO}", "__getattr__", Py_None, "__getitem__", Py_None, "__setitem__",
                                        Py_None, "__delitem__", Py_None);
    PyObject *class =
        namespace == NULL ? NULL : PyObject_CallFunction((PyObject *)&PyType_Type, "s()O", "Served", namespace);
    Py_XDECREF(namespace);
    if (class == NULL || missing_name == NULL || getattribute_name == NULL || getitem_name == NULL) {
        Py_XDECREF(class);
        return -1;
    }
    list_getitem = type_lookup(&PyList_Type, getitem_name);
    dict_getitem = type_lookup(&PyDict_Type, getitem_name);
    PyTypeObject *type = (PyTypeObject *)class;
    served_by_python.getattr_hook = type->tp_getattro;
    served_by_python.subscript = type->tp_as_mapping->mp_subscript;
    served_by_python.ass_subscript = type->tp_as_mapping->mp_ass_subscript;
    served_by_python.item = type->tp_as_sequence->sq_item;
    served_by_python.ass_item = type->tp_as_sequence->sq_ass_item;
    Py_DECREF(class);
    return 0;
}

static bool
is_sized(PyTypeObject *type)
{
    return type == &PyByteArray_Type || strcmp(type->tp_name, "collections.deque") == 0 ||
           strcmp(type->tp_name, "array.array") == 0;
}

static Service
dict_service(PyTypeObject *type, bool store)
{
    PyObject *missing = store ? NULL : type_lookup(type, missing_name);
    type_lookup_done(missing);
    return missing == NULL ? DICT_ITEM : DICT_ITEM_OR_MISSING;
}

static Service
item_service(PyObject *container, bool store)
{
    PyTypeObject *type = Py_TYPE(container);
    if (PyType_Check(container)) {
        return SERVED_BY_CODE; /* list[int] */
    }
    PyMappingMethods *mapping = type->tp_as_mapping;
    PySequenceMethods *sequence = type->tp_as_sequence;
    binaryfunc subscript = mapping == NULL ? NULL : mapping->mp_subscript;
    objobjargproc ass_subscript = mapping == NULL ? NULL : mapping->mp_ass_subscript;
    ssizeargfunc item = sequence == NULL ? NULL : sequence->sq_item;
    ssizeobjargproc ass_item = sequence == NULL ? NULL : sequence->sq_ass_item;

    if (store) {
        if (ass_subscript == NULL ? ass_item == NULL || ass_item == served_by_python.ass_item
                                  : ass_subscript == served_by_python.ass_subscript) {
            return SERVED_BY_CODE;
        }
        if (ass_subscript == PyList_Type.tp_as_mapping->mp_ass_subscript) {
            return LIST_ITEM;
        }
        if (ass_subscript == PyDict_Type.tp_as_mapping->mp_ass_subscript) {
            return DICT_ITEM;
        }
    }
    else {
        if (subscript == NULL ? item == NULL || item == served_by_python.item : subscript == served_by_python.subscript) {
            PyObject *method = type_lookup(type, getitem_name);
            type_lookup_done(method);
            if (subscript != NULL && method == list_getitem) {
                return LIST_ITEM;
            }
            if (subscript != NULL && method == dict_getitem) {
                return dict_service(type, store);
            }
            return SERVED_BY_CODE;
        }
        if (subscript == PyList_Type.tp_as_mapping->mp_subscript) {
            return LIST_ITEM;
        }
        if (subscript == PyDict_Type.tp_as_mapping->mp_subscript) {
            return dict_service(type, store);
        }
        if (ass_subscript == NULL && ass_item == NULL && type != &PyDictProxy_Type) {
            return SERVED_BY_CODE; /* it never changes */
        }
    }
    return is_sized(type) ? SIZED_ITEM : FOREIGN_ITEM;
}

COLD Service
service_of_item_slow(Verdict *verdict, PyObject *container, bool store)
{
    PyTypeObject *type = Py_TYPE(container);
    uint32_t before = type_version(type);
    if (before == 0) {
        type_lookup_done(type_lookup(type, missing_name)); /* gives the type a version, if it can have one */
        before = type_version(type);
    }
    Service service = item_service(container, store);
    if (before != 0 && before == type_version(type)) {
        STORE(verdict, (uint64_t)before << 8 | (uint64_t)service);
    }
    return service;
}

/* ---- attributes ---- */

static bool
is_slot_member(PyObject *descriptor, bool *fixed)
{
    if (!Py_IS_TYPE(descriptor, &PyMemberDescr_Type)) {
        return false;
    }
    PyMemberDef *member = ((PyMemberDescrObject *)descriptor)->d_member;
    *fixed = (member->flags & READONLY) != 0;
    return true;
}

/* Of what the type lookup found, and an instance that looks into its own memory too. */
static Service
instance_service(PyTypeObject *type, PyObject *found, bool store, bool may_fall_back)
{
    if (found != NULL) {
        bool fixed;
        if (is_slot_member(found, &fixed)) {
            return fixed ? SERVED_BY_CODE : SLOT;
        }
        PyTypeObject *kind = Py_TYPE(found);
        if (kind->tp_descr_set != NULL && (store || kind->tp_descr_get != NULL)) {
            return SERVED_BY_CODE;
        }
        if (!store && kind->tp_descr_get != NULL) {
            return INSTANCE_IF_THERE;
        }
        if (!store) {
            return INSTANCE;
        }
    }
    bool able = (type->tp_flags & Py_TPFLAGS_MANAGED_DICT) || type->tp_dictoffset != 0;
    if (!able) {
        return SERVED_BY_CODE; /* it raises, or __getattr__ serves it */
    }
    return may_fall_back ? INSTANCE_IF_THERE : INSTANCE;
}

/* Of a class: `found` is what its own bases have. */
static Service
class_service(PyTypeObject *metatype, PyTypeObject *class, PyObject *name, bool store)
{
    PyObject *meta = type_lookup(metatype, name);
    bool data = meta != NULL && Py_TYPE(meta)->tp_descr_set != NULL;
    type_lookup_done(meta);
    if (data) {
        return SERVED_BY_CODE;
    }
    if (store) {
        bool fixed = !(class->tp_flags & Py_TPFLAGS_HEAPTYPE) || (class->tp_flags & Py_TPFLAGS_IMMUTABLETYPE);
        return fixed ? SERVED_BY_CODE : CLASS_ATTRIBUTE;
    }
    PyObject *found = type_lookup(class, name);
    Service service =
        found == NULL || Py_TYPE(found)->tp_descr_get != NULL ? SERVED_BY_CODE : CLASS_ATTRIBUTE;
    type_lookup_done(found);
    return service;
}

static Service
attribute_service(PyObject *object, PyObject *name, bool store)
{
    PyTypeObject *type = Py_TYPE(object);
    bool may_fall_back = false;
    if (store) {
        if (type->tp_setattro != PyObject_GenericSetAttr && type->tp_setattro != PyType_Type.tp_setattro) {
            return SERVED_BY_CODE;
        }
    }
    else if (type->tp_getattro == served_by_python.getattr_hook) {
        /* __getattr__ serves what the plain lookup does not find; a __getattribute__ of its own serves all. */
        PyTypeObject *base = PyType_Check(object)     ? &PyType_Type
                             : PyModule_Check(object) ? &PyModule_Type
                                                      : &PyBaseObject_Type;
        PyObject *own = type_lookup(type, getattribute_name), *plain = type_lookup(base, getattribute_name);
        type_lookup_done(own);
        type_lookup_done(plain);
        if (own != plain) {
            return SERVED_BY_CODE;
        }
        may_fall_back = true;
    }
    else if (type->tp_getattro != PyObject_GenericGetAttr && type->tp_getattro != PyType_Type.tp_getattro &&
             type->tp_getattro != PyModule_Type.tp_getattro) {
        return SERVED_BY_CODE;
    }
    if (PyType_Check(object)) {
        return class_service(type, (PyTypeObject *)object, name, store);
    }
    PyObject *found = type_lookup(type, name);
    Service service;
    if (PyModule_Check(object)) {
        service = found == NULL ? MODULE_GLOBAL : SERVED_BY_CODE;
    }
    else {
        service = instance_service(type, found, store, may_fall_back);
    }
    type_lookup_done(found);
    return service;
}

COLD Service
service_of_attribute_slow(Verdict *verdict, PyObject *object, PyObject *name, bool store)
{
    bool is_class = PyType_Check(object);
    PyTypeObject *type = is_class ? (PyTypeObject *)object : Py_TYPE(object);
    uint32_t before = type_version(type);
    if (before == 0) {
        type_lookup_done(type_lookup(type, name));
        before = type_version(type);
    }
    Service service = attribute_service(object, name, store);
    if (before != 0 && before == type_version(type)) {
        STORE(verdict, (uint64_t)before << 8 | (uint64_t)is_class << 7 | (uint64_t)service);
    }
    return service;
}
