/* What the load says and what it expects to hear, in four protocols, as constants built once. */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Darner speaks memcache, but names the queue alone where others say the key again. */
enum protocol { MEMCACHE, DARNER, RESP, BEANSTALK };
static const char *PROTOCOLS[] = {"memcache", "darner", "resp", "beanstalk", NULL};
static enum protocol protocol;

/* A reply; at `digits_at` stands one '#', any number in the reply (`digits_at` is `length` if none). */
typedef struct {
    char *bytes;
    size_t length, digits_at;
} Pattern;

typedef struct {
    char *request;
    size_t length;
    Pattern hit, miss;
    bool reserves; /* beanstalkd: the operation is over when the job it brings is deleted */
} Command;

static Command removal = {.hit = {"DELETED\r\n", 9, 9}}; /* of a beanstalkd job */

static size_t print(char **out, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(out, format, arguments);
    va_end(arguments);
    if (length < 0) abort();
    return (size_t)length;
}

#define REQUEST(c, ...) ((c).length = print(&(c).request, __VA_ARGS__))
#define REPLY(p, ...) ((p).length = print(&(p).bytes, __VA_ARGS__), find_digits(&(p)))

static void find_digits(Pattern *p) {
    const char *mark = strchr(p->bytes, '#');
    p->digits_at = mark ? (size_t)(mark - p->bytes) : p->length;
}

static Command set_command(const char *queue, size_t size, const char *body) {
    Command c = {0};
    if (protocol <= DARNER) {
        REQUEST(c, "set %s 0 0 %zu\r\n%s\r\n", queue, size, body);
        REPLY(c.hit, "STORED\r\n");
    } else if (protocol == RESP) {
        REQUEST(c, "*3\r\n$5\r\nRPUSH\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n", strlen(queue), queue, size,
                body);
        REPLY(c.hit, ":#\r\n");
    } else {
        REQUEST(c, "put 0 0 600 %zu\r\n%s\r\n", size, body);
        REPLY(c.hit, "INSERTED #\r\n");
    }
    return c;
}

static Command get_command(const char *queue, const char *options, size_t size, const char *body) {
    Command c = {0};
    if (protocol <= DARNER) {
        REQUEST(c, "get %s%s\r\n", queue, options);
        REPLY(c.hit, "VALUE %s%s 0 %zu\r\n%s\r\nEND\r\n", queue,
              protocol == DARNER ? "" : options, size, body);
        REPLY(c.miss, "END\r\n");
    } else if (protocol == RESP) {
        REQUEST(c, "*2\r\n$4\r\nLPOP\r\n$%zu\r\n%s\r\n", strlen(queue), queue);
        REPLY(c.hit, "$%zu\r\n%s\r\n", size, body);
        REPLY(c.miss, "$-1\r\n");
    } else {
        REQUEST(c, "reserve-with-timeout 0\r\n");
        REPLY(c.hit, "RESERVED # %zu\r\n%s\r\n", size, body);
        REPLY(c.miss, "TIMED_OUT\r\n");
        c.reserves = true;
    }
    return c;
}

/* All that is said of items of one size: set and get of each queue, the others of the first. */
typedef struct {
    Command *sets, *gets, open, closeopen;
} Commands;

static Commands commands_for(const char *queue, unsigned queues, size_t size) {
    Commands c = {calloc(queues, sizeof *c.sets), calloc(queues, sizeof *c.gets)};
    char *body = malloc(size + 1);
    if (!body || !c.sets || !c.gets) abort();
    for (size_t i = 0; i < size; i++) body[i] = (char)('a' + i * 7 % 26);
    body[size] = 0;
    for (unsigned i = 0; i < queues; i++) {
        char name[300];
        snprintf(name, sizeof name, queues > 1 ? "%s%u" : "%s", queue, i);
        c.sets[i] = set_command(name, size, body);
        c.gets[i] = get_command(name, "", size, body);
    }
    c.open = get_command(queue, "/open", size, body);
    c.closeopen = get_command(queue, "/close/open", size, body);
    free(body);
    return c;
}
