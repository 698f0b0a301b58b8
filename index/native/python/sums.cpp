// Checksums of rows of a database, straight from the values that Python holds.
#include "bindings.h"

#include <bit>

#include "checksum.h"

namespace palimpsest {
namespace {

// Adds a value as `index.storage.sums` writes it; false for one that no database holds.
bool add_value(Crc32c& sum, PyObject* value) {
  if (value == Py_None) {
    // A letter for the kind before the value, and a length before bytes: no two rows of different
    // values are one string of bytes.
    sum.add('n', 0);
  } else if (PyLong_CheckExact(value)) {
    int overflow = 0;
    const long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
    // SQLite holds integers of 64 bits.
    if (overflow != 0) return false;
    sum.add('i', static_cast<uint64_t>(number));
  } else if (PyBytes_CheckExact(value)) {
    const auto size = static_cast<size_t>(PyBytes_GET_SIZE(value));
    sum.add('b', size);
    sum.add(PyBytes_AS_STRING(value), size);
  } else if (PyUnicode_CheckExact(value)) {
    Py_ssize_t size = 0;
    const char* text = PyUnicode_AsUTF8AndSize(value, &size);
    if (text == nullptr) {  // lone surrogates
      PyErr_Clear();
      return false;
    }
    sum.add('t', static_cast<uint64_t>(size));
    sum.add(text, static_cast<size_t>(size));
  } else if (PyFloat_CheckExact(value)) {
    sum.add('f', std::bit_cast<uint64_t>(PyFloat_AS_DOUBLE(value)));
  } else {
    return false;
  }
  return true;
}

void require_value(Crc32c& sum, PyObject* value) {
  require(add_value(sum, value),
          "a value must be None, bytes, a string, a float or an integer of 64 bits");
}

PyObject* row_at(const nb::list& rows, Py_ssize_t place) {
  PyObject* row = PyList_GET_ITEM(rows.ptr(), place);
  require(PyTuple_CheckExact(row), "rows must be tuples");
  return row;
}

nb::list row_sums(uint32_t seed, const nb::list& rows) {
  nb::list sums;
  for (Py_ssize_t place = 0; place < PyList_GET_SIZE(rows.ptr()); ++place) {
    PyObject* row = row_at(rows, place);
    Crc32c sum(seed);
    for (Py_ssize_t column = 0; column < PyTuple_GET_SIZE(row); ++column)
      require_value(sum, PyTuple_GET_ITEM(row, column));
    sums.append(static_cast<int32_t>(sum.value()));
  }
  return sums;
}

// The same of rows that are given column by column, each as long as the others.
nb::list column_sums(uint32_t seed, const std::vector<nb::list>& columns) {
  require(!columns.empty(), "rows must have columns");
  const Py_ssize_t rows = PyList_GET_SIZE(columns[0].ptr());
  for (const nb::list& column : columns)
    require(PyList_GET_SIZE(column.ptr()) == rows, "columns must be as long as each other");
  nb::list sums;
  for (Py_ssize_t place = 0; place < rows; ++place) {
    Crc32c sum(seed);
    for (const nb::list& column : columns) require_value(sum, PyList_GET_ITEM(column.ptr(), place));
    sums.append(static_cast<int32_t>(sum.value()));
  }
  return sums;
}

// The places of the rows whose `columns` do not have the sum that column `at` says. No sum is a
// wrong one, unless it `may_lack`.
nb::list other_sums(uint32_t seed, const nb::list& rows, const std::vector<size_t>& columns,
                    size_t at, bool may_lack) {
  nb::list other;
  for (Py_ssize_t place = 0; place < PyList_GET_SIZE(rows.ptr()); ++place) {
    PyObject* row = row_at(rows, place);
    const auto width = static_cast<size_t>(PyTuple_GET_SIZE(row));
    require(at < width, "no such column");
    PyObject* said = PyTuple_GET_ITEM(row, static_cast<Py_ssize_t>(at));
    if (said == Py_None && may_lack) continue;
    Crc32c sum(seed);
    // A sum that is no integer is as wrong as another one.
    bool same = PyLong_CheckExact(said);
    for (const size_t column : columns) {
      require(column < width, "no such column");
      same = same && add_value(sum, PyTuple_GET_ITEM(row, static_cast<Py_ssize_t>(column)));
    }
    int overflow = 0;
    same =
        same && PyLong_AsLongLongAndOverflow(said, &overflow) == static_cast<int32_t>(sum.value());
    if (!same) other.append(place);
  }
  return other;
}

}  // namespace

void bind_sums(nb::module_& m) {
  m.def("row_sums", &row_sums, "seed"_a, "rows"_a);
  m.def("column_sums", &column_sums, "seed"_a, "columns"_a);
  m.def("other_sums", &other_sums, "seed"_a, "rows"_a, "columns"_a, "at"_a, "may_lack"_a = false);
}

}  // namespace palimpsest
