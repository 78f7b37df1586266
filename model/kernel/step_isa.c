/* The forms of the step that this machine could run, best first; the step itself, to P(person), is step.inc. */
#include "rascanet_kernel.h"

const rascanet_isa *rascanet_isa_at(size_t index) {
    static const rascanet_isa *const known[] = {
#if defined(__x86_64__)
        &rascanet_avx512, &rascanet_avx2,
#endif
        &rascanet_plain};
    return index < sizeof known / sizeof *known ? known[index] : NULL;
}
