/* Latencies in buckets that widen with the value: 32 to each power of two, so within 3 %. */
#include <stdint.h>
#include <string.h>

enum { STEPS = 32, BUCKETS = 64 * STEPS };

typedef struct {
    uint64_t count, max, buckets[BUCKETS];
} Histogram;

static void histogram_add(Histogram *h, uint64_t value) {
    unsigned power = value < STEPS ? 0 : (unsigned)(63 - __builtin_clzll(value)) - 4;
    unsigned step = (unsigned)(power ? (value >> (power - 1)) & (STEPS - 1) : value);
    h->buckets[power * STEPS + step]++;
    h->count++;
    if (value > h->max) h->max = value;
}

/* The lower edge of the bucket that holds the value `share` of all are not above. */
static uint64_t histogram_at(const Histogram *h, double share) {
    uint64_t wanted = (uint64_t)((double)h->count * share), seen = 0;
    for (unsigned i = 0; i < BUCKETS; i++) {
        seen += h->buckets[i];
        if (h->buckets[i] && seen >= wanted) {
            unsigned power = i / STEPS, step = i % STEPS;
            return power ? (uint64_t)(STEPS + step) << (power - 1) : step;
        }
    }
    return 0;
}
