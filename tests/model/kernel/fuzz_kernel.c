/* Feeds the kernel shapes, weights, rows and states out of arbitrary bytes, in buffers of exactly the sizes it asks for:
   built with -fsanitize=address,undefined, any step outside them stops the program. */
#include "fuzz.h"
#include "rascanet_kernel.h"

#define MOST_FLOATS ((size_t)1 << 18) /* larger networks are sized, not run */
#define MOST_BURSTS 3

/* Mostly an ordinary weight, now and then any bit pattern: infinities, not-a-numbers, denormals. */
static float next_float(source *from) {
    uint8_t kind = next_byte(from);
    if (kind >= 4) return (float)(kind - 130) / 256.0f;
    int32_t bits = next_int(from);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Room for so many floats on a cache line, not a byte more. */
static float *floats(size_t count, source *from) {
    void *room = NULL;
    if (posix_memalign(&room, 64, count * sizeof(float))) abort();
    float *values = room;
    for (size_t i = 0; from && i < count; i++) values[i] = next_float(from);
    return values;
}

static void run(const rascanet_isa *isa, const rascanet_shape *shape, source *from) {
    size_t packed_floats = isa->packed_floats(shape), scratch_floats = isa->scratch_floats(shape);
    check(!packed_floats == !scratch_floats, "one size says that the shape is in range, the other that it is not");
    if (!packed_floats) {
        check(isa->pack(shape, NULL, NULL) == -1, "pack takes a shape out of range");
        check(isa->step(shape, NULL, NULL, 1, NULL, NULL, NULL) == -1, "step takes a shape out of range");
        return;
    }
    if (packed_floats > MOST_FLOATS || scratch_floats > MOST_FLOATS) return;
    size_t hidden = (size_t)shape->hidden, features = 2 * (size_t)shape->head[3], columns = (size_t)shape->width / 16;
    size_t inputs[4] = {3, (size_t)shape->head[0], (size_t)shape->head[1], (size_t)shape->head[2]};
    size_t rows_of_kernel[4] = {3, 1, 3, 1}, convolutions = 0;
    for (int i = 0; i < 4; i++)
        convolutions = largest(convolutions, (size_t)shape->head[i] * inputs[i] * rows_of_kernel[i] * 3);
    /* One array of weights serves every layer: as long as the largest of them. */
    size_t longest = largest(convolutions, largest(hidden * features * 3, hidden * hidden * 3));
    longest = largest(longest, (features + hidden) * hidden);
    float *weight = floats(longest, from), *bias = floats(largest(largest(hidden, features), 512), from);
    rascanet_layers layers;
    rascanet_layer *each = (rascanet_layer *)&layers;
    for (size_t i = 0; i < sizeof layers / sizeof *each; i++) each[i] = (rascanet_layer){weight, bias};
    float *packed = floats(packed_floats, NULL), *scratch = floats(scratch_floats, NULL);
    check(isa->pack(shape, &layers, packed) == 0, "pack refuses a shape in range");
    size_t bursts = next_byte(from) % (MOST_BURSTS + 1), bytes = bursts * 5 * (size_t)shape->width * 3;
    uint8_t *rows = malloc(bytes ? bytes : 1);
    for (size_t i = 0; i < bytes; i++) rows[i] = next_byte(from);
    float *state = floats(hidden * columns, from), *outputs = floats(4 * bursts + 1, NULL);
    outputs[4 * bursts] = 42.0f;
    check(isa->step(shape, packed, rows, bursts, state, outputs, scratch) == 0, "step refuses a shape in range");
    check(outputs[4 * bursts] == 42.0f, "step writes past its outputs");
    free(weight), free(bias), free(packed), free(scratch), free(rows), free(state), free(outputs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    source from = {data, size, 1};
    rascanet_shape shape;
    if (next_byte(&from) % 4) { /* a network of ordinary size, its edges included */
        shape = (rascanet_shape){16 + next_byte(&from), 4 + 4 * (next_byte(&from) % 16), {0}};
        for (int i = 0; i < 4; i++) shape.head[i] = 1 + next_byte(&from) % 48;
    } else { /* anything */
        shape = (rascanet_shape){next_int(&from), next_int(&from), {0}};
        for (int i = 0; i < 4; i++) shape.head[i] = next_int(&from);
        if (next_byte(&from) % 2) shape.width %= 5000, shape.hidden %= 1100, shape.head[next_byte(&from) % 4] %= 600;
    }
    const rascanet_isa *isa;
    for (size_t i = 0; (isa = rascanet_isa_at(i)); i++)
        if (isa->supported()) run(isa, &shape, &from);
    return 0;
}
