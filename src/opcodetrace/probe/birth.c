#include "birth.h"
#include "memory.h"
#include "thread.h"

#include <sys/mman.h>

/* What it lies in. It is never unmapped: without the GIL another thread may still look into it. */
static void *table_memory;

/* Emits BIRTH if the address was known. */
static inline void
born(uint64_t address)
{
    uint32_t *table = LOAD(&this_run.birth_table);
    if (UNLIKELY(table == NULL)) {
        return;
    }
    uint32_t *entry = &table[birth_entry(address)];
    uint32_t seen = LOAD(entry);
    if (LIKELY(seen == 0)) {
        return;
    }
    if (seen != CROWDED && seen != birth_label(address)) {
        return;
    }
    if (!spool_is_here()) {
        return; /* the address is known still, for the next that is born there */
    }
    if (seen != CROWDED) {
        __atomic_compare_exchange_n(entry, &seen, 0, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    }
    thread_emit_birth(address);
}

/* From here on births go unseen: no identity of this run is certain. */
static COLD void
births_are_lost(void)
{
    __atomic_fetch_and(&spool.header->flags, ~(uint32_t)BIRTHS, __ATOMIC_RELEASE);
}

#if HAS_REF_TRACER

/* Another tool's (tracemalloc leaves its own behind on 3.13): it is called as before. */
static PyRefTracer other_tracer;
static void *other_data;

/* Called for every object that the interpreter creates or destroys. */
static int
trace_birth(PyObject *object, PyRefTracerEvent event, void *data)
{
    (void)data;
    if (event == PyRefTracer_CREATE) {
        born((uint64_t)(uintptr_t)object);
    }
    return other_tracer == NULL ? 0 : other_tracer(object, event, other_data);
}

static bool
watch(void)
{
    void *data;
    PyRefTracer tracer = PyRefTracer_GetTracer(&data);
    if (tracer == trace_birth) {
        return true; /* left in a forked child */
    }
    other_tracer = tracer;
    other_data = data;
    return PyRefTracer_SetTracer(trace_birth, NULL) == 0;
}

static void
unwatch(void)
{
    void *data;
    if (PyRefTracer_GetTracer(&data) == trace_birth) {
        PyRefTracer_SetTracer(other_tracer, other_data);
    }
}

void
birth_check(void)
{
    void *data;
    if (this_run.birth_table != NULL && PyRefTracer_GetTracer(&data) != trace_birth) {
        births_are_lost(); /* tracemalloc was started, say */
    }
}

#else /* 3.11 and 3.12 have no tracer: the allocator of objects is wrapped */

static PyMemAllocatorEx wrapped;

/* Set while the probe asks whether what is allocated comes by here. */
static __thread bool asking, came_by;

/* An object begins 0, 16 or 32 bytes into its block: after the collector's header, and that of the managed dictionary. */
static inline void
block_born(void *block, size_t size)
{
    uint64_t address = (uint64_t)(uintptr_t)block;
    if (UNLIKELY(block == NULL)) {
        return;
    }
    born(address);
    if (size > 16) { /* else another object lies there, and lives */
        born(address + 16);
    }
    if (size > 32) {
        born(address + 32);
    }
}

static void *
born_malloc(void *context, size_t size)
{
    (void)context;
    void *block = wrapped.malloc(wrapped.ctx, size);
    if (UNLIKELY(asking)) {
        came_by = true;
    }
    else {
        block_born(block, size);
    }
    return block;
}

static void *
born_calloc(void *context, size_t count, size_t size)
{
    (void)context;
    void *block = wrapped.calloc(wrapped.ctx, count, size);
    block_born(block, count * size);
    return block;
}

static void *
born_realloc(void *context, void *old, size_t size)
{
    (void)context;
    uintptr_t before = (uintptr_t)old;
    void *block = wrapped.realloc(wrapped.ctx, old, size);
    if ((uintptr_t)block != before) {
        block_born(block, size);
    }
    return block;
}

static void
born_free(void *context, void *block)
{
    (void)context;
    wrapped.free(wrapped.ctx, block);
}

/* Lists, dictionaries and tuples go to free lists that do not pass through the allocator: for them the death is taken. The trashcan
   compares the type's tp_dealloc with the function that opens it, so the wrapper must be the one that does. */
static destructor list_dealloc, dict_dealloc, tuple_dealloc;

static void
list_dies(PyObject *list)
{
    PyObject_GC_UnTrack(list);
    Py_TRASHCAN_BEGIN(list, list_dies)
    born((uint64_t)(uintptr_t)list);
    list_dealloc(list);
    Py_TRASHCAN_END
}

static void
dict_dies(PyObject *dict)
{
    PyObject_GC_UnTrack(dict);
    Py_TRASHCAN_BEGIN(dict, dict_dies)
    born((uint64_t)(uintptr_t)dict);
    dict_dealloc(dict);
    Py_TRASHCAN_END
}

static void
tuple_dies(PyObject *tuple)
{
    PyObject_GC_UnTrack(tuple);
    Py_TRASHCAN_BEGIN(tuple, tuple_dies)
    born((uint64_t)(uintptr_t)tuple);
    tuple_dealloc(tuple);
    Py_TRASHCAN_END
}

static bool wraps_allocator; /* it does also if another tool has wrapped ours meanwhile, and holds on to it */

/* Does the allocator pass through ours? Another tool may have wrapped it, or (tracemalloc, started before us and stopped after)
   have put back what there was before both. */
static bool
allocator_is_seen(void)
{
    PyMemAllocatorEx now;
    PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &now);
    if (now.malloc == born_malloc) {
        return true;
    }
    asking = true;
    came_by = false;
    PyObject_Free(PyObject_Malloc(1));
    asking = false;
    return came_by;
}

