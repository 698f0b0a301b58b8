// The reference level: plain loops that every other level must equal. Always built.
#include "kernels.h"

namespace palimpsest {
#include "kernels_body.h"

namespace {

// The layouts of kernels.h, read one dimension at a time; 8 bits stay signed, as the query is.
inline int code_at(const uint8_t* row, size_t i, int bits) {
  const size_t block = i / kBlock, j = i % kBlock;
  if (bits == 2) return (row[block * 16 + j % 16] >> (2 * (j / 16))) & 3;
  if (bits == 4) return (row[block * 32 + j % 32] >> (4 * (j / 32))) & 15;
  return static_cast<int8_t>(row[i]);
}

template <int bits>
void dot_rows(const uint8_t* const* rows, size_t n, const void* query, size_t padded,
              int32_t* out) {
  const int8_t* q = static_cast<const int8_t*>(query);
  for (size_t r = 0; r < n; ++r) {
    int32_t sum = 0;
    for (size_t i = 0; i < padded; ++i) sum += code_at(rows[r], i, bits) * q[i];
    out[r] = sum;
  }
}

// The baseline of x86-64-v2 has POPCNT, others may not: then sums of pairs, fours and bytes, and
// one multiplication to add these up.
inline int popcount64(uint64_t x) {
#if defined(__POPCNT__) || defined(__aarch64__)
  return __builtin_popcountll(x);
#else
  x -= (x >> 1) & 0x5555555555555555u;
  x = (x & 0x3333333333333333u) + ((x >> 2) & 0x3333333333333333u);
  return static_cast<int>((((x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu) * 0x0101010101010101u) >> 56);
#endif
}

void dot_planes(const uint8_t* const* rows, size_t n, const void* query, size_t padded,
                int32_t* out) {
  const uint64_t* planes = static_cast<const uint64_t*>(query);
  const size_t words = padded / 64;
  for (size_t r = 0; r < n; ++r) {
    // <x, q> = sum over planes p of weight(p) * |x and plane p|; the query is 4 bits, two's
    // complement.
    int32_t count[kQueryPlanes] = {};
    for (size_t w = 0; w < words; ++w) {
      uint64_t x;
      std::memcpy(&x, rows[r] + 8 * w, sizeof x);
      for (size_t p = 0; p < kQueryPlanes; ++p) count[p] += popcount64(x & planes[p * words + w]);
    }
    out[r] = count[0] + 2 * count[1] + 4 * count[2] - 8 * count[3];
  }
}

// Calls take(row, token, product).
template <int bits, typename Take>
void for_products(const TokenBlocks& query, const TokenRows& codes, size_t padded,
                  const Take& take) {
  // Codes of 8 bits are read 128 too small, and twice that is 256 times the sum.
  constexpr int64_t offset = bits == 8 ? 1 : 1 - (1 << bits);
  for (size_t r = 0; r < codes.n; ++r) {
    const uint8_t* row = codes.rows + r * codes.stride;
    float factor;
    std::memcpy(&factor, row + padded * bits / 8, sizeof factor);
    for (size_t t = 0; t < query.blocks * kTokens; ++t) {
      const int8_t* q = query.bytes + t / kTokens * kTokens * padded + t % kTokens * 4;
      int64_t dot = 0;
      for (size_t i = 0; i < padded; ++i)
        dot += code_at(row, i, bits) * q[i / 4 * 4 * kTokens + i % 4];
      const int32_t twice = static_cast<int32_t>(2 * dot + offset * query.sums[t]);
      take(r, t, factor * static_cast<float>(twice));
    }
  }
}

template <int bits>
void max_rows(const TokenBlocks& query, const TokenRows& codes, size_t padded, float* best) {
  for_products<bits>(query, codes, padded, [best](size_t, size_t t, float product) {
    best[t] = product > best[t] ? product : best[t];
  });
}

void products8(const TokenBlocks& query, const TokenRows& codes, size_t padded, float* out) {
  for_products<8>(query, codes, padded, [&](size_t r, size_t t, float product) {
    out[r * query.blocks * kTokens + t] = product;
  });
}

Kernels table() {
  Kernels k = float_kernels("scalar");
  k.dot1 = dot_planes;
  k.dot2 = dot_rows<2>;
  k.dot4 = dot_rows<4>;
  k.dot8 = dot_rows<8>;
  k.score1 = score_by<dot_planes>;
  k.score2 = score_by<dot_rows<2>>;
  k.score4 = score_by<dot_rows<4>>;
  k.score8 = score_by<dot_rows<8>>;
  k.max2 = max_rows<2>;
  k.max4 = max_rows<4>;
  k.max8 = max_rows<8>;
  k.products8 = products8;
  return k;
}

}  // namespace

const Kernels* kernels_scalar() {
  static const Kernels k = table();
  return &k;
}

}  // namespace palimpsest
