// Vectors as JSON text: strict, and without a Python object per number.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
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

// Those that a double holds exactly.
inline constexpr double kPowersOfTen[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                          1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                          1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

// Eight digits at a time: whether these bytes all are, and the number they write.
// A digit is 0x30 to 0x39: its upper half is 3, and stays 3 when 6 is added. Little-endian, the
// first digit in the lowest byte.
inline bool are_digits(uint64_t v) {
  return ((v & 0xf0f0f0f0f0f0f0f0u) | (((v + 0x0606060606060606u) & 0xf0f0f0f0f0f0f0f0u) >> 4)) ==
         0x3333333333333333u;
}
// Pairs, then fours, then eight: three multiplications for all (0x64 is 100, 0x2710 10,000, 0xf4240
// 1,000,000).
inline uint64_t eight_digits(uint64_t v) {
  v -= 0x3030303030303030u;
  v = v * 10 + (v >> 8);
  return (((v & 0x000000ff000000ffu) * 0x000f424000000064u) +
          (((v >> 16) & 0x000000ff000000ffu) * 0x0000271000000001u)) >>
         32;
}

inline const char* read_digits(const char* p, const char* end, uint64_t& digits) {
  for (uint64_t eight; end - p >= 8; p += 8) {
    std::memcpy(&eight, p, sizeof eight);
    if (!are_digits(eight)) break;
    digits = digits * 100000000 + eight_digits(eight);
  }
  for (; p != end && is_digit(*p); ++p) digits = digits * 10 + static_cast<uint64_t>(*p - '0');
  return p;
}

inline const char* read_exponent(const char* begin, const char* p, const char* end, int& exponent) {
  ++p;
  const bool minus = p != end && *p == '-';
  if (p != end && (*p == '-' || *p == '+')) ++p;
  if (p == end || !is_digit(*p)) fail("expected a digit", begin, p);
  // Capped, not wrapped: 1e99999 is too large, not some other number.
  int value = 0;
  for (; p != end && is_digit(*p); ++p) value = value < 10000 ? value * 10 + (*p - '0') : value;
  exponent += minus ? -value : value;
  return p;
}

// The float of a decimal of up to 19 digits by one division or multiplication: digits and power of
// ten are off by at most half a unit of a double each, so where both ends of that interval round to
// one float, it is the right one. Else false (one number in some hundred million).
inline bool round_decimal(uint64_t digits, int exponent, float& out) {
  if (exponent < -22 || exponent > 22) return false;
  const double d = static_cast<double>(digits);
  const double v = exponent < 0 ? d / kPowersOfTen[-exponent] : d * kPowersOfTen[exponent];
  out = static_cast<float>(v * (1.0 - 0x1p-51));
  return out == static_cast<float>(v * (1.0 + 0x1p-51));
}

// One JSON number, rounded as a double and then as a float.
inline const char* parse_number(const char* begin, const char* p, const char* end, float& out) {
  const char* start = p;
  const bool negative = p != end && *p == '-';
  if (negative) ++p;
  if (p == end || !is_digit(*p)) fail("expected a number", begin, p);
  if (*p == '0' && p + 1 != end && is_digit(p[1])) fail("a number with a leading zero", begin, p);
  uint64_t digits = 0;
  int exponent = 0;
  const char* whole = p;
  p = read_digits(p, end, digits);
  std::ptrdiff_t count = p - whole;
  if (p != end && *p == '.') {
    const char* fraction = ++p;
    p = read_digits(p, end, digits);
    if (p == fraction) fail("expected a digit", begin, p);
    // 100,000 digits behind the point are as good as any number of them: far below the least float.
    exponent = -static_cast<int>(std::min<std::ptrdiff_t>(p - fraction, 100000));
    // A leading zero is no digit of the number: "0.0123..." may have 19 after it.
    count = (*whole == '0' ? 0 : count) + (p - fraction);
  }
  if (p != end && (*p == 'e' || *p == 'E')) p = read_exponent(begin, p, end, exponent);
  if (count <= 19 && round_decimal(digits, exponent, out)) {
    if (negative) out = -out;
    return p;
  }
  double v = 0;
  // The slow way, exact for any number of digits.
  const auto parsed = std::from_chars(start, p, v);
  if (parsed.ec == std::errc::result_out_of_range) {
    // Too small rounds to zero; too large is refused by the caller's check for finite values.
    for (const char* q = start; *q == '-' || *q == '0' || *q == '.'; ++q) count -= *q == '0';
    v = count + exponent < 0 ? 0.0 : HUGE_VAL;
    if (negative) v = -v;
  }
  out = static_cast<float>(v);
  return p;
}

// The numbers of one array that begins at p, written to out while there is room: `n` of them.
inline const char* parse_array(const char* begin, const char* p, const char* end, float* out,
                               size_t room, size_t& n) {
  if (p == end || *p != '[') fail("expected '['", begin, p);
  p = skip_space(p + 1, end);
  n = 0;
  if (p != end && *p == ']') return p + 1;
  for (;;) {
    float value;
    p = skip_space(parse_number(begin, p, end, value), end);
    if (n < room) out[n] = value;
    ++n;
    if (p == end || (*p != ',' && *p != ']')) fail("expected ',' or ']'", begin, p);
    if (*p == ']') return p + 1;
    p = skip_space(p + 1, end);
  }
}

}  // namespace text

// How many numbers an array in [begin, end) holds at most.
inline size_t most_numbers(const char* begin, const char* end) {
  return static_cast<size_t>(std::count(begin, end, ',')) + 1;
}

// Numbers of the JSON array in [begin, end), written to out (at most `capacity`); returns how many
// the array holds. Throws std::invalid_argument on anything that is not a flat array of numbers.
inline size_t parse_floats(const char* begin, const char* end, float* out, size_t capacity) {
  using namespace text;
  size_t n;
  const char* p = parse_array(begin, skip_space(begin, end), end, out, capacity, n);
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
    // At most 15 bytes: sign, nine digits, point, e, sign, two digits.
    const auto written = std::to_chars(number, number + sizeof number, values[i]);
    out.append(number, written.ptr);
    // Clients read "-0" as the integer zero.
    if (values[i] == 0.0f && std::signbit(values[i])) out += ".0";
  }
  return out += ']';
}

}  // namespace palimpsest
