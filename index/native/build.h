// Builds an HNSW graph (arXiv 1603.09320, Algorithms 1, 3 and 4); build_rows.h says over what.
//
// Rows enter in the caller's order, in batches of at most 2 % of the rows already there. A batch
// first searches the graph as it stands, in parallel, then links are added grouped by target, in
// parallel: no locks, and the graph is the same for any number of threads.
//
// A build waits for memory more than it computes: codes and links lie on huge pages, the search for
// neighbours expands two rows at once, so that more rows are fetched together, and links of the
// rows that come next are fetched ahead (together 1.3 times as fast on 32,000 x 384).
//
// Internal row numbers are insertion positions. Degree bounds: M above layer 0, 2M on it.
#pragma once

#include <atomic>
#include <unordered_map>

#include "build_rows.h"

namespace palimpsest {

struct BuildParameters {
  size_t M = 16;
  size_t ef_construction = 200;
  uint64_t seed = 0;
  size_t threads = 1;
  const std::atomic<size_t>* share = nullptr;  // threads that do not give way, see parallel.h
};

class GraphBuilder {
 public:
  // vectors (n, size); order[i] is the row inserted i-th.
  GraphBuilder(const float* vectors, size_t n, size_t size, Metric metric, const uint32_t* order,
               const BuildParameters& parameters, const std::atomic<bool>& cancelled)
      : n_(n),
        metric_(metric),
        p_(parameters),
        cancelled_(cancelled),
        threads_(parameters.threads, parameters.share),
        rows_(vectors, n, size, metric, order, threads_) {
    draw_levels();
    links0_.reserve(n * slots(0));
    prefer_huge_pages(links0_.data(), n * slots(0) * sizeof(uint32_t));
    links0_.assign(n * slots(0), 0);
    degree0_.assign(n, 0);
    for (size_t i = 0; i < n; ++i) {
      if (levels_[i] > 0)
        upper_start_[static_cast<uint32_t>(i)] = upper_total_, upper_total_ += levels_[i];
    }
    upper_links_.assign(upper_total_ * slots(1), 0);
    upper_degree_.assign(upper_total_, 0);
    scratch_.resize(threads_.count());
  }

  // False when cancelled.
  bool run() {
    if (n_ == 0) return true;
    entry_ = 0;
    for (size_t done = 1; done < n_;) {
      if (cancelled_.load(std::memory_order_relaxed)) return false;
      // 2 %: rows of a batch do not see each other, and with more of them the graph gets worse;
      // 4,096 keeps the edges of a batch small, and a build can be cancelled between two batches.
      const size_t batch = std::min({std::max<size_t>(1, done / 50), n_ - done, size_t{4096}});
      insert_batch(done, batch);
      done += batch;
    }
    return connect_all();
  }

  size_t n() const { return n_; }
  size_t top_level() const { return n_ == 0 ? 0 : levels_[entry_]; }
  uint32_t entry() const { return entry_; }
  size_t level(uint32_t row) const { return levels_[row]; }
  const uint32_t* neighbours(uint32_t row, size_t level, size_t& degree) const {
    degree = *degree_of(row, level);
    return links_of(row, level);
  }

 private:
  // Rows expanded together, and rows whose links are fetched before their turn: more gain nothing.
  static constexpr size_t kAtOnce = 2, kAhead = 6;

  // A link back to a new row, asked for by it. Sorted, the edges of one target come together and in
  // an order that does not depend on which thread found them.
  struct Edge {
    uint32_t target, source;
    uint8_t level;
    bool operator<(const Edge& o) const {
      if (level != o.level) return level < o.level;
      if (target != o.target) return target < o.target;
      return source < o.source;
    }
  };
  struct BuildScratch {
    Pool pool;
    VisitedRows visited;
    std::vector<Candidate> candidates;
    std::vector<uint32_t> chosen;
    std::vector<Edge> edges;
  };

