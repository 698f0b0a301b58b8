// Fixed dimensional encodings: sets of vectors to one vector each.
#include "fde.h"

#include "bindings.h"

namespace palimpsest {
namespace {

void make_fde(FdeEncoder* self, size_t final, const In3<int8_t>& hyperplanes,
              const In3<int8_t>& signs, const In1<uint32_t>& places,
              const In1<int8_t>& place_signs) {
  const size_t repetitions = hyperplanes.shape(0), k_sim = hyperplanes.shape(1),
               size = hyperplanes.shape(2);
  require(repetitions > 0 && size > 0 && k_sim < 32, "hyperplanes have the wrong shape");
  require(signs.shape(0) == repetitions && signs.shape(2) == size, "signs have the wrong shape");
  // Without rows blocks are kept as they are.
  const size_t projected = signs.shape(1) == 0 ? size : signs.shape(1);
  const FdeShape shape{size, k_sim, projected, repetitions, final};
  require(signs.shape(1) == 0 || shape.projects(),
          "signs must be fewer rows than they have values");
  const size_t placed = final == 0 ? 0 : shape.unprojected();
  require(places.shape(0) == placed && place_signs.shape(0) == placed,
          "places have the wrong length");
  for (size_t i = 0; i < placed; ++i) require(places.data()[i] < final, "a place is out of range");
  new (self) FdeEncoder(shape, hyperplanes.data(), signs.data(), places.data(), place_signs.data());
}

void documents(const FdeEncoder& encoder, const In2<float>& values, const In1<int64_t>& starts,
               const Out2<float>& out) {
  require(values.shape(1) == encoder.shape().size, "values have the wrong length");
  require(starts.shape(0) > 0, "starts must not be empty");
  const size_t m = starts.shape(0) - 1;
  require(out.shape(0) == m && out.shape(1) == encoder.shape().dimensions(),
          "out has the wrong shape");
  require(starts.data()[0] >= 0 && starts.data()[m] <= static_cast<int64_t>(values.shape(0)),
          "starts lie outside the values");
  for (size_t i = 0; i < m; ++i) {
    require(starts.data()[i] <= starts.data()[i + 1], "starts must ascend");
  }
  encoder.documents(values.data(), starts.data(), m, out.data());
}

void query(const FdeEncoder& encoder, const In2<float>& tokens, const Out1<float>& out) {
  require(tokens.shape(1) == encoder.shape().size, "tokens have the wrong length");
  require(out.shape(0) == encoder.shape().dimensions(), "out has the wrong length");
  encoder.query(tokens.data(), tokens.shape(0), out.data());
}

}  // namespace

void bind_fde(nb::module_& m) {
  nb::class_<FdeEncoder>(m, "FdeEncoder")
      .def("__init__", &make_fde, "final"_a, "hyperplanes"_a, "signs"_a, "places"_a,
           "place_signs"_a)
      .def("documents", &documents, "values"_a, "starts"_a, "out"_a.noconvert(), NoGil())
      .def("query", &query, "tokens"_a, "out"_a.noconvert(), NoGil());
}

}  // namespace palimpsest
