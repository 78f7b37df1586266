/* `model.kernel._step`: the call that every burst makes, by hand. cffi's argument conversion alone costs a large part of
   a step of the smaller network. */
#define PY_SSIZE_T_CLEAN
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#include <Python.h>
#include <numpy/arrayobject.h>

#include "integer.h"
#include "rascanet_kernel.h"

enum { CACHE_LINE = 64, ON_STACK_BYTES = 131072, ON_STACK = ON_STACK_BYTES / sizeof(float) };

static int is_plain(PyObject *object, int type, int dimensions) {
    const PyArrayObject *array = (PyArrayObject *)object;
    return PyArray_Check(object) && PyArray_TYPE(array) == type && PyArray_NDIM(array) == dimensions &&
           PyArray_IS_C_CONTIGUOUS(array) && PyArray_ISALIGNED(array) && PyArray_ISNOTSWAPPED(array);
}

static PyObject *list_of(const float *values, size_t count) {
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list && i < count; i++) {
        PyObject *value = PyFloat_FromDouble((double)values[i]);
        if (!value || PyList_SetItem(list, (Py_ssize_t)i, value)) {
            Py_DECREF(list);
            return NULL;
        }
    }
    return list;
}

PyDoc_STRVAR(step_doc,
             "step(network, rows, hidden)\n--\n\n"
             "Advances `hidden` by the bursts in `rows`, without the interpreter's lock.\n\n"
             "Args:\n"
             "    network: address of a `rascanet_network`.\n"
             "    rows: (n * 5, W, 3) uint8, n >= 1, C order.\n"
             "    hidden: (C, Wh) float32, C order, writable.\n\n"
             "Returns:\n"
             "    A list of n times the logits of no person and person, confidence, P(person); None, and nothing done, if\n"
             "    `rows` or `hidden` are of another shape, dtype or order.");

