/* The integer network, for servers, browsers and microcontrollers: no allocation, no library, no float.

   `model/integer/network.py` defines every number; this computes the same to the bit. */
#ifndef RASCANET_INTEGER_H
#define RASCANET_INTEGER_H

#include <stddef.h>
#include <stdint.h>

/* One layer: weights [output][kernel row][column tap][input] of a convolution, [output][input] of the others; from sums
   to outputs by `multiplier * 2^(shift - 31)`. Sums stay below 2^31 in size, those of convolutions below 2^30. */
typedef struct {
    const int8_t *weight;
    const int32_t *bias, *multiplier;
    const int8_t *shift;
} rascanet_integer_layer;

/* A network: sizes, layers (conv[2 * block + head]), the scale from a feature times its gate to the gated feature, and
   the scale that halves and divides by the hidden state's columns. */
typedef struct {
    int32_t width, hidden, head[4];
    rascanet_integer_layer conv[8], squeeze, excite, project[2], gate[3], reduce, classify, confidence;
    int32_t gating_multiplier, gating_shift, pooling_multiplier, pooling_shift;
} rascanet_integer_network;

/* What a burst gives: logits of no person and person (Q11.12), confidence and P(person) (Q0.15). */
typedef struct {
    int32_t logits[2], confidence, p_person;
} rascanet_integer_output;

/* One instruction set's form of the step. Weights are packed once; `step` advances `hidden` [column][channel] by so many
   bursts. `packed` and `scratch` begin on a cache line. Sizes are 0, results not 0, for a network out of range: width 16 to
   4096, hidden 4 to 1024 and a multiple of 4, outputs of a head's block 1 to 512. */
typedef struct {
    const char *name;
    int (*supported)(void);
    size_t (*packed_bytes)(const rascanet_integer_network *network);
    size_t (*scratch_bytes)(const rascanet_integer_network *network);
    int (*pack)(const rascanet_integer_network *network, void *packed);
    int (*step)(const rascanet_integer_network *network, const void *packed, const uint8_t *rows, size_t bursts,
                int16_t *hidden, rascanet_integer_output *outputs, void *scratch);
} rascanet_integer_isa;

/* A network ready to run, for bindings. */
typedef struct {
    const rascanet_integer_isa *isa;
    const rascanet_integer_network *network;
    const void *packed;
    size_t scratch_bytes;
} rascanet_integer_ready;

/* Row by row, as a microcontroller does it. */
size_t rascanet_integer_arena_bytes(const rascanet_integer_network *network);
/* Where row `row_of_burst` may be written before it is taken: then it is not copied. */
uint8_t *rascanet_integer_room(const rascanet_integer_network *network, size_t row_of_burst, void *arena);
int rascanet_integer_row(const rascanet_integer_network *network, const uint8_t *row, size_t row_of_burst, int16_t *hidden,
                         rascanet_integer_output *output, void *arena);

/* Sigmoid of Q3.12 as Q0.15. */
int32_t rascanet_integer_sigmoid(int32_t argument);

const rascanet_integer_isa *rascanet_integer_isa_at(size_t index);

#endif
