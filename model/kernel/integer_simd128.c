/* The integer step for WebAssembly's 128-bit vectors.

   As in the float kernel, columns lie in the lanes. Two neighbouring channels of a column lie together as 16-bit values,
   an *element*: one instruction multiplies four elements by a pair of weights and adds each pair of products. Maps are
   [pair of channels][row][column]; an odd last channel has a companion whose weights are zero. Before a row's first column
   and after its last there is a zero wherever a convolution reads it; lanes past the last column may hold anything.

   A pixel is held as its difference to the padding, so that the padding is zero; the bias makes up for that.

   Sums are int32 and exact, so their order doesn't matter: every result equals the plain form's. */
#include <wasm_simd128.h>

#include "integer_math.h"

enum { ROWS = 5, CHANNELS = 3, PIXEL_ZERO = 128, LANES = 4, TILE_COLUMNS = 8, MOST_PAIRS = 2, EDGE = 64 };

#define OUT_OF_LINE static __attribute__((noinline))

INLINE size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }
INLINE size_t pairs_of(size_t channels) { return (channels + 1) / 2; }

/* ---- sizes ---- */

/* How a map lies, in elements: `stride` from row to row. */
typedef struct {
    size_t channels, rows, columns, stride;
} map;

/* A layer, packed: where the elements that it reads lie, from those at the output's place on; then tile by tile biases,
   multipliers and shifts to the right of 2 * pairs outputs, and for each element that is read a pair of weights an output.
   Inputs are `groups` times `narrow` channels of bytes, then `wide` of 16 bits. */
typedef struct {
    size_t outputs, groups, narrow, kernel_rows, taps, wide;
    size_t at; /* in int32 */
} layer;

enum { CONV = 0, SQUEEZE = 8, EXCITE, PROJECT = 11, GATE = 13, LAYERS = 16 };

typedef struct {
    size_t c, r, f;
    layer layers[LAYERS];
    map image, first, second, third, features, squeezed, hidden;
    size_t packed; /* in int32 */
    size_t image_at, first_at[2], second_at[2], third_at[2], features_at, gated_at, squeezed_at, projected_at, x_at,
        state_at, reset_at, update_at, pooled_at, narrow_at;
    size_t scratch; /* in int32 */
} plan;

/* Elements that an output reads, of bytes and of 16 bits. */
INLINE size_t narrow_steps(const layer *l) { return l->groups * pairs_of(l->narrow) * l->kernel_rows * l->taps; }
INLINE size_t wide_steps(const layer *l) { return pairs_of(l->wide); }
INLINE size_t steps(const layer *l) { return narrow_steps(l) + wide_steps(l); }

INLINE void describe(plan *p, int index, size_t outputs, size_t groups, size_t narrow, size_t kernel_rows, size_t taps,
                     size_t wide) {
    layer *l = &p->layers[index];
    *l = (layer){outputs, groups, narrow, kernel_rows, taps, wide, p->packed};
    p->packed += steps(l) + 2 * pairs_of(outputs) * (3 + steps(l));
}

/* A map whose columns up to `written` are stored. */
INLINE map map_of(size_t channels, size_t rows, size_t columns, size_t written) {
    return (map){channels, rows, columns, 1 + (written > columns ? written : columns + 1)};
}

INLINE size_t map_elements(const map *m) { return pairs_of(m->channels) * m->rows * m->stride; }

/* Room for a map, and for the loads that reach past it. */
INLINE size_t take(size_t *at, size_t elements) {
    const size_t here = *at;
    *at += round_up(elements + 2 * TILE_COLUMNS, EDGE / sizeof(int32_t));
    return here;
}