static bool
watch(void)
{
    if (!wraps_allocator || !allocator_is_seen()) {
        PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &wrapped);
        PyMemAllocatorEx wrapper = {NULL, born_malloc, born_calloc, born_realloc, born_free};
        PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &wrapper);
        wraps_allocator = true;
    }
    if (PyList_Type.tp_dealloc != list_dies) {
        list_dealloc = PyList_Type.tp_dealloc;
        PyList_Type.tp_dealloc = list_dies;
    }
    if (PyDict_Type.tp_dealloc != dict_dies) {
        dict_dealloc = PyDict_Type.tp_dealloc;
        PyDict_Type.tp_dealloc = dict_dies;
    }
    if (PyTuple_Type.tp_dealloc != tuple_dies) {
        tuple_dealloc = PyTuple_Type.tp_dealloc;
        PyTuple_Type.tp_dealloc = tuple_dies;
    }
    return true;
}

static void
unwatch(void)
{
    PyMemAllocatorEx now;
    PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &now);
    if (now.malloc == born_malloc) {
        PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &wrapped);
        wraps_allocator = false;
    }
    if (PyList_Type.tp_dealloc == list_dies) {
        PyList_Type.tp_dealloc = list_dealloc;
    }
    if (PyDict_Type.tp_dealloc == dict_dies) {
        PyDict_Type.tp_dealloc = dict_dealloc;
    }
    if (PyTuple_Type.tp_dealloc == tuple_dies) {
        PyTuple_Type.tp_dealloc = tuple_dealloc;
    }
}

void
birth_check(void)
{
    if (this_run.birth_table != NULL && !allocator_is_seen()) {
        births_are_lost();
    }
}

#endif

/* tracemalloc puts its own in our place as it is started, or takes ours away as it is stopped: one looks right then, for the check
   that comes now and then may come too late. Its functions stay the objects that they are. */
static PyCFunction original_start, original_stop;

static void
check_from_outside(void)
{
    thread_before_fork(); /* no window goes meanwhile */
    if (spool.header != NULL && spool_is_here()) {
        birth_check();
    }
    thread_after_fork();
}

static PyObject *
tracemalloc_starts(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    PyObject *result = ((_PyCFunctionFast)(void (*)(void))original_start)(module, args, count);
    check_from_outside();
    return result;
}

static PyObject *
tracemalloc_stops(PyObject *module, PyObject *unused)
{
    PyObject *result = original_stop(module, unused);
    check_from_outside();
    return result;
}

static void
follow(PyObject *module, const char *name, int convention, PyCFunction *original, PyCFunction replacement)
{
    PyObject *function = PyObject_GetAttrString(module, name);
    if (function != NULL && PyCFunction_CheckExact(function)) {
        PyMethodDef *definition = ((PyCFunctionObject *)function)->m_ml;
        if (definition->ml_flags == convention && definition->ml_meth != replacement) {
            *original = definition->ml_meth;
            definition->ml_meth = replacement;
        }
    }
    Py_XDECREF(function);
}

/* Once in a process, as for what starts processes. */
static void
follow_tracemalloc(void)
{
    PyObject *module = original_stop != NULL ? NULL : PyImport_ImportModule("_tracemalloc");
    if (module != NULL) {
        follow(module, "start", METH_FASTCALL, &original_start, (PyCFunction)(void (*)(void))tracemalloc_starts);
        follow(module, "stop", METH_NOARGS, &original_stop, tracemalloc_stops);
        Py_DECREF(module);
    }
    PyErr_Clear(); /* a build without it */
}

void
birth_watch(void)
{
    follow_tracemalloc();
    size_t size = sizeof(uint32_t) << BIRTH_BITS;
    /* Mapped over the table of an earlier run: that is the cheapest way to empty it. */
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (table_memory == NULL ? 0 : MAP_FIXED);
    void *table = mmap(table_memory, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (table == MAP_FAILED) {
        return;
    }
    table_memory = table;
    STORE_RELEASE(&this_run.birth_table, (uint32_t *)table);
    if (watch()) {
        __atomic_fetch_or(&spool.header->flags, BIRTHS, __ATOMIC_RELEASE);
    }
    else {
        STORE(&this_run.birth_table, NULL);
    }
}

void
birth_populate(void)
{
    if (this_run.birth_table != NULL) {
        (void)memory_populate(table_memory, sizeof(uint32_t) << BIRTH_BITS);
    }
}

void
birth_end(void)
{
    if (this_run.birth_table != NULL) {
        unwatch();
        __atomic_store_n(&this_run.birth_table, NULL, __ATOMIC_SEQ_CST);
    }
}
