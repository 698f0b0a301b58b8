// Compares every kernel of the levels this build runs with the scalar level, bit for bit, then
// prints a digest of codes: equal digests from two machines mean that their codes are byte for byte
// equal.
#include <cstdio>
#include <string>
#include <vector>

#include "maxsim.h"
#include "traverse.h"

namespace palimpsest {
namespace {

constexpr size_t kMostRows = 9;
constexpr size_t kLargest = 65536;  // where a sum that is too narrow overflows
constexpr size_t kSizes[] = {64,  128, 192, 256, 320,  384,  448,  512,
                             576, 704, 768, 960, 1024, 1088, 1472, 1536};

int failures = 0;

void expect(bool ok, const std::string& what) {
  if (ok) return;
  ++failures;
  std::printf("differs from scalar: %s\n", what.c_str());
}

// The same numbers on every machine and with every library.
class Numbers {
 public:
  explicit Numbers(uint64_t seed) : state_(seed) {}

  uint64_t next() {  // splitmix64
    uint64_t x = state_ += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
  }
  // Bell-shaped, mean 0, exact in float32.
  float coordinate() {
    int64_t sum = 0;
    for (int i = 0; i < 4; ++i) sum += static_cast<int64_t>(next() >> 44) - (1 << 19);
    return static_cast<float>(sum) * 0x1p-20f;
  }
  std::vector<float> coordinates(size_t n) {
    std::vector<float> out(n);
    for (float& x : out) x = coordinate();
    return out;
  }
  std::vector<float> signs(size_t n) {
    std::vector<float> out(n);
    for (float& x : out) x = next() & 1 ? 1.0f : -1.0f;
    return out;
  }

