// Which rows may be found: bitmaps of points, and the rows of a part that they allow.
#include "bindings.h"
#include "roaring.h"

namespace palimpsest {
namespace {

using Flags = nb::ndarray<const bool, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// Sets the bits of a serialised roaring bitmap in zeroed words.
void spread_bitmap(const nb::bytes& serialised, const Out1<uint64_t>& words) {
  RoaringReader(static_cast<const uint8_t*>(serialised.data()), serialised.size(), words.data(),
                words.shape(0))
      .spread();
}

// The serialised roaring bitmap of the places of true flags.
nb::bytes roaring_of(const Flags& flags) {
  std::string bitmap;
  {
    const nb::gil_scoped_release release;
    bitmap = RoaringWriter().write(reinterpret_cast<const uint8_t*>(flags.data()), flags.shape(0));
  }
  return nb::bytes(bitmap.data(), bitmap.size());
}

void make_first(BoundRows* self, size_t n, const std::optional<In1<uint64_t>>& live) {
  require(!live || live->shape(0) * 64 >= n, "live is shorter than the rows");
  new (self) BoundRows{{n, live ? live->data() : nullptr}, live};
}

void make_among(BoundAmong* self, size_t n, const In1<uint32_t>& numbers,
                const In1<uint64_t>& points, const std::optional<In1<uint64_t>>& live,
                const std::optional<In1<uint32_t>>& row_of, size_t base) {
  require(numbers.shape(0) >= n, "numbers are fewer than the rows");
  // Numbers past the end are looked up in the last word (among.h), which therefore must allow none.
  require(points.shape(0) >= 1 && points(points.shape(0) - 1) == 0,
          "the last word of points must be zero");
  require(!live || live->shape(0) * 64 >= n, "live is shorter than the rows");
  require(base % 64 == 0, "base must be a multiple of 64");
  Among set;
  set.n = n;
  set.numbers = numbers.data();
  set.points = points.data();
  set.last_word = points.shape(0) - 1;
  set.live = live ? live->data() : nullptr;
  if (row_of) {
    set.row_of = row_of->data();
    set.base = base;
    set.span = row_of->shape(0);
  }
  new (self) BoundAmong{{{n, set.live}, live}, set, numbers, points, row_of};
  // The object never moves: Python holds it by its address.
  self->among = &self->set;
}

// Writes the allowed rows and returns their number.
size_t allowed_rows(const BoundAmong& self, const Out1<uint32_t>& out) {
  const size_t room = out.shape(0);
  size_t found = 0;
  self.set.each([&](uint32_t row) {
    if (found < room) out.data()[found] = row;
    ++found;
  });
  require(found <= room, "output shorter than the allowed rows");
  return found;
}

}  // namespace

void bind_allowed(nb::module_& m) {
  m.def("roaring_of", &roaring_of, "flags"_a);
  m.def("spread_bitmap", &spread_bitmap, "serialised"_a, "words"_a);
  nb::class_<BoundRows>(m, "FirstRows")
      .def("__init__", &make_first, "n"_a, "live"_a.none() = nb::none());
  nb::class_<BoundAmong, BoundRows>(m, "Among")
      .def("__init__", &make_among, "n"_a, "numbers"_a, "points"_a, "live"_a.none(),
           "row_of"_a.none(), "base"_a)
      .def("rows", &allowed_rows, "out"_a.noconvert(), NoGil())
      .def(
          "estimate",
          [](const BoundAmong& self, size_t tested) { return self.set.estimate(tested); },
          "tested"_a);
}

}  // namespace palimpsest
