// AVX2 level (with POPCNT and F16C): four rows at a time share each load of the query.
#include "kernels.h"

#if defined(__AVX2__)
#include <immintrin.h>

#include <type_traits>
#endif

namespace palimpsest {
#if defined(__AVX2__)
#include "kernels_body.h"
#include "kernels_x86.h"

namespace {

constexpr size_t kRowsAtOnce = 4;

inline __m256i load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }

// Sums of neighbouring signed 16-bit lanes as 32-bit ones. maddubs saturates at 16 bits, so every
// kernel below says how many of its products fit before it widens.
inline __m256i widen(__m256i pairs) { return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)); }

// Sums of the eight lanes of four vectors, in order.
// hadd works inside 128-bit halves: after two of them each half holds its part of all four sums,
// in order.
inline __m128i sum_four(const __m256i v[4]) {
  const __m256i ab = _mm256_hadd_epi32(v[0], v[1]), cd = _mm256_hadd_epi32(v[2], v[3]);
  const __m256i abcd = _mm256_hadd_epi32(ab, cd);
  return _mm_add_epi32(_mm256_castsi256_si128(abcd), _mm256_extracti128_si256(abcd, 1));
}

// Runs `kernel` over groups of four rows, each ended by `finish(first, sums)`; the last group
// repeats its last row.
// Four rows: enough independent sums to hide the latency of a multiplication, few enough that they
// and the query stay in sixteen registers.
template <typename Kernel, typename Address, typename Finish>
inline void by_fours(size_t n, Kernel kernel, Address address, Finish finish) {
  const uint8_t* row[kRowsAtOnce];
  __m256i acc[kRowsAtOnce];
  size_t r = 0;
  for (; r + kRowsAtOnce <= n; r += kRowsAtOnce) {
    for (size_t i = 0; i < kRowsAtOnce; ++i) row[i] = address(r + i);
    kernel(row, acc);
    finish(r, row, sum_four(acc));
  }
  if (r == n) return;
  for (size_t i = 0; i < kRowsAtOnce; ++i) row[i] = address(r + i < n ? r + i : n - 1);
  kernel(row, acc);
  finish(r, row, sum_four(acc));
}

template <typename T>
inline void store_some(T* out, size_t first, size_t n, __m128i values) {
  if (first + kRowsAtOnce <= n) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + first), values);
    return;
  }
  alignas(16) T rest[kRowsAtOnce];
  _mm_store_si128(reinterpret_cast<__m128i*>(rest), values);
  for (size_t i = first; i < n; ++i) out[i] = rest[i - first];
}

template <typename Kernel>
inline void dot_by_fours(const uint8_t* const* rows, size_t n, int32_t* out, Kernel kernel) {
  by_fours(
      n, kernel, [&](size_t i) { return rows[i]; },
      [&](size_t first, const uint8_t* const*, __m128i sums) { store_some(out, first, n, sums); });
}

template <typename Kernel>
inline void score_by_fours(const CodeRows& c, const QueryTerms& q, const uint32_t* ids, size_t n,
                           float* out, Kernel kernel) {
  const __m128 g = _mm_set1_ps(q.g), step = _mm_set1_ps(q.step), shift = _mm_set1_ps(q.shift);
  by_fours(
      n, kernel, [&](size_t i) { return c.rows + static_cast<size_t>(ids[i]) * c.stride; },
      [&](size_t first, const uint8_t* const* row, __m128i sums) {
        // Factors are (add, rescale) pairs, one pair behind each row: transposed, so that the
        // estimate of all four is one sequence of operations, that of score_by (kernels_body.h).
        __m128 f[kRowsAtOnce];
        for (size_t i = 0; i < kRowsAtOnce; ++i) {
          f[i] = _mm_castsi128_ps(
              _mm_loadl_epi64(reinterpret_cast<const __m128i*>(row[i] + c.code_bytes)));
        }
        const __m128 ab = _mm_unpacklo_ps(f[0], f[1]), cd = _mm_unpacklo_ps(f[2], f[3]);
        const __m128 add = _mm_movelh_ps(ab, cd), rescale = _mm_movehl_ps(cd, ab);
        const __m128 product = _mm_add_ps(_mm_mul_ps(step, _mm_cvtepi32_ps(sums)), shift);
        const __m128 estimate = _mm_add_ps(_mm_add_ps(add, g), _mm_mul_ps(rescale, product));
        store_some(out, first, n, _mm_castps_si128(estimate));
      });
}

