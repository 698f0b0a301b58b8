// Read before kernels_avx512.cpp: replaces its intrinsics by SIMDe's portable ones, so the level
// runs on a CPU without AVX-512. The few that SIMDe 0.7 lacks follow, straight from Intel's
// description.
#pragma once

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>

#include <array>
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

using Words = std::array<uint64_t, 8>;

inline Words words_of(simde__m512i v) {
  Words out;
  std::memcpy(out.data(), &v, 64);
  return out;
}

inline simde__m512i of_words(const Words& words) { return simde_mm512_loadu_si512(words.data()); }

template <typename Make>
inline simde__m512i each_word(Make make) {
  Words out;
  for (unsigned i = 0; i < 8; ++i) out[i] = make(i);
  return of_words(out);
}

inline simde__m512i emulated_mask_loadu_epi64(simde__m512i or_else, unsigned mask,
                                              const void* from) {
  Words out = words_of(or_else);
  for (unsigned i = 0; i < 8; ++i) {
    if (mask >> i & 1) std::memcpy(&out[i], static_cast<const uint8_t*>(from) + 8 * i, 8);
  }
  return of_words(out);
}

inline simde__m256i emulated_maskz_loadu_epi32(unsigned mask, const void* from) {
  uint32_t out[8] = {};
  for (unsigned i = 0; i < 8; ++i) {
    if (mask >> i & 1) std::memcpy(&out[i], static_cast<const uint8_t*>(from) + 4 * i, 4);
  }
  return simde_mm256_loadu_si256(reinterpret_cast<const simde__m256i*>(out));
}

inline simde__m512i emulated_alignr_epi64(simde__m512i high, simde__m512i low, unsigned by) {
  const Words a = words_of(high), b = words_of(low);
  return each_word([&](unsigned i) { return i + by < 8 ? b[i + by] : a[i + by - 8]; });
}

inline simde__m512i emulated_max_epu64(simde__m512i a, simde__m512i b) {
  const Words x = words_of(a), y = words_of(b);
  return each_word([&](unsigned i) { return x[i] > y[i] ? x[i] : y[i]; });
}

inline simde__m512i emulated_min_epu64(simde__m512i a, simde__m512i b) {
  const Words x = words_of(a), y = words_of(b);
  return each_word([&](unsigned i) { return x[i] < y[i] ? x[i] : y[i]; });
}

inline simde__m512i emulated_slli_epi64(simde__m512i v, unsigned by) {
  const Words x = words_of(v);
  return each_word([&](unsigned i) { return x[i] << by; });
}

inline simde__m512i emulated_cvtepu32_epi64(simde__m256i v) {
  uint32_t from[8];
  std::memcpy(from, &v, sizeof from);
  return each_word([&](unsigned i) { return uint64_t{from[i]}; });
}

inline unsigned char emulated_mask_cmplt_epu64_mask(unsigned mask, simde__m512i a, simde__m512i b) {
  const Words x = words_of(a), y = words_of(b);
  unsigned out = 0;
  for (unsigned i = 0; i < 8; ++i) out |= (x[i] < y[i] ? 1u << i : 0u) & mask;
  return static_cast<unsigned char>(out);
}

inline simde__m512i emulated_maskz_compress_epi64(unsigned mask, simde__m512i v) {
  const Words from = words_of(v);
  Words out{};
  size_t n = 0;
  for (unsigned i = 0; i < 8; ++i) {
    if (mask >> i & 1) out[n++] = from[i];
  }
  return of_words(out);
}

inline simde__m128i emulated_extracti64x2_epi64(simde__m512i v, unsigned lane) {
  const Words from = words_of(v);
  return simde_mm_loadu_si128(
      reinterpret_cast<const simde__m128i*>(from.data() + 2 * size_t{lane}));
}

// Of the comparisons only that of numbers with numbers.
inline unsigned char emulated_mask_ordered(unsigned mask, simde__m256 a, simde__m256 b) {
  float x[8], y[8];
  std::memcpy(x, &a, sizeof x);
  std::memcpy(y, &b, sizeof y);
  unsigned out = 0;
  for (unsigned i = 0; i < 8; ++i) out |= (x[i] == x[i] && y[i] == y[i] ? 1u << i : 0u) & mask;
  return static_cast<unsigned char>(out);
}

#undef _mm512_shuffle_i64x2
#undef _mm512_mask_loadu_epi64
#undef _mm256_maskz_loadu_epi32
#undef _mm512_alignr_epi64
#undef _mm512_max_epu64
#undef _mm512_min_epu64
#undef _mm512_slli_epi64
#undef _mm512_cvtepu32_epi64
#undef _mm512_mask_cmplt_epu64_mask
#undef _mm512_maskz_compress_epi64
#undef _mm512_extracti64x2_epi64
#undef _mm256_mask_cmp_ps_mask
#define _mm512_mask_loadu_epi64(v, mask, from) emulated_mask_loadu_epi64(v, mask, from)
#define _mm256_maskz_loadu_epi32(mask, from) emulated_maskz_loadu_epi32(mask, from)
#define _mm512_alignr_epi64(a, b, by) emulated_alignr_epi64(a, b, by)
#define _mm512_max_epu64(a, b) emulated_max_epu64(a, b)
#define _mm512_min_epu64(a, b) emulated_min_epu64(a, b)
#define _mm512_slli_epi64(v, by) emulated_slli_epi64(v, by)
#define _mm512_cvtepu32_epi64(v) emulated_cvtepu32_epi64(v)
#define _mm512_mask_cmplt_epu64_mask(mask, a, b) emulated_mask_cmplt_epu64_mask(mask, a, b)
#define _mm512_maskz_compress_epi64(mask, v) emulated_maskz_compress_epi64(mask, v)
#define _mm512_extracti64x2_epi64(v, lane) emulated_extracti64x2_epi64(v, lane)
#define _mm256_mask_cmp_ps_mask(mask, a, b, how) emulated_mask_ordered(mask, a, b)
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
