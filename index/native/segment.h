// Search of a segment by its graph: walks, rescoring, and how both go on while the answer is open.
//
// A walk may leave its answer open in three ways. The codes may not tell whether a row that is not
// among the candidates belongs to it (rescore.h). Rows may still have come to the first places late
// in the walk, so that more are likely to. And it may have ended in a poor place: a row of those
// spread over the segment is closer than what was found. What follows is a wider walk where rows
// are many, then a look at the codes of all rows, with kept rows read wherever a code leaves it
// open.
#pragma once

#include <optional>
#include <thread>
#include <utility>

#include "scan.h"

namespace palimpsest {

// Rows spread over the segment, compared with what a walk has found: a multiple of kBatch.
inline constexpr size_t kSpread = 256;

// Whether a walk has surely missed a row: one of those spread over the segment is closer than the
// last of its first `sure`.
template <typename Rows, typename Scorer, typename Raw>
bool missed_one(const Rows& rows, size_t n, const Scorer& scorer, const Raw& raw,
                const std::vector<Candidate>& hits, size_t sure, SearchCounts& counts) {
  if (hits.empty()) return false;
  const float last = hits[std::min(sure, hits.size()) - 1].distance;
  uint32_t some[kBatch];
  float distances[kBatch];
  for (size_t from = 0; from < kSpread; from += kBatch) {
    size_t m = 0;
    // The middle of each of kSpread equal stretches.
    for (size_t i = from; i < from + kBatch; ++i) {
      some[m] = static_cast<uint32_t>((2 * i + 1) * n / (2 * kSpread));
      m += rows.allows(some[m]);
    }
    for (size_t i = 0; i < m; ++i) scorer.prefetch(some[i]);
    scorer.score(some, m, distances);
    counts.scored += m;
    for (size_t i = 0; i < m; ++i) {
      if (distances[i] > last) continue;
      const auto found = [&](const Candidate& hit) { return hit.row == some[i]; };
      // A row that was found is no miss; its estimate may be below its distance.
      if (std::any_of(hits.begin(), hits.end(), found)) continue;
      if (raw.one(some[i]) < last) return true;
    }
  }
  return false;
}

// Whether rows still came to the first places late in a walk, so that more are likely to.
inline bool is_unsettled(const Scratch& s, const SearchCounts& counts, bool is_large,
                         double share) {
  const auto whole = static_cast<double>(counts.visited - s.walk_began);
  const auto gained = static_cast<double>(s.last_gain - s.walk_began);
  const double late = std::max(kLate, std::min(kLatePerShare * share, kLateOfLarge));
  return gained > (is_large ? kLateOfLarge : late) * whole;
}

// Whether an answer is no farther than answers in this segment are, whose walks a probe trusts.
inline bool is_usual(const std::vector<Candidate>& hits, const Depth& depth) {
  if (hits.empty()) return false;
  return hits[std::min({depth.sure, hits.size(), kTold}) - 1].distance <= depth.usual;
}

// Candidates of a walk, rescored, with what is known of its end.
struct Walked {
  std::vector<Candidate> hits;
  bool is_open, has_missed;
};

template <typename Rows, typename Scorer, typename Raw>
Walked end_walk(const SegmentView& v, const Rows& rows, const Pool& pool, size_t k, size_t ef,
                const Depth& depth, bool is_large, const Scorer& scorer, const Raw* raw,
                const ErrorBound& bound, Scratch& s, SearchCounts& counts) {
  const auto rescored = [&](const Depth& to) {
    Rescored found = raw == nullptr || to.limit == 0
                         ? Rescored{take(pool, k)}
                         : rescore(pool, k, to, scorer, *raw, bound, counts);
    found.hits = unfold(*v.graph, rows, std::move(found.hits), k);
    return found;
  };
  if (depth.sure == 0 || depth.may_trust()) {
    Rescored found = rescored({depth.limit, depth.ending, 0});
    if (depth.sure == 0 || is_usual(found.hits, depth))
      return {std::move(found.hits), false, false};
  }
  Rescored found = rescored(depth);
  const auto share = static_cast<double>(depth.sure) / static_cast<double>(ef);
  const bool is_open = found.is_open(depth.sure) || is_unsettled(s, counts, is_large, share);
  const bool has_missed =
      raw == nullptr ? missed_one(rows, v.n, scorer, scorer, found.hits, depth.sure, counts)
                     : missed_one(rows, v.n, scorer, *raw, found.hits, depth.sure, counts);
  return {std::move(found.hits), is_open, has_missed};
}

// Walks, once more and wider where that leaves the answer open and is quicker than looking at all
// rows, which comes last. Nothing when a walk gave up.
template <typename Rows, typename Scorer, typename Raw>
std::optional<std::vector<Candidate>> walk_until_sure(const SegmentView& v, const Rows& rows,
                                                      size_t k, const Walk& walk,
                                                      const Depth& depth, const Scorer& scorer,
                                                      const Raw* raw, Scratch& s,
                                                      SearchCounts& counts) {
  const ErrorBound bound = error_bound(v, s.query);
  const bool is_large = v.n > kScannedPerEf * walk.ef;
  s.settling = depth.sure;
  s.is_seeded = depth.sure != 0 && !depth.may_trust();
  for (const size_t times : {size_t{1}, kWider}) {
    s.walk_began = s.last_gain = counts.visited;
    const Walk wider = walk.wider(times);
    const Pool* pool = rows.walk(*v.graph, scorer, wider, s, counts);
    if (pool == nullptr) return std::nullopt;
    Walked walked =
        end_walk(v, rows, *pool, k, wider.ef, depth, is_large, scorer, raw, bound, s, counts);
    if (!walked.is_open && !walked.has_missed) return std::move(walked.hits);
    counts.extended = 1;
    // A miss says that the walk went elsewhere: a wider one from the same entry would too.
    if (is_large && !walked.has_missed && times == 1) continue;
    if (raw != nullptr && depth.limit != 0 && v.encoder != nullptr)
      return sweep(rows, scorer, *raw, k, bound, walked.hits, counts);
    break;
  }
  return take(scan_all(rows, scorer, k, s, counts), k);
}

// As many candidates as results at least; more than candidates cannot be rescored.
inline std::pair<Walk, Depth> fitted(Walk walk, Depth depth, size_t k, float usual) {
  walk.ef = std::max(walk.ef, k);
  depth.limit = std::min(depth.limit, walk.ef);
  depth.usual = usual;
  return {walk, depth};
}

// Graph search: candidates by estimate, which are then rescored. Nothing when the walk gave up,
// which one without limits never does. `rows` are those that may be returned.
template <typename Rows, typename Scale>
std::optional<std::vector<Candidate>> walk(const SegmentView& v, const float* query,
                                           const Rows& rows, size_t k, const Walk& how,
                                           const Depth& depth, const Scale& scale,
                                           SearchCounts& counts) {
  Scratch& s = scratch();
  const auto raw = scale(RawScorer(v.kept.rows, v.kept.type, v.size, v.metric, query));
  const auto* kept = v.kept.rows != nullptr ? &raw : nullptr;
  std::optional<std::vector<Candidate>> hits;
  if (v.encoder == nullptr) {
    const Depth unscored{0, depth.ending, depth.sure, depth.usual};
    hits = walk_until_sure(v, rows, k, how, unscored, raw, kept, s, counts);
  } else {
    v.encoder->prepare(query, s.query);
    const auto scorer = scale(CodeScorer(*v.encoder, v.codes, s.query));
    hits = walk_until_sure(v, rows, k, how, depth, scorer, kept, s, counts);
  }
  if (hits) finish(v.metric, *hits);
  return hits;
}

}  // namespace palimpsest
