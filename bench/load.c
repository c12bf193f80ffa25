/* The load: N connections in one epoll loop, each a closed loop of `depth` commands in flight.
 *
 * Every request and every reply is a constant built before the start: a request is sent from where
 * it lies, a reply is compared byte for byte with the one expected. Only replies that are entirely
 * right count as operations. Given the server's process, its CPU time between the end of the
 * warm-up and the end of the run is counted too, of all its threads, ended ones included: neither
 * its start nor the connecting is in it. Prints one JSON object. Options: see `options` in main.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "histogram.h"

enum { CHUNK = 256 << 10, MAX_VECTORS = 64 };
#define GREETING 10000000000u /* ns in which each connection has to have had its first answer */
enum mode { SET, GET, PAIR, CLOSEOPEN, IDLE };
static const char *MODES[] = {"set", "get", "pair", "closeopen", "idle", NULL};

/* What one kind of connection does, and how it went. The small and the big ones have one each. */
typedef struct {
    Commands commands;
    size_t size;
    uint64_t last;
    Histogram latency;
} Plan;

typedef struct {
    const Command *command;
    const char *bytes;
    size_t length;
    uint64_t started;
    char own[48];
} Slot;

typedef struct {
    int fd;
    Plan *plan;
    Slot *ring;
    unsigned head, in_flight, unsent, steps;
    size_t sent;            /* of the oldest unsent slot */
    const Pattern *pattern; /* the reply being read, and how far */
    size_t position;
    unsigned digits;
    uint64_t number, reserved, reserved_at;
    bool dry, wants_out, greeted;
} Connection;

static enum mode mode;
static unsigned depth = 1, queues = 1;
static uint64_t limit = UINT64_MAX, issued, in_flight, started, begun, deadline, now;
static uint64_t misses, errors, replies, ungreeted;
static bool warmed = true; /* or there is no warm-up */
static clockid_t server_clock;
static uint64_t server_before, server_spent;
static char first_error[96];
static int poller;
static Plan small, big;

static void die(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(2);
}

static uint64_t clock_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t server_ns(void) {
    struct timespec t;
    if (!server_clock) return 0;
    if (clock_gettime(server_clock, &t)) die("the server's CPU time");
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* --- one connection -------------------------------------------------------------------------- */

static const Command *choose(Connection *c) {
    unsigned step = c->steps++, queue = (unsigned)(issued % queues);
    if (mode == SET) return &c->plan->commands.sets[queue];
    if (mode == GET) return &c->plan->commands.gets[queue];
    if (mode == PAIR) return step & 1 ? &c->plan->commands.gets[0] : &c->plan->commands.sets[0];
    return step ? &c->plan->commands.closeopen : &c->plan->commands.open;
}

/* Puts the next command in the ring, if there is to be one. */
static void issue(Connection *c) {
    Slot *slot = &c->ring[(c->head + c->in_flight) % depth];
    if (c->reserved) {
        slot->command = &removal;
        slot->bytes = slot->own;
        slot->length = (size_t)snprintf(slot->own, sizeof slot->own, "delete %llu\r\n",
                                        (unsigned long long)c->reserved);
        slot->started = c->reserved_at;
        c->reserved = 0;
    } else {
        if (c->dry || now >= deadline || issued >= limit) return;
        slot->command = choose(c);
        slot->bytes = slot->command->request;
        slot->length = slot->command->length;
        slot->started = now;
        issued++;
    }
    c->in_flight++;
    c->unsent++;
    in_flight++;
}

static void record(Plan *plan, uint64_t latency) {
    if (now > deadline) return;
    histogram_add(&plan->latency, latency);
    plan->last = now;
}

static void complete(Connection *c) {
    Slot *slot = &c->ring[c->head];
    replies++;
    ungreeted -= !c->greeted;
    c->greeted = true;
    if (c->pattern == &slot->command->miss) {
        misses++;
        c->dry = mode == GET || mode == CLOSEOPEN; /* the queue is drained: this one is done */
    } else if (slot->command->reserves) {
        c->reserved = c->number;
        c->reserved_at = slot->started;
    } else {
        record(c->plan, now - slot->started);
    }
    c->head = (c->head + 1) % depth;
    c->in_flight--;
    in_flight--;
    c->pattern = NULL;
    issue(c);
}

/* Framing is lost with the first wrong byte, so the connection ends and what it awaited is void. */
static void fail(Connection *c, const char *bytes, size_t length) {
    if (!errors++)
        for (size_t i = 0; i < length && i < sizeof first_error - 1; i++)
            first_error[i] = isprint(bytes[i]) && !strchr("\"\\", bytes[i]) ? bytes[i] : '.';
    in_flight -= c->in_flight;
    c->in_flight = c->unsent = 0;
    ungreeted -= !c->greeted;
    close(c->fd);
    c->fd = -1;
}

static bool turn_to_miss(Connection *c, const Command *command) {
    const Pattern *miss = &command->miss;
    if (mode == PAIR) return false; /* each has put what it takes, or another's in its place */
    if (c->pattern == miss || c->position >= miss->length) return false;
    if (memcmp(miss->bytes, c->pattern->bytes, c->position)) return false;
    c->pattern = miss;
    return true;
}

/* Compares what came with the replies awaited; where it differs, or `end`. */
static const char *consume(Connection *c, const char *bytes, const char *end) {
    while (bytes < end) {
        if (c->in_flight == c->unsent) return bytes; /* an answer before the question */
        const Command *command = c->ring[c->head].command;
        if (!c->pattern) {
            c->pattern = &command->hit;
            c->position = c->digits = 0;
            c->number = 0;
        }
        const Pattern *p = c->pattern;
        if (c->position == p->digits_at) {
            if (isdigit(*bytes)) {
                c->number = c->number * 10 + (uint64_t)(*bytes++ - '0');
                c->digits++;
                continue;
            }
            if (!c->digits) return bytes;
            c->position++;
        }
        size_t run = (c->position < p->digits_at ? p->digits_at : p->length) - c->position;
        if (run > (size_t)(end - bytes)) run = (size_t)(end - bytes);
        if (memcmp(bytes, p->bytes + c->position, run)) {
            if (!turn_to_miss(c, command)) return bytes;
            continue;
        }
        bytes += run;
        c->position += run;
        if (c->position == p->length) complete(c);
    }
    return end;
}

/* At most CHUNK a call, so that the big items do not hold up the small ones. */
static void flush(Connection *c) {
    struct iovec vectors[MAX_VECTORS];
    int count = 0;
    size_t total = 0;
    for (unsigned i = 0; i < c->unsent && count < MAX_VECTORS && total < CHUNK; i++, count++) {
        Slot *slot = &c->ring[(c->head + c->in_flight - c->unsent + i) % depth];
        size_t offset = i ? 0 : c->sent, length = slot->length - offset;
        if (length > CHUNK - total) length = CHUNK - total;
        vectors[count] = (struct iovec){(char *)slot->bytes + offset, length};
        total += length;
    }
    ssize_t sent = total ? writev(c->fd, vectors, count) : 0;
    if (sent < 0 && errno != EAGAIN) return fail(c, "write failed", 12);
    for (size_t left = sent > 0 ? (size_t)sent : 0; left;) {
        Slot *slot = &c->ring[(c->head + c->in_flight - c->unsent) % depth];
        size_t rest = slot->length - c->sent;
        if (left < rest) {
            c->sent += left;
            break;
        }
        left -= rest;
        c->sent = 0;
        c->unsent--;
    }
    if (c->wants_out != (c->unsent > 0)) {
        c->wants_out = c->unsent > 0;
        struct epoll_event e = {EPOLLIN | (c->wants_out ? EPOLLOUT : 0), {.ptr = c}};
        epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &e);
    }
}

