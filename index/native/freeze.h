// Turns a built graph into the flat arrays of a frozen one, rows renumbered for locality.
#pragma once

#include <deque>
#include <unordered_map>

#include "build.h"
#include "fold.h"
#include "traverse.h"

namespace palimpsest {

// The arrays of FrozenGraph (traverse.h), owned. `order` is not stored with the graph: the rows of
// a segment are written in it.
struct FrozenArrays {
  std::vector<uint32_t> order;  // row i of the segment holds input vector order[i]
  std::vector<uint32_t> offsets;
  std::vector<uint8_t> links;
  size_t width = 4;
  size_t top_level = 0;
  uint32_t entry_row = 0;
  std::vector<uint32_t> upper_rows, upper_down, upper_offsets, upper_links;
};

// Breadth-first from the entry: rows expanded one after another lie close together. Rows that layer
// 0 does not reach keep their places at the end.
inline std::vector<uint32_t> breadth_first(const GraphBuilder& graph) {
  const size_t n = graph.n();
  std::vector<uint32_t> sequence;
  sequence.reserve(n);
  std::vector<bool> seen(n, false);
  const auto visit = [&](uint32_t row) {
    if (!seen[row]) seen[row] = true, sequence.push_back(row);
  };
  if (n != 0) visit(graph.entry());
  for (size_t head = 0; head < sequence.size(); ++head) {
    size_t degree;
    const uint32_t* links = graph.neighbours(sequence[head], 0, degree);
    for (size_t i = 0; i < degree; ++i) visit(links[i]);
  }
  for (uint32_t row = 0; row < n; ++row) visit(row);
  return sequence;
}

// Bytes of the largest row number, n - 1; two at least.
inline size_t link_width(size_t n) { return n <= 0x10000 ? 2 : n <= 0x1000000 ? 3 : 4; }

inline void freeze_upper(const GraphBuilder& graph, const std::vector<uint32_t>& sequence,
                         const std::vector<uint32_t>& renumbered, FrozenArrays& out) {
  // A row on layers 1 to L has L nodes here. All of one layer lie together and the entry comes
  // first, as walks want them.
  std::vector<std::pair<uint32_t, size_t>> nodes;  // (internal row, level), top layer first
  std::unordered_map<uint64_t, uint32_t> place;
  // Levels are at most 15 (build.h), so eight bits hold one.
  const auto key = [](uint32_t row, size_t level) { return (uint64_t{row} << 8) | level; };
  const auto add = [&](uint32_t row, size_t level) {
    if (place.emplace(key(row, level), static_cast<uint32_t>(nodes.size())).second) {
      nodes.emplace_back(row, level);
    }
  };
  std::vector<uint32_t> upper;
  for (uint32_t row : sequence) {
    if (graph.level(row) > 0) upper.push_back(row);
  }
  for (size_t level = out.top_level; level > 0; --level) {
    if (level == out.top_level) add(graph.entry(), level);
    for (uint32_t row : upper) {
      if (graph.level(row) >= level) add(row, level);
    }
  }
  out.upper_offsets.push_back(0);
  for (const auto& [row, level] : nodes) {
    out.upper_rows.push_back(renumbered[row]);
    out.upper_down.push_back(level == 1 ? renumbered[row] : place.at(key(row, level - 1)));
    size_t degree;
    const uint32_t* links = graph.neighbours(row, level, degree);
    for (size_t i = 0; i < degree; ++i) out.upper_links.push_back(place.at(key(links[i], level)));
    out.upper_offsets.push_back(static_cast<uint32_t>(out.upper_links.size()));
  }
}

// The graph was built over `folded.order`.
inline FrozenArrays freeze(const GraphBuilder& graph, const Folded& folded) {
  FrozenArrays out;
  const std::vector<uint32_t> sequence = breadth_first(graph);
  std::vector<uint32_t> renumbered(graph.n());
  for (uint32_t node : sequence) {
    renumbered[node] = static_cast<uint32_t>(out.order.size());
    out.order.push_back(folded.order[node]);
    if (folded.next.empty()) continue;
    for (uint32_t copy = out.order.back(); (copy = folded.next[copy]) != Folded::kNone;)
      out.order.push_back(copy);
  }
  out.width = link_width(out.order.size());
  out.top_level = graph.top_level();
  out.offsets.push_back(0);
  uint32_t total = 0;
  for (uint32_t node : sequence) {
    out.offsets.resize(renumbered[node] + 1, total);  // copies before it have no links
    size_t degree;
    const uint32_t* links = graph.neighbours(node, 0, degree);
    for (size_t i = 0; i < degree; ++i) {
      const uint32_t to = renumbered[links[i]];
      for (size_t b = 0; b < out.width; ++b)
        out.links.push_back(static_cast<uint8_t>(to >> (8 * b)));
    }
    out.offsets.push_back(total += static_cast<uint32_t>(degree));
  }
  out.offsets.resize(out.order.size() + 1, total);
  if (out.top_level > 0) freeze_upper(graph, sequence, renumbered, out);
  if (graph.n() != 0) out.entry_row = renumbered[graph.entry()];
  return out;
}

// Whether walks have to look for copies at all; most graphs have none.
inline bool any_copies(const FrozenGraph& g) {
  for (size_t i = 1; i < g.n; ++i) {
    if (g.is_copy(i)) return true;
  }
  return false;
}

// Walks the upper layers as a search may: every node met must lie on one layer only and stand for
// the row it stands for one layer below, so that going down ends on layer 0 and nowhere else.
template <typename Require>
// Stored graphs are read from files: a number that points elsewhere must not lead a walk out of the
// arrays, nor around for ever.
void check_layers(const FrozenGraph& g, Require require) {
  std::vector<uint8_t> layer(g.upper_n, 0);  // 0: not met
  std::vector<uint32_t> met{0};
  require(g.top_level >= 1 && g.top_level < 256, "levels");
  layer[0] = static_cast<uint8_t>(g.top_level);
  const auto meet = [&](uint32_t node, size_t level) {
    require(node < g.upper_n && (layer[node] == 0 || layer[node] == level), "upper layers");
    if (layer[node] == 0) layer[node] = static_cast<uint8_t>(level), met.push_back(node);
  };
  size_t head = 0;
  for (size_t level = g.top_level; level > 0; --level) {
    const size_t first = head;
    for (; head < met.size(); ++head) {
      const uint32_t node = met[head];
      for (uint32_t i = g.upper_offsets[node]; i < g.upper_offsets[node + 1]; ++i) {
        meet(g.upper_links[i], level);
      }
    }
    for (size_t i = first, last = head; i < last; ++i) {
      const uint32_t down = g.upper_down[met[i]], row = g.upper_rows[met[i]];
      if (level > 1) meet(down, level - 1);
      require(row == (level > 1 ? g.upper_rows[down] : down), "upper layers");
    }
  }
}

// Throws std::invalid_argument unless every number in the arrays points inside them.
inline void check_graph(const FrozenGraph& g, size_t link_bytes, size_t upper_link_count) {
  // Inlined: it stands in the loop over all links, and opening a segment waits for that.
  const auto require = [](bool ok, const char* what) __attribute__((always_inline)) {
    if (!ok) throw std::invalid_argument(std::string("graph arrays do not fit together: ") + what);
  };
  require(g.width >= 2 && g.width <= 4, "link width");
  require(g.n == 0 || g.entry_row < g.n, "entry row");
  require(g.offsets[0] == 0 && g.offsets[g.n] * g.width == link_bytes, "layer 0 lengths");
  for (size_t i = 0; i < g.n; ++i) require(g.offsets[i] <= g.offsets[i + 1], "layer 0 offsets");
  for (size_t i = 0; i < g.offsets[g.n]; ++i) require(g.link(i) < g.n, "layer 0 links");
  if (g.upper_n == 0) {
    require(g.top_level == 0, "levels without nodes");
    return;
  }
  require(g.upper_offsets[0] == 0 && g.upper_offsets[g.upper_n] == upper_link_count,
          "upper lengths");
  for (size_t p = 0; p < g.upper_n; ++p) {
    require(g.upper_rows[p] < g.n, "upper rows");
    require(g.upper_offsets[p] <= g.upper_offsets[p + 1], "upper offsets");
  }
  for (size_t i = 0; i < upper_link_count; ++i)
    require(g.upper_links[i] < g.upper_n, "upper links");
  check_layers(g, require);
}

// Rows of layer 0 that no walk from the entry meets, themselves or as copies.
inline size_t unreachable_rows(const FrozenGraph& g) {
  if (g.n == 0) return 0;
  std::vector<bool> seen(g.n, false);
  // Breadth-first, the queue kept whole: its head is where others pop.
  std::vector<uint32_t> queue{g.entry_row};
  seen[g.entry_row] = true;
  size_t met = 0;
  for (size_t head = 0; head < queue.size(); ++head) {
    met += g.end_of(queue[head]) - queue[head];
    for (uint32_t i = g.offsets[queue[head]]; i < g.offsets[queue[head] + 1]; ++i) {
      const uint32_t to = g.link(i);
      if (!seen[to]) seen[to] = true, queue.push_back(to);
    }
  }
  return g.n - met;
}

}  // namespace palimpsest