static int make_plan(const rascanet_integer_network *n, plan *p) {
    if (!in_range(n))
        return -1;
    const size_t h0 = (size_t)n->head[0], h1 = (size_t)n->head[1], h2 = (size_t)n->head[2], h3 = (size_t)n->head[3];
    const size_t c = p->c = (size_t)n->hidden, r = p->r = c / 4, width = (size_t)n->width;
    p->f = 2 * h3;
    p->packed = 0;
    for (int head = 0; head < 2; head++) {
        describe(p, CONV + head, h0, 1, CHANNELS, 3, 3, 0);
        describe(p, CONV + 2 + head, h1, 1, h0, 1, 3, 0);
        describe(p, CONV + 4 + head, h2, 1, h1, 3, 3, 0);
        describe(p, CONV + 6 + head, h3, 1, h2, 1, 3, 0);
        describe(p, EXCITE + head, h3, 1, r, 1, 1, 0);
    }
    describe(p, SQUEEZE, r, 2, h3, 1, 1, c);
    describe(p, PROJECT, c, 2, h3, 1, 3, 0);
    describe(p, PROJECT + 1, c, 1, c, 1, 3, 0);
    for (int gate = 0; gate < 3; gate++)
        describe(p, GATE + gate, c, 1, c, 1, 1, c);
    const size_t columns = width / 16, written = round_up(columns, TILE_COLUMNS);
    p->image = map_of(CHANNELS, ROWS, width, width);
    p->first = map_of(h0, 3, width / 2, round_up(width, TILE_COLUMNS) / 2);
    p->second = map_of(h1, 3, width / 4, round_up(width / 2, TILE_COLUMNS) / 2);
    p->third = map_of(h2, 1, width / 8, round_up(width / 4, TILE_COLUMNS) / 2);
    p->features = map_of(h3, 1, columns, written); /* of one head */
    p->squeezed = map_of(r, 1, columns, written);
    p->hidden = map_of(c, 1, columns, written);
    size_t at = 0;
    p->image_at = take(&at, map_elements(&p->image));
    for (int head = 0; head < 2; head++) {
        p->first_at[head] = take(&at, map_elements(&p->first));
        p->second_at[head] = take(&at, map_elements(&p->second));
        p->third_at[head] = take(&at, map_elements(&p->third));
    }
    p->features_at = take(&at, 2 * map_elements(&p->features));
    p->gated_at = take(&at, 2 * map_elements(&p->features));
    p->squeezed_at = take(&at, map_elements(&p->squeezed));
    p->projected_at = take(&at, map_elements(&p->hidden));
    p->x_at = take(&at, map_elements(&p->hidden));
    p->state_at = take(&at, map_elements(&p->hidden));
    p->reset_at = take(&at, map_elements(&p->hidden));
    p->update_at = take(&at, map_elements(&p->hidden));
    p->pooled_at = take(&at, c);
    p->narrow_at = take(&at, r);
    p->scratch = at;
    return 0;
}

static size_t packed_bytes(const rascanet_integer_network *network) {
    plan p;
    return make_plan(network, &p) ? 0 : p.packed * sizeof(int32_t);
}

static size_t scratch_bytes(const rascanet_integer_network *network) {
    plan p;
    return make_plan(network, &p) ? 0 : p.scratch * sizeof(int32_t);
}

/* ---- packing ---- */

/* Pairs of outputs in a tile of which the first is pair `first`: as even as can be. */
INLINE size_t tile_pairs(size_t pairs, size_t first) {
    const size_t left = pairs - first, tiles = (left + MOST_PAIRS - 1) / MOST_PAIRS;
    return (left + tiles - 1) / tiles;
}

/* Two weights as one element; what is past the last channel is zero. */
INLINE int32_t element(int32_t low, int32_t high) { return (low & 0xffff) | (int32_t)((uint32_t)high << 16); }

/* Packs a layer that reads `narrow` and `wide` maps. `first_output` of the layer in `from` is the first of these; a pixel's
   bias makes up for `zero` in each input. */
