// What the files of this folder share. They alone know Python: they check shapes, keep arrays
// alive and let go of the GIL.
//
// Arrays come in contiguous and typed, results go into arrays of the caller, so nothing of Python
// is touched while the GIL is free. std::invalid_argument becomes ValueError.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <string>
#include <vector>

#include "scan.h"

namespace palimpsest {

namespace nb = nanobind;
using namespace nb::literals;

template <typename T>
using In1 = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <typename T>
using In2 = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <typename T>
using In3 = nb::ndarray<const T, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
template <typename T>
using Out1 = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <typename T>
using Out2 = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using NoGil = nb::call_guard<nb::gil_scoped_release>;

// Searches ask this several times each: a text that is not needed is not copied.
inline void require(bool ok, const char* what) {
  if (!ok) throw std::invalid_argument(what);
}

inline void require(bool ok, const std::string& what) { require(ok, what.c_str()); }

inline Metric metric_of(const std::string& name) {
  if (name == "inner_product") return Metric::inner_product;
  if (name == "l2") return Metric::l2;
  require(name == "l1", "metric must be inner_product, l2 or l1, not " + name);
  return Metric::l1;
}

// A numpy array that owns what the vector held.
template <typename T>
nb::ndarray<nb::numpy, T> to_numpy(std::vector<T>&& values) {
  auto* owned = new std::vector<T>(std::move(values));
  nb::capsule owner(owned, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return nb::ndarray<nb::numpy, T>(owned->data(), {owned->size()}, owner);
}

// Values of the core with the arrays that they point into.
struct BoundGraph {
  FrozenGraph graph;
  nb::object arrays;
};

// What a search of a part reads, with whom the arrays are kept alive.
struct BoundSegment {
  SegmentView view;
};

// The rows of a part that may be found: the first n less the dead, and of those all, or the ones
// whose point is in a set.
struct BoundRows {
  FirstRows first;
  std::optional<In1<uint64_t>> live;
  const Among* among = nullptr;
};

struct BoundAmong : BoundRows {
  Among set;
  In1<uint32_t> numbers;
  In1<uint64_t> points;
  std::optional<In1<uint32_t>> row_of;
};

void bind_stops(nb::module_& m);
void bind_encoder(nb::module_& m);
void bind_fde(nb::module_& m);
void bind_lists(nb::module_& m);
void bind_graphs(nb::module_& m);
void bind_allowed(nb::module_& m);
void bind_segment(nb::module_& m);
void bind_ready(nb::module_& m);
void bind_sparse(nb::module_& m);
void bind_ranked(nb::module_& m);
void bind_maxsim(nb::module_& m);
void bind_sums(nb::module_& m);
void bind_text(nb::module_& m);
void bind_sets(nb::module_& m);

}  // namespace palimpsest
