// Sorted pools of candidates and the per-thread marks of visited rows.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels.h"

namespace palimpsest {

struct Candidate {
  float distance;
  uint32_t row;
};

inline bool closer(const Candidate& a, const Candidate& b) {
  return a.distance < b.distance || (a.distance == b.distance && a.row < b.row);
}

// A distance and a row as one number whose order is that of (distance, row): the float's bits, made
// monotonic, above the row. One word moves and compares at once, and ties break by row. Rows are
// below 2^31, and what marks them as expanded stands below them: it changes no order.
// | distance, monotonic: 32 bits | row: 31 | expanded: 1 |
using Key = uint64_t;

// Below zero all bits of a float are turned, from zero on only the sign: unsigned order is then
// that of the numbers. -0 comes before +0; not-a-number after everything, or before it if negative.
inline Key make_key(float distance, uint32_t row) {
  uint32_t bits;
  std::memcpy(&bits, &distance, sizeof bits);
  bits ^= static_cast<uint32_t>(static_cast<int32_t>(bits) >> 31) | 0x80000000u;
  return (Key{bits} << 32) | row << 1;
}

inline uint32_t key_row(Key key) { return static_cast<uint32_t>(key) >> 1; }

inline float key_distance(Key key) {
  uint32_t bits = static_cast<uint32_t>(key >> 32);
  bits ^= ((bits >> 31) - 1) | 0x80000000u;
  float distance;
  std::memcpy(&distance, &bits, sizeof distance);
  return distance;
}

// The `capacity` closest candidates seen, sorted; bit 0 of a key marks its row as expanded.
class Pool {
 public:
  static constexpr Key kExpanded = 1;
  static constexpr Key kNone = ~Key{0};

  void reset(size_t capacity) {
    capacity_ = capacity;
    size_ = 0;
  }

  size_t size() const { return size_; }
  Key worst() const { return size_ == capacity_ ? keys_[size_ - 1] : kNone; }
  uint32_t row(size_t i) const { return key_row(keys_[i]); }
  Key key(size_t i) const { return keys_[i]; }
  float distance(size_t i) const { return key_distance(keys_[i]); }
  bool expanded(size_t i) const { return (keys_[i] & kExpanded) != 0; }
  void mark_expanded(size_t i) { keys_[i] |= kExpanded; }

  // Places a key below worst(); returns its place.
  size_t insert(Key key) {
    // Grows as it fills: a frontier may be granted more places than a walk ever takes.
    if (keys_.size() <= size_ + 1) keys_.resize(2 * size_ + 64);
    Key* keys = keys_.data();
    size_t low = 0;  // lower bound without a branch on the comparison, which is a coin toss
    for (size_t length = size_; length > 0;) {
      const size_t half = (length + 1) / 2;
      low += half & -static_cast<size_t>(keys[low + half - 1] < key);
      length -= half;
    }
    size_t i = std::min(size_, capacity_ - 1);
    size_ = i + 1;
    // Blocks go through registers, last first, so that what overlaps is read before it is written;
    // a memmove costs a call for what are a few dozen keys.
    for (; i >= low + 4; i -= 4) {
      Key block[4];
      std::memcpy(block, keys + i - 4, sizeof block);
      std::memcpy(keys + i - 3, block, sizeof block);
    }
    for (; i > low; --i) keys[i] = keys[i - 1];
    keys[low] = key;
    return low;
  }

  // The same of n rows at once, at most 4 * kBatch, of which some may not be below worst(); returns
  // the lowest place taken, at most `lowest`.
  size_t offer(OfferRows kernel, const uint32_t* rows, const float* distances, size_t n,
               size_t lowest) {
    const size_t room = std::min(capacity_, size_ + n) + kKeysAtOnce;
    if (keys_.size() < room) keys_.resize(2 * room);
    PoolKeys pool{keys_.data(), size_, capacity_};
    lowest = kernel(pool, rows, distances, n, lowest);
    size_ = pool.size;
    return lowest;
  }

  // Takes over sorted keys, as many as its capacity at most; `keys` gets what was there.
  void take_over(std::vector<Key>& keys) {
    size_ = keys.size();
    keys_.swap(keys);
  }

 private:
  std::vector<Key> keys_;
  size_t capacity_ = 0, size_ = 0;
};

// The `capacity` closest candidates seen, sorted at the end only: what a pool of many is filled
// from where nothing looks into it meanwhile. A pool moves half of its keys for each that is
// inserted.
class Sieve {
 public:
  static constexpr size_t kWorthIt = 256;  // candidates

  explicit Sieve(size_t capacity) : capacity_(capacity) {}

  Key worst() const { return worst_; }

  // Places a key below worst().
  size_t insert(Key key) {
    keys_.push_back(key);
    if (keys_.size() >= 2 * capacity_ + kWorthIt) shrink();
    return 0;
  }

  void move_to(Pool& pool) {
    if (keys_.size() > capacity_) shrink();
    std::sort(keys_.begin(), keys_.end());
    pool.take_over(keys_);
  }

 private:
  void shrink() {
    const auto last = keys_.begin() + static_cast<std::ptrdiff_t>(capacity_) - 1;
    std::nth_element(keys_.begin(), last, keys_.end());
    worst_ = *last;
    keys_.resize(capacity_);
  }

  std::vector<Key> keys_;
  size_t capacity_;
  Key worst_ = Pool::kNone;
};

// One byte a row, cleared once in 255 searches instead of every time.
class VisitedRows {
 public:
  void reset(size_t n) {
    if (marks_.size() < n) {
      marks_.assign(n, 0);
      epoch_ = 0;
    }
    // The byte has gone round: marks of 255 searches ago would look like those of this one.
    if (++epoch_ == 0) {
      std::fill(marks_.begin(), marks_.end(), uint8_t{0});
      epoch_ = 1;
    }
  }
  // True the first time a row is seen since the last reset.
  bool first(uint32_t row) {
    const bool fresh = marks_[row] != epoch_;
    marks_[row] = epoch_;
    return fresh;
  }

 private:
  std::vector<uint8_t> marks_;
  uint8_t epoch_ = 0;
};

inline bool test_bit(const uint64_t* words, uint32_t row) {
  return (words[row >> 6] >> (row & 63)) & 1;
}

}  // namespace palimpsest
