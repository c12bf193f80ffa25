/* Sockets that are served together: all that is ready is received, then what was decided ends its
 * turn, then all is sent.
 *
 * A Pump owns an epoll set and the sockets in it. A Socket is what asyncio calls a transport: it
 * tells its protocol what comes and takes what is to be sent; connection_lost is its last word,
 * said exactly once and never within another call. Knows neither what is said nor an event loop:
 * of a loop's own descriptors it sees one, which is readable when any of them is ready.
 */
#include "_pump.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static PyTypeObject *socket_type;

/* --- the turn -------------------------------------------------------------------------------- */

/* Waits for sockets to be ready. Returns whether the loop's own may be. */
static bool find_ready(Pump *p, int timeout) {
    int ready;
    Py_BEGIN_ALLOW_THREADS
    ready = epoll_wait(p->epoll, p->events, MOST_READY, timeout);
    Py_END_ALLOW_THREADS
    p->next = p->ready = 0;
    if (ready < 0) {
        if (errno == EINTR ? PyErr_CheckSignals() < 0 : !PyErr_SetFromErrno(PyExc_OSError)) pump_keep(p);
        return true;
    }
    p->ready = (size_t)ready;
    bool loop = false;
    for (int i = 0; i < ready; i++) {
        void *of = p->events[i].data.ptr;
        loop |= of == p;
        if (of == p || of == &p->wake) p->events[i].data.ptr = NULL;
    }
    return loop;
}

/* Runs what other threads have asked for: in every turn, however many sockets are left for the next. */
static void listen_to_threads(Pump *p) {
    uint64_t times;
    if (read(p->wake, &times, sizeof times) < 0) return;
    p->woken = false;
    PyObject *done = PyObject_CallFunctionObjArgs(p->threads, NULL);
    if (!done) Py_DECREF(pump_failed(p, Py_None));
    Py_XDECREF(done);
}

static void serve(Pump *p) {
    size_t came = 0;
    if (p->woken) listen_to_threads(p);
    while (p->next < p->ready && came < TURN_SIZE) {
        struct epoll_event event = p->events[p->next++];
        Socket *s = event.data.ptr;
        if (!s) continue;
        if (event.events & ~(uint32_t)EPOLLIN && s->watched & EPOLLOUT) {
            socket_try_to_send(s);
            socket_was_sent(s);
        }
        if (event.events & ~(uint32_t)EPOLLOUT && s->watched & EPOLLIN) came += socket_receive(s);
    }
}

static void end_turn(Pump *p) {
    PyObject *ends = p->ends, *fresh = PyList_New(0);
    if (!fresh) {
        Py_DECREF(pump_failed(p, Py_None));
        return;
    }
    p->ends = fresh;
    for (Py_ssize_t i = 0; i < PyList_Size(ends); i++) {
        PyObject *done = PyObject_CallFunctionObjArgs(PyList_GetItem(ends, i), NULL);
        if (!done) Py_DECREF(pump_failed(p, Py_None));
        Py_XDECREF(done);
    }
    Py_DECREF(ends);
}

static void send_all(Pump *p) {
    Socket *first = pump_take_all(p, WRITTEN);
    /* Threads that have been writing to disk may go on meanwhile. */
    Py_BEGIN_ALLOW_THREADS
    for (Socket *s = first; s; s = s->next[WRITTEN])
        if (s->count && !(s->watched & EPOLLOUT)) socket_try_to_send(s);
    Py_END_ALLOW_THREADS
    p->sending = true;
    while (first) {
        Socket *s = pump_take_one(&first, WRITTEN);
        if (!(s->watched & EPOLLOUT)) socket_was_sent(s);
        if (!s->lost) socket_mind_high_water(s);
        Py_DECREF((PyObject *)s);
    }
    p->sending = false;
}

static void finish_all(Pump *p) {
    for (Socket *first = pump_take_all(p, LOST); first;) {
        Socket *s = pump_take_one(&first, LOST);
        socket_finish(s);
        PySet_Discard(p->sockets, (PyObject *)s);
        Py_DECREF((PyObject *)s);
    }
}

static bool settled(Pump *p) {
    return !p->chains[WRITTEN].first && !p->chains[LOST].first && !PyList_Size(p->ends);
}

