// The encoder: vectors to codes, codes to vectors, estimates.
#include "encoder.h"

#include "bindings.h"

namespace palimpsest {
namespace {

void make_encoder(Encoder* self, size_t size, int bits, const std::string& metric,
                  const In1<float>& centroid, const In2<int8_t>& signs) {
  require(size > 0 && centroid.shape(0) == size, "centroid must have `size` values");
  require(signs.shape(0) == 4 && signs.shape(1) == padded_size(size),
          "signs must be 4 rows of the padded size");
  new (self) Encoder(size, bits, metric_of(metric), centroid.data(), signs.data());
}

void encode(const Encoder& encoder, const In2<float>& vectors, const Out2<uint8_t>& rows,
            const std::optional<Out1<float>>& errors) {
  const size_t n = vectors.shape(0);
  require(vectors.shape(1) == encoder.size(), "vectors have the wrong length");
  require(rows.shape(0) == n && rows.shape(1) == encoder.row_bytes(), "rows have the wrong shape");
  require(!errors || errors->shape(0) == n, "errors have the wrong length");
  encoder.encode(vectors.data(), n, rows.data(), errors ? errors->data() : nullptr);
}

void decode(const Encoder& encoder, const In2<uint8_t>& rows, const Out2<float>& vectors) {
  require(rows.shape(1) == encoder.row_bytes(), "rows have the wrong length");
  require(vectors.shape(0) == rows.shape(0) && vectors.shape(1) == encoder.size(),
          "vectors have the wrong shape");
  const Poll poll;
  for (size_t i = 0; i < rows.shape(0); ++i) {
    poll();
    encoder.decode(rows.data() + i * rows.shape(1), vectors.data() + i * encoder.size());
  }
}

// Estimates of one query against every row; (n,) distances, squared under L2.
void estimate(const Encoder& encoder, const In1<float>& query, const In2<uint8_t>& rows,
              const Out1<float>& out) {
  require(query.shape(0) == encoder.size(), "query has the wrong length");
  require(rows.shape(1) == encoder.row_bytes() && out.shape(0) == rows.shape(0), "shapes differ");
  PreparedQuery prepared;
  encoder.prepare(query.data(), prepared);
  const CodeScorer scorer(encoder, rows.data(), prepared);
  // Kernels take row numbers, as walks do; here they are in order.
  uint32_t ids[kBatch];
  const Poll poll;
  for (size_t from = 0; from < rows.shape(0); from += kBatch) {
    poll();
    const size_t n = std::min(kBatch, rows.shape(0) - from);
    for (size_t i = 0; i < n; ++i) ids[i] = static_cast<uint32_t>(from + i);
    scorer.score(ids, n, out.data() + from);
  }
}

}  // namespace

void bind_encoder(nb::module_& m) {
  m.def("padded_size", &padded_size, "size"_a);
  nb::class_<Encoder>(m, "Encoder")
      .def("__init__", &make_encoder, "size"_a, "bits"_a, "metric"_a, "centroid"_a, "signs"_a)
      .def_prop_ro("row_bytes", &Encoder::row_bytes)
      .def("encode", &encode, "vectors"_a, "rows"_a.noconvert(), "errors"_a.noconvert().none(),
           NoGil())
      .def("decode", &decode, "rows"_a, "vectors"_a.noconvert(), NoGil())
      .def("estimate", &estimate, "query"_a, "rows"_a, "out"_a.noconvert(), NoGil());
}

}  // namespace palimpsest
