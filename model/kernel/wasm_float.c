/* The float step as a WebAssembly module: `-msimd128` and `-mrelaxed-simd` decide its form, none is the scalar one.

   A module has no allocator and no imports. Whoever instantiates it lays memory out from `__heap_base` on, everything on
   a cache line: a network, its layers, and after the calls of sizes the buffers. wasm_integer.c exports the same names. */
#define ISA wasm
#define LANES 4
#if defined(__wasm_relaxed_simd__)
#define REGISTERS 16
#elif defined(__wasm_simd128__)
#define REGISTERS 12 /* of 16: multiplications and additions apart take more of them */
#else
#define REGISTERS 8 /* none holds a vector; smaller tiles are less code */
#endif
#define SUPPORTED 1
#include "step.inc"

#define EXPORT(name) __attribute__((export_name(name)))

/* Of each weight as the layers hold it: tells the two modules apart. */
EXPORT("weight_bytes") size_t wasm_weight_bytes(void) { return sizeof(float); }

/* As clients/javascript/src/kernel.ts writes it. */
typedef struct {
    rascanet_shape shape;
    rascanet_layers layers; /* `pack` alone reads them */
} wasm_network;

/* Bytes that `pack` writes; 0 for a shape out of range. */
EXPORT("packed_bytes") size_t wasm_packed_bytes(const wasm_network *network) {
    return sizeof(float) * packed_floats(&network->shape);
}

/* Bytes that `step` needs as scratch; 0 for a shape out of range. */
EXPORT("scratch_bytes") size_t wasm_scratch_bytes(const wasm_network *network) {
    return sizeof(float) * scratch_floats(&network->shape);
}

EXPORT("pack") int wasm_pack(const wasm_network *network, float *packed) {
    return pack(&network->shape, &network->layers, packed);
}

EXPORT("step")
int wasm_step(const wasm_network *network, const float *packed, const uint8_t *rows, size_t bursts, float *hidden,
              float *outputs, float *scratch) {
    return step(&network->shape, packed, rows, bursts, hidden, outputs, scratch);
}