static void pack_layer(const layer *l, const rascanet_integer_layer *from, const map *narrow_map, const map *wide_map,
                       size_t first_output, int32_t zero, int32_t *packed) {
    int32_t *to = packed + l->at;
    for (size_t pair = 0; pair < l->groups * pairs_of(l->narrow); pair++)
        for (size_t k = 0; k < l->kernel_rows; k++)
            for (size_t tap = 0; tap < l->taps; tap++)
                *to++ = (int32_t)((pair * narrow_map->rows + k) * narrow_map->stride + tap) - (l->taps == 3);
    for (size_t pair = 0; pair < wide_steps(l); pair++)
        *to++ = (int32_t)(pair * wide_map->stride);
    const size_t narrow = l->groups * l->narrow, pairs = pairs_of(l->outputs);
    const size_t inputs = l->kernel_rows * l->taps * narrow + l->wide; /* weights of an output */
    for (size_t first = 0, count; first < pairs; first += count) {
        count = tile_pairs(pairs, first);
        const size_t outputs = 2 * count;
        for (size_t i = 0; i < outputs; i++) {
            const size_t o = 2 * first + i, source = first_output + o;
            const int exists = o < l->outputs;
            int32_t sum = 0;
            for (size_t k = 0; exists && zero && k < inputs; k++)
                sum += from->weight[source * inputs + k];
            to[i] = exists ? from->bias[source] + zero * sum : 0;
            to[outputs + i] = exists ? from->multiplier[source] : 0;
            to[2 * outputs + i] = exists ? 31 - from->shift[source] : 32;
            int32_t *weights = to + 3 * outputs + i;
            const int8_t *weight = from->weight + source * inputs;
            for (size_t group = 0; group < l->groups; group++)
                for (size_t channel = 0; channel < l->narrow; channel += 2)
                    for (size_t place = 0; place < l->kernel_rows * l->taps; place++, weights += outputs) {
                        const int8_t *at = weight + place * narrow + group * l->narrow + channel;
                        *weights = exists ? element(at[0], channel + 1 < l->narrow ? at[1] : 0) : 0;
                    }
            for (size_t channel = 0; channel < l->wide; channel += 2, weights += outputs)
                *weights = exists ? element(weight[narrow + channel], weight[narrow + channel + 1]) : 0;
        }
        to += outputs * (3 + steps(l));
    }
}

static int pack(const rascanet_integer_network *n, void *packed) {
    plan p;
    if (make_plan(n, &p))
        return -1;
    const map *maps[] = {&p.image, &p.first, &p.second, &p.third}, *last = &p.hidden;
    for (size_t i = 0; i < 8; i++)
        pack_layer(p.layers + CONV + i, n->conv + i, maps[i / 2], last, 0, i < 2 ? PIXEL_ZERO : 0, packed);
    pack_layer(p.layers + SQUEEZE, &n->squeeze, &p.features, last, 0, 0, packed);
    for (size_t head = 0; head < 2; head++)
        pack_layer(p.layers + EXCITE + head, &n->excite, &p.squeezed, last, head * p.layers[EXCITE].outputs, 0, packed);
    for (size_t i = 0; i < 2; i++)
        pack_layer(p.layers + PROJECT + i, n->project + i, i ? last : &p.features, last, 0, 0, packed);
    for (size_t i = 0; i < 3; i++)
        pack_layer(p.layers + GATE + i, n->gate + i, last, last, 0, 0, packed);
    return 0;
}

/* ---- four lanes ---- */

#define ALL(x) wasm_i32x4_splat(x)
#define ADD(a, b) wasm_i32x4_add(a, b)

/* `multiplier * sums`, rounded, shifted to the right, without what is past 32 bits. */
INLINE v128_t requantised4(v128_t sums, int32_t multiplier, int32_t right) {
    const v128_t m = ALL(multiplier);
    v128_t low = wasm_i64x2_extmul_low_i32x4(sums, m), high = wasm_i64x2_extmul_high_i32x4(sums, m);
    if (right > 32) /* the rounding leaves the lower half alone */
        return wasm_i32x4_shr(ADD(wasm_i32x4_shuffle(low, high, 1, 3, 5, 7), ALL(1 << (right - 33))), (uint32_t)(right - 32));
    const v128_t half = wasm_i64x2_splat((int64_t)1 << (right - 1));
    low = wasm_i64x2_shr(wasm_i64x2_add(low, half), (uint32_t)right);
    high = wasm_i64x2_shr(wasm_i64x2_add(high, half), (uint32_t)right);
    return wasm_i32x4_shuffle(low, high, 0, 2, 4, 6);
}

INLINE v128_t cut(v128_t values, int32_t least, int32_t most) {
    return wasm_i32x4_min(wasm_i32x4_max(values, ALL(least)), ALL(most));
}

/* Two channels of four columns. */
INLINE v128_t elements(v128_t low, v128_t high) {
    return wasm_v128_or(wasm_v128_and(low, ALL(0xffff)), wasm_i32x4_shl(high, 16));
}

INLINE v128_t low_of(v128_t e) { return wasm_i32x4_shr(wasm_i32x4_shl(e, 16), 16); }
INLINE v128_t high_of(v128_t e) { return wasm_i32x4_shr(e, 16); }