 private:
  uint64_t state_;
};

enum class Fill { random, lowest, highest };

std::vector<uint8_t> codes_of(Fill fill, int bits, size_t bytes, Numbers& numbers) {
  std::vector<uint8_t> out(
      bytes, fill == Fill::lowest ? (bits == 8 ? 0x80 : 0) : (bits == 8 ? 0x7f : 0xff));
  if (fill == Fill::random) {
    for (uint8_t& b : out) b = static_cast<uint8_t>(numbers.next());
  }
  return out;
}

// int8 queries within [-127, 127], or four bit planes.
std::vector<uint8_t> query_of(Fill fill, int bits, size_t padded, Numbers& numbers) {
  std::vector<uint8_t> out(bits == 1 ? kQueryPlanes * padded / 8 : padded);
  for (size_t i = 0; i < out.size(); ++i) {
    const uint8_t random = static_cast<uint8_t>(numbers.next());
    if (bits == 1) {
      const bool sign_plane = i >= out.size() / kQueryPlanes * (kQueryPlanes - 1);
      out[i] = fill == Fill::random ? random : (fill == Fill::lowest) == sign_plane ? 0xff : 0;
    } else {
      const int value = fill == Fill::random   ? static_cast<int>(random) % 255 - 127
                        : fill == Fill::lowest ? -127
                                               : 127;
      out[i] = static_cast<uint8_t>(value);
    }
  }
  return out;
}

struct Case {
  const Kernels& level;
  const Kernels& scalar;
  int bits;
  size_t padded;
  std::string text;
};

// n rows, each with its factors behind, read in reverse through unaligned addresses.
void compare_products(const Case& c, const std::vector<uint8_t>& codes, size_t stride,
                      const std::vector<uint8_t>& query) {
  const size_t code_bytes = c.padded * static_cast<size_t>(c.bits) / 8;
  const uint8_t* rows[kMostRows];
  uint32_t ids[kMostRows];
  for (size_t i = 0; i < kMostRows; ++i) {
    ids[i] = static_cast<uint32_t>(kMostRows - 1 - i);
    rows[i] = codes.data() + ids[i] * stride;
  }
  const CodeRows code_rows{codes.data(), stride, code_bytes, c.padded};
  const QueryTerms terms{query.data(), 0.25f, 0.0173f, -1.75f};
  for (size_t n = 0; n <= kMostRows; ++n) {
    int32_t dots[2][kMostRows + 1];
    float scores[2][kMostRows + 1];
    std::memset(dots, 0x55, sizeof dots);  // what lies behind the n-th must stay
    std::memset(scores, 0x55, sizeof scores);
    dot_for(c.scalar, c.bits)(rows, n, query.data(), c.padded, dots[0]);
    dot_for(c.level, c.bits)(rows, n, query.data(), c.padded, dots[1]);
    score_for(c.scalar, c.bits)(code_rows, terms, ids, n, scores[0]);
    score_for(c.level, c.bits)(code_rows, terms, ids, n, scores[1]);
    const std::string text = c.text + ", " + std::to_string(n) + " rows";
    expect(std::memcmp(dots[0], dots[1], sizeof dots[0]) == 0, "dot, " + text);
    expect(std::memcmp(scores[0], scores[1], sizeof scores[0]) == 0, "score, " + text);
  }
}

// Extremes where the largest allowed size could overflow a lane or a sum.
void compare_largest(const Kernels& level, const Kernels& scalar) {
  Numbers numbers(kLargest);
  for (int bits : {1, 2, 4, 8}) {
    const std::vector<uint8_t> lowest = codes_of(Fill::lowest, bits, kLargest, numbers);
    const std::vector<uint8_t> highest = codes_of(Fill::highest, bits, kLargest, numbers);
    const uint8_t* rows[] = {lowest.data(), highest.data()};
    for (Fill fill : {Fill::lowest, Fill::highest}) {
      const std::vector<uint8_t> query = query_of(fill, bits, kLargest, numbers);
      int32_t a[2], b[2];
      dot_for(scalar, bits)(rows, 2, query.data(), kLargest, a);
      dot_for(level, bits)(rows, 2, query.data(), kLargest, b);
      expect(a[0] == b[0] && a[1] == b[1], "dot, largest size, " + std::to_string(bits) + " bits");
    }
  }
}

void compare_codes(const Kernels& level, const Kernels& scalar, size_t padded) {
  Numbers numbers(padded);
  for (int bits : {1, 2, 4, 8}) {
    for (Fill code_fill : {Fill::random, Fill::lowest, Fill::highest}) {
      for (Fill query_fill : {Fill::random, Fill::lowest, Fill::highest}) {
        const size_t code_bytes = padded * static_cast<size_t>(bits) / 8;
        const size_t stride = code_bytes + sizeof(Factors);
        std::vector<uint8_t> codes = codes_of(code_fill, bits, kMostRows * stride, numbers);
        for (size_t i = 0; i < kMostRows; ++i) {
          const Factors f{numbers.coordinate(), numbers.coordinate()};
          std::memcpy(&codes[i * stride + code_bytes], &f, sizeof f);
        }
        const Case c{level, scalar, bits, padded,
                     std::to_string(bits) + " bits, " + std::to_string(padded) + " dimensions"};
        compare_products(c, codes, stride, query_of(query_fill, bits, padded, numbers));
      }
    }
  }
}

bool same(float a, float b) { return std::memcmp(&a, &b, sizeof a) == 0; }

void compare_rotations(const Kernels& level, const Kernels& scalar, size_t padded) {
  Numbers numbers(padded + 1);
  const std::string text = std::to_string(padded) + " dimensions";
  const std::vector<float> signs = numbers.signs(4 * padded);
  std::vector<float> a = numbers.coordinates(padded), b = a;
  scalar.rotate(a.data(), signs.data(), padded);
  level.rotate(b.data(), signs.data(), padded);
  expect(a == b, "rotate, " + text);
  expect(same(scalar.max_abs(a.data(), padded - 3), level.max_abs(a.data(), padded - 3)),
         "max_abs, " + text);
  std::vector<int8_t> qa(padded), qb(padded);
  const float step = scalar.max_abs(a.data(), padded) / 100.0f;
  const int32_t sum_a = scalar.quantise(a.data(), padded, step, -90, 90, qa.data());
  const int32_t sum_b = level.quantise(a.data(), padded, step, -90, 90, qb.data());
  expect(sum_a == sum_b && qa == qb, "quantise, " + text);
  for (int bits : {1, 2, 4, 8}) {
    std::vector<uint8_t> ca(padded), cb(padded);
    const Encoded ea = scalar.encode(a.data(), padded, bits, 2.0f, ca.data());
    const Encoded eb = level.encode(a.data(), padded, bits, 2.0f, cb.data());
    expect(ca == cb && std::memcmp(&ea, &eb, sizeof ea) == 0,
           "encode, " + std::to_string(bits) + " bits, " + text);
  }
  scalar.unrotate(a.data(), signs.data(), padded);
  level.unrotate(b.data(), signs.data(), padded);
  expect(a == b, "unrotate, " + text);
}

// One and two blocks of query tokens against up to kMostRows rows, at random and where sums are
// largest.
void compare_token_codes(const Kernels& level, const Kernels& scalar, size_t padded) {
  Numbers numbers(padded + 2);
  for (int bits : {2, 4, 8}) {
    for (Fill fill : {Fill::random, Fill::lowest, Fill::highest}) {
      const size_t code_bytes = padded * static_cast<size_t>(bits) / 8;
      const size_t stride = code_bytes + sizeof(float);
      std::vector<uint8_t> rows = codes_of(fill, bits, kMostRows * stride, numbers);
      for (size_t r = 0; r < kMostRows; ++r) {
        const float factor = 0.01f * static_cast<float>(r + 1);
        std::memcpy(&rows[r * stride + code_bytes], &factor, sizeof factor);
      }
      constexpr size_t most = kTokens * kTokenBlocks;
      std::vector<int8_t> tokens(most * padded);
      std::vector<int32_t> sums(most, 0);
      for (size_t i = 0; i < tokens.size(); ++i) {
        const int random = static_cast<int>(numbers.next() % 255) - 127;
        tokens[i] = static_cast<int8_t>(fill == Fill::random ? random
                                        : i / 4 % 2 == 0     ? 127
                                                             : -127);
        sums[i / (kTokens * padded) * kTokens + i / 4 % kTokens] += tokens[i];
      }
      for (size_t blocks = 1; blocks <= kTokenBlocks; ++blocks) {
        for (size_t n = 1; n <= kMostRows; ++n) {
          std::vector<float> a(most, -1e30f), b = a;
          const TokenBlocks query{tokens.data(), sums.data(), blocks};
          max_for(scalar, bits)(query, {rows.data(), stride, n}, padded, a.data());
          max_for(level, bits)(query, {rows.data(), stride, n}, padded, b.data());
          expect(a == b, "largest products, " + std::to_string(bits) + " bits, " +
                             std::to_string(blocks) + " blocks, " + std::to_string(n) + " rows, " +
                             std::to_string(padded) + " dimensions");
        }
      }
    }
  }
}

void compare_similarities(const Kernels& level, const Kernels& scalar) {
  for (size_t d : {1, 7, 8, 33, 256, 257, 600}) {
    Numbers numbers(d + 1);
    const std::vector<float> block = numbers.coordinates(kTokens * d);
    const std::vector<float> values = numbers.coordinates(kMostRows * d);
    std::vector<uint16_t> halves(kMostRows * d);
    for (uint16_t& h : halves) h = static_cast<uint16_t>(numbers.next() & 0xbfff);
    const void* rows[] = {values.data(), halves.data()};
    for (size_t type = 0; type < 2; ++type) {
      for (size_t metric = 0; metric < 3; ++metric) {
        for (size_t n = 1; n <= kMostRows; ++n) {
          const TokenRows all{static_cast<const uint8_t*>(rows[type]), d * (type == 0 ? 4 : 2), n};
          std::vector<float> a(kTokens, -1e30f), b = a;
          scalar.similarities[type][metric](block.data(), all, d, a.data());
          level.similarities[type][metric](block.data(), all, d, b.data());
          expect(a == b, "largest similarities, row type " + std::to_string(type) + ", metric " +
                             std::to_string(metric) + ", " + std::to_string(n) + " rows, " +
                             std::to_string(d) + " dimensions");
        }
      }
    }
  }
}

// Rows of float32, float16 (finite bit patterns) and int8, at ragged sizes.
void compare_distances(const Kernels& level, const Kernels& scalar) {
  for (size_t d : {1, 7, 8, 31, 32, 33, 255, 256, 257, 1536}) {
    Numbers numbers(d);
    const std::vector<float> a = numbers.coordinates(d), b = numbers.coordinates(d);
    std::vector<uint16_t> halves(d);
    for (uint16_t& h : halves) h = static_cast<uint16_t>(numbers.next() & 0xbfff);
    std::vector<uint8_t> bytes(d + sizeof(float));
    for (uint8_t& x : bytes) x = static_cast<uint8_t>(numbers.next());
    const float scale = 0.037f;
    std::memcpy(bytes.data(), &scale, sizeof scale);
    const void* rows[] = {b.data(), halves.data(), bytes.data()};
    for (size_t type = 0; type < 3; ++type) {
      for (size_t metric = 0; metric < 3; ++metric) {
        expect(same(scalar.distance[type][metric](a.data(), rows[type], d),
                    level.distance[type][metric](a.data(), rows[type], d)),
               "distance, row type " + std::to_string(type) + ", metric " + std::to_string(metric) +
                   ", " + std::to_string(d) + " dimensions");
      }
    }
    expect(same(scalar.dot(a.data(), b.data(), d), level.dot(a.data(), b.data(), d)),
           "dot product, " + std::to_string(d) + " dimensions");
  }
}

// Numbers of rows on both sides of the six that are multiplied together, at ragged sizes.
void compare_rows(const Kernels& level, const Kernels& scalar) {
  for (size_t d : {1, 7, 8, 31, 32, 33, 128, 257}) {
    for (size_t n : {0, 1, 2, 3, 5, 6, 7, 11, 12, 13}) {
      Numbers numbers(d * 16 + n);
      const std::vector<float> rows = numbers.coordinates(n * d);
      const std::vector<float> panel = numbers.coordinates(d * kPanel);
      std::vector<uint32_t> which(n);
      for (uint32_t& w : which) w = static_cast<uint32_t>(numbers.next() % n);
      std::vector<float> a(n * kPanel + d), b(n * kPanel + d);
      for (const auto& [k, out] : {std::pair{&scalar, &a}, std::pair{&level, &b}}) {
        k->multiply(rows.data(), n, d, panel.data(), out->data(), kPanel);
        k->sum_rows(rows.data(), d, which.data(), n, out->data() + n * kPanel);
      }
      expect(a == b, "rows, " + std::to_string(n) + " of " + std::to_string(d) + " dimensions");
    }
  }
}

// Pools of many capacities, filled a few rows at a time until none is better than what they hold.
void compare_pools(const Kernels& level) {
  if (level.offer == nullptr) return;
  for (size_t capacity : {1, 7, 8, 10, 24, 63, 64, 65, 128, 200, 1000}) {
    Numbers numbers(capacity);
    Pool one_by_one, at_once;
    one_by_one.reset(capacity);
    at_once.reset(capacity);
    uint32_t rows[200], next = 0;
    float distances[200 + 3];
    bool same = true;
    for (size_t round = 0; round < 200; ++round) {
      const size_t n = numbers.next() % (round % 20 == 0 ? 200 : 12);
      for (size_t i = 0; i < n; ++i) {
        rows[i] = next++;
        // Few different numbers, so that rows decide.
        distances[i] = static_cast<float>(static_cast<int>(numbers.next() % 4001) - 2000);
        if (numbers.next() % 50 == 0) distances[i] = std::numeric_limits<float>::quiet_NaN();
      }
      const size_t lowest = numbers.next() % (capacity + 1);
      const size_t wanted = offer_all<Pool>(one_by_one, rows, distances, n, lowest);
      same = same && at_once.offer(level.offer, rows, distances, n, lowest) == wanted;
      same = same && at_once.size() == one_by_one.size();
      for (size_t i = 0; same && i < at_once.size(); ++i) {
        same = at_once.key(i) == one_by_one.key(i);
        if (numbers.next() % 4 == 0 && !at_once.expanded(i)) {
          at_once.mark_expanded(i);
          one_by_one.mark_expanded(i);
        }
      }
    }
    expect(same, "pool of " + std::to_string(capacity));
  }
}

// FNV-1a over the rows and estimates of whole encoders, tokens too, on the level chosen for this
// CPU.
uint64_t digest() {
  uint64_t hash = 0xcbf29ce484222325u;
  const auto add = [&](const void* p, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i) {
      hash = (hash ^ static_cast<const uint8_t*>(p)[i]) * 0x100000001b3u;
    }
  };
  for (size_t size : {1, 33, 96, 257, 384, 768}) {
    Numbers numbers(size);
    const size_t n = 20, padded = padded_size(size);
    const std::vector<float> vectors = numbers.coordinates(n * size);
    const std::vector<float> centroid = numbers.coordinates(size);
    std::vector<int8_t> signs(4 * padded);
    for (int8_t& s : signs) s = numbers.next() & 1 ? 1 : -1;
    for (int bits : {1, 2, 4, 8}) {
      for (Metric metric : {Metric::inner_product, Metric::l2}) {
        const Encoder encoder(size, bits, metric, centroid.data(), signs.data());
        std::vector<uint8_t> rows(n * encoder.row_bytes());
        std::vector<float> errors(n), decoded(size);
        encoder.encode(vectors.data(), n, rows.data(), errors.data());
        encoder.decode(rows.data(), decoded.data());
        PreparedQuery query;
        encoder.prepare(vectors.data() + size, query);
        add(rows.data(), rows.size());
        add(errors.data(), n * sizeof(float));
        add(decoded.data(), size * sizeof(float));
        add(query.bytes.data(), query.bytes.size());
        add(query.planes.data(), query.planes.size() * sizeof(uint64_t));
      }
    }
    const int64_t starts[] = {0, 1, static_cast<int64_t>(n)};
    const uint32_t documents[] = {0, 1};
    for (int bits : {2, 4, 8}) {
      const TokenCoder coder(size, bits, signs.data());
      std::vector<uint8_t> rows(n * coder.row_bytes());
      std::vector<float> scratch(padded);
      for (size_t i = 0; i < n; ++i)
        coder.encode(&vectors[i * size], &rows[i * coder.row_bytes()], scratch.data());
      double scores[2];
      max_sims(CodedQuery(coder, centroid.data(), 1), {rows.data(), starts, coder.row_bytes()},
               documents, 2, scores);
      add(rows.data(), rows.size());
      add(scores, sizeof scores);
    }
  }
  return hash;
}

}  // namespace
}  // namespace palimpsest

// The one argument names the level that must be here.
int main(int argc, char** argv) {
  using namespace palimpsest;
  const Kernels* level = argc == 2 ? kernels_by_name(argv[1]) : nullptr;
  if (level == nullptr) {
    std::printf("usage: compare_levels LEVEL, a level of this build\n");
    return 2;
  }
  for (size_t padded : kSizes) {
    compare_codes(*level, *kernels_scalar(), padded);
    compare_rotations(*level, *kernels_scalar(), padded);
    compare_token_codes(*level, *kernels_scalar(), padded);
  }
  compare_similarities(*level, *kernels_scalar());
  compare_largest(*level, *kernels_scalar());
  compare_distances(*level, *kernels_scalar());
  compare_rows(*level, *kernels_scalar());
  compare_pools(*level);
  if (failures == 0)
    std::printf("%s equals scalar; codes %016llx\n", level->name,
                static_cast<unsigned long long>(digest()));
  return failures == 0 ? 0 : 1;
}
