#include "intercept.h"
#include "code.h"
#include "hook.h"
#include "intercepted.h"
#include "switch.h"
#include "sync.h"
#include "task.h"

typedef void (*Function)(void);

/* A row of the table, in this interpreter. */
typedef struct {
    const Intercepted *row;
    Function *place; /* where the interpreter looks for the function; NULL: this version has none */
    Function original, replacement;
    int convention;      /* METH_... */
    bool is_function;    /* of a module: the container is the first argument */
    /* Of TYPE_CALL, if each instance has a function of its own that it is called by, past `tp_call` (PEP 590): that function, and what
       stands in for it in instances made from then on. */
    PyTypeObject *type;
    vectorcallfunc called, stand_in;
    bool
        wrapped_over; /* somebody else's function was in its place when it was to be taken out: it stays, and passes on */
    PyCFunction waits;
    char callee[48]; /* "time.sleep", "_thread.lock.acquire" */
} Seen;

static Seen seen[MAX_INTERCEPTED];

/* ---- a call comes in ---- */

/* The calling thread, inside as in a hook; NULL if it cannot be followed. */
static Thread *
following_thread(uint32_t run)
{
    Thread *thread = current_thread;
    if (thread != NULL && !thread_goes_inside(thread, run)) {
        return NULL;
    }
    if (UNLIKELY(thread == NULL || thread->number >= STALE)) {
        Thread *known = thread;
        thread = thread_enter(run);
        if (thread == NULL || thread->number == UNNUMBERED) {
            thread_goes_outside(known);
            return NULL;
        }
    }
    if (UNLIKELY(thread->round != LOAD(&spool.round))) {
        thread_renew(thread);
    }
    if (UNLIKELY(thread->nameless)) {
        thread_name_again(thread);
    }
    return thread;
}

static inline void
came_to_run(Thread *thread)
{
#if !FREE_THREADED
    if (UNLIKELY(thread->number != this_run.running_thread)) {
        switch_to(thread);
    }
#else
    (void)thread;
#endif
}

static inline bool
is_access(const Intercepted *row)
{
    return !(row->flags & ANYWHERE);
}

/* The site of a call that is to be recorded; false if it is not. Only calls by woven code itself are accesses. */
static bool
site_of_call(const Intercepted *row, Call *call)
{
    call->site = NO_SITE;
    call->direct = 0;
    if (row->flags & (STEP | IMPORT)) {
        return true;
    }
    if (row->flags & (ANYWHERE | BELOW)) {
        if ((row->flags & ANYWHERE) && (current_thread == NULL || current_thread->number >= STALE) &&
            !thread_has_name()) {
            return false;
        }
        call->site = sync_site(0, &call->direct);
        return call->site != NO_SITE || (row->flags & ANYWHERE);
    }
    Frame *frame = current_frame();
    PyCodeObject *code = frame == NULL ? NULL : frame_code(frame);
    Code *woven = code == NULL ? NULL : code_of(code);
    if (woven == NULL || woven->id == NO_SITE) {
        return false;
    }
    call->site = code_site_of(woven, frame_instruction(frame, code));
    if (call->site == NO_SITE && (row->flags & ON_BEHALF)) {
        call->site = hook_site_behind(frame, code);
    }
    return call->site != NO_SITE;
}

/* A hook that told of this very call is the one right before it. */
static bool
was_told(const Intercepted *row, const Call *call)
{
    Thread *thread = call->thread;
    if (!(row->flags & TOLD) || thread->told_site != call->site || thread->told_frame != frame_word(current_frame())) {
        return false;
    }
    thread->told_site = NO_SITE;
    return true;
}

