// Ready searches: all is decided but the vector. Sealed parts are walked, merged and cut to a page.
//
// What is usual is answered here, in one go. A search that is not (rows equally far away, whose
// order their ids decide; a vector that has to be rounded, or has no direction; a part in which
// fewer rows were found than wanted) answers nothing, and is made the long way, whose answers are
// the same (`index/search/closest.py`).
#pragma once

#include <cmath>
#include <string>

#include "segment.h"
#include "text.h"

namespace palimpsest {

// The squared length, summed as doubles: no vector of float32 is too long or too short for it.
inline double squared_length(const float* values, size_t n) {
  double sums[4] = {};
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    for (size_t lane = 0; lane < 4; ++lane) {
      const double v = values[i + lane];
      sums[lane] += v * v;
    }
  }
  for (; i < n; ++i) sums[0] += static_cast<double>(values[i]) * values[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// A vector of such a squared length, which float32 can scale, made one of unit length.
inline void to_unit(const float* values, size_t n, double norm2, float* out) {
  const auto scale = static_cast<float>(1.0 / std::sqrt(norm2));
  for (size_t i = 0; i < n; ++i) out[i] = values[i] * scale;
}

// Between these squared lengths vectors are searched as they come, or scaled.
inline constexpr double kShort2 = 1e-24, kLong2 = 1e36;

// Cosine distances farther out are -1 or 1 (`index/search/cosines.py`).
inline constexpr float kNearlyOne = 1.0f - 0x1p-21f;

// One part, and what is known of its rows. Ids are one word each, or 17 bytes (`storage/ids.py`).
struct ReadyPart {
  const SegmentView* view;
  Walk walk;
  Depth depth;
  FirstRows rows;
  const uint64_t* ids;
  const uint8_t* wide_ids;
  const uint32_t* numbers;
  const uint64_t* slots;
};

struct ReadyHit {
  float distance;
  uint32_t part, row;
};

// Nanoseconds of a search, by its stages.
struct Spent {
  uint64_t plan, traverse, merge;
};

struct ReadyAnswer {
  std::vector<ReadyHit> hits;
  SearchCounts counts;
  Spent spent;
};

struct ReadySearch {
  std::vector<ReadyPart> parts;
  size_t size;       // numbers of a vector
  size_t fetch;      // rows that are found in each part, and one more
  size_t offset, k;  // the page of them that is the answer
  float farthest;    // which may belong to it
  bool is_cosine, is_dot;

  // Answers a vector; false where the long way has to.
  bool answer(const float* given, ReadyAnswer& out) const {
    const auto started = Clock::now();
    const double norm2 = squared_length(given, size);
    if (!(kShort2 < norm2 && norm2 < kLong2)) return false;
    static thread_local std::vector<float> unit;
    const float* query = given;
    if (is_cosine) {
      unit.resize(size);
      to_unit(given, size, norm2, unit.data());
      query = unit.data();
    }
    const auto planned = Clock::now();
    out.hits.clear();
    out.counts = {};
    for (size_t i = 0; i < parts.size(); ++i) {
      if (!walk_part(i, query, norm2, out)) return false;
    }
    const auto walked = Clock::now();
    if (!cut(out.hits)) return false;
    out.spent = {since(started, planned), since(planned, walked), since(walked, Clock::now())};
    return true;
  }

 private:
  using Clock = std::chrono::steady_clock;

  static uint64_t since(Clock::time_point from, Clock::time_point to) {
    const auto spent = std::chrono::duration_cast<std::chrono::nanoseconds>(to - from);
    return static_cast<uint64_t>(spent.count());
  }

  bool walk_part(size_t i, const float* query, double norm2, ReadyAnswer& out) const {
    const ReadyPart& part = parts[i];
    Depth depth = part.depth;
    if (is_dot) depth.usual *= static_cast<float>(std::sqrt(norm2));
    SearchCounts done;
    const auto hits = palimpsest::walk(*part.view, query, part.rows, fetch + 1, part.walk, depth,
                                       Unscaled{}, done);
    if (!hits || hits->size() <= fetch) return false;
    for (const Candidate& hit : *hits)
      out.hits.push_back({hit.distance, static_cast<uint32_t>(i), hit.row});
    out.counts.visited += done.visited;
    out.counts.scored += done.scored;
    out.counts.rescored += done.rescored;
    out.counts.extended += done.extended;
    out.counts.scanned += done.scanned;
    return true;
  }

  // Leaves the page; false where equal distances leave the order open. Not one is NaN then.
  bool cut(std::vector<ReadyHit>& hits) const {
    if (parts.size() > 1) {
      std::sort(hits.begin(), hits.end(),
                [](const ReadyHit& a, const ReadyHit& b) { return a.distance < b.distance; });
    }
    for (size_t i = 0; i < fetch; ++i) {
      if (!(hits[i].distance < hits[i + 1].distance)) return false;
    }
    if (is_cosine) {
      for (ReadyHit& hit : hits) {
        if (std::abs(hit.distance) > kNearlyOne) hit.distance = std::copysign(1.0f, hit.distance);
      }
    }
    size_t stop = std::min(fetch, offset + k);
    while (stop > 0 && hits[stop - 1].distance > farthest) --stop;
    hits.resize(stop);
    hits.erase(hits.begin(), hits.begin() + static_cast<std::ptrdiff_t>(std::min(offset, stop)));
    return true;
  }
};

namespace text {

inline void append(std::string& out, uint64_t value) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

// A UUID in quotes, or an integer, of the 17 bytes of an id.
inline void append_wide_id(std::string& out, const uint8_t* id) {
  if (id[0] == 0) {
    uint64_t value = 0;
    for (size_t i = 9; i < 17; ++i) value = value << 8 | id[i];
    return append(out, value);
  }
  constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (size_t i = 1; i < 17; ++i) {
    if (i == 5 || i == 7 || i == 9 || i == 11) out += '-';
    out += kHex[id[i] >> 4];
    out += kHex[id[i] & 15];
  }
  out += '"';
}

// With the fewest digits that tell the float32, and as a number that is no integer: some readers
// tell them apart.
inline void append_score(std::string& out, float value) {
  char digits[32];
  char* stop = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, stop);
  const bool is_whole = std::all_of(digits, stop, [](char c) { return is_digit(c) || c == '-'; });
  if (is_whole) out += ".0";
}

}  // namespace text

// The hits as a JSON array of id, version (the seq of the point, by its number) and score; false
// where one has no seq, or a score that JSON cannot hold. Scores of inner products are
// similarities.
inline bool write_hits(const ReadySearch& search, const std::vector<ReadyHit>& hits,
                       const uint64_t* seqs, size_t n, bool is_similarity, std::string& out) {
  out = "[";
  for (const ReadyHit& hit : hits) {
    const ReadyPart& part = search.parts[hit.part];
    const size_t number = part.numbers[hit.row];
    // From 0 and not by a minus sign: that of 0 would be -0.
    const float score = is_similarity ? 0.0f - hit.distance : hit.distance;
    if (number >= n || !std::isfinite(score)) return false;
    out += out.size() == 1 ? "{\"id\":" : ",{\"id\":";
    if (part.ids != nullptr)
      text::append(out, part.ids[hit.row]);
    else
      text::append_wide_id(out, part.wide_ids + size_t{17} * hit.row);
    out += ",\"version\":";
    text::append(out, seqs[number]);
    out += ",\"score\":";
    text::append_score(out, score);
    out += '}';
  }
  out += ']';
  return true;
}

}  // namespace palimpsest
