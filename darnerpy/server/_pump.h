/* What a pump and its sockets are made of; see _pump.c, and below it _socket.c and _chains.c. */
#ifndef DARNERPY_PUMP_H
#define DARNERPY_PUMP_H

/* The limited API: one source for every Python. What it lacks, macros into objects, would gain
 * nothing beside two system calls. */
#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/uio.h>

enum {
    READ_SIZE = 128 << 10, /* bytes of one socket in a turn */
    TURN_SIZE = 128 << 10, /* bytes after which a turn serves no further socket */
    MOST_READY = 512,      /* sockets that a turn may serve */
};

typedef struct Pump Pump;
typedef struct Socket Socket;

/* Sockets in order, each held. A socket is in a chain once at most. */
typedef struct {
    Socket *first, **end;
} Chain;

/* WRITTEN: has something to send. LOST: connection_lost is still to be said. */
enum { WRITTEN, LOST, CHAINS };

/* A part of what is to be sent: left, of the bytes that owner keeps. */
typedef struct {
    PyObject *owner;
    struct iovec left;
} Piece;

struct Socket {
    PyObject_HEAD
    Pump *pump;
    PyObject *socket, *peername, *protocol, *error;
    Socket *next[CHAINS];
    int fd;
    uint32_t watched; /* the events that the epoll set tells of it */
    bool reading;     /* is read from, unless it has ended or closes */
    bool ended;       /* the other side sends no more */
    bool ends;        /* our side sends no more than what is unsent */
    bool closing;     /* is lost once all is sent */
    bool lost;        /* it is over */
    bool paused;      /* the protocol was told not to write */
    bool chained[CHAINS];
    Piece *pieces;
    size_t count, room, unsent;
    ssize_t sent; /* by the last send; its errno if that has failed */
    int failure;
};

struct Pump {
    PyObject_HEAD
    int epoll, wake;
    bool woken;   /* and the other threads have not been listened to */
    bool leaves;  /* the loop has something to do */
    bool running;
    bool sending; /* what sockets have sent is not yet taken off their pieces */
    PyObject *sockets, *failed, *threads, *ends, *raised;
    Chain chains[CHAINS];
    size_t next, ready; /* of the events */
    struct epoll_event events[MOST_READY];
    char buffer[READ_SIZE];
};

/* --- _chains.c */

void pump_append(Pump *p, int chain, Socket *s);

Socket *pump_take_all(Pump *p, int chain);

/* Takes the first off a chain that pump_take_all has given; the caller owns the reference to it. */
Socket *pump_take_one(Socket **first, int chain);

/* Tells of the exception that a callback has raised, and returns it. */
PyObject *pump_failed(Pump *p, PyObject *about);

/* An exception that is not to be gone on after is raised when the turn is over. */
void pump_keep(Pump *p);

/* A socket is lost: what was told of it before is not for it any more. */
void pump_forget(Pump *p, Socket *s);

void free_object(PyObject *object);

/* --- _socket.c */

extern PyType_Spec socket_spec;

bool socket_names(void);
PyObject *socket_made(PyTypeObject *type, Pump *pump, PyObject *args);

/* Reads once, and tells the protocol; returns how many bytes came. */
size_t socket_receive(Socket *s);

/* The two halves of sending what is unsent. The first touches no Python object. */
void socket_try_to_send(Socket *s);
void socket_was_sent(Socket *s);

/* Has the protocol pause if too much is unsent. */
void socket_mind_high_water(Socket *s);

/* It is over, and connection_lost follows. Takes the reference to the error. */
void socket_lose(Socket *s, PyObject *error);

/* Says connection_lost, and closes. */
void socket_finish(Socket *s);

#endif
