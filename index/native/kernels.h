// The contract of every kernel, and the one table through which all code calls them.
//
// Three rules hold at every level (scalar, AVX2, AVX-512, NEON):
//  - integer kernels return exact integers, so all levels agree to the bit;
//  - float kernels come from one portable body (kernels_body.h) with a fixed order of additions and
//    no fused multiply-add, so codes made on one machine are byte for byte those of another;
//  - no kernel allocates, throws or knows about graphs and files.
//
// D' (padded) is the number of rotated dimensions, a multiple of 64.
//
// Layout of a row's code bytes; x_u is the unsigned code of one dimension (algorithms: RaBitQ,
// arXiv 2405.12497 and 2409.09913):
//   1 bit   little-endian 64-bit words, dimension i is bit i % 64 of word i / 64
//   2 bits  16-byte blocks of 64 dimensions: byte j holds dimensions j, j+16, j+32, j+48, low first
//   4 bits  32-byte blocks of 64 dimensions: byte j holds dimension j (low) and j+32 (high nibble)
//   8 bits  one signed byte a dimension: x_u - 128
// The whole x_u of a dimension sits in one place (no separate sign plane): unpacking is then one
// mask, and on AVX2 a full 4-bit product costs what a 1-bit product with four query planes does.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace palimpsest {

inline constexpr size_t kBlock = 64;       // dimensions per code block; D' is a multiple of it
inline constexpr size_t kBatch = 128;      // rows given to a scoring kernel at once, at most
inline constexpr size_t kQueryPlanes = 4;  // bits of the query against 1-bit codes
inline constexpr size_t kPanel = 16;       // columns of a matrix that are multiplied together
inline constexpr size_t kTokens = 16;      // query tokens in a block
inline constexpr size_t kTokenBlocks = 2;  // of them in a call, at most

// Two floats follow the code bytes of each row:
// estimated distance = add + G + rescale * <x, q'>, see encoder.h.
// | code: D' * bits / 8 bytes | add: f32 | rescale: f32 |, rows one behind the other
// 384 dimensions: 48 + 8 bytes at 1 bit, 192 + 8 at 4, a line of cache and three.
struct Factors {
  float add;
  float rescale;
};

struct Encoded {
  Factors factors;
  float error;  // half-width of the estimator's interval for a query with ||q - c|| = 1
};

enum class Metric : int { inner_product = 0, l2 = 1, l1 = 2 };

// out[i] = sum over dimensions of code(rows[i]) * query, exact.
//   1 bit: query is kQueryPlanes planes of D'/64 words, two's complement weights 1, 2, 4, -8
//   2, 4, 8 bits: query is int8[D'] in [-127, 127]; codes are x_u (2, 4 bits) or x_u - 128 (8 bits)
using DotRows = void (*)(const uint8_t* const* rows, size_t n, const void* query, size_t padded,
                         int32_t* out);

// Rows of codes with their factors behind, and the constants of a query prepared for them.
struct CodeRows {
  const uint8_t* rows;
  size_t stride, code_bytes, padded;
};
struct QueryTerms {
  const void* operand;   // int8 query or bit planes, as the dot kernel takes it
  float g, step, shift;  // estimate = (add + g) + rescale * (step * dot + shift)
};

// out[i] = estimated distance of row ids[i]; the same float operations in the same order
// everywhere.
using ScoreRows = void (*)(const CodeRows& codes, const QueryTerms& query, const uint32_t* ids,
                           size_t n, float* out);

// Distance of two raw rows: -<a, b>, squared L2 or L1.
using FloatDistance = float (*)(const float* a, const void* b, size_t d);

// Rows of one set of vectors, one behind the other: codes with a factor (maxsim.h), or raw values.
struct TokenRows {
  const uint8_t* rows;
  size_t stride, n;
};

// Blocks of 16 int8 query tokens in [-127, 127], one lane of a register each, so that nothing is
// summed across lanes. Dimensions go by fours, what a lane of a dot-product instruction takes:
//   block | dimensions 0-3 of tokens 0..15 | dimensions 4-7 of tokens 0..15 | ...
struct TokenBlocks {
  const int8_t* bytes;  // blocks * 16 * D'
  const int32_t* sums;  // over the dimensions of each token
  size_t blocks;        // 1 to kTokenBlocks
};

