#include "describe.h"
#include "text.h"

/* What is shown of a long text, of a container, and of a number. */
enum { MOST_CHARACTERS = 40, MOST_SHORT = 16, MOST_ITEMS = 8, MOST_DIGITS = 7, MOST_DEPTH = 2 };

static const char ellipsis[] = "\xE2\x80\xA6";

typedef struct {
    uint8_t bytes[MAX_TEXT];
    size_t length;
    bool full; /* something did not fit */
    bool locked; /* the container is, and would not stay so if another object were locked */
} Text;

/* Whatever is written, there is room left for its end. */
enum { END_ROOM = 48 };

static void
put_within(Text *text, const void *bytes, size_t length, size_t limit)
{
    if (text->full || text->length + length > limit) {
        text->full = true;
        return;
    }
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

static void
put(Text *text, const char *string)
{
    put_within(text, string, strlen(string), MAX_TEXT - END_ROOM);
}

/* The end of a description: for it there is room. */
static void
put_end(Text *text, const char *string)
{
    text->full = false;
    put_within(text, string, strlen(string), MAX_TEXT);
}

static void
put_count(Text *text, const char *before, Py_ssize_t count, const char *noun)
{
    char end[END_ROOM];
    snprintf(end, sizeof(end), "%s%zd %s%s", before, count, noun, count == 1 ? "" : "s");
    put_end(text, end);
}

/* A character as it stands between quotes. */
static void
put_character(Text *text, Py_UCS4 c, bool is_byte)
{
    char part[12];
    if (c == '\\' || c == '\'') {
        snprintf(part, sizeof(part), "\\%c", (char)c);
    }
    else if (c == '\n' || c == '\t' || c == '\r') {
        snprintf(part, sizeof(part), "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
    }
    else if (c < 0x20 || c == 0x7F || (is_byte && c > 0x7F)) {
        snprintf(part, sizeof(part), "\\x%02x", (unsigned)c);
    }
    else if (c >= 0xD800 && c < 0xE000) {
        snprintf(part, sizeof(part), "\\u%04x", (unsigned)c);
    }
    else {
        put_within(text, part, text_encode(c, (uint8_t *)part), MAX_TEXT - END_ROOM);
        return;
    }
    put(text, part);
}

/* The beginning of a string or of bytes, in quotes. False if that is not all. */
static bool
put_quoted(Text *text, PyObject *value, Py_ssize_t most)
{
    bool is_bytes = PyBytes_Check(value);
    if (!is_bytes && !text_is_ready(value)) {
        put(text, "<str>");
        return true;
    }
    Py_ssize_t size = is_bytes ? PyBytes_GET_SIZE(value) : PyUnicode_GET_LENGTH(value);
    put(text, is_bytes ? "b'" : "'");
    for (Py_ssize_t i = 0; i < size && i < most; i++) {
        put_character(text, is_bytes ? (uint8_t)PyBytes_AS_STRING(value)[i] : PyUnicode_READ_CHAR(value, i), is_bytes);
    }
    if (size > most || text->full) {
        put(text, ellipsis);
        put(text, "'");
        return false;
    }
    put(text, "'");
    return true;
}

static void
put_int(Text *text, PyObject *value)
{
    bool negative;
    Py_ssize_t count;
    const digit *digits = int_digits(value, &count, &negative);
    if (count > MOST_DIGITS) {
        char size[64];
        Py_ssize_t bits = (count - 1) * PyLong_SHIFT + 32 - __builtin_clz((unsigned)digits[count - 1]);
        snprintf(size, sizeof(size), "%sint of %zd bits", negative ? "negative " : "", bits);
        put(text, size);
        return;
    }
    /* Nine decimal digits at a time. */
    digit left[MOST_DIGITS];
    memcpy(left, digits, (size_t)count * sizeof(digit));
    char decimal[80];
    char *at = decimal + sizeof(decimal) - 1;
    *at = '\0';
    do {
        uint64_t remainder = 0;
        for (Py_ssize_t i = count - 1; i >= 0; i--) {
            uint64_t part = remainder << PyLong_SHIFT | left[i];
            left[i] = (digit)(part / 1000000000);
            remainder = part % 1000000000;
        }
        while (count > 0 && left[count - 1] == 0) {
            count--;
        }
        for (int i = 0; i < 9 && (count > 0 || remainder > 0 || *at == '\0'); i++) {
            *--at = (char)('0' + remainder % 10);
            remainder /= 10;
        }
    } while (count > 0);
    if (negative) {
        *--at = '-';
    }
    put(text, at);
}

static PyObject *name_of_member, *value_of_member;

/* The name of a type as its source has it. */
static void
put_type_name(Text *text, PyTypeObject *type)
{
    const char *dot = strrchr(type->tp_name, '.');
    put(text, dot == NULL ? type->tp_name : dot + 1);
}

/* Enum members, by what their metaclass is called and what lies in their own memory. */
static bool
put_member(Text *text, PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value), *meta = Py_TYPE(type);
    if (text->locked) {
        return false;
    }
    while (meta != NULL && meta != &PyType_Type && strcmp(meta->tp_name, "EnumType") != 0) {
        meta = meta->tp_base;
    }
    if (meta == NULL || meta == &PyType_Type || instance_value(value, value_of_member) == NULL) {
        return false;
    }
    PyObject *name = instance_value(value, name_of_member);
    if (name == NULL || !PyUnicode_CheckExact(name)) {
        return false; /* of flags without a name */
    }
    uint8_t characters[MAX_TEXT];
    size_t length = text_cut(name, characters, MOST_CHARACTERS);
    put_type_name(text, type);
    put(text, ".");
    put_within(text, characters, length, MAX_TEXT - END_ROOM);
    return true;
}

static void put_items(Text *text, PyObject *value, PyObject *const *items, Py_ssize_t size, int depth);

/* An item of a container, whatever it is. */
static void
put_item(Text *text, PyObject *item, int depth)
{
    if (PyLong_CheckExact(item)) {
        put_int(text, item);
    }
    else if (item == Py_None || PyBool_Check(item)) {
        put(text, item == Py_None ? "None" : item == Py_True ? "True" : "False");
    }
    else if (PyFloat_CheckExact(item)) {
        char *shortest = PyOS_double_to_string(PyFloat_AS_DOUBLE(item), 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
        put(text, shortest == NULL ? "<float>" : shortest);
        PyMem_Free(shortest);
    }
    else if (PyUnicode_CheckExact(item) || PyBytes_CheckExact(item)) {
        put_quoted(text, item, MOST_SHORT);
    }
    else if (PyTuple_CheckExact(item) && depth > 0) {
        put_items(text, item, &PyTuple_GET_ITEM(item, 0), PyTuple_GET_SIZE(item), depth - 1);
    }
    else if (!put_member(text, item)) {
        put(text, "<");
        put_type_name(text, Py_TYPE(item));
        put(text, ">");
    }
}

/* The first items between brackets; that of all of them, or how many there are, is for the caller to say. */
static void
put_items(Text *text, PyObject *value, PyObject *const *items, Py_ssize_t size, int depth)
{
    bool is_list = PyList_Check(value);
    put(text, is_list ? "[" : "(");
    for (Py_ssize_t i = 0; i < size && i < MOST_ITEMS; i++) {
        put(text, i == 0 ? "" : ", ");
        put_item(text, items[i], depth);
    }
    put(text, size > MOST_ITEMS ? ", " : size == 1 && !is_list ? "," : "");
    put(text, size > MOST_ITEMS ? ellipsis : "");
    put(text, is_list ? "]" : ")");
}

/* The first items, and how many there are if those are not all. */
static void
put_sequence(Text *text, PyObject *value, PyObject *const *items, Py_ssize_t size)
{
    put_items(text, value, items, size, MOST_DEPTH);
    if (text->full) {
        put_end(text, ellipsis);
        put_count(text, " of ", size, "item");
    }
    else if (size > MOST_ITEMS) {
        put_count(text, " of ", size, "item");
    }
}

/* False if there is nothing to tell. *fleeting: it may be otherwise by now. */
static bool
put_value(Text *text, PyObject *value, bool *fleeting)
{
    PyTypeObject *type = Py_TYPE(value);
    if (type == &PyUnicode_Type || type == &PyBytes_Type) {
        Py_ssize_t size = type == &PyBytes_Type ? PyBytes_GET_SIZE(value) : PyUnicode_GET_LENGTH(value);
        if (!put_quoted(text, value, MOST_CHARACTERS)) {
            if (text->full) {
                put_end(text, ellipsis);
                put_end(text, "'");
            }
            put_count(text, " of ", size, type == &PyBytes_Type ? "byte" : "character");
        }
        return true;
    }
    if (type == &PyLong_Type) {
        put_int(text, value);
        return true;
    }
    if (PyTuple_Check(value)) {
        if (type != &PyTuple_Type) {
            put_type_name(text, type); /* a named tuple */
        }
        put_sequence(text, value, &PyTuple_GET_ITEM(value, 0), PyTuple_GET_SIZE(value));
        return true;
    }
    if (type == &PyFrozenSet_Type) {
        put_count(text, "frozenset of ", PySet_GET_SIZE(value), "item");
        return true;
    }
    if (Py_TYPE(type) != &PyType_Type && put_member(text, value)) {
        return true;
    }
    *fleeting = true;
    if (type == &PyList_Type) {
        text->locked = FREE_THREADED;
        LOCK_OBJECT_WHILE(value, put_sequence(text, value, ((PyListObject *)value)->ob_item, PyList_GET_SIZE(value)));
        return true;
    }
    if (type == &PyDict_Type || type == &PySet_Type) {
        Py_ssize_t size =
            type == &PyDict_Type ? LOAD(&((PyDictObject *)value)->ma_used) : LOAD(&((PySetObject *)value)->used);
        put_count(text, "", size, "item");
        return true;
    }
    if (type == &PyByteArray_Type) {
        put_count(text, "", Py_SIZE(value), "byte");
        return true;
    }
    return false;
}

int
describe_prepare(void)
{
    name_of_member = PyUnicode_InternFromString("_name_");
    value_of_member = PyUnicode_InternFromString("_value_");
    return name_of_member == NULL || value_of_member == NULL ? -1 : 0;
}

COLD void
describe(Thread *thread, PyObject *value, uint64_t word)
{
    Text text = {.length = 0};
    bool fleeting = false;
    if (put_value(&text, value, &fleeting) && text.length > 0) {
        Datum told = {.word = text_id(thread, text.bytes, text.length), .sort = TAG_STR};
        emit(thread, DESCRIBE, NO_SITE, word, (Datum){.sort = fleeting ? TAG_TRUE : TAG_FALSE}, told, 0, EXACT, 0);
        thread->quiet++;
    }
}
