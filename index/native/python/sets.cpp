// Sets of vectors as text, both ways.
#include "sets.h"

#include <string_view>

#include "bindings.h"

namespace palimpsest {
namespace {

// Each text becomes the rows up to its end in `ends`; returns how many texts were read, and of the
// vector that stopped the reading its place in its set and its size. As parse_rows_into, the
// interpreter is let go of meanwhile.
std::tuple<size_t, size_t, size_t> parse_sets_into(const nb::list& texts, const Out2<float>& out,
                                                   const Out1<int64_t>& ends) {
  require(texts.size() == ends.shape(0), "one end a text");
  std::vector<nb::bytes> held;
  std::vector<std::string_view> views;
  held.reserve(texts.size());
  views.reserve(texts.size());
  for (const nb::handle text : texts) {
    held.push_back(nb::cast<nb::bytes>(text));
    views.emplace_back(held.back().c_str(), held.back().size());
  }
  const size_t d = out.shape(1), capacity = out.shape(0);
  const nb::gil_scoped_release release;
  size_t rows = 0;
  for (size_t i = 0; i < views.size(); ++i) {
    const char* begin = views[i].data();
    const SetEnd at =
        parse_set(begin, begin + views[i].size(), out.data() + rows * d, d, capacity - rows);
    if (!at.whole) return {i, at.row, at.size};
    rows += at.row;
    ends.data()[i] = static_cast<int64_t>(rows);
  }
  return {views.size(), 0, d};
}

nb::bytes format_rows(const In2<float>& values) {
  const std::string text = format_set(values.data(), values.shape(0), values.shape(1));
  return nb::bytes(text.data(), text.size());
}

}  // namespace

void bind_sets(nb::module_& m) {
  m.def("parse_sets_into", &parse_sets_into, "texts"_a, "out"_a.noconvert(), "ends"_a.noconvert());
  m.def("format_rows", &format_rows, "values"_a);
}

}  // namespace palimpsest
