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

#include <utility>

#include "among.h"
#include "traverse.h"

namespace palimpsest {

inline constexpr size_t kNoLimit = size_t{1} << 32;  // more rows than a segment holds

struct Walk {
  size_t ef;
  bool two_hops = false;
  size_t most_scored = kNoLimit;  // rows
  size_t frontier = kNoLimit;     // rows kept for expansion by the wide walk
  float least_share = 0;          // of the rows around the entry that must be allowed

  Walk wider(size_t times) const {
    return {times * ef, two_hops, times * most_scored, times * frontier, least_share};
  }
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

// Where the wide walk puts what it meets: rows to expand into the frontier, the allowed of them
// among those found. A row no closer than the farthest found is of no use to either.
template <typename Test>
struct Admitting {
  Pool& frontier;
  Pool& found;
  const Test& allowed;
  uint64_t most_scored;
  size_t gained = kNoLimit;  // the lowest place taken among those found, since it was asked for

  Key worst() const { return found.worst(); }
  size_t insert(Key key) {
    // Also rows that are not allowed: the way to allowed ones leads over them.
    const size_t place = key < frontier.worst() ? frontier.insert(key) : kNoLimit;
    if (allowed(key_row(key))) gained = std::min(gained, found.insert(key));
    return place;
  }
  void prefetch(uint32_t row) const { allowed.prefetch(row); }
  size_t first_gain(size_t) { return std::exchange(gained, kNoLimit); }
  bool is_done(Key closest) const { return (closest & ~Pool::kExpanded) > found.worst(); }
  bool gives_up(uint64_t scored) const { return scored > most_scored; }
  bool is_whole() const { return frontier.worst() == Pool::kNone; }
};

// Leaves the closest allowed rows in s.allowed_pool; false when it gave up.
template <typename Scorer, typename Test>
bool walk_wide(const FrozenGraph& graph, const Scorer& scorer, uint32_t entry, const Test& allowed,
               const Walk& walk, Scratch& s, SearchCounts& counts) {
  s.pool.reset(walk.frontier);
  s.allowed_pool.reset(walk.ef);
  const uint64_t most = counts.scored + walk.most_scored;
  return walk_layer(graph, scorer, entry, Admitting<Test>{s.pool, s.allowed_pool, allowed, most}, s,
                    counts);
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
  // Enough neighbours are allowed: looking past the others would find little that these do not lead
  // to.
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
  // Spread by row number, which is by place in the graph: rows stand in breadth-first order.
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
// Two steps are some hundred to a thousand rows: enough to tell a tenth from a half.
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

// Leaves the closest rows that `allowed` allows in the pool it returns; null when it gave up.
template <typename Scorer, typename Test>
const Pool* walk_allowed(const FrozenGraph& graph, const Scorer& scorer, const Test& allowed,
                         const Walk& walk, Scratch& s, SearchCounts& counts) {
  const bool ended = graph.has_copies
                         ? walk_nodes(graph, scorer, AnyCopy<Test>{graph, allowed}, walk, s, counts)
                         : walk_nodes(graph, scorer, allowed, walk, s, counts);
  return ended ? &s.allowed_pool : nullptr;
}

// The same where all rows are.
template <typename Scorer>
const Pool* walk_all(const FrozenGraph& graph, const Scorer& scorer, size_t ef, Scratch& s,
                     SearchCounts& counts) {
  const uint32_t entry = descend(graph, scorer, counts);
  s.pool.reset(ef);
  walk_layer(graph, scorer, entry, Beam{s.pool}, s, counts);
  return &s.pool;
}

}  // namespace palimpsest