// best[t] = max(best[t], factor * (2 <x_u, q_t> - (2^bits - 1) sum q_t)) over the rows. What is in
// brackets is an exact integer, twice the product of q_t and the centred code, and fits 32 bits up
// to D' = 65,536; one float multiplication a token and row follows.
using MaxProducts = void (*)(const TokenBlocks& query, const TokenRows& codes, size_t padded,
                             float* best);

// best[t] = max(best[t], <q_t, row>, minus the squared L2 or minus the L1 distance) over raw rows.
// `block` holds 16 tokens, value i of all of them before value i + 1 of any.
using MaxSimilarities = void (*)(const float* block, const TokenRows& values, size_t d,
                                 float* best);

// A pool of keys (pool.h): the `size` first are sorted, and there is room for as many as it may
// come to hold, up to the next multiple of kKeysAtOnce.
struct PoolKeys {
  uint64_t* keys;
  size_t size, capacity;
};
inline constexpr size_t kKeysAtOnce = 64;

// Takes the keys of n rows into a pool as far as they are among its `capacity` smallest, but for
// those whose distance is not a number; returns the lowest place that one of them took, at most
// `lowest`. At most 4 * kBatch rows.
using OfferRows = size_t (*)(PoolKeys& pool, const uint32_t* rows, const float* distances, size_t n,
                             size_t lowest);

struct Kernels {
  const char* name;
  DotRows dot1, dot2, dot4, dot8;
  ScoreRows score1, score2, score4, score8;
  // FHT-Kac rotation of v (length D') in place; signs is 4 x D' of +-1 (algorithms 1.1).
  void (*rotate)(float* v, const float* signs, size_t padded);
  void (*unrotate)(float* v, const float* signs, size_t padded);  // its inverse
  // Rounds q / step to integers clamped to [low, high]; returns their sum.
  int32_t (*quantise)(const float* q, size_t padded, float step, int low, int high, int8_t* out);
  float (*max_abs)(const float* q, size_t n);
  // Code of one rotated residual r (length D'); bits in {1, 2, 4, 8}; scale is 2 for L2, 1 for
  // inner product. Does not set factors.add under inner product (the caller knows <o, c>).
  Encoded (*encode)(const float* r, size_t padded, int bits, float scale, uint8_t* code);
  // b is float32, float16 (raw bits) or int8 rows; [type][metric].
  FloatDistance distance[3][3];
  float (*dot)(const float* a, const float* b, size_t d);
  // out (n, kPanel), rows `stride` apart, = rows (n, d) times panel (d, kPanel); each value is the
  // sum of its products in order.
  void (*multiply)(const float* rows, size_t n, size_t d, const float* panel, float* out,
                   size_t stride);
  // out (d) = the sum of rows which[0] to which[n - 1] of rows (any, d), in that order; 0 of none.
  void (*sum_rows)(const float* rows, size_t d, const uint32_t* which, size_t n, float* out);
  MaxProducts max2, max4, max8;
  // rows of float32 or float16 (raw bits); [type][metric].
  MaxSimilarities similarities[2][3];
  // What max8 takes the largest of: products (rows, blocks * 16) of each row with each token.
  MaxProducts products8;
  // Null where taking keys one by one is no slower.
  OfferRows offer;
};

inline DotRows dot_for(const Kernels& k, int bits) {
  return bits == 1 ? k.dot1 : bits == 2 ? k.dot2 : bits == 4 ? k.dot4 : k.dot8;
}

inline ScoreRows score_for(const Kernels& k, int bits) {
  return bits == 1 ? k.score1 : bits == 2 ? k.score2 : bits == 4 ? k.score4 : k.score8;
}

inline MaxProducts max_for(const Kernels& k, int bits) {
  return bits == 2 ? k.max2 : bits == 4 ? k.max4 : k.max8;
}

// Null where this build or this CPU lacks the level.
const Kernels* kernels_scalar();
const Kernels* kernels_avx2();
const Kernels* kernels_avx512();
const Kernels* kernels_neon();

// The best level of this CPU, or the one named by PALIMPSEST_SIMD; chosen at first use.
const Kernels& kernels();
// By name; null where unavailable.
const Kernels* kernels_by_name(const char* name);

}  // namespace palimpsest
