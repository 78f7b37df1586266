#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma,prefer-vector-width=512")
#endif
#define ISA avx512
#define LANES 8
#define WIDE 16
#define REGISTERS 32
#define SUPPORTED                                                                                                      \
    (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&  \
     __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma"))
#include "step.inc"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
typedef int not_empty; /* ISO C wants a declaration where the rest is left out */
