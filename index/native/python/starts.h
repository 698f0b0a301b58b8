// Bounds of sets whose rows lie one behind the other.
#pragma once

#include "bindings.h"

namespace palimpsest {

// Those of a set that is asked for, so that a call costs no pass over all starts.
inline void check_set(const In1<int64_t>& starts, size_t set, size_t rows) {
  require(set + 1 < starts.shape(0), "there is no such set");
  const int64_t first = starts(set), last = starts(set + 1);
  require(first >= 0 && first <= last && static_cast<size_t>(last) <= rows,
          "starts point outside the rows");
}

}  // namespace palimpsest
