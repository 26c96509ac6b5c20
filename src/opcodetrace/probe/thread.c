#include "thread.h"
#include "text.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#if defined(__ELF__)
__thread Thread *current_thread __attribute__((tls_model("initial-exec")));
#else
__thread Thread *current_thread;
#endif

static pthread_key_t end_key;
static bool prepared; /* once in a process */

/* Interned, so that a hook makes none. */
PyObject *name_of_threads;
static PyObject *threading_name, *active_name, *class_name, *text_name, *ident_name;

/* The operating system's numbers of each thread that has one of ours. */
static struct {
    uint64_t ident;
    Datum native;
} systems[MAX_THREADS];
static Thread unnumbered = {.number = UNNUMBERED};

/* Of a ring: numbers whose thread or task has ended, the oldest first, and when that was. They are given once more when no record
   that is kept bears them. */
static struct {
    uint64_t seq;
    uint32_t number;
} retired[MAX_THREADS];
#if FREE_THREADED
static uint32_t births_under_way;
#endif

/* What the probe keeps for threads is made and touched beforehand, and used again: the page faults of a new one would hold a
   thread up for tens of microseconds at its first accesses, which is long enough to change who meets whom. The types and texts
   that it knows stay right as long as the run lasts.

   The lock guards the pool, the numbers, and the window against being unmapped while a thread ends. */
enum { READY = 16 };
static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static Thread *pool, *all_threads;

/* The lock is held. */
static void
pool_put(Thread *thread)
{
    thread->next = pool;
    pool = thread;
}

/* `count` new ones, in memory as far as the system can do that; NULL if there is no memory. The lock is held. */
static Thread *
make_threads(size_t count)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
#ifdef MAP_POPULATE
    flags |= MAP_POPULATE;
#endif
    void *memory = mmap(NULL, count * sizeof(Thread), PROT_READ | PROT_WRITE, flags, -1, 0);
    if (memory == MAP_FAILED) {
        return NULL;
    }
    Thread *threads = memory;
    for (size_t i = 0; i < count; i++) {
        threads[i].number = STALE;
        threads[i].all = all_threads;
        all_threads = &threads[i];
    }
    return threads;
}

/* The lock is held. */
static Thread *
pool_take(void)
{
    Thread *thread = pool;
    if (thread == NULL) {
        return make_threads(1);
    }
    pool = thread->next;
    return thread;
}

/* UNNUMBERED if there is none. The lock is held. */
static uint32_t
take_number(void)
{
    if (this_run.threads < MAX_THREADS) {
        STORE(&systems[this_run.threads].ident, 0);
        STORE_RELEASE(&this_run.threads, this_run.threads + 1);
        return this_run.threads - 1;
    }
    uint64_t ring = spool.mask + 1;
    if (this_run.retired_count == 0 || spool_next() - retired[this_run.first_retired].seq <= ring + ring / ROUNDS) {
        return UNNUMBERED;
    }
    uint32_t number = retired[this_run.first_retired].number;
    this_run.first_retired = (this_run.first_retired + 1) % MAX_THREADS;
    this_run.retired_count--;
    STORE(&systems[number].ident, 0);
    STORE_RELEASE(&spool.ended[number], 0);
    return number;
}

/* The thread or task has ended. The lock is held. */
static void
end_number(uint32_t number)
{
    STORE_RELEASE(&spool.ended[number], 1);
    if (spool.mask != UINT64_MAX && this_run.retired_count < MAX_THREADS) {
        uint32_t place = (this_run.first_retired + this_run.retired_count++) % MAX_THREADS;
        retired[place].number = number;
        retired[place].seq = spool_next();
    }
}

/* Makes it ready for a thread of this run. */
static void
thread_reset(Thread *thread)
{
    PyMem_RawFree(thread->lanes);
    memset((char *)thread + offsetof(Thread, quiet), 0, offsetof(Thread, pending) - offsetof(Thread, quiet));
}

static void
thread_ends(void *value)
{
    Thread *thread = value;
    current_thread = NULL;
    pthread_mutex_lock(&pool_lock);
#if !FREE_THREADED
    thread->inside.call = NULL;
#endif
    if (spool.header != NULL && thread->number < STALE) {
        for (size_t i = 0; i < thread->lane_capacity; i++) {
            if (thread->lanes[i].address != 0) {
                end_number(thread->lanes[i].number);
            }
        }
        end_number(thread->own);
    }
    PyMem_RawFree(thread->lanes);
    thread->lanes = NULL;
    thread->lane_count = thread->lane_capacity = 0;
    thread->number = STALE;
    pool_put(thread);
    pthread_mutex_unlock(&pool_lock);
}

