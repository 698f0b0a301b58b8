// The module _native_test: kernels of every level that runs here, for the tests alone.
#include "python/bindings.h"

namespace palimpsest {
namespace {

const Kernels& level(const std::string& name) {
  const Kernels* k = kernels_by_name(name.c_str());
  require(k != nullptr, "no such kernel level on this machine: " + name);
  return *k;
}

std::vector<std::string> levels() {
  std::vector<std::string> out;
  for (const char* name : {"scalar", "avx2", "avx512", "neon"}) {
    if (kernels_by_name(name) != nullptr) out.emplace_back(name);
  }
  return out;
}

void dot(const std::string& name, int bits, const In2<uint8_t>& codes, const In1<uint8_t>& query,
         size_t padded, const Out1<int32_t>& out) {
  const size_t n = codes.shape(0);
  require(padded % kBlock == 0 && codes.shape(1) * 8 == padded * static_cast<size_t>(bits),
          "code length");
  require(query.shape(0) == (bits == 1 ? kQueryPlanes * padded / 8 : padded), "query length");
  require(out.shape(0) == n, "output length");
  std::vector<const uint8_t*> rows(n);
  for (size_t i = 0; i < n; ++i) rows[i] = codes.data() + i * codes.shape(1);
  dot_for(level(name), bits)(rows.data(), n, query.data(), padded, out.data());
}

void rotate(const std::string& name, const Out1<float>& v, const In2<float>& signs, bool inverse) {
  require(v.shape(0) % kBlock == 0 && signs.shape(0) == 4 && signs.shape(1) == v.shape(0),
          "shapes");
  (inverse ? level(name).unrotate : level(name).rotate)(v.data(), signs.data(), v.shape(0));
}

std::tuple<float, float, float> encode(const std::string& name, const In1<float>& residual,
                                       int bits, float scale, const Out1<uint8_t>& code) {
  require(residual.shape(0) % kBlock == 0, "residual length");
  require(code.shape(0) * 8 == residual.shape(0) * static_cast<size_t>(bits), "code length");
  const Encoded e =
      level(name).encode(residual.data(), residual.shape(0), bits, scale, code.data());
  return {e.factors.add, e.factors.rescale, e.error};
}

float distance(const std::string& name, const std::string& metric, int type, const In1<float>& a,
               const In1<uint8_t>& b) {
  require(type >= 0 && type <= 2, "row type");
  require(b.shape(0) == RawScorer::row_bytes(static_cast<RowType>(type), a.shape(0)), "row length");
  return level(name).distance[type][static_cast<int>(metric_of(metric))](a.data(), b.data(),
                                                                         a.shape(0));
}

void multiply(const std::string& name, const In2<float>& rows, const In2<float>& panel,
              const Out2<float>& out) {
  require(panel.shape(0) == rows.shape(1) && panel.shape(1) == kPanel, "panel shape");
  require(out.shape(0) == rows.shape(0) && out.shape(1) >= kPanel, "output shape");
  level(name).multiply(rows.data(), rows.shape(0), rows.shape(1), panel.data(), out.data(),
                       out.shape(1));
}

void sum_rows(const std::string& name, const In2<float>& rows, const In1<uint32_t>& which,
              const Out1<float>& out) {
  require(out.shape(0) == rows.shape(1), "output length");
  for (size_t i = 0; i < which.shape(0); ++i) {
    require(which.data()[i] < rows.shape(0), "row out of range");
  }
  level(name).sum_rows(rows.data(), rows.shape(1), which.data(), which.shape(0), out.data());
}

// `tokens` are blocks of 16 as kernels.h lays them out, best (blocks * 16).
void max_products(const std::string& name, int bits, const In1<int8_t>& tokens,
                  const In1<int32_t>& sums, const In2<uint8_t>& rows, const Out1<float>& best) {
  const size_t blocks = sums.shape(0) / kTokens, padded = tokens.shape(0) / sums.shape(0);
  require(blocks >= 1 && blocks <= kTokenBlocks && sums.shape(0) == blocks * kTokens &&
              tokens.shape(0) == sums.shape(0) * padded && padded % kBlock == 0 &&
              best.shape(0) == sums.shape(0),
          "blocks");
  require(rows.shape(1) == padded * static_cast<size_t>(bits) / 8 + sizeof(float), "row length");
  max_for(level(name), bits)({tokens.data(), sums.data(), blocks},
                             {rows.data(), rows.shape(1), rows.shape(0)}, padded, best.data());
}

// `block` holds value i of 16 tokens before value i + 1 of any.
void max_similarities(const std::string& name, const std::string& metric, bool halves,
                      const In2<float>& block, const In2<uint8_t>& rows, const Out1<float>& best) {
  require(block.shape(1) == kTokens && best.shape(0) == kTokens, "block");
  const RowType type = halves ? RowType::float16 : RowType::float32;
  require(rows.shape(1) == RawScorer::row_bytes(type, block.shape(0)), "row length");
  level(name).similarities[static_cast<int>(type)][static_cast<int>(metric_of(metric))](
      block.data(), {rows.data(), rows.shape(1), rows.shape(0)}, block.shape(0), best.data());
}

// Offers rows in turns of `step` to a pool of `capacity`; its distances and rows go to the outputs,
// one by one where the level has no kernel for it. Returns its size and the lowest places of turns.
std::tuple<size_t, std::vector<size_t>> offer(const std::string& name, size_t capacity, size_t step,
                                              const In1<float>& distances, const Out1<float>& kept,
                                              const Out1<uint32_t>& rows) {
  require(step >= 1 && step <= kBatch && capacity >= 1, "sizes");
  require(kept.shape(0) >= capacity && rows.shape(0) >= capacity, "output length");
  Pool pool;
  pool.reset(capacity);
  std::vector<size_t> lowest;
  for (size_t from = 0; from < distances.shape(0); from += step) {
    const size_t n = std::min(step, distances.shape(0) - from);
    uint32_t some[kBatch];
    float at[kBatch + 4];
    for (size_t i = 0; i < n; ++i) {
      some[i] = static_cast<uint32_t>(from + i);
      at[i] = distances(from + i);
    }
    const OfferRows kernel = level(name).offer;
    lowest.push_back(kernel != nullptr ? pool.offer(kernel, some, at, n, capacity)
                                       : offer_all<Pool>(pool, some, at, n, capacity));
  }
  for (size_t i = 0; i < pool.size(); ++i) {
    kept.data()[i] = pool.distance(i);
    rows.data()[i] = pool.row(i);
  }
  return {pool.size(), lowest};
}

}  // namespace
}  // namespace palimpsest