// Calls `score` with the number of 64-dimension blocks as a constant for the usual lengths (128,
// 256, 384, 512, 768, 1024 and 1536 dimensions), so that its loops unroll, and with 0 for any
// other.
template <typename Score>
inline void unrolled(size_t blocks, Score score) {
  const auto is = [&](auto fixed) {
    if (blocks != fixed) return false;
    score(fixed);
    return true;
  };
  using std::integral_constant;
  // Instances cost code, so only lengths that embedding models have.
  const bool usual = is(integral_constant<size_t, 2>{}) || is(integral_constant<size_t, 4>{}) ||
                     is(integral_constant<size_t, 6>{}) || is(integral_constant<size_t, 8>{}) ||
                     is(integral_constant<size_t, 12>{}) || is(integral_constant<size_t, 16>{}) ||
                     is(integral_constant<size_t, 24>{});
  if (!usual) score(integral_constant<size_t, 0>{});
}

// A pair of products of a nibble and a query byte is at most 2 * 15 * 127 = 3810, so eight pairs
// fit a signed 16-bit lane: four blocks of two before widening.
template <size_t fixed>
inline auto kernel4_of(const int8_t* q, size_t blocks) {
  return [=](const uint8_t* const* row, __m256i* acc) {
    const __m256i low = _mm256_set1_epi8(15);
    const size_t n = fixed != 0 ? fixed : blocks;
    for (size_t i = 0; i < kRowsAtOnce; ++i) acc[i] = _mm256_setzero_si256();
#pragma GCC unroll 2
    for (size_t start = 0; start < n; start += 4) {
      __m256i pairs[kRowsAtOnce] = {};
#pragma GCC unroll 4
      for (size_t b = start; b < (start + 4 < n ? start + 4 : n); ++b) {
        const __m256i q0 = load(q + b * 64), q1 = load(q + b * 64 + 32);
        for (size_t i = 0; i < kRowsAtOnce; ++i) {
          const __m256i x = load(row[i] + b * 32);
          const __m256i x0 = _mm256_and_si256(x, low);
          // There is no shift of bytes: what comes over from the neighbour is masked away.
          const __m256i x1 = _mm256_and_si256(_mm256_srli_epi16(x, 4), low);
          pairs[i] = _mm256_add_epi16(pairs[i], _mm256_add_epi16(_mm256_maddubs_epi16(x0, q0),
                                                                 _mm256_maddubs_epi16(x1, q1)));
        }
      }
      for (size_t i = 0; i < kRowsAtOnce; ++i) acc[i] = _mm256_add_epi32(acc[i], widen(pairs[i]));
    }
  };
}

// Two 16-byte blocks at a time; a pair is at most 2 * 3 * 127 = 762, so 43 pairs fit: 8 steps of 4.
inline auto kernel2(const void* query, size_t padded) {
  const int8_t* q = static_cast<const int8_t*>(query);
  return [=](const uint8_t* const* row, __m256i* acc) {
    const size_t blocks = padded / kBlock;
    const __m256i low = _mm256_set1_epi8(3);
    for (size_t i = 0; i < kRowsAtOnce; ++i) acc[i] = _mm256_setzero_si256();
    for (size_t b = 0; b < blocks;) {
      const size_t stop = b + 16 < blocks ? b + 16 : blocks;
      __m256i pairs[kRowsAtOnce] = {};
      for (; b < stop; b += 2) {
        const bool both = b + 1 < blocks;  // an odd last block pairs with zeros
        const int8_t* q0 = q + b * 64;
        __m256i part[4];
        for (size_t s = 0; s < 4; ++s) {
          const __m128i lo = _mm_loadu_si128(reinterpret_cast<const __m128i*>(q0 + 16 * s));
          const __m128i hi =
              both ? _mm_loadu_si128(reinterpret_cast<const __m128i*>(q0 + 64 + 16 * s))
                   : _mm_setzero_si128();
          part[s] = _mm256_set_m128i(hi, lo);
        }
        for (size_t i = 0; i < kRowsAtOnce; ++i) {
          const uint8_t* p = row[i] + b * 16;
          const __m256i x =
              both ? load(p)
                   : _mm256_zextsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
          __m256i sum = _mm256_maddubs_epi16(_mm256_and_si256(x, low), part[0]);
          sum = _mm256_add_epi16(
              sum, _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(x, 2), low), part[1]));
          sum = _mm256_add_epi16(
              sum, _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(x, 4), low), part[2]));
          sum = _mm256_add_epi16(
              sum, _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(x, 6), low), part[3]));
          pairs[i] = _mm256_add_epi16(pairs[i], sum);
        }
      }
      for (size_t i = 0; i < kRowsAtOnce; ++i) acc[i] = _mm256_add_epi32(acc[i], widen(pairs[i]));
    }
  };
}

