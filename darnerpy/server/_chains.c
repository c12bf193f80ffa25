/* What a pump is told of its sockets, for when their turn comes: who has something to send, who is lost,
 * who is not to be served any more, and what a callback has raised. Below pump and socket; calls neither.
 */
#include "_pump.h"

void pump_append(Pump *p, int chain, Socket *s) {
    Chain *to = &p->chains[chain];
    if (s->chained[chain]) return;
    s->chained[chain] = true;
    *(to->first ? to->end : &to->first) = (Socket *)Py_NewRef((PyObject *)s);
    to->end = &s->next[chain];
}

Socket *pump_take_all(Pump *p, int chain) {
    Socket *first = p->chains[chain].first;
    p->chains[chain].first = NULL;
    return first;
}

Socket *pump_take_one(Socket **first, int chain) {
    Socket *s = *first;
    *first = s->next[chain];
    s->next[chain] = NULL;
    s->chained[chain] = false;
    return s;
}

void pump_forget(Pump *p, Socket *s) {
    for (size_t i = p->next; i < p->ready; i++)
        if (p->events[i].data.ptr == s) p->events[i].data.ptr = NULL;
}

static PyObject *caught(void) {
    PyObject *type, *error, *trace;
    PyErr_Fetch(&type, &error, &trace);
    PyErr_NormalizeException(&type, &error, &trace);
    if (trace) PyException_SetTraceback(error, trace);
    Py_XDECREF(type);
    Py_XDECREF(trace);
    return error;
}

void pump_keep(Pump *p) {
    if (p->raised) {
        PyErr_WriteUnraisable(p->failed);
    } else {
        p->raised = caught();
        p->leaves = true;
    }
}

PyObject *pump_failed(Pump *p, PyObject *about) {
    PyObject *error = caught();
    PyObject *told = PyObject_CallFunctionObjArgs(p->failed, error, about, NULL);
    Py_XDECREF(told);
    if (!told) pump_keep(p);
    return error;
}

/* Every object of ours is of a type that was made at run time, and holds it. */
void free_object(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF((PyObject *)type);
}