/* Zero from column `columns` on, for four columns from `column` on. */
INLINE v128_t first_columns(v128_t e, size_t column, size_t columns) {
    const int32_t left = (int32_t)columns - (int32_t)column;
    return wasm_v128_and(e, wasm_i32x4_lt(wasm_i32x4_make(0, 1, 2, 3), ALL(left)));
}

/* A piece of the sigmoid: value, slope, bend. */
typedef struct {
    int16_t value, slope;
    int32_t bend;
} piece;

INLINE void load_pieces(piece *to) {
    for (size_t i = 0; i < 32; i++)
        to[i] = (piece){rascanet_sigmoid_table[i][0], rascanet_sigmoid_table[i][1], rascanet_sigmoid_table[i][2]};
}

/* Of Q3.12 within int16. */
INLINE v128_t sigmoid4(const piece *table, v128_t arguments) {
    const v128_t size = wasm_i32x4_min(wasm_i32x4_abs(arguments), ALL(INT16_MAX));
    const v128_t index = wasm_u32x4_shr(size, PIECE_BITS), place = wasm_v128_and(size, ALL((1 << PIECE_BITS) - 1));
    v128_t a = wasm_v128_load64_zero(table + wasm_i32x4_extract_lane(index, 0));
    v128_t b = wasm_v128_load64_zero(table + wasm_i32x4_extract_lane(index, 2));
    a = wasm_v128_load64_lane(table + wasm_i32x4_extract_lane(index, 1), a, 1);
    b = wasm_v128_load64_lane(table + wasm_i32x4_extract_lane(index, 3), b, 1);
    const v128_t both = wasm_i32x4_shuffle(a, b, 0, 2, 4, 6), bend = wasm_i32x4_shuffle(a, b, 1, 3, 5, 7);
    const v128_t bent = ADD(wasm_i32x4_mul(bend, place), ALL(1 << (PIECE_BITS - 1)));
    const v128_t steep = ADD(wasm_i32x4_shr(both, 16), wasm_i32x4_shr(bent, PIECE_BITS));
    const v128_t rise = ADD(wasm_i32x4_mul(steep, place), ALL(1 << (PIECE_BITS + FINE_BITS - 1)));
    const v128_t above = ADD(wasm_v128_and(both, ALL(0xffff)), wasm_i32x4_shr(rise, PIECE_BITS + FINE_BITS));
    const v128_t below = wasm_i32x4_shr(arguments, 31);
    return ADD(wasm_v128_xor(above, below), wasm_v128_and(below, ALL((1 << UNIT_BITS) + 1))); /* -x is ~x + 1 */
}

INLINE v128_t product4(v128_t a, v128_t b) {
    return wasm_i32x4_shr(ADD(wasm_i32x4_mul(a, b), ALL(1 << (UNIT_BITS - 1))), UNIT_BITS);
}

/* ---- layers ---- */

/* sum += weights * elements, for `outputs` by two vectors of columns; returns the next weights. One loop with a short body:
   engines load all that a body reads before they compute, and spill what doesn't fit. */
INLINE const int32_t *accumulate(const size_t outputs, v128_t (*sum)[2], const int32_t *in, const int32_t *places,
                                 size_t count, const int32_t *weights) {
#pragma clang loop unroll(disable)
    for (const int32_t *end = places + count; places < end; places++, weights += outputs) {
        const int32_t *at = in + *places;
        const v128_t left = wasm_v128_load(at), right = wasm_v128_load(at + LANES);
#pragma GCC unroll 4
        for (size_t i = 0; i < outputs; i++) {
            const v128_t w = wasm_v128_load32_splat(weights + i);
            sum[i][0] = ADD(sum[i][0], wasm_i32x4_dot_i16x8(left, w));
            sum[i][1] = ADD(sum[i][1], wasm_i32x4_dot_i16x8(right, w));
        }
    }
    return weights;
}

/* What becomes of sums. */
enum use { POOL, BYTES, GATED, RESET, UPDATE, NEXT };

/* A layer at work: where the inputs and outputs are, at the first column. */
typedef struct {
    const layer *layer;
    const int32_t *packed;
    const int32_t *narrow, *wide;
    size_t columns; /* of the output */
    int32_t *to;
    size_t to_step; /* from pair to pair */
    const int32_t *features;
    int32_t *state;
    const int32_t *update;
    const rascanet_integer_network *network;
    const piece *table;
} task;