// Signed times signed as |x| * sign(x) q: 2 * 128 * 127 = 32,512 just fits the 16-bit pair.
inline auto kernel8(const void* query, size_t padded) {
  const int8_t* q = static_cast<const int8_t*>(query);
  return [=](const uint8_t* const* row, __m256i* acc) {
    for (size_t i = 0; i < kRowsAtOnce; ++i) acc[i] = _mm256_setzero_si256();
    for (size_t at = 0; at < padded; at += 32) {
      const __m256i qv = load(q + at);
      for (size_t i = 0; i < kRowsAtOnce; ++i) {
        const __m256i x = load(row[i] + at);
        // maddubs takes unsigned times signed. |-128| is 128 as an unsigned byte, and the query
        // never is -128, so its sign can be turned.
        const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(x), _mm256_sign_epi8(qv, x));
        acc[i] = _mm256_add_epi32(acc[i], widen(pairs));
      }
    }
  };
}

// Scalar POPCNT, two planes' worth a cycle: look-ups of half bytes take as many instructions at
// these lengths. `fixed` words unroll the loop; 0 takes the number at run time.
template <size_t fixed>
inline int32_t dot_planes(const uint8_t* row, const uint64_t* planes, size_t words) {
  const size_t n = fixed != 0 ? fixed : words;
  uint64_t c0 = 0, c1 = 0, c2 = 0, c3 = 0;
#pragma GCC unroll 24
  for (size_t w = 0; w < n; ++w) {
    uint64_t x;
    std::memcpy(&x, row + 8 * w, sizeof x);
    c0 += static_cast<uint64_t>(_mm_popcnt_u64(x & planes[w]));
    c1 += static_cast<uint64_t>(_mm_popcnt_u64(x & planes[n + w]));
    c2 += static_cast<uint64_t>(_mm_popcnt_u64(x & planes[2 * n + w]));
    c3 += static_cast<uint64_t>(_mm_popcnt_u64(x & planes[3 * n + w]));
  }
  return static_cast<int32_t>(c0 + 2 * c1 + 4 * c2) - static_cast<int32_t>(8 * c3);
}

void dot1(const uint8_t* const* rows, size_t n, const void* query, size_t padded, int32_t* out) {
  const uint64_t* planes = static_cast<const uint64_t*>(query);
  for (size_t r = 0; r < n; ++r) out[r] = dot_planes<0>(rows[r], planes, padded / 64);
}

template <size_t fixed>
void score_planes(const CodeRows& c, const QueryTerms& q, const uint32_t* ids, size_t n,
                  float* out) {
  const uint64_t* planes = static_cast<const uint64_t*>(q.operand);
  for (size_t r = 0; r < n; ++r) {
    const uint8_t* row = c.rows + static_cast<size_t>(ids[r]) * c.stride;
    const int32_t dot = dot_planes<fixed>(row, planes, c.padded / 64);
    Factors f;
    std::memcpy(&f, row + c.code_bytes, sizeof f);
    out[r] = (f.add + q.g) + f.rescale * (q.step * static_cast<float>(dot) + q.shift);
  }
}

// 1 bit needs no groups of four: a row is a few words, and the planes stay in the L1 cache.
void score1(const CodeRows& c, const QueryTerms& q, const uint32_t* ids, size_t n, float* out) {
  unrolled(c.padded / 64, [&](auto fixed) { score_planes<fixed>(c, q, ids, n, out); });
}

