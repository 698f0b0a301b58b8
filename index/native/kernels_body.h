// Portable float kernels, compiled once per level by including this file inside a namespace.
//
// Written with eight-lane vector types that every compiler lowers to the level's registers. The
// order of additions is part of the format: lane i of an accumulator sums elements i mod 32, and
// lanes are folded as in `fold`. Compile with -ffp-contract=off. Needs kernels.h.

namespace {

// Eight lanes are what AVX2 holds in one register; wider levels keep them too, because another
// number of lanes would be another order of additions, and other codes.
typedef float f8 __attribute__((vector_size(32)));
typedef int32_t i8x __attribute__((vector_size(32)));

inline f8 load8(const float* p) {
  f8 v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline void store8(float* p, f8 v) { std::memcpy(p, &v, sizeof v); }
inline f8 splat(float x) { return f8{x, x, x, x, x, x, x, x}; }
inline f8 abs8(f8 v) { return v < splat(0.0f) ? -v : v; }

// The tree of a horizontal add on 256 bits: halves first, then neighbours.
inline float fold(f8 v) {
  return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

// One stage of the transform inside a register: lane i becomes v[partner] + v or v[partner] - v,
// as the sign of its place in the pair says.
inline f8 butterfly(f8 v, i8x partner, f8 sign) { return __builtin_shuffle(v, partner) + v * sign; }

// Fast Walsh-Hadamard transform of m = 2^j >= 64 values in place, not scaled. Stages of stride 1, 2
// and 4 stay in a register; those above load whole registers `h` values apart.
void hadamard(float* x, size_t m) {
  const f8 s1 = {1, -1, 1, -1, 1, -1, 1, -1};
  const f8 s2 = {1, 1, -1, -1, 1, 1, -1, -1};
  const f8 s4 = {1, 1, 1, 1, -1, -1, -1, -1};
  const i8x p1 = {1, 0, 3, 2, 5, 4, 7, 6};
  const i8x p2 = {2, 3, 0, 1, 6, 7, 4, 5};
  const i8x p4 = {4, 5, 6, 7, 0, 1, 2, 3};
  for (size_t i = 0; i < m; i += 8) {
    f8 v = load8(x + i);
    v = butterfly(v, p1, s1);
    v = butterfly(v, p2, s2);
    store8(x + i, butterfly(v, p4, s4));
  }
  size_t h = 8;
  for (; h * 4 <= m; h *= 4) {  // two stages a pass: half the loads and stores
    for (size_t i = 0; i < m; i += 4 * h) {
      for (size_t j = i; j < i + h; j += 8) {
        const f8 a = load8(x + j), b = load8(x + j + h), c = load8(x + j + 2 * h),
                 d = load8(x + j + 3 * h);
        const f8 ab = a + b, ba = a - b, cd = c + d, dc = c - d;
        store8(x + j, ab + cd);
        store8(x + j + h, ba + dc);
        store8(x + j + 2 * h, ab - cd);
        store8(x + j + 3 * h, ba - dc);
      }
    }
  }
  // An odd number of stages was left.
  if (h < m) {
    for (size_t j = 0; j < h; j += 8) {
      const f8 a = load8(x + j), b = load8(x + j + h);
      store8(x + j, a + b);
      store8(x + j + h, a - b);
    }
  }
}

// Four rounds of random signs and a Hadamard transform of the first (even rounds) or last (odd
// rounds) m coordinates, m the largest power of two in D'; where m < D', halves are mixed between.
// Orthogonal: each transform is scaled by m^-1/2 and each mix by 2^-1/2.
struct RotationShape {
  size_t m;     // length of one transform
  f8 scaled;    // factor of a transformed coordinate
  f8 mixed;     // factor of one that only the mix touches
  size_t half;  // 0 where the transform covers everything and nothing is mixed
};

inline RotationShape rotation_shape(size_t padded) {
  size_t m = kBlock;
  while (m * 2 <= padded) m *= 2;
  const float norm = 1.0f / std::sqrt(static_cast<float>(m)), quarter = std::sqrt(0.5f);
  if (m == padded) return {m, splat(norm), splat(1.0f), 0};
  return {m, splat(norm * quarter), splat(quarter), padded / 2};
}

inline void mix_halves(float* v, const RotationShape& shape, size_t from) {
  const auto factor = [&](size_t i) {
    return i >= from && i < from + shape.m ? shape.scaled : shape.mixed;
  };
  for (size_t i = 0; i < shape.half; i += 8) {
    const f8 a = load8(v + i) * factor(i), b = load8(v + i + shape.half) * factor(i + shape.half);
    store8(v + i, a + b);
    store8(v + i + shape.half, a - b);
  }
}

inline void multiply(float* v, const float* by, size_t n) {
  for (size_t i = 0; i < n; i += 8) store8(v + i, load8(v + i) * load8(by + i));
}

// The factors of transform and mix are folded into one multiplication a coordinate: scaled where
// the transform went, mixed elsewhere. Separate ones would round twice.
void rotate(float* v, const float* signs, size_t padded) {
  const RotationShape shape = rotation_shape(padded);
  for (size_t round = 0; round < 4; ++round) {
    const size_t from = round % 2 == 0 ? 0 : padded - shape.m;
    multiply(v, signs + round * padded, padded);
    hadamard(v + from, shape.m);
    if (shape.half != 0) {
      mix_halves(v, shape, from);
    } else {
      for (size_t i = 0; i < padded; i += 8) store8(v + i, load8(v + i) * shape.scaled);
    }
  }
}

// Every step is its own inverse (symmetric and orthogonal), so the rounds run backwards. The mix
// comes first here; its factors commute with the transform because they are constant on its range.
void unrotate(float* v, const float* signs, size_t padded) {
  const RotationShape shape = rotation_shape(padded);
  for (size_t round = 4; round-- > 0;) {
    const size_t from = round % 2 == 0 ? 0 : padded - shape.m;
    for (size_t i = 0; i < shape.half; i += 8) {
      const f8 a = load8(v + i), b = load8(v + i + shape.half);
      store8(v + i, (a + b) * shape.mixed);
      store8(v + i + shape.half, (a - b) * shape.mixed);
    }
    hadamard(v + from, shape.m);
    const f8 norm =
        shape.half == 0 ? shape.scaled : splat(1.0f / std::sqrt(static_cast<float>(shape.m)));
    for (size_t i = from; i < from + shape.m; i += 8) store8(v + i, load8(v + i) * norm);
    multiply(v, signs + round * padded, padded);
  }
}

// Half away from zero by adding .5 and cutting off, not by the rounding mode of the machine, which
// a program may have changed.
int32_t quantise(const float* q, size_t padded, float step, int low, int high, int8_t* out) {
  typedef int8_t b8 __attribute__((vector_size(8)));
  const f8 inverse = splat(step > 0.0f ? 1.0f / step : 0.0f);
  const f8 lo = splat(static_cast<float>(low)), hi = splat(static_cast<float>(high));
  i8x sum = {};
  for (size_t i = 0; i < padded; i += 8) {
    f8 u = load8(q + i) * inverse;
    u = u < lo ? lo : u;
    u = u > hi ? hi : u;
    const i8x k = __builtin_convertvector(u + (u < splat(0) ? splat(-0.5f) : splat(0.5f)), i8x);
    sum += k;
    const b8 bytes = __builtin_convertvector(k, b8);
    std::memcpy(out + i, &bytes, sizeof bytes);
  }
  int32_t total = 0;
  for (int lane = 0; lane < 8; ++lane) total += sum[lane];
  return total;
}

// A maximum does not depend on the order, as sums do.
float max_abs(const float* q, size_t n) {
  f8 best = splat(0);
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const f8 a = abs8(load8(q + i));
    best = a > best ? a : best;
  }
  float m = 0.0f;
  for (int lane = 0; lane < 8; ++lane) m = best[lane] > m ? best[lane] : m;
  for (; i < n; ++i) m = std::fabs(q[i]) > m ? std::fabs(q[i]) : m;
  return m;
}

// Sums term(i) over i in steps of eight lanes with four accumulators; d may be ragged.
template <typename Term, typename Tail>
inline float sum_lanes(size_t d, Term term, Tail tail) {
  f8 acc[4] = {splat(0), splat(0), splat(0), splat(0)};
  size_t i = 0;
  for (; i + 32 <= d; i += 32) {
    for (size_t a = 0; a < 4; ++a) acc[a] += term(i + 8 * a);
  }
  for (size_t a = 0; i + 8 <= d; i += 8, ++a) acc[a] += term(i);
  float total = fold((acc[0] + acc[1]) + (acc[2] + acc[3]));
  for (; i < d; ++i) total += tail(i);
  return total;
}

struct Float32Row {
  const float* p;
  explicit Float32Row(const void* row) : p(static_cast<const float*>(row)) {}
  f8 lanes(size_t i) const { return load8(p + i); }
  float one(size_t i) const { return p[i]; }
};

struct Float16Row {
  const uint16_t* p;
  explicit Float16Row(const void* row) : p(static_cast<const uint16_t*>(row)) {}
  f8 lanes(size_t i) const {
#if defined(__F16C__)
    __m128i h;
    std::memcpy(&h, p + i, sizeof h);
    return (f8)_mm256_cvtph_ps(h);
#else
    f8 v;
    for (size_t j = 0; j < 8; ++j) v[j] = one(i + j);
    return v;
#endif
  }
  // Exact widening of an IEEE half without hardware support.
  // sign | exponent (5 bits, bias 15) | mantissa (10): the exponent is moved to bias 127,
  // subnormals are mantissa * 2^-24, and all ones (infinity, not a number) stay all ones.
  float one(size_t i) const {
    const uint32_t h = p[i], sign = (h & 0x8000u) << 16, mantissa = h & 0x3ffu;
    const uint32_t exponent = (h >> 10) & 0x1fu;
    float magnitude;
    if (exponent == 0) {
      magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    } else {
      const uint32_t bits = exponent == 31 ? 0x7f800000u | (mantissa << 13)
                                           : ((exponent + 112) << 23) | (mantissa << 13);
      std::memcpy(&magnitude, &bits, sizeof bits);
    }
    uint32_t bits;
    std::memcpy(&bits, &magnitude, sizeof bits);
    bits |= sign;
    std::memcpy(&magnitude, &bits, sizeof bits);
    return magnitude;
  }
};

// The row's scale (a float) stands in the four bytes before its int8 values.
struct Int8Row {
  const int8_t* p;
  float scale;
  explicit Int8Row(const void* row) : p(static_cast<const int8_t*>(row) + sizeof(float)) {
    std::memcpy(&scale, row, sizeof scale);
  }
  f8 lanes(size_t i) const {
    typedef int8_t b8 __attribute__((vector_size(8)));
    b8 b;
    std::memcpy(&b, p + i, sizeof b);
    return __builtin_convertvector(b, f8) * splat(scale);
  }
  float one(size_t i) const { return static_cast<float>(p[i]) * scale; }
};

template <typename Row>
float minus_inner_product(const float* a, const void* b, size_t d) {
  const Row row(b);
  return -sum_lanes(
      d, [&](size_t i) { return load8(a + i) * row.lanes(i); },
      [&](size_t i) { return a[i] * row.one(i); });
}

template <typename Row>
float squared_l2(const float* a, const void* b, size_t d) {
  const Row row(b);
  return sum_lanes(
      d,
      [&](size_t i) {
        const f8 t = load8(a + i) - row.lanes(i);
        return t * t;
      },
      [&](size_t i) {
        const float t = a[i] - row.one(i);
        return t * t;
      });
}

template <typename Row>
float l1(const float* a, const void* b, size_t d) {
  const Row row(b);
  return sum_lanes(
      d, [&](size_t i) { return abs8(load8(a + i) - row.lanes(i)); },
      [&](size_t i) { return std::fabs(a[i] - row.one(i)); });
}

float dot(const float* a, const float* b, size_t d) {
  return -minus_inner_product<Float32Row>(a, b, d);
}

// --- encoding -------------------------------------------------------------------------------

// Of the grid point with |x_i| = k_i + .5, k_i = min(floor(t |r_i|), k_max): cosine to r is
// inner / sqrt(norm2) / |r|.
struct GridFit {
  float inner;  // sum (k + .5) |r|
  float norm2;  // sum (k + .5)^2
};

inline GridFit fit_grid(const float* r, size_t padded, float t, float k_max) {
  f8 inner = splat(0), norm2 = splat(0);
  for (size_t i = 0; i < padded; i += 8) {
    const f8 a = abs8(load8(r + i));
    f8 u = a * splat(t);
    u = u < splat(k_max) ? u : splat(k_max);
    const f8 x = __builtin_convertvector(__builtin_convertvector(u, i8x), f8) + splat(0.5f);
    inner += x * a;
    norm2 += x * x;
  }
  return {fold(inner), fold(norm2)};
}

// Step of the best uniform grid for a Gaussian coordinate of unit variance, 1..8 bits (2..8 used).
constexpr float kGaussianStep[9] = {0,       1.596f,  0.9957f, 0.586f, 0.3352f,
                                    0.1881f, 0.1041f, 0.0569f, 0.0308f};

// Scale t (grid steps per unit of r) with the largest cosine between grid point and r, over a fixed
// ladder around the Gaussian optimum: the fast twin of the breakpoint search (2409.09913, Alg. 1).
inline float best_scale(const float* r, size_t padded, int bits, float norm) {
  const float k_max = static_cast<float>((1 << (bits - 1)) - 1);
  const float t0 = std::sqrt(static_cast<float>(padded)) / (norm * kGaussianStep[bits]);
  float best_t = t0, best = -1.0f;
  for (int step = -5; step <= 5; ++step) {
    const float t = t0 * (1.0f + 0.06f * static_cast<float>(step));
    const GridFit fit = fit_grid(r, padded, t, k_max);
    const float quality = fit.inner * fit.inner / fit.norm2;
    if (quality > best) {
      best = quality;
      best_t = t;
    }
  }
  return best_t;
}

// The layouts of kernels.h, one dimension at a time; `code` is zeroed before.
inline void put_code(uint8_t* code, size_t i, int bits, unsigned x) {
  const size_t block = i / kBlock, j = i % kBlock;
  switch (bits) {
    case 1:
      code[i / 8] |= static_cast<uint8_t>(x << (i % 8));
      break;
    case 2:
      code[block * 16 + j % 16] |= static_cast<uint8_t>(x << (2 * (j / 16)));
      break;
    case 4:
      code[block * 32 + j % 32] |= static_cast<uint8_t>(x << (4 * (j / 32)));
      break;
    default:
      code[i] = static_cast<uint8_t>(x - 128);
      break;
  }
}

// x is the grid point, so <x, r> = fit.inner and |x|^2 = fit.norm2. With rho the cosine between
// them, the estimator is off by about |r| sqrt((1 - rho^2) / rho^2) / sqrt(D' - 1) a deviation, at
// unit distance of the query (2405.12497, Theorem 3.2).
Encoded encode(const float* r, size_t padded, int bits, float scale, uint8_t* code) {
  std::memset(code, 0, padded * static_cast<size_t>(bits) / 8);
  const float norm2 = dot(r, r, padded);
  const float d = static_cast<float>(padded);
  if (!(norm2 > 0.0f)) return {{0.0f, 0.0f}, 0.0f};
  const float norm = std::sqrt(norm2);
  // 1 bit has one magnitude only, .5, whatever the scale.
  const float t = bits == 1 ? 0.0f : best_scale(r, padded, bits, norm);
  const float k_max = static_cast<float>((1 << (bits - 1)) - 1);
  const GridFit fit = fit_grid(r, padded, t, k_max);
  const unsigned half = 1u << (bits - 1);
  for (size_t i = 0; i < padded; ++i) {
    const float u = std::fabs(r[i]) * t;
    const unsigned k = static_cast<unsigned>(u < k_max ? u : k_max);
    // Offset binary: x_u = 2^(B-1) + k where r is not negative, and the mirror of it below, so that
    // x_u - (2^B - 1) / 2 is the signed grid value.
    put_code(code, i, bits, r[i] >= 0.0f ? half + k : half - 1 - k);
  }
  const float rho2 = fit.inner * fit.inner / (fit.norm2 * norm2);
  const float spread = rho2 < 1.0f ? std::sqrt((1.0f - rho2) / rho2) : 0.0f;
  const float epsilon = 1.9f;  // 2405.12497, section 3.2: interval half-width in deviations
  return {{norm2, -scale * norm2 / fit.inner},
          scale * norm * spread * epsilon / std::sqrt(d - 1.0f)};
}

// --- sets of vectors ------------------------------------------------------------------------

struct Product {
  template <typename Lanes>
  static Lanes term(Lanes q, Lanes x) {
    return q * x;
  }
  template <typename Lanes>
  static Lanes similarity(Lanes sum) {
    return sum;
  }
};
struct SquaredL2 {
  template <typename Lanes>
  static Lanes term(Lanes q, Lanes x) {
    return (q - x) * (q - x);
  }
  template <typename Lanes>
  static Lanes similarity(Lanes sum) {
    return -sum;
  }
};
struct L1 {
  template <typename Lanes>
  static Lanes term(Lanes q, Lanes x) {
    const Lanes apart = q - x;
    return apart < Lanes{} ? -apart : apart;
  }
  template <typename Lanes>
  static Lanes similarity(Lanes sum) {
    return -sum;
  }
};

// Dimensions whose terms are summed one after the other; sums of so many are then added up, so that
// the error does not grow with every dimension of long rows.
constexpr size_t kSummed = 256;

// A lane is a query token, so how many a register holds changes no order of additions. Rows at once
// are independent sums: four of two registers, or eight of one, hide how long an addition takes.
template <typename Row, typename Similarity, typename Lanes = f8, size_t kAtOnce = 4>
void max_similarities(const float* block, const TokenRows& values, size_t d, float* best) {
  constexpr size_t kWide = sizeof(Lanes) / sizeof(float), kRegisters = kTokens / kWide;
  const auto load = [](const float* p) {
    Lanes v;
    std::memcpy(&v, p, sizeof v);
    return v;
  };
  Lanes most[kRegisters];
  for (size_t h = 0; h < kRegisters; ++h) most[h] = load(best + h * kWide);
  for (size_t r = 0; r < values.n; r += kAtOnce) {
    Lanes total[kAtOnce][kRegisters] = {};
    for (size_t from = 0; from < d; from += kSummed) {
      const size_t n = d - from < kSummed ? d - from : kSummed;
      float x[kAtOnce][kSummed];
      // The last group repeats the last row, which changes no maximum.
      for (size_t i = 0; i < kAtOnce; ++i) {
        const size_t at = r + i < values.n ? r + i : values.n - 1;
        const Row row(values.rows + at * values.stride);
        size_t j = 0;
        for (; j + 8 <= n; j += 8) store8(x[i] + j, row.lanes(from + j));
        for (; j < n; ++j) x[i][j] = row.one(from + j);
      }
      Lanes acc[kAtOnce][kRegisters] = {};
      const float* q = block + from * kTokens;
      for (size_t j = 0; j < n; ++j, q += kTokens) {
        Lanes tokens[kRegisters];
        for (size_t h = 0; h < kRegisters; ++h) tokens[h] = load(q + h * kWide);
        for (size_t i = 0; i < kAtOnce; ++i) {
          const Lanes value = x[i][j] - Lanes{};  // in every lane; zero taken away keeps its sign
          for (size_t h = 0; h < kRegisters; ++h) acc[i][h] += Similarity::term(tokens[h], value);
        }
      }
      for (size_t i = 0; i < kAtOnce; ++i) {
        for (size_t h = 0; h < kRegisters; ++h) total[i][h] += acc[i][h];
      }
    }
    for (size_t i = 0; i < kAtOnce; ++i) {
      for (size_t h = 0; h < kRegisters; ++h) {
        const Lanes s = Similarity::similarity(total[i][h]);
        most[h] = s > most[h] ? s : most[h];
      }
    }
  }
  for (size_t h = 0; h < kRegisters; ++h) std::memcpy(best + h * kWide, &most[h], sizeof most[h]);
}

// Scores rows one dot kernel call at a time: what a level without a fused kernel uses.
template <DotRows dot_rows>
// A do-while, for n > 0 is known: compilers then see that rows[0] is set.
void score_by(const CodeRows& c, const QueryTerms& q, const uint32_t* ids, size_t n, float* out) {
  if (n == 0) return;
  const uint8_t* rows[kBatch];
  int32_t dots[kBatch];
  size_t filled = 0;
  do {
    rows[filled] = c.rows + static_cast<size_t>(ids[filled]) * c.stride;
  } while (++filled < n);
  dot_rows(rows, n, q.operand, c.padded, dots);
  for (size_t i = 0; i < n; ++i) {
    Factors f;
    std::memcpy(&f, rows[i] + c.code_bytes, sizeof f);
    out[i] = (f.add + q.g) + f.rescale * (q.step * static_cast<float>(dots[i]) + q.shift);
  }
}

// --- sums and products of many rows ---------------------------------------------------------

// `count` rows times a panel. Six rows are 12 sums in registers, which with two of the panel and a
// coordinate fill the sixteen of AVX2; lanes are columns, so no sum is ever folded.
template <size_t count>
inline void multiply_some(const float* rows, size_t d, const float* panel, float* out,
                          size_t stride) {
  f8 sums[count][2];
  for (size_t r = 0; r < count; ++r) sums[r][0] = sums[r][1] = splat(0);
  for (size_t i = 0; i < d; ++i) {
    const f8 low = load8(panel + i * kPanel), high = load8(panel + i * kPanel + 8);
    for (size_t r = 0; r < count; ++r) {
      const f8 x = splat(rows[r * d + i]);
      sums[r][0] += x * low;
      sums[r][1] += x * high;
    }
  }
  for (size_t r = 0; r < count; ++r) {
    store8(out + r * stride, sums[r][0]);
    store8(out + r * stride + 8, sums[r][1]);
  }
}

void multiply(const float* rows, size_t n, size_t d, const float* panel, float* out,
              size_t stride) {
  size_t r = 0;
  for (; r + 6 <= n; r += 6) multiply_some<6>(rows + r * d, d, panel, out + r * stride, stride);
  if (r + 3 <= n) {
    multiply_some<3>(rows + r * d, d, panel, out + r * stride, stride);
    r += 3;
  }
  for (; r < n; ++r) multiply_some<1>(rows + r * d, d, panel, out + r * stride, stride);
}

// Columns are cut into pieces whose sums stay in registers while all rows go by.
void sum_rows(const float* rows, size_t d, const uint32_t* which, size_t n, float* out) {
  const auto row = [&](size_t i) { return rows + static_cast<size_t>(which[i]) * d; };
  size_t at = 0;
  for (; at + 32 <= d; at += 32) {
    f8 sums[4] = {splat(0), splat(0), splat(0), splat(0)};
    for (size_t i = 0; i < n; ++i) {
      for (size_t a = 0; a < 4; ++a) sums[a] += load8(row(i) + at + 8 * a);
    }
    for (size_t a = 0; a < 4; ++a) store8(out + at + 8 * a, sums[a]);
  }
  for (; at < d; ++at) {
    float sum = 0.0f;
    for (size_t i = 0; i < n; ++i) sum += row(i)[at];
    out[at] = sum;
  }
}

constexpr Kernels float_kernels(const char* name) {
  return Kernels{name,
                 nullptr,
                 nullptr,
                 nullptr,
                 nullptr,
                 nullptr,
                 nullptr,
                 nullptr,
                 nullptr,
                 rotate,
                 unrotate,
                 quantise,
                 max_abs,
                 encode,
                 {{minus_inner_product<Float32Row>, squared_l2<Float32Row>, l1<Float32Row>},
                  {minus_inner_product<Float16Row>, squared_l2<Float16Row>, l1<Float16Row>},
                  {minus_inner_product<Int8Row>, squared_l2<Int8Row>, l1<Int8Row>}},
                 dot,
                 multiply,
                 sum_rows,
                 nullptr,
                 nullptr,
                 nullptr,
                 {{max_similarities<Float32Row, Product>, max_similarities<Float32Row, SquaredL2>,
                   max_similarities<Float32Row, L1>},
                  {max_similarities<Float16Row, Product>, max_similarities<Float16Row, SquaredL2>,
                   max_similarities<Float16Row, L1>}},
                 nullptr,
                 nullptr};
}

}  // namespace