static PyObject *step(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count) {
    if (count != 3) {
        PyErr_SetString(PyExc_TypeError, "step takes network, rows and hidden");
        return NULL;
    }
    const rascanet_network *network = PyLong_AsVoidPtr(arguments[0]);
    if (!network)
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_ValueError, "there is no network at 0");
    if (!is_plain(arguments[1], NPY_UINT8, 3) || !is_plain(arguments[2], NPY_FLOAT32, 2))
        Py_RETURN_NONE;
    PyArrayObject *rows = (PyArrayObject *)arguments[1], *hidden = (PyArrayObject *)arguments[2];
    const npy_intp *size = PyArray_DIMS(rows), *state = PyArray_DIMS(hidden);
    if (!size[0] || size[0] % RASCANET_ROWS || size[1] != network->shape.width || size[2] != RASCANET_CHANNELS ||
        state[0] != network->shape.hidden || state[1] != network->shape.width / RASCANET_COLUMNS || !PyArray_ISWRITEABLE(hidden))
        Py_RETURN_NONE;
    const size_t bursts = (size_t)size[0] / RASCANET_ROWS;
    const size_t floats = network->scratch_floats + RASCANET_OUTPUTS * bursts + CACHE_LINE / sizeof(float);
    float small[ON_STACK], *room = floats <= ON_STACK ? small : PyMem_Malloc(floats * sizeof(float));
    if (!room)
        return PyErr_NoMemory();
    float *scratch = (float *)(((uintptr_t)room + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
    float *outputs = scratch + network->scratch_floats;
    int failed;
    Py_BEGIN_ALLOW_THREADS;
    failed = network->isa->step(&network->shape, network->packed, PyArray_DATA(rows), bursts, PyArray_DATA(hidden),
                                outputs, scratch);
    Py_END_ALLOW_THREADS;
    PyObject *found = failed ? PyErr_Format(PyExc_ValueError, "a shape that the kernel can't run")
                             : list_of(outputs, RASCANET_OUTPUTS * bursts);
    if (room != small)
        PyMem_Free(room);
    return found;
}

/* A step's outputs as floats: what the float kernel gives in this order. */
static PyObject *list_of_integers(const rascanet_integer_output *outputs, size_t bursts) {
    PyObject *list = PyList_New((Py_ssize_t)(RASCANET_OUTPUTS * bursts));
    for (size_t i = 0; list && i < RASCANET_OUTPUTS * bursts; i++) {
        const rascanet_integer_output *output = outputs + i / RASCANET_OUTPUTS;
        const double each[RASCANET_OUTPUTS] = {output->logits[0] / 4096.0, output->logits[1] / 4096.0,
                                               output->confidence / 32768.0, output->p_person / 32768.0};
        PyObject *value = PyFloat_FromDouble(each[i % RASCANET_OUTPUTS]);
        if (!value || PyList_SetItem(list, (Py_ssize_t)i, value)) {
            Py_DECREF(list);
            return NULL;
        }
    }
    return list;
}

PyDoc_STRVAR(integer_step_doc,
             "integer_step(network, rows, hidden)\n--\n\n"
             "The same of the integer network.\n\n"
             "Args:\n"
             "    network: address of a `rascanet_integer_ready`.\n"
             "    rows: (n * 5, W, 3) uint8, n >= 1, C order.\n"
             "    hidden: (Wh, C) int16, C order, writable.\n\n"
             "Returns:\n"
             "    As `step` does; each float is an output of the network, exactly.");

static PyObject *integer_step(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count) {
    if (count != 3) {
        PyErr_SetString(PyExc_TypeError, "integer_step takes network, rows and hidden");
        return NULL;
    }
    const rascanet_integer_ready *ready = PyLong_AsVoidPtr(arguments[0]);
    if (!ready)
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_ValueError, "there is no network at 0");
    if (!is_plain(arguments[1], NPY_UINT8, 3) || !is_plain(arguments[2], NPY_INT16, 2))
        Py_RETURN_NONE;
    PyArrayObject *rows = (PyArrayObject *)arguments[1], *hidden = (PyArrayObject *)arguments[2];
    const npy_intp *size = PyArray_DIMS(rows), *state = PyArray_DIMS(hidden), width = ready->network->width;
    if (!size[0] || size[0] % RASCANET_ROWS || size[1] != width || size[2] != RASCANET_CHANNELS ||
        state[0] != width / RASCANET_COLUMNS || state[1] != ready->network->hidden || !PyArray_ISWRITEABLE(hidden))
        Py_RETURN_NONE;
    const size_t bursts = (size_t)size[0] / RASCANET_ROWS;
    const size_t scratch_bytes = (ready->scratch_bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    const size_t bytes = scratch_bytes + sizeof(rascanet_integer_output) * bursts + CACHE_LINE;
    uint8_t small[ON_STACK_BYTES], *room = bytes <= ON_STACK_BYTES ? small : PyMem_Malloc(bytes);
    if (!room)
        return PyErr_NoMemory();
    uint8_t *scratch = (uint8_t *)(((uintptr_t)room + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
    rascanet_integer_output *outputs = (rascanet_integer_output *)(void *)(scratch + scratch_bytes);
    int failed;
    Py_BEGIN_ALLOW_THREADS;
    failed = ready->isa->step(ready->network, ready->packed, PyArray_DATA(rows), bursts, PyArray_DATA(hidden), outputs,
                              scratch);
    Py_END_ALLOW_THREADS;
    PyObject *found = failed ? PyErr_Format(PyExc_ValueError, "a network that the kernel can't run")
                             : list_of_integers(outputs, bursts);
    if (room != small)
        PyMem_Free(room);
    return found;
}

static PyMethodDef methods[] = {
    {"step", (PyCFunction)(void (*)(void))step, METH_FASTCALL, step_doc},
    {"integer_step", (PyCFunction)(void (*)(void))integer_step, METH_FASTCALL, integer_step_doc},
    {0}};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "model.kernel._step", "The kernel's step on NumPy arrays.", -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__step(void) {
    import_array();
    return PyModule_Create(&module);
}
