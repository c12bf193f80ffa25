/* The limit: append so many bytes to a file and fdatasync it, so often.  append FILE BYTES TIMES
 *
 * Prints wall seconds and seconds of the processor. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double wall(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static double processor(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

int main(int count, char **words)
{
    if (count != 4) {
        fputs("append FILE BYTES TIMES\n", stderr);
        return 2;
    }
    size_t size = strtoul(words[2], NULL, 10);
    long times = strtol(words[3], NULL, 10);
    char *item = calloc(1, size);
    int file = open(words[1], O_CREAT | O_TRUNC | O_WRONLY, 0644);
    if (item == NULL || file < 0) {
        perror(words[1]);
        return 1;
    }
    double begin = wall(), used = processor();
    for (long i = 0; i < times; i++)
        if (write(file, item, size) != (ssize_t)size || fdatasync(file) != 0) {
            perror(words[1]);
            return 1;
        }
    printf("%.9f %.9f\n", wall() - begin, processor() - used);
    return 0;
}
