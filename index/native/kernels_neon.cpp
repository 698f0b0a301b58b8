// NEON level, the baseline of aarch64 (no dot-product extension): four rows share each load of the
// query, and products widen to 16, then 32 bits before they can overflow.
#include "kernels.h"

#if defined(__aarch64__) && defined(__ARM_NEON)
#define PALIMPSEST_NEON
#include <arm_neon.h>
#endif

namespace palimpsest {
#if defined(PALIMPSEST_NEON)
#include "kernels_body.h"

namespace {

constexpr size_t kRowsAtOnce = 4;

// Runs `kernel` over groups of four rows; the last group repeats its last row.
template <typename Kernel>
inline void by_fours(const uint8_t* const* rows, size_t n, int32_t* out, Kernel kernel) {
  const uint8_t* row[kRowsAtOnce];
  int32x4_t acc[kRowsAtOnce];
  for (size_t r = 0; r < n; r += kRowsAtOnce) {
    const size_t count = n - r < kRowsAtOnce ? n - r : kRowsAtOnce;
    for (size_t i = 0; i < kRowsAtOnce; ++i) row[i] = rows[r + (i < count ? i : count - 1)];
    for (size_t i = 0; i < kRowsAtOnce; ++i) acc[i] = vdupq_n_s32(0);
    kernel(row, acc);
    // Pairwise adds of pairwise adds: lane i is the sum of acc[i].
    const int32x4_t sums = vpaddq_s32(vpaddq_s32(acc[0], acc[1]), vpaddq_s32(acc[2], acc[3]));
    int32_t four[kRowsAtOnce];
    vst1q_s32(four, sums);
    for (size_t i = 0; i < count; ++i) out[r + i] = four[i];
  }
}

// Adds the products of 16 codes with 16 query bytes, two a lane.
// Codes of 2 and 4 bits are below 16 and those of 8 bits are signed already, so unsigned bytes are
// read as signed ones: the baseline multiplies equal signs only.
inline int16x8_t multiply_add(int16x8_t sum, uint8x16_t codes, int8x16_t q) {
  const int8x16_t x = vreinterpretq_s8_u8(codes);
  return vmlal_high_s8(vmlal_s8(sum, vget_low_s8(x), vget_low_s8(q)), x, q);
}

// Eight or sixteen bytes, zeros behind.
inline uint8x16_t load_words(const uint8_t* p, size_t bytes) {
  return bytes >= 16 ? vld1q_u8(p) : vcombine_u8(vld1_u8(p), vdup_n_u8(0));
}

// Two words at a time. A byte of c0 + 2 c1 + 4 c2 - 8 c3 lies in [-64, 56].
void dot1(const uint8_t* const* rows, size_t n, const void* query, size_t padded, int32_t* out) {
  const uint8_t* planes = static_cast<const uint8_t*>(query);
  const size_t bytes = padded / 8;
  by_fours(rows, n, out, [=](const uint8_t* const* row, int32x4_t* acc) {
    for (size_t at = 0; at < bytes; at += 16) {
      uint8x16_t plane[kQueryPlanes];
      for (size_t p = 0; p < kQueryPlanes; ++p) {
        plane[p] = load_words(planes + p * bytes + at, bytes - at);
      }
      for (size_t i = 0; i < kRowsAtOnce; ++i) {
        const uint8x16_t x = load_words(row[i] + at, bytes - at);
        // Set bits of each byte, at most 8: c0 + 2 c1 + 4 c2 <= 56 and -8 c3 >= -64.
        const auto count = [&](size_t p) {
          return vreinterpretq_s8_u8(vcntq_u8(vandq_u8(x, plane[p])));
        };
        const int8x16_t low = vaddq_s8(count(0), vshlq_n_s8(count(1), 1));
        const int8x16_t high = vsubq_s8(count(2), vshlq_n_s8(count(3), 1));
        acc[i] = vpadalq_s16(acc[i], vpaddlq_s8(vaddq_s8(low, vshlq_n_s8(high, 2))));
      }
    }
  });
}

// A lane gathers eight products a block: 8 * 3 * 127 = 3,048.
void dot2(const uint8_t* const* rows, size_t n, const void* query, size_t padded, int32_t* out) {
  const int8_t* q = static_cast<const int8_t*>(query);
  by_fours(rows, n, out, [=](const uint8_t* const* row, int32x4_t* acc) {
    const uint8x16_t low = vdupq_n_u8(3);
    for (size_t b = 0; b < padded / kBlock; ++b) {
      const int8_t* qb = q + b * kBlock;
      const int8x16_t q0 = vld1q_s8(qb), q1 = vld1q_s8(qb + 16);
      const int8x16_t q2 = vld1q_s8(qb + 32), q3 = vld1q_s8(qb + 48);
      for (size_t i = 0; i < kRowsAtOnce; ++i) {
        const uint8x16_t x = vld1q_u8(row[i] + b * 16);
        int16x8_t sum = multiply_add(vdupq_n_s16(0), vandq_u8(x, low), q0);
        sum = multiply_add(sum, vandq_u8(vshrq_n_u8(x, 2), low), q1);
        sum = multiply_add(sum, vandq_u8(vshrq_n_u8(x, 4), low), q2);
        // Bytes do shift here, and zeros come in: no mask for the highest.
        sum = multiply_add(sum, vshrq_n_u8(x, 6), q3);
        acc[i] = vpadalq_s16(acc[i], sum);
      }
    }
  });
}

// A lane gathers eight products a block: 8 * 15 * 127 = 15,240.
void dot4(const uint8_t* const* rows, size_t n, const void* query, size_t padded, int32_t* out) {
  const int8_t* q = static_cast<const int8_t*>(query);
  by_fours(rows, n, out, [=](const uint8_t* const* row, int32x4_t* acc) {
    const uint8x16_t low = vdupq_n_u8(15);
    for (size_t b = 0; b < padded / kBlock; ++b) {
      const int8_t* qb = q + b * kBlock;
      const int8x16_t q0 = vld1q_s8(qb), q1 = vld1q_s8(qb + 16);
      const int8x16_t q2 = vld1q_s8(qb + 32), q3 = vld1q_s8(qb + 48);
      for (size_t i = 0; i < kRowsAtOnce; ++i) {
        const uint8x16_t x0 = vld1q_u8(row[i] + b * 32), x1 = vld1q_u8(row[i] + b * 32 + 16);
        int16x8_t sum = multiply_add(vdupq_n_s16(0), vandq_u8(x0, low), q0);
        sum = multiply_add(sum, vandq_u8(x1, low), q1);
        sum = multiply_add(sum, vshrq_n_u8(x0, 4), q2);
        sum = multiply_add(sum, vshrq_n_u8(x1, 4), q3);
        acc[i] = vpadalq_s16(acc[i], sum);
      }
    }
  });
}

// A lane holds two products before it widens: 2 * 128 * 127 = 32,512 just fits.
void dot8(const uint8_t* const* rows, size_t n, const void* query, size_t padded, int32_t* out) {
  const int8_t* q = static_cast<const int8_t*>(query);
  by_fours(rows, n, out, [=](const uint8_t* const* row, int32x4_t* acc) {
    for (size_t at = 0; at < padded; at += 16) {
      const int8x16_t qv = vld1q_s8(q + at);
      for (size_t i = 0; i < kRowsAtOnce; ++i) {
        const uint8x16_t x = vld1q_u8(row[i] + at);
        acc[i] = vpadalq_s16(acc[i], multiply_add(vdupq_n_s16(0), x, qv));
      }
    }
  });
}

constexpr size_t kUnpacked = 256;  // dimensions unpacked at a time

// Codes of `n` dimensions, a multiple of 64, as signed bytes, once for all query tokens: x_u, but
// x_u - 128 of 8 bits.
template <int bits>
inline void unpack(const uint8_t* code, size_t n, uint8_t* out) {
  for (size_t at = 0; at < n; at += kBlock) {
    const uint8_t* from = code + at * bits / 8;
    if constexpr (bits == 8) {
      std::memcpy(out + at, from, kBlock);
    } else if constexpr (bits == 4) {
      for (size_t j = 0; j < 32; j += 16) {
        const uint8x16_t x = vld1q_u8(from + j);
        vst1q_u8(out + at + j, vandq_u8(x, vdupq_n_u8(15)));
        vst1q_u8(out + at + 32 + j, vshrq_n_u8(x, 4));
      }
    } else {
      const uint8x16_t x = vld1q_u8(from), low = vdupq_n_u8(3);
      vst1q_u8(out + at, vandq_u8(x, low));
      vst1q_u8(out + at + 16, vandq_u8(vshrq_n_u8(x, 2), low));
      vst1q_u8(out + at + 32, vandq_u8(vshrq_n_u8(x, 4), low));
      vst1q_u8(out + at + 48, vshrq_n_u8(x, 6));
    }
  }
}

// Calls take(row, quarter, products). A register holds four dimensions of four query tokens, and
// four codes of a row are broadcast to all of them. Two products are added before they widen:
// 2 * 128 * 127 = 32,512 just fits.
template <int bits, typename Take>
inline void for_products(const int8_t* block, const int32_t* sums, const TokenRows& codes,
                         size_t padded, const Take& take) {
  constexpr size_t kQuarters = kTokens / 4;
  // Codes of 8 bits are 128 too small, and twice that is 256 times the sum.
  constexpr int32_t offset = bits == 8 ? 1 : 1 - (1 << bits);
  for (size_t r = 0; r < codes.n; ++r) {
    const uint8_t* row = codes.rows + r * codes.stride;
    int32x4_t acc[kQuarters];
    for (size_t h = 0; h < kQuarters; ++h) acc[h] = vdupq_n_s32(0);
    for (size_t from = 0; from < padded; from += kUnpacked) {
      const size_t n = padded - from < kUnpacked ? padded - from : kUnpacked;
      uint8_t x[kUnpacked];
      unpack<bits>(row + from * bits / 8, n, x);
      const int8_t* q = block + from * kTokens;
      for (size_t at = 0; at < n; at += 4, q += 4 * kTokens) {
        int32_t four;
        std::memcpy(&four, x + at, sizeof four);
        const int8x16_t all = vreinterpretq_s8_s32(vdupq_n_s32(four));
        for (size_t h = 0; h < kQuarters; ++h) {
          const int8x16_t tokens = vld1q_s8(q + 16 * h);
          const int16x8_t low = vmull_s8(vget_low_s8(tokens), vget_low_s8(all));
          const int16x8_t high = vmull_high_s8(tokens, all);
          acc[h] = vpadalq_s16(acc[h], vpaddq_s16(low, high));
        }
      }
    }
    float factor;
    std::memcpy(&factor, row + padded * bits / 8, sizeof factor);
    for (size_t h = 0; h < kQuarters; ++h) {
      const int32x4_t more = vmulq_n_s32(vld1q_s32(sums + 4 * h), offset);
      const int32x4_t twice = vaddq_s32(vshlq_n_s32(acc[h], 1), more);
      take(r, h, vmulq_n_f32(vcvtq_f32_s32(twice), factor));
    }
  }
}

template <int bits>
void max_block(const int8_t* block, const int32_t* sums, const TokenRows& codes, size_t padded,
               float* best) {
  for_products<bits>(block, sums, codes, padded, [best](size_t, size_t h, float32x4_t product) {
    const float32x4_t most = vld1q_f32(best + 4 * h);
    vst1q_f32(best + 4 * h, vbslq_f32(vcgtq_f32(product, most), product, most));
  });
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
                    [&](size_t r, size_t h, float32x4_t product) {
                      vst1q_f32(to + r * query.blocks * kTokens + 4 * h, product);
                    });
  }
}

Kernels table() {
  Kernels k = float_kernels("neon");
  k.dot1 = dot1;
  k.dot2 = dot2;
  k.dot4 = dot4;
  k.dot8 = dot8;
  k.score1 = score_by<dot1>;
  k.score2 = score_by<dot2>;
  k.score4 = score_by<dot4>;
  k.score8 = score_by<dot8>;
  k.max2 = max_of<2>;
  k.max4 = max_of<4>;
  k.max8 = max_of<8>;
  k.products8 = products8;
  return k;
}

}  // namespace

const Kernels* kernels_neon() {
  static const Kernels k = table();
  return &k;
}

#else
const Kernels* kernels_neon() { return nullptr; }
#endif

}  // namespace palimpsest
