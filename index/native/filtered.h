// Walks over layer 0 where only some rows may be returned.
//
// The wide walk goes over all rows and admits the allowed ones; it ends when ef of them are closer
// than every row left to expand. Its cost grows as 1 / (share of allowed rows).
//
// The two-hop walk goes over allowed rows only and looks past the others to their neighbours
// (ACORN-1, arXiv 2403.04871, section 5.2). Deviations: rows are looked past only until
// kEnoughRows are collected for a node, and each row once in a search.
//
// Both may give up, and the caller then scans: at once where few of the rows around the entry are
// allowed (the allowed ones lie elsewhere, and walks are the worse the farther), the wide walk when
// it has scored more rows than it was granted or rows it might have expanded did not fit its
// frontier, the two-hop one when no row is left to expand before ef allowed ones are found.
#pragma once

#include "among.h"
#include "traverse.h"

namespace palimpsest {

struct Walk {
  size_t ef;
  size_t most_scored;  // rows
  size_t frontier;     // rows kept for expansion by the wide walk
  bool two_hops;
  float least_share;  // of the rows around the entry that must be allowed
};

// Allows a node's row where a copy of it is allowed.
template <typename Test>
struct AnyCopy {
  const FrozenGraph& graph;
  const Test& test;

  bool operator()(uint32_t row) const {
    const size_t end = graph.end_of(row);
    for (size_t i = row; i < end; ++i) {
      if (test(static_cast<uint32_t>(i))) return true;
    }
    return false;
  }
  void prefetch(uint32_t row) const { test.prefetch(row); }
};

// Offers n scored rows to both pools; returns the lowest place taken in the frontier, at most
// `lowest`, and lowers `gained` to the lowest among those found. `distances` has room up to the
// next multiple of four.
template <typename Test>
size_t offer_allowed(Pool& frontier, Pool& found, const Test& allowed, const uint32_t* rows,
                     float* distances, size_t n, size_t lowest, size_t& gained) {
  typedef float f4 __attribute__((vector_size(16)));
  typedef uint64_t u2 __attribute__((vector_size(16)));
  for (size_t i = n; i % 4 != 0; ++i) distances[i] = std::numeric_limits<float>::infinity();
  Key worst = found.worst();
  float bound = worst == Pool::kNone ? std::numeric_limits<float>::infinity() : key_distance(worst);
  for (size_t i = 0; i < n; i += 4) {
    f4 four;
    std::memcpy(&four, distances + i, sizeof four);
    const u2 close = (u2)(four <= f4{bound, bound, bound, bound});
    if ((close[0] | close[1]) == 0) continue;
    for (size_t j = i; j < std::min(i + 4, n); ++j) {
      const Key key = make_key(distances[j], rows[j]);
      if (key >= worst) continue;
      if (key < frontier.worst()) lowest = std::min(lowest, frontier.insert(key));
      if (!allowed(rows[j])) continue;
      gained = std::min(gained, found.insert(key));
      worst = found.worst();
      if (worst != Pool::kNone) bound = key_distance(worst);
    }
  }
  return lowest;
}

// Leaves the closest allowed rows in s.allowed_pool; false when it gave up.
template <typename Scorer, typename Test>
bool walk_wide(const FrozenGraph& graph, const Scorer& scorer, uint32_t entry, const Test& allowed,
               const Walk& walk, Scratch& s, SearchCounts& counts) {
  uint32_t rows[kMostAtOnce * kBatch];
  float distances[kMostAtOnce * kBatch];
  const size_t at_once = expanded_at_once(scorer.row_bytes());
  const uint64_t most = counts.scored + walk.most_scored;
  s.visited.reset(graph.n);
  s.pool.reset(walk.frontier);
  s.allowed_pool.reset(walk.ef);
  const size_t starts = starts_of(graph, entry, s, rows);
  scorer.score(rows, starts, distances);
  counts.scored += starts;
  size_t gained = 0;
  offer_allowed(s.pool, s.allowed_pool, allowed, rows, distances, starts, 0, gained);
  const Poll poll;
  for (size_t at = 0; at < s.pool.size();) {
    poll();
    if ((s.pool.key(at) & ~Pool::kExpanded) > s.allowed_pool.worst()) return true;
    if (counts.scored > most) return false;
    size_t n = 0, next = at;
    for (size_t expanded = 0; expanded < at_once && next < s.pool.size(); ++next) {
      if (s.pool.expanded(next)) continue;
      s.pool.mark_expanded(next);
      n += collect_unvisited(graph, scorer, s.pool.row(next), s.visited, rows + n);
      ++expanded;
      ++counts.visited;
    }
    for (size_t i = 0; i < n; ++i) allowed.prefetch(rows[i]);
    for (size_t i = 0; i < n; i += kBatch) {
      scorer.score(rows + i, std::min(kBatch, n - i), distances + i);
    }
    counts.scored += n;
    gained = s.settling;
    at = offer_allowed(s.pool, s.allowed_pool, allowed, rows, distances, n, next, gained);
    if (gained < s.settling) s.last_gain = counts.visited;
    while (at < s.pool.size() && s.pool.expanded(at)) ++at;
    for (size_t i = at; i < std::min(at + at_once, s.pool.size()); ++i) {
      prefetch_links(graph, s.pool.row(i));
    }
  }
  return s.pool.worst() == Pool::kNone;
}

// Looked past until so many rows are collected for one node; more cost more than they find
// (48,000 text embeddings and 200,000 made-up ones, 5 % to 40 % allowed).
inline constexpr size_t kEnoughRows = 24;

// Neighbours of `row` and, past those that are not allowed, their neighbours: allowed ones not seen
// before go to `out` (room for 2 * kBatch).
template <typename Test>
size_t collect_two_hops(const FrozenGraph& graph, uint32_t row, const Test& allowed, Scratch& s,
                        uint32_t* out) {
  uint32_t past[kBatch];
  size_t bridges = 0, n = 0;
  const auto each_link = [&](uint32_t of, auto visit) {
    const size_t from = graph.offsets[of];
    const size_t degree = std::min<size_t>(graph.offsets[of + 1] - from, kBatch);
    for (size_t i = 0; i < degree; ++i) visit(graph.link(from + i));
  };
  each_link(row, [&](uint32_t neighbour) {
    if (allowed(neighbour)) {
      out[n] = neighbour;
      n += s.visited.first(neighbour);
    } else {
      past[bridges++] = neighbour;
      __builtin_prefetch(graph.offsets + neighbour);
    }
  });
  if (n >= kEnoughRows) return n;
  for (size_t i = 0; i < bridges; ++i) prefetch_links(graph, past[i]);
  for (size_t i = 0; i < bridges && n < kEnoughRows; ++i) {
    if (!s.bridged.first(past[i])) continue;
    each_link(past[i], [&](uint32_t neighbour) {
      if (!allowed(neighbour)) return;
      out[n] = neighbour;
      n += s.visited.first(neighbour);
    });
  }
  return n;
}

// Rows spread over the graph, tested as further starts of the two-hop walk: the entry may lie where
// hardly a row is allowed.
inline constexpr size_t kStarts = 128;

template <typename Scorer, typename Test>
bool walk_two_hops(const FrozenGraph& graph, const Scorer& scorer, uint32_t entry,
                   const Test& allowed, const Walk& walk, Scratch& s, SearchCounts& counts) {
  uint32_t rows[2 * kBatch];
  float distances[2 * kBatch];
  s.visited.reset(graph.n);
  s.bridged.reset(graph.n);
  // An entry that is not allowed takes one place more, and leaves it in the end.
  s.pool.reset(walk.ef + 1);
  s.visited.first(entry);
  rows[0] = entry;
  size_t n = 1;
  for (size_t i = 0; i < kStarts; ++i) {
    rows[n] = static_cast<uint32_t>(i * graph.n / kStarts);
    if (graph.has_copies && graph.is_copy(rows[n])) continue;
    if (allowed(rows[n])) n += s.visited.first(rows[n]);
  }
  const auto score = [&] {
    for (size_t i = 0; i < n; ++i) scorer.prefetch(rows[i]);
    for (size_t i = 0; i < n; i += kBatch) {
      scorer.score(rows + i, std::min(kBatch, n - i), distances + i);
    }
    counts.scored += n;
  };
  score();
  offer_all(s.pool, rows, distances, n, 0);
  const Poll poll;
  for (size_t at = 0; at < s.pool.size();) {
    poll();
    const uint32_t row = s.pool.row(at);
    s.pool.mark_expanded(at);
    n = collect_two_hops(graph, row, allowed, s, rows);
    score();
    ++counts.visited;
    at = offer_all(s.pool, rows, distances, n, at + 1);
    if (at < s.settling) s.last_gain = counts.visited;
    while (at < s.pool.size() && s.pool.expanded(at)) ++at;
    if (at < s.pool.size()) prefetch_links(graph, s.pool.row(at));
  }
  s.allowed_pool.reset(walk.ef);
  for (size_t i = 0; i < s.pool.size() && s.allowed_pool.size() < walk.ef; ++i) {
    if (s.pool.row(i) != entry || allowed(entry)) {
      s.allowed_pool.insert(make_key(s.pool.distance(i), s.pool.row(i)));
    }
  }
  return s.allowed_pool.size() == walk.ef;
}

// Share of the allowed among the neighbours of `row` and theirs.
template <typename Test>
float share_around(const FrozenGraph& graph, uint32_t row, const Test& allowed) {
  size_t met = 0, passed = 0;
  const auto each_link = [&](uint32_t of, auto visit) {
    for (size_t i = graph.offsets[of]; i < graph.offsets[of + 1]; ++i) visit(graph.link(i));
  };
  each_link(row, [&](uint32_t neighbour) { prefetch_links(graph, neighbour); });
  each_link(row, [&](uint32_t neighbour) {
    each_link(neighbour, [&](uint32_t next) {
      ++met;
      passed += allowed(next);
    });
  });
  return met == 0 ? 1.0f : static_cast<float>(passed) / static_cast<float>(met);
}

template <typename Scorer, typename Test>
bool walk_nodes(const FrozenGraph& graph, const Scorer& scorer, const Test& allowed,
                const Walk& walk, Scratch& s, SearchCounts& counts) {
  const uint32_t entry = descend(graph, scorer, counts);
  if (walk.least_share > 0 && share_around(graph, entry, allowed) < walk.least_share) return false;
  return walk.two_hops ? walk_two_hops(graph, scorer, entry, allowed, walk, s, counts)
                       : walk_wide(graph, scorer, entry, allowed, walk, s, counts);
}

template <typename Scorer, typename Test>
bool walk_allowed(const FrozenGraph& graph, const Scorer& scorer, const Test& allowed,
                  const Walk& walk, Scratch& s, SearchCounts& counts) {
  if (!graph.has_copies) return walk_nodes(graph, scorer, allowed, walk, s, counts);
  return walk_nodes(graph, scorer, AnyCopy<Test>{graph, allowed}, walk, s, counts);
}

// Leaves the closest rows in the pool it returns. All rows may be expanded, so it never gives up.
template <typename Scorer>
Pool& search_graph(const FrozenGraph& graph, const Scorer& scorer, size_t ef,
                   const uint64_t* allowed, Scratch& s, SearchCounts& counts) {
  if (allowed == nullptr) {
    const uint32_t entry = descend(graph, scorer, counts);
    s.pool.reset(ef);
    beam(graph, scorer, entry, s, counts);
    return s.pool;
  }
  walk_allowed(graph, scorer, RowWords{allowed}, {ef, graph.n, graph.n + 1, false, 0}, s, counts);
  return s.allowed_pool;
}

}  // namespace palimpsest
