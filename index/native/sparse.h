// Posting lists of sparse rows: made from the rows, added up for a query, counted.
//
// A posting says that a row holds a value in a dimension ("term"). The postings of a term lie
// together, rows ascending. A query is a list of terms with weights; `Lists` says where the
// postings of each lie. Every function looks at rows from `first` up to `last` and is safe whatever
// the arrays hold; rows out of order give wrong sums, not wrong reads.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "stop.h"

namespace palimpsest {

struct Postings {
  std::vector<uint32_t> terms;  // ascending
  std::vector<int64_t> starts;  // of each term's postings, and the end of the last
  std::vector<uint32_t> rows;
  std::vector<float> values;
};

struct Posting {
  uint32_t term;
  uint32_t row;
  float value;
};

inline constexpr int kDigitBits = 11;
inline constexpr size_t kDigits = size_t{1} << kDigitBits;

// One pass of a radix sort by the digit at `shift`; false where all postings share that digit, and
// nothing was moved.
inline bool sort_by_digit(const std::vector<Posting>& from, std::vector<Posting>& to, int shift) {
  std::array<size_t, kDigits> places{};
  for (const Posting& p : from) ++places[(p.term >> shift) & (kDigits - 1)];
  if (std::find(places.begin(), places.end(), from.size()) != places.end()) return false;
  size_t place = 0;
  for (size_t& count : places) place += std::exchange(count, place);
  for (const Posting& p : from) to[places[(p.term >> shift) & (kDigits - 1)]++] = p;
  return true;
}

// Inverts `n` rows, called first_row and up; row i holds the entries indptr[i] to indptr[i + 1].
inline Postings invert(const int64_t* indptr, size_t n, uint32_t first_row, const uint32_t* indices,
                       const float* values) {
  const size_t entries = static_cast<size_t>(indptr[n] - indptr[0]);
  std::vector<Posting> sorted(entries), other(entries);
  for (size_t i = 0, to = 0; i < n; ++i) {
    for (int64_t e = indptr[i]; e < indptr[i + 1]; ++e, ++to) {
      sorted[to] = {indices[e], first_row + static_cast<uint32_t>(i), values[e]};
    }
  }
  // Least digit first, and stable: rows of a term stay in ascending order.
  for (int shift = 0; shift < 32; shift += kDigitBits) {
    if (sort_by_digit(sorted, other, shift)) sorted.swap(other);
  }
  other = {};
  Postings out;
  out.rows.resize(entries);
  out.values.resize(entries);
  for (size_t i = 0; i < entries; ++i) {
    if (i == 0 || sorted[i].term != sorted[i - 1].term) {
      out.terms.push_back(sorted[i].term);
      out.starts.push_back(static_cast<int64_t>(i));
    }
    out.rows[i] = sorted[i].row;
    out.values[i] = sorted[i].value;
  }
  out.starts.push_back(static_cast<int64_t>(entries));
  return out;
}

// Which rows count: those alive whose point is chosen. A null pointer lets all rows pass.
struct RowFilter {
  const uint64_t* alive = nullptr;    // bit per row
  const uint32_t* numbers = nullptr;  // of the rows' points
  const uint8_t* chosen = nullptr;    // flag per point number
  size_t chosen_size = 0;

  bool everything() const { return alive == nullptr && chosen == nullptr; }