#define PALIMPSEST_KERNEL(bits)                                                           \
  void dot##bits(const uint8_t* const* rows, size_t n, const void* query, size_t padded,  \
                 int32_t* out) {                                                          \
    dot_by_fours(rows, n, out, kernel##bits(query, padded));                              \
  }                                                                                       \
  void score##bits(const CodeRows& c, const QueryTerms& q, const uint32_t* ids, size_t n, \
                   float* out) {                                                          \
    score_by_fours(c, q, ids, n, out, kernel##bits(q.operand, c.padded));                 \
  }
PALIMPSEST_KERNEL(2)
PALIMPSEST_KERNEL(8)
#undef PALIMPSEST_KERNEL

void dot4(const uint8_t* const* rows, size_t n, const void* query, size_t padded, int32_t* out) {
  dot_by_fours(rows, n, out, kernel4_of<0>(static_cast<const int8_t*>(query), padded / kBlock));
}

void score4(const CodeRows& c, const QueryTerms& q, const uint32_t* ids, size_t n, float* out) {
  const int8_t* operand = static_cast<const int8_t*>(q.operand);
  const size_t blocks = c.padded / kBlock;
  unrolled(blocks, [&](auto fixed) {
    score_by_fours(c, q, ids, n, out, kernel4_of<fixed>(operand, blocks));
  });
}

constexpr size_t kUnpacked = 256;  // dimensions unpacked at a time, of each of two rows

// Codes of `n` dimensions, a multiple of 64, as bytes, once for all query tokens: x_u, but x_u -
// 128 of 8 bits.
template <int bits>
inline void unpack(const uint8_t* code, size_t n, uint8_t* out) {
  if constexpr (bits == 8) {
    std::memcpy(out, code, n);
  } else {
    unpack_below_byte<bits>(code, n, out);
  }
}

// What `acc` gathers of two rows and four dimensions of sixteen query tokens at a time; `q` comes
// forward by 4 * kTokens bytes a step.
constexpr size_t kPairRows = 2, kHalves = 2;
using Sums = __m256i[kPairRows][kHalves];

inline __m256i broadcast_four(const uint8_t* codes) {
  int32_t four;
  std::memcpy(&four, codes, sizeof four);
  return _mm256_set1_epi32(four);
}

// A pair of products is at most 2 * 3 * 127 = 762 or 2 * 15 * 127 = 3,810, so 32 or 8 of them fit a
// signed 16-bit lane before it widens.
template <int bits>
inline void add_products(const uint8_t (*x)[kUnpacked], const int8_t* q, size_t n, Sums& acc) {
  constexpr size_t kPairs = bits == 2 ? 32 : 8;
  for (size_t start = 0; start < n; start += 4 * kPairs) {
    Sums pairs = {};
    const size_t stop = start + 4 * kPairs < n ? start + 4 * kPairs : n;
    for (size_t at = start; at < stop; at += 4) {
      const __m256i half[kHalves] = {load(q + at * kTokens), load(q + at * kTokens + 32)};
      for (size_t i = 0; i < kPairRows; ++i) {
        const __m256i all = broadcast_four(x[i] + at);
        for (size_t h = 0; h < kHalves; ++h)
          pairs[i][h] = _mm256_add_epi16(pairs[i][h], _mm256_maddubs_epi16(all, half[h]));
      }
    }
    for (size_t i = 0; i < kPairRows; ++i) {
      for (size_t h = 0; h < kHalves; ++h)
        acc[i][h] = _mm256_add_epi32(acc[i][h], widen(pairs[i][h]));
    }
  }
}

// Signed times signed, as kernel8: 2 * 128 * 127 = 32,512 just fits.
template <>
inline void add_products<8>(const uint8_t (*x)[kUnpacked], const int8_t* q, size_t n, Sums& acc) {
  for (size_t at = 0; at < n; at += 4) {
    const __m256i half[kHalves] = {load(q + at * kTokens), load(q + at * kTokens + 32)};
    for (size_t i = 0; i < kPairRows; ++i) {
      const __m256i all = broadcast_four(x[i] + at), size = _mm256_abs_epi8(all);
      for (size_t h = 0; h < kHalves; ++h) {
        const __m256i pairs = _mm256_maddubs_epi16(size, _mm256_sign_epi8(half[h], all));
        acc[i][h] = _mm256_add_epi32(acc[i][h], widen(pairs));
      }
    }
  }
}

// Calls take(row, half, products), the last row possibly twice. A register holds four dimensions of
// eight query tokens, and four codes of a row are broadcast to all of them. Two rows and one block
// are four sums of 16 and four of 32 bits: with query and codes they stay in sixteen registers.
template <int bits, typename Take>
inline void for_products(const int8_t* block, const int32_t* sums, const TokenRows& codes,
                         size_t padded, const Take& take) {
  // Codes of 8 bits are 128 too small, and twice that is 256 times the sum.
  const __m256i offset = _mm256_set1_epi32(bits == 8 ? 1 : 1 - (1 << bits));
  __m256i more[kHalves];
  for (size_t h = 0; h < kHalves; ++h) more[h] = _mm256_mullo_epi32(load(sums + 8 * h), offset);
  for (size_t r = 0; r < codes.n; r += kPairRows) {
    size_t at_row[kPairRows];
    const uint8_t* row[kPairRows];
    for (size_t i = 0; i < kPairRows; ++i) {
      at_row[i] = r + i < codes.n ? r + i : codes.n - 1;
      row[i] = codes.rows + at_row[i] * codes.stride;
    }
    Sums acc = {};
    for (size_t from = 0; from < padded; from += kUnpacked) {
      const size_t n = padded - from < kUnpacked ? padded - from : kUnpacked;
      alignas(32) uint8_t x[kPairRows][kUnpacked];
      for (size_t i = 0; i < kPairRows; ++i) unpack<bits>(row[i] + from * bits / 8, n, x[i]);
      add_products<bits>(x, block + from * kTokens, n, acc);
    }
    for (size_t i = 0; i < kPairRows; ++i) {
      float factor;
      std::memcpy(&factor, row[i] + padded * bits / 8, sizeof factor);
      for (size_t h = 0; h < kHalves; ++h) {
        const __m256i twice = _mm256_add_epi32(_mm256_slli_epi32(acc[i][h], 1), more[h]);
        const __m256 product = _mm256_mul_ps(_mm256_cvtepi32_ps(twice), _mm256_set1_ps(factor));
        take(at_row[i], h, product);
      }
    }
  }
}

template <int bits>
void max_block(const int8_t* block, const int32_t* sums, const TokenRows& codes, size_t padded,
               float* best) {
  __m256 most[kHalves];
  for (size_t h = 0; h < kHalves; ++h) most[h] = _mm256_loadu_ps(best + 8 * h);
  for_products<bits>(block, sums, codes, padded, [&](size_t, size_t h, __m256 product) {
    most[h] = _mm256_max_ps(product, most[h]);
  });
  for (size_t h = 0; h < kHalves; ++h) _mm256_storeu_ps(best + 8 * h, most[h]);
}

template <int bits>
void max_of(const TokenBlocks& query, const TokenRows& codes, size_t padded, float* best) {
  for (size_t b = 0; b < query.blocks; ++b) {
    max_block<bits>(query.bytes + b * kTokens * padded, query.sums + b * kTokens, codes, padded,
                    best + b * kTokens);
  }
}

void products8(const TokenBlocks& query, const TokenRows& codes, size_t padded, float* out) {
  for (size_t b = 0; b < query.blocks; ++b) {
    float* to = out + b * kTokens;
    for_products<8>(query.bytes + b * kTokens * padded, query.sums + b * kTokens, codes, padded,
                    [&](size_t r, size_t h, __m256 product) {
                      _mm256_storeu_ps(to + r * query.blocks * kTokens + 8 * h, product);
                    });
  }
}

Kernels table() {
  Kernels k = float_kernels("avx2");
  k.dot1 = dot1;
  k.dot2 = dot2;
  k.dot4 = dot4;
  k.dot8 = dot8;
  k.score1 = score1;
  k.score2 = score2;
  k.score4 = score4;
  k.score8 = score8;
  k.max2 = max_of<2>;
  k.max4 = max_of<4>;
  k.max8 = max_of<8>;
  k.products8 = products8;
  return k;
}

}  // namespace

const Kernels* kernels_avx2() {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("popcnt") ||
      !__builtin_cpu_supports("f16c")) {
    return nullptr;
  }
  static const Kernels k = table();
  return &k;
}

#else
const Kernels* kernels_avx2() { return nullptr; }
#endif

}  // namespace palimpsest
