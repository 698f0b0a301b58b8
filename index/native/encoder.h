// One encoding of B bits a dimension: rotation, centroid, codes with factors, prepared queries.
//
// A row r = P(o - c) is coded as x with <x, r> as large as its norm allows; the estimator is
//   distance(o, q) ~ add + G + rescale * <x, q'>,   q' = P(q - c)
//   squared L2:     add = |r|^2,    rescale = -2 |r|^2 / <x, r>,  G = |q - c|^2
//   minus product:  add = -<o, c>,  rescale =   -|r|^2 / <x, r>,  G = -<c, q> + |c|^2
// (RaBitQ, arXiv 2405.12497 eq. 20 and 2409.09913 section 3, with the query centred too). It is
// unbiased over rotations; a row's `error` times |q - c| is a 1.9-deviation interval.
//
// Deviation from the papers: dimensions keep one packed code instead of a sign plane and extra
// planes, and the query is int8 (4-bit planes against 1-bit codes). See kernels.h.
#pragma once

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "kernels.h"

namespace palimpsest {

inline size_t padded_size(size_t size) { return (size + kBlock - 1) / kBlock * kBlock; }

// A query made ready for one encoder: estimate = add + g + rescale * (step * dot + shift).
struct PreparedQuery {
  std::vector<float> rotated;
  std::vector<int8_t> bytes;      // int8 query (2, 4, 8 bits)
  std::vector<uint64_t> planes;   // bit planes (1 bit)
  const void* operand = nullptr;  // whichever of the two the kernel takes
  float g = 0, step = 0, shift = 0;
  float norm = 0;      // |q - c|
  float rounding = 0;  // float32 loses about so much of an estimate's terms
};

class Encoder {
 public:
  Encoder(size_t size, int bits, Metric metric, const float* centroid, const int8_t* signs)
      : size_(size),
        padded_(padded_size(size)),
        bits_(bits),
        metric_(metric),
        centroid_(centroid, centroid + size),
        signs_(signs, signs + 4 * padded_) {
    if (bits != 1 && bits != 2 && bits != 4 && bits != 8) {
      throw std::invalid_argument("bits must be 1, 2, 4 or 8");
    }
    if (metric == Metric::l1)
      throw std::invalid_argument("codes estimate inner products and L2 only");
    centroid_norm2_ = kernels().dot(centroid_.data(), centroid_.data(), size_);
  }

  size_t size() const { return size_; }
  size_t padded() const { return padded_; }
  int bits() const { return bits_; }
  Metric metric() const { return metric_; }
  size_t code_bytes() const { return padded_ * static_cast<size_t>(bits_) / 8; }
  size_t row_bytes() const { return code_bytes() + sizeof(Factors); }

  // Encodes n vectors into n rows of row_bytes; errors may be null.
  void encode(const float* vectors, size_t n, uint8_t* rows, float* errors) const {
    const Kernels& k = kernels();
    std::vector<float> r(padded_);
    const float scale = metric_ == Metric::l2 ? 2.0f : 1.0f;
    for (size_t i = 0; i < n; ++i) {
      const float* v = vectors + i * size_;
      residual(v, r.data());
      uint8_t* row = rows + i * row_bytes();
      const int exponent = bring_near_one(r.data());
      Encoded e = k.encode(r.data(), padded_, bits_, scale, row);
      if (exponent != 0) {
        e.factors = {std::ldexp(e.factors.add, 2 * exponent),
                     std::ldexp(e.factors.rescale, exponent)};
        e.error = std::ldexp(e.error, exponent);
      }
      if (metric_ == Metric::inner_product) e.factors.add = -k.dot(v, centroid_.data(), size_);
      std::memcpy(row + code_bytes(), &e.factors, sizeof e.factors);
      if (errors != nullptr) errors[i] = e.error;
    }
  }