  bool operator()(size_t row) const {
    if (alive != nullptr && ((alive[row / 64] >> (row % 64)) & 1) == 0) return false;
    return chosen == nullptr || (numbers[row] < chosen_size && chosen[numbers[row]] != 0);
  }
};

struct Lists {
  const uint32_t* rows = nullptr;
  const float* values = nullptr;
  const int64_t* starts = nullptr;  // per term of the query
  const int64_t* stops = nullptr;
  const float* weights = nullptr;
  size_t terms = 0;
};

// Rows added up at a time: 64 KB of sums stay in the second level cache of any CPU.
inline constexpr size_t kSumRows = 8'192;

// The sum of a row no posting has touched: +0.0 added to any product makes it anything but -0.0,
// and a sum of such never becomes -0.0 again.
inline constexpr double kUntouched = -0.0;

inline bool touched(double sum) {
  return std::bit_cast<uint64_t>(sum) != std::bit_cast<uint64_t>(kUntouched);
}

// Calls visit(first row, sums, number of sums) for each stretch of rows that has postings; returns
// the number of postings read. Sums are of double precision, so their order hardly matters.
template <typename Visit>
uint64_t each_sum(const Lists& lists, size_t first, size_t last, Visit visit) {
  static thread_local std::vector<double> sums(kSumRows);
  std::vector<int64_t> next(lists.starts, lists.starts + lists.terms);
  uint64_t read = 0;
  const Poll poll;
  for (;;) {
    poll();
    size_t base = last;
    for (size_t t = 0; t < lists.terms; ++t) {
      if (next[t] < lists.stops[t]) base = std::min<size_t>(base, lists.rows[next[t]]);
    }
    if (base < first || base >= last) return read;
    const size_t span = std::min(kSumRows, last - base);
    std::fill_n(sums.begin(), span, kUntouched);
    for (size_t t = 0; t < lists.terms; ++t) {
      poll();
      const double weight = lists.weights[t];
      int64_t at = next[t];
      for (; at < lists.stops[t]; ++at) {
        const size_t row = size_t{lists.rows[at]} - base;  // one before the base wraps around
        if (row >= span) break;
        sums[row] += weight * lists.values[at] + 0.0;
      }
      read += static_cast<uint64_t>(at - next[t]);
      next[t] = at;
    }
    visit(base, sums.data(), span);
  }
}

// A sum as a score: finite, and never -0.
inline float score_of(double sum) {
  constexpr double largest = std::numeric_limits<float>::max();
  return static_cast<float>(std::clamp(sum, -largest, largest)) + 0.0f;
}

struct Scored {
  float score;
  uint32_t row;
};

// The rows that could be among the k best, ties with the last of them included.
class BestRows {
 public:
  explicit BestRows(size_t k) : k_(k), limit_(2 * k + 64) {}

  // Sums up to here come after the k-th score however they are rounded.
  double too_low() const { return too_low_; }

  void add(Scored found) {
    rows_.push_back(found);
    if (rows_.size() >= limit_) prune();
  }

  // Best first, of equal ones the lowest row first.
  std::vector<Scored> take() {
    prune();
    std::sort(rows_.begin(), rows_.end(), [](const Scored& a, const Scored& b) {
      return a.score > b.score || (a.score == b.score && a.row < b.row);
    });
    return std::move(rows_);
  }

 private:
  void prune() {
    if (rows_.size() <= k_) return;
    const auto worst = rows_.begin() + static_cast<std::ptrdiff_t>(k_ - 1);
    std::nth_element(rows_.begin(), worst, rows_.end(),
                     [](const Scored& a, const Scored& b) { return a.score > b.score; });
    const float last = worst->score;
    too_low_ = std::nextafter(last, -std::numeric_limits<float>::infinity());
    std::erase_if(rows_, [last](const Scored& one) { return one.score < last; });
    // Many ties with the last are all kept: without more room each further row would prune again.
    limit_ = std::max(limit_, 2 * rows_.size());
  }

  size_t k_, limit_;
  double too_low_ = -std::numeric_limits<double>::infinity();
  std::vector<Scored> rows_;
};

// The k rows of the highest sums among those that pass and share a term, and all ties of the last.
inline std::vector<Scored> best_rows(const Lists& lists, size_t first, size_t last, size_t k,
                                     const RowFilter& passes, uint64_t& read) {
  BestRows best(k);
  read = each_sum(lists, first, last, [&](size_t base, const double* sums, size_t span) {
    for (size_t i = 0; i < span; ++i) {
      if (sums[i] <= best.too_low() || !touched(sums[i]) || !passes(base + i)) continue;
      best.add({score_of(sums[i]), static_cast<uint32_t>(base + i)});
    }
  });
  return best.take();
}

// Sums of all rows into `out`, which starts at `first`; 0 where no term is shared.
inline void all_sums(const Lists& lists, size_t first, size_t last, float* out) {
  std::fill_n(out, last - first, 0.0f);
  each_sum(lists, first, last, [&](size_t base, const double* sums, size_t span) {
    for (size_t i = 0; i < span; ++i) out[base - first + i] = score_of(sums[i]);
  });
}

inline constexpr int64_t kCountRows = 8'192;  // between two looks at whether to stop

// How many of the rows that pass hold each term.
inline void count_rows(const Lists& lists, size_t first, size_t last, const RowFilter& passes,
                       int64_t* counts) {
  const Poll poll;
  for (size_t t = 0; t < lists.terms; ++t) {
    counts[t] = 0;
    for (int64_t at = lists.starts[t]; at < lists.stops[t]; ++at) {
      if ((at - lists.starts[t]) % kCountRows == 0) poll();
      const size_t row = lists.rows[at];
      if (row >= first && row < last && passes(row)) ++counts[t];
    }
  }
}

}  // namespace palimpsest