/* Sums of a tile of pairs of outputs at eight columns. */
INLINE void tile_sums(const size_t pairs, const task *t, size_t column, const int32_t *weights, v128_t (*out)[2]) {
    const layer *l = t->layer;
    const size_t outputs = 2 * pairs;
    v128_t sum[2 * MOST_PAIRS][2];
#pragma GCC unroll 4
    for (size_t i = 0; i < outputs; i++)
        sum[i][0] = sum[i][1] = ALL(0);
    const int32_t *places = t->packed + l->at;
    weights = accumulate(outputs, sum, t->narrow + column, places, narrow_steps(l), weights);
    if (l->wide) {
#pragma GCC unroll 4
        for (size_t i = 0; i < outputs; i++)
            sum[i][0] = wasm_i32x4_shl(sum[i][0], MIXED_BITS), sum[i][1] = wasm_i32x4_shl(sum[i][1], MIXED_BITS);
        accumulate(outputs, sum, t->wide + column, places + narrow_steps(l), wide_steps(l), weights);
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < outputs; i++)
        out[i][0] = sum[i][0], out[i][1] = sum[i][1];
}

OUT_OF_LINE void tile_1(const task *t, size_t column, const int32_t *weights, v128_t (*out)[2]) {
    tile_sums(1, t, column, weights, out);
}
OUT_OF_LINE void tile_2(const task *t, size_t column, const int32_t *weights, v128_t (*out)[2]) {
    tile_sums(2, t, column, weights, out);
}
/* Sums of one pair of outputs at four columns to what they are for. */
INLINE void use_sums(const task *t, const enum use use, const int32_t *scale, size_t outputs, size_t pair, size_t column,
                     v128_t low, v128_t high) {
    low = ADD(low, ALL(scale[0])), high = ADD(high, ALL(scale[1]));
    const int bytes = use == POOL || use == BYTES;
    if (bytes) /* the ReLU */
        low = wasm_i32x4_max(low, ALL(0)), high = wasm_i32x4_max(high, ALL(0));
    low = requantised4(low, scale[outputs], scale[2 * outputs]);
    high = requantised4(high, scale[outputs + 1], scale[2 * outputs + 1]);
    int32_t *to = t->to + pair * t->to_step + column;
    if (bytes) {
        const v128_t e = elements(wasm_i32x4_min(low, ALL(255)), wasm_i32x4_min(high, ALL(255)));
        wasm_v128_store(to, column + LANES <= t->columns ? e : first_columns(e, column, t->columns));
        return;
    }
    low = cut(low, INT16_MIN, INT16_MAX), high = cut(high, INT16_MIN, INT16_MAX);
    if (use == NEXT)
        low = cut(ADD(low, low), INT16_MIN, INT16_MAX), high = cut(ADD(high, high), INT16_MIN, INT16_MAX);
    low = sigmoid4(t->table, low), high = sigmoid4(t->table, high);
    if (use == GATED) {
        const v128_t feature = wasm_v128_load(t->features + pair * t->to_step + column);
        const int32_t multiplier = t->network->gating_multiplier, right = 31 - t->network->gating_shift;
        low = cut(requantised4(wasm_i32x4_mul(low_of(feature), low), multiplier, right), 0, 255);
        high = cut(requantised4(wasm_i32x4_mul(high_of(feature), high), multiplier, right), 0, 255);
    } else if (use == RESET) {
        const v128_t state = wasm_v128_load(t->state + pair * t->to_step + column);
        low = product4(low, low_of(state)), high = product4(high, high_of(state));
    } else if (use == NEXT) {
        const v128_t state = wasm_v128_load(t->state + pair * t->to_step + column);
        const v128_t update = wasm_v128_load(t->update + pair * t->to_step + column);
        low = wasm_i32x4_sub(ADD(low, low), ALL(1 << UNIT_BITS)), high = wasm_i32x4_sub(ADD(high, high), ALL(1 << UNIT_BITS));
        low = ADD(low, product4(low_of(update), wasm_i32x4_sub(low_of(state), low)));
        high = ADD(high, product4(high_of(update), wasm_i32x4_sub(high_of(state), high)));
    }
    wasm_v128_store(to, elements(low, high));
}

/* The larger of each two neighbouring columns. */
INLINE v128_t pooled(const v128_t *sums) {
    return wasm_i32x4_max(wasm_i32x4_shuffle(sums[0], sums[1], 0, 2, 4, 6), wasm_i32x4_shuffle(sums[0], sums[1], 1, 3, 5, 7));
}

