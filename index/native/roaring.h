// Roaring bitmaps in their portable serialised form (RoaringFormatSpec) from and to plain flags.
//
// Values are split by their upper 16 bits into containers; each is an ascending array of the lower
// halves (up to 4,096), a bitmap of 65,536 bits, or runs. Lengths are checked before every read;
// what is written here has no runs.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace palimpsest {

inline constexpr uint32_t kRunCookie = 12347, kPlainCookie = 12346;
inline constexpr size_t kContainerBits = 65536, kContainerWords = kContainerBits / 64;
inline constexpr size_t kMostMembers = 4096;  // of an array; a container of more is a bitmap

// cookie | containers | (key, members - 1) each | offset each | bodies
// u32      u32          u16 u16                  u32
// With runs the number of containers stands in the upper half of the cookie, a bit a container says
// which are runs, and the offsets are left out below four containers.
class RoaringReader {
 public:
  RoaringReader(const uint8_t* bytes, size_t size, uint64_t* words, size_t count)
      : bytes_(bytes), size_(size), words_(words), count_(count) {}

  // Sets the bits of all members below 64 * count; the others stay as they are.
  void spread() {
    const uint32_t cookie = read<uint32_t>();
    const bool has_runs = (cookie & 0xffff) == kRunCookie;
    if (!has_runs && cookie != kPlainCookie) throw std::invalid_argument("not a roaring bitmap");
    const size_t containers = has_runs ? (cookie >> 16) + 1 : read<uint32_t>();
    if (containers > kMostContainers) throw std::invalid_argument("too many containers");
    const uint8_t* run_flags = has_runs ? take((containers + 7) / 8) : nullptr;
    const uint8_t* heads = take(4 * containers);
    // Offsets are for jumping to one container; all are read here, in order.
    if (!has_runs || containers >= kOffsetsFrom) take(4 * containers);
    for (size_t i = 0; i < containers; ++i) {
      const size_t first = size_t{load<uint16_t>(heads + 4 * i)} << 10;  // word of the container
      const size_t members = size_t{load<uint16_t>(heads + 4 * i + 2)} + 1;
      if (run_flags != nullptr && (run_flags[i / 8] >> (i % 8) & 1) != 0) {
        runs(first);
      } else if (members > kMostMembers) {
        const uint8_t* bits = take(8 * kContainerWords);
        if (first < count_) {
          std::memcpy(words_ + first, bits, 8 * std::min(kContainerWords, count_ - first));
        }
      } else {
        const uint8_t* lows = take(2 * members);
        for (size_t j = 0; j < members; ++j) set(first, load<uint16_t>(lows + 2 * j));
      }
    }
  }

 private:
  // Keys have 16 bits.
  static constexpr size_t kMostContainers = 1 << 16, kOffsetsFrom = 4;

  template <typename T>
  static T load(const uint8_t* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
  }
  template <typename T>
  T read() {
    return load<T>(take(sizeof(T)));
  }
  const uint8_t* take(size_t bytes) {
    // at_ never passes size_, so this cannot wrap around.
    if (bytes > size_ - at_) throw std::invalid_argument("the roaring bitmap ends too early");
    at_ += bytes;
    return bytes_ + at_ - bytes;
  }

  void set(size_t first, size_t low) {
    const size_t word = first + low / 64;
    if (word < count_) words_[word] |= uint64_t{1} << (low % 64);
  }
  void runs(size_t first) {
    const size_t count = read<uint16_t>();
    for (size_t i = 0; i < count; ++i) {
      const size_t start = read<uint16_t>(), more = read<uint16_t>();
      // A run that is said to go on past its container is cut off there.
      for (size_t low = start; low <= std::min<size_t>(start + more, 65535); ++low) set(first, low);
    }
  }

  const uint8_t* bytes_;
  size_t size_, at_ = 0;
  uint64_t* words_;
  size_t count_;
};

// The bitmap of the places of n flags (0 or 1) that are 1.
class RoaringWriter {
 public:
  std::string write(const uint8_t* flags, size_t n) {
    for (size_t from = 0; from < n; from += kContainerBits) {
      add_container(flags + from, std::min(kContainerBits, n - from), from / kContainerBits);
    }
    std::string out;
    append<uint32_t>(out, kPlainCookie);
    append<uint32_t>(out, static_cast<uint32_t>(ends_.size()));
    const size_t front = 8 + heads_.size() + 4 * ends_.size();
    out.reserve(front + bodies_.size());
    out += heads_;
    for (size_t i = 0; i < ends_.size(); ++i) {
      append<uint32_t>(out, static_cast<uint32_t>(front + (i == 0 ? 0 : ends_[i - 1])));
    }
    return out += bodies_;
  }

 private:
  template <typename T>
  static void append(std::string& to, T value) {
    to.append(reinterpret_cast<const char*>(&value), sizeof value);
  }

  void add_container(const uint8_t* flags, size_t n, size_t key) {
    size_t members = 0;
    for (size_t w = 0; w < kContainerWords; ++w) {
      words_[w] = word_of(flags, 64 * w, n);
      members += static_cast<size_t>(std::popcount(words_[w]));
    }
    // Empty containers have no place in the format: members - 1 is what is stored.
    if (members == 0) return;
    append(heads_, static_cast<uint16_t>(key));
    append(heads_, static_cast<uint16_t>(members - 1));
    if (members > kMostMembers) {
      bodies_.append(reinterpret_cast<const char*>(words_), sizeof words_);
    } else {
      for (size_t w = 0; w < kContainerWords; ++w) {
        for (uint64_t word = words_[w]; word != 0; word &= word - 1) {
          append(bodies_,
                 static_cast<uint16_t>(64 * w + static_cast<size_t>(std::countr_zero(word))));
        }
      }
    }
    ends_.push_back(bodies_.size());
  }

  // Eight flags become one byte by a multiplication that gathers their lowest bits.
  static uint64_t word_of(const uint8_t* flags, size_t from, size_t n) {
    if (from >= n) return 0;
    uint8_t eight[64] = {};
    std::memcpy(eight, flags + from, std::min<size_t>(64, n - from));
    uint64_t word = 0;
    for (size_t i = 0; i < 8; ++i) {
      uint64_t bytes;
      std::memcpy(&bytes, eight + 8 * i, sizeof bytes);
      word |= (bytes & 0x0101010101010101u) * 0x0102040810204080u >> 56 << (8 * i);
    }
    return word;
  }

  uint64_t words_[kContainerWords];
  std::string heads_, bodies_;
  std::vector<size_t> ends_;  // of the containers in bodies_
};

}  // namespace palimpsest