#if FREE_THREADED
#  if defined(__ELF__)
__thread Held held __attribute__((tls_model("initial-exec")));
#  else
__thread Held held;
#  endif

PyObject *
hold(PyObject *reference)
{
    /* Were there no room, the object would stay for good. */
    if (reference != NULL && !_Py_IsImmortal(reference) && held.count < Py_ARRAY_LENGTH(held.references)) {
        held.references[held.count++] = reference;
    }
    return reference;
}

COLD void
held_let_go(void)
{
    while (held.count > 0) {
        Py_DECREF(held.references[--held.count]); /* its finaliser may pass hooks, which hold and release their own */
    }
}
#endif

/* The threading module's own dictionary; NULL if it is not imported, or as the interpreter ends. */
static PyObject *
threading_dict(void)
{
    PyObject *modules = modules_dict();
    PyObject *module = modules == NULL ? NULL : dict_find(modules, threading_name);
    PyObject *dict = module == NULL || !PyModule_CheckExact(module) ? NULL : ((PyModuleObject *)module)->md_dict;
    return dict != NULL && PyDict_CheckExact(dict) ? dict : NULL;
}

/* The object that the threading module has for a thread, as long as the hook lasts; NULL if it has none. No Python code runs. */
static PyObject *
thread_object(unsigned long ident)
{
    PyObject *dict = threading_dict();
    PyObject *threads = dict == NULL ? NULL : dict_find(dict, active_name);
    return threads == NULL || !PyDict_CheckExact(threads) ? NULL : dict_find_int(threads, ident);
}

bool
thread_has_name(void)
{
    bool known = thread_object(PyThread_get_thread_ident()) != NULL;
#if FREE_THREADED
    if (current_thread == NULL || current_thread->number >= STALE) { /* in no hook */
        held_let_go();
    }
#endif
    return known;
}

/* An attribute that lies in the instance itself and is read from there: neither its class nor a __getattribute__ has a say. */
static PyObject *
own_attribute(PyObject *object, PyObject *name)
{
    PyTypeObject *type = Py_TYPE(object);
    bool plain = type->tp_getattro == PyObject_GenericGetAttr && type_lookup(type, name) == NULL;
    return plain ? instance_value(object, name) : NULL;
}

/* The name that the threading module has for a thread, as a text; NONE if it has none (that can be had without running
   Python code). */
static Datum
thread_name(Thread *thread, unsigned long ident)
{
    if (thread->number == 0 && threading_dict() == NULL) { /* what threading will call it */
        return (Datum){.word = text_id(thread, "MainThread", 10), .sort = TAG_STR};
    }
    PyObject *object = thread_object(ident);
    PyObject *text = object == NULL ? NULL : own_attribute(object, text_name);
    if (text == NULL || !PyUnicode_CheckExact(text)) {
        return (Datum){.sort = TAG_NONE};
    }
    uint8_t buffer[MAX_TEXT];
    size_t length = text_cut(text, buffer, MAX_TEXT);
    return (Datum){.word = text_id(thread, buffer, length), .sort = TAG_STR};
}

/* Texts and types that it knows are as good as new. */
static void
forget(Thread *thread)
{
    for (int i = 0; i < KNOWN_TEXTS; i++) {
        thread->texts[i].id = 0;
    }
    memset(thread->types, 0, sizeof(thread->types));
    memset(thread->described, 0, sizeof(thread->described));
}

static void
emit_thread(Thread *thread)
{
    unsigned long ident = PyThread_get_thread_ident();
#ifdef PY_HAVE_THREAD_NATIVE_ID
    Datum native = {.word = PyThread_get_thread_native_id(), .sort = TAG_INT};
#else
    Datum native = {.sort = TAG_ABSENT};
#endif
    Datum name = thread_name(thread, ident);
    STORE(&systems[thread->number].ident, ident);
    systems[thread->number].native = native;
    thread->nameless = tag_of(name) == TAG_NONE && !thread_has_name();
    emit(thread, THREAD, NO_SITE, ident, native, name, 0, EXACT, 0);
    thread->quiet++;
}

COLD void
thread_name_again(Thread *thread)
{
    if (thread_has_name()) {
        uint32_t lane = thread->number;
        thread->number = thread->own;
        emit_thread(thread);
        thread->number = lane;
        thread->nameless = false;
    }
}

/* The number of a living thread; UNNUMBERED if it has none. */
static uint32_t
number_of(uint64_t ident)
{
    for (uint32_t number = LOAD_ACQUIRE(&this_run.threads); number-- > 0;) {
        if (number < MAX_THREADS && LOAD(&systems[number].ident) == ident && !LOAD_ACQUIRE(&spool.ended[number])) {
            return number;
        }
    }
    return UNNUMBERED;
}

