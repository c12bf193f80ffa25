/* One socket, in the manner of asyncio's transports. Knows when it may send only by being told;
 * what a call of its protocol raises ends it, and nobody else.
 */
#include "_pump.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    HIGH_WATER = 64 << 10, /* with more unsent, a protocol is told to pause */
    LOW_WATER = 16 << 10,  /* and with no more than that, to go on */
    VECTORS = 64,          /* pieces that are sent at once */
};

static PyObject *close_, *connection_lost, *data_received, *eof_received;
static PyObject *pause_writing, *resume_writing;

bool socket_names(void) {
    close_ = PyUnicode_InternFromString("close");
    connection_lost = PyUnicode_InternFromString("connection_lost");
    data_received = PyUnicode_InternFromString("data_received");
    eof_received = PyUnicode_InternFromString("eof_received");
    pause_writing = PyUnicode_InternFromString("pause_writing");
    resume_writing = PyUnicode_InternFromString("resume_writing");
    return !PyErr_Occurred();
}

/* Calls a method whose result does not matter. */
static void call(Socket *s, PyObject *object, PyObject *method, PyObject *argument) {
    PyObject *done = PyObject_CallMethodObjArgs(object, method, argument, NULL);
    if (!done) Py_DECREF(pump_failed(s->pump, (PyObject *)s));
    Py_XDECREF(done);
}

static PyObject *os_error(int number) {
    PyObject *error = PyObject_CallFunction(PyExc_OSError, "is", number, strerror(number));
    if (!error) PyErr_Clear();
    return error;
}

static void drop_pieces(Socket *s) {
    Piece *pieces = s->pieces;
    size_t count = s->count;
    s->pieces = NULL;
    s->count = s->room = s->unsent = 0;
    while (count) Py_DECREF(pieces[--count].owner);
    free(pieces);
}

void socket_lose(Socket *s, PyObject *error) {
    if (s->lost) {
        Py_XDECREF(error);
        return;
    }
    s->lost = s->closing = true;
    s->error = error;
    if (s->watched) epoll_ctl(s->pump->epoll, EPOLL_CTL_DEL, s->fd, NULL);
    s->watched = 0;
    pump_forget(s->pump, s);
    drop_pieces(s);
    pump_append(s->pump, LOST, s);
}

void socket_finish(Socket *s) {
    call(s, s->protocol, connection_lost, s->error ? s->error : Py_None);
    call(s, s->socket, close_, NULL);
    Py_CLEAR(s->protocol);
    Py_CLEAR(s->error);
}

/* Watches for what matters now. While nothing does, nobody hears that the other side hangs up. */
static void watch(Socket *s, bool blocked) {
    uint32_t wanted = s->reading && !s->ended && !s->closing ? EPOLLIN : 0;
    if (blocked) wanted |= EPOLLOUT;
    if (wanted == s->watched || s->lost) return;
    struct epoll_event event = {wanted, {.ptr = s}};
    int action = !wanted ? EPOLL_CTL_DEL : s->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(s->pump->epoll, action, s->fd, &event) < 0)
        socket_lose(s, os_error(errno));
    else
        s->watched = wanted;
}

static void watch_input(Socket *s) { watch(s, s->watched & EPOLLOUT); }

static void close_when_sent(Socket *s) {
    s->closing = true;
    if (s->count)
        watch_input(s);
    else
        socket_lose(s, NULL);
}

size_t socket_receive(Socket *s) {
    Pump *p = s->pump;
    PyObject *data, *done = NULL;
    ssize_t got = recv(s->fd, p->buffer, READ_SIZE, MSG_DONTWAIT);
    if (got < 0) {
        if (errno != EAGAIN && errno != EINTR) socket_lose(s, os_error(errno));
        return 0;
    }
    if (got) {
        data = PyBytes_FromStringAndSize(p->buffer, got);
        if (data) done = PyObject_CallMethodObjArgs(s->protocol, data_received, data, NULL);
        Py_XDECREF(data);
    } else {
        s->ended = true;
        watch_input(s);
        done = PyObject_CallMethodObjArgs(s->protocol, eof_received, NULL);
        if (done && !PyObject_IsTrue(done) && !s->closing) close_when_sent(s);
    }
    if (!done) socket_lose(s, pump_failed(p, (PyObject *)s));
    Py_XDECREF(done);
    return (size_t)got;
}