  size_t slots(size_t level) const { return level == 0 ? 2 * p_.M : p_.M; }
  uint32_t* links_of(uint32_t row, size_t level) {
    return level == 0 ? &links0_[row * slots(0)]
                      : &upper_links_[(upper_start_.at(row) + level - 1) * slots(1)];
  }
  const uint32_t* links_of(uint32_t row, size_t level) const {
    return const_cast<GraphBuilder*>(this)->links_of(row, level);
  }
  uint32_t* degree_of(uint32_t row, size_t level) {
    return level == 0 ? &degree0_[row] : &upper_degree_[upper_start_.at(row) + level - 1];
  }
  const uint32_t* degree_of(uint32_t row, size_t level) const {
    return const_cast<GraphBuilder*>(this)->degree_of(row, level);
  }

  void draw_levels() {
    levels_.resize(n_);
    upper_start_.reserve(n_ / p_.M * 2);
    // Algorithm 1, line 4: level = floor(-ln(uniform(0, 1)) / ln(M)); u is never 0.
    const double m_l = 1.0 / std::log(static_cast<double>(p_.M));
    for (size_t i = 0; i < n_; ++i) {
      const double u = (static_cast<double>(mix(p_.seed ^ mix(i)) >> 11) + 1.0) * 0x1p-53;
      // By a hash of the row's place instead of a generator: the same graph in whatever order
      // levels are drawn. 15 layers would take M^15 rows.
      levels_[i] = static_cast<uint8_t>(std::min(15.0, -std::log(u) * m_l));
    }
  }

  void score(uint32_t from, const uint32_t* rows, size_t n, float* out) const {
    rows_.score(from, rows, n, out);
  }

  // Greedy walk to the closest node of a layer.
  uint32_t greedy(uint32_t query, uint32_t node, size_t level) const {
    float best, distances[kBatch];
    score(query, &node, 1, &best);
    for (bool moved = true; moved;) {
      moved = false;
      size_t degree;
      const uint32_t* links = neighbours(node, level, degree);
      score(query, links, degree, distances);
      for (size_t i = 0; i < degree; ++i) {
        if (distances[i] < best) best = distances[i], node = links[i], moved = true;
      }
    }
    return node;
  }

  // Algorithm 2 (SEARCH-LAYER) into s.pool. Other rows of the batch are not linked yet, so nothing
  // is written meanwhile that this reads.
  void beam(uint32_t query, uint32_t entry, size_t level, BuildScratch& s) const {
    uint32_t rows[kAtOnce * kBatch];
    float distances[kAtOnce * kBatch];
    s.visited.reset(n_);
    s.pool.reset(p_.ef_construction);
    s.visited.first(entry);
    score(query, &entry, 1, distances);
    s.pool.insert(make_key(distances[0], entry));
    for (size_t at = 0; at < s.pool.size();) {
      // Places from `at` on may be expanded already where a better row came in before them.
      size_t fresh = 0, next = at;
      for (size_t expanded = 0; expanded < kAtOnce && next < s.pool.size(); ++next) {
        if (s.pool.expanded(next)) continue;
        s.pool.mark_expanded(next);
        fresh += collect_fresh(s.pool.row(next), level, s.visited, rows + fresh);
        ++expanded;
      }
      for (size_t i = 0; i < fresh; i += kBatch)
        score(query, rows + i, std::min(kBatch, fresh - i), distances + i);
      at = offer_all(s.pool, rows, distances, fresh, next);
      while (at < s.pool.size() && s.pool.expanded(at)) ++at;
      prefetch_links_ahead(s.pool, at, level);
    }
  }

  // Writes the neighbours not seen before to `out` (room for kBatch) and returns their number.
  size_t collect_fresh(uint32_t row, size_t level, VisitedRows& visited, uint32_t* out) const {
    size_t degree, fresh = 0;
    const uint32_t* links = neighbours(row, level, degree);
    for (size_t i = 0; i < degree; ++i) {
      out[fresh] = links[i];
      fresh += visited.first(links[i]);
    }
    for (size_t i = 0; i < fresh; ++i) rows_.prefetch(out[i]);
    return fresh;
  }

