#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#define ISA avx2
#define LANES 8
#define REGISTERS 16
#define SUPPORTED (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
#include "step.inc"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
typedef int not_empty; /* ISO C wants a declaration where the rest is left out */
