/* Fills a table of a SQLite database with rows that lie in columns: it writes the pages of the table's b-tree.
 *
 * SQLite itself makes the file and its schema, and reads the pages afterwards; here is only what lies between, by its
 * file format (https://www.sqlite.org/fileformat2.html): leaves in the order of the rows, then the levels above them. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum { LEAF = 0x0D, INTERIOR = 0x05, LEAF_HEADER = 8, INTERIOR_HEADER = 12, MAX_VARINT = 9, MAX_COLUMNS = 32 };
enum { NOTHING = 0, INTEGER = 1, REAL = 2, TEXT = 3, BLOB = 4 }; /* how a cell is stored: what `tags` holds */
enum { PAGES_AT_ONCE = 64, MAX_TEXT = 1 << 24 };
#define LOCK_BYTE ((int64_t)1 << 30) /* the page in which it lies is never used */

typedef struct {
    Py_buffer words, tags;
    bool has_words, has_tags, is_signed;
    int tag;          /* of all cells, where there are no tags */
    int64_t constant; /* of all cells, where there are no words */
} Column;

typedef struct {
    uint32_t page;
    int64_t key; /* the largest one in it */
} Child;

typedef struct {
    int fd;
    uint32_t page_size, usable;
    uint32_t root;
    uint32_t next;      /* the page that is written next */
    uint8_t *pages;     /* those that are finished, from page `next - waiting` on */
    uint32_t waiting;   /* how many they are */
    uint8_t *leaf;      /* the one that is being filled */
    uint32_t cells;     /* in it */
    uint32_t content;   /* where its cells begin; they grow downwards */
    Child *children;    /* the leaves that are finished */
    size_t child_count, child_room;
    uint8_t *record;    /* the row that is being encoded */
    size_t record_room;
    int64_t rowid;      /* of the latest row */
} Tree;