  void prepare(const float* q, PreparedQuery& out) const {
    const Kernels& k = kernels();
    out.rotated.resize(padded_);
    float* r = out.rotated.data();
    residual(q, r);
    const float norm2 = k.dot(r, r, padded_);
    out.norm = std::sqrt(norm2);
    out.g = metric_ == Metric::l2 ? norm2 : centroid_norm2_ - k.dot(q, centroid_.data(), size_);
    out.rounding =
        0x1p-21f * (std::fabs(out.g) + (metric_ == Metric::l2 ? norm2 : centroid_norm2_));
    out.bytes.resize(padded_);
    if (bits_ == 1) {
      // Step of the best 16-level grid for Gaussian coordinates.
      out.step = 0.3352f * out.norm / std::sqrt(static_cast<float>(padded_));
    } else {
      out.step = k.max_abs(r, padded_) / 127.0f;
    }
    const int low = bits_ == 1 ? -8 : -127, high = bits_ == 1 ? 7 : 127;
    const int32_t sum = k.quantise(r, padded_, out.step, low, high, out.bytes.data());
    out.shift = out.step * offset() * static_cast<float>(sum);
    out.operand = out.bytes.data();
    if (bits_ == 1) {
      split_planes(out.bytes.data(), out.planes);
      out.operand = out.planes.data();
    }
  }

  // The vector a row stands for: c + P^T (x |r|^2 / <x, r>).
  void decode(const uint8_t* row, float* out) const {
    Factors f;
    std::memcpy(&f, row + code_bytes(), sizeof f);
    const float scale = -f.rescale / (metric_ == Metric::l2 ? 2.0f : 1.0f);
    std::vector<float> r(padded_);
    for (size_t i = 0; i < padded_; ++i)
      r[i] = scale * (static_cast<float>(code_at(row, i)) + offset());
    kernels().unrotate(r.data(), signs_.data(), padded_);
    for (size_t i = 0; i < size_; ++i) out[i] = r[i] + centroid_[i];
  }

 private:
  float offset() const { return bits_ == 8 ? 0.5f : -0.5f * static_cast<float>((1 << bits_) - 1); }

  void residual(const float* v, float* r) const {
    for (size_t i = 0; i < size_; ++i) r[i] = v[i] - centroid_[i];
    std::fill(r + size_, r + padded_, 0.0f);
    kernels().rotate(r, signs_.data(), padded_);
  }

  // Scales a residual by a power of two where its largest coordinate is outside [2^-20, 2^20], and
  // returns the exponent to undo it by: the grid is chosen by fourth powers, which float32 holds
  // for no others. Exact, so the code is that of the same residual at the usual lengths.
  int bring_near_one(float* r) const {
    const float largest = kernels().max_abs(r, padded_);
    if ((largest >= 0x1p-20f && largest <= 0x1p20f) || !(largest > 0.0f)) return 0;
    int exponent;
    std::frexp(largest, &exponent);
    for (size_t i = 0; i < padded_; ++i) r[i] = std::ldexp(r[i], -exponent);
    return exponent;
  }

  int code_at(const uint8_t* row, size_t i) const {
    const size_t block = i / kBlock, j = i % kBlock;
    switch (bits_) {
      case 1:
        return (row[i / 8] >> (i % 8)) & 1;
      case 2:
        return (row[block * 16 + j % 16] >> (2 * (j / 16))) & 3;
      case 4:
        return (row[block * 32 + j % 32] >> (4 * (j / 32))) & 15;
      default:
        return static_cast<int8_t>(row[i]);
    }
  }

  void split_planes(const int8_t* u, std::vector<uint64_t>& planes) const {
    const size_t words = padded_ / 64;
    planes.assign(kQueryPlanes * words, 0);
    for (size_t w = 0; w < words; ++w) {
      // Gathers bit p of eight bytes at a time into one byte by a multiplication.
      for (size_t byte = 0; byte < 8; ++byte) {
        uint64_t eight;
        std::memcpy(&eight, u + w * 64 + byte * 8, sizeof eight);
        for (size_t p = 0; p < kQueryPlanes; ++p) {
          const uint64_t bits = ((eight >> p) & 0x0101010101010101u) * 0x0102040810204080u >> 56;
          planes[p * words + w] |= bits << (8 * byte);
        }
      }
    }
  }

  size_t size_, padded_;
  int bits_;
  Metric metric_;
  std::vector<float> centroid_;
  std::vector<float> signs_;
  float centroid_norm2_ = 0;
};

}  // namespace palimpsest
