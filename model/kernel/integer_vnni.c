/* Four products of bytes at a time, by AVX-512's VNNI on 256 bits. */
#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,avx512f,avx512vl,avx512bw,avx512vnni"))), apply_to = function)
#else
#pragma GCC target("avx2,avx512f,avx512vl,avx512bw,avx512vnni")
#endif
#define ISA vnni
#define VNNI
#define SUPPORTED __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vl")
#include "integer_step.inc"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