  void prefetch_links_ahead(const Pool& pool, size_t from, size_t level) const {
    size_t ahead = 0;
    for (size_t i = from; i < pool.size() && ahead < kAhead; ++i) {
      if (pool.expanded(i)) continue;
      prefetch_bytes(links_of(pool.row(i), level), 2 * kLine);
      ++ahead;
    }
  }

  // Algorithm 4: keeps a candidate when it is closer to the new row than to every one kept so far.
  // `candidates` must be sorted; at most `limit` are kept.
  void choose(const std::vector<Candidate>& candidates, size_t limit,
              std::vector<uint32_t>& chosen) const {
    chosen.clear();
    float distances[kBatch];
    for (const Candidate& c : candidates) {
      if (chosen.size() == limit) break;
      bool diverse = true;
      // Eight at a time: most candidates fail against one of the first, and a whole batch would be
      // scored for nothing.
      for (size_t from = 0; from < chosen.size() && diverse; from += 8) {
        const size_t count = std::min<size_t>(8, chosen.size() - from);
        score(c.row, &chosen[from], count, distances);
        for (size_t i = 0; i < count; ++i) diverse = diverse && !(distances[i] < c.distance);
      }
      if (diverse) chosen.push_back(c.row);
    }
    if (metric_ == Metric::inner_product) keep_some(candidates, limit / 2, chosen);
  }

  // By inner product a long row is closer to all others than these are to each other, so that it
  // would take the place of every link: the closest candidates have some whatever is chosen.
  static void keep_some(const std::vector<Candidate>& candidates, size_t least,
                        std::vector<uint32_t>& chosen) {
    for (size_t i = 0; i < candidates.size() && chosen.size() < least; ++i) {
      const uint32_t row = candidates[i].row;
      if (std::find(chosen.begin(), chosen.end(), row) == chosen.end()) chosen.push_back(row);
    }
  }

  void insert_batch(size_t from, size_t batch) {
    threads_.run(batch, 4, [&](size_t begin, size_t end, size_t thread) {
      for (size_t i = begin; i < end; ++i)
        link_new(static_cast<uint32_t>(from + i), scratch_[thread]);
    });
    std::vector<Edge> edges;
    for (BuildScratch& s : scratch_) {
      edges.insert(edges.end(), s.edges.begin(), s.edges.end());
      s.edges.clear();
    }
    std::sort(edges.begin(), edges.end());
    std::vector<size_t> groups;
    for (size_t i = 0; i < edges.size(); ++i) {
      if (i == 0 || edges[i].target != edges[i - 1].target ||
          edges[i].level != edges[i - 1].level) {
        groups.push_back(i);
      }
    }
    groups.push_back(edges.size());
    threads_.run(groups.size() - 1, 16, [&](size_t begin, size_t end, size_t thread) {
      for (size_t g = begin; g < end; ++g) {
        link_back(&edges[groups[g]], groups[g + 1] - groups[g], scratch_[thread]);
      }
    });
    for (size_t i = from; i < from + batch; ++i) {
      if (levels_[i] > levels_[entry_]) entry_ = static_cast<uint32_t>(i);
    }
  }

  // Chooses the new row's own neighbours on each of its layers.
  void link_new(uint32_t row, BuildScratch& s) {
    uint32_t node = entry_;
    const size_t top = levels_[entry_], own = levels_[row];
    for (size_t level = top; level > own; --level) node = greedy(row, node, level);
    // Down from the highest layer that has rows; above it, this row is the first and gets its links
    // from those that come later.
    for (size_t level = std::min(top, own) + 1; level-- > 0;) {
      beam(row, node, level, s);
      s.candidates.clear();
      for (size_t i = 0; i < s.pool.size(); ++i)
        s.candidates.push_back({s.pool.distance(i), s.pool.row(i)});
      // M of its own also on layer 0: the other M places are for links back.
      choose(s.candidates, p_.M, s.chosen);
      std::copy(s.chosen.begin(), s.chosen.end(), links_of(row, level));
      *degree_of(row, level) = static_cast<uint32_t>(s.chosen.size());
      for (uint32_t c : s.chosen) s.edges.push_back({c, row, static_cast<uint8_t>(level)});
      node = s.candidates.front().row;
    }
  }

