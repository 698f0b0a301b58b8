// Search of a frozen HNSW graph: greedy through the upper layers, a beam of ef on layer 0
// (Malkov and Yashunin, arXiv 1603.09320, Algorithms 2 and 5), over any scorer.
//
// A frozen graph never changes. Its arrays:
//   offsets (n + 1) u32 and links: neighbours of row i on layer 0 are
//   links[offsets[i]..offsets[i+1]),
//     each `width` little-endian bytes (2 below 65,536 rows, else 3, else 4);
//   the nodes of all upper layers in one flat list, the entry point first: node p stands for row
//     upper_rows[p], its neighbours are the nodes upper_links[upper_offsets[p]..], and
//     upper_down[p] is its node one layer below (a row where that is layer 0).
//
// Deviations from the paper, each for speed: neighbours are collected and prefetched before they
// are scored in one batch; the candidate queue and the result list are one sorted pool (two when
// rows are filtered out); the visited set is a byte array kept by the thread. Walks where only some
// rows are allowed stand in filtered.h.
#pragma once

#include "pool.h"
#include "scorers.h"
#include "stop.h"

namespace palimpsest {

template <size_t width>
inline uint32_t read_link(const uint8_t* p) {
  uint32_t v = 0;
  std::memcpy(&v, p, width);
  return v;
}

struct FrozenGraph {
  size_t n = 0;
  const uint32_t* offsets = nullptr;
  const uint8_t* links = nullptr;
  size_t width = 4;
  size_t upper_n = 0;
  size_t top_level = 0;  // layers above layer 0
  const uint32_t* upper_rows = nullptr;
  const uint32_t* upper_down = nullptr;
  const uint32_t* upper_offsets = nullptr;
  const uint32_t* upper_links = nullptr;
  uint32_t entry_row = 0;  // where there are no upper layers
  bool has_copies = false;

  // Whether a row is a copy of the one before it, which stands for both (fold.h).
  bool is_copy(size_t row) const { return row != 0 && offsets[row] == offsets[row + 1]; }

  // The row after the copies of a node's row.
  size_t end_of(uint32_t row) const {
    size_t end = static_cast<size_t>(row) + 1;
    if (has_copies) {
      while (end < n && is_copy(end)) ++end;
    }
    return end;
  }

