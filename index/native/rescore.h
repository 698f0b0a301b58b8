// Rescoring: candidates by code are compared again by kept rows, until a better row is unlikely;
// and the sweep over all rows that follows where it stays open what the best ones are.
#pragma once

#include "filtered.h"

namespace palimpsest {

struct KeptRows {
  const void* rows = nullptr;  // null where originals are not kept
  RowType type = RowType::float32;
};

struct SegmentView {
  size_t n = 0;
  size_t size = 0;
  Metric metric = Metric::inner_product;
  const Encoder* encoder = nullptr;  // null: the float32 encoding, search runs on kept rows
  const uint8_t* codes = nullptr;
  float error_scale = 0;  // error of a row is at most about error_scale * |rescale|
  const FrozenGraph* graph = nullptr;
  KeptRows kept;
};

inline Scratch& scratch() {
  static thread_local Scratch s;
  return s;
}

// Distances leave as lengths: the square root of squared L2.
inline void finish(Metric metric, std::vector<Candidate>& hits) {
  if (metric != Metric::l2) return;
  for (Candidate& h : hits) h.distance = std::sqrt(std::max(h.distance, 0.0f));
}

inline std::vector<Candidate> take(const Pool& pool, size_t count) {
  std::vector<Candidate> out(std::min(count, pool.size()));
  for (size_t i = 0; i < out.size(); ++i) out[i] = {pool.distance(i), pool.row(i)};
  return out;
}

inline constexpr size_t kRescoreAhead = 8;  // kept rows asked for ahead of use

// The stored error is 1.9 deviations wide; stopping at 2.5 loses less than .001 of recall (text,
// 384 dimensions: 14 rows read for the 10 best with 4-bit codes, 111 with 1-bit codes and ef =
// 200).
inline constexpr float kStopWidth = 2.5f / 1.9f;
inline constexpr float kOpenWidth = 2.0f / 1.9f;  // to go on beyond the candidates of a walk
inline constexpr float kRoundedQuery = 1.4f;  // int8 queries are off by as much as 8-bit codes are
// Of the nodes a walk expands: a row that comes to the first places later says that more will.
// Held-out shapes bear it out (docs/recall.md).
inline constexpr double kLate = 0.3, kLateOfLarge = 0.75;
// Times the share of the candidates that is watched: a walk comes to the last of them that late.
inline constexpr double kLatePerShare = 2.0;
inline constexpr size_t kScannedPerEf =
    128;                             // rows: more are walked to again before all are scanned
inline constexpr size_t kWider = 4;  // times ef

// When rescoring ends: once a better row is unlikely, or with the last candidate, so that the k
// best are the first of the next k too.
enum class Ending { early, last };

// How far a search goes: `limit` candidates are rescored (0: none), more while it is open whether
// the first `sure` of the answer are right, and in the end all rows are looked at (0: never more).
// A walk whose answer is no farther than `usual` is trusted: nothing of this is asked.
struct Depth {
  size_t limit;
  Ending ending;
  size_t sure;
  float usual = -std::numeric_limits<float>::infinity();

  bool may_trust() const { return usual > -std::numeric_limits<float>::infinity(); }
};

// The place whose distance tells whether a walk is to be trusted: probes compare so many.
inline constexpr size_t kTold = 10;

template <typename Scorer>
float factor_of(const Scorer&, uint32_t) {
  return 1.0f;
}

template <typename Scorer>
float factor_of(const Scaled<Scorer>& scorer, uint32_t row) {
  return scorer.factor(row);
}

// How far the estimate of a row may be off: its share of the segment's error interval, and what
// float32 rounds away.
struct ErrorBound {
  float per_spread, rounding;

  template <typename Scorer>
  float of(const Scorer& scorer, uint32_t row) const {
    return (per_spread * scorer.spread(row) + rounding) * factor_of(scorer, row);
  }
};

// The least distance that candidate i or a later one is taken to have, for each of the first n;
// returns the largest error among them.
template <typename Scorer>
float least_distances(const Scorer& scorer, const Pool& pool, size_t n, const ErrorBound& bound,
                      std::vector<float>& out) {
  // Backwards: the least of what comes later is known when a place is reached.
  out.resize(n);
  float least = std::numeric_limits<float>::infinity(), largest = 0.0f;
  for (size_t i = n; i-- > 0;) {
    const float error = bound.of(scorer, pool.row(i));
    largest = std::max(largest, error);
    least = std::min(least, pool.distance(i) - error);
    out[i] = least;
  }
  return largest;
}

// The k closest seen of those offered, as a heap, the farthest first.
class Closest {
 public:
  // k may be as large as the segment; the heap grows as it fills.
  explicit Closest(size_t k) : k_(k) { hits_.reserve(std::min(k, size_t{4096}) + 1); }
  bool full() const { return hits_.size() == k_; }
  float farthest() const {
    return full() ? hits_.front().distance : std::numeric_limits<float>::infinity();
  }
  void offer(const Candidate& c) {
    if (full()) {
      if (!closer(c, hits_.front())) return;
      std::pop_heap(hits_.begin(), hits_.end(), closer);
      hits_.pop_back();
    }
    hits_.push_back(c);
    std::push_heap(hits_.begin(), hits_.end(), closer);
  }
  std::vector<Candidate> sorted() {
    std::sort_heap(hits_.begin(), hits_.end(), closer);
    return std::move(hits_);
  }

