/* The integer network in plain C, row by row, in as little memory as it takes.

   Channels lie together at each column, so that the taps of a convolution are one run of bytes in each row that it reads,
   and every layer is a dot product. The first two blocks of a head are computed together, column pair by column pair, as
   soon as three rows are there, and so are the last two: no map of a first or third block is ever stored, and no map
   before its pooling. Of the second block three rows are kept, of the image three rows. The recurrent unit works on one
   column at a time, in place.

   The arena, in bytes, where the latter half of a burst reuses what the former needed:

       former half | three rows of the image          | three rows of both heads' second blocks | four columns
       latter half | features, then gated features    | (read by the heads) then projections    | four columns, a column
*/
#include "integer_math.h"

enum { ROWS = 5, KEPT_ROWS = 3, CHANNELS = 3, WINDOW = 4, PIXEL_ZERO = 128 };

/* The sum of products of bytes and weights. */
INLINE int32_t dot(const uint8_t *x, const int8_t *w, size_t count) {
    int32_t sum = 0;
#if defined(__ARM_FEATURE_MVE)
    for (; count >= 8; count -= 8, x += 8, w += 8)
        sum = vmladavaq_s16(sum, vreinterpretq_s16_u16(vldrbq_u16(x)), vldrbq_s16(w));
    if (count) {
        const mve_pred16_t first = vctp16q((uint32_t)count);
        sum = vmladavaq_p_s16(sum, vreinterpretq_s16_u16(vldrbq_z_u16(x, first)), vldrbq_z_s16(w, first), first);
    }
#else
#if defined(__ARM_FEATURE_DSP)
    for (; count >= 4; count -= 4, x += 4, w += 4) {
        uint32_t four_x, four_w;
        __builtin_memcpy(&four_x, x, 4);
        __builtin_memcpy(&four_w, w, 4);
        sum = __smlad((int16x2_t)__uxtb16(four_x), __sxtb16(four_w), sum);
        sum = __smlad((int16x2_t)__uxtb16(four_x >> 8 | four_x << 24), __sxtb16(four_w >> 8 | four_w << 24), sum);
    }
#endif
    for (; count; count--)
        sum += *x++ * *w++;
#endif
    return sum;
}

/* ---- sizes ---- */

typedef struct {
    size_t width, columns[4];   /* of the image, and after each block */
    size_t head[4], hidden, reduced, features;
    size_t image, second, first_window, third_window;                     /* offsets, former half */
    size_t gated, projected, column, reset, update, squeezed, pooled, narrow; /* offsets, latter half */
    size_t bytes;
} layout;

INLINE size_t larger(size_t a, size_t b) { return a > b ? a : b; }

INLINE size_t take(size_t *at, size_t bytes) {
    const size_t here = *at;
    *at += (bytes + 3) / 4 * 4;
    return here;
}

static void lay_out(const rascanet_integer_network *network, layout *to) {
    size_t columns = to->width = (size_t)network->width;
    for (int block = 0; block < 4; block++) {
        to->columns[block] = columns /= 2;
        to->head[block] = (size_t)network->head[block];
    }
    to->hidden = (size_t)network->hidden;
    to->reduced = to->hidden / 4;
    to->features = 2 * to->head[3];
    const size_t padded = to->columns[3] + 2;
    size_t at = 0, later;
    to->image = take(&at, KEPT_ROWS * (to->width + 2) * CHANNELS);
    later = 0;
    to->gated = take(&later, padded * to->features);
    at = larger(at, later);
    to->second = later = at;
    take(&at, 2 * KEPT_ROWS * (to->columns[1] + 2) * to->head[1]);
    to->projected = take(&later, padded * to->hidden);
    to->column = take(&later, to->hidden);
    to->reset = take(&later, 2 * to->hidden);
    to->update = take(&later, 2 * to->hidden);
    to->squeezed = take(&later, to->reduced);
    to->pooled = take(&later, 2 * to->hidden);
    to->narrow = take(&later, 2 * to->reduced);
    at = larger(at, later);
    to->first_window = to->third_window = at;
    to->bytes = at + larger(WINDOW * to->head[0], WINDOW * to->head[2]);
}

size_t rascanet_integer_arena_bytes(const rascanet_integer_network *network) {
    layout sizes;
    lay_out(network, &sizes);
    return sizes.bytes;
}

uint8_t *rascanet_integer_room(const rascanet_integer_network *network, size_t row_of_burst, void *arena) {
    layout sizes;
    lay_out(network, &sizes);
    return (uint8_t *)arena + sizes.image + (row_of_burst % KEPT_ROWS * (sizes.width + 2) + 1) * CHANNELS;
}

/* ---- heads ---- */

INLINE void fill(uint8_t *to, uint8_t value, size_t count) {
    while (count--)
        *to++ = value;
}

