// Rows of numbers as text, both ways.
#include "bindings.h"

#include <string_view>

#include "text.h"

namespace palimpsest {
namespace {

size_t parse_floats_into(const nb::bytes& text, const Out1<float>& out) {
  return parse_floats(text.c_str(), text.c_str() + text.size(), out.data(), out.shape(0));
}

size_t most_numbers_in(const nb::bytes& text) {
  return most_numbers(text.c_str(), text.c_str() + text.size());
}

// Each text becomes one row; returns the first row of another length (and that length), or n.
// A batch takes milliseconds, in which searches would wait for the interpreter: the texts are held
// here, and the interpreter is let go.
std::pair<size_t, size_t> parse_rows_into(const nb::list& texts, const Out2<float>& out) {
  require(texts.size() == out.shape(0), "one row a text");
  std::vector<nb::bytes> held;
  std::vector<std::string_view> views;
  held.reserve(texts.size());
  views.reserve(texts.size());
  for (const nb::handle text : texts) {
    held.push_back(nb::cast<nb::bytes>(text));
    views.emplace_back(held.back().c_str(), held.back().size());
  }
  const size_t d = out.shape(1);
  const nb::gil_scoped_release release;
  for (size_t i = 0; i < views.size(); ++i) {
    const std::string_view text = views[i];
    const size_t n = parse_floats(text.data(), text.data() + text.size(), out.data() + i * d, d);
    if (n != d) return {i, n};
  }
  return {views.size(), d};
}

nb::bytes format_row(const In1<float>& values) {
  const std::string text = format_floats(values.data(), values.shape(0));
  return nb::bytes(text.data(), text.size());
}

}  // namespace

void bind_text(nb::module_& m) {
  m.def("most_numbers", &most_numbers_in, "text"_a);
  m.def("parse_floats_into", &parse_floats_into, "text"_a, "out"_a.noconvert());
  m.def("parse_rows_into", &parse_rows_into, "texts"_a, "out"_a.noconvert());
  m.def("format_row", &format_row, "values"_a);
}

}  // namespace palimpsest
