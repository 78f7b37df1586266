/* Batch norm, ReLU and 1x2 max-pool as one, for training: what torch does in five passes over the features.
   Features are bfloat16 or float32 (value_bytes 2 or 4), channels last: (rows, columns, channels); a row is columns *
   channels values. Arguments with one value for each of them, [row], repeat a channel's value in every column. Scratch
   is 6 rows of floats. */
#ifndef RASCANET_NORM_POOL_H
#define RASCANET_NORM_POOL_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    size_t rows, columns, channels, value_bytes;
} rascanet_features;

/* Sums and sums of squares over the rows, each [row]. */
void rascanet_norm_moments(const rascanet_features *of, const void *in, float *sums, float *squares);

/* out (rows, columns / 2, channels) = max(0, scale * in + shift) of the larger of two columns; scale, shift [row]. */
void rascanet_norm_pool(const rascanet_features *of, const void *in, const float *scale, const float *shift,
                        float *scratch, void *out);

/* What the scale's and shift's gradients are made of: sums over the rows of d and d * in, each [row], where d is the
   gradient before the norm's scale; gradient: of `out`. */
void rascanet_norm_pool_gradient_sums(const rascanet_features *of, const void *in, const float *scale,
                                      const float *shift, const void *gradient, float *scratch, float *sums,
                                      float *products);

/* in_gradient = by_gradient * d + by_in * in + constant, each factor [row]. */
void rascanet_norm_pool_backward(const rascanet_features *of, const void *in, const float *scale,
                                 const float *shift, const void *gradient, const float *by_gradient,
                                 const float *by_in, const float *constant, float *scratch, void *in_gradient);

#endif
