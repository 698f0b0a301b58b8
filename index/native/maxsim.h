// MaxSim of sets of vectors: the sum over query tokens of the largest similarity to a vector of the
// set (Khattab and Zaharia, arXiv 2004.12832, equation 3), over codes or exact.
//
// Every query token is scored against every candidate. To stop at one whose first 16 tokens, with 1
// for each other, do not reach the k-th best so far would save 5 % of the work at k = 10 and 2 % at
// 30 (Cranfield, 200 candidates by the mean of tokens), and to come back after 16 tokens instead of
// 32 costs 20 %.
//
// A query is prepared once: its tokens in blocks of 16, as the kernels of kernels.h take them. For
// codes they are rotated and rounded to int8, a step each. Maxima are float32, sums over tokens
// float64 in the order of the tokens: every level gives the same bits.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "scorers.h"
#include "stop.h"
#include "tokens.h"

namespace palimpsest {

inline constexpr float kNothing = -std::numeric_limits<float>::infinity();
inline constexpr size_t kAhead = 1024;   // bytes of the next set that are asked for ahead
inline constexpr size_t kPolled = 4096;  // rows against one call's query tokens between polls

// A query against codes.
class CodedQuery {
 public:
  CodedQuery(const TokenCoder& coder, const float* tokens, size_t q)
      : padded_(coder.padded()), row_bytes_(coder.row_bytes()), steps_(q) {
    const Kernels& k = kernels();
    max_products_ = max_for(k, coder.bits());
    const size_t lanes = (q + kTokens - 1) / kTokens * kTokens;
    bytes_.assign(lanes * padded_, 0);
    sums_.assign(lanes, 0);
    std::vector<float> rotated(padded_);
    std::vector<int8_t> bytes(padded_);
    for (size_t t = 0; t < q; ++t) {
      const int exponent = coder.rotate(tokens + t * coder.size(), rotated.data());
      const float step = k.max_abs(rotated.data(), padded_) / 127.0f;
      sums_[t] = k.quantise(rotated.data(), padded_, step, -127, 127, bytes.data());
      // A double, since the longest step times the shortest factor may not be a float.
      steps_[t] = std::ldexp(static_cast<double>(step), exponent);
      int8_t* to = bytes_.data() + t / kTokens * kTokens * padded_ + 4 * (t % kTokens);
      for (size_t at = 0; at < padded_; at += 4) std::memcpy(to + at * kTokens, &bytes[at], 4);
    }
  }

  size_t tokens() const { return steps_.size(); }
  size_t row_bytes() const { return row_bytes_; }
  static constexpr size_t lanes_at_once = kTokens * kTokenBlocks;

  // Largest products of the tokens from `first`, at most lanes_at_once, with rows; times `step` of
  // a token they are similarities.
  void most(size_t first, const TokenRows& rows, float* best) const {
    const size_t blocks = std::min(kTokenBlocks, (steps_.size() - first + kTokens - 1) / kTokens);
    max_products_({bytes_.data() + first * padded_, sums_.data() + first, blocks}, rows, padded_,
                  best);
  }

  // The products themselves, of codes of 8 bits: (rows, lanes), lanes those of the blocks at hand.
  size_t products(size_t first, const TokenRows& rows, float* out) const {
    const size_t blocks = std::min(kTokenBlocks, (steps_.size() - first + kTokens - 1) / kTokens);
    kernels().products8({bytes_.data() + first * padded_, sums_.data() + first, blocks}, rows,
                        padded_, out);
    return blocks * kTokens;
  }

  double step(size_t token) const { return steps_[token]; }

 private:
  size_t padded_, row_bytes_;
  MaxProducts max_products_;
  std::vector<double> steps_;  // of each token: its rotated vector is step * bytes
  std::vector<int8_t> bytes_;
  std::vector<int32_t> sums_;
};

// A query against raw rows, float32 or float16. Similarities are products, or minus distances
// (squared under L2).
class ExactQuery {
 public:
  ExactQuery(const float* tokens, size_t q, size_t size, RowType type, Metric metric)
      : q_(q), size_(size), row_bytes_(RawScorer::row_bytes(type, size)) {
    if (type == RowType::int8) throw std::invalid_argument("rows must be float32 or float16");
    similarities_ = kernels().similarities[static_cast<int>(type)][static_cast<int>(metric)];
    blocks_.assign((q + kTokens - 1) / kTokens * kTokens * size, 0.0f);
    for (size_t t = 0; t < q; ++t) {
      float* to = blocks_.data() + t / kTokens * kTokens * size + t % kTokens;
      for (size_t i = 0; i < size; ++i) to[i * kTokens] = tokens[t * size + i];
    }
  }

