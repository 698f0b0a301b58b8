// Fixed dimensional encodings of sets of vectors (MUVERA, arXiv 2405.19504, section 2 and 4).
//
// Each repetition cuts space into 2^k_sim partitions by the signs of k_sim products. The block of a
// partition is the sum of a query's tokens in it, the mean of a document's, projected by random
// signs over the square root of their number. A block that a document leaves empty takes the token
// whose partition differs in the fewest signs; a query's stays zero. The product of both is then
// about the sum over query tokens of the best product with a document token, far below it where
// partitions mix tokens: it ranks, and is no score. Documents are divided by the repetitions.
//
// Deviations from the paper:
//  - Means get the mean length of their tokens. A mean of directions is shorter the more they
//  differ,
//    while the best token that it stands for is not: with lengths restored the best ten of MaxSim
//    are found among half as many candidates (docs/fde.md).
//  - Blocks of a document differ twice as much from their mean over a repetition: what it holds in
//    every direction matches any query a little, and says nothing of its best token. A document of
//    one token stays as it is. A fifth fewer candidates where documents have several topics.
//  - Blocks are projected instead of tokens. Projecting is linear, and there are fewer blocks.
#pragma once

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "panels.h"
#include "stop.h"

namespace palimpsest {

struct FdeShape {
  size_t size;       // of a token
  size_t k_sim;      // hyperplanes of a repetition
  size_t projected;  // dimensions kept of a block; `size` where it is kept as it is
  size_t repetitions;
  size_t final;  // dimensions of the whole, 0 where all are kept

  size_t partitions() const { return size_t{1} << k_sim; }
  size_t block_values() const { return partitions() * projected; }
  size_t unprojected() const { return repetitions * block_values(); }
  size_t dimensions() const { return final != 0 ? final : unprojected(); }
  bool projects() const { return projected < size; }
};

class FdeEncoder {
 public:
  // hyperplanes (repetitions, k_sim, size); signs (repetitions, projected, size), not read where
  // blocks are kept as they are; place and sign (unprojected) of each value in the final
  // projection, not read where there is none.
  FdeEncoder(const FdeShape& shape, const int8_t* hyperplanes, const int8_t* signs,
             const uint32_t* places, const int8_t* place_signs)
      : shape_(shape), hyperplanes_(shape.size, shape.repetitions * shape.k_sim) {
    for (size_t column = 0; column < shape.repetitions * shape.k_sim; ++column) {
      for (size_t i = 0; i < shape.size; ++i) hyperplanes_.set(i, column, *hyperplanes++);
    }
    for (size_t r = 0; shape.projects() && r < shape.repetitions; ++r) {
      projections_.emplace_back(shape.size, shape.projected);
      for (size_t column = 0; column < shape.projected; ++column) {
        for (size_t i = 0; i < shape.size; ++i) projections_[r].set(i, column, *signs++);
      }
    }
    if (shape.final == 0) return;
    places_.assign(places, places + shape.unprojected());
    place_signs_.assign(place_signs, place_signs + shape.unprojected());
  }

  const FdeShape& shape() const { return shape_; }

  // Sets i of m are tokens starts[i] to starts[i + 1] - 1; out (m, dimensions). An empty set is 0.
  void documents(const float* tokens, const int64_t* starts, size_t m, float* out) const {
    Scratch scratch;
    for (size_t i = 0; i < m; ++i) {
      const size_t from = static_cast<size_t>(starts[i]);
      encode(tokens + from * shape_.size, static_cast<size_t>(starts[i + 1]) - from, Side::document,
             scratch, out + i * shape_.dimensions(), [] {});
    }
  }

  void query(const float* tokens, size_t n, float* out) const {
    Scratch scratch;
    encode(tokens, n, Side::query, scratch, out, Poll());
  }

 private:
  enum class Side { document, query };