static void
begin_record(const Seen *entry, Call *call, uint32_t run, PyObject *self, PyObject *const *args, Py_ssize_t given,
             PyObject *keywords)
{
    const Intercepted *row = entry->row;
    Thread *thread = site_of_call(row, call) ? following_thread(run) : NULL;
    if (thread == NULL) {
        return;
    }
    if (!(row->flags & (STEP | IMPORT))) {
        came_to_run(thread);
    }
    call->thread = thread;
    call->run = run;
    call->name = row->name;
    call->container = self;
    if (entry->is_function) {
        call->container = given > 0 ? args[0] : entry->convention & METH_NOARGS ? self : NULL;
        args++;
        given = given > 0 ? given - 1 : 0;
    }
    call->args = args;
    call->given = given;
    call->first = given > 0 ? args[0] : NULL;
    call->second = given > 1 ? args[1] : NULL;
    call->keywords = keywords;
    call->size = 0;
    call->clock = 0;
    call->recursive = (row->flags & RECURSIVE) != 0;
    call->waits = entry->waits;
    call->wrapped = NULL;
    call->earliest = spool_next();
    call->quiet = thread->quiet;
#if !FREE_THREADED
    call->switches = this_run.switch_count;
#endif
    if (row->effect->before != NULL) {
        row->effect->before(call);
    }
    if (call->thread != NULL && was_told(row, call)) {
        call->thread = NULL;
    }
    thread_goes_outside(thread);
}

#if !FREE_THREADED

static bool
is_zero(PyObject *number)
{
    int64_t value;
    return (PyLong_CheckExact(number) && int_value(number, &value) && value == 0) ||
           (PyFloat_CheckExact(number) && PyFloat_AS_DOUBLE(number) == 0.0);
}

static inline void
note_inside(const Seen *entry, Call *call, PyObject *const *args, Py_ssize_t given)
{
    Thread *thread = current_thread;
    if (thread != NULL && thread->number < STALE) {
        call->outer = thread->inside;
        thread->inside = (Inside){
            .call = call,
            .frame = current_frame(),
            .callee = entry->callee,
            .yields = (entry->row->flags & YIELDS) && given == 1 && is_zero(args[0]),
        };
    }
}

static inline void
note_outside(Call *call)
{
    Thread *thread = current_thread;
    if (thread != NULL && thread->inside.call == call) {
        thread->inside = call->outer;
    }
}

#endif

static inline void
begin(const Seen *entry, Call *call, PyObject *self, PyObject *const *args, Py_ssize_t given, PyObject *keywords)
{
    call->thread = NULL;
    uint32_t run = LOAD(&spool.recording);
    if (run == 0 || UNLIKELY(!spool_is_here())) {
        return;
    }
    if (entry->row->effect != &effect_nothing) {
        begin_record(entry, call, run, self, args, given, keywords);
    }
#if !FREE_THREADED
    if (entry->row->flags & BLOCKS) {
        note_inside(entry, call, args, given);
    }
#endif
}

static PyObject *
end(const Seen *entry, Call *call, PyObject *result)
{
    const Intercepted *row = entry->row;
#if !FREE_THREADED
    if (row->flags & BLOCKS) {
        note_outside(call);
    }
#endif
    if (call->thread != NULL && row->effect->after != NULL && thread_goes_inside(call->thread, call->run)) {
        if (!(row->flags & (STEP | IMPORT))) {
            came_to_run(call->thread);
        }
        Raised raised = {0};
        if (UNLIKELY(result == NULL)) {
            raised = put_error_aside();
        }
        row->effect->after(call, result);
        if (UNLIKELY(result == NULL)) {
            if (row->effect->failed != NULL) {
                row->effect->failed(call, &raised);
            }
            put_error_back(raised);
        }
        if (is_access(row)) { /* a hook: what this thread did before it is not later */
            call->thread->last = spool_next();
            call->thread->last_quiet = call->thread->quiet;
        }
        thread_goes_outside(call->thread);
    }
    else if ((row->flags & STEP) && call->thread != NULL && call->run == LOAD(&spool.run) &&
             call->thread->number == call->step) {
        call->thread->number = call->lane; /* recording was turned off during the step */
        call->thread->coroutine = call->coroutine;
    }
    return result;
}

/* ---- one way in for each calling convention; METH_NOARGS, METH_O and METH_VARARGS are the same to C ---- */

typedef PyObject *(*Plain)(PyObject *, PyObject *);
typedef PyObject *(*WithKeywords)(PyObject *, PyObject *, PyObject *);
typedef PyObject *(*Fast)(PyObject *, PyObject *const *, Py_ssize_t);
typedef PyObject *(*FastWithKeywords)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);
typedef PyObject *(*OfClass)(PyObject *, PyTypeObject *, PyObject *const *, size_t, PyObject *);
typedef PyObject *(*Wrapper)(PyObject *, PyObject *, void *);

