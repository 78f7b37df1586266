#include "norm_pool.h"

#include <string.h>

/* The compiler makes a copy for each instruction set and the loader picks one. */
#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__) && __has_attribute(target_clones)
#define EVERY_ISA __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define EVERY_ISA
#endif
#define INLINE static inline __attribute__((always_inline))

INLINE float widen(uint16_t value) {
    uint32_t bits = (uint32_t)value << 16;
    float wide;
    memcpy(&wide, &bits, sizeof wide);
    return wide;
}

/* To the nearest, ties to even. */
INLINE uint16_t narrow(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

INLINE void normalise(size_t row, const uint16_t *restrict in, const float *restrict scale,
                      const float *restrict shift, float *restrict normed) {
    for (size_t i = 0; i < row; i++)
        normed[i] = widen(in[i]) * scale[i] + shift[i];
}

/* A row on its way back; `normed` has room for the neighbours of its outer columns. */
typedef struct {
    float *normed, *routed;
    uint16_t *spread;
    uint16_t *left; /* 1 in the first of two columns */
} route_scratch;

INLINE route_scratch divide(const rascanet_features *of, float *scratch) {
    size_t channels = of->channels, row = of->columns * channels;
    route_scratch parts = {scratch + channels, scratch + row + 2 * channels, NULL, NULL};
    parts.spread = (uint16_t *)(parts.routed + row);
    parts.left = parts.spread + row;
    for (size_t i = 0; i < row; i++)
        parts.left[i] = (i / channels + 1) % 2;
    return parts;
}

/* Each pooled gradient to both of its columns; 0 to the last of an odd number, which has no part in the output. */
INLINE void spread(const rascanet_features *of, const uint16_t *gradient, uint16_t *to) {
    size_t channels = of->channels, bytes = channels * sizeof *gradient, column = 0;
    for (; column + 2 <= of->columns; column += 2, gradient += channels) {
        memcpy(to + column * channels, gradient, bytes);
        memcpy(to + (column + 1) * channels, gradient, bytes);
    }
    memset(to + column * channels, 0, (of->columns - column) * bytes);
}

/* A row's gradient before the norm's scale: the pooled one where the larger of two columns, the first of equals, is
   above 0. One loop over the row, not one over pairs: compilers make vectors of long loops alone. */
INLINE void route(const rascanet_features *of, const uint16_t *in, const float *scale, const float *shift,
                  const uint16_t *gradient, const route_scratch *parts) {
    size_t channels = of->channels, row = of->columns * channels;
    const float *restrict normed = parts->normed;
    const uint16_t *restrict both = parts->spread, *restrict left = parts->left;
    float *restrict routed = parts->routed;
    normalise(row, in, scale, shift, parts->normed);
    spread(of, gradient, parts->spread);
    for (size_t i = 0; i < row; i++) {
        float value = normed[i], before = normed[i - channels], after = normed[i + channels];
        uint32_t wins = (left[i] & (value >= after)) | (~left[i] & (value > before));
        uint32_t bits = (uint32_t)both[i] << 16 & -(wins & (value > 0));
        memcpy(&routed[i], &bits, sizeof bits);
    }
}

EVERY_ISA void rascanet_norm_moments(const rascanet_features *of, const uint16_t *restrict in, float *restrict sums,
                                     float *restrict squares) {
    size_t row = of->columns * of->channels;
    memset(sums, 0, row * sizeof *sums);
    memset(squares, 0, row * sizeof *squares);
    for (size_t r = 0; r < of->rows; r++, in += row)
        for (size_t i = 0; i < row; i++) {
            float value = widen(in[i]);
            sums[i] += value;
            squares[i] += value * value;
        }
}

EVERY_ISA void rascanet_norm_pool(const rascanet_features *of, const uint16_t *restrict in,
                                  const float *restrict scale, const float *restrict shift, float *restrict scratch,
                                  uint16_t *restrict out) {
    size_t channels = of->channels, row = of->columns * channels, pairs = of->columns / 2;
    uint16_t *restrict larger = (uint16_t *)(scratch + row); /* of each column and the next: every second one counts */
    for (size_t r = 0; r < of->rows; r++, in += row) {
        normalise(row, in, scale, shift, scratch);
        for (size_t i = 0; i + channels < row; i++) {
            float left = scratch[i], right = scratch[i + channels];
            float value = left > right ? left : right;
            larger[i] = narrow(value > 0 ? value : 0);
        }
        for (size_t pair = 0; pair < pairs; pair++, out += channels)
            memcpy(out, larger + 2 * pair * channels, channels * sizeof *out);
    }
}

EVERY_ISA void rascanet_norm_pool_gradient_sums(const rascanet_features *of, const uint16_t *restrict in,
                                                const float *restrict scale, const float *restrict shift,
                                                const uint16_t *restrict gradient, float *restrict scratch,
                                                float *restrict sums, float *restrict products) {
    size_t row = of->columns * of->channels, pooled = of->columns / 2 * of->channels;
    route_scratch parts = divide(of, scratch);
    const float *restrict routed = parts.routed;
    memset(sums, 0, row * sizeof *sums);
    memset(products, 0, row * sizeof *products);
    for (size_t r = 0; r < of->rows; r++, in += row, gradient += pooled) {
        route(of, in, scale, shift, gradient, &parts);
        for (size_t i = 0; i < row; i++) {
            sums[i] += routed[i];
            products[i] += routed[i] * widen(in[i]);
        }
    }
}

EVERY_ISA void rascanet_norm_pool_backward(const rascanet_features *of, const uint16_t *restrict in,
                                           const float *restrict scale, const float *restrict shift,
                                           const uint16_t *restrict gradient, const float *restrict by_gradient,
                                           const float *restrict by_in, const float *restrict constant,
                                           float *restrict scratch, uint16_t *restrict in_gradient) {
    size_t row = of->columns * of->channels, pooled = of->columns / 2 * of->channels;
    route_scratch parts = divide(of, scratch);
    const float *restrict routed = parts.routed;
    for (size_t r = 0; r < of->rows; r++, in += row, gradient += pooled, in_gradient += row) {
        route(of, in, scale, shift, gradient, &parts);
        for (size_t i = 0; i < row; i++)
            in_gradient[i] = narrow(by_gradient[i] * routed[i] + by_in[i] * widen(in[i]) + constant[i]);
    }
}
