#include "location.h"

/* The functions that CPython puts into the slots of classes with methods written in Python. */
static struct {
    getattrofunc getattr_hook;
    setattrofunc setattr;
    binaryfunc subscript;
    objobjargproc ass_subscript;
    ssizeargfunc item;
    ssizeobjargproc ass_item;
    objobjproc contains;
} served_by_python;

static PyObject *missing_name, *getattribute_name;
PyObject *dict_name, *len_function;
static PyObject *append_name, *list_append, *bool_name, *len_name, *iter_name;

/* If such a function is in the slot, the method may be a built-in type's all the same: list and dict have a __getitem__ that is
   no wrapper of their slot, dict and set such a __contains__, and a class that has a __delitem__ of its own may have inherited __setitem__. */
typedef struct {
    PyObject *name;
    PyObject *first, *second; /* that of list and dict, of object and type, or of dict and set */
} Method;

static Method item_methods[3], attribute_methods[3]; /* by Operation; READING of attributes goes by __getattribute__ */
static Method contains_method;

static int
learn_method(Method *method, const char *name, PyTypeObject *first, PyTypeObject *second)
{
    method->name = PyUnicode_InternFromString(name);
    if (method->name == NULL) {
        return -1;
    }
    method->first = type_lookup(first, method->name);
    method->second = type_lookup(second, method->name);
    return 0;
}

int
location_prepare(void)
{
    missing_name = PyUnicode_InternFromString("__missing__");
    getattribute_name = PyUnicode_InternFromString("__getattribute__");
    dict_name = PyUnicode_InternFromString("__dict__");
    append_name = PyUnicode_InternFromString("append");
    bool_name = PyUnicode_InternFromString("__bool__");
    len_name = PyUnicode_InternFromString("__len__");
    iter_name = PyUnicode_InternFromString("__iter__");
    PyObject *builtins = PyEval_GetBuiltins(); /* borrowed */
    len_function = builtins == NULL ? NULL : PyDict_GetItemString(builtins, "len");
    if (append_name == NULL || bool_name == NULL || len_name == NULL || iter_name == NULL || len_function == NULL) {
        return -1;
    }
    list_append = type_lookup(&PyList_Type, append_name);
    if (missing_name == NULL || getattribute_name == NULL || dict_name == NULL ||
        learn_method(&item_methods[READING], "__getitem__", &PyList_Type, &PyDict_Type) < 0 ||
        learn_method(&item_methods[STORING], "__setitem__", &PyList_Type, &PyDict_Type) < 0 ||
        learn_method(&item_methods[ERASING], "__delitem__", &PyList_Type, &PyDict_Type) < 0 ||
        learn_method(&contains_method, "__contains__", &PyDict_Type, &PySet_Type) < 0 ||
        learn_method(&attribute_methods[STORING], "__setattr__", &PyBaseObject_Type, &PyType_Type) < 0 ||
        learn_method(&attribute_methods[ERASING], "__delattr__", &PyBaseObject_Type, &PyType_Type) < 0) {
        return -1;
    }
    PyObject *namespace =
        Py_BuildValue("{sOsOsOsOsOsO}", "__getattr__", Py_None, "__setattr__", Py_None, "__getitem__", Py_None,
                      "__setitem__", Py_None, "__delitem__", Py_None, "__contains__", Py_None);
    PyObject *class =
        namespace == NULL ? NULL : PyObject_CallFunction((PyObject *)&PyType_Type, "s()O", "Served", namespace);
    Py_XDECREF(namespace);
    if (class == NULL) {
        return -1;
    }
    PyTypeObject *type = (PyTypeObject *)class;
    served_by_python.getattr_hook = type->tp_getattro;
    served_by_python.setattr = type->tp_setattro;
    served_by_python.subscript = type->tp_as_mapping->mp_subscript;
    served_by_python.ass_subscript = type->tp_as_mapping->mp_ass_subscript;
    served_by_python.item = type->tp_as_sequence->sq_item;
    served_by_python.contains = type->tp_as_sequence->sq_contains;
    served_by_python.ass_item = type->tp_as_sequence->sq_ass_item;
    Py_DECREF(class);
    return 0;
}

/* By name: a module that is imported again has a type of its own. */
static const char deque_name[] = "collections.deque";

static bool
is_sized(PyTypeObject *type)
{
    return type == &PyByteArray_Type || is_c_type(type, deque_name) || is_c_type(type, "array.array");
}

bool
list_appends(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    if (!PyList_Check(object) || type->tp_getattro != PyObject_GenericGetAttr || lookup_may_run_code(type)) {
        return false;
    }
    PyObject *found = type_lookup(type, append_name);
    return found == list_append;
}

