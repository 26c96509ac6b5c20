#include "children.h"
#include "thread.h"

/* fork() is told of by pthread_atfork. What starts a program goes by vfork or posix_spawn, which tell nobody: there the methods of
   the interpreter's own modules are counted, by the C function in their tables. The function objects stay what they are. An audit
   hook would see less (nothing of multiprocessing's spawn), slow down every audited operation, and can never be removed. */

enum { FORK_EXEC, POSIX_SPAWN, POSIX_SPAWNP, SYSTEM, COUNTED };

static struct {
    const char *module, *name;
    PyCFunction original;
} counted[COUNTED] = {
    {"_posixsubprocess", "fork_exec", NULL},
    {"posix", "posix_spawn", NULL},
    {"posix", "posix_spawnp", NULL},
    {"posix", "system", NULL},
};

static __thread uint32_t forks; /* by this thread */

void
children_forked(void)
{
    forks++;
    if (spool.header != NULL) {
        __atomic_fetch_add(&spool.header->children, 1, __ATOMIC_RELAXED);
    }
}

/* A method has started a process, or failed; if it came to fork() that is counted already. */
static PyObject *
done(uint32_t before, PyObject *result)
{
    if (result != NULL && forks == before) {
        thread_before_fork(); /* no window goes meanwhile */
        children_forked();
        thread_after_fork();
    }
    return result;
}

typedef PyObject *(*Fast)(PyObject *, PyObject *const *, Py_ssize_t);
typedef PyObject *(*FastWithKeywords)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);

/* One for each way in which the versions pass arguments. */
#define COUNT(method)                                                                                                  \
    static PyObject *method##_varargs(PyObject *self, PyObject *args)                                                  \
    {                                                                                                                  \
        uint32_t before = forks;                                                                                       \
        return done(before, counted[method].original(self, args));                                                     \
    }                                                                                                                  \
    static PyObject *method##_fast(PyObject *self, PyObject *const *args, Py_ssize_t count)                            \
    {                                                                                                                  \
        uint32_t before = forks;                                                                                       \
        return done(before, ((Fast)(void (*)(void))counted[method].original)(self, args, count));                      \
    }                                                                                                                  \
    static PyObject *method##_keywords(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)       \
    {                                                                                                                  \
        uint32_t before = forks;                                                                                       \
        return done(before, ((FastWithKeywords)(void (*)(void))counted[method].original)(self, args, count, names));   \
    }

COUNT(FORK_EXEC)
COUNT(POSIX_SPAWN)
COUNT(POSIX_SPAWNP)
COUNT(SYSTEM)

#define COUNTERS(method)                                                                                               \
    {method##_varargs, (PyCFunction)(void (*)(void))method##_fast, (PyCFunction)(void (*)(void))method##_keywords}

static const PyCFunction counters[COUNTED][3] = {COUNTERS(FORK_EXEC), COUNTERS(POSIX_SPAWN), COUNTERS(POSIX_SPAWNP),
                                                 COUNTERS(SYSTEM)};

static void
count(int method, PyMethodDef *definition)
{
    int way;
    switch (definition->ml_flags) {
    case METH_VARARGS:
        way = 0;
        break;
    case METH_FASTCALL:
        way = 1;
        break;
    case METH_FASTCALL | METH_KEYWORDS:
        way = 2;
        break;
    default:
        return; /* of a version to come */
    }
    counted[method].original = definition->ml_meth;
    definition->ml_meth = counters[method][way];
}

int
children_watch(void)
{
    for (int method = 0; method < COUNTED; method++) {
        if (counted[method].original != NULL) {
            continue;
        }
        PyObject *module = PyImport_ImportModule(counted[method].module);
        if (module == NULL) {
            return -1;
        }
        PyObject *function = PyObject_GetAttrString(module, counted[method].name);
        Py_DECREF(module);
        if (function == NULL) {
            PyErr_Clear(); /* not on this system */
            continue;
        }
        if (PyCFunction_CheckExact(function)) {
            count(method, ((PyCFunctionObject *)function)->m_ml);
        }
        Py_DECREF(function);
    }
    return 0;
}
