/* Two 16-bit products at a time. */
#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC target("avx2")
#endif
#define ISA avx2
#define SUPPORTED __builtin_cpu_supports("avx2")
#include "integer_step.inc"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