  // Adds the edges of one target, choosing again where they do not all fit.
  // Only this call writes to the lists of its target, for edges are grouped: no locks. Links that
  // are dropped here stay in the other direction, as in the paper.
  void link_back(const Edge* edges, size_t count, BuildScratch& s) {
    const uint32_t target = edges->target;
    const size_t level = edges->level, capacity = slots(level);
    uint32_t* links = links_of(target, level);
    uint32_t* degree = degree_of(target, level);
    if (*degree + count <= capacity) {
      for (size_t i = 0; i < count; ++i) links[(*degree)++] = edges[i].source;
      return;
    }
    std::vector<uint32_t>& rows = s.chosen;
    rows.assign(links, links + *degree);
    for (size_t i = 0; i < count; ++i) rows.push_back(edges[i].source);
    s.candidates.resize(rows.size());
    float distances[kBatch];
    for (size_t from = 0; from < rows.size(); from += kBatch) {
      const size_t n = std::min(kBatch, rows.size() - from);
      score(target, &rows[from], n, distances);
      for (size_t i = 0; i < n; ++i) s.candidates[from + i] = {distances[i], rows[from + i]};
    }
    std::sort(s.candidates.begin(), s.candidates.end(), closer);
    choose(s.candidates, capacity, s.chosen);
    std::copy(s.chosen.begin(), s.chosen.end(), links);
    *degree = static_cast<uint32_t>(s.chosen.size());
  }

  // Rows that no walk from the entry meets get a link from a close row that is met. False when
  // cancelled.
  bool connect_all() {
    std::vector<bool> met(n_, false);
    std::vector<uint32_t> queue;
    size_t head = 0;
    const auto meet = [&](uint32_t from) {
      if (!met[from]) met[from] = true, queue.push_back(from);
      for (; head < queue.size(); ++head) {
        size_t degree;
        const uint32_t* links = neighbours(queue[head], 0, degree);
        for (size_t i = 0; i < degree; ++i) {
          if (!met[links[i]]) met[links[i]] = true, queue.push_back(links[i]);
        }
      }
    };
    meet(entry_);
    for (uint32_t row = 0; row < n_; ++row) {
      if (met[row]) continue;
      if (cancelled_.load(std::memory_order_relaxed)) return false;
      link_from_met(row);
      meet(row);
    }
    return true;
  }

  void link_from_met(uint32_t row) {
    Pool& pool = scratch_[0].pool;
    beam(row, entry_, 0, scratch_[0]);  // from the entry: whatever it finds is met
    for (size_t i = 0; i < pool.size(); ++i) {
      if (*degree_of(pool.row(i), 0) < slots(0)) {
        links_of(pool.row(i), 0)[(*degree_of(pool.row(i), 0))++] = row;
        return;
      }
    }
    // All lists around are full. The last link of the closest row is given up and handed on through
    // `row`: what was reached over it still is, by one step more.
    uint32_t& given = links_of(pool.row(0), 0)[slots(0) - 1];
    uint32_t* own = links_of(row, 0);
    uint32_t* degree = degree_of(row, 0);
    if (std::find(own, own + *degree, given) == own + *degree) {
      if (*degree == slots(0))
        --*degree;  // its last link; `row` was not met, so it leads nowhere new
      own[(*degree)++] = given;
    }
    given = row;
  }

  size_t n_;
  Metric metric_;
  BuildParameters p_;
  const std::atomic<bool>& cancelled_;
  Threads threads_;
  BuildRows rows_;
  uint32_t entry_ = 0;
  std::vector<uint8_t> levels_;
  std::vector<uint32_t> links0_, degree0_;
  std::unordered_map<uint32_t, size_t> upper_start_;
  size_t upper_total_ = 0;
  std::vector<uint32_t> upper_links_, upper_degree_;
  std::vector<BuildScratch> scratch_;
};

}  // namespace palimpsest