bool
is_deque(PyObject *object)
{
    for (PyTypeObject *type = Py_TYPE(object); type != NULL; type = type->tp_base) {
        if (is_c_type(type, deque_name)) {
            return true;
        }
    }
    return false;
}

bool
is_container(PyObject *object)
{
    return PyList_Check(object) || PyDict_Check(object) || PySet_Check(object) || PyByteArray_Check(object) ||
           is_deque(object);
}

bool
lookup_may_run_code(PyTypeObject *type)
{
#if FREE_THREADED
    (void)type; /* here the list of bases is not ours to read */
    return false;
#else
    PyObject *mro = type->tp_mro;
    for (Py_ssize_t i = 0; mro != NULL && i < PyTuple_GET_SIZE(mro); i++) {
        PyTypeObject *base = (PyTypeObject *)PyTuple_GET_ITEM(mro, i);
        if ((base->tp_flags & Py_TPFLAGS_HEAPTYPE) && base->tp_dict != NULL &&
            !dict_has_text_keys_only(base->tp_dict)) {
            return true;
        }
    }
    return false;
#endif
}

/* Does C code alone answer for a slot of the type, which is no built-in one? */
static bool
is_of_c(PyTypeObject *type, PyObject *name)
{
    PyObject *found = lookup_may_run_code(type) ? NULL : type_lookup(type, name);
    return found != NULL && Py_IS_TYPE(found, &PyWrapperDescr_Type);
}

bool
tells_its_truth(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    if (!is_container(object)) {
        return false;
    }
    return !(type->tp_flags & Py_TPFLAGS_HEAPTYPE) || (is_of_c(type, len_name) && type_lookup(type, bool_name) == NULL);
}

bool
gives_its_items(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    return is_container(object) && (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE) || is_of_c(type, iter_name));
}

/* Does the type look attributes up as object, or type, does? A __getattr__ serves only what is not found by that. */
static bool
looks_up_plainly(PyTypeObject *type, bool is_class)
{
    PyTypeObject *base = is_class ? &PyType_Type : &PyBaseObject_Type;
    if (type->tp_getattro != served_by_python.getattr_hook) {
        return type->tp_getattro == base->tp_getattro;
    }
    PyObject *own = type_lookup(type, getattribute_name), *plain = type_lookup(base, getattribute_name);
    return own == plain;
}

bool
has_plain_dict(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    bool able = (type->tp_flags & Py_TPFLAGS_MANAGED_DICT) || type->tp_dictoffset != 0;
    if (!able || PyModule_Check(object) || lookup_may_run_code(type) || !looks_up_plainly(type, PyType_Check(object))) {
        return false;
    }
    PyObject *served = type_lookup(type, dict_name);
    return served != NULL && Py_IS_TYPE(served, &PyGetSetDescr_Type) && PyType_IsSubtype(type, PyDescr_TYPE(served));
}

PyObject *
behind_proxy(PyObject *object)
{
    if (!Py_IS_TYPE(object, &PyDictProxy_Type)) {
        return object;
    }
    PyObject *mapping = ((MappingProxy *)object)->mapping;
    return PyDict_CheckExact(mapping) ? mapping : object;
}

PyObject *
behind_keys(PyObject *object)
{
    PyObject *dict = PyDictKeys_Check(object) ? (PyObject *)((_PyDictViewObject *)object)->dv_dict : NULL;
    return dict == NULL ? object : dict;
}

bool
contains_items(PyObject *object, bool *by_key)
{
    PyTypeObject *type = Py_TYPE(object);
    PySequenceMethods *sequence = type->tp_as_sequence;
    objobjproc contains = sequence == NULL ? NULL : sequence->sq_contains;
    bool is_dict = PyDict_Check(object);
    if (contains == served_by_python.contains && (is_dict || PySet_Check(object)) && !lookup_may_run_code(type)) {
        PyObject *method = type_lookup(type, contains_method.name);
        *by_key = method != NULL && method == (is_dict ? contains_method.first : contains_method.second);
        return *by_key;
    }
    *by_key = (is_dict && contains == PyDict_Type.tp_as_sequence->sq_contains) ||
              (PySet_Check(object) && contains == PySet_Type.tp_as_sequence->sq_contains);
    return *by_key || (PyList_Check(object) && contains == PyList_Type.tp_as_sequence->sq_contains) ||
           PyByteArray_CheckExact(object) || (contains != NULL && is_c_type(Py_TYPE(object), deque_name));
}

static Service
dict_service(PyTypeObject *type, Operation operation)
{
    PyObject *missing = operation == READING ? type_lookup(type, missing_name) : NULL;
    return missing == NULL ? DICT_ITEM : DICT_ITEM_OR_MISSING;
}

