// Lists of rows in one order. They are short, mostly of a few hundred rows, so the GIL is kept.
#include "ranked.h"

#include "bindings.h"

namespace palimpsest {
namespace {

// Place i of a list in columns: the part of its row, the row there, and the number of the point.
using InPlaces = nb::ndarray<const uint32_t, nb::shape<3, -1>, nb::device::cpu>;
using OutPlaces = nb::ndarray<uint32_t, nb::shape<3, -1>, nb::c_contig, nb::device::cpu>;
using Hits = std::tuple<In1<uint32_t>, In1<float>, In1<uint32_t>>;  // rows, distances, numbers
using PlacedList = std::tuple<InPlaces, In1<float>, uint32_t>;      // places, distances, parts

template <typename T>
std::vector<T> all_of(const nb::list& values, const char* what) {
  std::vector<T> all(values.size());
  for (size_t i = 0; i < all.size(); ++i) require(nb::try_cast(values[i], all[i], false), what);
  return all;
}

// Writes the closest of some rows, as many as there are places; `place_of` says what stands at one.
template <typename PlaceOf>
void write_closest(std::vector<Listed>& rows, const OutPlaces& places, const Out1<float>& distances,
                   PlaceOf place_of) {
  const size_t count = distances.shape(0);
  require(places.shape(1) == count && count <= rows.size(), "outputs have the wrong length");
  keep_first(rows, count);
  for (size_t i = 0; i < count; ++i) {
    distances.data()[i] = rows[i].distance;
    const auto [part, row, number] = place_of(rows[i]);
    places(0, i) = part;
    places(1, i) = row;
    places(2, i) = number;
  }
}

// Of equally close rows the one of the lower number comes first.
void rank(const nb::list& parts, const OutPlaces& places, const Out1<float>& distances) {
  const auto hits = all_of<Hits>(parts, "parts must be tuples of rows, distances and numbers");
  std::vector<Listed> all;
  for (uint32_t part = 0; part < hits.size(); ++part) {
    const auto& [rows, own, numbers] = hits[part];
    require(rows.shape(0) == own.shape(0), "rows and distances differ in length");
    for (uint32_t at = 0; at < rows.shape(0); ++at) {
      require(rows(at) < numbers.shape(0), "a row is outside its part");
      all.push_back({own(at), numbers(rows(at)), part, at});
    }
  }
  write_closest(all, places, distances, [&](const Listed& one) {
    return std::tuple(one.list, std::get<0>(hits[one.list])(one.at), one.tie);
  });
}

// Of equally close rows the one that stands higher in its list comes first, then by list. Parts of
// a list follow those of the ones before.
void interleave(const nb::list& lists, const OutPlaces& places, const Out1<float>& distances) {
  const auto listed =
      all_of<PlacedList>(lists, "lists must be tuples of places, distances and a count of parts");
  std::vector<Listed> all;
  std::vector<uint32_t> parts_before{0};
  for (uint32_t list = 0; list < listed.size(); ++list) {
    const auto& [own, values, parts] = listed[list];
    require(own.shape(1) == values.shape(0), "places and distances differ in length");
    parts_before.push_back(parts_before.back() + parts);
    for (uint32_t at = 0; at < values.shape(0); ++at) all.push_back({values(at), at, list, at});
  }
  write_closest(all, places, distances, [&](const Listed& one) {
    const auto& own = std::get<0>(listed[one.list]);
    return std::tuple(parts_before[one.list] + own(0, one.at), own(1, one.at), own(2, one.at));
  });
}

// out[i] is what the column of its part holds of the row at place i.
void gather(const nb::list& columns, const InPlaces& places, const Out1<uint64_t>& out) {
  const auto all = all_of<In1<uint64_t>>(columns, "columns must be uint64");
  require(places.shape(1) == out.shape(0), "output has the wrong length");
  for (size_t i = 0; i < out.shape(0); ++i) {
    const uint32_t part = places(0, i), row = places(1, i);
    require(part < all.size() && row < all[part].shape(0), "there is no such row");
    out.data()[i] = all[part](row);
  }
}

}  // namespace

void bind_ranked(nb::module_& m) {
  m.def("rank", &rank, "parts"_a, "places"_a.noconvert(), "distances"_a.noconvert());
  m.def("interleave", &interleave, "lists"_a, "places"_a.noconvert(), "distances"_a.noconvert());
  m.def("gather", &gather, "columns"_a, "places"_a, "out"_a.noconvert());
}

}  // namespace palimpsest
