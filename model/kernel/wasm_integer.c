/* The integer step as a WebAssembly module, with the exports of wasm_float.c; `rascanet_integer_network` is the network. */
#include "integer_table.c"

#if defined(__wasm_simd128__)
#include "integer_simd128.c"
#else
#include "integer_plain.c"
#endif

#define EXPORT(name) __attribute__((export_name(name)))

EXPORT("weight_bytes") size_t wasm_weight_bytes(void) { return sizeof(int8_t); }

EXPORT("packed_bytes") size_t wasm_packed_bytes(const rascanet_integer_network *network) { return packed_bytes(network); }

EXPORT("scratch_bytes") size_t wasm_scratch_bytes(const rascanet_integer_network *network) {
    return scratch_bytes(network);
}

EXPORT("pack") int wasm_pack(const rascanet_integer_network *network, void *packed) { return pack(network, packed); }

EXPORT("step")
int wasm_step(const rascanet_integer_network *network, const void *packed, const uint8_t *rows, size_t bursts,
              int16_t *hidden, rascanet_integer_output *outputs, void *scratch) {
    return step(network, packed, rows, bursts, hidden, outputs, scratch);
}