  struct Scratch {
    std::vector<float> products;   // of each token with each hyperplane
    std::vector<uint32_t> order;   // tokens by partition
    std::vector<uint32_t> begins;  // (partitions + 1) of them in `order`
    std::vector<uint32_t> counts, of_token;
    std::vector<uint64_t> nearest;
    std::vector<float> lengths;  // of tokens
    std::vector<float> blocks, projected, mean;
    std::vector<uint32_t> filled;  // partitions that have a block, in order
    std::vector<float> whole;      // before the final projection
  };

  // `between` is called now and then: searches may be stopped, writes may not.
  template <typename Between>
  void encode(const float* tokens, size_t n, Side side, Scratch& s, float* out,
              const Between& between) const {
    std::fill(out, out + shape_.dimensions(), 0.0f);
    if (n == 0) return;
    float* whole = out;
    if (shape_.final != 0) {
      s.whole.assign(shape_.unprojected(), 0.0f);
      whole = s.whole.data();
    }
    s.products.resize(n * hyperplanes_.width());
    hyperplanes_.multiply(tokens, n, s.products.data());
    if (side == Side::document) {
      s.lengths.resize(n);
      for (size_t t = 0; t < n; ++t) s.lengths[t] = length(tokens + t * shape_.size);
    }
    for (size_t r = 0; r < shape_.repetitions; ++r) {
      between();
      sort_tokens(n, r, s);
      make_blocks(tokens, side, s);
      place_blocks(r, side, s, whole + r * shape_.block_values());
    }
    if (shape_.final != 0) sketch(whole, out);
  }

  // A counting sort: tokens of one partition are neighbours, in the order that they came in.
  void sort_tokens(size_t n, size_t r, Scratch& s) const {
    const size_t partitions = shape_.partitions();
    s.of_token.resize(n);
    s.order.resize(n);
    s.begins.assign(partitions + 1, 0);
    for (size_t t = 0; t < n; ++t) {
      const float* products = s.products.data() + t * hyperplanes_.width() + r * shape_.k_sim;
      uint32_t partition = 0;
      for (size_t bit = 0; bit < shape_.k_sim; ++bit) {
        partition |= static_cast<uint32_t>(products[bit] > 0.0f) << bit;
      }
      s.of_token[t] = partition;
      ++s.begins[partition + 1];
    }
    for (size_t b = 0; b < partitions; ++b) s.begins[b + 1] += s.begins[b];
    s.counts.assign(s.begins.begin(), s.begins.end() - 1);  // where the next of each goes
    for (size_t t = 0; t < n; ++t) {
      s.order[s.counts[s.of_token[t]]++] = static_cast<uint32_t>(t);
    }
  }

  // Rows of `blocks` are what the partitions listed in `filled` hold.
  void make_blocks(const float* tokens, Side side, Scratch& s) const {
    const size_t size = shape_.size;
    s.filled.clear();
    s.blocks.resize(shape_.partitions() * size);
    if (side == Side::document) find_nearest(s);
    for (size_t b = 0; b < shape_.partitions(); ++b) {
      const uint32_t count = s.begins[b + 1] - s.begins[b];
      float* block = s.blocks.data() + s.filled.size() * size;
      if (count == 0) {
        if (side == Side::query) continue;
        const float* token = tokens + (s.nearest[b] & 0xffffffffu) * size;
        std::copy(token, token + size, block);
      } else {
        kernels().sum_rows(tokens, size, s.order.data() + s.begins[b], count, block);
        if (side == Side::document && count > 1) restore_length(b, count, s, block);
      }
      s.filled.push_back(static_cast<uint32_t>(b));
    }
  }