/* Convolution at two neighbouring columns, the larger of the two, ReLU: all outputs of one pooled column. */
INLINE void pooled_column(const rascanet_integer_layer *layer, const uint8_t *const *rows, size_t kernel_rows, size_t inputs,
                          size_t outputs, uint8_t *to) {
    const size_t taps = 3 * inputs;
    const int8_t *weight = layer->weight;
    for (size_t o = 0; o < outputs; o++) {
        int32_t left = layer->bias[o], right = left;
        for (size_t row = 0; row < kernel_rows; row++, weight += taps) {
            left += dot(rows[row], weight, taps);
            right += dot(rows[row] + inputs, weight, taps);
        }
        to[o] = rectified(layer, o, left > right ? left : right);
    }
}

/* Two blocks, the second of one kernel row: `kept` columns of the first are enough for a pooled column of the second.
   The first reads `kernel_rows` rows, each beginning with the column of zeros before its first. */
static void two_blocks(const rascanet_integer_layer *first, const rascanet_integer_layer *second, const uint8_t *const *rows,
                       size_t kernel_rows, size_t inputs, size_t middle, size_t outputs, size_t middle_columns,
                       uint8_t *window, uint8_t *to, size_t stride) {
    fill(window, 0, middle); /* the column before the first */
    for (size_t column = 0, known = 0; column < middle_columns / 2; column++, to += stride) {
        for (size_t place = column ? 2 : 1; place < WINDOW; place++, known++) {
            if (known < middle_columns) {
                const uint8_t *at[KEPT_ROWS];
                for (size_t row = 0; row < kernel_rows; row++)
                    at[row] = rows[row] + 2 * known * inputs;
                pooled_column(first, at, kernel_rows, inputs, middle, window + place * middle);
            } else {
                fill(window + place * middle, 0, middle);
            }
        }
        pooled_column(second, (const uint8_t *const[]){window}, 1, middle, outputs, to);
        for (size_t i = 0; i < 2 * middle; i++)
            window[i] = window[2 * middle + i];
    }
}

/* ---- from features on ---- */

/* The sum of a layer that reads bytes and then the state or what the reset gate left of it. */
INLINE int32_t mixed(const rascanet_integer_layer *layer, size_t o, const uint8_t *narrow, size_t narrow_count,
                     const int16_t *wide, size_t wide_count) {
    const int8_t *weight = layer->weight + o * (narrow_count + wide_count);
    return layer->bias[o] + dot(narrow, weight, narrow_count) * (1 << MIXED_BITS) +
           dot_wide(wide, weight + narrow_count, wide_count);
}

INLINE void attend(const rascanet_integer_network *network, const layout *sizes, uint8_t *features, const int16_t *state,
                   uint8_t *squeezed) {
    const size_t f = sizes->features, c = sizes->hidden, r = sizes->reduced;
    for (size_t o = 0; o < r; o++)
        squeezed[o] = rectified(&network->squeeze, o, mixed(&network->squeeze, o, features, f, state, c));
    for (size_t o = 0; o < f; o++) {
        const rascanet_integer_layer *layer = &network->excite;
        const int32_t gate = layer->bias[o] + dot(squeezed, layer->weight + o * r, r);
        features[o] = to_byte(requantised(features[o] * rascanet_integer_sigmoid(scaled_int16(layer, o, gate)),
                                          network->gating_multiplier, network->gating_shift));
    }
}

INLINE void advance(const rascanet_integer_network *network, size_t c, const uint8_t *x, int16_t *state, int16_t *reset,
                    int16_t *update) {
    const rascanet_integer_layer *gate = network->gate;
    for (size_t o = 0; o < c; o++) {
        reset[o] = (int16_t)product(gate_value(gate, o, mixed(gate, o, x, c, state, c)), state[o]);
        update[o] = (int16_t)gate_value(gate + 1, o, mixed(gate + 1, o, x, c, state, c));
    }
    for (size_t o = 0; o < c; o++) {
        const int32_t candidate = tanh_value(scaled_int16(gate + 2, o, mixed(gate + 2, o, x, c, reset, c)));
        state[o] = (int16_t)(candidate + product(update[o], state[o] - candidate));
    }
}

/* Takes one of a burst's rows [column][colour]; after the last it advances `hidden` and says what the burst gives.
   Returns whether it did. */
