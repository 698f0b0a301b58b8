// Vectors as JSON text: strict, and without a Python object per number.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace palimpsest {

namespace text {

inline bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

inline const char* skip_space(const char* p, const char* end) {
  while (p != end && is_space(*p)) ++p;
  return p;
}

[[noreturn]] inline void fail(const char* what, const char* begin, const char* at) {
  throw std::invalid_argument(std::string(what) + " at byte " + std::to_string(at - begin) +
                              " of the vector");
}

inline constexpr double kPowersOfTen[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                          1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                          1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

// One JSON number. Exact in double by one division or multiplication when the digits fit 53 bits and
// the power of ten is at most 22 (Clinger's fast path), else by from_chars.
inline const char* parse_number(const char* begin, const char* p, const char* end, float& out) {
  const char* start = p;
  const bool negative = p != end && *p == '-';
  if (negative) ++p;
  if (p == end || !is_digit(*p)) fail("expected a number", begin, p);
  if (*p == '0' && p + 1 != end && is_digit(p[1])) fail("a number with a leading zero", begin, p);
  uint64_t digits = 0;
  int count = 0, exponent = 0;
  for (; p != end && is_digit(*p); ++p, ++count) digits = digits * 10 + static_cast<uint64_t>(*p - '0');
  if (p != end && *p == '.') {
    ++p;
    const char* fraction = p;
    for (; p != end && is_digit(*p); ++p, ++count) digits = digits * 10 + static_cast<uint64_t>(*p - '0');
    if (p == fraction) fail("expected a digit", begin, p);
    exponent = -static_cast<int>(p - fraction);
  }
  if (p != end && (*p == 'e' || *p == 'E')) {
    ++p;
    const bool minus = p != end && *p == '-';
    if (p != end && (*p == '-' || *p == '+')) ++p;
    if (p == end || !is_digit(*p)) fail("expected a digit", begin, p);
    int value = 0;
    for (; p != end && is_digit(*p); ++p) value = value < 10000 ? value * 10 + (*p - '0') : value;
    exponent += minus ? -value : value;
  }
  if (count <= 19 && digits <= (uint64_t{1} << 53) && exponent >= -22 && exponent <= 22) {
    const double d = static_cast<double>(digits);
    const double v = exponent < 0 ? d / kPowersOfTen[-exponent] : d * kPowersOfTen[exponent];
    out = static_cast<float>(negative ? -v : v);
    return p;
  }
  double v = 0;
  const auto parsed = std::from_chars(start, p, v);
  if (parsed.ec == std::errc::result_out_of_range) {
    // Too small rounds to zero; too large is refused by the caller's check for finite values.
    v = exponent < 0 ? 0.0 : HUGE_VAL;
  }
  out = static_cast<float>(v);
  return p;
}

}  // namespace text

// Numbers of the JSON array in [begin, end), written to out (at most `capacity`); returns how many the
// array holds. Throws std::invalid_argument on anything that is not a flat array of numbers.
inline size_t parse_floats(const char* begin, const char* end, float* out, size_t capacity) {
  using namespace text;
  const char* p = skip_space(begin, end);
  if (p == end || *p != '[') fail("expected '['", begin, p);
  p = skip_space(p + 1, end);
  size_t n = 0;
  if (p != end && *p == ']') {
    ++p;
  } else {
    for (;;) {
      float value;
      p = skip_space(parse_number(begin, p, end, value), end);
      if (n < capacity) out[n] = value;
      ++n;
      if (p == end) fail("expected ',' or ']'", begin, p);
      if (*p == ']') {
        ++p;
        break;
      }
      if (*p != ',') fail("expected ',' or ']'", begin, p);
      p = skip_space(p + 1, end);
    }
  }
  p = skip_space(p, end);
  if (p != end) fail("unexpected text after the array", begin, p);
  return n;
}

// Shortest decimal text that reads back as the same float32.
inline std::string format_floats(const float* values, size_t n) {
  std::string out = "[";
  char number[32];
  for (size_t i = 0; i < n; ++i) {
    if (i != 0) out += ',';
    const auto written = std::to_chars(number, number + sizeof number, values[i]);
    out.append(number, written.ptr);
  }
  return out += ']';
}

}  // namespace palimpsest
