#include "norm_pool.h"

#include <string.h>

/* The compiler makes a copy for each instruction set and the loader picks one. */
#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__) && __has_attribute(target_clones)
#define EVERY_ISA __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define EVERY_ISA
#endif
#define INLINE static inline __attribute__((always_inline))

INLINE float widen_bfloat16(uint16_t value) {
    uint32_t bits = (uint32_t)value << 16;
    float wide;
    memcpy(&wide, &bits, sizeof wide);
    return wide;
}

/* To the nearest, ties to even. */
INLINE uint16_t narrow_bfloat16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

INLINE float widen_float32(float value) {
    return value;
}

INLINE float narrow_float32(float value) {
    return value;
}

#define VALUE uint16_t
#define OF_TYPE(name) name##_bfloat16
#include "norm_pool.inc"
#undef VALUE
#undef OF_TYPE

#define VALUE float
#define OF_TYPE(name) name##_float32
#include "norm_pool.inc"
#undef VALUE
#undef OF_TYPE

/* Calls a pass in the features' type. */
#define PASS(name, ...) \
    do { \
        if (of->value_bytes == sizeof(float)) \
            name##_float32(__VA_ARGS__); \
        else \
            name##_bfloat16(__VA_ARGS__); \
    } while (0)

EVERY_ISA void rascanet_norm_moments(const rascanet_features *of, const void *in, float *sums, float *squares) {
    PASS(moments, of, in, sums, squares);
}

EVERY_ISA void rascanet_norm_pool(const rascanet_features *of, const void *in, const float *scale, const float *shift,
                                  float *scratch, void *out) {
    PASS(pool, of, in, scale, shift, scratch, out);
}

EVERY_ISA void rascanet_norm_pool_gradient_sums(const rascanet_features *of, const void *in, const float *scale,
                                                const float *shift, const void *gradient, float *scratch, float *sums,
                                                float *products) {
    PASS(gradient_sums, of, in, scale, shift, gradient, scratch, sums, products);
}

EVERY_ISA void rascanet_norm_pool_backward(const rascanet_features *of, const void *in, const float *scale,
                                           const float *shift, const void *gradient, const float *by_gradient,
                                           const float *by_in, const float *constant, float *scratch,
                                           void *in_gradient) {
    PASS(backward, of, in, scale, shift, gradient, by_gradient, by_in, constant, scratch, in_gradient);
}