void socket_try_to_send(Socket *s) {
    if (s->count == 1) {
        struct iovec *only = &s->pieces->left;
        s->sent = send(s->fd, only->iov_base, only->iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
    } else {
        struct iovec vectors[VECTORS];
        struct msghdr message = {.msg_iov = vectors};
        for (size_t i = 0; i < s->count && i < VECTORS; i++)
            vectors[message.msg_iovlen++] = s->pieces[i].left;
        s->sent = sendmsg(s->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    s->failure = s->sent < 0 ? errno : 0;
}

/* Takes off what was sent. */
static void advance(Socket *s, size_t sent) {
    size_t gone = 0;
    s->unsent -= sent;
    while (gone < s->count && sent >= s->pieces[gone].left.iov_len) {
        sent -= s->pieces[gone].left.iov_len;
        Py_DECREF(s->pieces[gone++].owner);
    }
    s->count -= gone;
    if (s->count) {
        memmove(s->pieces, s->pieces + gone, s->count * sizeof *s->pieces);
        s->pieces->left.iov_base = (char *)s->pieces->left.iov_base + sent;
        s->pieces->left.iov_len -= sent;
    } else if (s->room > VECTORS) {
        drop_pieces(s);
    }
}

void socket_was_sent(Socket *s) {
    ssize_t sent = s->sent;
    int failure = s->failure;
    s->sent = s->failure = 0;
    if (s->lost) return;
    if (failure && failure != EAGAIN && failure != EINTR) {
        socket_lose(s, os_error(failure));
        return;
    }
    if (sent > 0) advance(s, (size_t)sent);
    if (s->paused && s->unsent <= LOW_WATER) {
        s->paused = false;
        call(s, s->protocol, resume_writing, NULL);
    }
    watch(s, s->count);
    if (!s->count && s->ends && !s->lost) shutdown(s->fd, SHUT_WR);
    if (!s->count && s->closing) socket_lose(s, NULL);
}

void socket_mind_high_water(Socket *s) {
    if (s->unsent > HIGH_WATER && !s->paused) {
        s->paused = true;
        call(s, s->protocol, pause_writing, NULL);
    }
}

/* --- what Python sees ------------------------------------------------------------------------ */

static PyObject *none(void) { return Py_NewRef(Py_None); }

static PyObject *socket_write(Socket *s, PyObject *data) {
    char *bytes;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(data, &bytes, &size) < 0) return NULL;
    if (s->ends) return PyErr_SetString(PyExc_RuntimeError, "write() after write_eof()"), NULL;
    if (s->lost || !size) return none();
    if (s->count == s->room) {
        size_t room = s->room ? 2 * s->room : 1;
        Piece *pieces = realloc(s->pieces, room * sizeof *pieces);
        if (!pieces) return PyErr_NoMemory();
        s->pieces = pieces;
        s->room = room;
    }
    s->pieces[s->count++] = (Piece){Py_NewRef(data), {bytes, (size_t)size}};
    s->unsent += (size_t)size;
    pump_append(s->pump, WRITTEN, s);
    if (s->unsent > HIGH_WATER && !s->pump->sending) {
        if (!(s->watched & EPOLLOUT)) {
            socket_try_to_send(s);
            socket_was_sent(s);
        }
        socket_mind_high_water(s);
    }
    return none();
}

static PyObject *socket_write_eof(Socket *s, PyObject *Py_UNUSED(args)) {
    if (s->ends || s->closing) return none();
    s->ends = true;
    if (!s->count && shutdown(s->fd, SHUT_WR) < 0) return PyErr_SetFromErrno(PyExc_OSError);
    return none();
}

static PyObject *socket_close(Socket *s, PyObject *Py_UNUSED(args)) {
    if (!s->closing) close_when_sent(s);
    return none();
}

static PyObject *socket_abort(Socket *s, PyObject *Py_UNUSED(args)) {
    socket_lose(s, NULL);
    return none();
}

static PyObject *socket_is_closing(Socket *s, PyObject *Py_UNUSED(args)) {
    return PyBool_FromLong(s->closing);
}

static PyObject *socket_pause_reading(Socket *s, PyObject *Py_UNUSED(args)) {
    s->reading = false;
    watch_input(s);
    return none();
}

static PyObject *socket_resume_reading(Socket *s, PyObject *Py_UNUSED(args)) {
    s->reading = true;
    watch_input(s);
    return none();
}

static PyObject *socket_get_write_buffer_size(Socket *s, PyObject *Py_UNUSED(args)) {
    return PyLong_FromSize_t(s->unsent);
}

static PyObject *socket_set_protocol(Socket *s, PyObject *protocol) {
    PyObject *before = s->protocol;
    s->protocol = Py_NewRef(protocol);
    Py_XDECREF(before);
    return none();
}

static PyObject *socket_get_extra_info(Socket *s, PyObject *args) {
    const char *name;
    PyObject *otherwise = Py_None;
    if (!PyArg_ParseTuple(args, "s|O", &name, &otherwise)) return NULL;
    if (!strcmp(name, "socket")) return Py_NewRef(s->socket);
    return Py_NewRef(strcmp(name, "peername") ? otherwise : s->peername);
}

static PyMethodDef methods[] = {
    {"write", (PyCFunction)socket_write, METH_O, NULL},
    {"write_eof", (PyCFunction)socket_write_eof, METH_NOARGS, NULL},
    {"close", (PyCFunction)socket_close, METH_NOARGS, NULL},
    {"abort", (PyCFunction)socket_abort, METH_NOARGS, NULL},
    {"is_closing", (PyCFunction)socket_is_closing, METH_NOARGS, NULL},
    {"pause_reading", (PyCFunction)socket_pause_reading, METH_NOARGS, NULL},
    {"resume_reading", (PyCFunction)socket_resume_reading, METH_NOARGS, NULL},
    {"get_write_buffer_size", (PyCFunction)socket_get_write_buffer_size, METH_NOARGS, NULL},
    {"set_protocol", (PyCFunction)socket_set_protocol, METH_O, NULL},
    {"get_extra_info", (PyCFunction)socket_get_extra_info, METH_VARARGS, NULL},
    {0},
};

/* --- life ------------------------------------------------------------------------------------ */

PyObject *socket_made(PyTypeObject *type, Pump *pump, PyObject *args) {
    PyObject *socket, *peername, *protocol;
    if (!PyArg_ParseTuple(args, "OOO", &socket, &peername, &protocol)) return NULL;
    int fd = PyObject_AsFileDescriptor(socket);
    if (fd < 0) return NULL;
    Socket *s = (Socket *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (!s) return NULL;
    s->pump = (Pump *)Py_NewRef((PyObject *)pump);
    s->socket = Py_NewRef(socket);
    s->peername = Py_NewRef(peername);
    s->protocol = Py_NewRef(protocol);
    s->fd = fd;
    return (PyObject *)s;
}

static int traverse(Socket *s, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE((PyObject *)s));
    Py_VISIT(s->pump);
    Py_VISIT(s->socket);
    Py_VISIT(s->peername);
    Py_VISIT(s->protocol);
    Py_VISIT(s->error);
    return 0;
}

static int clear(Socket *s) {
    Py_CLEAR(s->protocol);
    Py_CLEAR(s->error);
    return 0;
}

static void dealloc(Socket *s) {
    PyObject_GC_UnTrack((PyObject *)s);
    drop_pieces(s);
    clear(s);
    Py_CLEAR(s->socket);
    Py_CLEAR(s->peername);
    Py_CLEAR(s->pump);
    free_object((PyObject *)s);
}

static PyType_Slot slots[] = {
    {Py_tp_methods, methods},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear},
    {Py_tp_dealloc, dealloc},
    {0},
};

PyType_Spec socket_spec = {
    "darnerpy.server._pump.Socket",
    sizeof(Socket),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    slots,
};