int rascanet_integer_row(const rascanet_integer_network *network, const uint8_t *row, size_t row_of_burst, int16_t *hidden,
                         rascanet_integer_output *output, void *arena) {
    layout sizes;
    lay_out(network, &sizes);
    uint8_t *bytes = arena;
    const size_t line = (sizes.width + 2) * CHANNELS, kept_line = (sizes.columns[1] + 2) * sizes.head[1];
    uint8_t *image = bytes + sizes.image, *to = image + row_of_burst % KEPT_ROWS * line;
    fill(to, PIXEL_ZERO, CHANNELS);
    for (size_t i = 0; i < sizes.width * CHANNELS; i++)
        to[CHANNELS + i] = (uint8_t)(row[i] + (row[i] < PIXEL_ZERO));
    fill(to + CHANNELS + sizes.width * CHANNELS, PIXEL_ZERO, CHANNELS);
    if (row_of_burst < KEPT_ROWS - 1)
        return 0;
    const size_t place = row_of_burst - (KEPT_ROWS - 1);
    const uint8_t *three[KEPT_ROWS];
    for (size_t i = 0; i < KEPT_ROWS; i++)
        three[i] = image + (place + i) % KEPT_ROWS * line;
    for (size_t head = 0; head < 2; head++) {
        uint8_t *second = bytes + sizes.second + (head * KEPT_ROWS + place) * kept_line;
        fill(second, 0, sizes.head[1]);
        two_blocks(network->conv + head, network->conv + 2 + head, three, KEPT_ROWS, CHANNELS, sizes.head[0], sizes.head[1],
                   sizes.columns[0], bytes + sizes.first_window, second + sizes.head[1], sizes.head[1]);
        fill(second + (sizes.columns[1] + 1) * sizes.head[1], 0, sizes.head[1]);
    }
    if (row_of_burst < ROWS - 1)
        return 0;
    const size_t f = sizes.features, c = sizes.hidden, columns = sizes.columns[3];
    uint8_t *gated = bytes + sizes.gated, *projected = bytes + sizes.projected, *x = bytes + sizes.column;
    for (size_t head = 0; head < 2; head++) {
        for (size_t i = 0; i < KEPT_ROWS; i++)
            three[i] = bytes + sizes.second + (head * KEPT_ROWS + i) * kept_line;
        two_blocks(network->conv + 4 + head, network->conv + 6 + head, three, KEPT_ROWS, sizes.head[1], sizes.head[2],
                   sizes.head[3], sizes.columns[2], bytes + sizes.third_window, gated + f + head * sizes.head[3], f);
    }
    fill(gated, 0, f);
    fill(gated + (columns + 1) * f, 0, f);
    fill(projected, 0, c);
    fill(projected + (columns + 1) * c, 0, c);
    for (size_t column = 0; column < columns; column++)
        attend(network, &sizes, gated + (column + 1) * f, hidden + column * c, bytes + sizes.squeezed);
    for (size_t column = 0; column < columns; column++)
        for (size_t o = 0; o < c; o++)
            projected[(column + 1) * c + o] =
                rectified(network->project, o,
                          network->project[0].bias[o] + dot(gated + column * f, network->project[0].weight + o * 3 * f, 3 * f));
    for (size_t column = 0; column < columns; column++) {
        for (size_t o = 0; o < c; o++)
            x[o] = rectified(network->project + 1, o,
                             network->project[1].bias[o] +
                                 dot(projected + column * c, network->project[1].weight + o * 3 * c, 3 * c));
        advance(network, c, x, hidden + column * c, (int16_t *)(void *)(bytes + sizes.reset),
                (int16_t *)(void *)(bytes + sizes.update));
    }
    int16_t *pooled = (int16_t *)(void *)(bytes + sizes.pooled), *reduced = (int16_t *)(void *)(bytes + sizes.narrow);
    pool(network, hidden, pooled);
    for (size_t o = 0; o < sizes.reduced; o++)
        reduced[o] = (int16_t)scaled_int16(&network->reduce, o,
                                           network->reduce.bias[o] + dot_wide(pooled, network->reduce.weight + o * c, c));
    decide(network, reduced,
           scaled_int16(&network->confidence, 0,
                        network->confidence.bias[0] + dot_wide(pooled, network->confidence.weight, c)),
           output);
    return 1;
}

/* ---- the same as one of a server's instruction sets: nothing is packed ---- */

static int always(void) { return 1; }

static size_t packed_bytes(const rascanet_integer_network *network) {
    return in_range(network) ? 1 : 0;
}

static size_t scratch_bytes(const rascanet_integer_network *network) {
    return in_range(network) ? rascanet_integer_arena_bytes(network) : 0;
}

static int pack(const rascanet_integer_network *network, void *packed) {
    (void)packed;
    return in_range(network) ? 0 : -1;
}

static int step(const rascanet_integer_network *network, const void *packed, const uint8_t *rows, size_t bursts,
                int16_t *hidden, rascanet_integer_output *outputs, void *scratch) {
    (void)packed;
    if (!in_range(network))
        return -1;
    for (size_t row = 0; row < bursts * ROWS; row++, rows += network->width * CHANNELS)
        rascanet_integer_row(network, rows, row % ROWS, hidden, outputs + row / ROWS, scratch);
    return 0;
}

const rascanet_integer_isa rascanet_integer_plain = {"plain", always, packed_bytes, scratch_bytes, pack, step};
