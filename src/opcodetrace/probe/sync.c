#include "sync.h"
#include "code.h"

#include <time.h>

uint64_t
sync_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint32_t
sync_site(int own, unsigned *direct)
{
    int frames = 0;
    *direct = 0;
    for (Frame *frame = current_frame(); frame != NULL; frame = frame->previous) {
        PyCodeObject *code = frame_code(frame);
        if (code == NULL) {
            continue; /* the interpreter's own */
        }
        if (frames < own) {
            frames++; /* woven or not: it is the operation, not the call */
            continue;
        }
        Code *woven = code_of(code);
        if (woven != NULL && woven->id != NO_SITE) {
            *direct = frames == own ? SYNC_DIRECT : 0;
            return code_site_of(woven, frame_instruction(frame, code));
        }
        frames++;
    }
    return NO_SITE;
}

uint32_t
sync_site_of_await(void)
{
    Frame *frame = current_frame();
    PyCodeObject *code = frame == NULL ? NULL : frame_code(frame);
    Code *woven = code == NULL ? NULL : code_of(code);
    return woven == NULL || woven->id == NO_SITE ? NO_SITE : code_site_of_await(woven, frame_instruction(frame, code));
}

static PyObject *module_name;

int
sync_prepare(void)
{
    if (module_name == NULL) {
        module_name = PyUnicode_InternFromString("__module__");
    }
    return module_name == NULL ? -1 : 0;
}

/* The class of asyncio's that an object's class is or is made of: a program's own class of locks is one of locks. */
static PyTypeObject *
type_that_waits(PyObject *object)
{
    static const char package[] = "asyncio.";
    for (PyTypeObject *type = Py_TYPE(object); type != NULL; type = type->tp_base) {
        PyObject *module = type->tp_flags & Py_TPFLAGS_HEAPTYPE ? dict_find(type->tp_dict, module_name) : NULL;
        if (module != NULL && PyUnicode_CheckExact(module) && PyUnicode_IS_COMPACT_ASCII(module) &&
            strncmp((const char *)PyUnicode_DATA(module), package, strlen(package)) == 0) {
            return type;
        }
    }
    return Py_TYPE(object);
}

void
sync_emit(Thread *thread, uint32_t site, PyObject *object, const char *operation, unsigned flags, uint64_t waited,
          uint64_t earliest, uint32_t quiet)
{
    Datum name = {.word = text_id(thread, operation, strlen(operation)), .sort = TAG_STR};
    Datum time = {.word = waited, .sort = TAG_INT};
    uint64_t container = 0;
    if (object != NULL) {
        container = type_word(thread, type_that_waits(object)) | ((uint64_t)(uintptr_t)object & ADDRESS_MASK);
        birth_know(container);
    }
    emit(thread, SYNC, site, container, name, time, flags, earliest, quiet);
}

void
sync_emit_callback(Thread *thread, const char *operation, const PyObject *callback, const PyObject *of)
{
    Datum name = {.word = text_id(thread, operation, strlen(operation)), .sort = TAG_STR};
    Datum owner = {.word = (uint64_t)(uintptr_t)of, .sort = TAG_INT};
    emit(thread, SYNC, NO_SITE, (uint64_t)(uintptr_t)callback, name, owner, 0, EXACT, 0);
}