static PyObject *
call_plain(const Seen *entry, PyObject *self, PyObject *argument)
{
    Call call;
    switch (entry->convention & (METH_NOARGS | METH_O | METH_VARARGS)) {
    case METH_NOARGS:
        begin(entry, &call, self, NULL, 0, NULL);
        break;
    case METH_O:
        begin(entry, &call, self, &argument, 1, NULL);
        break;
    default:
        begin(entry, &call, self, &PyTuple_GET_ITEM(argument, 0), PyTuple_GET_SIZE(argument), NULL);
    }
    return end(entry, &call, ((Plain)entry->original)(self, argument));
}

static PyObject *
call_with_keywords(const Seen *entry, PyObject *self, PyObject *args, PyObject *keywords)
{
    Call call;
    begin(entry, &call, self, &PyTuple_GET_ITEM(args, 0), PyTuple_GET_SIZE(args), keywords);
    return end(entry, &call, ((WithKeywords)entry->original)(self, args, keywords));
}

static PyObject *
call_fast(const Seen *entry, PyObject *self, PyObject *const *args, Py_ssize_t given)
{
    Call call;
    begin(entry, &call, self, args, given, NULL);
    return end(entry, &call, ((Fast)entry->original)(self, args, given));
}

static PyObject *
call_fast_with_keywords(const Seen *entry, PyObject *self, PyObject *const *args, Py_ssize_t given, PyObject *names)
{
    Call call;
    begin(entry, &call, self, args, given, names);
    return end(entry, &call, ((FastWithKeywords)entry->original)(self, args, given, names));
}

static PyObject *
call_of_class(const Seen *entry, PyObject *self, PyTypeObject *class, PyObject *const *args, size_t given,
              PyObject *names)
{
    Call call;
    begin(entry, &call, self, args, (Py_ssize_t)given, names);
    return end(entry, &call, ((OfClass)entry->original)(self, class, args, given, names));
}

static PyObject *
call_wrapper(const Seen *entry, PyObject *self, PyObject *args, void *wrapped)
{
    Call call;
    begin(entry, &call, self, &PyTuple_GET_ITEM(args, 0), PyTuple_GET_SIZE(args), NULL);
    call.wrapped = wrapped;
    return end(entry, &call, ((Wrapper)entry->original)(self, args, wrapped));
}