static void serve(Connection *c, uint32_t ready) {
    static char buffer[CHUNK];
    if (ready & ~(uint32_t)EPOLLOUT) {
        ssize_t got = recv(c->fd, buffer, sizeof buffer, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN)) return fail(c, "connection closed", 17);
        now = clock_ns();
        const char *end = buffer + (got > 0 ? got : 0), *wrong = consume(c, buffer, end);
        if (wrong < end) return fail(c, wrong, (size_t)(end - wrong));
    }
    if (c->unsent) flush(c);
}

/* --- the run --------------------------------------------------------------------------------- */

static void connect_one(Connection *c, uint16_t port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to)) die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event e = {EPOLLIN, {.ptr = c}};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e)) die("epoll_ctl");
}

static void set_nonblocking(Connection *all, unsigned count) {
    int on = 1;
    for (unsigned i = 0; i < count; i++)
        if (ioctl(all[i].fd, FIONBIO, &on)) die("FIONBIO");
}

/* The measured time begins when the warm-up is over and every connection has had an answer. */
static void run(Connection *all, unsigned count, uint64_t warm_until, uint64_t measured) {
    struct epoll_event events[1024];
    ungreeted = count;
    warmed = !warm_until;
    server_before = server_ns();
    for (unsigned i = 0; i < count; i++) {
        for (unsigned d = 0; d < depth; d++) issue(&all[i]);
        if (all[i].unsent) flush(&all[i]);
    }
    while (in_flight && now < deadline + 5000000000u) {
        int ready = epoll_wait(poller, events, 1024, 100);
        now = clock_ns();
        if (warm_until && now >= warm_until && !ungreeted) {
            memset(&small.latency, 0, sizeof small.latency);
            memset(&big.latency, 0, sizeof big.latency);
            server_before = server_ns();
            begun = now;
            deadline = begun + measured;
            warm_until = 0;
            warmed = true;
        }
        if (now >= deadline && !server_spent) server_spent = server_ns() - server_before;
        for (int i = 0; i < ready; i++) serve(events[i].data.ptr, events[i].events);
    }
    if (!server_spent) server_spent = server_ns() - server_before;
}

