/* The forms of the integer step that this machine could run, best first; P(person) is in integer_math.h. */
#include "integer.h"

extern const rascanet_integer_isa rascanet_integer_plain, rascanet_integer_avx2, rascanet_integer_vnni;

const rascanet_integer_isa *rascanet_integer_isa_at(size_t index) {
    static const rascanet_integer_isa *const known[] = {
#if defined(__x86_64__)
        &rascanet_integer_vnni, &rascanet_integer_avx2,
#endif
        &rascanet_integer_plain};
    return index < sizeof known / sizeof *known ? known[index] : NULL;
}
