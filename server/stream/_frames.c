/* `server.stream._frames`: unmasks a websocket frame's payload (RFC 6455, section 5.3), once for every burst of every
   stream. NumPy's overhead for a call is five times the time of this function for a burst of the smaller network; without
   a compiler NumPy does it. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

enum { KEY = 4, WORD = sizeof(uint64_t) };

PyDoc_STRVAR(unmask_doc,
             "unmask(data, start, stop)\n--\n\n"
             "The payload `data[start:stop]` as the client meant it; its masking key is the four bytes before it.\n\n"
             "Raises:\n"
             "    TypeError: `data` is not bytes.\n"
             "    ValueError: no key before `start`, or `data` ends before `stop`.");

static PyObject *unmask(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count) {
    if (count != 3) {
        PyErr_SetString(PyExc_TypeError, "unmask takes data, start and stop");
        return NULL;
    }
    char *data;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(arguments[0], &data, &size))
        return NULL;
    const Py_ssize_t start = PyLong_AsSsize_t(arguments[1]), stop = PyLong_AsSsize_t(arguments[2]);
    if (PyErr_Occurred())
        return NULL;
    if (start < KEY || stop < start || stop > size)
        return PyErr_Format(PyExc_ValueError, "there is no payload at %zd to %zd of %zd bytes", start, stop, size);
    const Py_ssize_t length = stop - start;
    PyObject *payload = PyBytes_FromStringAndSize(NULL, length);
    if (!payload)
        return NULL;
    char *out = PyBytes_AsString(payload);
    const char *in = data + start, *key = in - KEY;
    uint64_t wide;
    memcpy(&wide, key, KEY);
    memcpy((char *)&wide + KEY, key, KEY);
    Py_ssize_t i = 0;
    for (; i + WORD <= length; i += WORD) {
        uint64_t word;
        memcpy(&word, in + i, WORD);
        word ^= wide;
        memcpy(out + i, &word, WORD);
    }
    for (; i < length; i++)
        out[i] = (char)(in[i] ^ key[i % KEY]);
    return payload;
}

static PyMethodDef methods[] = {{"unmask", (PyCFunction)(void (*)(void))unmask, METH_FASTCALL, unmask_doc}, {0}};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "server.stream._frames", "Payloads of websocket frames.", -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__frames(void) { return PyModule_Create(&module); }