NB_MODULE(_native_test, m) {
  using namespace palimpsest;
  m.def("levels", &levels);
  m.def("dot", &dot, "level"_a, "bits"_a, "codes"_a, "query"_a, "padded"_a, "out"_a);
  m.def("rotate", &rotate, "level"_a, "v"_a, "signs"_a, "inverse"_a);
  m.def("encode", &encode, "level"_a, "residual"_a, "bits"_a, "scale"_a, "code"_a);
  m.def("multiply", &multiply, "level"_a, "rows"_a, "panel"_a, "out"_a.noconvert());
  m.def("sum_rows", &sum_rows, "level"_a, "rows"_a, "which"_a, "out"_a.noconvert());
  m.def("max_products", &max_products, "level"_a, "bits"_a, "tokens"_a, "sums"_a, "rows"_a,
        "best"_a.noconvert());
  m.def("max_similarities", &max_similarities, "level"_a, "metric"_a, "halves"_a, "block"_a,
        "rows"_a, "best"_a.noconvert());
  m.def("offer", &offer, "level"_a, "capacity"_a, "step"_a, "distances"_a, "kept"_a.noconvert(),
        "rows"_a.noconvert());
  m.def("distance", &distance, "level"_a, "metric"_a, "type"_a, "a"_a, "b"_a);
}
