// Read before kernels_avx512.cpp: replaces its intrinsics by SIMDe's portable ones, so the level
// runs on a CPU without AVX-512. The few that SIMDe 0.7 lacks follow, straight from Intel's
// description.
#pragma once

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>

#include <cstring>

inline simde__m512i emulated_maskz_loadu_epi8(uint64_t mask, const void* from) {
  uint8_t bytes[64] = {};
  for (int i = 0; i < 64; ++i) {
    if (mask >> i & 1) bytes[i] = static_cast<const uint8_t*>(from)[i];
  }
  return simde_mm512_loadu_si512(bytes);
}

inline simde__m512i emulated_shuffle_i64x2(simde__m512i a, simde__m512i b, unsigned control) {
  uint8_t from[2][64], to[64];
  std::memcpy(from[0], &a, 64);
  std::memcpy(from[1], &b, 64);
  for (unsigned lane = 0; lane < 4; ++lane) {
    std::memcpy(to + 16 * lane, from[lane / 2] + 16 * (control >> (2 * lane) & 3), 16);
  }
  return simde_mm512_loadu_si512(to);
}

inline simde__m512 emulated_cvtepi32_ps(simde__m512i v) {
  int32_t from[16];
  float to[16];
  std::memcpy(from, &v, sizeof from);
  for (int i = 0; i < 16; ++i) to[i] = static_cast<float>(from[i]);
  return simde_mm512_loadu_ps(to);
}

template <typename T, typename Vector>
inline void emulated_mask_storeu(T* to, unsigned mask, Vector v) {
  T lanes[4];
  std::memcpy(lanes, &v, sizeof lanes);
  for (unsigned i = 0; i < 4; ++i) {
    if (mask >> i & 1) to[i] = lanes[i];
  }
}

#undef _mm512_shuffle_i64x2
#define _mm512_cvtepi32_ps(v) emulated_cvtepi32_ps(v)
#define _mm512_maskz_loadu_epi8(mask, from) emulated_maskz_loadu_epi8(mask, from)
#define _mm512_shuffle_i64x2(a, b, control) emulated_shuffle_i64x2(a, b, control)
#define _mm_mask_storeu_epi32(to, mask, v) emulated_mask_storeu(to, mask, v)
#define _mm_mask_storeu_ps(to, mask, v) emulated_mask_storeu(to, mask, v)

#define __AVX512F__ 1
#define __AVX512BW__ 1
#define __AVX512VL__ 1
#define __AVX512DQ__ 1
#define __AVX512VNNI__ 1
#define __AVX512VPOPCNTDQ__ 1
#define __builtin_cpu_supports(feature) true
