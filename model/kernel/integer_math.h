/* The arithmetic of the integer network: as `model/integer/arithmetic.py` defines it, to the bit. */
#ifndef RASCANET_INTEGER_MATH_H
#define RASCANET_INTEGER_MATH_H

#include "integer.h"

#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>
#elif defined(__ARM_FEATURE_DSP)
#include <arm_acle.h>
#endif

#ifndef INLINE /* a build for sanitizers has its own, and its own UNROLL: one copy of a tile is enough there */
#define INLINE static inline __attribute__((always_inline))
#endif

enum {
    MIXED_BITS = 8,
    UNIT_BITS = 15,
    REDUCED_BITS = 11,
    PIECE_BITS = 10,
    FINE_BITS = 3,
    MOST_LOGIT = (1 << 23) - 1,
};

extern const int16_t rascanet_sigmoid_table[32][3]; /* value at the left end, slope, bend */

static inline int in_range(const rascanet_integer_network *network) {
    for (int block = 0; block < 4; block++)
        if (network->head[block] < 1 || network->head[block] > 512)
            return 0;
    return network->width >= 16 && network->width <= 4096 && network->hidden >= 4 && network->hidden <= 1024 &&
           network->hidden % 4 == 0;
}

static inline int64_t requantised(int32_t sum, int32_t multiplier, int32_t shift) {
    const int32_t right = 31 - shift;
    return ((int64_t)sum * multiplier + ((int64_t)1 << (right - 1))) >> right;
}

static inline int32_t to_int16(int64_t value) {
    return value > INT16_MAX ? INT16_MAX : value < INT16_MIN ? INT16_MIN : (int32_t)value;
}

/* Cut at zero: that is the ReLU. */
static inline uint8_t to_byte(int64_t value) { return value > 255 ? 255 : value < 0 ? 0 : (uint8_t)value; }

static inline uint8_t rectified(const rascanet_integer_layer *layer, size_t o, int32_t sum) {
    return sum <= 0 ? 0 : to_byte(requantised(sum, layer->multiplier[o], layer->shift[o]));
}

static inline int32_t scaled_int16(const rascanet_integer_layer *layer, size_t o, int32_t sum) {
    return to_int16(requantised(sum, layer->multiplier[o], layer->shift[o]));
}

static inline int32_t scaled_logit(const rascanet_integer_layer *layer, size_t o, int32_t sum) {
    const int64_t value = requantised(sum, layer->multiplier[o], layer->shift[o]);
    return value > MOST_LOGIT ? MOST_LOGIT : value < -MOST_LOGIT ? -MOST_LOGIT : (int32_t)value;
}

static inline int32_t gate_value(const rascanet_integer_layer *layer, size_t o, int32_t sum) {
    return rascanet_integer_sigmoid(scaled_int16(layer, o, sum));
}

static inline int32_t tanh_value(int32_t argument) {
    return 2 * rascanet_integer_sigmoid(to_int16(2 * (int64_t)argument)) - (1 << UNIT_BITS);
}

/* Of two Q0.15, one of them below 1 in size: the sum stays in 32 bits for factors up to 2 in size. */
static inline int32_t product(int32_t a, int32_t b) { return (a * b + (1 << (UNIT_BITS - 1))) >> UNIT_BITS; }

static inline int32_t hard_swish(int32_t value) {
    const int32_t three = 3 << REDUCED_BITS, shifted = value + three;
    const int32_t cut = shifted < 0 ? 0 : shifted > 2 * three ? 2 * three : shifted;
    return (int32_t)requantised(value * cut, 0x55555555, -13); /* 1 / (6 << 11) */
}

/* Mean plus maximum over the columns, Q1.14. */
static inline void pool(const rascanet_integer_network *network, const int16_t *state, int16_t *pooled) {
    const size_t columns = (size_t)network->width / 16, channels = (size_t)network->hidden;
    for (size_t channel = 0; channel < channels; channel++) {
        int32_t sum = 0, most = INT16_MIN;
        for (size_t column = 0; column < columns; column++) {
            const int32_t value = state[column * channels + channel];
            sum += value;
            most = value > most ? value : most;
        }
        pooled[channel] = (int16_t)to_int16(requantised(sum + (int32_t)columns * most, network->pooling_multiplier,
                                                        network->pooling_shift));
    }
}

/* The sum of products of 16-bit values and weights. */
INLINE int32_t dot_wide(const int16_t *x, const int8_t *w, size_t count) {
    int32_t sum = 0;
#if defined(__ARM_FEATURE_MVE)
    for (; count >= 8; count -= 8, x += 8, w += 8)
        sum = vmladavaq_s16(sum, vldrhq_s16(x), vldrbq_s16(w));
    if (count) {
        const mve_pred16_t first = vctp16q((uint32_t)count);
        sum = vmladavaq_p_s16(sum, vldrhq_z_s16(x, first), vldrbq_z_s16(w, first), first);
    }
#else
#if defined(__ARM_FEATURE_DSP)
    for (; count >= 4; count -= 4, x += 4, w += 4) {
        uint32_t low, high, four_w;
        __builtin_memcpy(&low, x, 4);
        __builtin_memcpy(&high, x + 2, 4);
        __builtin_memcpy(&four_w, w, 4);
        const uint32_t even = __sxtb16(four_w), odd = __sxtb16(four_w >> 8 | four_w << 24);
        sum = __smlad((int16x2_t)low, (int16x2_t)((even & 0xffff) | odd << 16), sum);
        sum = __smlad((int16x2_t)high, (int16x2_t)(even >> 16 | (odd & 0xffff0000)), sum);
    }
#endif
    for (; count; count--)
        sum += *x++ * *w++;
#endif
    return sum;
}

/* Logits, confidence and P(person) of the classifier's reduced layer, which is overwritten, and the confidence's argument. */
static inline void decide(const rascanet_integer_network *network, int16_t *reduced, int32_t confidence,
                          rascanet_integer_output *output) {
    const size_t r = (size_t)network->hidden / 4;
    for (size_t o = 0; o < r; o++)
        reduced[o] = (int16_t)hard_swish(reduced[o]);
    for (size_t o = 0; o < 2; o++)
        output->logits[o] = scaled_logit(
            &network->classify, o, network->classify.bias[o] + dot_wide(reduced, network->classify.weight + o * r, r));
    output->confidence = rascanet_integer_sigmoid(confidence);
    output->p_person = rascanet_integer_sigmoid(to_int16((int64_t)output->logits[1] - output->logits[0]));
}

#endif
