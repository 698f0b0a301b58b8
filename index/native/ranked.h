// Rows of several lists in one order, the closest first.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <vector>

namespace palimpsest {

// The row at place `at` of list `list`. Of equally close ones the one of the lower `tie` comes
// first.
struct Listed {
  float distance;
  uint32_t tie;
  uint32_t list;
  uint32_t at;
};

// What is not a number comes last, as numpy sorts it: every two rows have an order, or sorting them
// would not be defined.
inline bool is_before(const Listed& a, const Listed& b) {
  if (a.distance < b.distance) return true;
  if (b.distance < a.distance) return false;
  if (std::isnan(a.distance) != std::isnan(b.distance)) return std::isnan(b.distance);
  return std::tie(a.tie, a.list, a.at) < std::tie(b.tie, b.list, b.at);
}

// Leaves the first `count` rows, which there must be, in their order.
inline void keep_first(std::vector<Listed>& rows, size_t count) {
  // One part's rows come in order, but for copies that lie next to each other.
  if (!std::is_sorted(rows.begin(), rows.end(), is_before)) {
    const auto end = rows.begin() + static_cast<std::ptrdiff_t>(count);
    std::partial_sort(rows.begin(), end, rows.end(), is_before);
  }
  rows.resize(count);
}

}  // namespace palimpsest
