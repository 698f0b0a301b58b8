// The scans of a segment: over codes, rescored, and over kept rows. Each takes the rows that may be
// returned as bits by row, or as `Among`, and `scale` (Unscaled or Scaling) for the distances:
// codes and kept rows alike.
#pragma once

#include "rescore.h"

namespace palimpsest {

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
    // The usual case, no dead rows around: 64 numbers in a row without a branch each. With some
    // waiting the word is gathered as any other, so that rows keep their order.
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

  bool allows(uint32_t row) const { return allowed == nullptr || test_bit(allowed, row); }

  template <typename Scorer, typename Visit>
  void each(const Scorer&, Visit visit) const {
    each_batch(n, allowed, visit);
  }

  template <typename Scorer>
  const Pool* walk(const FrozenGraph& graph, const Scorer& scorer, const Walk& how, Scratch& s,
                   SearchCounts& counts) const {
    if (allowed == nullptr) return walk_all(graph, scorer, how.ef, s, counts);
    return walk_allowed(graph, scorer, RowWords{allowed}, how, s, counts);
  }
};

struct AmongRows {
  const Among& among;

  bool allows(uint32_t row) const { return among(row); }

  template <typename Scorer, typename Visit>
  void each(const Scorer& scorer, Visit visit) const {
    each_batch(among, [&](uint32_t row) { scorer.prefetch(row); }, visit);
  }

  template <typename Scorer>
  const Pool* walk(const FrozenGraph& graph, const Scorer& scorer, const Walk& how, Scratch& s,
                   SearchCounts& counts) const {
    return walk_allowed(graph, scorer, among, how, s, counts);
  }
};

// Scores a batch and offers it while its distances are in the L1 cache.
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
  // A pool of few candidates moves a line or two for an insertion, and its bound falls at once; a
  // sieve only has a bound once it is full twice.
  if (capacity < Sieve::kWorthIt) return offer_each(rows, scorer, pool, counts);
  Sieve sieve(capacity);
  offer_each(rows, scorer, sieve, counts);
  sieve.move_to(pool);
}

// The same for all of them, after a walk.
template <typename Rows, typename Scorer>
const Pool& scan_all(const Rows& rows, const Scorer& scorer, size_t capacity, Scratch& s,
                     SearchCounts& counts) {
  scan_into(rows, scorer, capacity, s.pool, counts);
  counts.extended = counts.scanned = 1;
  return s.pool;
}

// Exact scan over codes of some rows, which are then rescored.
template <typename Rows, typename Scale>
std::vector<Candidate> scan(const SegmentView& v, const float* query, const Rows& rows, size_t k,
                            const Depth& depth, const Scale& scale, SearchCounts& counts) {
  Scratch& s = scratch();
  v.encoder->prepare(query, s.query);
  const auto scorer = scale(CodeScorer(*v.encoder, v.codes, s.query));
  scan_into(rows, scorer, std::max(k, depth.limit), s.pool, counts);
  std::vector<Candidate> hits;
  if (v.kept.rows == nullptr || depth.limit == 0) {
    hits = take(s.pool, k);
  } else {
    const auto raw = scale(RawScorer(v.kept.rows, v.kept.type, v.size, v.metric, query));
    const ErrorBound bound = error_bound(v, s.query);
    Rescored rescored = rescore(s.pool, k, depth, scorer, raw, bound, counts);
    // The pool held the best estimates of all rows, so only their errors leave anything open.
    const bool is_open = rescored.is_open(depth.sure);
    hits = std::move(rescored.hits);
    if (is_open) hits = sweep(rows, scorer, raw, k, bound, hits, counts);
  }
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

// Rows come in any order, so the hardware cannot guess the next.
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
  // Estimates of squares may fall below zero.
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