static Service
item_service(PyObject *container, Operation operation)
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

    bool none, by_python, like_list, like_dict;
    if (operation == READING) {
        none = subscript == NULL && (item == NULL || item == served_by_python.item);
        by_python = subscript == served_by_python.subscript;
        like_list = subscript == PyList_Type.tp_as_mapping->mp_subscript;
        like_dict = subscript == PyDict_Type.tp_as_mapping->mp_subscript;
    }
    else {
        none = ass_subscript == NULL && (ass_item == NULL || ass_item == served_by_python.ass_item);
        by_python = ass_subscript == served_by_python.ass_subscript;
        like_list = ass_subscript == PyList_Type.tp_as_mapping->mp_ass_subscript;
        like_dict = ass_subscript == PyDict_Type.tp_as_mapping->mp_ass_subscript;
    }
    if (by_python) {
        PyObject *method = type_lookup(type, item_methods[operation].name);
        like_list = method != NULL && method == item_methods[operation].first;
        like_dict = method != NULL && method == item_methods[operation].second;
        none = !like_list && !like_dict;
    }
    /* A class may borrow the method of a type that it does not derive from: the call then raises TypeError. */
    if (none || (like_list && !PyList_Check(container)) || (like_dict && !PyDict_Check(container))) {
        return SERVED_BY_CODE;
    }
    if (like_list) {
        return LIST_ITEM;
    }
    if (like_dict) {
        return dict_service(type, operation);
    }
    if (operation == READING && ass_subscript == NULL && ass_item == NULL && type != &PyDictProxy_Type) {
        return SERVED_BY_CODE; /* it never changes */
    }
    return is_sized(type) ? SIZED_ITEM : FOREIGN_ITEM;
}

COLD Service
service_of_item_slow(Verdict *verdict, PyObject *container, Operation operation)
{
    PyTypeObject *type = Py_TYPE(container);
    if (lookup_may_run_code(type)) {
        return SERVED_BY_CODE;
    }
    uint32_t before = type_version(type);
    if (before == 0) {
        (void)type_lookup(type, missing_name); /* gives the type a version, if it can have one */
        before = type_version(type);
    }
    Service service = item_service(container, operation);
    if (before != 0 && before == type_version(type)) {
        STORE(verdict, (uint64_t)before << 8 | (uint64_t)service);
    }
    return service;
}

/* ---- attributes ---- */

/* What a member descriptor, as a slot makes one, serves in instances of this type. One that was borrowed from a type that this
   one does not derive from raises TypeError; one that does not hold an object converts what is stored, which may raise or run
   code. */
static Service
member_service(PyTypeObject *type, PyObject *descriptor)
{
    PyMemberDef *member = ((PyMemberDescrObject *)descriptor)->d_member;
    bool holds_object = member->type == T_OBJECT_EX || member->type == T_OBJECT;
    bool fixed = (member->flags & READONLY) != 0;
    return holds_object && !fixed && PyType_IsSubtype(type, PyDescr_TYPE(descriptor)) ? SLOT : SERVED_BY_CODE;
}

/* Of what the type lookup found, and an instance that looks into its own memory too. */
static Service
instance_service(PyTypeObject *type, PyObject *found, Operation operation, bool may_fall_back)
{
    if (found != NULL) {
        if (Py_IS_TYPE(found, &PyMemberDescr_Type)) {
            return member_service(type, found);
        }
        PyTypeObject *kind = Py_TYPE(found);
        if (kind->tp_descr_set != NULL && (operation != READING || kind->tp_descr_get != NULL)) {
            return SERVED_BY_CODE;
        }
        if (operation == READING && kind->tp_descr_get != NULL) {
            return INSTANCE_IF_THERE;
        }
        if (operation == READING) {
            return INSTANCE;
        }
    }
    bool able = (type->tp_flags & Py_TPFLAGS_MANAGED_DICT) || type->tp_dictoffset != 0;
    if (!able) {
        return SERVED_BY_CODE; /* it raises, or __getattr__ serves it */
    }
    return may_fall_back ? INSTANCE_IF_THERE : INSTANCE;
}

/* Of a class: `found` is what its own bases have. What neither they have nor the metaclass is not there, unless a method
   `__getattr__` of the metaclass serves it. */
