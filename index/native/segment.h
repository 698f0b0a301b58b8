// The three ways to search the rows of a segment: graph, exact scan over codes, exact scan over
// kept rows; and the rescoring that ends the first two. Each takes the rows that may be returned as
// bits by row, or as `Among`, and `scale` (Unscaled or Scaling) for the distances: codes and kept
// rows alike.
#pragma once

#include <optional>
#include <thread>

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

// When rescoring ends: once a better row is unlikely, or with the last candidate, so that the k
// best are the first of the next k too.
enum class Ending { early, last };

template <typename Scorer>
float factor_of(const Scorer&, uint32_t) {
  return 1.0f;
}

template <typename Scorer>
float factor_of(const Scaled<Scorer>& scorer, uint32_t row) {
  return scorer.factor(row);
}

// The least distance that candidate i or a later one is taken to have, for each of the first n.
template <typename Scorer>
void least_distances(const Scorer& scorer, const Pool& pool, size_t n, float error_per_spread,
                     std::vector<float>& out) {
  out.resize(n);
  float least = std::numeric_limits<float>::infinity();
  for (size_t i = n; i-- > 0;) {
    const uint32_t row = pool.row(i);
    const float error = error_per_spread * scorer.spread(row) * factor_of(scorer, row);
    least = std::min(least, pool.distance(i) - error);
    out[i] = least;
  }
}

// Recomputes up to `limit` candidates (sorted by estimate) from kept rows and returns the k
// closest. Stops early once no later candidate's lower bound can enter the k best (bound-driven
// rescoring, RaBitQ section 4).
template <typename Scorer, typename Raw>
std::vector<Candidate> rescore(const Pool& pool, size_t k, size_t limit, const Scorer& scorer,
                               const Raw& raw, float error_per_spread, SearchCounts& counts) {
  static thread_local std::vector<float> least;
  const size_t n = std::min(limit, pool.size());
  std::vector<Candidate> hits;  // a heap, the farthest first
  hits.reserve(std::min(k, n) + 1);
  for (size_t i = 0; i < std::min(n, kRescoreAhead); ++i) raw.prefetch(pool.row(i));
  const bool bounded = error_per_spread > 0 && k < n;
  if (bounded) least_distances(scorer, pool, n, error_per_spread, least);
  const Poll poll;
  for (size_t i = 0; i < n; ++i) {
    const uint32_t row = pool.row(i);
    if (i % kRescoreAhead == 0) poll();
    if (bounded && hits.size() == k && least[i] > hits.front().distance) break;
    if (i + kRescoreAhead < n) raw.prefetch(pool.row(i + kRescoreAhead));
    const Candidate c{raw.one(row), row};
    ++counts.rescored;
    if (hits.size() == k) {
      if (!closer(c, hits.front())) continue;
      std::pop_heap(hits.begin(), hits.end(), closer);
      hits.pop_back();
    }
    hits.push_back(c);
    std::push_heap(hits.begin(), hits.end(), closer);
  }
  std::sort_heap(hits.begin(), hits.end(), closer);
  return hits;
}

template <typename Scorer, typename Raw>
std::vector<Candidate> finish_codes(const SegmentView& v, const Scorer& scorer, const Raw* raw,
                                    const Pool& pool, size_t k, size_t limit, Ending ending,
                                    float query_norm, SearchCounts& counts) {
  if (raw == nullptr || limit == 0) return take(pool, k);
  const float error = ending == Ending::last ? 0.0f : kStopWidth * v.error_scale * query_norm;
  return rescore(pool, k, limit, scorer, *raw, error, counts);
}

// Graph search: ef candidates by estimate, `limit` of them rescored (0: none).
// `walk` leaves candidates in the pool it returns; null when it gave up.
template <typename Scale, typename WalkGraph>
std::optional<std::vector<Candidate>> search_by(const SegmentView& v, const float* query, size_t k,
                                                size_t limit, Ending ending, const Scale& scale,
                                                SearchCounts& counts, WalkGraph walk) {
  Scratch& s = scratch();
  const auto raw = scale(RawScorer(v.kept.rows, v.kept.type, v.size, v.metric, query));
  std::vector<Candidate> hits;
  if (v.encoder == nullptr) {
    const Pool* pool = walk(raw, s);
    if (pool == nullptr) return std::nullopt;
    hits = take(*pool, k);
  } else {
    v.encoder->prepare(query, s.query);
    const auto scorer = scale(CodeScorer(*v.encoder, v.codes, s.query));
    const Pool* pool = walk(scorer, s);
    if (pool == nullptr) return std::nullopt;
    const auto* rescored = v.kept.rows != nullptr ? &raw : nullptr;
    hits = finish_codes(v, scorer, rescored, *pool, k, limit, ending, s.query.norm, counts);
  }
  finish(v.metric, hits);
  return hits;
}

template <typename Scale>
std::vector<Candidate> search(const SegmentView& v, const float* query, size_t k, size_t ef,
                              size_t limit, Ending ending, const uint64_t* allowed,
                              const Scale& scale, SearchCounts& counts) {
  return *search_by(v, query, k, limit, ending, scale, counts, [&](const auto& scorer, Scratch& s) {
    return &search_graph(*v.graph, scorer, ef, allowed, s, counts);
  });
}

// Nothing when the walk gave up.
template <typename Scale>
std::optional<std::vector<Candidate>> search_among(const SegmentView& v, const float* query,
                                                   size_t k, size_t limit, Ending ending,
                                                   const Among& among, const Walk& walk,
                                                   const Scale& scale, SearchCounts& counts) {
  return search_by(v, query, k, limit, ending, scale, counts, [&](const auto& scorer, Scratch& s) {
    const bool ended = walk_allowed(*v.graph, scorer, among, walk, s, counts);
    return ended ? &s.allowed_pool : nullptr;
  });
}

