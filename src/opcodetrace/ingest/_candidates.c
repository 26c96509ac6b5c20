/* Which accesses may be to locations that threads share: the passes over all accesses of a window.
 *
 * What each function does is said in _candidates.pyi; ingest/candidates.py keeps the arrays. */

#include "../trace/columns.h"

#include "../spool/record.h"

enum { READ = 1, DELETE = 3 };                                                       /* trace.event.Kind */
enum { NONE = 3, FALSE_ = 4, TRUE_ = 5, STR = 6, BYTES = 7, OBJECT = 8, NAME = 9 };  /* spool.layout.Tag */
enum { TUPLE = 11, WHOLE = 12, END = 13, TAG_MASK = 0x0F, ABSENT = 0 };
enum { MODULE = 0x40, RESIZES = 0x60 }; /* spool.layout.RecordFlag */
#define ADDRESS_MASK ((UINT64_C(1) << 48) - 1)
#define TEXT_MASK UINT64_C(0xFFFFFFFF)

#define NO_ACCESS UINT32_MAX       /* in place of a bucket */
#define ALWAYS (UINT32_MAX - 1)    /* of an access that lies in two buckets */
#define THREAD ((uint32_t)0x1FFFF) /* in a bucket: the first thread, plus one */
#define MANY ((uint32_t)1 << 30)   /* another one came */
#define WRITTEN ((uint32_t)1 << 31)
enum { MAX_BITS = 31 };

/* ---- touch */

typedef struct {
    const uint64_t *names;  /* by site */
    const uint64_t *texts;  /* by id, from the lowest on; the last one is for all others */
    uint64_t lowest;
    uint64_t last_text;
} Texts;

static uint64_t
canonical(const Texts *texts, uint64_t id)
{
    uint64_t place = (id - texts->lowest) & TEXT_MASK;
    return texts->texts[place < texts->last_text ? place : texts->last_text];
}

/* Equal keys have equal words; those that differ in their tags alone may have equal ones, too. */
static uint64_t
key_word(const Texts *texts, const Record *record, size_t site)
{
    switch (record->tags & TAG_MASK) {
    case NAME:
        return texts->names[site];
    case STR:
    case BYTES:
    case TUPLE:
        return canonical(texts, record->key);
    case TRUE_:
        return 1;
    case FALSE_:
    case NONE:
    case ABSENT:
    case WHOLE:
    case END:
        return 0;
    case OBJECT:
        return record->key & ADDRESS_MASK;
    default:
        return record->key;
    }
}

