/* One look at each record of a window, before anything is known of them (layout: spool/layout.py).
 *
 * What the function does is said in _survey.pyi; spool/records.py keeps the arrays. */

#include "../trace/columns.h"

#include "record.h"

enum {
    HOLE = 0,
    READ = 1,
    WRITE = 2,
    DELETE = 3,
    COMPUTE = 4,
    DEFINE = 6,
    KIND_MASK = 0x1F
}; /* spool.layout.RecordKind */
enum { TEXT = 8, TYPE = 9, BIRTH = 12, DESCRIBE = 16 };                             /* what belongs to no thread */
enum { INT = 1, SLICE = 10, WHOLE = 12, RAISED = 14, TAG_MASK = 0x0F };             /* spool.layout.Tag */
enum { RESIZES = 0x60 };                                                            /* spool.layout.RecordFlag */
enum { THREADS = 1 << 16, GIVEN = 11 };

static bool
moves(const Record *record, uint8_t kind)
{
    uint8_t key = record->tags & TAG_MASK;
    return (kind == WRITE || kind == DELETE) && (key == WHOLE || key == SLICE || (key == INT && kind == DELETE));
}

/* It put an item into a container, or took one out. */
static bool
resizes(const Record *record, uint8_t kind)
{
    uint8_t flags = record->kind & RESIZES;
    return (kind == WRITE && flags == RESIZES) || (kind == DELETE && flags == 0);
}

PyDoc_STRVAR(survey_doc,
             "survey($module, records, first, kinds, counts, begins, ends, control, markers, moving, failed, wholes, "
             "resizing, /)\n--\n\nLook at some records; see _survey.pyi.");

static PyObject *
survey(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *given[GIVEN];
    unsigned long long first;
    if (!PyArg_ParseTuple(args, "OKOOOOOOOOOO", &given[0], &first, &given[1], &given[2], &given[3], &given[4],
                          &given[5], &given[6], &given[7], &given[8], &given[9], &given[10])) {
        return NULL;
    }
    Columns columns = {.count = 0};
    Py_ssize_t count = -1, kinds_count = KIND_MASK + 1, threads = THREADS;
    const Record *records = columns_items(&columns, given[0], sizeof *records, &count, false);
    uint8_t *kinds = records == NULL ? NULL : columns_items(&columns, given[1], 1, &count, true);
    int64_t *counts = kinds == NULL ? NULL : columns_items(&columns, given[2], 8, &kinds_count, true);
    int64_t *begins = counts == NULL ? NULL : columns_items(&columns, given[3], 8, &threads, true);
    int64_t *ends = begins == NULL ? NULL : columns_items(&columns, given[4], 8, &threads, true);
    int32_t *control = ends == NULL ? NULL : columns_items(&columns, given[5], 4, &count, true);
    int32_t *markers = control == NULL ? NULL : columns_items(&columns, given[6], 4, &count, true);
    int32_t *moving = markers == NULL ? NULL : columns_items(&columns, given[7], 4, &count, true);
    int32_t *failed = moving == NULL ? NULL : columns_items(&columns, given[8], 4, &count, true);
    int32_t *wholes = failed == NULL ? NULL : columns_items(&columns, given[9], 4, &count, true);
    int32_t *resizing = wholes == NULL ? NULL : columns_items(&columns, given[10], 4, &count, true);
    Py_ssize_t controls = 0, marked = 0, moved = 0, failures = 0, read = 0, resized = 0;
    bool fits = resizing != NULL;
    if (fits && ((uintptr_t)records % _Alignof(Record) || count > INT32_MAX)) {
        PyErr_SetString(PyExc_ValueError, "records lie at multiples of 8 bytes");
        fits = false;
    }
    for (Py_ssize_t at = 0; at < count && fits; at++) {
        const Record *record = &records[at];
        uint64_t seq = first + (uint64_t)at;
        bool finished = record->commit == (uint32_t)(seq + 1);
        uint8_t kind = finished ? record->kind & KIND_MASK : HOLE;
        kinds[at] = kind;
        counts[kind]++;
        if (finished && kind != TEXT && kind != TYPE && kind != BIRTH && kind != DESCRIBE) {
            ends[record->thread] = (int64_t)seq;
            if (begins[record->thread] < 0) {
                begins[record->thread] = (int64_t)seq;
            }
        }
        if (kind >= TEXT) {
            control[controls++] = (int32_t)at;
        }
        else if (kind >= COMPUTE && kind <= DEFINE) {
            markers[marked++] = (int32_t)at;
        }
        else if (moves(record, kind)) {
            moving[moved++] = (int32_t)at;
        }
        else if (kind == READ && record->tags == (WHOLE | RAISED << 4)) {
            failed[failures++] = (int32_t)at;
        }
        else if (kind == READ && (record->tags & TAG_MASK) == WHOLE) {
            wholes[read++] = (int32_t)at;
        }
        if (resizes(record, kind)) {
            resizing[resized++] = (int32_t)at;
        }
    }
    columns_release(&columns);
    return fits ? Py_BuildValue("nnnnnn", controls, marked, moved, failures, read, resized) : NULL;
}

static PyMethodDef methods[] = {{"survey", survey, METH_VARARGS, survey_doc}, {NULL, NULL, 0, NULL}};

static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "opcodetrace.spool._survey", .m_size = 0,
                                        .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC
PyInit__survey(void)
{
    return PyModuleDef_Init(&definition);
}