/* threading.Thread; NULL if that is not imported. */
static PyTypeObject *
class_of_threads(void)
{
    PyObject *dict = threading_dict();
    PyObject *class = dict == NULL ? NULL : dict_find(dict, class_name);
    return class != NULL && PyType_CheckExact(class) ? (PyTypeObject *)class : NULL;
}

COLD void
thread_renamed(Thread *thread, PyObject *object, PyObject *name)
{
    PyTypeObject *type = Py_TYPE(object), *class;
    if (!PyUnicode_CheckExact(name) || type->tp_setattro != PyObject_GenericSetAttr ||
        (class = class_of_threads()) == NULL || !PyType_IsSubtype(type, class) ||
        type_lookup(type, name_of_threads) != type_lookup(class, name_of_threads)) {
        return;
    }
    PyObject *ident = own_attribute(object, ident_name);
    if (ident == NULL || !PyLong_CheckExact(ident)) {
        return; /* it has not been started: its first hook looks */
    }
    uint32_t number = number_of(PyLong_AsUnsignedLongMask(ident));
    if (number == UNNUMBERED) {
        return;
    }
    uint8_t buffer[MAX_TEXT];
    size_t length = text_cut(name, buffer, MAX_TEXT);
    uint32_t text = text_id(thread, buffer, length);
    uint64_t seq;
    Record *record = spool_claim(&seq);
    if (record != NULL) {
        record->before = 0;
        record->site = NO_SITE;
        record->thread = (uint16_t)number;
        record->kind = THREAD;
        record->tags = (uint8_t)(tag_of(systems[number].native) | TAG_STR << 4);
        record->container = LOAD(&systems[number].ident);
        record->key = systems[number].native.word;
        record->value = text;
        record->frame = 0;
        spool_commit(record, seq);
        thread->quiet++;
    }
}

COLD bool
thread_renew(Thread *thread)
{
    if (thread->number == UNNUMBERED) {
        spool_miss();
        return false;
    }
    thread->round = LOAD(&spool.round);
    forget(thread);
    uint32_t lane = thread->number;
    thread->number = thread->own;
    emit_thread(thread);
    thread->number = lane;
    type_prepare(thread);
    return true;
}

COLD void
thread_frame_changed(Thread *thread, uint64_t frame)
{
    thread->frame = frame;
    const PyThreadState *state = current_thread_state();
    const _PyStackChunk *chunk = state->datastack_chunk;
    if (chunk == NULL || (uint64_t)(uintptr_t)chunk == thread->chunk) {
        return;
    }
    thread->chunk = (uint64_t)(uintptr_t)chunk;
    while (chunk->previous != NULL) {
        chunk = chunk->previous;
    }
    if (thread->number != thread->own) {
        return; /* a task that awaits from inside a greenlet: the two are one lane */
    }
    uint64_t root = (uint64_t)(uintptr_t)chunk;
    if (thread->root != 0 && thread->root != root && thread->state_id == state->id) {
        spool_merge(MERGED_GREENLETS);
    }
    thread->root = root;
    thread->state_id = state->id;
}

uint32_t
thread_number(void)
{
    pthread_mutex_lock(&pool_lock);
    uint32_t number = take_number();
    pthread_mutex_unlock(&pool_lock);
    return number;
}

void
thread_number_ends(uint32_t number)
{
    pthread_mutex_lock(&pool_lock);
    if (spool.header != NULL) {
        end_number(number);
    }
    pthread_mutex_unlock(&pool_lock);
}

/* The calling thread with a number; NULL if it cannot have one. The lock is held. */
static Thread *
thread_with_number(void)
{
    Thread *thread = pthread_getspecific(end_key);
    if (thread == NULL) {
        thread = pool_take();
        if (thread == NULL) {
            return NULL;
        }
        if (pthread_setspecific(end_key, thread) != 0) {
            pool_put(thread);
            return NULL;
        }
    }
    thread_reset(thread);
    uint32_t number = take_number();
    if (number == UNNUMBERED) {
        return NULL;
    }
    thread->number = thread->own = number;
#if FREE_THREADED
    STORE(&thread->inside, 1);
#endif
    return thread;
}