static Service
class_service(PyTypeObject *metatype, PyTypeObject *class, PyObject *name, Operation operation, bool may_fall_back)
{
    PyObject *meta = type_lookup(metatype, name);
    bool data = meta != NULL && Py_TYPE(meta)->tp_descr_set != NULL;
    if (data) {
        return SERVED_BY_CODE;
    }
    if (operation != READING) {
        bool fixed = !(class->tp_flags & Py_TPFLAGS_HEAPTYPE) || (class->tp_flags & Py_TPFLAGS_IMMUTABLETYPE);
        return fixed ? SERVED_BY_CODE : CLASS_ATTRIBUTE;
    }
    PyObject *found = type_lookup(class, name);
    if (found == NULL) {
        return meta == NULL && !may_fall_back ? CLASS_ATTRIBUTE : SERVED_BY_CODE;
    }
    return Py_TYPE(found)->tp_descr_get != NULL ? SERVED_BY_CODE : CLASS_ATTRIBUTE;
}

static Service
attribute_service(PyObject *object, PyObject *name, Operation operation)
{
    PyTypeObject *type = Py_TYPE(object);
    bool may_fall_back = false, is_class = PyType_Check(object);
    if (operation != READING) {
        /* A class takes over what `type` does, anything else what `object` does: the other's method raises TypeError, or does not
           tell the type that it has changed. */
        bool plain = type->tp_setattro == (is_class ? PyType_Type.tp_setattro : PyObject_GenericSetAttr);
        if (type->tp_setattro == served_by_python.setattr) {
            const Method *known = &attribute_methods[operation];
            PyObject *method = type_lookup(type, known->name);
            plain = method != NULL && method == (is_class ? known->second : known->first);
        }
        if (!plain) {
            return SERVED_BY_CODE;
        }
    }
    else if (type->tp_getattro == served_by_python.getattr_hook) {
        /* __getattr__ serves what the plain lookup does not find; a __getattribute__ of its own serves all. */
        PyTypeObject *base = is_class ? &PyType_Type : PyModule_Check(object) ? &PyModule_Type : &PyBaseObject_Type;
        PyObject *own = type_lookup(type, getattribute_name), *plain = type_lookup(base, getattribute_name);
        if (own != plain) {
            return SERVED_BY_CODE;
        }
        may_fall_back = true;
    }
    else if (type->tp_getattro != (is_class ? PyType_Type.tp_getattro : PyObject_GenericGetAttr) &&
             type->tp_getattro != PyModule_Type.tp_getattro) {
        return SERVED_BY_CODE;
    }
    if (is_class) {
        return class_service(type, (PyTypeObject *)object, name, operation, may_fall_back);
    }
    PyObject *found = type_lookup(type, name);
    Service service;
    if (PyModule_Check(object)) {
        service = found == NULL ? MODULE_GLOBAL : SERVED_BY_CODE;
    }
    else {
        service = instance_service(type, found, operation, may_fall_back);
    }
    return service;
}

COLD Service
service_of_attribute_slow(Verdict *verdict, PyObject *object, PyObject *name, Operation operation)
{
    bool is_class = PyType_Check(object);
    PyTypeObject *type = is_class ? (PyTypeObject *)object : Py_TYPE(object);
    if (lookup_may_run_code(type) || (is_class && lookup_may_run_code(Py_TYPE(object)))) {
        return SERVED_BY_CODE;
    }
    uint32_t before = type_version(type);
    if (before == 0) {
        (void)type_lookup(type, name);
        before = type_version(type);
    }
    Service service = attribute_service(object, name, operation);
    if (before != 0 && before == type_version(type)) {
        STORE(verdict, (uint64_t)before << 8 | (uint64_t)is_class << 7 | (uint64_t)service);
    }
    return service;
}

Service
service_of_generic_attribute(PyObject *object, PyObject *name, Operation operation, const void *wrapped)
{
    PyTypeObject *type = Py_TYPE(object);
    bool is_class = PyType_Check(object), is_module = PyModule_Check(object);
    if (lookup_may_run_code(type) || (is_class && lookup_may_run_code((PyTypeObject *)object))) {
        return SERVED_BY_CODE;
    }
    const void *expected = operation == READING ? (is_class    ? (const void *)PyType_Type.tp_getattro
                                                   : is_module ? (const void *)PyModule_Type.tp_getattro
                                                               : (const void *)PyObject_GenericGetAttr)
                                                : (is_class ? (const void *)PyType_Type.tp_setattro
                                                            : (const void *)PyObject_GenericSetAttr);
    if (wrapped != expected) {
        return SERVED_BY_CODE;
    }
    if (is_class) {
        return class_service(type, (PyTypeObject *)object, name, operation, false);
    }
    PyObject *found = type_lookup(type, name);
    Service service =
        is_module ? (found == NULL ? MODULE_GLOBAL : SERVED_BY_CODE) : instance_service(type, found, operation, false);
    return service;
}
