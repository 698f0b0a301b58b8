// The rows a graph is built over: temporary int8 codes, or the vectors themselves where those do
// not tell neighbours apart.
//
// Codes: rows centred (L2 only), rotated, scaled to [-127, 127] by their largest coordinate; on
// most data an error of well under a percent of a distance, far below the gaps the neighbour choice
// looks at, and four times fewer bytes to fetch than floats. In tight clusters, and in few
// dimensions, the gaps are smaller than that error.
#pragma once

#include <numeric>
#include <vector>

#include "pages.h"
#include "parallel.h"
#include "traverse.h"

namespace palimpsest {

// Sampled rows, how many neighbours of each have to agree, and among how many candidates: 32 scans
// of all codes are little beside a build. Below kBlurAgreed floats are built over.
inline constexpr size_t kBlurRows = 32, kBlurClosest = 16, kBlurAmong = 128;
inline constexpr double kBlurAgreed = 0.9;

inline uint64_t mix(uint64_t x) {  // splitmix64
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

class BuildRows {
 public:
  // vectors (n or more, size), which must outlive this; row i is vectors[order[i]].
  BuildRows(const float* vectors, size_t n, size_t size, Metric metric, const uint32_t* order,
            Threads& threads)
      : n_(n),
        padded_(padded_size(size)),
        stride_(padded_ + sizeof(Factors)),
        size_(size),
        vectors_(vectors),
        order_(order),
        metric_(metric) {
    encode(threads);
    is_exact_ = codes_blur(threads);
    if (is_exact_) std::vector<uint8_t>().swap(codes_);
  }

  // Distances of one row to n others.
  void score(uint32_t from, const uint32_t* rows, size_t n, float* out) const {
    is_exact_ ? score_vectors(from, rows, n, out) : score_codes(from, rows, n, out);
  }

  void prefetch(uint32_t row) const {
    if (is_exact_) {
      prefetch_bytes(vector(row), size_ * sizeof(float));
    } else {
      prefetch_bytes(at(row), stride_);
    }
  }

 private:
  void encode(Threads& threads) {
    if (n_ == 0) return;
    std::vector<float> centre(size_, 0.0f);
    if (metric_ == Metric::l2) centre = robust_mean();
    std::vector<float> signs(4 * padded_);
    // The same rotation for every build: these codes are never stored, so it need not be drawn.
    for (size_t i = 0; i < signs.size(); ++i) signs[i] = mix(i) & 1 ? 1.0f : -1.0f;
    codes_.reserve(n_ * stride_);
    prefer_huge_pages(codes_.data(), n_ * stride_);
    codes_.resize(n_ * stride_);
    threads.run(n_, 256, [&](size_t from, size_t to, size_t) {
      const Kernels& k = kernels();
      std::vector<float> r(padded_);
      for (size_t i = from; i < to; ++i) {
        const float* v = vector(static_cast<uint32_t>(i));
        for (size_t j = 0; j < size_; ++j) r[j] = v[j] - centre[j];
        std::fill(r.begin() + static_cast<std::ptrdiff_t>(size_), r.end(), 0.0f);
        k.rotate(r.data(), signs.data(), padded_);
        const float step = k.max_abs(r.data(), padded_) / 127.0f;
        const bool l2 = metric_ == Metric::l2;
        // Laid out as rows of 8-bit codes are, so that score8 takes them: estimate = add + g +
        // rescale * step * dot, where the other row stands in for the query and gives g and step.
        const Factors f{l2 ? k.dot(r.data(), r.data(), padded_) : 0.0f, l2 ? -2.0f * step : -step};
        uint8_t* row = &codes_[i * stride_];
        k.quantise(r.data(), padded_, step, -127, 127, reinterpret_cast<int8_t*>(row));
        std::memcpy(row + padded_, &f, sizeof f);
      }
    });
  }

  // Mean of the rows but those over four times as long as the median: one outlier must not move the
  // centre of all.
  std::vector<float> robust_mean() const {
    std::vector<float> norms(n_);
    for (size_t i = 0; i < n_; ++i) {
      const float* v = vector(static_cast<uint32_t>(i));
      norms[i] = kernels().dot(v, v, size_);
    }
    std::vector<float> sorted = norms;
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(n_ / 2),
                     sorted.end());
    const float longest = 16.0f * sorted[n_ / 2];
    std::vector<double> sum(size_, 0.0);
    double counted = 0.0;
    for (size_t i = 0; i < n_; ++i) {
      if (norms[i] > longest) continue;
      const float* v = vector(static_cast<uint32_t>(i));
      for (size_t j = 0; j < size_; ++j) sum[j] += static_cast<double>(v[j]);
      ++counted;
    }
    std::vector<float> mean(size_);
    for (size_t j = 0; j < size_; ++j) mean[j] = static_cast<float>(sum[j] / counted);
    return mean;
  }

  const uint8_t* at(uint32_t row) const { return &codes_[row * stride_]; }
  const float* vector(uint32_t row) const {
    return vectors_ + static_cast<size_t>(order_[row]) * size_;
  }

  void score_vectors(uint32_t from, const uint32_t* rows, size_t n, float* out) const {
    const FloatDistance distance = kernels().distance[0][static_cast<int>(metric_)];
    for (size_t i = 0; i < n; ++i) out[i] = distance(vector(from), vector(rows[i]), size_);
  }

  // |a|^2 + |b|^2 - 2 <a, b>, or -<a, b>, with both sides int8.
  void score_codes(uint32_t from, const uint32_t* rows, size_t n, float* out) const {
    Factors f;
    std::memcpy(&f, at(from) + padded_, sizeof f);
    // rescale is -2 step under L2 and -step else: this undoes it to the step of the row asked for.
    const float step = metric_ == Metric::l2 ? -0.5f * f.rescale : -f.rescale;
    kernels().score8({codes_.data(), stride_, padded_, padded_}, {at(from), f.add, step, 0.0f},
                     rows, n, out);
  }

  // Whether codes do not tell neighbours apart: of kBlurRows rows, spread over all, the closest
  // kBlurClosest by code are compared with those by vector among kBlurAmong candidates by code.
  bool codes_blur(Threads& threads) {
    if (size_ * sizeof(float) <= stride_) return true;  // nothing is saved by them
    if (n_ <= 2 * kBlurAmong) return false;
    const size_t samples = std::min(kBlurRows, n_);
    std::vector<size_t> agreed(threads.count(), 0);
    threads.run(samples, 1, [&](size_t from, size_t to, size_t thread) {
      for (size_t i = from; i < to; ++i) {
        agreed[thread] += agreement(static_cast<uint32_t>(i * n_ / samples));
      }
    });
    const size_t total = std::accumulate(agreed.begin(), agreed.end(), size_t{0});
    return static_cast<double>(total) < kBlurAgreed * static_cast<double>(samples * kBlurClosest);
  }

  // Of the kBlurClosest closest rows by code, those that are as close by vector as so many are.
  size_t agreement(uint32_t row) const {
    Pool pool;
    pool.reset(kBlurAmong);
    uint32_t rows[kBatch];
    float distances[kBatch];
    for (size_t from = 0; from < n_; from += kBatch) {
      size_t m = 0;
      for (size_t i = from; i < std::min(n_, from + kBatch); ++i) {
        rows[m] = static_cast<uint32_t>(i);
        m += i != row;
      }
      score_codes(row, rows, m, distances);
      offer_all(pool, rows, distances, m, 0);
    }
    std::vector<float> exact(pool.size()), sorted;
    for (size_t i = 0; i < pool.size(); ++i) {
      const uint32_t other = pool.row(i);
      score_vectors(row, &other, 1, &exact[i]);
    }
    sorted = exact;
    const auto last = sorted.begin() + kBlurClosest - 1;
    std::nth_element(sorted.begin(), last, sorted.end());
    // Float sums of equal distances may differ in the last place.
    const float limit = *last + 1e-6f * std::fabs(*last);
    return static_cast<size_t>(std::count_if(exact.begin(), exact.begin() + kBlurClosest,
                                             [&](float d) { return d <= limit; }));
  }

  size_t n_, padded_, stride_, size_;
  const float* vectors_;
  const uint32_t* order_;
  Metric metric_;
  std::vector<uint8_t> codes_;
  bool is_exact_ = false;  // distances are of vectors, not of codes
};

}  // namespace palimpsest
