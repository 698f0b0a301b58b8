// Codes of tokens, the vectors of a set: rotation and codes of 2, 4 or 8 bits around zero.
//
// A row is | code: D' * bits / 8 bytes | factor: f32 |, 64 + 4 bytes for 128 dimensions of 4 bits.
// It stands for the vector P^T (2 factor x), x the centred code x_u - (2^bits - 1) / 2 and 2 factor
// = |r|^2 / <x, r> for the rotated vector r: RaBitQ's estimator (arXiv 2409.09913, section 3) with
// zero as the centre. So the error is orthogonal to the vector, and half the factor is kept because
// kernels make twice <x, q>, an integer.
//
// No centroid: to subtract the mean of all tokens gains nothing (top tens that agree with exact
// MaxSim, Cranfield: .974 without and .970 with it at 4 bits, .917 and .918 at 2), and rows of an
// encoder that depends on no data are the same bytes growing and sealed.
#pragma once

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "encoder.h"

namespace palimpsest {

// The power of two that brings the largest of n values into [.5, 1), by its exponent; 0 for zeros.
inline int exponent_of(const float* values, size_t n) {
  const float largest = kernels().max_abs(values, n);
  int exponent = 0;
  if (largest > 0.0f) std::frexp(largest, &exponent);
  return exponent;
}

class TokenCoder {
 public:
  static constexpr size_t kLongest = 65536;  // dimensions, see TokenBlocks in kernels.h

  TokenCoder(size_t size, int bits, const int8_t* signs)
      : size_(size), padded_(padded_size(size)), bits_(bits), signs_(signs, signs + 4 * padded_) {
    if (bits != 2 && bits != 4 && bits != 8) {
      throw std::invalid_argument("bits of tokens must be 2, 4 or 8");
    }
    if (size > kLongest) throw std::invalid_argument("tokens have at most 65,536 dimensions");
  }

  size_t size() const { return size_; }
  size_t padded() const { return padded_; }
  int bits() const { return bits_; }
  size_t code_bytes() const { return padded_ * static_cast<size_t>(bits_) / 8; }
  size_t row_bytes() const { return code_bytes() + sizeof(float); }

  // P v with D' values, each divided by 2^(what is returned): near one, where float32 holds fourth
  // powers and the inverse of a step. Powers of two are exact, so lengths change no code.
  int rotate(const float* v, float* out) const {
    const int exponent = exponent_of(v, size_);
    for (size_t i = 0; i < size_; ++i) out[i] = std::ldexp(v[i], -exponent);
    std::fill(out + size_, out + padded_, 0.0f);
    kernels().rotate(out, signs_.data(), padded_);
    return exponent;
  }

  // Encodes a vector into a row; returns the half-width of the interval of 1.9 deviations around
  // its product with a query of length 1 (2405.12497, Theorem 3.2). `scratch` has D' values.
  float encode(const float* v, uint8_t* row, float* scratch) const {
    const int exponent = rotate(v, scratch);
    const Encoded e = kernels().encode(scratch, padded_, bits_, 1.0f, row);
    const float factor = std::ldexp(-e.factors.rescale, exponent - 1);
    std::memcpy(row + code_bytes(), &factor, sizeof factor);
    return std::ldexp(e.error, exponent);
  }

  void decode(const uint8_t* row, float* out, float* scratch) const {
    float factor;
    std::memcpy(&factor, row + code_bytes(), sizeof factor);
    const int all = (1 << bits_) - 1;
    for (size_t i = 0; i < padded_; ++i)
      scratch[i] = factor * static_cast<float>(2 * code_at(row, i) - all);
    kernels().unrotate(scratch, signs_.data(), padded_);
    std::copy_n(scratch, size_, out);
  }

 private:
  int code_at(const uint8_t* row, size_t i) const {
    const size_t block = i / kBlock, j = i % kBlock;
    if (bits_ == 2) return (row[block * 16 + j % 16] >> (2 * (j / 16))) & 3;
    if (bits_ == 4) return (row[block * 32 + j % 32] >> (4 * (j / 32))) & 15;
    return static_cast<int8_t>(row[i]) + 128;
  }

  size_t size_, padded_;
  int bits_;
  std::vector<float> signs_;
};

}  // namespace palimpsest