COLD Thread *
thread_enter(uint32_t recording)
{
    pthread_mutex_lock(&pool_lock);
    if (LOAD(&spool.recording) != recording) {
        pthread_mutex_unlock(&pool_lock);
        return NULL;
    }
    Thread *thread = thread_with_number();
    if (thread == NULL) {
        spool_miss();
        pthread_mutex_unlock(&pool_lock);
        return current_thread = &unnumbered;
    }
    pthread_mutex_unlock(&pool_lock);
    current_thread = thread;
    if (thread->round != LOAD(&spool.round)) {
        if (thread->round != 0) {
            forget(thread);
        }
        thread->round = LOAD(&spool.round);
    }
    thread->failure = (Failure){0}; /* of an earlier run */
    emit_thread(thread);
    /* Its first hook may come after an access, which may be as old as the thread: nobody saw when that began. */
    thread->last = spool.started;
    thread->last_quiet = thread->quiet;
    return thread;
}

void
thread_emit_birth(uint64_t address)
{
    static Thread nobody; /* a thread that has passed no hook */
#if FREE_THREADED
    __atomic_add_fetch(&births_under_way, 1, __ATOMIC_SEQ_CST);
#endif
    if (__atomic_load_n(&this_run.birth_table, __ATOMIC_SEQ_CST) != NULL) {
        Thread *thread = current_thread == NULL || current_thread->number >= STALE ? &nobody : current_thread;
        emit(thread, BIRTH, NO_SITE, address, (Datum){0}, (Datum){0}, 0, EXACT, 0);
        if (thread != &nobody) {
            thread->quiet++;
        }
    }
#if FREE_THREADED
    __atomic_sub_fetch(&births_under_way, 1, __ATOMIC_SEQ_CST);
#endif
}

static int
prepare_names(void)
{
    static const struct {
        PyObject **name;
        const char *text;
    } names[] = {{&name_of_threads, "name"}, {&threading_name, "threading"}, {&active_name, "_active"},
                 {&class_name, "Thread"},    {&text_name, "_name"},          {&ident_name, "_ident"}};
    for (size_t i = 0; i < Py_ARRAY_LENGTH(names); i++) {
        *names[i].name = PyUnicode_InternFromString(names[i].text);
        if (*names[i].name == NULL) {
            return -1;
        }
    }
    return 0;
}

int
thread_prepare(void)
{
    if (!prepared) {
        if (prepare_names() < 0) {
            return -1;
        }
        if (pthread_key_create(&end_key, thread_ends) != 0) {
            PyErr_SetString(PyExc_RuntimeError, "no thread-specific key is left");
            return -1;
        }
        prepared = true;
        pthread_mutex_lock(&pool_lock);
        Thread *ready = make_threads(READY);
        for (int i = 0; ready != NULL && i < READY; i++) {
            pool_put(&ready[i]);
        }
        pthread_mutex_unlock(&pool_lock);
    }
    Thread *thread = thread_enter(0);
    if (thread == NULL || thread->number == UNNUMBERED) {
        PyErr_NoMemory();
        return -1;
    }
#if FREE_THREADED
    STORE_RELEASE(&thread->inside, 0);
#endif
    return 0;
}

void
thread_await_hooks(void)
{
#if FREE_THREADED
    /* A hook says that it is inside, then looks whether recording is on, without a fence between the two: stopping all threads is
       the fence. Who is inside still, in spite of that, waits for a lock of the interpreter's: it will be given it. */
    PyInterpreterState *interpreter = PyInterpreterState_Get();
    _PyEval_StopTheWorld(interpreter);
    _PyEval_StartTheWorld(interpreter);
    for (;;) {
        bool busy = __atomic_load_n(&births_under_way, __ATOMIC_SEQ_CST) != 0;
        pthread_mutex_lock(&pool_lock);
        for (Thread *thread = all_threads; thread != NULL && !busy; thread = thread->all) {
            busy = LOAD_ACQUIRE(&thread->inside) != 0;
        }
        pthread_mutex_unlock(&pool_lock);
        if (!busy) {
            return;
        }
        Py_BEGIN_ALLOW_THREADS
        sched_yield();
        Py_END_ALLOW_THREADS
    }
#endif
    /* With the GIL a hook is one step, and we are not in it. */
}

void
thread_forget(void (*end)(void))
{
    pthread_mutex_lock(&pool_lock);
    end();
    for (Thread *thread = all_threads; thread != NULL; thread = thread->all) {
        thread->number = STALE;
#if FREE_THREADED
        STORE(&thread->inside, 0); /* in a forked child: of threads that are not there */
#endif
    }
    pthread_mutex_unlock(&pool_lock);
}

void
thread_before_fork(void)
{
    pthread_mutex_lock(&pool_lock);
}

void
thread_after_fork(void)
{
    pthread_mutex_unlock(&pool_lock);
}
