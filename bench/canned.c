/* The limit: one thread, one epoll loop, answers memcache commands without storing anything.
 *
 * canned PORT SIZE: every set is STORED, every get brings SIZE bytes of the load's pattern. A line
 * is understood the first time it is seen; afterwards it is only recognised, by one comparison.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINE = 512, READ = 256 << 10, WRITE = 1 << 20 };

/* The last line seen of a given length, its reply, and the bytes of the block that follows it. */
typedef struct {
    char line[LINE];
    char *reply;
    size_t reply_length, block;
} Known;

typedef struct {
    int fd;
    const Known *asked; /* is answered when its block has come */
    size_t skip;        /* bytes of the block still to come */
    size_t partial;     /* bytes of a line cut by the end of a read */
    char line[LINE];
    char *unsent;
    size_t unsent_length, unsent_offset;
} Connection;

static Known known[LINE];
static char *body, *output;
static size_t body_size, output_length, output_room = WRITE;
static int poller;

static void die(const char *what) {
    perror(what);
    exit(2);
}

static void understand(Known *k, const char *line, size_t length) {
    memcpy(k->line, line, length);
    k->line[length] = 0;
    free(k->reply);
    k->block = 0;
    char key[LINE];
    int made;
    if (line[0] == 's') {
        const char *size = strrchr(k->line, ' ');
        k->block = (size ? strtoul(size, NULL, 10) : 0) + 2;
        made = asprintf(&k->reply, "STORED\r\n");
    } else if (sscanf(k->line, "get %511s", key) == 1) {
        made = asprintf(&k->reply, "VALUE %s 0 %zu\r\n%s\r\nEND\r\n", key, body_size, body);
    } else {
        made = asprintf(&k->reply, "VERSION 1.0.0\r\n");
    }
    if (made < 0) die("asprintf");
    k->reply_length = (size_t)made;
}

static void say(const char *bytes, size_t length) {
    if (output_length + length > output_room) {
        output_room = 2 * (output_length + length);
        if (!(output = realloc(output, output_room))) die("realloc");
    }
    memcpy(output + output_length, bytes, length);
    output_length += length;
}

/* Answers whole commands and keeps the rest for the next read. */
static bool answer(Connection *c, const char *bytes, size_t length) {
    const char *end = bytes + length;
    for (;;) {
        size_t part = c->skip < (size_t)(end - bytes) ? c->skip : (size_t)(end - bytes);
        c->skip -= part;
        bytes += part;
        if (c->skip) return true;
        if (c->asked) say(c->asked->reply, c->asked->reply_length);
        c->asked = NULL;
        if (bytes == end) return true;
        const char *stop = memchr(bytes, '\n', (size_t)(end - bytes));
        size_t size = (size_t)((stop ? stop + 1 : end) - bytes);
        if (size >= LINE) return false;
        if (!stop) {
            memcpy(c->line, bytes, size);
            c->partial = size;
            return true;
        }
        Known *k = &known[size];
        if (memcmp(k->line, bytes, size)) understand(k, bytes, size);
        c->asked = k;
        c->skip = k->block;
        bytes += size;
    }
}

static void end(Connection *c) {
    close(c->fd);
    free(c->unsent);
    free(c);
}

static void watch(Connection *c, uint32_t what) {
    struct epoll_event e = {what, {.ptr = c}};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &e);
}

/* A slow reader is not read from until it has what it asked for. */
static void push(Connection *c) {
    ssize_t sent = send(c->fd, c->unsent + c->unsent_offset, c->unsent_length - c->unsent_offset,
                        MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN) return end(c);
    if (sent > 0) c->unsent_offset += (size_t)sent;
    if (c->unsent_offset < c->unsent_length) return;
    free(c->unsent);
    c->unsent = NULL;
    watch(c, EPOLLIN);
}

static void serve(Connection *c) {
    static char buffer[LINE + READ];
    size_t kept = c->partial;
    memcpy(buffer, c->line, kept);
    ssize_t got = recv(c->fd, buffer + kept, READ, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    c->partial = 0;
    output_length = 0;
    if (got <= 0 || !answer(c, buffer, kept + (size_t)got)) return end(c);
    if (!output_length) return;
    ssize_t sent = send(c->fd, output, output_length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN) return end(c);
    if (sent < 0) sent = 0;
    if ((size_t)sent == output_length) return;
    c->unsent_offset = 0;
    c->unsent_length = output_length - (size_t)sent;
    if (!(c->unsent = malloc(c->unsent_length))) die("malloc");
    memcpy(c->unsent, output + sent, c->unsent_length);
    watch(c, EPOLLOUT);
}

static void welcome(int listener) {
    int on = 1;
    Connection *c = calloc(1, sizeof *c);
    if (!c) die("calloc");
    if ((c->fd = accept(listener, NULL, NULL)) < 0) die("accept");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event e = {EPOLLIN, {.ptr = c}};
    epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e);
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: canned PORT SIZE\n");
        return 2;
    }
    body_size = strtoul(argv[2], NULL, 10);
    body = calloc(1, body_size + 1);
    output = malloc(output_room);
    if (!body || !output) die("malloc");
    for (size_t i = 0; i < body_size; i++) body[i] = (char)('a' + i * 7 % 26);

    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 4096)) die("listen");
    struct epoll_event e = {EPOLLIN, {.ptr = NULL}}, events[1024];
    poller = epoll_create1(0);
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &e);
    for (;;) {
        int ready = epoll_wait(poller, events, 1024, -1);
        for (int i = 0; i < ready; i++) {
            Connection *c = events[i].data.ptr;
            if (!c) welcome(listener);
            else if (c->unsent) push(c);
            else serve(c);
        }
    }
}
