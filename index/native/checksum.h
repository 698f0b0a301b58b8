// CRC-32C of bytes that come in pieces, eight bytes at a time: the reflected polynomial 0x82F63B78,
// which processors have an instruction for; elsewhere by tables. (Castagnoli, Braeuer and Herrmann,
// "Optimization of cyclic redundancy-check codes with 24 and 32 parity bits", 1993; Kounavis and
// Berry, "A systematic approach to building high performance software-based CRC generators", 2005)
#pragma once

#if defined(__SSE4_2__)
#include <nmmintrin.h>
#endif

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace palimpsest {

class Crc32c {
 public:
  // Goes on from what `before` stands for; 0 begins.
  explicit Crc32c(uint32_t before) : state_(~before) {}

  void add(const void* data, size_t size) {
    const auto* at = static_cast<const uint8_t*>(data);
    uint32_t crc = state_;
    for (; size >= 8; size -= 8, at += 8) crc = with_eight(crc, at);
    for (; size > 0; --size, ++at) crc = with_one(crc, *at);
    state_ = crc;
  }

  // A kind of value and a number, as nine bytes, the number's lowest first.
  void add(char kind, uint64_t value) {
    uint8_t text[8];
    for (int place = 0; place < 8; ++place)
      text[place] = static_cast<uint8_t>(value >> 8 * place & 0xFF);
    state_ = with_eight(with_one(state_, static_cast<uint8_t>(kind)), text);
  }

  uint32_t value() const { return ~state_; }

 private:
#if defined(__SSE4_2__)
  static uint32_t with_eight(uint32_t crc, const uint8_t* at) {
    uint64_t word;
    std::memcpy(&word, at, sizeof word);
    return static_cast<uint32_t>(_mm_crc32_u64(crc, word));
  }

  static uint32_t with_one(uint32_t crc, uint8_t byte) { return _mm_crc32_u8(crc, byte); }
#else
  static uint32_t with_eight(uint32_t crc, const uint8_t* at) { return by_tables(crc, at); }

  static uint32_t with_one(uint32_t crc, uint8_t byte) {
    return crc >> 8 ^ tables()[0][(crc ^ byte) & 0xFF];
  }
#endif

  static uint32_t by_tables(uint32_t crc, const uint8_t* at) {
    const auto& t = tables();
    // Eight bytes by eight look-ups that do not wait for each other (Kounavis and Berry, "slicing
    // by 8"): the sum so far is added to the first four.
    uint32_t low = at[0] | uint32_t{at[1]} << 8 | uint32_t{at[2]} << 16 | uint32_t{at[3]} << 24;
    low ^= crc;
    return t[7][low & 0xFF] ^ t[6][low >> 8 & 0xFF] ^ t[5][low >> 16 & 0xFF] ^ t[4][low >> 24] ^
           t[3][at[4]] ^ t[2][at[5]] ^ t[1][at[6]] ^ t[0][at[7]];
  }

  using Tables = std::array<std::array<uint32_t, 256>, 8>;

  // t[k][b] is what byte b does to the sum when k bytes come behind it.
  // One bit a step, lowest first: the polynomial is reflected.
  static constexpr Tables made() {
    Tables t{};
    for (uint32_t byte = 0; byte < 256; ++byte) {
      uint32_t crc = byte;
      for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0u);
      t[0][byte] = crc;
    }
    for (size_t k = 1; k < 8; ++k)
      for (size_t byte = 0; byte < 256; ++byte)
        t[k][byte] = t[k - 1][byte] >> 8 ^ t[0][t[k - 1][byte] & 0xFF];
    return t;
  }

  static const Tables& tables() {
    static constexpr Tables made_once = made();
    return made_once;
  }

  uint32_t state_;
};

}  // namespace palimpsest