/* A layer over all columns. */
INLINE void run(const task *t, const enum use use) {
    const size_t pairs = pairs_of(t->layer->outputs), end = use == POOL ? 2 * t->columns : t->columns;
    const int32_t *tile = t->packed + t->layer->at + steps(t->layer);
    for (size_t first = 0, count; first < pairs; first += count) {
        count = tile_pairs(pairs, first);
        const size_t outputs = 2 * count;
        for (size_t column = 0; column < end; column += TILE_COLUMNS) {
            v128_t sums[2 * MOST_PAIRS][2];
            (count == 2 ? tile_2 : tile_1)(t, column, tile + 3 * outputs, sums);
            for (size_t pair = 0; pair < count; pair++) {
                const int32_t *scale = tile + 2 * pair;
                const v128_t *low = sums[2 * pair], *high = sums[2 * pair + 1];
                if (use == POOL) {
                    use_sums(t, use, scale, outputs, first + pair, column / 2, pooled(low), pooled(high));
                } else {
                    use_sums(t, use, scale, outputs, first + pair, column, low[0], high[0]);
                    use_sums(t, use, scale, outputs, first + pair, column + LANES, low[1], high[1]);
                }
            }
        }
        tile += outputs * (3 + steps(t->layer));
    }
}

OUT_OF_LINE void run_pool(const task *t) { run(t, POOL); }
OUT_OF_LINE void run_bytes(const task *t) { run(t, BYTES); }

/* Zeros beside the columns that a convolution reads. */
static void clear_edges(const map *m, int32_t *to) {
    for (size_t row = 0; row < pairs_of(m->channels) * m->rows; row++, to += m->stride)
        to[0] = to[1 + m->columns] = 0;
}

static void read_burst(const map *image, const uint8_t *rows, int32_t *to) {
    const size_t width = image->columns, plane = ROWS * image->stride;
    const v128_t middle = wasm_i16x8_splat(PIXEL_ZERO), none = ALL(0);
    for (size_t row = 0; row < ROWS; row++, rows += width * CHANNELS) {
        int32_t *red_green = to + 1 + row * image->stride, *blue = red_green + plane;
        size_t column = 0;
        for (; column * CHANNELS + 16 <= width * CHANNELS; column += LANES) {
            const v128_t bytes = wasm_v128_load(rows + column * CHANNELS);
            const v128_t rg = wasm_i8x16_shuffle(bytes, none, 0, 16, 1, 16, 3, 16, 4, 16, 6, 16, 7, 16, 9, 16, 10, 16);
            const v128_t b = wasm_i8x16_shuffle(bytes, none, 2, 16, 16, 16, 5, 16, 16, 16, 8, 16, 16, 16, 11, 16, 16, 16);
            wasm_v128_store(red_green + column, wasm_i16x8_sub(wasm_i16x8_sub(rg, wasm_i16x8_lt(rg, middle)), middle));
            wasm_v128_store(blue + column, wasm_i16x8_sub(wasm_i16x8_sub(b, wasm_i16x8_lt(b, middle)), middle));
        }
        for (; column < width; column++) {
            int32_t value[CHANNELS];
            for (size_t i = 0; i < CHANNELS; i++) {
                const int32_t pixel = rows[column * CHANNELS + i];
                value[i] = pixel + (pixel < PIXEL_ZERO) - PIXEL_ZERO;
            }
            red_green[column] = element(value[0], value[1]);
            blue[column] = element(value[2], 0);
        }
    }
}

/* A block of a head: convolution, pooling, ReLU. */
static void block(const plan *p, const int32_t *packed, int index, const map *from, const int32_t *in, const map *to,
                  int32_t *out) {
    for (size_t row = 0; row < to->rows; row++)
        run_pool(&(task){.layer = p->layers + index, .packed = packed, .narrow = in + row * from->stride + 1,
                         .columns = to->columns, .to = out + row * to->stride + 1, .to_step = to->rows * to->stride});
}

