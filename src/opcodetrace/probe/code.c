#include "code.h"
#include "spool.h"

#include <time.h>
#include <unistd.h>

PyObject *unpickle_hook, *unpickle_code;
uint64_t own_stamp;

int
unpickle_prepare(PyObject *module)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    /* Two processes may begin within one tick of the clock; containers often have the same process numbers. */
    own_stamp = ((uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec) ^ (uint64_t)getpid() << 40 ^
                (uint64_t)(uintptr_t)&own_stamp;
    unpickle_hook = PyObject_GetAttrString(module, "unpickle_hook");
    unpickle_code = PyObject_GetAttrString(module, "unpickle_code");
    return unpickle_hook == NULL || unpickle_code == NULL ? -1 : 0;
}

/* The last call at this instruction or before it, else NULL. */
static const CallSite *
call_up_to(const Code *code, int instruction)
{
    const CallSite *calls = (const CallSite *)(const void *)PyBytes_AS_STRING(code->table);
    Py_ssize_t low = 0, high = PyBytes_GET_SIZE(code->table) / (Py_ssize_t)sizeof(CallSite);
    while (low < high) {
        Py_ssize_t middle = low + (high - low) / 2;
        if (calls[middle].instruction <= (uint32_t)instruction) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return instruction < 0 || low == 0 ? NULL : &calls[low - 1];
}

const CallSite *
code_call_at(const Code *code, int instruction)
{
    const CallSite *call = call_up_to(code, instruction);
    return call != NULL && call->instruction == (uint32_t)instruction && call->depth != NO_CALLEE ? call : NULL;
}

uint32_t
code_site_of(const Code *code, int instruction)
{
    const CallSite *call = code->first_site == NO_SITE ? NULL : call_up_to(code, instruction);
    return call == NULL || (int)call->instruction + CALL_STANDS_BEHIND < instruction ? NO_SITE
                                                                                     : code->first_site + call->site;
}

uint32_t
code_site_of_await(const Code *code, int instruction)
{
    enum { AWAIT_LIES_AHEAD = 4 }; /* code units: GET_AWAITABLE, LOAD_CONST, SEND */
    if (code->first_site == NO_SITE || instruction < 0) {
        return NO_SITE;
    }
    const CallSite *call = call_up_to(code, instruction + AWAIT_LIES_AHEAD);
    return call == NULL || (int)call->instruction <= instruction || call->depth != NO_CALLEE
               ? NO_SITE
               : code->first_site + call->site;
}

static PyObject *
code_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"code_id", "table", "first_site", NULL};
    unsigned int id, first_site = NO_SITE;
    PyObject *table;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "IO!|I:Code", names, &id, &PyBytes_Type, &table, &first_site)) {
        return NULL;
    }
    (void)type; /* there is no other: it cannot be subclassed */
    return code_make(id, table, first_site);
}

PyObject *
code_make(uint32_t id, PyObject *table, uint32_t first_site)
{
    if (PyBytes_GET_SIZE(table) % (Py_ssize_t)sizeof(CallSite) != 0) {
        PyErr_SetString(PyExc_ValueError, "the table is not made of <IHHI entries");
        return NULL;
    }
    Code *code = PyObject_New(Code, &Code_Type);
    if (code != NULL) {
        code->id = id;
        code->first_site = first_site;
        code->table = Py_NewRef(table);
        make_immortal((PyObject *)code);
    }
    return (PyObject *)code;
}

static PyObject *
code_repr(PyObject *self)
{
    Code *code = (Code *)self;
    return PyUnicode_FromFormat("Code(%u, <%zd calls>)", code->id,
                                PyBytes_GET_SIZE(code->table) / (Py_ssize_t)sizeof(CallSite));
}

static PyObject *
code_reduce(PyObject *self, PyObject *unused)
{
    (void)unused;
    Code *code = (Code *)self;
    return Py_BuildValue("(O(KIOI))", unpickle_code, (unsigned long long)own_stamp, code->id, code->table,
                         code->first_site);
}

PyObject *
code_unpickle(PyObject *module, PyObject *args)
{
    (void)module;
    unsigned long long stamp;
    unsigned int id, first_site;
    PyObject *table;
    if (!PyArg_ParseTuple(args, "KIO!I:unpickle_code", &stamp, &id, &PyBytes_Type, &table, &first_site)) {
        return NULL;
    }
    return stamp == own_stamp ? code_make(id, table, first_site) : code_make(NO_SITE, table, NO_SITE);
}

static PyMemberDef code_members[] = {
    {"code_id", T_UINT, offsetof(Code, id), READONLY, "the code object's number in the run"},
    {"table", T_OBJECT_EX, offsetof(Code, table), READONLY,
     "its calls: packed <IHHI (instruction, depth, oparg, site)"},
    {"first_site", T_UINT, offsetof(Code, first_site), READONLY, "the site of its first call"},
    {0},
};

static PyMethodDef code_methods[] = {
    {"__reduce__", code_reduce, METH_NOARGS, NULL},
    {0},
};

PyTypeObject Code_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "opcodetrace.probe._probe.Code",
    .tp_doc = PyDoc_STR("Code(code_id, table)\n--\n\nThe last constant of a woven code object."),
    .tp_basicsize = sizeof(Code),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = code_new,
    .tp_repr = code_repr,
    .tp_members = code_members,
    .tp_methods = code_methods,
};
