// Scorers: a prepared query that turns rows of a segment into distances, a batch at a time.
#pragma once

#include "encoder.h"

namespace palimpsest {

inline constexpr size_t kLine = 64;  // bytes of a cache line

// All lines of a row at once: memory answers several requests in the time of one.
inline void prefetch_bytes(const void* from, size_t bytes) {
  const char* p = static_cast<const char*>(from);
  for (size_t at = 0; at < bytes; at += kLine) __builtin_prefetch(p + at);
}

// Estimated distances from codes (encoder.h gives the formula).
class CodeScorer {
 public:
  CodeScorer(const Encoder& encoder, const uint8_t* rows, const PreparedQuery& query)
      : codes_{rows, encoder.row_bytes(), encoder.code_bytes(), encoder.padded()},
        terms_{query.operand, query.g, query.step, query.shift},
        score_(score_for(kernels(), encoder.bits())) {}

  void prefetch(uint32_t row) const { prefetch_bytes(at(row), codes_.stride); }

  void score(const uint32_t* rows, size_t n, float* out) const {
    score_(codes_, terms_, rows, n, out);
  }

  // By the same kernel as batches, so that a row has one estimate however it is asked for.
  float one(uint32_t row) const {
    float distance;
    score_(codes_, terms_, &row, 1, &distance);
    return distance;
  }

  size_t row_bytes() const { return codes_.stride; }

  // |rescale| of a row; times the segment's error constant and |q - c| it bounds the estimate.
  float spread(uint32_t row) const {
    Factors f;
    std::memcpy(&f, at(row) + codes_.code_bytes, sizeof f);
    return std::fabs(f.rescale);
  }

 private:
  const uint8_t* at(uint32_t row) const {
    return codes_.rows + static_cast<size_t>(row) * codes_.stride;
  }

  CodeRows codes_;
  QueryTerms terms_;
  ScoreRows score_;
};

// As stored; numbers of the distance table in kernels.h.
enum class RowType : int { float32 = 0, float16 = 1, int8 = 2 };

// Distances from kept rows of float32, float16 or int8 with a leading scale.
class RawScorer {
 public:
  RawScorer(const void* rows, RowType type, size_t size, Metric metric, const float* query)
      : rows_(static_cast<const uint8_t*>(rows)),
        stride_(row_bytes(type, size)),
        size_(size),
        distance_(kernels().distance[static_cast<int>(type)][static_cast<int>(metric)]),
        query_(query) {}

  size_t row_bytes() const { return stride_; }

  static size_t row_bytes(RowType type, size_t size) {
    return type == RowType::float32 ? 4 * size : type == RowType::float16 ? 2 * size : size + 4;
  }

  void prefetch(uint32_t row) const { prefetch_bytes(at(row), stride_); }

  float one(uint32_t row) const { return distance_(query_, at(row), size_); }

  float spread(uint32_t) const { return 0.0f; }  // nothing is estimated

  void score(const uint32_t* rows, size_t n, float* out) const {
    for (size_t i = 0; i < n; ++i) out[i] = one(rows[i]);
  }

 private:
  const uint8_t* at(uint32_t row) const { return rows_ + static_cast<size_t>(row) * stride_; }

  const uint8_t* rows_;
  size_t stride_, size_;
  FloatDistance distance_;
  const float* query_;
};

// Distances of another scorer, each less `shift` and times the factor of its row: what makes a
// distance to a mapped query one in the query's own space. Factors are positive.
template <typename Scorer>
class Scaled {
 public:
  Scaled(const Scorer& plain, const float* factors, float shift)
      : plain_(plain), factors_(factors), shift_(shift) {}

  size_t row_bytes() const { return plain_.row_bytes(); }

  void prefetch(uint32_t row) const {
    // Factors are by row as codes are, four bytes each: a line of its own for a row far away.
    __builtin_prefetch(factors_ + row);
    plain_.prefetch(row);
  }

  void score(const uint32_t* rows, size_t n, float* out) const {
    plain_.score(rows, n, out);
    for (size_t i = 0; i < n; ++i) out[i] = (out[i] - shift_) * factors_[rows[i]];
  }

  float one(uint32_t row) const { return (plain_.one(row) - shift_) * factors_[row]; }

  // Of the estimate that is scaled: its error is to be multiplied by the row's factor too.
  float spread(uint32_t row) const { return plain_.spread(row); }

  float factor(uint32_t row) const { return factors_[row]; }

 private:
  Scorer plain_;
  const float* factors_;
  float shift_;
};

// What a search makes of its scorers: leaves them as they are, or scales them.
struct Unscaled {
  template <typename Scorer>
  Scorer operator()(const Scorer& scorer) const {
    return scorer;
  }
};

struct Scaling {
  const float* factors;  // one per row
  float shift;

  template <typename Scorer>
  Scaled<Scorer> operator()(const Scorer& scorer) const {
    return {scorer, factors, shift};
  }
};

}  // namespace palimpsest
