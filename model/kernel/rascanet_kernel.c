#include "rascanet_kernel.h"

const rascanet_isa *rascanet_isa_at(size_t index) {
    static const rascanet_isa *const known[] = {
#if defined(__x86_64__)
        &rascanet_avx512, &rascanet_avx2,
#endif
        &rascanet_plain};
    return index < sizeof known / sizeof *known ? known[index] : NULL;
}

int rascanet_step(const rascanet_isa *isa, const rascanet_shape *shape, const float *packed, const uint8_t *rows,
                  size_t bursts, float *hidden, float *outputs, float *scratch) {
    return isa->step(shape, packed, rows, bursts, hidden, outputs, scratch);
}