/* False if somebody else has put another function there since. */
static bool
exchange(Function *place, Function was, Function becomes)
{
    return __atomic_compare_exchange_n(place, &was, becomes, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static PyObject *
call_instance(const Seen *entry, PyObject *self, PyObject *const *args, size_t given, PyObject *names)
{
    Call call;
    begin(entry, &call, self, args, PyVectorcall_NARGS(given), names);
    return end(entry, &call, entry->called(self, args, given, names));
}

/* From now on we see how it is called, also in later runs. */
static void
follow_instance(const Seen *entry, PyObject *instance)
{
    void *place = (char *)instance + Py_TYPE(instance)->tp_vectorcall_offset;
    (void)exchange((Function *)place, (Function)entry->called, (Function)entry->stand_in);
}

static PyObject *
make_instance(const Seen *entry, PyObject *type, PyObject *args, PyObject *keywords)
{
    PyObject *made = ((newfunc)entry->original)((PyTypeObject *)type, args, keywords);
    if (made != NULL) {
        follow_instance(entry, made);
    }
    return made;
}

static const Intercepted sent = {"coroutine", "am_send", &effect_drive, ANYWHERE | STEP, NULL};
static Seen send_seen = {.row = &sent};

/* C code makes a coroutine go on: the slot. The interpreter itself goes through it on 3.11 alone. */
static PySendResult
send_slot(PyObject *self, PyObject *argument, PyObject **result)
{
    Call call;
    begin(&send_seen, &call, self, &argument, 1, NULL);
    PySendResult outcome = ((sendfunc)send_seen.original)(self, argument, result);
    end(&send_seen, &call, outcome == PYGEN_ERROR ? NULL : *result);
    return outcome;
}

static const Seen *await_seen[2];

/* `await` of a future: the slot. */
static PyObject *
call_await(const Seen *entry, PyObject *self)
{
    Call call;
    begin(entry, &call, self, NULL, 0, NULL);
    return end(entry, &call, ((unaryfunc)entry->original)(self));
}

static PyObject *
await_0(PyObject *self)
{
    return call_await(await_seen[0], self);
}

static PyObject *
await_1(PyObject *self)
{
    return call_await(await_seen[1], self);
}

static const unaryfunc await_pool[] = {await_0, await_1};
static int await_seen_taken;

/* A C function is told nothing but its arguments: so each row that is found gets one of its own out of a pool. */
#define TEN(X, d) X(d##0) X(d##1) X(d##2) X(d##3) X(d##4) X(d##5) X(d##6) X(d##7) X(d##8) X(d##9)
#define HUNDRED(X, d)                                                                                                  \
    TEN(X, d##0)                                                                                                       \
    TEN(X, d##1) TEN(X, d##2) TEN(X, d##3) TEN(X, d##4) TEN(X, d##5) TEN(X, d##6) TEN(X, d##7) TEN(X, d##8) TEN(X, d##9)
#define POOL_OF_200(X) HUNDRED(X, 0) HUNDRED(X, 1)
#define POOL_OF_100(X) HUNDRED(X, 0)
#define POOL_OF_30(X) TEN(X, 00) TEN(X, 01) TEN(X, 02)
#define AT(digits) (1##digits - 1000)

static const Seen *plain_seen[200], *keywords_seen[30], *fast_seen[100], *fast_keywords_seen[100], *class_seen[30],
    *wrapper_seen[30], *instance_seen[2];

#define PLAIN(n)                                                                                                       \
    static PyObject *plain_##n(PyObject *self, PyObject *argument)                                                     \
    {                                                                                                                  \
        return call_plain(plain_seen[AT(n)], self, argument);                                                          \
    }
#define KEYWORDS(n)                                                                                                    \
    static PyObject *keywords_##n(PyObject *self, PyObject *args, PyObject *keywords)                                  \
    {                                                                                                                  \
        return call_with_keywords(keywords_seen[AT(n)], self, args, keywords);                                         \
    }
#define FAST(n)                                                                                                        \
    static PyObject *fast_##n(PyObject *self, PyObject *const *args, Py_ssize_t given)                                 \
    {                                                                                                                  \
        return call_fast(fast_seen[AT(n)], self, args, given);                                                         \
    }
#define FAST_KEYWORDS(n)                                                                                               \
    static PyObject *fast_keywords_##n(PyObject *self, PyObject *const *args, Py_ssize_t given, PyObject *names)       \
    {                                                                                                                  \
        return call_fast_with_keywords(fast_keywords_seen[AT(n)], self, args, given, names);                           \
    }
#define CLASS(n)                                                                                                       \
    static PyObject *class_##n(PyObject *self, PyTypeObject *class, PyObject *const *args, size_t given,               \
                               PyObject *names)                                                                        \
    {                                                                                                                  \
        return call_of_class(class_seen[AT(n)], self, class, args, given, names);                                      \
    }
#define WRAP(n)                                                                                                        \
    static PyObject *wrapper_##n(PyObject *self, PyObject *args, void *wrapped)                                        \
    {                                                                                                                  \
        return call_wrapper(wrapper_seen[AT(n)], self, args, wrapped);                                                 \
    }
#define INSTANCE(n)                                                                                                    \
    static PyObject *instance_##n(PyObject *self, PyObject *const *args, size_t given, PyObject *names)                \
    {                                                                                                                  \
        return call_instance(instance_seen[n], self, args, given, names);                                              \
    }                                                                                                                  \
    static PyObject *maker_##n(PyObject *type, PyObject *args, PyObject *keywords)                                     \
    {                                                                                                                  \
        return make_instance(instance_seen[n], type, args, keywords);                                                  \
    }
INSTANCE(0)
INSTANCE(1)
POOL_OF_200(PLAIN)
POOL_OF_30(KEYWORDS)
POOL_OF_100(FAST)
POOL_OF_100(FAST_KEYWORDS)
POOL_OF_30(CLASS)
POOL_OF_30(WRAP)

#define PLAIN_AT(n) plain_##n,
#define KEYWORDS_AT(n) keywords_##n,
#define FAST_AT(n) fast_##n,
#define FAST_KEYWORDS_AT(n) fast_keywords_##n,
#define CLASS_AT(n) class_##n,
#define WRAPPER_AT(n) wrapper_##n,
static const Plain plain_pool[] = {POOL_OF_200(PLAIN_AT)};
static const WithKeywords keywords_pool[] = {POOL_OF_30(KEYWORDS_AT)};
static const Fast fast_pool[] = {POOL_OF_100(FAST_AT)};
static const FastWithKeywords fast_keywords_pool[] = {POOL_OF_100(FAST_KEYWORDS_AT)};
static const OfClass class_pool[] = {POOL_OF_30(CLASS_AT)};
static const Wrapper wrapper_pool[] = {POOL_OF_30(WRAPPER_AT)};
static const vectorcallfunc instance_pool[] = {instance_0, instance_1};
static const WithKeywords maker_pool[] = {maker_0, maker_1};

/* The next function of a pool, which is this row's from now on; NULL if none is left. */
#define TAKE(pool, rows, entry)                                                                                        \
    (rows##_taken == (int)Py_ARRAY_LENGTH(pool) ? NULL                                                                 \
                                                : ((rows)[rows##_taken] = (entry), (Function)(pool)[rows##_taken++]))

static int plain_seen_taken, keywords_seen_taken, fast_seen_taken, fast_keywords_seen_taken, class_seen_taken,
    wrapper_seen_taken, instance_seen_taken;

static Function
take_replacement(Seen *entry)
{
    int flags = entry->convention;
    if (entry->called != NULL) {
        if (instance_seen_taken < (int)Py_ARRAY_LENGTH(instance_pool)) {
            entry->stand_in = instance_pool[instance_seen_taken];
        }
        return TAKE(maker_pool, instance_seen, entry);
    }
    if (entry->row->flags & AWAIT) {
        return TAKE(await_pool, await_seen, entry);
    }
    if (entry->row->flags & WRAPPER) {
        return TAKE(wrapper_pool, wrapper_seen, entry);
    }
    if (flags & METH_METHOD) {
        return TAKE(class_pool, class_seen, entry);
    }
    if (flags & METH_FASTCALL) {
        return flags & METH_KEYWORDS ? TAKE(fast_keywords_pool, fast_keywords_seen, entry)
                                     : TAKE(fast_pool, fast_seen, entry);
    }
    return flags & METH_KEYWORDS ? TAKE(keywords_pool, keywords_seen, entry) : TAKE(plain_pool, plain_seen, entry);
}

/* ---- finding the functions ---- */

/* What the owner itself holds under that name, or NULL; a new reference. */
static PyObject *
held_by(PyObject *owner, const char *name)
{
    PyObject *object;
    if (PyType_Check(owner)) { /* not what it inherits */
        PyObject *key = PyUnicode_FromString(name);
        PyObject *namespace = PyObject_GetAttrString(owner, "__dict__");
        object = key == NULL || namespace == NULL ? NULL : PyObject_GetItem(namespace, key);
        Py_XDECREF(key);
        Py_XDECREF(namespace);
    }
    else {
        object = PyObject_GetAttrString(owner, name);
    }
    if (object == NULL) {
        PyErr_Clear();
    }
    return object;
}

static PyMethodDef *
definition_of(PyObject *owner, const char *name)
{
    PyObject *object = held_by(owner, name);
    PyMethodDef *definition = NULL;
    if (object != NULL && Py_IS_TYPE(object, &PyMethodDescr_Type)) {
        definition = ((PyMethodDescrObject *)object)->d_method;
    }
    else if (object != NULL && PyCFunction_CheckExact(object)) {
        definition = ((PyCFunctionObject *)object)->m_ml;
    }
    Py_XDECREF(object);
    return definition;
}

/* The entry of the table of slots (slotdefs in Objects/typeobject.c) that a method of a built-in type wraps. All types with
   that slot share it. Its `wrapper` is what calls of the method go through, and is asked for nowhere else but in
   update_one_slot: there, whether two entries of one name have the same. So either both are replaced by the same function
   (`__len__`), or neither is (`__iadd__`: one of them belongs to no built-in type). `d_wrapped` is not touched: classes that
   are made meanwhile would take it over as their own slot. */
static struct wrapperbase *
wrapper_of(PyObject *owner, const char *name)
{
    PyObject *object = held_by(owner, name);
    struct wrapperbase *base = NULL;
    if (object != NULL && Py_IS_TYPE(object, &PyWrapperDescr_Type)) {
        base = ((PyWrapperDescrObject *)object)->d_base;
    }
    Py_XDECREF(object);
    return base == NULL || base->flags & PyWrapperFlag_KEYWORDS ? NULL : base;
}

/* What instances of the type are called by; NULL if that is the type's affair. Both types that we ask take a string. */
static vectorcallfunc
instances_called_by(PyTypeObject *type)
{
    vectorcallfunc function = NULL;
    if (PyType_HasFeature(type, Py_TPFLAGS_HAVE_VECTORCALL)) {
        PyObject *instance = PyObject_CallFunction((PyObject *)type, "s", "x");
        function = instance == NULL ? NULL : PyVectorcall_Function(instance);
        Py_XDECREF(instance);
        PyErr_Clear();
    }
    return function;
}

/* Where the interpreter looks for the function of a row; NULL if this version has none. */
static Function *
find_place(Seen *entry, PyObject *owner)
{
    if (entry->row->flags & TYPE_CALL) {
        PyTypeObject *type = (PyTypeObject *)owner;
        if (!PyType_Check(owner) || type->tp_call == NULL) {
            return NULL;
        }
        entry->convention = METH_VARARGS | METH_KEYWORDS;
        if (entry->stand_in == NULL) { /* else instances have that by now */
            entry->called = instances_called_by(type);
        }
        entry->type = type;
        return entry->called != NULL ? (Function *)(void *)&type->tp_new : (Function *)(void *)&type->tp_call;
    }
    if (entry->row->flags & OPERATOR) {
        /* Classes that are made meanwhile have what `__ior__` wraps: that is the original. */
        PyNumberMethods *slots = PyType_Check(owner) ? ((PyTypeObject *)owner)->tp_as_number : NULL;
        entry->convention = METH_O;
        return slots == NULL || slots->nb_inplace_or == NULL ? NULL : (Function *)(void *)&slots->nb_inplace_or;
    }
    if (entry->row->flags & AWAIT) {
        PyAsyncMethods *slots = PyType_Check(owner) ? ((PyTypeObject *)owner)->tp_as_async : NULL;
        entry->convention = METH_NOARGS;
        return slots == NULL || slots->am_await == NULL ? NULL : (Function *)(void *)&slots->am_await;
    }
    if (entry->row->flags & WRAPPER) {
        struct wrapperbase *base = wrapper_of(owner, entry->row->name);
        return base == NULL ? NULL : (Function *)(void *)&base->wrapper;
    }
    PyMethodDef *definition = definition_of(owner, entry->row->name);
    if (definition == NULL) {
        return NULL;
    }
    entry->convention = definition->ml_flags;
    return (Function *)(void *)&definition->ml_meth;
}

/* 0, or -1 with an exception. */
static int
prepare_row(Seen *entry, PyObject *owner)
{
    const Intercepted *row = entry->row;
    if (FREE_THREADED && row->effect == &effect_nothing) {
        return 0; /* to be inside of something means nothing if there is no GIL to give up */
    }
    Function *place = find_place(entry, owner);
    for (int other = 0; other < intercepted_count && place != NULL; other++) {
        if (seen[other].place == place) {
            return 0; /* two names of one function */
        }
    }
    if (place == NULL) {
        return 0;
    }
    entry->is_function = !PyType_Check(owner);
    entry->original = *place;
    /* Who knows what two rows share: the later one. */
    entry->replacement = row->flags & SAME_WRAPPER ? entry[-1].replacement : take_replacement(entry);
    if (entry->replacement == NULL && !(row->flags & SAME_WRAPPER)) {
        PyErr_Format(PyExc_RuntimeError, "no function is left to stand in for %s.%s", row->owner, row->name);
        return -1;
    }
    if (row->waits_while != NULL) {
        PyMethodDef *waits = definition_of(owner, row->waits_while);
        entry->waits = waits != NULL && waits->ml_flags & METH_NOARGS ? waits->ml_meth : NULL;
    }
    PyOS_snprintf(entry->callee, sizeof(entry->callee), "%s.%s",
                  PyType_Check(owner) ? ((PyTypeObject *)owner)->tp_name : row->owner, row->name);
    entry->place = place;
    return 0;
}

/* Of a module that only the program may import: it would import others, written in Python. */
static bool
is_imported_late(const Owner *owner)
{
    return strcmp(owner->module, "_asyncio") == 0 || strcmp(owner->module, "select") == 0;
}

/* A module if it has been imported; else NULL with an ImportError. A new reference. */
static PyObject *
module_so_far(const char *name)
{
    PyObject *text = PyUnicode_FromString(name);
    PyObject *module = text == NULL ? NULL : PyImport_GetModule(text);
    Py_XDECREF(text);
    if (module == NULL && !PyErr_Occurred()) {
        PyErr_SetString(PyExc_ImportError, name);
    }
    return module;
}

static int
prepare_owner(const Owner *owner)
{
    PyObject *module = is_imported_late(owner) ? module_so_far(owner->module) : PyImport_ImportModule(owner->module);
    PyObject *object = NULL;
    if (module != NULL) {
        object = owner->attribute == NULL ? Py_NewRef(module) : PyObject_GetAttrString(module, owner->attribute);
    }
    Py_XDECREF(module);
    if (object == NULL) { /* this version or this build has none */
        if (!PyErr_ExceptionMatches(PyExc_ImportError) && !PyErr_ExceptionMatches(PyExc_AttributeError)) {
            return -1;
        }
        PyErr_Clear();
        return 0;
    }
    int failed = 0;
    for (int i = 0; i < intercepted_count && !failed; i++) {
        if (strcmp(intercepted[i].owner, owner->name) == 0) {
            failed = prepare_row(&seen[i], object);
        }
    }
    if (!failed && strcmp(owner->name, "defaultdict") == 0) {
        failed = effects_learn_missing(object);
    }
    Py_DECREF(object);
    return failed;
}

/* ---- taking their place ---- */

static void
install(Seen *entry)
{
    if (entry->place == NULL) {
        return;
    }
    Function now = LOAD_ACQUIRE(entry->place);
    if (now == entry->replacement || (entry->wrapped_over && now != entry->original)) {
        return; /* it is there still, or whoever wrapped it calls it */
    }
    entry->wrapped_over = false;
    entry->original = now;
    (void)exchange(entry->place, now, entry->replacement);
}

/* Instances that were made before. Without an error: then these are called unseen. */
static void
follow_living_instances(void)
{
    PyObject *gc = PyImport_ImportModule("gc");
    PyObject *objects = gc == NULL ? NULL : PyObject_CallMethod(gc, "get_objects", NULL);
    for (Py_ssize_t i = 0; objects != NULL && i < PyList_GET_SIZE(objects); i++) {
        PyObject *object = PyList_GET_ITEM(objects, i);
        for (int row = 0; row < instance_seen_taken; row++) {
            if (Py_IS_TYPE(object, instance_seen[row]->type)) {
                follow_instance(instance_seen[row], object);
            }
        }
    }
    Py_XDECREF(objects);
    Py_XDECREF(gc);
    PyErr_Clear();
}

int
intercept_prepare(void)
{
    static bool prepared;
    if (prepared) {
        return 0;
    }
    for (int i = 0; i < intercepted_count; i++) {
        seen[i].row = &intercepted[i];
    }
    for (int i = 0; i < owner_count; i++) {
        if (prepare_owner(&owners[i]) < 0) {
            return -1;
        }
    }
    for (int i = 1; i < intercepted_count; i++) {
        bool both = seen[i].place != NULL && seen[i - 1].place != NULL && seen[i].original == seen[i - 1].original;
        if (intercepted[i].flags & SAME_WRAPPER && !both) {
            seen[i].place = seen[i - 1].place = NULL;
        }
    }
    send_seen.place = (Function *)(void *)&PyCoro_Type.tp_as_async->am_send;
    send_seen.original = *send_seen.place;
    send_seen.replacement = (Function)send_slot;
    for (int i = 0; i < intercepted_count; i++) {
        if (seen[i].called != NULL) {
            install(&seen[i]);
        }
    }
    if (instance_seen_taken > 0) {
        follow_living_instances();
    }
    prepared = task_prepare() == 0 && sync_prepare() == 0;
    return prepared ? 0 : -1;
}

static void
take_out(Seen *entry)
{
    if (entry->place == NULL || entry->called != NULL) {
        return; /* instances that are made between two recordings may be called in the second */
    }
    if (!exchange(entry->place, entry->replacement, entry->original)) {
        entry->wrapped_over = LOAD_ACQUIRE(entry->place) != entry->original;
    }
}

void
intercept_install(void)
{
    for (int i = 0; i < intercepted_count; i++) {
        install(&seen[i]);
    }
    install(&send_seen);
}

void
intercept_remove(void)
{
    for (int i = 0; i < intercepted_count; i++) {
        take_out(&seen[i]);
    }
    take_out(&send_seen);
}

/* The place of a row in a type that was made just now; the type lives on for ever. */
static void
move_place(Seen *entry, PyObject *type)
{
    Function *before = entry->place;
    PyTypeObject *type_before = entry->type;
    Function *place = find_place(entry, type);
    if (before == NULL || place == NULL || place == before) {
        entry->type = type_before;
        return;
    }
    take_out(entry);
    entry->place = place;
    entry->wrapped_over = false;
    Py_INCREF(type);
    install(entry);
}

/* A module of those that only the program imports. */
static void
prepare_late(const char *name)
{
    for (int i = 0; i < owner_count; i++) {
        if (!is_imported_late(&owners[i]) || strcmp(owners[i].module, name) != 0) {
            continue;
        }
        bool is_prepared = false;
        for (int row = 0; row < intercepted_count; row++) {
            is_prepared |= seen[row].place != NULL && strcmp(intercepted[row].owner, owners[i].name) == 0;
        }
        if (is_prepared) {
            continue;
        }
        if (prepare_owner(&owners[i]) < 0) {
            PyErr_Clear(); /* these are called unseen */
        }
        for (int row = 0; row < intercepted_count; row++) {
            if (strcmp(intercepted[row].owner, owners[i].name) == 0) {
                install(&seen[row]);
            }
        }
    }
}

void
intercept_module(PyObject *module)
{
    PyModuleDef *definition = PyModule_GetDef(module);
    if (definition != NULL) {
        prepare_late(definition->m_name);
    }
    for (int i = 0; i < owner_count && definition != NULL; i++) {
        if (owners[i].attribute == NULL || strcmp(owners[i].module, definition->m_name) != 0) {
            continue;
        }
        PyObject *type = PyObject_GetAttrString(module, owners[i].attribute);
        for (int row = 0; row < intercepted_count && type != NULL; row++) {
            if ((intercepted[row].flags & TYPE_CALL) && strcmp(intercepted[row].owner, owners[i].name) == 0) {
                move_place(&seen[row], type);
            }
        }
        Py_XDECREF(type);
        PyErr_Clear();
    }
}

PyObject *
intercept_names(void)
{
    PyObject *names = PyList_New(0);
    for (int i = 0; names != NULL && i < intercepted_count; i++) {
        if (seen[i].place == NULL) {
            continue;
        }
        PyObject *pair = Py_BuildValue("(ss)", intercepted[i].owner, intercepted[i].name);
        if (pair == NULL || PyList_Append(names, pair) < 0) {
            Py_CLEAR(names);
        }
        Py_XDECREF(pair);
    }
    return names;
}
