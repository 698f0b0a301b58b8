// AVX-512 level (F, BW, VL, DQ, VNNI, VPOPCNTDQ): four rows at a time share each load of the query.
//
// VNNI multiplies unsigned codes with the signed query and adds fours of products into 32-bit lanes
// without saturation, so nothing here can overflow before D' = 65,536. Tails are masked loads.
#include "kernels.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && \
    defined(__AVX512DQ__) && defined(__AVX512VNNI__) && defined(__AVX512VPOPCNTDQ__)
#define PALIMPSEST_AVX512
// GCC 12 warns of the undefined operands its own intrinsics start from (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#endif

namespace palimpsest {
#if defined(PALIMPSEST_AVX512)
#include "kernels_body.h"
#include "kernels_x86.h"

namespace {

constexpr size_t kRowsAtOnce = 4;

// The first `bytes` of p (0 to 64), zeros behind.
inline __m512i load_some(const void* p, size_t bytes) {
  return _mm512_maskz_loadu_epi8(bytes >= 64 ? ~uint64_t{0} : (uint64_t{1} << bytes) - 1, p);
}

inline __m512i load(const void* p) { return _mm512_loadu_si512(p); }

// Sums end on 256 bits: four results need no wider shuffles.
inline __m256i halve(__m512i v) {
  return _mm256_add_epi32(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
}

// Sums of the lanes of four vectors, in order.
inline __m128i sum_four(const __m512i v[kRowsAtOnce]) {
  const __m256i ab = _mm256_hadd_epi32(halve(v[0]), halve(v[1]));
  const __m256i cd = _mm256_hadd_epi32(halve(v[2]), halve(v[3]));
  const __m256i abcd = _mm256_hadd_epi32(ab, cd);
  return _mm_add_epi32(_mm256_castsi256_si128(abcd), _mm256_extracti128_si256(abcd, 1));
}

// Runs `kernel` over groups of four rows, each ended by `finish(first, row, mask, sums)`; the last
// group repeats its last row and `mask` leaves the repeats out.
template <typename Kernel, typename Address, typename Finish>
inline void by_fours(size_t n, Kernel kernel, Address address, Finish finish) {
  const uint8_t* row[kRowsAtOnce];
  __m512i acc[kRowsAtOnce];
  for (size_t r = 0; r < n; r += kRowsAtOnce) {
    const size_t count = n - r < kRowsAtOnce ? n - r : kRowsAtOnce;
    for (size_t i = 0; i < kRowsAtOnce; ++i) row[i] = address(r + (i < count ? i : count - 1));
    for (size_t i = 0; i < kRowsAtOnce; ++i) acc[i] = _mm512_setzero_si512();
    kernel(row, acc);
    finish(r, row, static_cast<__mmask8>((1u << count) - 1), sum_four(acc));
  }
}

template <typename Kernel>
inline void dot_by_fours(const uint8_t* const* rows, size_t n, int32_t* out, Kernel kernel) {
  by_fours(
      n, kernel, [&](size_t i) { return rows[i]; },
      [&](size_t first, const uint8_t* const*, __mmask8 mask, __m128i sums) {
        _mm_mask_storeu_epi32(out + first, mask, sums);
      });
}

template <typename Kernel>
inline void score_by_fours(const CodeRows& c, const QueryTerms& q, const uint32_t* ids, size_t n,
                           float* out, Kernel kernel) {
  const __m128 g = _mm_set1_ps(q.g), step = _mm_set1_ps(q.step), shift = _mm_set1_ps(q.shift);
  by_fours(
      n, kernel, [&](size_t i) { return c.rows + static_cast<size_t>(ids[i]) * c.stride; },
      [&](size_t first, const uint8_t* const* row, __mmask8 mask, __m128i sums) {
        __m128 f[kRowsAtOnce];
        for (size_t i = 0; i < kRowsAtOnce; ++i) {
          const void* factors = row[i] + c.code_bytes;
          // (add, rescale) of one row; transposed below, as in kernels_avx2.cpp.
          f[i] = _mm_castsi128_ps(_mm_loadl_epi64(static_cast<const __m128i*>(factors)));
        }
        const __m128 ab = _mm_unpacklo_ps(f[0], f[1]), cd = _mm_unpacklo_ps(f[2], f[3]);
        const __m128 add = _mm_movelh_ps(ab, cd), rescale = _mm_movehl_ps(cd, ab);
        const __m128 product = _mm_add_ps(_mm_mul_ps(step, _mm_cvtepi32_ps(sums)), shift);
        const __m128 estimate = _mm_add_ps(_mm_add_ps(add, g), _mm_mul_ps(rescale, product));
        _mm_mask_storeu_ps(out + first, mask, estimate);
      });
}

// Eight words at a time; 64-bit lanes hold c0 + 2 c1 + 4 c2 - 8 c3 and only their low halves, which
// carry the whole sum modulo 2^32, are added up.
inline auto kernel1(const void* query, size_t padded) {
  const uint8_t* planes = static_cast<const uint8_t*>(query);
  return [=](const uint8_t* const* row, __m512i* acc) {
    // D' / 8 bytes a plane: 384 dimensions are 48, so most lengths end in a masked load.
    const size_t bytes = padded / 8;
    for (size_t at = 0; at < bytes; at += 64) {
      const size_t left = bytes - at;
      __m512i plane[kQueryPlanes];
      for (size_t p = 0; p < kQueryPlanes; ++p) {
        plane[p] = load_some(planes + p * bytes + at, left);
      }
      for (size_t i = 0; i < kRowsAtOnce; ++i) {
        const __m512i x = load_some(row[i] + at, left);
        // Two's complement: the planes of the query weigh 1, 2, 4 and -8.
        const auto count = [&](size_t p) {
          return _mm512_popcnt_epi64(_mm512_and_si512(x, plane[p]));
        };
        const __m512i low = _mm512_add_epi64(count(0), _mm512_slli_epi64(count(1), 1));
        const __m512i high = _mm512_sub_epi64(count(2), _mm512_slli_epi64(count(3), 1));
        acc[i] = _mm512_add_epi64(acc[i], _mm512_add_epi64(low, _mm512_slli_epi64(high, 2)));
      }
    }
    const __m512i low_halves = _mm512_set1_epi64(0xffffffff);
    for (size_t i = 0; i < kRowsAtOnce; ++i) acc[i] = _mm512_and_si512(acc[i], low_halves);
  };
}

// The 64 query bytes of block b, or zeros past the end.
inline __m512i query_block(const int8_t* q, size_t b, size_t blocks) {
  return b < blocks ? load(q + b * kBlock) : _mm512_setzero_si512();
}

// Four 16-byte blocks at a time. Bits 2s and 2s+1 hold dimensions 16s.. of each block, so the four
// query blocks are transposed as a 4 x 4 matrix of 128-bit lanes.
inline auto kernel2(const void* query, size_t padded) {
  const int8_t* q = static_cast<const int8_t*>(query);
  return [=](const uint8_t* const* row, __m512i* acc) {
    const size_t blocks = padded / kBlock;
    const __m512i low = _mm512_set1_epi8(3);
    for (size_t b = 0; b < blocks; b += 4) {
      const __m512i q0 = query_block(q, b, blocks), q1 = query_block(q, b + 1, blocks);
      const __m512i q2 = query_block(q, b + 2, blocks), q3 = query_block(q, b + 3, blocks);
      // 0x44 and 0xee join the low and the high halves of two registers, 0x88 and 0xdd then pick
      // the even and the odd 128-bit lanes: part s holds dimensions 16 s.. of all four blocks.
      const __m512i a0 = _mm512_shuffle_i64x2(q0, q1, 0x44);
      const __m512i a1 = _mm512_shuffle_i64x2(q0, q1, 0xee);
      const __m512i b0 = _mm512_shuffle_i64x2(q2, q3, 0x44);
      const __m512i b1 = _mm512_shuffle_i64x2(q2, q3, 0xee);
      const __m512i part0 = _mm512_shuffle_i64x2(a0, b0, 0x88);
      const __m512i part1 = _mm512_shuffle_i64x2(a0, b0, 0xdd);
      const __m512i part2 = _mm512_shuffle_i64x2(a1, b1, 0x88);
      const __m512i part3 = _mm512_shuffle_i64x2(a1, b1, 0xdd);
      for (size_t i = 0; i < kRowsAtOnce; ++i) {
        const __m512i x = load_some(row[i] + b * 16, (blocks - b) * 16);
        const __m512i x1 = _mm512_srli_epi16(x, 2), x2 = _mm512_srli_epi16(x, 4);
        const __m512i x3 = _mm512_srli_epi16(x, 6);
        acc[i] = _mm512_dpbusd_epi32(acc[i], _mm512_and_si512(x, low), part0);
        acc[i] = _mm512_dpbusd_epi32(acc[i], _mm512_and_si512(x1, low), part1);
        acc[i] = _mm512_dpbusd_epi32(acc[i], _mm512_and_si512(x2, low), part2);
        acc[i] = _mm512_dpbusd_epi32(acc[i], _mm512_and_si512(x3, low), part3);
      }
    }
  };
}

// Two 32-byte blocks at a time: low nibbles meet the first halves of both query blocks.
inline auto kernel4(const void* query, size_t padded) {
  const int8_t* q = static_cast<const int8_t*>(query);
  return [=](const uint8_t* const* row, __m512i* acc) {
    const size_t blocks = padded / kBlock;
    const __m512i low = _mm512_set1_epi8(15);
    for (size_t b = 0; b < blocks; b += 2) {
      const __m512i q0 = query_block(q, b, blocks), q1 = query_block(q, b + 1, blocks);
      const __m512i first = _mm512_shuffle_i64x2(q0, q1, 0x44);
      const __m512i second = _mm512_shuffle_i64x2(q0, q1, 0xee);
      for (size_t i = 0; i < kRowsAtOnce; ++i) {
        const __m512i x = load_some(row[i] + b * 32, (blocks - b) * 32);
        const __m512i high = _mm512_and_si512(_mm512_srli_epi16(x, 4), low);
        acc[i] = _mm512_dpbusd_epi32(acc[i], _mm512_and_si512(x, low), first);
        acc[i] = _mm512_dpbusd_epi32(acc[i], high, second);
      }
    }
  };
}

// Signed codes as unsigned ones 128 too large; 128 times the query is taken away at the end.
inline auto kernel8(const void* query, size_t padded) {
  const int8_t* q = static_cast<const int8_t*>(query);
  return [=](const uint8_t* const* row, __m512i* acc) {
    const __m512i offset = _mm512_set1_epi8(-128);
    // dpbusd takes unsigned times signed: sum (x + 128) q - 128 sum q. The second term does not
    // depend on the row and is made once for all four.
    __m512i excess = _mm512_setzero_si512();
    for (size_t at = 0; at < padded; at += 64) {
      const __m512i qv = load(q + at);
      excess = _mm512_dpbusd_epi32(excess, offset, qv);
      for (size_t i = 0; i < kRowsAtOnce; ++i) {
        acc[i] = _mm512_dpbusd_epi32(acc[i], _mm512_xor_si512(load(row[i] + at), offset), qv);
      }
    }
    for (size_t i = 0; i < kRowsAtOnce; ++i) acc[i] = _mm512_sub_epi32(acc[i], excess);
  };
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
PALIMPSEST_KERNEL(1)
PALIMPSEST_KERNEL(2)
PALIMPSEST_KERNEL(4)
PALIMPSEST_KERNEL(8)
#undef PALIMPSEST_KERNEL

constexpr size_t kUnpacked = 256;  // dimensions unpacked at a time, of each of four rows

// Codes x_u of `n` dimensions, a multiple of 64, as bytes: once for all query tokens.
template <int bits>
inline void unpack(const uint8_t* code, size_t n, uint8_t* out) {
  if constexpr (bits == 8) {
    for (size_t at = 0; at < n; at += kBlock)
      _mm512_storeu_si512(out + at, _mm512_xor_si512(load(code + at), _mm512_set1_epi8(-128)));
  } else {
    unpack_below_byte<bits>(code, n, out);
  }
}

// Calls take(row, block, products), the last row of four possibly several times. A lane is a query
// token, and four codes of a row are broadcast to all lanes. Four rows and two blocks are eight
// independent sums, which share each load of the query.
template <int bits, size_t blocks, typename Take>
inline void for_products(const TokenBlocks& query, const TokenRows& codes, size_t padded,
                         const Take& take) {
  __m512i less[blocks];
  for (size_t b = 0; b < blocks; ++b) {
    const __m512i all = _mm512_set1_epi32((1 << bits) - 1);
    less[b] = _mm512_mullo_epi32(load(query.sums + b * kTokens), all);
  }
  for (size_t r = 0; r < codes.n; r += kRowsAtOnce) {
    size_t at_row[kRowsAtOnce];
    const uint8_t* row[kRowsAtOnce];
    for (size_t i = 0; i < kRowsAtOnce; ++i) {
      at_row[i] = r + i < codes.n ? r + i : codes.n - 1;
      row[i] = codes.rows + at_row[i] * codes.stride;
    }
    __m512i acc[kRowsAtOnce][blocks];
    for (size_t i = 0; i < kRowsAtOnce; ++i) {
      for (size_t b = 0; b < blocks; ++b) acc[i][b] = _mm512_setzero_si512();
    }
    for (size_t from = 0; from < padded; from += kUnpacked) {
      const size_t n = padded - from < kUnpacked ? padded - from : kUnpacked;
      alignas(64) uint8_t x[kRowsAtOnce][kUnpacked];
      for (size_t i = 0; i < kRowsAtOnce; ++i) unpack<bits>(row[i] + from * bits / 8, n, x[i]);
      const int8_t* q = query.bytes + from * kTokens;
      for (size_t at = 0; at < n; at += 4, q += 4 * kTokens) {
        __m512i tokens[blocks];
        for (size_t b = 0; b < blocks; ++b) tokens[b] = load(q + b * kTokens * padded);
        for (size_t i = 0; i < kRowsAtOnce; ++i) {
          int32_t four;
          std::memcpy(&four, x[i] + at, sizeof four);
          const __m512i all = _mm512_set1_epi32(four);
          for (size_t b = 0; b < blocks; ++b)
            acc[i][b] = _mm512_dpbusd_epi32(acc[i][b], all, tokens[b]);
        }
      }
    }
    for (size_t i = 0; i < kRowsAtOnce; ++i) {
      float factor;
      std::memcpy(&factor, row[i] + padded * bits / 8, sizeof factor);
      for (size_t b = 0; b < blocks; ++b) {
        const __m512i twice = _mm512_sub_epi32(_mm512_slli_epi32(acc[i][b], 1), less[b]);
        const __m512 product = _mm512_mul_ps(_mm512_cvtepi32_ps(twice), _mm512_set1_ps(factor));
        take(at_row[i], b, product);
      }
    }
  }
}

template <int bits, size_t blocks>
void max_rows(const TokenBlocks& query, const TokenRows& codes, size_t padded, float* best) {
  __m512 most[blocks];
  for (size_t b = 0; b < blocks; ++b) most[b] = _mm512_loadu_ps(best + b * kTokens);
  for_products<bits, blocks>(query, codes, padded, [&](size_t, size_t b, __m512 product) {
    most[b] = _mm512_max_ps(product, most[b]);
  });
  for (size_t b = 0; b < blocks; ++b) _mm512_storeu_ps(best + b * kTokens, most[b]);
}

template <size_t blocks>
void product_rows(const TokenBlocks& query, const TokenRows& codes, size_t padded, float* out) {
  for_products<8, blocks>(query, codes, padded, [out](size_t r, size_t b, __m512 product) {
    _mm512_storeu_ps(out + (r * blocks + b) * kTokens, product);
  });
}

template <int bits>
void max_of(const TokenBlocks& query, const TokenRows& codes, size_t padded, float* best) {
  (query.blocks == 2 ? max_rows<bits, 2> : max_rows<bits, 1>)(query, codes, padded, best);
}

void products8(const TokenBlocks& query, const TokenRows& codes, size_t padded, float* out) {
  (query.blocks == 2 ? product_rows<2> : product_rows<1>)(query, codes, padded, out);
}

constexpr size_t kKeys = 8;  // in a register

// Sorts m keys into `blocks` registers of sorted ones, of which `held` are there; what falls off
// the end takes the place of the key that came. Each key goes by all registers at once:
//   new[i] = min(old[i], max(old[i - 1], key))
template <size_t blocks>
inline void sift(uint64_t* keys, size_t held, uint64_t* coming, size_t m) {
  const __m512i none = _mm512_set1_epi64(-1);
  __m512i b[blocks];
  for (size_t j = 0; j < blocks; ++j) {
    const size_t left = held > j * kKeys ? held - j * kKeys : 0;
    const auto mask = static_cast<__mmask8>(left >= kKeys ? 0xff : (1u << left) - 1);
    b[j] = _mm512_mask_loadu_epi64(none, mask, keys + j * kKeys);
  }
  for (size_t i = 0; i < m; ++i) {
    const __m512i key = _mm512_set1_epi64(static_cast<int64_t>(coming[i]));
    const __m512i off = _mm512_max_epu64(b[blocks - 1], key);
    // From the last register down: each takes in the last key that its neighbour had before.
    for (size_t j = blocks - 1; j > 0; --j) {
      const __m512i before = _mm512_alignr_epi64(b[j], b[j - 1], kKeys - 1);
      b[j] = _mm512_min_epu64(b[j], _mm512_max_epu64(before, key));
    }
    const __m512i before = _mm512_alignr_epi64(b[0], _mm512_setzero_si512(), kKeys - 1);
    b[0] = _mm512_min_epu64(b[0], _mm512_max_epu64(before, key));
    coming[i] = static_cast<uint64_t>(_mm_extract_epi64(_mm512_extracti64x2_epi64(off, 3), 1));
  }
  for (size_t j = 0; j < blocks; ++j) _mm512_storeu_si512(keys + j * kKeys, b[j]);
}

// The keys of those rows that are below `worst`, not-a-numbers left out, one behind the other;
// returns their number.
inline size_t keys_below(uint64_t worst, const uint32_t* rows, const float* distances, size_t n,
                         uint64_t* out) {
  const __m512i bound = _mm512_set1_epi64(static_cast<int64_t>(worst));
  const __m256i sign = _mm256_set1_epi32(static_cast<int>(0x80000000u));
  size_t m = 0;
  for (size_t i = 0; i < n; i += kKeys) {
    const auto there = static_cast<__mmask8>(n - i >= kKeys ? 0xff : (1u << (n - i)) - 1);
    const __m256i bits = _mm256_maskz_loadu_epi32(there, distances + i);
    const __m256 distance = _mm256_castsi256_ps(bits);
    const __mmask8 numbers = _mm256_mask_cmp_ps_mask(there, distance, distance, _CMP_ORD_Q);
    // make_key (pool.h): all bits of a negative distance are turned, the sign of another.
    const __m256i turned = _mm256_or_si256(_mm256_srai_epi32(bits, 31), sign);
    const __m512i high = _mm512_cvtepu32_epi64(_mm256_xor_si256(bits, turned));
    const __m512i row = _mm512_cvtepu32_epi64(_mm256_maskz_loadu_epi32(there, rows + i));
    const __m512i key = _mm512_or_si512(_mm512_slli_epi64(high, 32), _mm512_slli_epi64(row, 1));
    const __mmask8 closer = _mm512_mask_cmplt_epu64_mask(numbers, key, bound);
    _mm512_storeu_si512(out + m, _mm512_maskz_compress_epi64(closer, key));
    m += static_cast<size_t>(__builtin_popcount(closer));
  }
  return m;
}

// How many of the first n keys are below `key`, at most `most`.
inline size_t place_of(const uint64_t* keys, size_t n, uint64_t key, size_t most) {
  const __m512i at = _mm512_set1_epi64(static_cast<int64_t>(key));
  size_t place = 0;
  for (size_t i = 0; i < n && place == i && i < most; i += kKeys) {
    const auto there = static_cast<__mmask8>(n - i >= kKeys ? 0xff : (1u << (n - i)) - 1);
    const __m512i some = _mm512_loadu_si512(keys + i);
    place += static_cast<size_t>(__builtin_popcount(_mm512_mask_cmplt_epu64_mask(there, some, at)));
  }
  return place < most ? place : most;
}

size_t offer(PoolKeys& pool, const uint32_t* rows, const float* distances, size_t n,
             size_t lowest) {
  uint64_t coming[4 * kBatch + kKeys];
  const bool full = pool.size == pool.capacity;
  const uint64_t worst = full ? pool.keys[pool.size - 1] : ~uint64_t{0};
  const size_t m = keys_below(worst, rows, distances, n, coming);
  if (m == 0) return lowest;
  uint64_t first = coming[0];
  for (size_t i = 1; i < m; ++i) first = coming[i] < first ? coming[i] : first;
  const size_t size = pool.size + m < pool.capacity ? pool.size + m : pool.capacity;
  bool passed = false;  // a key went on from an earlier stretch
  for (size_t at = 0; at < size; at += kKeysAtOnce) {
    uint64_t* keys = pool.keys + at;
    const size_t held = pool.size > at ? pool.size - at : 0;
    // Stretches whose keys are all closer than what comes stay as they are.
    if (!passed && held >= kKeysAtOnce && keys[kKeysAtOnce - 1] < first) continue;
    passed = true;
    if (size - at <= 2 * kKeys) {
      sift<2>(keys, held, coming, m);
    } else if (size - at <= 4 * kKeys) {
      sift<4>(keys, held, coming, m);
    } else if (size - at <= 6 * kKeys) {
      sift<6>(keys, held, coming, m);
    } else {
      sift<kKeysAtOnce / kKeys>(keys, held, coming, m);
    }
  }
  pool.size = size;
  return place_of(pool.keys, size, first, lowest);
}
// One register for the 16 tokens of a block: half the operations of two.
typedef float f16x __attribute__((vector_size(64)));
constexpr size_t kValueRows = 8;

template <typename Row, typename Similarity>
constexpr MaxSimilarities wide = max_similarities<Row, Similarity, f16x, kValueRows>;

Kernels table() {
  Kernels k = float_kernels("avx512");
  k.offer = offer;
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
  const MaxSimilarities values[2][3] = {
      {wide<Float32Row, Product>, wide<Float32Row, SquaredL2>, wide<Float32Row, L1>},
      {wide<Float16Row, Product>, wide<Float16Row, SquaredL2>, wide<Float16Row, L1>}};
  std::memcpy(k.similarities, values, sizeof values);
  return k;
}

}  // namespace

const Kernels* kernels_avx512() {
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq") ||
      !__builtin_cpu_supports("avx512vnni") || !__builtin_cpu_supports("avx512vpopcntdq") ||
      !__builtin_cpu_supports("popcnt") || !__builtin_cpu_supports("f16c")) {
    return nullptr;
  }
  static const Kernels k = table();
  return &k;
}

#else
const Kernels* kernels_avx512() { return nullptr; }
#endif

}  // namespace palimpsest