static void report(unsigned count) {
    uint64_t ended = now >= deadline ? deadline : small.last > begun ? small.last : now;
    double seconds = (double)(ended - begun) / 1e9;
    double rate = seconds > 0 ? 1 / seconds : 0;
    const Histogram *h = &small.latency;
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("{\"connections\": %u, \"seconds\": %.4f, \"ops\": %llu, \"ops_per_s\": %.1f, ", count,
           seconds, (unsigned long long)h->count, (double)h->count * rate);
    printf("\"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f, ",
           (double)histogram_at(h, .5) / 1e3, (double)histogram_at(h, .99) / 1e3,
           (double)histogram_at(h, .999) / 1e3, (double)h->max / 1e3);
    printf("\"replies\": %llu, \"misses\": %llu, \"errors\": %llu, \"unanswered\": %llu, \"warmed\": %s, ",
           (unsigned long long)replies, (unsigned long long)misses, (unsigned long long)errors,
           (unsigned long long)in_flight, warmed ? "true" : "false");
    printf("\"big_bytes_per_s\": %.0f, \"cpu_seconds\": %.3f, \"elapsed\": %.6f, "
           "\"server_cpu_seconds\": %.9f, \"first_error\": \"%s\"}\n",
           (double)big.latency.count * (double)big.size * rate,
           (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
               (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6,
           (double)(now - started) / 1e9, (double)server_spent / 1e9, first_error);
}

static int index_of(const char *const *words, const char *word) {
    for (int i = 0; words[i]; i++)
        if (!strcmp(words[i], word)) return i;
    fprintf(stderr, "load: unknown word: %s\n", word);
    exit(2);
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"protocol", 1, 0, 'p'},    /* memcache, darner, resp (rpush, lpop) or beanstalk (reserve, delete) */
        {"mode", 1, 0, 'm'},        /* set, get, pair, closeopen; idle: hold until stdin ends */
        {"port", 1, 0, 'P'},        /* always on the loopback interface */
        {"connections", 1, 0, 'c'}, {"depth", 1, 0, 'd'},
        {"size", 1, 0, 's'},        {"seconds", 1, 0, 't'},
        {"warmup", 1, 0, 'w'},      /* seconds not counted */
        {"count", 1, 0, 'n'},       /* stop after so many commands, or at `seconds` if that is first */
        {"queue", 1, 0, 'q'},       {"queues", 1, 0, 'Q'}, /* set and get: over queue0, queue1, ... */
        {"pid", 1, 0, 'i'},         /* the server's, to count its CPU time */
        {"big-connections", 1, 0, 'b'}, {"big-size", 1, 0, 'B'}, /* beside the others, untimed */
        {0}};
    unsigned count = 1, big_count = 0;
    size_t size = 64, big_size = 8 << 20;
    double seconds = 1, warmup = 0;
    const char *queue = "bench";
    uint16_t port = 0;
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) switch (o) {
        case 'p': protocol = (enum protocol)index_of(PROTOCOLS, optarg); break;
        case 'm': mode = (enum mode)index_of(MODES, optarg); break;
        case 'P': port = (uint16_t)atoi(optarg); break;
        case 'c': count = (unsigned)atoi(optarg); break;
        case 'd': depth = (unsigned)atoi(optarg); break;
        case 's': size = strtoul(optarg, NULL, 10); break;
        case 't': seconds = atof(optarg); break;
        case 'w': warmup = atof(optarg); break;
        case 'n': limit = strtoull(optarg, NULL, 10); break;
        case 'q': queue = optarg; break;
        case 'Q': queues = (unsigned)atoi(optarg); break;
        case 'i':
            if ((errno = clock_getcpuclockid(atoi(optarg), &server_clock))) die("pid");
            break;
        case 'b': big_count = (unsigned)atoi(optarg); break;
        case 'B': big_size = strtoul(optarg, NULL, 10); break;
        default: return 2;
        }
    if (!port || !count || !depth || !queues) {
        fprintf(stderr, "load: port, connections, depth and queues must be given and above 0\n");
        return 2;
    }
    char big_queue[300];
    snprintf(big_queue, sizeof big_queue, "%s-big", queue);
    small = (Plan){.commands = commands_for(queue, queues, size), .size = size};
    if (big_count) big = (Plan){.commands = commands_for(big_queue, queues, big_size), .size = big_size};

    unsigned total = count + big_count;
    Connection *all = calloc(total, sizeof *all);
    Slot *slots = mode == IDLE ? NULL : calloc((size_t)total * depth, sizeof *slots);
    if (!all || (!slots && mode != IDLE) || (poller = epoll_create1(0)) < 0) die("start");
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    for (unsigned i = 0; i < total; i++) {
        all[i].plan = i < count ? &small : &big;
        all[i].ring = slots + (size_t)i * depth;
        connect_one(&all[i], port);
    }
    if (mode == IDLE) {
        printf("{\"connections\": %u}\n", total);
        fflush(stdout);
        while (getchar() != EOF) continue;
        return 0;
    }
    set_nonblocking(all, total);
    now = begun = started = clock_ns();
    uint64_t measured = (uint64_t)(seconds * 1e9), warming = (uint64_t)(warmup * 1e9);
    deadline = begun + measured + (warming ? warming + GREETING : 0);
    run(all, total, warming ? begun + warming : 0, measured);
    report(count);
    return 0;
}