static bool
contains(const uint64_t *sorted, Py_ssize_t count, uint64_t wanted)
{
    Py_ssize_t low = 0, high = count;
    while (low < high) {
        Py_ssize_t middle = low + (high - low) / 2;
        if (sorted[middle] < wanted) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low < count && sorted[low] == wanted;
}

PyDoc_STRVAR(touch_doc, "touch($module, records, kinds, names, in_globals, texts, lowest, aliased, salts, table, "
                        "buckets, counts, /)\n--\n\nNote who touches which bucket; see _candidates.pyi.");

static PyObject *
touch(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *given[9];
    Texts texts;
    unsigned long long lowest, first_salt, second_salt;
    if (!PyArg_ParseTuple(args, "OOOOOKO(KK)OOO", &given[0], &given[1], &given[2], &given[3], &given[4], &lowest,
                          &given[5], &first_salt, &second_salt, &given[6], &given[7], &given[8])) {
        return NULL;
    }
    Columns columns = {.count = 0};
    Py_ssize_t count = -1, sites = -1, text_count = -1, aliases = -1, size = -1;
    const Record *records = columns_items(&columns, given[0], sizeof *records, &count, false);
    const uint8_t *kinds = records == NULL ? NULL : columns_items(&columns, given[1], 1, &count, false);
    texts.names = kinds == NULL ? NULL : columns_items(&columns, given[2], 8, &sites, false);
    const uint8_t *in_globals = texts.names == NULL ? NULL : columns_items(&columns, given[3], 1, &sites, false);
    texts.texts = in_globals == NULL ? NULL : columns_items(&columns, given[4], 8, &text_count, false);
    const uint64_t *aliased = texts.texts == NULL ? NULL : columns_items(&columns, given[5], 8, &aliases, false);
    uint32_t *table = aliased == NULL ? NULL : columns_items(&columns, given[6], 4, &size, true);
    uint32_t *buckets = table == NULL ? NULL : columns_items(&columns, given[7], 4, &count, true);
    int64_t *counts = buckets == NULL ? NULL : columns_items(&columns, given[8], 8, &sites, true);
    bool fits = counts != NULL;
    int shift = 64;
    if (fits) {
        while (shift > 64 - MAX_BITS && (Py_ssize_t)1 << (64 - shift) < size) {
            shift--;
        }
        if (size != (Py_ssize_t)1 << (64 - shift) || size < 2 || !sites || !text_count) {
            PyErr_SetString(PyExc_ValueError, "a table of buckets has a power of two of them, other tables an entry");
            fits = false;
        }
    }
    texts.lowest = lowest;
    texts.last_text = (uint64_t)text_count - 1;
    bool names_global = false;
    for (Py_ssize_t at = 0; at < count && fits; at++) {
        if ((uint8_t)(kinds[at] - READ) > DELETE - READ) {
            buckets[at] = NO_ACCESS;
            continue;
        }
        const Record *record = &records[at];
        size_t site = record->site < (uint64_t)sites ? record->site : (size_t)sites - 1;
        uint64_t address = record->container & ADDRESS_MASK;
        uint64_t mixed = (address * first_salt ^ key_word(&texts, record, site)) * second_salt;
        uint32_t *bucket = &table[mixed >> shift];
        uint32_t thread = (uint32_t)record->thread + 1;
        if ((*bucket & THREAD) != thread) {
            *bucket |= *bucket & THREAD ? MANY : thread;
        }
        if (kinds[at] != READ) {
            *bucket |= WRITTEN;
        }
        buckets[at] = aliases && contains(aliased, aliases, address) ? ALWAYS : (uint32_t)(mixed >> shift);
        counts[site]++;
        names_global |= (record->kind & RESIZES) == MODULE || in_globals[site];
    }
    columns_release(&columns);
    return fits ? PyBool_FromLong(names_global) : NULL;
}

/* ---- shared */

PyDoc_STRVAR(shared_doc, "shared($module, buckets, table, candidates, /)\n--\n\n"
                         "Tell which accesses lie in shared buckets; see _candidates.pyi.");

static PyObject *
shared(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *given_buckets, *given_table, *given_candidates;
    if (!PyArg_ParseTuple(args, "OOO", &given_buckets, &given_table, &given_candidates)) {
        return NULL;
    }
    Columns columns = {.count = 0};
    Py_ssize_t count = -1, size = -1;
    const uint32_t *buckets = columns_items(&columns, given_buckets, 4, &count, false);
    const uint32_t *table = buckets == NULL ? NULL : columns_items(&columns, given_table, 4, &size, false);
    uint8_t *candidates = table == NULL ? NULL : columns_items(&columns, given_candidates, 1, &count, true);
    bool fits = candidates != NULL;
    Py_ssize_t found = 0;
    for (Py_ssize_t at = 0; at < count && fits; at++) {
        uint32_t bucket = buckets[at];
        bool is_candidate = bucket == ALWAYS;
        if (bucket < ALWAYS) {
            fits = bucket < (uint64_t)size;
            is_candidate = fits && (table[bucket] & (MANY | WRITTEN)) == (MANY | WRITTEN);
        }
        candidates[at] = is_candidate;
        found += is_candidate;
    }
    if (!fits && !PyErr_Occurred()) {
        PyErr_SetString(PyExc_ValueError, "there is no such bucket");
    }
    columns_release(&columns);
    return fits ? PyLong_FromSsize_t(found) : NULL;
}

/* ---- gather */

PyDoc_STRVAR(gather_doc, "gather($module, records, which, first, rows, seqs, at, /)\n--\n\n"
                         "Copy some of the records; see _candidates.pyi.");

static PyObject *
gather(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *given[4];
    unsigned long long first;
    Py_ssize_t at;
    if (!PyArg_ParseTuple(args, "OOKOOn", &given[0], &given[1], &first, &given[2], &given[3], &at)) {
        return NULL;
    }
    Columns columns = {.count = 0};
    Py_ssize_t count = -1, room = -1;
    const Record *records = columns_items(&columns, given[0], sizeof *records, &count, false);
    const uint8_t *which = records == NULL ? NULL : columns_items(&columns, given[1], 1, &count, false);
    Record *rows = which == NULL ? NULL : columns_items(&columns, given[2], sizeof *rows, &room, true);
    int64_t *seqs = rows == NULL ? NULL : columns_items(&columns, given[3], 8, &room, true);
    bool fits = seqs != NULL;
    if (fits && (at < 0 || at > room || count > room - at)) {
        PyErr_SetString(PyExc_ValueError, "there is no room for that many records");
        fits = false;
    }
    for (Py_ssize_t place = 0; place < count && fits; place++) {
        if (which[place]) {
            rows[at] = records[place];
            seqs[at++] = (int64_t)(first + (uint64_t)place);
        }
    }
    columns_release(&columns);
    return fits ? PyLong_FromSsize_t(at) : NULL;
}

static PyMethodDef methods[] = {{"touch", touch, METH_VARARGS, touch_doc},
                                {"shared", shared, METH_VARARGS, shared_doc},
                                {"gather", gather, METH_VARARGS, gather_doc},
                                {NULL, NULL, 0, NULL}};

static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "opcodetrace.ingest._candidates", .m_size = 0,
                                        .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC
PyInit__candidates(void)
{
    return PyModuleDef_Init(&definition);
}
