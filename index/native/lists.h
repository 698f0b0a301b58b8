// Sets by the centroids that their vectors are nearest to, and which sets a query finds there.
//
// Each centroid has a list of the sets that have a vector near it. A token of a query looks at the
// lists of the centroids most similar to it, the best first; a set gains by how much the first of
// them that has it is better than the first one that is not looked at, which stands for what it has
// elsewhere. So the sum of gains ranks about like MaxSim, and only sets that share a centroid with
// the query are touched (WARP, arXiv 2501.17788; XTR, arXiv 2304.01982, for
// what is missing).
//
// Deviations: similarities are those of centroids alone, without residuals, since what is found is
// compared by codes of its own; and a set is in a list once.
#pragma once

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <vector>

#include "maxsim.h"
#include "trend.h"

namespace palimpsest {

class TokenLists {
 public:
  // Centroids are `k` rows of codes of 8 bits; those of list c are rows[starts[c]] to
  // rows[starts[c + 1] - 1], sets below n. The arrays are kept by the caller.
  TokenLists(const uint8_t* centroids, size_t k, size_t row_bytes, const int64_t* starts,
             const uint32_t* rows, size_t n)
      : centroids_(centroids), k_(k), row_bytes_(row_bytes), starts_(starts), rows_(rows), n_(n) {}

  size_t count() const { return n_; }
  size_t row_bytes() const { return row_bytes_; }

  struct Found {
    size_t rows, touched, looked;  // written, sets that were touched, entries of lists read
    double seconds;                // that comparing took
  };

  // Writes the sets with the largest gains, at least `wanted` of those that may be found where
  // there are as many, and all that tie with the last; ascending. `probes` lists are looked at for
  // each token, and four times as many until these have enough sets. `out` has room for all.
  Found closest(const CodedQuery& query, size_t probes, size_t wanted, const uint8_t* allowed,
                uint32_t* out) const {
    const Ranked ranked = gaining(query, probes, wanted, allowed);
    for (size_t i = 0; i < ranked.sets.size(); ++i) out[i] = ranked.sets[i].row;
    std::sort(out, out + ranked.sets.size());  // their codes lie in this order
    return {ranked.sets.size(), ranked.touched, ranked.looked, 0.0};
  }

