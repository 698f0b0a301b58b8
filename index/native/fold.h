// Copies: rows that are equal to the byte. A graph has one node for all of them, so that they do
// not take up each other's links, nor the places of others in a walk.
//
// In a frozen graph copies follow their node's row, without links of their own. Every other row but
// the first has at least one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace palimpsest {

struct Folded {
  static constexpr uint32_t kNone = ~uint32_t{0};

  std::vector<uint32_t> order;  // the first of every set of copies, in the order of all
  std::vector<uint32_t> next;   // by input row: its next copy, kNone after the last; empty: none
};

inline uint64_t hash_bytes(const void* from, size_t bytes) {
  const auto* p = static_cast<const uint8_t*>(from);
  uint64_t hash = 0x9e3779b97f4a7c15u ^ bytes;
  // Equal rows are equal bytes, floats of four each: 0.0 and -0.0 are not the same row.
  for (size_t at = 0; at < bytes; at += 4) {
    uint32_t word;
    std::memcpy(&word, p + at, sizeof word);
    hash = (hash ^ word) * 0xff51afd7ed558ccdu;
    hash ^= hash >> 32;
  }
  return hash;
}

// vectors (n, size); order[i] is the row that comes i-th.
inline Folded fold(const float* vectors, size_t n, size_t size, const uint32_t* order) {
  const size_t bytes = size * sizeof(float);
  const auto row = [&](uint32_t place) {
    return vectors + static_cast<size_t>(order[place]) * size;
  };
  std::vector<std::pair<uint64_t, uint32_t>> hashed(n);  // by place
  for (size_t i = 0; i < n; ++i) {
    const auto place = static_cast<uint32_t>(i);
    hashed[i] = {hash_bytes(row(place), bytes), place};
  }
  // By hash, then place: the first of every set is the one that comes first in the order.
  std::sort(hashed.begin(), hashed.end());
  Folded out;
  std::vector<bool> is_copy(n, false);
  std::vector<uint32_t> firsts, lasts;  // of the sets that share a hash
  for (size_t from = 0, to = 0; from < n; from = to) {
    while (to < n && hashed[to].first == hashed[from].first) ++to;
    firsts.clear();
    lasts.clear();
    for (size_t i = from; i < to; ++i) {
      const uint32_t place = hashed[i].second;
      size_t set = 0;
      while (set < firsts.size() && std::memcmp(row(firsts[set]), row(place), bytes) != 0) ++set;
      if (set == firsts.size()) {
        firsts.push_back(place);
        lasts.push_back(place);
        continue;
      }
      if (out.next.empty()) out.next.assign(n, Folded::kNone);
      out.next[order[lasts[set]]] = order[place];
      lasts[set] = place;
      is_copy[place] = true;
    }
  }
  for (size_t i = 0; i < n; ++i) {
    if (!is_copy[i]) out.order.push_back(order[i]);
  }
  return out;
}

}  // namespace palimpsest
