// Which rows of a part may be returned: those not dead whose point is in a set of points.
//
// The set is one bit per point number, shared by all parts; nothing of a part's size is made for a
// query. A graph walk tests the rows it meets. A scan lists the allowed rows: through `row_of`, the
// rows by number, where a part has them, else by testing every row.
#pragma once

#include <algorithm>

#include "kernels.h"
#include "pool.h"
#include "stop.h"

namespace palimpsest {

// Bit i of word i / 64 stands for row i.
struct RowWords {
  const uint64_t* words;
  bool operator()(uint32_t row) const { return test_bit(words, row); }
  void prefetch(uint32_t) const {}
};

struct Among {
  size_t n = 0;
  const uint32_t* numbers = nullptr;  // (n) of each row's point
  const uint64_t* points = nullptr;   // (last_word + 1) bits by number; the last word is zero
  size_t last_word = 0;
  const uint64_t* live = nullptr;  // bits by row, null where none is dead
  const uint32_t* row_of =
      nullptr;  // (span) row of number base + i, n or more for none; null: test all rows
  size_t base = 0, span = 0;  // base is a multiple of 64

  bool operator()(uint32_t row) const {
    const uint32_t number = numbers[row];
    const uint64_t word = points[std::min<size_t>(number >> 6, last_word)];
    return (word >> (number & 63)) & 1 && (live == nullptr || test_bit(live, row));
  }
  void prefetch(uint32_t row) const { __builtin_prefetch(numbers + row); }

  // Calls visit(row) for every allowed row: by number, else ascending.
  template <typename Visit>
  void each(Visit visit) const {
    if (row_of == nullptr) return each_tested(visit);
    // Words from the base on that both the set and the array reach.
    const size_t end = std::min(last_word, (base + span + 63) / 64);
    const Poll poll;
    for (size_t w = base / 64; w < end; ++w) {
      poll();
      for (uint64_t word = points[w]; word != 0; word &= word - 1) {
        const size_t at = 64 * w + static_cast<size_t>(__builtin_ctzll(word)) - base;
        if (at >= span) return;
        const uint32_t row = row_of[at];
        // n or more: no row of this part has that number.
        if (row < n && (live == nullptr || test_bit(live, row))) visit(row);
      }
    }
  }

  // Allowed rows among about `tested` evenly spread ones, scaled up to all.
  size_t estimate(size_t tested) const {
    const size_t step = std::max<size_t>(1, n / std::max<size_t>(tested, 1));
    size_t hits = 0;
    for (size_t row = 0; row < n; row += step) hits += (*this)(static_cast<uint32_t>(row));
    return std::min(n, hits * step);
  }

 private:
  // Whether a row passes is a coin toss, so nothing branches on it: 64 rows become one word.
  template <typename Visit>
  void each_tested(Visit visit) const {
    const Poll poll;
    for (size_t first = 0; first < n; first += 64) {
      poll();
      const size_t count = std::min<size_t>(64, n - first);
      uint64_t passed = 0;
      for (size_t i = 0; i < count; ++i) {
        const uint32_t number = numbers[first + i];
        const uint64_t word = points[std::min<size_t>(number >> 6, last_word)];
        passed |= ((word >> (number & 63)) & 1) << i;
      }
      if (live != nullptr) passed &= live[first / 64];
      for (; passed != 0; passed &= passed - 1) {
        visit(static_cast<uint32_t>(first + static_cast<size_t>(__builtin_ctzll(passed))));
      }
    }
  }
};

// Every allowed row in batches; `visit` gets rows and their number, `prefetch` a row early: a batch
// is visited when the next one is full.
template <typename Prefetch, typename Visit>
void each_batch(const Among& among, Prefetch prefetch, Visit visit) {
  // Two batches in turn: one fills, each of its rows asked for as it comes, while the other waits
  // to be scored a whole batch of work later.
  uint32_t rows[2][kBatch];
  size_t filled = 0, side = 0, waiting = 0;
  among.each([&](uint32_t row) {
    rows[side][filled++] = row;
    prefetch(row);
    if (filled < kBatch) return;
    if (waiting != 0) visit(rows[1 - side], waiting);
    waiting = filled;
    filled = 0;
    side = 1 - side;
  });
  if (waiting != 0) visit(rows[1 - side], waiting);
  if (filled != 0) visit(rows[side], filled);
}

}  // namespace palimpsest