  uint32_t link(size_t i) const {
    const uint8_t* p = links + i * width;
    return width == 2 ? read_link<2>(p) : width == 3 ? read_link<3>(p) : read_link<4>(p);
  }
};

// Nodes expanded together: their rows are fetched at once and the work between two nodes is done
// once for all, at the price of scoring more rows (2 % at two nodes, 9 % at four, for equal ef,
// which finds a little more too). Four pay while a row is a line or two of cache, two above that
// (measured on 72-byte and 200-byte rows).
inline constexpr size_t kMostAtOnce = 4;
inline size_t expanded_at_once(size_t row_bytes) {
  return row_bytes <= 2 * kLine ? kMostAtOnce : 2;
}

struct SearchCounts {
  uint64_t visited = 0;   // nodes expanded
  uint64_t scored = 0;    // rows compared with the query
  uint64_t rescored = 0;  // candidates recomputed from kept rows
  uint64_t extended = 0;  // 1 where more was looked at than was asked for
  uint64_t scanned = 0;   // 1 where all rows were
};

// What a search needs besides the segment; one per thread, reused.
struct Scratch {
  Pool pool, allowed_pool;
  VisitedRows visited, bridged;
  PreparedQuery query;
  bool is_seeded = false;   // walks start from rows spread over the segment too
  size_t settling = 0;      // so many first places of a walk's pool are watched
  uint64_t walk_began = 0;  // nodes expanded before the walk
  uint64_t last_gain = 0;   // and when a row last came to one of those places
};

template <typename Scorer>
uint32_t descend(const FrozenGraph& graph, const Scorer& scorer, SearchCounts& counts) {
  if (graph.upper_n == 0) return graph.entry_row;
  // Node 0 is the entry, on the highest layer.
  uint32_t node = 0, rows[kBatch];
  float best, distances[kBatch];
  scorer.score(graph.upper_rows, 1, &best);
  ++counts.scored;
  for (size_t level = graph.top_level; level > 0; --level) {
    for (bool moved = true; moved;) {
      moved = false;
      const uint32_t from = graph.upper_offsets[node];
      const size_t degree = std::min<size_t>(graph.upper_offsets[node + 1] - from, kBatch);
      for (size_t i = 0; i < degree; ++i) {
        rows[i] = graph.upper_rows[graph.upper_links[from + i]];
        scorer.prefetch(rows[i]);
      }
      scorer.score(rows, degree, distances);
      counts.scored += degree;
      ++counts.visited;
      for (size_t i = 0; i < degree; ++i) {
        if (distances[i] < best) {
          best = distances[i];
          node = graph.upper_links[from + i];
          moved = true;
        }
      }
    }
    // Of layer 1 this is a row, and the end.
    node = graph.upper_down[node];
  }
  return node;
}

// Writes the neighbours of `row` not seen before to `out` (room for kBatch) and returns their
// number. Whether a neighbour is fresh is a coin toss, so nothing branches on it.
template <size_t width>
size_t collect_fresh(const FrozenGraph& graph, uint32_t row, VisitedRows& visited, uint32_t* out) {
  const uint32_t from = graph.offsets[row];
  const size_t degree = std::min<size_t>(graph.offsets[row + 1] - from, kBatch);
  const uint8_t* links = graph.links + static_cast<size_t>(from) * width;
  size_t n = 0;
  for (size_t i = 0; i < degree; ++i) {
    const uint32_t neighbour = read_link<width>(links + i * width);
    // Written always, counted only where it is fresh: what is not is overwritten by the next.
    out[n] = neighbour;
    n += visited.first(neighbour);
  }
  return n;
}

// The same for any width; also asks for the bytes of the rows found.
template <typename Scorer>
size_t collect_unvisited(const FrozenGraph& graph, const Scorer& scorer, uint32_t row,
                         VisitedRows& visited, uint32_t* out) {
  const size_t n = graph.width == 2   ? collect_fresh<2>(graph, row, visited, out)
                   : graph.width == 3 ? collect_fresh<3>(graph, row, visited, out)
                                      : collect_fresh<4>(graph, row, visited, out);
  for (size_t i = 0; i < n; ++i) scorer.prefetch(out[i]);
  return n;
}

inline void prefetch_links(const FrozenGraph& graph, uint32_t row) {
  // 2 lines: 32 links of 2M are 64 to 128 bytes, wherever they start; the offset itself has to be
  // read.
  prefetch_bytes(graph.links + graph.offsets[row] * graph.width, 2 * kLine);
}

// Offers n scored rows to a pool, or to what places them in several; returns the lowest place
// taken, at most `lowest`. `distances` has room up to the next multiple of four. Most rows are no
// better than the worst, so four are ruled out at once.
template <typename Into>
size_t offer_all(Into& into, const uint32_t* rows, float* distances, size_t n, size_t lowest) {
  typedef float f4 __attribute__((vector_size(16)));
  typedef uint64_t u2 __attribute__((vector_size(16)));
  for (size_t i = n; i % 4 != 0; ++i) distances[i] = std::numeric_limits<float>::infinity();
  Key worst = into.worst();
  float bound = worst == Pool::kNone ? std::numeric_limits<float>::infinity() : key_distance(worst);
  for (size_t i = 0; i < n; i += 4) {
    f4 four;
    std::memcpy(&four, distances + i, sizeof four);
    const u2 closer_than_worst = (u2)(four <= f4{bound, bound, bound, bound});
    if ((closer_than_worst[0] | closer_than_worst[1]) == 0) continue;
    for (size_t j = i; j < std::min(i + 4, n); ++j) {
      const Key key = make_key(distances[j], rows[j]);
      // What is not a number has no place; its key may come before all others.
      if (key >= worst || std::isnan(distances[j])) continue;
      lowest = std::min(lowest, into.insert(key));
      worst = into.worst();
      if (worst != Pool::kNone) bound = key_distance(worst);
    }
  }
  return lowest;
}

// Rows spread over the segment from which a walk starts too: where the way down from the entry ends
// in a poor place, one of them may lie in a better one.
inline constexpr size_t kSeeds = 64;

// Writes the entry and, where they are asked for, the seeds, each once, and returns their number.
inline size_t starts_of(const FrozenGraph& graph, uint32_t entry, Scratch& s, uint32_t* out) {
  out[0] = entry;
  s.visited.first(entry);
  size_t n = 1;
  if (!s.is_seeded) return n;
  for (size_t i = 0; i < kSeeds; ++i) {
    out[n] = static_cast<uint32_t>(i * graph.n / kSeeds);
    if (graph.has_copies && graph.is_copy(out[n])) continue;
    n += s.visited.first(out[n]);
  }
  return n;
}

// The same of a pool alone, at once where this CPU can.
inline size_t offer_all(Pool& pool, const uint32_t* rows, float* distances, size_t n,
                        size_t lowest) {
  const OfferRows offer = kernels().offer;
  if (offer != nullptr) return pool.offer(offer, rows, distances, n, lowest);
  return offer_all<Pool>(pool, rows, distances, n, lowest);
}

// Where a walk without a filter puts what it meets: its pool is both queue and result.
struct Beam {
  Pool& pool;