 private:
  size_t k_;
  std::vector<Candidate> hits_;
};

struct Rescored {
  std::vector<Candidate> hits;
  // The least distance that a row which is not among the candidates is taken to have.
  float beyond = std::numeric_limits<float>::infinity();

  // Whether such a row may belong to the first `sure`.
  bool is_open(size_t sure) const {
    return sure != 0 && !hits.empty() && beyond < hits[std::min(sure, hits.size()) - 1].distance;
  }
};

// Recomputes candidates (sorted by estimate) from kept rows and returns the k closest. Stops early
// once no later candidate's lower bound can enter the k best (bound-driven rescoring, RaBitQ
// section 4); where it is to be sure, not before that either.
template <typename Scorer, typename Raw>
Rescored rescore(const Pool& pool, size_t k, const Depth& depth, const Scorer& scorer,
                 const Raw& raw, const ErrorBound& bound, SearchCounts& counts) {
  static thread_local std::vector<float> least;
  const size_t limit = std::min(depth.limit, pool.size());
  const size_t n = depth.sure != 0 ? pool.size() : limit;
  Closest closest(k);
  for (size_t i = 0; i < std::min(n, kRescoreAhead); ++i) raw.prefetch(pool.row(i));
  const bool bounded =
      (k < n && depth.ending == Ending::early && bound.per_spread > 0) || depth.sure != 0;
  const float error = bounded ? least_distances(scorer, pool, n, bound, least) : 0.0f;
  const Poll poll;
  size_t i = 0;
  for (; i < n; ++i) {
    const uint32_t row = pool.row(i);
    if (i % kRescoreAhead == 0) poll();
    if ((depth.ending == Ending::early || i >= limit) && bounded && closest.full() &&
        least[i] > closest.farthest())
      break;
    if (i + kRescoreAhead < n) raw.prefetch(pool.row(i + kRescoreAhead));
    closest.offer({raw.one(row), row});
  }
  counts.rescored += i;
  if (i > limit) counts.extended = 1;
  const float beyond = pool.worst() == Pool::kNone
                           ? std::numeric_limits<float>::infinity()
                           : key_distance(pool.worst()) - kOpenWidth / kStopWidth * error;
  return {closest.sorted(), beyond};
}

// The first k rows of some nodes and their copies that may be returned.
template <typename Rows>
std::vector<Candidate> unfold(const FrozenGraph& graph, const Rows& rows,
                              std::vector<Candidate> nodes, size_t k) {
  if (!graph.has_copies) return nodes;
  std::vector<Candidate> out;
  for (const Candidate& node : nodes) {
    for (size_t i = node.row, end = graph.end_of(node.row); i < end && out.size() < k; ++i) {
      const auto row = static_cast<uint32_t>(i);
      if (rows.allows(row)) out.push_back({node.distance, row});
    }
  }
  return out;
}

// Adds to `hits` every row that by its estimate may be closer than the k-th of them.
template <typename Rows, typename Scorer, typename Raw>
std::vector<Candidate> sweep(const Rows& rows, const Scorer& scorer, const Raw& raw, size_t k,
                             const ErrorBound& bound, const std::vector<Candidate>& hits,
                             SearchCounts& counts) {
  // Hits were compared already, and a row must not be offered twice.
  std::vector<uint32_t> known;
  Closest closest(k);
  for (const Candidate& hit : hits) known.push_back(hit.row), closest.offer(hit);
  std::sort(known.begin(), known.end());
  float distances[kBatch];
  uint32_t passed[kBatch];
  rows.each(scorer, [&](const uint32_t* some, size_t count) {
    scorer.score(some, count, distances);
    counts.scored += count;
    const float last = closest.farthest();
    size_t n = 0;
    for (size_t i = 0; i < count; ++i) {
      passed[n] = some[i];
      n += distances[i] - bound.of(scorer, some[i]) <= last;
    }
    for (size_t i = 0; i < n; ++i) raw.prefetch(passed[i]);
    for (size_t i = 0; i < n; ++i) {
      if (std::binary_search(known.begin(), known.end(), passed[i])) continue;
      closest.offer({raw.one(passed[i]), passed[i]});
      ++counts.rescored;
    }
  });
  counts.extended = counts.scanned = 1;
  return closest.sorted();
}

inline ErrorBound error_bound(const SegmentView& v, const PreparedQuery& query) {
  if (v.encoder == nullptr) return {0.0f, 0.0f};
  const float width = v.encoder->bits() == 8 ? kStopWidth * kRoundedQuery : kStopWidth;
  return {width * v.error_scale * query.norm, query.rounding};
}

}  // namespace palimpsest
