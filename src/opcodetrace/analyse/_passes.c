/* The passes of the analysis that look at every event of a run, over its columns (trace/events.py).
 *
 * What each does is said in _passes.pyi; the tests compare them with plain Python. */

#include "../trace/columns.h"

#include <string.h>

enum { READ = 1, WRITE = 2, DELETE = 3, ENTER = 5, ELSEWHERE = 7 };          /* trace.event.EventKind */
enum { ABSENT = 0, OBJECT = 7, SOME_OBJECT = 8 };                            /* trace.events.ValueTag */

/* ---- group */

PyDoc_STRVAR(group_doc, "group($module, location, first, /)\n--\n\nSort places by location; see _passes.pyi.");

static PyObject *
group(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *given_locations, *given_bounds, *given_order;
    if (!PyArg_ParseTuple(args, "OOO", &given_locations, &given_bounds, &given_order)) {
        return NULL;
    }
    Columns columns = {.count = 0};
    Py_ssize_t events = -1, bounds_count = -1, placed = -1;
    const int32_t *location = columns_items(&columns, given_locations, 4, &events, false);
    int64_t *bounds = location == NULL ? NULL : columns_items(&columns, given_bounds, 8, &bounds_count, true);
    int32_t *order = bounds == NULL ? NULL : columns_items(&columns, given_order, 4, &placed, true);
    bool fits = order != NULL;
    if (fits) {
        /* bounds[n + 1] first counts location n, then is where its places begin, at last where they end */
        memset(bounds, 0, (size_t)bounds_count * sizeof *bounds);
        Py_ssize_t found = 0;
        for (Py_ssize_t place = 0; place < events && fits; place++) {
            int32_t number = location[place];
            if (number >= 0) {
                fits = number + 1 < bounds_count;
                if (fits) {
                    bounds[number + 1]++;
                    found++;
                }
            }
        }
        fits = fits && found == placed;
        if (!fits) {
            PyErr_SetString(PyExc_ValueError, "more locations or accesses than there is room for");
        }
    }
    if (fits) {
        int64_t begin = 0;
        for (Py_ssize_t number = 1; number < bounds_count; number++) {
            int64_t count = bounds[number];
            bounds[number] = begin;
            begin += count;
        }
        for (Py_ssize_t place = 0; place < events; place++) {
            if (location[place] >= 0) {
                order[bounds[location[place] + 1]++] = (int32_t)place;
            }
        }
    }
    columns_release(&columns);
    if (!fits) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* ---- newest reads */

typedef struct {
    uint64_t key; /* frame << 32 | site, and one: 0 is for none */
    int32_t place;
} Slot;

typedef struct {
    Slot *slots;
    size_t size, used; /* the size is a power of two */
} Newest;

static Slot *
slot_of(const Newest *newest, uint64_t key)
{
    uint64_t mixed = key * UINT64_C(0x9E3779B97F4A7C15);
    size_t at = (size_t)(mixed ^ mixed >> 32) & (newest->size - 1);
    while (newest->slots[at].key != 0 && newest->slots[at].key != key) {
        at = (at + 1) & (newest->size - 1);
    }
    return &newest->slots[at];
}

static int
grow(Newest *newest)
{
    Newest larger = {.size = newest->size ? 2 * newest->size : 1024, .used = newest->used};
    larger.slots = PyMem_Calloc(larger.size, sizeof *larger.slots);
    if (larger.slots == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t at = 0; at < newest->size; at++) {
        if (newest->slots[at].key) {
            *slot_of(&larger, newest->slots[at].key) = newest->slots[at];
        }
    }
    PyMem_Free(newest->slots);
    *newest = larger;
    return 0;
}

static int
remember(Newest *newest, uint64_t key, int32_t place)
{
    if (2 * (newest->used + 1) > newest->size && grow(newest) < 0) {
        return -1;
    }
    Slot *slot = slot_of(newest, key);
    newest->used += slot->key == 0;
    *slot = (Slot){key, place};
    return 0;
}

PyDoc_STRVAR(newest_reads_doc,
             "newest_reads($module, kind, site, location, frame, asked, made_of, entered, source, /)\n--\n\n"
             "Find the one read that a write is made of; see _passes.pyi.");

static PyObject *
newest_reads(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *given[8];
    if (!PyArg_ParseTuple(args, "OOOOOOOO", &given[0], &given[1], &given[2], &given[3], &given[4], &given[5], &given[6],
                          &given[7])) {
        return NULL;
    }
    Columns columns = {.count = 0};
    Py_ssize_t events = -1, sites = -1, frames = -1;
    const uint8_t *kind = columns_items(&columns, given[0], 1, &events, false);
    const uint32_t *site = kind == NULL ? NULL : columns_items(&columns, given[1], 4, &events, false);
    const int32_t *location = site == NULL ? NULL : columns_items(&columns, given[2], 4, &events, false);
    const int32_t *frame = location == NULL ? NULL : columns_items(&columns, given[3], 4, &events, false);
    const uint8_t *asked = frame == NULL ? NULL : columns_items(&columns, given[4], 1, &sites, false);
    const int32_t *made_of = asked == NULL ? NULL : columns_items(&columns, given[5], 4, &sites, false);
    int32_t *entered = made_of == NULL ? NULL : columns_items(&columns, given[6], 4, &frames, true);
    int32_t *source = entered == NULL ? NULL : columns_items(&columns, given[7], 4, &events, true);
    Newest newest = {0};
    int status = source == NULL ? -1 : 0;
    for (Py_ssize_t place = 0; place < events && status == 0; place++) {
        uint32_t at = site[place];
        int32_t in = frame[place];
        if (in < 0 || in >= frames) {
            PyErr_SetString(PyExc_ValueError, "a frame without a place");
            status = -1;
            break;
        }
        uint8_t what = kind[place];
        if (what == ENTER) {
            entered[in] = (int32_t)place; /* another activation: what is older does not count */
            continue;
        }
        bool access = what >= READ && what <= DELETE;
        if ((!access && what != ELSEWHERE) || (Py_ssize_t)at >= sites) {
            continue;
        }
        if (access && what != READ && made_of[at] >= 0) {
            uint64_t key = ((uint64_t)(uint32_t)in << 32 | (uint32_t)made_of[at]) + 1;
            const Slot *slot = newest.size ? slot_of(&newest, key) : NULL;
            if (slot != NULL && slot->key == key && slot->place > entered[in] &&
                location[slot->place] == location[place]) {
                source[place] = slot->place;
            }
        }
        if (asked[at]) {
            status = remember(&newest, ((uint64_t)(uint32_t)in << 32 | at) + 1, (int32_t)place);
        }
    }
    PyMem_Free(newest.slots);
    columns_release(&columns);
    if (status < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* ---- lost updates */

/* A version is named by the access that made it or showed it: its place in the part, plus one. Version 0 is what was
 * there before. So a version needs no more room than a byte of its access. */
enum { MAKES = 1, KEPT = 2, UNCHANGING = 4 }; /* it put back the value that it was made of */
enum { BLOCK = 64 };                          /* accesses */

typedef struct {
    const uint8_t *kind, *tag;
    const int64_t *word;
    const int32_t *source;
    int32_t *over;
    uint8_t *unseen;
    /* of one part */
    const int32_t *order;
    uint8_t *flags;   /* by access: of the version that it made */
    int32_t *latest;  /* by block: the version before its first access */
    int32_t *settled; /* versions */
    int32_t
        *since; /* by access: the one that gave the location the object that it then held; NULL: no object is there */
    Py_ssize_t lost, surprises;
} Part;

static bool
same_value(const Part *part, int32_t one, int32_t other)
{
    uint8_t tag = part->tag[one], other_tag = part->tag[other];
    if (tag == other_tag) {
        return tag == SOME_OBJECT || part->word[one] == part->word[other];
    }
    return (tag == OBJECT && other_tag == SOME_OBJECT) || (tag == SOME_OBJECT && other_tag == OBJECT);
}

/* Which access of `order[0 .. at)` is the one at this place; -1 for none. Sources are mostly close by. */
static int32_t
access_at(const int32_t *order, int32_t at, int32_t place)
{
    int32_t step = 1, high = at;
    while (high - step >= 0 && order[high - step] > place) {
        high -= step;
        step *= 2;
    }
    int32_t low = high - step < 0 ? 0 : high - step;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (order[middle] < place) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low < at && order[low] == place ? low : -1;
}

/* Whether a write puts back the very value that it was made of. An object must have been there all the time: out of it,
 * it may have been changed. */
static bool
puts_back(const Part *part, int32_t write, int32_t begun, int32_t since)
{
    int32_t source = part->source[write];
    uint8_t tag = part->tag[write];
    if (part->kind[write] != WRITE || tag == ABSENT || source < 0 || !same_value(part, write, source)) {
        return false;
    }
    return (tag != OBJECT && tag != SOME_OBJECT) || since == begun;
}

/* The version that an access saw or made. */
static int32_t
version_at(const Part *part, int32_t at)
{
    int32_t begin = at - at % BLOCK;
    for (; at >= begin; at--) {
        if (part->flags[at] & MAKES) {
            return at + 1;
        }
    }
    return part->latest[begin / BLOCK];
}

/* The version that a version is made of; -1 for none. */
static int32_t
parent_of(const Part *part, int32_t version)
{
    int32_t place = version > 0 ? part->order[version - 1] : -1;
    if (place < 0 || part->kind[place] == READ || part->source[place] < 0) {
        return -1;
    }
    int32_t source = access_at(part->order, version - 1, part->source[place]);
    return source < 0 ? -1 : version_at(part, source);
}

/* The place of the write that made a version; -1 if none is known. */
static int32_t
writer_of(const Part *part, int32_t version)
{
    int32_t place = version > 0 ? part->order[version - 1] : -1;
    return place >= 0 && part->kind[place] != READ ? place : -1;
}

/* Go through the accesses in order; gives how many versions are settled. */
static int32_t
follow(Part *part, int32_t count)
{
    int32_t version = 0, settled = 0;
    int32_t value = -1; /* the access that shows it; -1: unknown */
    int32_t held = -1, begun = -1;
    for (int32_t at = 0; at < count; at++) {
        int32_t place = part->order[at];
        bool unknown = part->tag[place] == ABSENT;
        int32_t shown = !unknown ? place : part->kind[place] == READ ? held : -1;
        if (shown < 0 || held < 0 || !same_value(part, shown, held)) {
            held = shown;
            begun = at;
        }
        if (part->since != NULL) {
            part->since[at] = begun;
        }
        if (at % BLOCK == 0) {
            part->latest[at / BLOCK] = version;
        }
        part->flags[at] = 0;
        if (part->kind[place] == READ) {
            if (!unknown) {
                if (value >= 0 && !same_value(part, place, value)) { /* code that is not woven wrote there */
                    part->unseen[place] = 1;
                    part->surprises++;
                    part->settled[settled++] = version;
                    part->flags[at] = MAKES;
                    version = at + 1;
                }
                value = place;
            }
            continue;
        }
        if (part->source[place] < 0 || part->kind[place] == DELETE) {
            part->settled[settled++] = version;
        }
        int32_t source = -1;
        if (part->since != NULL && part->source[place] >= 0) {
            source = access_at(part->order, at, part->source[place]);
        }
        bool unchanging = puts_back(part, place, begun, source < 0 ? -1 : part->since[source]);
        part->flags[at] = unchanging ? MAKES | UNCHANGING : MAKES;
        version = at + 1;
        value = unknown ? -1 : place;
    }
    part->settled[settled++] = version;
    return settled;
}

/* Whether all versions between two are kept. */
static bool
all_kept(const Part *part, int32_t floor, int32_t ceiling)
{
    for (int32_t at = floor; at < ceiling - 1; at++) {
        if ((part->flags[at] & (MAKES | KEPT)) == MAKES) {
            return false;
        }
    }
    return true;
}

static void
look_into(Part *part, int32_t count)
{
    int32_t settled = follow(part, count);
    for (int32_t each = 0; each < settled; each++) {
        int32_t ancestor = part->settled[each];
        while (ancestor > 0 && !(part->flags[ancestor - 1] & KEPT)) {
            part->flags[ancestor - 1] |= KEPT;
            ancestor = parent_of(part, ancestor);
        }
    }
    int32_t floor = 0;
    for (int32_t each = 0; each < settled; each++) {
        int32_t ceiling = part->settled[each];
        if (!all_kept(part, floor, ceiling)) {
            /* down the chain of the next settled version, `over` is its first one later than `lost` */
            int32_t over = ceiling, below = parent_of(part, ceiling);
            for (int32_t lost = ceiling - 1; lost > floor; lost--) {
                uint8_t flags = part->flags[lost - 1];
                if (lost == below) {
                    over = lost;
                    below = parent_of(part, lost);
                }
                else if ((flags & (MAKES | KEPT | UNCHANGING)) == MAKES && writer_of(part, lost) >= 0 &&
                         writer_of(part, over) >= 0) {
                    part->over[writer_of(part, lost)] = writer_of(part, over) + 1;
                    part->lost++;
                }
            }
        }
        floor = ceiling;
    }
}

PyDoc_STRVAR(overwritten_doc,
             "overwritten($module, kind, tag, word, source, order, begins, ends, over, unseen, /)\n--\n\n"
             "Find the lost writes of locations; see _passes.pyi.");

static PyObject *
overwritten(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *given[9];
    if (!PyArg_ParseTuple(args, "OOOOOOOOO", &given[0], &given[1], &given[2], &given[3], &given[4], &given[5],
                          &given[6], &given[7], &given[8])) {
        return NULL;
    }
    Columns columns = {.count = 0};
    Part part = {0};
    Py_ssize_t events = -1, placed = -1, parts = -1;
    const int32_t *order = NULL;
    const int64_t *begins = NULL, *ends = NULL;
    int status = -1;
    part.kind = columns_items(&columns, given[0], 1, &events, false);
    part.tag = part.kind == NULL ? NULL : columns_items(&columns, given[1], 1, &events, false);
    part.word = part.tag == NULL ? NULL : columns_items(&columns, given[2], 8, &events, false);
    part.source = part.word == NULL ? NULL : columns_items(&columns, given[3], 4, &events, false);
    order = part.source == NULL ? NULL : columns_items(&columns, given[4], 4, &placed, false);
    begins = order == NULL ? NULL : columns_items(&columns, given[5], 8, &parts, false);
    ends = begins == NULL ? NULL : columns_items(&columns, given[6], 8, &parts, false);
    part.over = ends == NULL ? NULL : columns_items(&columns, given[7], 4, &events, true);
    part.unseen = part.over == NULL ? NULL : columns_items(&columns, given[8], 1, &events, true);
    if (part.unseen != NULL) {
        bool fits = true;
        int64_t longest = 0;
        for (Py_ssize_t each = 0; each < parts && fits; each++) {
            fits = begins[each] >= 0 && begins[each] <= ends[each] && ends[each] <= placed;
            longest = fits && ends[each] - begins[each] > longest ? ends[each] - begins[each] : longest;
        }
        for (Py_ssize_t at = 0; at < placed && fits; at++) {
            fits = order[at] >= 0 && order[at] < events;
        }
        size_t room = (size_t)longest + 2;
        part.flags = PyMem_Malloc(room);
        part.latest = PyMem_Malloc((room / BLOCK + 1) * sizeof *part.latest);
        part.settled = PyMem_Malloc(room * sizeof *part.settled);
        bool objects = false;
        for (Py_ssize_t place = 0; place < events && !objects; place++) {
            objects = part.tag[place] >= OBJECT;
        }
        part.since = objects ? PyMem_Malloc(room * sizeof *part.since) : NULL;
        if (!fits) {
            PyErr_SetString(PyExc_ValueError, "a place that is no event's");
        }
        else if (part.flags == NULL || part.latest == NULL || part.settled == NULL || (objects && part.since == NULL)) {
            PyErr_NoMemory();
        }
        else {
            Py_BEGIN_ALLOW_THREADS
            for (Py_ssize_t each = 0; each < parts; each++) {
                part.order = order + begins[each];
                look_into(&part, (int32_t)(ends[each] - begins[each]));
            }
            Py_END_ALLOW_THREADS
            status = 0;
        }
        PyMem_Free(part.flags);
        PyMem_Free(part.latest);
        PyMem_Free(part.settled);
        PyMem_Free(part.since);
    }
    columns_release(&columns);
    return status < 0 ? NULL : Py_BuildValue("nn", part.lost, part.surprises);
}

/* ---- interleaving */

enum { NOBODY = -1 };

/* What was done to a location last, by the lane that did it and by any other one; -1 if nothing was. */
typedef struct {
    int64_t seq, others_seq;
    int32_t lane, others_lane;
} Latest;

static void
note_latest(Latest *latest, int32_t lane, int64_t seq)
{
    if (latest->lane != lane) {
        latest->others_seq = latest->seq;
        latest->others_lane = latest->lane;
        latest->lane = lane;
    }
    latest->seq = seq;
}

static int64_t
latest_of_others(const Latest *latest, int32_t lane)
{
    return latest->lane == lane ? latest->others_seq : latest->seq;
}

typedef struct {
    Latest accessed, written;
    uint64_t writes;
    uint64_t hash;
} Cell;

/* The finalizer of splitmix64 (Steele, Lea and Flood, OOPSLA 2014): each bit of the result depends on all of the value's. */
static inline uint64_t
mixed(uint64_t value)
{
    value += UINT64_C(0x9E3779B97F4A7C15);
    value = (value ^ value >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ value >> 27) * UINT64_C(0x94D049BB133111EB);
    return value ^ value >> 31;
}

typedef struct {
    const int64_t *seq;
    const uint32_t *before, *site;
    const uint16_t *thread;
    const uint8_t *kind, *shared;
    const int32_t *location;
    const uint64_t *lane_hash, *site_hash;
    Py_ssize_t events, cells, lanes, sites;
} Run;

/* False if two conflicting accesses may have been made in either order, or by a lane that is not known. */
static bool
hash_accesses(const Run *run, Cell *cells, uint64_t *made)
{
    for (Py_ssize_t place = 0; place < run->events; place++) {
        int32_t at = run->location[place];
        if (at < 0 || !run->shared[at]) {
            continue;
        }
        Cell *cell = &cells[at];
        int32_t lane = run->thread[place];
        int64_t seq = run->seq[place];
        bool writes = run->kind[place] != READ;
        if (run->lane_hash[lane] == 0) {
            return false;
        }
        if (run->before[place] != 0) {
            int64_t latest = latest_of_others(writes ? &cell->accessed : &cell->written, lane);
            if (latest >= seq - (int64_t)run->before[place]) {
                return false;
            }
        }
        uint64_t step = mixed(run->lane_hash[lane] + made[lane]++ * UINT64_C(0x9E3779B97F4A7C15));
        cell->hash += mixed(step + (cell->writes << 8 | run->kind[place]) + run->site_hash[run->site[place]]);
        note_latest(&cell->accessed, lane, seq);
        if (writes) {
            note_latest(&cell->written, lane, seq);
            cell->writes++;
        }
    }
    return true;
}

static bool
fits_run(const Run *run)
{
    for (Py_ssize_t place = 0; place < run->events; place++) {
        int32_t at = run->location[place];
        if (at >= run->cells || (at >= 0 && run->shared[at] &&
                                 (run->thread[place] >= run->lanes || (Py_ssize_t)run->site[place] >= run->sites))) {
            return false;
        }
    }
    return true;
}

PyDoc_STRVAR(interleaving_doc,
             "interleaving($module, seq, before, thread, site, kind, location, shared, lane_hash, site_hash, /)\n--\n\n"
             "Hash the order of conflicting accesses; see _passes.pyi.");

static PyObject *
interleaving(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *given[9];
    if (!PyArg_ParseTuple(args, "OOOOOOOOO", &given[0], &given[1], &given[2], &given[3], &given[4], &given[5],
                          &given[6], &given[7], &given[8])) {
        return NULL;
    }
    Columns columns = {.count = 0};
    Run run = {.events = -1, .cells = -1, .lanes = -1, .sites = -1};
    run.seq = columns_items(&columns, given[0], 8, &run.events, false);
    run.before = run.seq == NULL ? NULL : columns_items(&columns, given[1], 4, &run.events, false);
    run.thread = run.before == NULL ? NULL : columns_items(&columns, given[2], 2, &run.events, false);
    run.site = run.thread == NULL ? NULL : columns_items(&columns, given[3], 4, &run.events, false);
    run.kind = run.site == NULL ? NULL : columns_items(&columns, given[4], 1, &run.events, false);
    run.location = run.kind == NULL ? NULL : columns_items(&columns, given[5], 4, &run.events, false);
    run.shared = run.location == NULL ? NULL : columns_items(&columns, given[6], 1, &run.cells, false);
    run.lane_hash = run.shared == NULL ? NULL : columns_items(&columns, given[7], 8, &run.lanes, false);
    run.site_hash = run.lane_hash == NULL ? NULL : columns_items(&columns, given[8], 8, &run.sites, false);
    PyObject *result = NULL;
    if (run.site_hash != NULL && !fits_run(&run)) {
        PyErr_SetString(PyExc_ValueError, "a location, lane or site that has no place");
    }
    else if (run.site_hash != NULL) {
        Cell *cells = PyMem_Calloc((size_t)run.cells + 1, sizeof *cells);
        uint64_t *made = PyMem_Calloc((size_t)run.lanes + 1, sizeof *made);
        if (cells == NULL || made == NULL) {
            PyErr_NoMemory();
        }
        else {
            uint64_t sum = 0;
            bool is_ordered;
            Py_BEGIN_ALLOW_THREADS
            for (Py_ssize_t at = 0; at < run.cells; at++) {
                cells[at].accessed = cells[at].written = (Latest){-1, -1, NOBODY, NOBODY};
            }
            is_ordered = hash_accesses(&run, cells, made);
            for (Py_ssize_t at = 0; at < run.cells; at++) {
                sum += cells[at].accessed.seq < 0 ? 0 : mixed(cells[at].hash);
            }
            Py_END_ALLOW_THREADS
            result = is_ordered ? PyLong_FromUnsignedLongLong(sum) : Py_NewRef(Py_None);
        }
        PyMem_Free(cells);
        PyMem_Free(made);
    }
    columns_release(&columns);
    return result;
}

static PyMethodDef methods[] = {{"group", group, METH_VARARGS, group_doc},
                                {"newest_reads", newest_reads, METH_VARARGS, newest_reads_doc},
                                {"overwritten", overwritten, METH_VARARGS, overwritten_doc},
                                {"interleaving", interleaving, METH_VARARGS, interleaving_doc},
                                {NULL, NULL, 0, NULL}};

static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "opcodetrace.analyse._passes", .m_size = 0,
                                        .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC
PyInit__passes(void)
{
    return PyModuleDef_Init(&definition);
}