  Key worst() const { return pool.worst(); }
  size_t insert(Key key) { return pool.insert(key); }
  void prefetch(uint32_t) const {}
  size_t first_gain(size_t lowest) const { return lowest; }
  bool is_done(Key) const { return false; }
  bool gives_up(uint64_t) const { return false; }
  bool is_whole() const { return true; }
};

inline size_t offer_all(Beam& into, const uint32_t* rows, float* distances, size_t n,
                        size_t lowest) {
  return offer_all(into.pool, rows, distances, n, lowest);
}

// The walk over layer 0 (Algorithm 2): expands the closest rows of s.pool until none is left or
// `into`, which puts what is met there and elsewhere, is done. False when it gave up.
template <typename Scorer, typename Into>
bool walk_layer(const FrozenGraph& graph, const Scorer& scorer, uint32_t entry, Into into,
                Scratch& s, SearchCounts& counts) {
  uint32_t rows[kMostAtOnce * kBatch];
  float distances[kMostAtOnce * kBatch];
  const size_t at_once = expanded_at_once(scorer.row_bytes());
  s.visited.reset(graph.n);
  const size_t starts = starts_of(graph, entry, s, rows);
  for (size_t i = 0; i < starts; ++i) scorer.prefetch(rows[i]);
  scorer.score(rows, starts, distances);
  counts.scored += starts;
  offer_all(into, rows, distances, starts, 0);
  const Poll poll;
  for (size_t at = 0; at < s.pool.size();) {
    poll();
    if (into.is_done(s.pool.key(at))) return true;
    if (into.gives_up(counts.scored)) return false;
    // Places from `at` on may be expanded already where a better row came in before them.
    size_t n = 0, next = at;
    for (size_t expanded = 0; expanded < at_once && next < s.pool.size(); ++next) {
      if (s.pool.expanded(next)) continue;
      s.pool.mark_expanded(next);
      n += collect_unvisited(graph, scorer, s.pool.row(next), s.visited, rows + n);
      ++expanded;
      ++counts.visited;
    }
    // Expanded next, unless what is scored now is closer: their links come meanwhile.
    for (size_t i = next, ahead = 0; ahead < at_once && i < s.pool.size(); ++i) {
      if (s.pool.expanded(i)) continue;
      prefetch_links(graph, s.pool.row(i));
      ++ahead;
    }
    for (size_t i = 0; i < n; ++i) into.prefetch(rows[i]);
    for (size_t i = 0; i < n; i += kBatch) {
      scorer.score(rows + i, std::min(kBatch, n - i), distances + i);
    }
    counts.scored += n;
    at = offer_all(into, rows, distances, n, next);
    if (into.first_gain(at) < s.settling) s.last_gain = counts.visited;
    while (at < s.pool.size() && s.pool.expanded(at)) ++at;
    for (size_t i = at; i < std::min(at + at_once, s.pool.size()); ++i) {
      prefetch_links(graph, s.pool.row(i));
    }
  }
  return into.is_whole();
}

}  // namespace palimpsest