static void burst(const rascanet_integer_network *n, const plan *p, const int32_t *packed, const piece *table,
                  const uint8_t *rows, int16_t *hidden, rascanet_integer_output *output, int32_t *s) {
    const size_t features = map_elements(&p->features), columns = p->hidden.columns;
    const size_t f_step = p->features.stride, c_step = p->hidden.stride;
    read_burst(&p->image, rows, s + p->image_at);
    for (int head = 0; head < 2; head++) {
        block(p, packed, CONV + head, &p->image, s + p->image_at, &p->first, s + p->first_at[head]);
        block(p, packed, CONV + 2 + head, &p->first, s + p->first_at[head], &p->second, s + p->second_at[head]);
        block(p, packed, CONV + 4 + head, &p->second, s + p->second_at[head], &p->third, s + p->third_at[head]);
        block(p, packed, CONV + 6 + head, &p->third, s + p->third_at[head], &p->features,
              s + p->features_at + (size_t)head * features);
    }
    const layer *layers = p->layers;
    task t = {.layer = layers + SQUEEZE, .packed = packed, .narrow = s + p->features_at + 1, .wide = s + p->state_at + 1,
              .columns = columns, .to = s + p->squeezed_at + 1, .to_step = p->squeezed.stride, .state = s + p->state_at + 1, .update = s + p->update_at + 1, .network = n,
              .table = table};
    run_bytes(&t);
    t.narrow = s + p->squeezed_at + 1, t.to_step = f_step;
    for (size_t head = 0; head < 2; head++) {
        t.layer = layers + EXCITE + head;
        t.features = s + p->features_at + 1 + head * features, t.to = s + p->gated_at + 1 + head * features;
        run(&t, GATED);
    }
    t.layer = layers + PROJECT, t.narrow = s + p->gated_at + 1, t.to = s + p->projected_at + 1, t.to_step = c_step;
    run_bytes(&t);
    t.layer = layers + PROJECT + 1, t.narrow = s + p->projected_at + 1, t.to = s + p->x_at + 1;
    run_bytes(&t);
    t.layer = layers + GATE, t.narrow = s + p->x_at + 1, t.to = s + p->reset_at + 1;
    run(&t, RESET);
    t.layer = layers + GATE + 1, t.to = s + p->update_at + 1;
    run(&t, UPDATE);
    t.layer = layers + GATE + 2, t.wide = s + p->reset_at + 1, t.to = s + p->state_at + 1;
    run(&t, NEXT);
    const int16_t *state = (const int16_t *)(const void *)(s + p->state_at + 1);
    for (size_t channel = 0; channel < p->c; channel++)
        for (size_t column = 0; column < columns; column++)
            hidden[column * p->c + channel] = state[2 * (channel / 2 * c_step + column) + channel % 2];
    int16_t *pooled_state = (int16_t *)(void *)(s + p->pooled_at), *reduced = (int16_t *)(void *)(s + p->narrow_at);
    pool(n, hidden, pooled_state);
    for (size_t o = 0; o < p->r; o++)
        reduced[o] = (int16_t)scaled_int16(&n->reduce, o,
                                           n->reduce.bias[o] + dot_wide(pooled_state, n->reduce.weight + o * p->c, p->c));
    decide(n, reduced,
           scaled_int16(&n->confidence, 0, n->confidence.bias[0] + dot_wide(pooled_state, n->confidence.weight, p->c)), output);
}

static int step(const rascanet_integer_network *network, const void *packed, const uint8_t *rows, size_t bursts,
                int16_t *hidden, rascanet_integer_output *outputs, void *scratch) {
    plan p;
    if (make_plan(network, &p))
        return -1;
    int32_t *s = scratch;
    clear_edges(&p.image, s + p.image_at);
    for (int head = 0; head < 2; head++) {
        clear_edges(&p.first, s + p.first_at[head]);
        clear_edges(&p.second, s + p.second_at[head]);
        clear_edges(&p.third, s + p.third_at[head]);
        clear_edges(&p.features, s + p.gated_at + (size_t)head * map_elements(&p.features));
    }
    clear_edges(&p.hidden, s + p.projected_at);
    piece table[32];
    load_pieces(table);
    int16_t *state = (int16_t *)(void *)(s + p.state_at + 1);
    for (size_t channel = 0; channel < p.c; channel++)
        for (size_t column = 0; column < p.hidden.columns; column++)
            state[2 * (channel / 2 * p.hidden.stride + column) + channel % 2] = hidden[column * p.c + channel];
    for (size_t i = 0; i < bursts; i++, rows += ROWS * CHANNELS * p.image.columns)
        burst(network, &p, packed, table, rows, hidden, outputs + i, s);
    return 0;
}