  // For each partition the token that differs from it in the fewest signs, the first of several:
  // differing signs << 32 | token. Least sums along one sign after the other: k_sim steps for each
  // partition, as the distance is a sum over signs.
  void find_nearest(Scratch& s) const {
    const size_t partitions = shape_.partitions();
    constexpr uint64_t kOneSign = uint64_t{1} << 32, kNone = kOneSign << 16;
    s.nearest.resize(partitions);
    for (size_t b = 0; b < partitions; ++b) {
      s.nearest[b] = s.begins[b] == s.begins[b + 1] ? kNone : s.order[s.begins[b]];
    }
    for (size_t bit = 1; bit < partitions; bit *= 2) {
      for (size_t b = 0; b < partitions; ++b) {
        if (b & bit) continue;
        const uint64_t here = s.nearest[b], there = s.nearest[b | bit];
        s.nearest[b] = std::min(here, there + kOneSign);
        s.nearest[b | bit] = std::min(there, here + kOneSign);
      }
    }
  }

  // Blocks to their places in a repetition, projected.
  void place_blocks(size_t r, Side side, Scratch& s, float* out) const {
    const size_t n = s.filled.size(), kept = shape_.projected;
    const float* blocks = s.blocks.data();
    size_t stride = shape_.size;
    float scale = side == Side::document ? 1.0f / static_cast<float>(shape_.repetitions) : 1.0f;
    if (shape_.projects()) {
      stride = projections_[r].width();
      s.projected.resize(n * stride);
      projections_[r].multiply(blocks, n, s.projected.data());
      blocks = s.projected.data();
      scale *= 1.0f / std::sqrt(static_cast<float>(kept));
    }
    for (size_t i = 0; i < n; ++i) {
      float* block = out + s.filled[i] * kept;
      for (size_t j = 0; j < kept; ++j) block[j] = blocks[i * stride + j] * scale;
    }
    if (side == Side::document) move_from_mean(out, s.mean);
  }

  // Of the blocks of a repetition, all of which a document fills.
  void move_from_mean(float* blocks, std::vector<float>& mean) const {
    const size_t partitions = shape_.partitions(), kept = shape_.projected;
    mean.assign(kept, 0.0f);
    for (size_t b = 0; b < partitions; ++b) {
      for (size_t j = 0; j < kept; ++j) mean[j] += blocks[b * kept + j];
    }
    const float share = 1.0f / static_cast<float>(partitions);
    for (float& value : mean) value *= share;
    for (size_t b = 0; b < partitions; ++b) {
      for (size_t j = 0; j < kept; ++j) {
        float& value = blocks[b * kept + j];
        value += value - mean[j];
      }
    }
  }

  // Count-Sketch: each value is added at a random place with a random sign, which keeps products in
  // the mean (section 4 of the paper uses dense signs, which cost `final` times as much).
  void sketch(const float* whole, float* out) const {
    for (size_t i = 0; i < shape_.unprojected(); ++i) {
      out[places_[i]] += place_signs_[i] < 0 ? -whole[i] : whole[i];
    }
  }

  // A sum of tokens becomes as long as they are in the mean; one of length 0 has no direction.
  void restore_length(size_t partition, uint32_t count, const Scratch& s, float* sum) const {
    float lengths = 0.0f;
    for (uint32_t i = s.begins[partition]; i < s.begins[partition + 1]; ++i) {
      lengths += s.lengths[s.order[i]];
    }
    const float now = length(sum);
    if (!(now > 0.0f)) return;
    const float factor = lengths / static_cast<float>(count) / now;
    for (size_t i = 0; i < shape_.size; ++i) sum[i] *= factor;
  }

  float length(const float* v) const {
    const float norm2 = kernels().dot(v, v, shape_.size);
    if (norm2 > 1e-24f && norm2 < 1e37f) return std::sqrt(norm2);
    double wide = 0.0;  // in which no square of a float vanishes or overflows
    for (size_t i = 0; i < shape_.size; ++i) wide += static_cast<double>(v[i]) * v[i];
    return static_cast<float>(std::sqrt(wide));
  }

  FdeShape shape_;
  Panels hyperplanes_;
  std::vector<Panels> projections_;  // one a repetition, none where blocks are kept as they are
  std::vector<uint32_t> places_;
  std::vector<int8_t> place_signs_;
};

}  // namespace palimpsest