static void
put2(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static void
put4(uint8_t *to, uint32_t value)
{
    put2(to, value >> 16);
    put2(to + 2, value & 0xFFFF);
}

static int
put_varint(uint8_t *to, uint64_t value)
{
    if (value < 0x80) {
        to[0] = (uint8_t)value;
        return 1;
    }
    if (value >> 56) {
        to[8] = (uint8_t)value;
        value >>= 8;
        for (int at = 7; at >= 0; at--) {
            to[at] = (uint8_t)(value | 0x80);
            value >>= 7;
        }
        return MAX_VARINT;
    }
    int size = 1;
    for (uint64_t rest = value >> 7; rest; rest >>= 7) {
        size++;
    }
    for (int at = size - 1; at >= 0; at--) {
        to[at] = (uint8_t)((value & 0x7F) | (at == size - 1 ? 0 : 0x80));
        value >>= 7;
    }
    return size;
}

/* ---- pages */

static int
write_at(int fd, const uint8_t *data, size_t size, int64_t offset)
{
    while (size) {
        ssize_t done;
        Py_BEGIN_ALLOW_THREADS
        done = pwrite(fd, data, size, (off_t)offset);
        Py_END_ALLOW_THREADS
        if (done < 0) {
            if (errno == EINTR && PyErr_CheckSignals() == 0) {
                continue;
            }
            if (!PyErr_Occurred()) {
                PyErr_SetFromErrno(PyExc_OSError);
            }
            return -1;
        }
        data += done;
        size -= (size_t)done;
        offset += done;
    }
    return 0;
}

static int
flush(Tree *tree)
{
    size_t size = (size_t)tree->waiting * tree->page_size;
    int64_t offset = (int64_t)(tree->next - tree->waiting - 1) * tree->page_size;
    tree->waiting = 0;
    return size ? write_at(tree->fd, tree->pages, size, offset) : 0;
}

/* A page to be filled before the next call; its number is `*number`. NULL where that failed. */
static uint8_t *
new_page(Tree *tree, uint32_t *number)
{
    bool is_lock = (int64_t)tree->next - 1 == LOCK_BYTE / tree->page_size;
    if ((tree->waiting == PAGES_AT_ONCE || is_lock) && flush(tree) < 0) {
        return NULL;
    }
    if (is_lock) {
        tree->next++;
    }
    if (tree->next >= UINT32_MAX - 1) {
        PyErr_SetString(PyExc_OverflowError, "more pages than a database can have");
        return NULL;
    }
    *number = tree->next++;
    uint8_t *page = tree->pages + (size_t)tree->waiting++ * tree->page_size;
    memset(page, 0, tree->page_size);
    return page;
}

static void
begin_leaf(Tree *tree)
{
    memset(tree->leaf, 0, tree->page_size);
    tree->cells = 0;
    tree->content = tree->usable;
}

static void
end_leaf(Tree *tree)
{
    tree->leaf[0] = LEAF;
    put2(tree->leaf + 3, tree->cells);
    put2(tree->leaf + 5, tree->content & 0xFFFF); /* 0 means 65536 */
}

static int
finish_leaf(Tree *tree)
{
    if (tree->child_count == tree->child_room) {
        size_t room = tree->child_room ? 2 * tree->child_room : 1024;
        Child *children = PyMem_Realloc(tree->children, room * sizeof *children);
        if (children == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        tree->children = children;
        tree->child_room = room;
    }
    uint32_t number;
    uint8_t *page = new_page(tree, &number);
    if (page == NULL) {
        return -1;
    }
    end_leaf(tree);
    memcpy(page, tree->leaf, tree->page_size);
    tree->children[tree->child_count++] = (Child){number, tree->rowid};
    begin_leaf(tree);
    return 0;
}

static void
fill_interior(const Tree *tree, uint8_t *page, const Child *children, size_t count)
{
    memset(page, 0, tree->page_size);
    uint32_t content = tree->usable;
    for (size_t cell = 0; cell + 1 < count; cell++) {
        uint8_t bytes[4 + MAX_VARINT];
        put4(bytes, children[cell].page);
        uint32_t size = 4 + (uint32_t)put_varint(bytes + 4, (uint64_t)children[cell].key);
        content -= size;
        memcpy(page + content, bytes, size);
        put2(page + INTERIOR_HEADER + 2 * cell, content);
    }
    page[0] = INTERIOR;
    put2(page + 3, (uint32_t)count - 1);
    put2(page + 5, content & 0xFFFF);
    put4(page + 8, children[count - 1].page);
}

static int
finish_tree(Tree *tree)
{
    if (tree->rowid == 0) {
        return 0; /* SQLite's own empty root stays */
    }
    uint8_t *root = tree->leaf;
    if (tree->child_count == 0) {
        end_leaf(tree);
    }
    else {
        if (tree->cells && finish_leaf(tree) < 0) {
            return -1;
        }
        size_t most = (tree->usable - INTERIOR_HEADER) / (2 + 4 + MAX_VARINT);
        size_t count = tree->child_count;
        while (count > most) {
            size_t parents = (count + most - 1) / most, from = 0;
            for (size_t parent = 0; parent < parents; parent++) { /* alike in size, so none has one child alone */
                size_t to = (parent + 1) * count / parents;
                uint32_t number;
                uint8_t *page = new_page(tree, &number);
                if (page == NULL) {
                    return -1;
                }
                fill_interior(tree, page, tree->children + from, to - from);
                tree->children[parent] = (Child){number, tree->children[to - 1].key}; /* parent <= from */
                from = to;
            }
            count = parents;
        }
        if (count == 1) { /* one leaf: it is the root, and its copy is never referred to; cannot happen by add_record */
            PyErr_SetString(PyExc_SystemError, "a tree of one child");
            return -1;
        }
        fill_interior(tree, root, tree->children, count);
    }
    if (flush(tree) < 0) {
        return -1;
    }
    return write_at(tree->fd, root, tree->page_size, (int64_t)(tree->root - 1) * tree->page_size);
}

/* ---- rows */

/* Put what does not fit into a leaf into pages of its own; gives the first one's number, 0 where that failed. */
static uint32_t
overflow(Tree *tree, const uint8_t *data, size_t size)
{
    uint32_t first = 0;
    uint32_t room = tree->usable - 4;
    while (size) {
        uint32_t number;
        uint8_t *page = new_page(tree, &number);
        if (page == NULL) {
            return 0;
        }
        size_t part = size < room ? size : room;
        if (part < size) { /* the pages follow each other, but for the lock byte's */
            put4(page, (int64_t)tree->next - 1 == LOCK_BYTE / tree->page_size ? tree->next + 1 : tree->next);
        }
        memcpy(page + 4, data, part);
        data += part;
        size -= part;
        first = first ? first : number;
    }
    return first;
}

static int
add_record(Tree *tree, const uint8_t *record, size_t size)
{
    uint32_t usable = tree->usable;
    size_t local = size, most = usable - 35;
    if (size > most) {
        size_t least = (usable - 12) * 32 / 255 - 23;
        local = least + (size - least) % (usable - 4);
        local = local <= most ? local : least;
    }
    int64_t rowid = tree->rowid + 1;
    uint8_t head[2 * MAX_VARINT];
    int head_size = put_varint(head, size);
    head_size += put_varint(head + head_size, (uint64_t)rowid);
    uint32_t cell = (uint32_t)((size_t)head_size + local + (local < size ? 4 : 0));
    if (LEAF_HEADER + 2 * (tree->cells + 1) + cell > tree->content && finish_leaf(tree) < 0) {
        return -1;
    }
    tree->content -= cell;
    put2(tree->leaf + LEAF_HEADER + 2 * tree->cells++, tree->content);
    uint8_t *to = tree->leaf + tree->content;
    memcpy(to, head, (size_t)head_size);
    memcpy(to + head_size, record, local);
    tree->rowid = rowid;
    if (local < size) {
        uint32_t first = overflow(tree, record + local, size - local);
        if (first == 0) {
            return -1;
        }
        put4(to + head_size + local, first);
    }
    return 0;
}

static inline int64_t
word_at(const Column *column, Py_ssize_t row)
{
    if (!column->has_words) {
        return column->constant;
    }
    const char *words = column->words.buf;
    switch (column->words.itemsize) {
    case 1:
        return column->is_signed ? (int64_t)((const int8_t *)words)[row] : (int64_t)((const uint8_t *)words)[row];
    case 2:
        return column->is_signed ? (int64_t)((const int16_t *)words)[row] : (int64_t)((const uint16_t *)words)[row];
    case 4:
        return column->is_signed ? (int64_t)((const int32_t *)words)[row] : (int64_t)((const uint32_t *)words)[row];
    default:
        return ((const int64_t *)words)[row];
    }
}

/* The smallest of SQLite's integers that holds the word: its type, and how many bytes it takes. */
static inline int
integer_type(int64_t word, int *size)
{
    uint64_t magnitude = (uint64_t)(word < 0 ? ~word : word);
    if (magnitude < 0x80) {
        bool implied = word == 0 || word == 1;
        *size = implied ? 0 : 1;
        return implied ? 8 + (int)word : 1;
    }
    if (magnitude < 0x8000) {
        *size = 2;
        return 2;
    }
    if (magnitude < 0x800000) {
        *size = 3;
        return 3;
    }
    if (magnitude < 0x80000000) {
        *size = 4;
        return 4;
    }
    if (magnitude < ((uint64_t)1 << 47)) {
        *size = 6;
        return 5;
    }
    *size = 8;
    return 6;
}

/* Encode one row and put it into the tree. */
static int
add_row(Tree *tree, const Column *columns, Py_ssize_t width, Py_ssize_t row, PyObject *texts)
{
    uint8_t types[MAX_COLUMNS * MAX_VARINT];
    uint8_t body[MAX_COLUMNS * 8];
    const char *long_bytes[MAX_COLUMNS]; /* of the cells that are text or bytes, where they lie and their sizes */
    size_t long_sizes[MAX_COLUMNS];
    uint8_t body_sizes[MAX_COLUMNS];
    int type_size = 0, longs = 0;
    size_t body_size = 0, long_size = 0;
    for (Py_ssize_t number = 0; number < width; number++) {
        const Column *column = &columns[number];
        int tag = column->has_tags ? ((const uint8_t *)column->tags.buf)[row] : column->tag;
        int64_t word = word_at(column, row);
        int size = 0;
        long_sizes[number] = 0;
        switch (tag) {
        case NOTHING:
            types[type_size++] = 0;
            break;
        case INTEGER:
            types[type_size++] = (uint8_t)integer_type(word, &size);
            break;
        case REAL:
            types[type_size++] = 7;
            size = 8;
            break;
        case TEXT:
        case BLOB: {
            PyObject *text = word >= 0 && word < PyTuple_GET_SIZE(texts) ? PyTuple_GET_ITEM(texts, word) : NULL;
            if (text == NULL) {
                PyErr_Format(PyExc_IndexError, "there is no text %lld", (long long)word);
                return -1;
            }
            size_t length = (size_t)PyBytes_GET_SIZE(text); /* at most MAX_TEXT, see fill() */
            type_size += put_varint(types + type_size, 2 * (uint64_t)length + (tag == TEXT ? 13 : 12));
            long_bytes[number] = PyBytes_AS_STRING(text);
            long_sizes[number] = length;
            long_size += length;
            longs++;
            break;
        }
        default:
            PyErr_Format(PyExc_ValueError, "no way of storing is numbered %d", tag);
            return -1;
        }
        body_sizes[number] = (uint8_t)size;
        for (int at = size - 1; at >= 0; at--) {
            body[body_size + (size_t)at] = (uint8_t)word;
            word = (int64_t)((uint64_t)word >> 8);
        }
        body_size += (size_t)size;
    }
    int head_size = type_size + 1 < 0x80 ? 1 : 2;
    size_t whole = (size_t)(head_size + type_size) + body_size + long_size;
    if (whole > tree->record_room) {
        uint8_t *record = PyMem_Realloc(tree->record, 2 * whole);
        if (record == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        tree->record = record;
        tree->record_room = 2 * whole;
    }
    uint8_t *to = tree->record;
    to += put_varint(to, (uint64_t)(head_size + type_size));
    memcpy(to, types, (size_t)type_size);
    to += type_size;
    if (!longs) {
        memcpy(to, body, body_size);
    }
    else {
        const uint8_t *from = body;
        for (Py_ssize_t number = 0; number < width; number++) {
            memcpy(to, from, body_sizes[number]);
            to += body_sizes[number];
            from += body_sizes[number];
            if (long_sizes[number]) {
                memcpy(to, long_bytes[number], long_sizes[number]);
                to += long_sizes[number];
            }
        }
    }
    return add_record(tree, tree->record, whole);
}

/* ---- columns */

static int
open_words(Column *column, PyObject *given, Py_ssize_t rows)
{
    if (PyObject_GetBuffer(given, &column->words, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS) < 0) {
        return -1;
    }
    column->has_words = true;
    const char *format = column->words.format == NULL ? "B" : column->words.format;
    format += *format == '@' || *format == '=';
    bool known = *format != '\0' && format[1] == '\0' && strchr("bBhHiIlLqQd", *format) != NULL;
    Py_ssize_t size = column->words.itemsize;
    if (!known || (size != 1 && size != 2 && size != 4 && size != 8) || column->words.len != rows * size) {
        PyErr_Format(PyExc_ValueError, "a column needs %zd integers or doubles", rows);
        return -1;
    }
    column->is_signed = strchr("bhilq", *format) != NULL;
    column->tag = *format == 'd' ? REAL : INTEGER;
    return 0;
}

/* None, a number, a buffer of numbers, or a pair of buffers: words, and how each is stored. */
static int
open_column(Column *column, PyObject *given, Py_ssize_t rows)
{
    if (given == Py_None) {
        column->tag = NOTHING;
        return 0;
    }
    if (PyLong_Check(given)) {
        column->tag = INTEGER;
        column->constant = PyLong_AsLongLong(given);
        return column->constant == -1 && PyErr_Occurred() ? -1 : 0;
    }
    if (!PyTuple_Check(given)) {
        return open_words(column, given, rows);
    }
    if (PyTuple_GET_SIZE(given) != 2) {
        PyErr_SetString(PyExc_ValueError, "a column is a pair of words and tags");
        return -1;
    }
    if (open_words(column, PyTuple_GET_ITEM(given, 0), rows) < 0) {
        return -1;
    }
    if (PyObject_GetBuffer(PyTuple_GET_ITEM(given, 1), &column->tags, PyBUF_C_CONTIGUOUS) < 0) {
        return -1;
    }
    column->has_tags = true;
    if (column->tags.itemsize != 1 || column->tags.len != rows) {
        PyErr_Format(PyExc_ValueError, "a column needs %zd tags of a byte each", rows);
        return -1;
    }
    return 0;
}

static int
add_rows(Tree *tree, Py_ssize_t rows, PyObject *given, PyObject *texts)
{
    Column columns[MAX_COLUMNS];
    Py_ssize_t width = PyTuple_GET_SIZE(given), opened = 0;
    if (width > MAX_COLUMNS || width < 1) {
        PyErr_Format(PyExc_ValueError, "a table has 1 to %d columns", MAX_COLUMNS);
        return -1;
    }
    for (Py_ssize_t number = 0; number < PyTuple_GET_SIZE(texts); number++) {
        PyObject *text = PyTuple_GET_ITEM(texts, number);
        if (!PyBytes_Check(text) || PyBytes_GET_SIZE(text) > MAX_TEXT) {
            PyErr_SetString(PyExc_ValueError, "texts are bytes that are not too long");
            return -1;
        }
    }
    memset(columns, 0, sizeof columns);
    int status = 0;
    while (opened < width && status == 0) {
        status = open_column(&columns[opened], PyTuple_GET_ITEM(given, opened), rows);
        opened++;
    }
    for (Py_ssize_t row = 0; row < rows && status == 0; row++) {
        status = add_row(tree, columns, width, row, texts);
    }
    for (Py_ssize_t number = 0; number < opened; number++) {
        if (columns[number].has_words) {
            PyBuffer_Release(&columns[number].words);
        }
        if (columns[number].has_tags) {
            PyBuffer_Release(&columns[number].tags);
        }
    }
    return status;
}

static int
add_pieces(Tree *tree, PyObject *pieces)
{
    PyObject *iterator = PyObject_GetIter(pieces);
    if (iterator == NULL) {
        return -1;
    }
    PyObject *piece;
    int status = 0;
    while (status == 0 && (piece = PyIter_Next(iterator)) != NULL) {
        Py_ssize_t rows;
        PyObject *columns, *texts;
        if (!PyTuple_Check(piece)) {
            PyErr_SetString(PyExc_TypeError, "a piece is a tuple (rows, columns, texts)");
            status = -1;
        }
        else if (!PyArg_ParseTuple(piece, "nO!O!", &rows, &PyTuple_Type, &columns, &PyTuple_Type, &texts)) {
            status = -1;
        }
        else {
            status = add_rows(tree, rows, columns, texts);
        }
        Py_DECREF(piece);
    }
    Py_DECREF(iterator);
    return status == 0 && PyErr_Occurred() ? -1 : status;
}

PyDoc_STRVAR(fill_doc, "fill($module, fd, page_size, usable, root, pages, pieces, /)\n--\n\n"
                       "Fill an empty table of a database file; see _btree.pyi.");

static PyObject *
fill(PyObject *Py_UNUSED(module), PyObject *args)
{
    Tree tree = {0};
    PyObject *pieces;
    unsigned int page_size, usable, root, pages;
    if (!PyArg_ParseTuple(args, "iIIIIO", &tree.fd, &page_size, &usable, &root, &pages, &pieces)) {
        return NULL;
    }
    if (page_size < 512 || page_size > 65536 || (page_size & (page_size - 1)) || usable < 480 || usable > page_size ||
        root < 2 || root > pages || pages >= UINT32_MAX - 1) {
        PyErr_SetString(PyExc_ValueError, "no database has pages like these");
        return NULL;
    }
    tree.page_size = page_size;
    tree.usable = usable;
    tree.root = root;
    tree.next = pages + 1;
    tree.pages = PyMem_Malloc((size_t)PAGES_AT_ONCE * page_size);
    tree.leaf = PyMem_Malloc(page_size);
    PyObject *result = NULL;
    if (tree.pages == NULL || tree.leaf == NULL) {
        PyErr_NoMemory();
    }
    else {
        begin_leaf(&tree);
        if (add_pieces(&tree, pieces) == 0 && finish_tree(&tree) == 0) {
            result = Py_BuildValue("LI", (long long)tree.rowid, (unsigned int)(tree.next - 1));
        }
    }
    PyMem_Free(tree.pages);
    PyMem_Free(tree.leaf);
    PyMem_Free(tree.children);
    PyMem_Free(tree.record);
    return result;
}

static PyMethodDef methods[] = {{"fill", fill, METH_VARARGS, fill_doc}, {NULL, NULL, 0, NULL}};

static int
execute(PyObject *module)
{
    static const struct {
        const char *name;
        int value;
    } constants[] = {{"NOTHING", NOTHING}, {"INTEGER", INTEGER}, {"REAL", REAL},
                     {"TEXT", TEXT},       {"BLOB", BLOB},       {"MAX_TEXT", MAX_TEXT}};
    for (size_t number = 0; number < sizeof constants / sizeof *constants; number++) {
        if (PyModule_AddIntConstant(module, constants[number].name, constants[number].value) < 0) {
            return -1;
        }
    }
    return 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute},
#ifdef Py_GIL_DISABLED
                                   {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
                                   {0, NULL}};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "opcodetrace.store._btree", .m_size = 0,
                                        .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC
PyInit__btree(void)
{
    return PyModuleDef_Init(&definition);
}
