/* Feeds the integer kernel shapes, weights, rows and states out of arbitrary bytes, in buffers of exactly the sizes it asks
   for: built with -fsanitize=address,undefined, any step outside them stops the program, and so does a sum past int32. All
   instruction sets must give the same bits. */
#include "fuzz.h"
#include "integer.h"

#define MOST_BYTES ((size_t)1 << 20) /* larger networks are sized, not run */
#define MOST_INPUTS 240              /* of a layer that reads bytes and states: with more, sums could leave int32 */
#define MOST_BURSTS 3

/* Room on a cache line, not a byte more. */
static void *room(size_t bytes) {
    void *place = NULL;
    if (posix_memalign(&place, 64, bytes ? bytes : 1)) abort();
    return place;
}

static void *drawn(size_t bytes, source *from) {
    uint8_t *values = room(bytes);
    for (size_t i = 0; i < bytes; i++) values[i] = next_byte(from);
    return values;
}

/* What IntegerNetwork lets through: weights -127 to 127, multipliers 0 or 2^30 and more, shifts -31 to -1. One set of
   numbers serves every layer: as long as the largest of them. */
static rascanet_integer_layer layer_of(size_t weights, size_t outputs, source *from) {
    int8_t *weight = drawn(weights, from), *shift = room(outputs);
    int32_t *bias = room(4 * outputs), *multiplier = room(4 * outputs);
    for (size_t i = 0; i < weights; i++)
        if (weight[i] == -128) weight[i] = 0;
    for (size_t o = 0; o < outputs; o++) {
        bias[o] = next_int(from) / 64;
        multiplier[o] = next_byte(from) % 8 ? (next_int(from) & 0x3fffffff) | 0x40000000 : 0;
        shift[o] = (int8_t)(-1 - next_byte(from) % 31);
    }
    return (rascanet_integer_layer){weight, bias, multiplier, shift};
}

static void run(const rascanet_integer_isa *isa, const rascanet_integer_network *network, const uint8_t *rows, size_t bursts,
                int16_t *state, rascanet_integer_output *outputs, source *from) {
    uint8_t *packed = drawn(isa->packed_bytes(network), from), *scratch = drawn(isa->scratch_bytes(network), from);
    check(isa->pack(network, packed) == 0, "pack refuses a shape in range");
    check(isa->step(network, packed, rows, bursts, state, outputs, scratch) == 0, "step refuses a shape in range");
    free(packed), free(scratch);
}

static void run_all(rascanet_integer_network *network, source *from) {
    const size_t hidden = (size_t)network->hidden, features = 2 * (size_t)network->head[3];
    const size_t columns = (size_t)network->width / 16, inputs[] = {3, (size_t)network->head[0], (size_t)network->head[1], (size_t)network->head[2]};
    size_t longest = largest(hidden * features * 3, hidden * hidden * 3), outputs = largest(hidden, features);
    longest = largest(longest, (features + hidden) * hidden);
    for (int i = 0; i < 4; i++) {
        longest = largest(longest, (size_t)network->head[i] * inputs[i] * (i % 2 ? 3 : 9));
        outputs = largest(outputs, (size_t)network->head[i]);
    }
    const rascanet_integer_layer layer = layer_of(longest, outputs, from);
    for (int i = 0; i < 8; i++) network->conv[i] = layer;
    network->squeeze = network->excite = network->reduce = network->classify = network->confidence = layer;
    for (int i = 0; i < 2; i++) network->project[i] = layer;
    for (int i = 0; i < 3; i++) network->gate[i] = layer;
    network->gating_multiplier = network->pooling_multiplier = (next_int(from) & 0x3fffffff) | 0x40000000;
    network->gating_shift = -1 - next_byte(from) % 31, network->pooling_shift = -next_byte(from) % 10;
    const size_t bursts = next_byte(from) % (MOST_BURSTS + 1), bytes = bursts * 15 * (size_t)network->width;
    const size_t state_bytes = 2 * hidden * columns, output_bytes = bursts * sizeof(rascanet_integer_output);
    uint8_t *rows = drawn(bytes, from);
    int16_t *state = drawn(state_bytes, from), *first_state = NULL;
    rascanet_integer_output *first = NULL;
    const rascanet_integer_isa *isa;
    for (size_t i = 0; (isa = rascanet_integer_isa_at(i)); i++) {
        if (!isa->supported()) continue;
        int16_t *after = room(state_bytes);
        rascanet_integer_output *found = room(output_bytes);
        memcpy(after, state, state_bytes);
        run(isa, network, rows, bursts, after, found, from);
        if (!first) {
            first = found, first_state = after;
            continue;
        }
        check(!memcmp(found, first, output_bytes), "two instruction sets give different outputs");
        check(!memcmp(after, first_state, state_bytes), "two instruction sets give different states");
        free(after), free(found);
    }
    free(first), free(first_state), free(rows), free(state);
    free((void *)layer.weight), free((void *)layer.bias), free((void *)layer.multiplier), free((void *)layer.shift);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    source from = {data, size, 1};
    rascanet_integer_network network;
    memset(&network, 0, sizeof network);
    const int ordinary = next_byte(&from) % 4;
    network.width = ordinary ? 16 + next_byte(&from) : next_int(&from) % 5000;
    network.hidden = ordinary ? 4 + 4 * (next_byte(&from) % 16) : next_int(&from) % 1100;
    for (int i = 0; i < 4; i++) network.head[i] = ordinary ? 1 + next_byte(&from) % 48 : next_int(&from) % 600;
    size_t most = 0, refusals = 0, sets = 0;
    const rascanet_integer_isa *isa;
    for (size_t i = 0; (isa = rascanet_integer_isa_at(i)); i++) {
        if (!isa->supported()) continue;
        const size_t packed = isa->packed_bytes(&network), scratch = isa->scratch_bytes(&network);
        check(!packed == !scratch, "one size says that the shape is in range, the other that it is not");
        most = largest(most, largest(packed, scratch));
        sets++;
        if (packed) continue;
        refusals++;
        check(isa->pack(&network, NULL) == -1, "pack takes a shape out of range");
        check(isa->step(&network, NULL, NULL, 1, NULL, NULL, NULL) == -1, "step takes a shape out of range");
    }
    check(!refusals || refusals == sets, "instruction sets disagree on the range of shapes");
    if (!refusals && most <= MOST_BYTES && 2 * network.head[3] + network.hidden <= MOST_INPUTS) run_all(&network, &from);
    return 0;
}
