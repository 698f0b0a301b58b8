// A matrix laid out for the kernel that multiplies rows with it.
#pragma once

#include <vector>

#include "kernels.h"

namespace palimpsest {

// A matrix (d, columns) as panels of kPanel columns one behind the other, zeros in the last.
class Panels {
 public:
  Panels(size_t d, size_t columns)
      : d_(d), count_((columns + kPanel - 1) / kPanel), values_(d * count_ * kPanel, 0.0f) {}

  void set(size_t row, size_t column, float value) {
    values_[(column / kPanel * d_ + row) * kPanel + column % kPanel] = value;
  }
  size_t width() const { return count_ * kPanel; }

  // out (n, width()) = rows (n, d) times the matrix.
  void multiply(const float* rows, size_t n, float* out) const {
    for (size_t p = 0; p < count_; ++p) {
      kernels().multiply(rows, n, d_, values_.data() + p * d_ * kPanel, out + p * kPanel, width());
    }
  }

 private:
  size_t d_, count_;
  std::vector<float> values_;
};

}  // namespace palimpsest
