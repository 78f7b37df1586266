/* The fused step of RaScaNet: no allocation, no I/O, no global state; every buffer is the caller's. */
#ifndef RASCANET_KERNEL_H
#define RASCANET_KERNEL_H

#include <stddef.h>
#include <stdint.h>

enum {
    RASCANET_ROWS = 5,     /* of a burst */
    RASCANET_CHANNELS = 3, /* of a pixel */
    RASCANET_COLUMNS = 16, /* of pixels to a column of the hidden state */
    RASCANET_OUTPUTS = 4   /* of a step, for each burst */
};

/* The sizes that RaScaNetConfig has; bursts are five rows of `width` RGB pixels. */
typedef struct {
    int32_t width;   /* 16 .. 4096 */
    int32_t hidden;  /* channels of the hidden state, 4 .. 1024, a multiple of 4 */
    int32_t head[4]; /* output channels of a head's blocks, 1 .. 512 each */
} rascanet_shape;

/* A layer with its batch norm folded in: weight in the order of the checkpoint, bias one value an output. */
typedef struct {
    const float *weight, *bias;
} rascanet_layer;

/* conv[block * 2 + head], squeeze, excite, project[2], gate[reset, update, candidate], reduce, classify, confidence */
typedef struct {
    rascanet_layer conv[8], squeeze, excite, project[2], gate[3], reduce, classify, confidence;
} rascanet_layers;

typedef struct {
    const char *name;
    int (*supported)(void);
    /* floats that `pack` writes; 0 for a shape out of range */
    size_t (*packed_floats)(const rascanet_shape *shape);
    /* floats that `step` needs as scratch; 0 for a shape out of range */
    size_t (*scratch_floats)(const rascanet_shape *shape);
    /* 0, or -1 for a shape out of range */
    int (*pack)(const rascanet_shape *shape, const rascanet_layers *layers, float *packed);
    /* Advances by n bursts: rows uint8 (n * 5, width, 3); hidden (C, width / 16), overwritten; outputs (n, 4):
       logits of no person and person, confidence and P(person) in 0 .. 1. 0, or -1 for a shape out of range. */
    int (*step)(const rascanet_shape *shape, const float *packed, const uint8_t *rows, size_t bursts, float *hidden,
                float *outputs, float *scratch);
} rascanet_isa;

/* The instruction sets that this build has, best first; NULL past the last. */
const rascanet_isa *rascanet_isa_at(size_t index);

/* A network ready to run, for bindings. */
typedef struct {
    const rascanet_isa *isa;
    rascanet_shape shape;
    const float *packed;
    size_t scratch_floats;
} rascanet_network;

extern const rascanet_isa rascanet_plain;
#if defined(__x86_64__)
extern const rascanet_isa rascanet_avx2;
extern const rascanet_isa rascanet_avx512;
#endif

#endif