  size_t tokens() const { return q_; }
  size_t row_bytes() const { return row_bytes_; }
  static constexpr size_t lanes_at_once = kTokens;

  void most(size_t first, const TokenRows& rows, float* best) const {
    similarities_(blocks_.data() + first * size_, rows, size_, best);
  }

  double step(size_t) const { return 1.0; }

 private:
  size_t q_, size_, row_bytes_;
  MaxSimilarities similarities_;
  std::vector<float> blocks_;
};

// Sets whose vectors lie one behind the other: the i-th has the rows starts[i] to
// starts[i + 1].
struct Sets {
  const uint8_t* rows;
  const int64_t* starts;
  size_t row_bytes;

  TokenRows of(size_t set) const {
    const size_t first = static_cast<size_t>(starts[set]);
    return {rows + first * row_bytes, row_bytes, static_cast<size_t>(starts[set + 1]) - first};
  }
};

// MaxSim of one set; minus infinity for one without vectors, which comes after every other.
template <typename Query>
double max_sim(const Query& query, const TokenRows& set, const Poll& poll) {
  if (set.n == 0) return kNothing;
  double sum = 0.0;
  float best[Query::lanes_at_once];
  for (size_t first = 0; first < query.tokens(); first += Query::lanes_at_once) {
    std::fill_n(best, Query::lanes_at_once, kNothing);
    for (size_t from = 0; from < set.n; from += kPolled) {
      poll();
      const size_t n = std::min(kPolled, set.n - from);
      query.most(first, {set.rows + from * set.stride, set.stride, n}, best);
    }
    const size_t lanes = std::min(Query::lanes_at_once, query.tokens() - first);
    for (size_t i = 0; i < lanes; ++i) sum += query.step(first + i) * best[i];
  }
  return sum;
}

// MaxSim of n candidates.
template <typename Query>
void max_sims(const Query& query, const Sets& sets, const uint32_t* candidates, size_t n,
              double* out) {
  const Poll poll;
  for (size_t i = 0; i < n; ++i) {
    // Sets lie far apart: the first lines of the next are asked for, which is 5 % where codes are
    // out of the cache; the rest of it is a stream that the hardware sees, and more gains nothing.
    if (i + 1 < n) {
      const TokenRows next = sets.of(candidates[i + 1]);
      prefetch_bytes(next.rows, std::min(kAhead, next.n * next.stride));
    }
    out[i] = max_sim(query, sets.of(candidates[i]), poll);
  }
}

// For each query token the vector of a set that is most similar, the first of equals, and how
// much; returns the vector with the largest sum over all query tokens: what matches the query as a
// whole. By the kernels of max_sim, one row at a time, so that maxima are the same to the bit.
template <typename Query>
size_t parts(const Query& query, const TokenRows& set, int64_t* part, double* similarity) {
  const Poll poll;
  std::fill_n(similarity, query.tokens(), static_cast<double>(kNothing));
  size_t whole = 0;
  double largest = kNothing;
  float one[Query::lanes_at_once];
  for (size_t r = 0; r < set.n; ++r) {
    poll();
    double sum = 0.0;
    for (size_t first = 0; first < query.tokens(); first += Query::lanes_at_once) {
      std::fill_n(one, Query::lanes_at_once, kNothing);
      query.most(first, {set.rows + r * set.stride, set.stride, 1}, one);
      const size_t lanes = std::min(Query::lanes_at_once, query.tokens() - first);
      for (size_t i = 0; i < lanes; ++i) {
        const double s = query.step(first + i) * one[i];
        sum += s;
        if (s <= similarity[first + i]) continue;
        similarity[first + i] = s;
        part[first + i] = static_cast<int64_t>(r);
      }
    }
    if (sum <= largest) continue;
    largest = sum;
    whole = r;
  }
  return whole;
}

}  // namespace palimpsest