/* Once, not until all is settled: what calls itself again must leave the others their turn. */
static void settle(Pump *p) {
    if (PyList_Size(p->ends)) end_turn(p);
    if (p->chains[WRITTEN].first) send_all(p);
    if (p->chains[LOST].first) finish_all(p);
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Rounded up: who wakes too early would only wait again, and not at all for less than one. */
static int milliseconds(double seconds) {
    double wanted = seconds < 1e6 ? seconds * 1e3 : 1e9;
    int whole = (int)wanted;
    return whole < wanted ? whole + 1 : whole;
}

/* --- what Python sees ------------------------------------------------------------------------ */

static PyObject *pump_turns(Pump *p, PyObject *timeout) {
    bool forever = timeout == Py_None;
    double left = forever ? 0 : PyFloat_AsDouble(timeout), until = 0;
    if (PyErr_Occurred()) return NULL;
    if (p->running) return PyErr_SetString(PyExc_RuntimeError, "turns() within turns()"), NULL;
    if (left > 0) until = seconds() + left;
    bool loop;
    p->running = true;
    settle(p);
    do {
        if (p->next < p->ready)
            loop = true; /* before the rest of a turn it may look after its own */
        else if (p->leaves || !settled(p) || (!forever && left <= 0))
            loop = find_ready(p, 0);
        else
            loop = find_ready(p, forever ? -1 : milliseconds(left));
        serve(p);
        settle(p);
        if (left > 0) left = until - seconds();
    } while (!loop && !p->leaves && settled(p) && p->next == p->ready && (forever || left > 0));
    p->running = p->leaves = false; /* not before: who has asked since the last turns is heard, too */
    PyObject *raised = p->raised;
    if (!raised) return PyBool_FromLong(loop || p->next < p->ready);
    p->raised = NULL;
    PyErr_SetObject((PyObject *)Py_TYPE(raised), raised);
    Py_DECREF(raised);
    return NULL;
}

static PyObject *pump_at_turn_end(Pump *p, PyObject *callback) {
    return PyList_Append(p->ends, callback) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *pump_leave(Pump *p, PyObject *Py_UNUSED(args)) {
    p->leaves = true;
    return Py_NewRef(Py_None);
}

static PyObject *pump_wake(Pump *p, PyObject *Py_UNUSED(args)) {
    uint64_t once = 1;
    if (!p->woken && p->wake >= 0 && write(p->wake, &once, sizeof once) < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    p->woken = true;
    return Py_NewRef(Py_None);
}

static PyObject *pump_add(Pump *p, PyObject *args) {
    PyObject *made = socket_made(socket_type, p, args);
    if (made && PySet_Add(p->sockets, made) < 0) Py_CLEAR(made);
    return made;
}

static void close_own(Pump *p) {
    if (p->epoll >= 0) close(p->epoll);
    if (p->wake >= 0) close(p->wake);
    p->epoll = p->wake = -1;
}

/* Hangs up on all who are left. */
static PyObject *pump_close(Pump *p, PyObject *Py_UNUSED(args)) {
    PyObject *left = PySequence_List(p->sockets);
    if (!left) return NULL;
    for (Py_ssize_t i = 0; i < PyList_Size(left); i++)
        socket_lose((Socket *)PyList_GetItem(left, i), NULL);
    Py_DECREF(left);
    finish_all(p);
    close_own(p);
    return Py_NewRef(Py_None);
}

static PyMethodDef methods[] = {
    {"add", (PyCFunction)pump_add, METH_VARARGS, NULL},
    {"turns", (PyCFunction)pump_turns, METH_O, NULL},
    {"at_turn_end", (PyCFunction)pump_at_turn_end, METH_O, NULL},
    {"wake", (PyCFunction)pump_wake, METH_NOARGS, NULL},
    {"leave", (PyCFunction)pump_leave, METH_NOARGS, NULL},
    {"close", (PyCFunction)pump_close, METH_NOARGS, NULL},
    {0},
};

/* --- life ------------------------------------------------------------------------------------ */

static PyObject *new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(names)) {
    int loop;
    PyObject *failed, *threads;
    if (!PyArg_ParseTuple(args, "iOO", &loop, &failed, &threads)) return NULL;
    Pump *p = (Pump *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (!p) return NULL;
    struct epoll_event event = {EPOLLIN, {.ptr = p}}, woken = {EPOLLIN, {.ptr = &p->wake}};
    p->failed = Py_NewRef(failed);
    p->threads = Py_NewRef(threads);
    p->sockets = PySet_New(NULL);
    p->ends = PyList_New(0);
    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (p->epoll < 0 || p->wake < 0 || epoll_ctl(p->epoll, EPOLL_CTL_ADD, loop, &event) < 0 ||
        epoll_ctl(p->epoll, EPOLL_CTL_ADD, p->wake, &woken) < 0)
        PyErr_SetFromErrno(PyExc_OSError);
    if (!PyErr_Occurred()) return (PyObject *)p;
    Py_DECREF((PyObject *)p);
    return NULL;
}

static int traverse(Pump *p, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE((PyObject *)p));
    Py_VISIT(p->sockets);
    Py_VISIT(p->failed);
    Py_VISIT(p->threads);
    Py_VISIT(p->ends);
    Py_VISIT(p->raised);
    for (int chain = 0; chain < CHAINS; chain++)
        for (Socket *s = p->chains[chain].first; s; s = s->next[chain]) Py_VISIT(s);
    return 0;
}

static int clear(Pump *p) {
    for (int chain = 0; chain < CHAINS; chain++)
        for (Socket *first = pump_take_all(p, chain); first;)
            Py_DECREF((PyObject *)pump_take_one(&first, chain));
    Py_CLEAR(p->sockets);
    Py_CLEAR(p->failed);
    Py_CLEAR(p->threads);
    Py_CLEAR(p->ends);
    Py_CLEAR(p->raised);
    return 0;
}

static void dealloc(Pump *p) {
    PyObject_GC_UnTrack((PyObject *)p);
    clear(p);
    close_own(p);
    free_object((PyObject *)p);
}

static PyType_Slot slots[] = {
    {Py_tp_new, new},
    {Py_tp_methods, methods},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear},
    {Py_tp_dealloc, dealloc},
    {0},
};

static PyType_Spec pump_spec = {
    "darnerpy.server._pump.Pump",
    sizeof(Pump),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    slots,
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "_pump", .m_size = -1};

PyMODINIT_FUNC PyInit__pump(void) {
    PyObject *made = PyModule_Create(&module), *pump = PyType_FromSpec(&pump_spec);
    socket_type = (PyTypeObject *)PyType_FromSpec(&socket_spec);
    bool good = made && pump && socket_type && socket_names() &&
                PyModule_AddObjectRef(made, "Pump", pump) == 0 &&
                PyModule_AddObjectRef(made, "Socket", (PyObject *)socket_type) == 0;
    Py_XDECREF(pump);
    if (!good) Py_CLEAR(made);
    return made;
}
