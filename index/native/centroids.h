// Which of many centroids each of many vectors is nearest to.
//
// Exactly, where there are no heads. With heads, centroids are grouped by the head that is nearest
// to each, and a vector looks at those of its kTried nearest heads alone: an eighth of the work
// with 2,048 centroids and 45 heads.
//
// Nearest is by Euclidean distance: the largest <v, c> - |c|^2 / 2, of equal ones the first.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "panels.h"

namespace palimpsest {

class Centroids {
 public:
  static constexpr size_t kTried = 4;

  Centroids(const float* values, size_t n, const float* heads, size_t groups, size_t d)
      : d_(d), heads_(d, groups, heads) {
    if (groups == 0) {
      std::vector<uint32_t> every(n);
      for (size_t i = 0; i < n; ++i) every[i] = static_cast<uint32_t>(i);
      groups_.emplace_back(values, std::move(every), d);
      return;
    }
    std::vector<uint32_t> head(n);
    Scratch s;
    for (size_t from = 0; from < n; from += kRows) {
      heads_.scores(values + from * d, std::min(kRows, n - from), s.scores);
      for (size_t i = from; i < std::min(n, from + kRows); ++i) {
        head[i] = heads_.best(s.scores.data() + (i - from) * heads_.panels.width());
      }
    }
    std::vector<std::vector<uint32_t>> members(groups);
    for (size_t i = 0; i < n; ++i) members[head[i]].push_back(static_cast<uint32_t>(i));
    for (auto& each : members) groups_.emplace_back(values, std::move(each), d);
  }

  size_t size() const { return d_; }

  // out[i] = the centroid of row i of (n, d).
  void nearest(const float* rows, size_t n, uint32_t* out) const {
    Scratch s;
    for (size_t from = 0; from < n; from += kRows) {
      const size_t count = std::min(kRows, n - from);
      s.best.assign(count, -std::numeric_limits<float>::infinity());
      std::fill_n(out + from, count, 0);
      choose(rows + from * d_, count, s);
      for (size_t g = 0; g < groups_.size(); ++g) {
        look(groups_[g], rows + from * d_, s.asking[g], s, out + from);
      }
    }
  }

 private:
  static constexpr size_t kRows = 1024;  // that go by at once
  static constexpr size_t kSome = 48;    // whose products with a group are held at once

  struct Group {
    Group(size_t d, size_t n, const float* values) : panels(d, n), halves(n) {
      for (size_t c = 0; c < n; ++c) set(c, values + c * d, d);
    }
    Group(const float* values, std::vector<uint32_t> which, size_t d)
        : panels(d, which.size()), halves(which.size()), members(std::move(which)) {
      for (size_t c = 0; c < members.size(); ++c) set(c, values + members[c] * d, d);
    }

    void set(size_t c, const float* value, size_t d) {
      for (size_t i = 0; i < d; ++i) panels.set(i, c, value[i]);
      halves[c] = 0.5f * kernels().dot(value, value, d);
    }
    // What is compared, (n, panels.width()); of columns past the last nothing is read.
    void scores(const float* rows, size_t n, std::vector<float>& out) const {
      out.resize(n * panels.width());
      panels.multiply(rows, n, out.data());
      for (size_t r = 0; r < n; ++r) {
        float* own = out.data() + r * panels.width();
        for (size_t c = 0; c < halves.size(); ++c) own[c] -= halves[c];
      }
    }
    uint32_t best(const float* scores) const {
      return static_cast<uint32_t>(std::max_element(scores, scores + halves.size()) - scores);
    }

    Panels panels;
    std::vector<float> halves;
    std::vector<uint32_t> members;
  };

  struct Scratch {
    std::vector<float> scores, gathered, best;
    std::vector<uint32_t> order;
    std::vector<std::vector<uint32_t>> asking;  // by group: which rows look at it
  };

  // Which rows look at which groups.
  void choose(const float* rows, size_t n, Scratch& s) const {
    s.asking.resize(groups_.size());
    for (auto& each : s.asking) each.clear();
    const size_t heads = heads_.halves.size(), tried = std::min(kTried, heads);
    if (heads != 0) heads_.scores(rows, n, s.scores);
    for (size_t r = 0; r < n; ++r) {
      if (heads == 0) {
        s.asking[0].push_back(static_cast<uint32_t>(r));
        continue;
      }
      const float* own = s.scores.data() + r * heads_.panels.width();
      s.order.resize(heads);
      for (size_t h = 0; h < heads; ++h) s.order[h] = static_cast<uint32_t>(h);
      std::partial_sort(
          s.order.begin(), s.order.begin() + static_cast<ptrdiff_t>(tried), s.order.end(),
          [own](uint32_t a, uint32_t b) { return own[a] != own[b] ? own[a] > own[b] : a < b; });
      for (size_t i = 0; i < tried; ++i) s.asking[s.order[i]].push_back(static_cast<uint32_t>(r));
    }
  }

  void look(const Group& group, const float* rows, const std::vector<uint32_t>& asking, Scratch& s,
            uint32_t* out) const {
    if (group.members.empty()) return;
    for (size_t from = 0; from < asking.size(); from += kSome) {
      const size_t n = std::min(kSome, asking.size() - from);
      s.gathered.resize(n * d_);
      for (size_t i = 0; i < n; ++i) {
        std::copy_n(rows + asking[from + i] * d_, d_, s.gathered.data() + i * d_);
      }
      group.scores(s.gathered.data(), n, s.scores);
      for (size_t i = 0; i < n; ++i) {
        const float* own = s.scores.data() + i * group.panels.width();
        const uint32_t at = group.best(own), r = asking[from + i];
        if (!(own[at] > s.best[r])) continue;
        s.best[r] = own[at];
        out[r] = group.members[at];
      }
    }
  }

  size_t d_;
  Group heads_;
  std::vector<Group> groups_;
};

}  // namespace palimpsest
