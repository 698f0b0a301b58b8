// Sets of vectors as JSON text: an array of arrays of numbers each. Strict, as vectors are
// (text.h).
#pragma once

#include <string>

#include "text.h"

namespace palimpsest {

// What stopped the reading of a set: its vector `row` holds `size` numbers. Of one that was read
// whole, how many vectors it has, and the size that was asked for.
struct SetEnd {
  size_t row = 0;
  size_t size = 0;
  bool whole = false;
};

// Vectors of `d` numbers each of the JSON text in [begin, end), written to out, which holds
// `capacity` of them: enough where every vector is of the size, since no text of so many bytes
// holds more. Stops at the first of another size. Throws std::invalid_argument on anything that is
// not an array of arrays of numbers, up to there.
inline SetEnd parse_set(const char* begin, const char* end, float* out, size_t d, size_t capacity) {
  using namespace text;
  const char* p = skip_space(begin, end);
  if (p == end || *p != '[') fail("expected '['", begin, p);
  p = skip_space(p + 1, end);
  size_t rows = 0;
  if (p != end && *p == ']') {
    ++p;
  } else {
    for (;;) {
      size_t size;
      const size_t room = rows < capacity ? d : 0;
      p = skip_space(parse_array(begin, p, end, out + (room ? rows * d : 0), room, size), end);
      if (size != d || room == 0) return {rows, size, false};
      ++rows;
      if (p == end || (*p != ',' && *p != ']')) fail("expected ',' or ']'", begin, p);
      if (*p++ == ']') break;
      p = skip_space(p, end);
    }
  }
  p = skip_space(p, end);
  if (p != end) fail("unexpected text after the array", begin, p);
  return {rows, d, true};
}

// One array of arrays, each of `d` numbers in the shortest text that reads back as the same.
inline std::string format_set(const float* values, size_t rows, size_t d) {
  std::string out = "[";
  out.reserve(2 + rows * (2 + 12 * d));  // most numbers of unit vectors take 11 bytes and a comma
  for (size_t row = 0; row < rows; ++row) {
    if (row != 0) out += ',';
    out += format_floats(values + row * d, d);
  }
  return out += ']';
}

}  // namespace palimpsest
