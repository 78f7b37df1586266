/* What the fuzz targets share: numbers out of arbitrary bytes.

   With clang's -fsanitize=fuzzer the bytes are chosen by coverage; without, `main` draws them: PROGRAM COUNT SEED. */
#ifndef RASCANET_FUZZ_H
#define RASCANET_FUZZ_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const uint8_t *at;
    size_t left;
    uint32_t state;
} source;

/* A byte of the input, then of a generator that the input seeds. */
static uint8_t next_byte(source *from) {
    if (from->left) {
        from->left--;
        from->state = from->state * 31u + *from->at;
        return *from->at++;
    }
    from->state = from->state * 1664525u + 1013904223u;
    return (uint8_t)(from->state >> 24);
}

static int32_t next_int(source *from) {
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) value = value << 8 | next_byte(from);
    return (int32_t)value;
}

static size_t largest(size_t a, size_t b) { return a > b ? a : b; }

static void check(int holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "fuzz: %s\n", what);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifndef RASCANET_LIBFUZZER
int main(int count, char **arguments) {
    long inputs = count > 1 ? atol(arguments[1]) : 1000;
    uint32_t state = count > 2 ? (uint32_t)atol(arguments[2]) : 1;
    uint8_t data[64];
    for (long i = 0; i < inputs; i++) {
        for (size_t j = 0; j < sizeof data; j++) {
            state = state * 1664525u + 1013904223u;
            data[j] = (uint8_t)(state >> 24);
        }
        LLVMFuzzerTestOneInput(data, sizeof data);
    }
    printf("%ld inputs\n", inputs);
    return 0;
}
#endif
#endif