// Every allowed row in order, in batches; `visit` gets rows and their number.
template <typename Visit>
void each_batch(size_t n, const uint64_t* allowed, Visit visit) {
  uint32_t rows[kBatch];
  size_t filled = 0;
  const Poll poll;
  for (size_t base = 0; base < n; base += 64) {
    poll();
    const size_t count = std::min<size_t>(64, n - base);
    uint64_t word = allowed == nullptr ? ~uint64_t{0} : allowed[base / 64];
    if (count < 64) word &= (uint64_t{1} << count) - 1;
    if (word == ~uint64_t{0} && filled == 0) {
      for (size_t i = 0; i < 64; ++i) rows[i] = static_cast<uint32_t>(base + i);
      visit(rows, size_t{64});
      continue;
    }
    for (; word != 0; word &= word - 1) {
      rows[filled++] = static_cast<uint32_t>(base + static_cast<size_t>(__builtin_ctzll(word)));
      if (filled == kBatch) {
        visit(rows, filled);
        filled = 0;
      }
    }
  }
  if (filled != 0) visit(rows, filled);
}

// The first n rows less those whose bit is not set.
struct FirstRows {
  size_t n;
  const uint64_t* allowed;

  template <typename Scorer, typename Visit>
  void each(const Scorer&, Visit visit) const {
    each_batch(n, allowed, visit);
  }
};

struct AmongRows {
  const Among& among;

  template <typename Scorer, typename Visit>
  void each(const Scorer& scorer, Visit visit) const {
    each_batch(among, [&](uint32_t row) { scorer.prefetch(row); }, visit);
  }
};

template <typename Rows, typename Scorer, typename Into>
void offer_each(const Rows& rows, const Scorer& scorer, Into& into, SearchCounts& counts) {
  float distances[kBatch];
  rows.each(scorer, [&](const uint32_t* some, size_t count) {
    scorer.score(some, count, distances);
    counts.scored += count;
    offer_all(into, some, distances, count, 0);
  });
}

// Leaves the `capacity` closest of some rows in the pool.
template <typename Rows, typename Scorer>
void scan_into(const Rows& rows, const Scorer& scorer, size_t capacity, Pool& pool,
               SearchCounts& counts) {
  pool.reset(capacity);
  if (capacity < Sieve::kWorthIt) return offer_each(rows, scorer, pool, counts);
  Sieve sieve(capacity);
  offer_each(rows, scorer, sieve, counts);
  sieve.move_to(pool);
}

// Exact scan over codes of some rows, `limit` candidates rescored (0: none).
template <typename Rows, typename Scale>
std::vector<Candidate> scan(const SegmentView& v, const float* query, const Rows& rows, size_t k,
                            size_t limit, Ending ending, const Scale& scale, SearchCounts& counts) {
  Scratch& s = scratch();
  const auto raw = scale(RawScorer(v.kept.rows, v.kept.type, v.size, v.metric, query));
  v.encoder->prepare(query, s.query);
  const auto scorer = scale(CodeScorer(*v.encoder, v.codes, s.query));
  scan_into(rows, scorer, std::max(k, limit), s.pool, counts);
  std::vector<Candidate> hits = finish_codes(v, scorer, v.kept.rows ? &raw : nullptr, s.pool, k,
                                             limit, ending, s.query.norm, counts);
  finish(v.metric, hits);
  return hits;
}

// Exact scan over some kept rows.
template <typename Rows, typename Scale>
std::vector<Candidate> exact(const SegmentView& v, const float* query, const Rows& rows, size_t k,
                             const Scale& scale, SearchCounts& counts) {
  Scratch& s = scratch();
  const auto raw = scale(RawScorer(v.kept.rows, v.kept.type, v.size, v.metric, query));
  scan_into(rows, raw, k, s.pool, counts);
  std::vector<Candidate> hits = take(s.pool, k);
  finish(v.metric, hits);
  return hits;
}

inline constexpr size_t kScoredAhead = 16;  // of rows far apart, asked for ahead of use

// Distances of one query to m rows in any order; under L2 as lengths.
template <typename Scorer>
void score_into(const Scorer& scorer, Metric metric, const uint32_t* rows, size_t m, float* out) {
  for (size_t i = 0; i < std::min(m, kScoredAhead); ++i) scorer.prefetch(rows[i]);
  const Poll poll;
  for (size_t from = 0; from < m; from += kScoredAhead) {
    poll();
    const size_t next = from + kScoredAhead;
    for (size_t i = next; i < std::min(m, next + kScoredAhead); ++i) scorer.prefetch(rows[i]);
    scorer.score(rows + from, std::min(kScoredAhead, m - from), out + from);
  }
  if (metric != Metric::l2) return;
  for (size_t i = 0; i < m; ++i) out[i] = std::sqrt(std::max(out[i], 0.0f));
}

// The same from codes where `by_codes`, else from kept rows.
inline void score_rows(const SegmentView& v, const float* query, const uint32_t* rows, size_t m,
                       bool by_codes, float* out) {
  if (by_codes) {
    Scratch& s = scratch();
    v.encoder->prepare(query, s.query);
    score_into(CodeScorer(*v.encoder, v.codes, s.query), v.metric, rows, m, out);
  } else {
    score_into(RawScorer(v.kept.rows, v.kept.type, v.size, v.metric, query), v.metric, rows, m,
               out);
  }
}

}  // namespace palimpsest