  // Compares the sets that `closest` finds by their codes, those that gain most first, until the
  // others are unlikely to come among the `k` closest by what gains tell of scores (Trend), at so
  // many deviations; all of them where k is 0. Writes which were compared and their scores; each is
  // given to `check` before.
  template <typename Check>
  Found compared(const CodedQuery& query, size_t probes, size_t wanted, const uint8_t* allowed,
                 const CodedQuery& tokens, const Sets& sets, const Check& check, size_t k,
                 double deviations, uint32_t* out, double* scores) const {
    Ranked ranked = gaining(query, probes, wanted, allowed);
    std::vector<Gain>& order = ranked.sets;
    std::sort(order.begin(), order.end());
    for (size_t i = 0; i < order.size(); ++i) check(out[i] = order[i].row);
    const auto started = std::chrono::steady_clock::now();
    Trend trend(k);
    size_t done = 0, next = k == 0 ? order.size() : std::max(kFirst, k);
    while (done < order.size()) {
      if (done > 0 && trend.limit() > trend.most(order[done].gain, deviations)) break;
      const size_t end = std::min(done + next, order.size());
      max_sims(tokens, sets, out + done, end - done, scores + done);
      for (; done < end; ++done) trend.add(order[done].gain, scores[done]);
      next = kMore;
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
    return {done, ranked.touched, ranked.looked, took.count()};
  }

  // out[i] = what set i gains; 0 for one that is not touched.
  void gains(const CodedQuery& query, size_t probes, float* out) const {
    std::vector<Cell> cells(n_);
    std::vector<uint32_t> touched(n_ + 1);
    size_t count = 0;
    gather(query, probes, cells, touched.data(), count);
    for (size_t i = 0; i < n_; ++i) out[i] = cells[i].gain;
  }

 private:
  struct Cell {
    uint32_t token = 0;  // the last that touched it, from 1
    float gain = 0.0f;
  };
  struct Near {
    float similarity;
    uint32_t centroid;
    // The best first, of equal ones the first.
    bool operator<(const Near& other) const {
      return similarity != other.similarity ? similarity > other.similarity
                                            : centroid < other.centroid;
    }
  };
  struct Gain {
    float gain;
    uint32_t row;
    bool operator<(const Gain& other) const {
      return gain != other.gain ? gain > other.gain : row < other.row;
    }
  };
  struct Ranked {
    std::vector<Gain> sets;
    size_t touched, looked;
  };
  static constexpr size_t kLanes = CodedQuery::lanes_at_once;
  static constexpr size_t kSome = 64;   // centroids whose products are held at once
  static constexpr size_t kTaken = 4;   // times the centroids that are wanted
  static constexpr size_t kFirst = 32;  // sets that are compared before anything is told of more
  static constexpr size_t kMore = 16;   // and together from then on

  // The sets of `closest`, in no order.
  Ranked gaining(const CodedQuery& query, size_t probes, size_t wanted,
                 const uint8_t* allowed) const {
    std::vector<Cell> cells(n_);
    std::vector<uint32_t> touched;
    Ranked found{{}, 0, 0};
    for (;; probes *= 4) {
      touched.resize(n_ + 1);  // and room for one that is written and not counted
      size_t count = 0;
      found.looked += gather(query, probes, cells, touched.data(), count);
      touched.resize(count);
      found.touched = count;
      if (allowed != nullptr) std::erase_if(touched, [&](uint32_t r) { return !allowed[r]; });
      if (touched.size() >= wanted || probes >= k_) break;
      std::fill(cells.begin(), cells.end(), Cell{});
    }
    found.sets.reserve(touched.size());
    for (const uint32_t row : touched) found.sets.push_back({cells[row].gain, row});
    if (found.sets.size() > wanted) {
      const auto last = found.sets.begin() + static_cast<ptrdiff_t>(wanted) - 1;
      std::nth_element(found.sets.begin(), last, found.sets.end());
      const float least = last->gain;
      std::erase_if(found.sets, [&](const Gain& one) { return one.gain < least; });
    }
    return found;
  }

  size_t gather(const CodedQuery& query, size_t probes, std::vector<Cell>& cells, uint32_t* touched,
                size_t& count) const {
    const Poll poll;
    double longest = 0.0;
    for (size_t t = 0; t < query.tokens(); ++t) longest = std::max(longest, query.step(t));
    size_t looked = 0;
    std::vector<Near> nearest[kLanes];
    for (size_t first = 0; first < query.tokens(); first += kLanes) {
      const size_t lanes = std::min(kLanes, query.tokens() - first);
      find(query, first, lanes, std::min(probes, k_ - 1) + 1, nearest, poll);
      for (size_t i = 0; i < lanes; ++i) {
        poll();
        // No order depends on how long a query is, and so nothing is beyond float32.
        const double share = longest > 0.0 ? query.step(first + i) / longest : 0.0;
        const uint32_t token = static_cast<uint32_t>(first + i) + 1;
        looked += add(nearest[i], static_cast<float>(share), probes, token, cells, touched, count);
      }
    }
    return looked;
  }

  // The `most` best centroids of each of some tokens, the best first.
  void find(const CodedQuery& query, size_t first, size_t lanes, size_t most,
            std::vector<Near>* nearest, const Poll& poll) const {
    float worst[kLanes], products[kSome * kLanes];
    std::fill_n(worst, kLanes, kNothing);
    for (size_t i = 0; i < lanes; ++i) {
      nearest[i].clear();
      nearest[i].reserve(kTaken * most);
    }
    for (size_t from = 0; from < k_; from += kSome) {
      if (from % kPolled == 0) poll();
      const size_t n = std::min(kSome, k_ - from);
      const size_t stride =
          query.products(first, {centroids_ + from * row_bytes_, row_bytes_, n}, products);
      for (size_t c = 0; c < n; ++c) {
        const float* one = products + c * stride;
        bool better = false;  // of any lane: seldom, once lists of each are found
        for (size_t i = 0; i < lanes; ++i) better |= one[i] > worst[i];
        if (!better) continue;
        for (size_t i = 0; i < lanes; ++i) {
          if (!(one[i] > worst[i])) continue;
          nearest[i].push_back({one[i], static_cast<uint32_t>(from + c)});
          // More are taken before the best are kept: a heap would move each one that comes.
          if (nearest[i].size() == kTaken * most) worst[i] = keep(nearest[i], most);
        }
      }
    }
    for (size_t i = 0; i < lanes; ++i) {
      if (nearest[i].size() > most) keep(nearest[i], most);
      std::sort(nearest[i].begin(), nearest[i].end());
    }
  }

  // Leaves the `most` best; returns what the next one must be better than.
  static float keep(std::vector<Near>& some, size_t most) {
    const auto last = some.begin() + static_cast<ptrdiff_t>(most) - 1;
    std::nth_element(some.begin(), last, some.end());
    some.resize(most);
    return last->similarity;
  }

  size_t add(const std::vector<Near>& nearest, float share, size_t probes, uint32_t token,
             std::vector<Cell>& cells, uint32_t* touched, size_t& count) const {
    size_t looked = 0;
    const float floor = nearest.back().similarity;
    for (size_t at = 0; at < std::min(probes, nearest.size()); ++at) {
      const float gain = share * (nearest[at].similarity - floor);
      const size_t from = static_cast<size_t>(starts_[nearest[at].centroid]);
      const size_t to = static_cast<size_t>(starts_[nearest[at].centroid + 1]);
      looked += to - from;
      for (size_t i = from; i < to; ++i) {
        // Without branches, which nothing would foretell: half of all sets come again.
        Cell& cell = cells[rows_[i]];
        touched[count] = rows_[i];
        count += cell.token == 0;
        // Of a better centroid it has more. A product, since a choice is compiled to a branch.
        cell.gain += gain * static_cast<float>(cell.token != token);
        cell.token = token;
      }
    }
    return looked;
  }

  const uint8_t* centroids_;
  size_t k_, row_bytes_;
  const int64_t* starts_;
  const uint32_t* rows_;
  size_t n_;
};

}  // namespace palimpsest
