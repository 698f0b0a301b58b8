// Clusters of the vectors of one set by Ward's method: two clusters are merged at a time,
// those whose merge adds least to the squared distances of vectors to the mean of their cluster.
//
// By chains of nearest neighbours (Murtagh and Contreras, arXiv 1105.0121, section 3.2) over a
// whole matrix of distances: O(n^2) time and 4 n^2 bytes, 64 MiB for 4,096 vectors. Distances of
// merged clusters follow from the old ones (Lance and Williams). Merges come out of order and are
// sorted by height, equal ones by the order they were found in, so the same vectors give the same
// clusters.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "tokens.h"

namespace palimpsest {

class WardTree {
 public:
  // vectors (n, d), n at least 1.
  WardTree(const float* vectors, size_t n, size_t d) : n_(n), distances_(n * n), sizes_(n, 1) {
    measure(vectors, d);
    merge_all();
    std::stable_sort(merges_.begin(), merges_.end(),
                     [](const Merge& a, const Merge& b) { return a.height < b.height; });
  }

  // Labels of the n vectors in `clusters` clusters, 1 to n of them, numbered by first members.
  void cut(size_t clusters, uint32_t* labels) const {
    std::vector<uint32_t> parent(n_);
    std::iota(parent.begin(), parent.end(), 0u);
    const auto root = [&](uint32_t i) {
      while (parent[i] != i) i = parent[i] = parent[parent[i]];
      return i;
    };
    // A cluster's root is its first member: the loop below numbers it before any other.
    for (size_t m = 0; m < n_ - clusters; ++m) {
      const uint32_t a = root(merges_[m].a), b = root(merges_[m].b);
      parent[std::max(a, b)] = std::min(a, b);
    }
    uint32_t next = 0;
    for (uint32_t i = 0; i < n_; ++i) labels[i] = root(i) == i ? next++ : labels[root(i)];
  }

 private:
  struct Merge {
    uint32_t a, b;  // any members of the two clusters
    float height;
  };

  float& at(size_t a, size_t b) { return distances_[a * n_ + b]; }

  // Squared distances, of vectors near one: heights grow n times as large as the longest.
  void measure(const float* vectors, size_t d) {
    std::vector<float> scaled(n_ * d);
    const int exponent = exponent_of(vectors, n_ * d);
    for (size_t i = 0; i < n_ * d; ++i) scaled[i] = std::ldexp(vectors[i], -exponent);
    const FloatDistance squared_l2 = kernels().distance[0][static_cast<int>(Metric::l2)];
    for (size_t a = 0; a < n_; ++a) {
      for (size_t b = 0; b < a; ++b)
        at(a, b) = at(b, a) = squared_l2(&scaled[a * d], &scaled[b * d], d);
    }
  }

  void merge_all() {
    std::vector<uint32_t> alive(n_), chain;
    std::iota(alive.begin(), alive.end(), 0u);
    merges_.reserve(n_ - 1);
    while (alive.size() > 1) {
      if (chain.empty()) chain.push_back(alive.front());
      const uint32_t tip = chain.back();
      const uint32_t nearest = nearest_to(tip, alive, chain);
      if (chain.size() < 2 || nearest != chain[chain.size() - 2]) {
        chain.push_back(nearest);
        continue;
      }
      chain.resize(chain.size() - 2);
      merge(std::min(tip, nearest), std::max(tip, nearest), alive);
    }
  }

  // The one before in the chain where it is as near as any, so that chains end; else the first.
  uint32_t nearest_to(uint32_t tip, const std::vector<uint32_t>& alive,
                      const std::vector<uint32_t>& chain) {
    const float* row = &distances_[tip * n_];
    uint32_t nearest = tip;
    float least = std::numeric_limits<float>::infinity();
    if (chain.size() > 1) {
      nearest = chain[chain.size() - 2];
      least = row[nearest];
    }
    for (const uint32_t other : alive) {
      if (other == tip || !(row[other] < least || nearest == tip)) continue;
      nearest = other;
      least = row[other];
    }
    return nearest;
  }

  // Cluster b becomes part of a.
  void merge(uint32_t a, uint32_t b, std::vector<uint32_t>& alive) {
    const double height = at(a, b), na = sizes_[a], nb = sizes_[b];
    merges_.push_back({a, b, static_cast<float>(height)});
    alive.erase(std::lower_bound(alive.begin(), alive.end(), b));
    for (const uint32_t other : alive) {
      if (other == a) continue;
      const double n = sizes_[other], da = at(a, other), db = at(b, other);
      const double joined = ((na + n) * da + (nb + n) * db - n * height) / (na + nb + n);
      // Never nearer than the nearer of the two: true of Ward's method, and kept by rounding too,
      // or a chain might come back to itself.
      at(a, other) = at(other, a) = static_cast<float>(std::max(joined, std::min(da, db)));
    }
    sizes_[a] += sizes_[b];
  }

  size_t n_;
  std::vector<float> distances_;
  std::vector<uint32_t> sizes_;
  std::vector<Merge> merges_;
};

}  // namespace palimpsest
