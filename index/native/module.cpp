// The only file that knows Python: checks shapes, keeps arrays alive, releases the GIL.
//
// Arrays come in contiguous and typed, results go into arrays of the caller, so nothing of Python
// is touched while the GIL is free. std::invalid_argument becomes ValueError.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <bit>
#include <optional>
#include <string>
#include <string_view>

#include "checksum.h"
#include "freeze.h"
#include "roaring.h"
#include "segment.h"
#include "sparse.h"
#include "stop.h"
#include "text.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace palimpsest {
namespace {

template <typename T>
using In1 = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <typename T>
using In2 = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <typename T>
using Out1 = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <typename T>
using Out2 = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Kept = nb::ndarray<nb::ro, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using GivenFactors = std::optional<nb::ndarray<nb::ro, nb::device::cpu>>;
using NoGil = nb::call_guard<nb::gil_scoped_release>;

// --- stops -----------------------------------------------------------------------------------

// Makes a stop current in this thread, none where it is none; the caller keeps it alive, and what
// it replaces.
void make_current(const Stop* stop) { current_stop() = stop; }

bool is_stopped() { return current_stop() != nullptr && current_stop()->is_set(); }

void require(bool ok, const std::string& what) {
  if (!ok) throw std::invalid_argument(what);
}

Metric metric_of(const std::string& name) {
  if (name == "inner_product") return Metric::inner_product;
  if (name == "l2") return Metric::l2;
  require(name == "l1", "metric must be inner_product, l2 or l1, not " + name);
  return Metric::l1;
}

template <typename T>
nb::ndarray<nb::numpy, T> to_numpy(std::vector<T>&& values) {
  auto* owned = new std::vector<T>(std::move(values));
  nb::capsule owner(owned, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return nb::ndarray<nb::numpy, T>(owned->data(), {owned->size()}, owner);
}

// --- rows of a database ------------------------------------------------------------------------

// Adds a value as `index.storage.sums` writes it; false for one that no database holds.
bool add_value(Crc32c& sum, PyObject* value) {
  if (value == Py_None) {
    sum.add('n', 0);
  } else if (PyLong_CheckExact(value)) {
    int overflow = 0;
    const long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
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

// --- encoder ---------------------------------------------------------------------------------

struct PyEncoder {
  Encoder encoder;

  PyEncoder(size_t size, int bits, const std::string& metric, const In1<float>& centroid,
            const In2<int8_t>& signs)
      : encoder(checked(size, centroid, signs), bits, metric_of(metric), centroid.data(),
                signs.data()) {}

  static size_t checked(size_t size, const In1<float>& centroid, const In2<int8_t>& signs) {
    require(size > 0 && centroid.shape(0) == size, "centroid must have `size` values");
    require(signs.shape(0) == 4 && signs.shape(1) == padded_size(size),
            "signs must be 4 rows of the padded size");
    return size;
  }

  void encode(const In2<float>& vectors, const Out2<uint8_t>& rows,
              const std::optional<Out1<float>>& errors) const {
    const size_t n = vectors.shape(0);
    require(vectors.shape(1) == encoder.size(), "vectors have the wrong length");
    require(rows.shape(0) == n && rows.shape(1) == encoder.row_bytes(),
            "rows have the wrong shape");
    require(!errors || errors->shape(0) == n, "errors have the wrong length");
    encoder.encode(vectors.data(), n, rows.data(), errors ? errors->data() : nullptr);
  }

  void decode(const In2<uint8_t>& rows, const Out2<float>& vectors) const {
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
  void estimate(const In1<float>& query, const In2<uint8_t>& rows, const Out1<float>& out) const {
    require(query.shape(0) == encoder.size(), "query has the wrong length");
    require(rows.shape(1) == encoder.row_bytes() && out.shape(0) == rows.shape(0), "shapes differ");
    PreparedQuery prepared;
    encoder.prepare(query.data(), prepared);
    const CodeScorer scorer(encoder, rows.data(), prepared);
    uint32_t ids[kBatch];
    const Poll poll;
    for (size_t from = 0; from < rows.shape(0); from += kBatch) {
      poll();
      const size_t n = std::min(kBatch, rows.shape(0) - from);
      for (size_t i = 0; i < n; ++i) ids[i] = static_cast<uint32_t>(from + i);
      scorer.score(ids, n, out.data() + from);
    }
  }
};

// --- graph -----------------------------------------------------------------------------------

struct PyGraph {
  FrozenGraph graph;
  nb::object arrays;  // keeps the numpy arrays alive

  PyGraph(const In1<uint32_t>& offsets, const In1<uint8_t>& links, size_t width, size_t top_level,
          uint32_t entry_row, const In1<uint32_t>& upper_rows, const In1<uint32_t>& upper_down,
          const In1<uint32_t>& upper_offsets, const In1<uint32_t>& upper_links)
      : arrays(nb::make_tuple(offsets, links, upper_rows, upper_down, upper_offsets, upper_links)) {
    require(offsets.shape(0) >= 1, "offsets must have at least one value");
    const size_t upper_n = upper_rows.shape(0);
    require(
        upper_down.shape(0) == upper_n && (upper_n == 0 || upper_offsets.shape(0) == upper_n + 1),
        "graph arrays do not fit together: upper lengths");
    graph = {offsets.shape(0) - 1,
             offsets.data(),
             links.data(),
             width,
             upper_n,
             top_level,
             upper_rows.data(),
             upper_down.data(),
             upper_offsets.data(),
             upper_links.data(),
             entry_row};
    check_graph(graph, links.shape(0), upper_links.shape(0));
    graph.has_copies = any_copies(graph);
  }
};

struct PyBuild {
  std::atomic<bool> cancelled{false};
  std::atomic<size_t> firm{0};
  FrozenArrays arrays;
  bool built = false;

  void cancel() { cancelled.store(true); }
  void share(size_t count) { firm.store(count); }

  bool run(const In2<float>& vectors, const std::string& metric, const In1<uint32_t>& order,
           size_t M, size_t ef_construction, uint64_t seed, size_t threads) {
    const size_t n = vectors.shape(0);
    require(order.shape(0) == n, "order must name every vector");
    require(n < (size_t{1} << 31), "a segment holds fewer than 2^31 rows");
    require(M >= 2 && 2 * M <= kBatch && ef_construction >= 1, "M or ef_construction out of range");
    require(n * 2 * M < (size_t{1} << 32), "a graph holds fewer than 2^32 links");
    for (size_t i = 0; i < n; ++i) require(order.data()[i] < n, "order points outside the vectors");
    require(metric_of(metric) != Metric::l1, "graphs are built for inner_product and l2");
    const Folded folded = fold(vectors.data(), n, vectors.shape(1), order.data());
    GraphBuilder builder(vectors.data(), folded.order.size(), vectors.shape(1), metric_of(metric),
                         folded.order.data(), {M, ef_construction, seed, threads, &firm},
                         cancelled);
    built = builder.run();
    if (built) arrays = freeze(builder, folded);
    return built;
  }

  nb::dict take() {
    require(built, "the graph was not built");
    built = false;
    nb::dict out;
    out["order"] = to_numpy(std::move(arrays.order));
    out["offsets"] = to_numpy(std::move(arrays.offsets));
    out["links"] = to_numpy(std::move(arrays.links));
    out["upper_rows"] = to_numpy(std::move(arrays.upper_rows));
    out["upper_down"] = to_numpy(std::move(arrays.upper_down));
    out["upper_offsets"] = to_numpy(std::move(arrays.upper_offsets));
    out["upper_links"] = to_numpy(std::move(arrays.upper_links));
    out["width"] = arrays.width;
    out["top_level"] = arrays.top_level;
    out["entry_row"] = arrays.entry_row;
    return out;
  }
};

// --- allowed rows ----------------------------------------------------------------------------

// Sets the bits of a serialised roaring bitmap in zeroed words.
void spread_bitmap(const nb::bytes& serialised, const Out1<uint64_t>& words) {
  RoaringReader(static_cast<const uint8_t*>(serialised.data()), serialised.size(), words.data(),
                words.shape(0))
      .spread();
}

// The serialised roaring bitmap of the places of true flags.
nb::bytes roaring_of(
    const nb::ndarray<const bool, nb::ndim<1>, nb::c_contig, nb::device::cpu>& flags) {
  std::string bitmap;
  {
    const nb::gil_scoped_release release;
    bitmap = RoaringWriter().write(reinterpret_cast<const uint8_t*>(flags.data()), flags.shape(0));
  }
  return nb::bytes(bitmap.data(), bitmap.size());
}

class PyAmong {
 public:
  PyAmong(size_t n, const In1<uint32_t>& numbers, const In1<uint64_t>& points,
          const std::optional<In1<uint64_t>>& live, const std::optional<In1<uint32_t>>& row_of,
          size_t base)
      : arrays_(nb::make_tuple(numbers, points, live, row_of)) {
    require(numbers.shape(0) >= n, "numbers are fewer than the rows");
    require(points.shape(0) >= 1 && points(points.shape(0) - 1) == 0,
            "the last word of points must be zero");
    require(!live || live->shape(0) * 64 >= n, "live is shorter than the rows");
    require(base % 64 == 0, "base must be a multiple of 64");
    among.n = n;
    among.numbers = numbers.data();
    among.points = points.data();
    among.last_word = points.shape(0) - 1;
    among.live = live ? live->data() : nullptr;
    if (row_of) {
      among.row_of = row_of->data();
      among.base = base;
      among.span = row_of->shape(0);
    }
  }

  // Writes the allowed rows and returns their number.
  size_t rows(const Out1<uint32_t>& out) const {
    const size_t room = out.shape(0);
    size_t found = 0;
    among.each([&](uint32_t row) {
      if (found < room) out.data()[found] = row;
      ++found;
    });
    require(found <= room, "output shorter than the allowed rows");
    return found;
  }

  Among among;

 private:
  nb::object arrays_;  // keeps the arrays alive
};

// --- segment ---------------------------------------------------------------------------------

// hits, visited, scored, rescored, extended, scanned
using Counts = std::tuple<size_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t>;

class PySegment {
 public:
  PySegment(size_t n, size_t size, const std::string& metric, const PyEncoder* encoder,
            const std::optional<In2<uint8_t>>& codes, float error_scale, const PyGraph* graph,
            const std::optional<Kept>& kept)
      : codes_(codes), kept_(kept) {
    view_.n = n;
    view_.size = size;
    view_.metric = metric_of(metric);
    view_.error_scale = error_scale;
    if (encoder != nullptr) {
      require(codes.has_value() && codes->shape(0) >= n &&
                  codes->shape(1) == encoder->encoder.row_bytes(),
              "codes do not fit the encoder");
      require(encoder->encoder.size() == size && encoder->encoder.metric() == view_.metric,
              "the encoder is of another space");
      view_.encoder = &encoder->encoder;
      view_.codes = codes->data();
    }
    if (graph != nullptr) {
      require(graph->graph.n == n, "the graph has another number of rows");
      view_.graph = &graph->graph;
    }
    if (kept) set_kept(*kept);
    require(view_.encoder != nullptr || view_.kept.rows != nullptr, "neither codes nor kept rows");
  }

  Counts search(const In1<float>& query, size_t k, size_t ef, size_t rescored,
                const std::optional<In1<uint64_t>>& allowed, const Out1<uint32_t>& rows,
                const Out1<float>& distances, const GivenFactors& factors, float shift, bool every,
                size_t sure, float usual) const {
    require(view_.graph != nullptr, "this segment has no graph");
    check(query, k, allowed, view_.n, rows, distances);
    SearchCounts counts;
    return scaled_by(factors, shift, view_.n, [&](const auto& scale) -> Counts {
      if (view_.n == 0) return {0, 0, 0, 0, 0, 0};
      return give(palimpsest::search(view_, query.data(), k, std::max(ef, k),
                                     {rescored, ending_of(every), sure, usual}, words(allowed),
                                     scale, counts),
                  counts, rows, distances);
    });
  }

  // Many queries in one call: rows and distances (q, k), counts (q, 4) as `search` answers them.
  void search_many(const In2<float>& queries, size_t k, size_t ef, size_t rescored,
                   const std::optional<In1<uint64_t>>& allowed, const Out2<uint32_t>& rows,
                   const Out2<float>& distances, const Out2<uint64_t>& counts_out) const {
    const size_t q = queries.shape(0);
    require(view_.graph != nullptr, "this segment has no graph");
    require(queries.shape(1) == view_.size, "queries have the wrong length");
    require(k >= 1 && rows.shape(0) == q && rows.shape(1) == k && distances.shape(0) == q &&
                distances.shape(1) == k && counts_out.shape(0) == q && counts_out.shape(1) == 4,
            "outputs have the wrong shape");
    require(!allowed || allowed->shape(0) * 64 >= view_.n, "allowed is shorter than the rows");
    const Poll poll;
    for (size_t i = 0; i < q; ++i) {
      poll();
      SearchCounts counts;
      std::vector<Candidate> hits;
      if (view_.n != 0) {
        hits = palimpsest::search(view_, queries.data() + i * view_.size, k, std::max(ef, k),
                                  {rescored, Ending::early, 0}, words(allowed), Unscaled{}, counts);
      }
      for (size_t j = 0; j < hits.size(); ++j) {
        rows.data()[i * k + j] = hits[j].row;
        distances.data()[i * k + j] = hits[j].distance;
      }
      const uint64_t four[4] = {hits.size(), counts.visited, counts.scored, counts.rescored};
      std::memcpy(counts_out.data() + 4 * i, four, sizeof four);
    }
  }

  Counts scan(const In1<float>& query, size_t n, size_t k, size_t rescored,
              const std::optional<In1<uint64_t>>& allowed, const Out1<uint32_t>& rows,
              const Out1<float>& distances, const GivenFactors& factors, float shift, bool every,
              size_t sure) const {
    require(view_.encoder != nullptr, "this segment has no codes");
    check(query, k, allowed, n, rows, distances);
    SearchCounts counts;
    const FirstRows first{n, words(allowed)};
    return scaled_by(factors, shift, n, [&](const auto& scale) {
      return give(palimpsest::scan(view_, query.data(), first, k,
                                   {rescored, ending_of(every), sure}, scale, counts),
                  counts, rows, distances);
    });
  }

  Counts exact(const In1<float>& query, size_t n, size_t k,
               const std::optional<In1<uint64_t>>& allowed, const Out1<uint32_t>& rows,
               const Out1<float>& distances, const GivenFactors& factors, float shift) const {
    require(view_.kept.rows != nullptr, "this segment keeps no originals");
    check(query, k, allowed, n, rows, distances);
    SearchCounts counts;
    const FirstRows first{n, words(allowed)};
    return scaled_by(factors, shift, n, [&](const auto& scale) {
      return give(palimpsest::exact(view_, query.data(), first, k, scale, counts), counts, rows,
                  distances);
    });
  }

  // As search, scan and exact, for the rows `among` allows. (0, 0, 0, 0) where a walk gave up.
  Counts search_among(const In1<float>& query, size_t k, size_t ef, size_t rescored,
                      const PyAmong& among, bool two_hops, size_t most_scored, size_t frontier,
                      float least_share, const Out1<uint32_t>& rows, const Out1<float>& distances,
                      const GivenFactors& factors, float shift, bool every, size_t sure) const {
    require(view_.graph != nullptr, "this segment has no graph");
    check_among(query, k, among, rows, distances);
    require(among.among.n == view_.n, "a graph walk needs all rows");
    require(frontier >= 1, "frontier must be at least 1");
    if (view_.n == 0) return {0, 0, 0, 0, 0, 0};
    SearchCounts counts;
    const Walk walk{std::max(ef, k), most_scored, frontier, two_hops, least_share};
    return scaled_by(factors, shift, view_.n, [&](const auto& scale) -> Counts {
      const auto hits =
          palimpsest::search_among(view_, query.data(), k, {rescored, ending_of(every), sure},
                                   among.among, walk, scale, counts);
      if (!hits) return {0, counts.visited, counts.scored, 0, 0, 0};
      return give(*hits, counts, rows, distances);
    });
  }

  Counts scan_among(const In1<float>& query, size_t k, size_t rescored, const PyAmong& among,
                    const Out1<uint32_t>& rows, const Out1<float>& distances,
                    const GivenFactors& factors, float shift, bool every, size_t sure) const {
    require(view_.encoder != nullptr, "this segment has no codes");
    check_among(query, k, among, rows, distances);
    SearchCounts counts;
    const AmongRows some{among.among};
    return scaled_by(factors, shift, among.among.n, [&](const auto& scale) {
      return give(palimpsest::scan(view_, query.data(), some, k, {rescored, ending_of(every), sure},
                                   scale, counts),
                  counts, rows, distances);
    });
  }

  Counts exact_among(const In1<float>& query, size_t k, const PyAmong& among,
                     const Out1<uint32_t>& rows, const Out1<float>& distances,
                     const GivenFactors& factors, float shift) const {
    require(view_.kept.rows != nullptr, "this segment keeps no originals");
    check_among(query, k, among, rows, distances);
    SearchCounts counts;
    const AmongRows some{among.among};
    return scaled_by(factors, shift, among.among.n, [&](const auto& scale) {
      return give(palimpsest::exact(view_, query.data(), some, k, scale, counts), counts, rows,
                  distances);
    });
  }

  // Distances (q, m) of queries (q, size) to rows (m): estimated by code, or from kept rows.
  void score(const In2<float>& queries, const In1<uint32_t>& rows, bool by_codes,
             const Out2<float>& out) const {
    const size_t q = queries.shape(0), m = rows.shape(0);
    require(queries.shape(1) == view_.size, "queries have the wrong length");
    require(by_codes ? view_.encoder != nullptr : view_.kept.rows != nullptr,
            "this segment has no such rows");
    require(out.shape(0) == q && out.shape(1) == m, "output has the wrong shape");
    for (size_t i = 0; i < m; ++i) require(rows(i) < view_.n, "a row is outside the segment");
    for (size_t i = 0; i < q; ++i) {
      score_rows(view_, queries.data() + i * view_.size, rows.data(), m, by_codes,
                 out.data() + i * m);
    }
  }

 private:
  void set_kept(const Kept& kept) {
    const size_t columns = kept.shape(1);
    view_.kept.rows = kept.data();
    if (kept.dtype() == nb::dtype<float>()) {
      view_.kept.type = RowType::float32;
    } else if (kept.dtype() ==
               nb::dlpack::dtype{static_cast<uint8_t>(nb::dlpack::dtype_code::Float), 16, 1}) {
      view_.kept.type = RowType::float16;
    } else {
      require(kept.dtype() == nb::dtype<uint8_t>(),
              "kept rows must be float32, float16 or uint8 (int8 rows)");
      view_.kept.type = RowType::int8;
    }
    const size_t expected = view_.kept.type == RowType::int8 ? view_.size + 4 : view_.size;
    require(columns == expected && kept.shape(0) >= view_.n, "kept rows have the wrong shape");
  }

  void check(const In1<float>& query, size_t k, const std::optional<In1<uint64_t>>& allowed,
             size_t n, const Out1<uint32_t>& rows, const Out1<float>& distances) const {
    require(query.shape(0) == view_.size, "query has the wrong length");
    require(n <= view_.n, "more rows than the segment has");
    require(k >= 1 && rows.shape(0) >= k && distances.shape(0) >= k, "output shorter than k");
    require(!allowed || allowed->shape(0) * 64 >= n, "allowed is shorter than the rows");
  }

  void check_among(const In1<float>& query, size_t k, const PyAmong& among,
                   const Out1<uint32_t>& rows, const Out1<float>& distances) const {
    check(query, k, std::nullopt, among.among.n, rows, distances);
  }

  // Calls `search` with Unscaled, or with the Scaling that factors of n rows and the shift make.
  template <typename Search>
  Counts scaled_by(const GivenFactors& factors, float shift, size_t n, Search search) const {
    if (!factors) {
      require(shift == 0, "a shift needs factors");
      return search(Unscaled{});
    }
    require(view_.metric == Metric::inner_product, "only inner products are scaled");
    require(std::isfinite(shift), "shift must be finite");
    require(factors->dtype() == nb::dtype<float>() && factors->ndim() == 1 &&
                (factors->shape(0) <= 1 || factors->stride(0) == 1),
            "factors must be one contiguous row of float32");
    require(factors->shape(0) >= n, "factors are fewer than the rows");
    return search(Scaling{static_cast<const float*>(factors->data()), shift});
  }

  static Ending ending_of(bool every) { return every ? Ending::last : Ending::early; }

  static const uint64_t* words(const std::optional<In1<uint64_t>>& allowed) {
    return allowed ? allowed->data() : nullptr;
  }

  static Counts give(const std::vector<Candidate>& hits, const SearchCounts& counts,
                     const Out1<uint32_t>& rows, const Out1<float>& distances) {
    for (size_t i = 0; i < hits.size(); ++i) {
      rows.data()[i] = hits[i].row;
      distances.data()[i] = hits[i].distance;
    }
    return {hits.size(),     counts.visited,  counts.scored,
            counts.rescored, counts.extended, counts.scanned};
  }

  SegmentView view_;
  std::optional<In2<uint8_t>> codes_;  // with kept_, the arrays the view points into
  std::optional<Kept> kept_;
};

// --- sparse rows --------------------------------------------------------------------------------

nb::tuple invert_rows(const In1<int64_t>& indptr, uint32_t first_row, const In1<uint32_t>& indices,
                      const In1<float>& values) {
  require(indptr.shape(0) >= 1, "indptr must have at least one value");
  const size_t n = indptr.shape(0) - 1;
  for (size_t i = 0; i < n; ++i) require(indptr(i) <= indptr(i + 1), "indptr must not fall");
  require(indptr(0) >= 0 && static_cast<size_t>(indptr(n)) <= indices.shape(0) &&
              indices.shape(0) == values.shape(0),
          "indptr points outside the entries");
  Postings made;
  {
    const nb::gil_scoped_release release;
    made = invert(indptr.data(), n, first_row, indices.data(), values.data());
  }
  return nb::make_tuple(to_numpy(std::move(made.terms)), to_numpy(std::move(made.starts)),
                        to_numpy(std::move(made.rows)), to_numpy(std::move(made.values)));
}

// Postings of the rows from `first` up to `last`; the arrays stay alive as long as this.
class PyPostings {
 public:
  PyPostings(const In1<uint32_t>& rows, const In1<float>& values, uint32_t first, uint32_t last)
      : rows_(rows), values_(values), first_(first), last_(last) {
    require(rows.shape(0) == values.shape(0), "there must be one value per posting");
    require(first <= last, "the last row must not come before the first");
  }

  // (rows, scores, postings read): the k best, and all rows as good as the last of them.
  nb::tuple best(const In1<int64_t>& starts, const In1<int64_t>& stops, const In1<float>& weights,
                 size_t k, const std::optional<In1<uint64_t>>& alive,
                 const std::optional<In1<uint32_t>>& numbers,
                 const std::optional<In1<uint8_t>>& chosen) const {
    const Lists asked = lists(starts, stops, &weights);
    const RowFilter passes = filter(alive, numbers, chosen);
    require(k >= 1, "k must be at least 1");
    std::vector<uint32_t> rows;
    std::vector<float> scores;
    uint64_t read = 0;
    {
      const nb::gil_scoped_release release;
      for (const Scored& one : best_rows(asked, first_, last_, k, passes, read)) {
        rows.push_back(one.row);
        scores.push_back(one.score);
      }
    }
    return nb::make_tuple(to_numpy(std::move(rows)), to_numpy(std::move(scores)), read);
  }

  void sums(const In1<int64_t>& starts, const In1<int64_t>& stops, const In1<float>& weights,
            const Out1<float>& out) const {
    require(out.shape(0) == last_ - first_, "output length");
    all_sums(lists(starts, stops, &weights), first_, last_, out.data());
  }

  void counts(const In1<int64_t>& starts, const In1<int64_t>& stops,
              const std::optional<In1<uint64_t>>& alive,
              const std::optional<In1<uint32_t>>& numbers,
              const std::optional<In1<uint8_t>>& chosen, const Out1<int64_t>& out) const {
    require(out.shape(0) == starts.shape(0), "output length");
    count_rows(lists(starts, stops, nullptr), first_, last_, filter(alive, numbers, chosen),
               out.data());
  }

 private:
  Lists lists(const In1<int64_t>& starts, const In1<int64_t>& stops,
              const In1<float>* weights) const {
    const size_t terms = starts.shape(0);
    require(stops.shape(0) == terms && (weights == nullptr || weights->shape(0) == terms),
            "there must be one stop and one weight per start");
    for (size_t t = 0; t < terms; ++t) {
      require(starts(t) >= 0 && starts(t) <= stops(t) &&
                  static_cast<size_t>(stops(t)) <= rows_.shape(0),
              "a list lies outside the postings");
    }
    return {rows_.data(),
            values_.data(),
            starts.data(),
            stops.data(),
            weights == nullptr ? nullptr : weights->data(),
            terms};
  }

  RowFilter filter(const std::optional<In1<uint64_t>>& alive,
                   const std::optional<In1<uint32_t>>& numbers,
                   const std::optional<In1<uint8_t>>& chosen) const {
    require(!alive || alive->shape(0) * 64 >= last_, "alive is shorter than the rows");
    require(!chosen || (numbers && numbers->shape(0) >= last_), "numbers are fewer than the rows");
    RowFilter passes;
    if (alive) passes.alive = alive->data();
    if (chosen) {
      passes.numbers = numbers->data();
      passes.chosen = chosen->data();
      passes.chosen_size = chosen->shape(0);
    }
    return passes;
  }

  In1<uint32_t> rows_;
  In1<float> values_;
  size_t first_, last_;
};

// --- kernels by level, for the tests -----------------------------------------------------------

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

void kernel_dot(const std::string& name, int bits, const In2<uint8_t>& codes,
                const In1<uint8_t>& query, size_t padded, const Out1<int32_t>& out) {
  const size_t n = codes.shape(0);
  require(padded % kBlock == 0 && codes.shape(1) * 8 == padded * static_cast<size_t>(bits),
          "code length");
  require(query.shape(0) == (bits == 1 ? kQueryPlanes * padded / 8 : padded), "query length");
  require(out.shape(0) == n, "output length");
  std::vector<const uint8_t*> rows(n);
  for (size_t i = 0; i < n; ++i) rows[i] = codes.data() + i * codes.shape(1);
  dot_for(level(name), bits)(rows.data(), n, query.data(), padded, out.data());
}

void kernel_rotate(const std::string& name, const Out1<float>& v, const In2<float>& signs,
                   bool inverse) {
  require(v.shape(0) % kBlock == 0 && signs.shape(0) == 4 && signs.shape(1) == v.shape(0),
          "shapes");
  (inverse ? level(name).unrotate : level(name).rotate)(v.data(), signs.data(), v.shape(0));
}

std::tuple<float, float, float> kernel_encode(const std::string& name, const In1<float>& residual,
                                              int bits, float scale, const Out1<uint8_t>& code) {
  require(residual.shape(0) % kBlock == 0, "residual length");
  require(code.shape(0) * 8 == residual.shape(0) * static_cast<size_t>(bits), "code length");
  const Encoded e =
      level(name).encode(residual.data(), residual.shape(0), bits, scale, code.data());
  return {e.factors.add, e.factors.rescale, e.error};
}

float kernel_distance(const std::string& name, const std::string& metric, int type,
                      const In1<float>& a, const In1<uint8_t>& b) {
  require(type >= 0 && type <= 2, "row type");
  require(b.shape(0) == RawScorer::row_bytes(static_cast<RowType>(type), a.shape(0)), "row length");
  return level(name).distance[type][static_cast<int>(metric_of(metric))](a.data(), b.data(),
                                                                         a.shape(0));
}

// --- text --------------------------------------------------------------------------------------

size_t parse_floats_into(const nb::bytes& text, const Out1<float>& out) {
  return parse_floats(text.c_str(), text.c_str() + text.size(), out.data(), out.shape(0));
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
}  // namespace palimpsest

NB_MODULE(_native, m) {
  using namespace palimpsest;
  nb::set_leak_warnings(false);  // an open database at exit is no leak
  kernels();                     // a wrong PALIMPSEST_SIMD fails the import, not the first search

  nb::class_<Stop>(m, "Stop").def(nb::init<>()).def("set", &Stop::set).def("is_set", &Stop::is_set);
  nb::exception<Stopped>(m, "Stopped");
  m.def("make_current", &make_current, "stop"_a.none());
  m.def("is_stopped", &is_stopped);

  m.def("simd_level", [] { return std::string(kernels().name); });
  m.def("simd_levels", &levels);
  m.def("padded_size", &padded_size, "size"_a);

  nb::class_<PyEncoder>(m, "Encoder")
      .def(nb::init<size_t, int, const std::string&, const In1<float>&, const In2<int8_t>&>(),
           "size"_a, "bits"_a, "metric"_a, "centroid"_a, "signs"_a)
      .def_prop_ro("row_bytes", [](const PyEncoder& e) { return e.encoder.row_bytes(); })
      .def("encode", &PyEncoder::encode, "vectors"_a, "rows"_a, "errors"_a.none(), NoGil())
      .def("decode", &PyEncoder::decode, "rows"_a, "vectors"_a, NoGil())
      .def("estimate", &PyEncoder::estimate, "query"_a, "rows"_a, "out"_a, NoGil());

  nb::class_<PyGraph>(m, "Graph")
      .def(nb::init<const In1<uint32_t>&, const In1<uint8_t>&, size_t, size_t, uint32_t,
                    const In1<uint32_t>&, const In1<uint32_t>&, const In1<uint32_t>&,
                    const In1<uint32_t>&>(),
           "offsets"_a, "links"_a, "width"_a, "top_level"_a, "entry_row"_a, "upper_rows"_a,
           "upper_down"_a, "upper_offsets"_a, "upper_links"_a)
      .def(
          "unreachable", [](const PyGraph& g) { return unreachable_rows(g.graph); }, NoGil())
      .def_prop_ro("has_copies", [](const PyGraph& g) { return g.graph.has_copies; });

  nb::class_<PyBuild>(m, "GraphBuild")
      .def(nb::init<>())
      .def("cancel", &PyBuild::cancel)
      .def("share", &PyBuild::share, "threads"_a)
      .def("run", &PyBuild::run, "vectors"_a, "metric"_a, "order"_a, "M"_a, "ef_construction"_a,
           "seed"_a, "threads"_a, NoGil())
      .def("take", &PyBuild::take);

  m.def("row_sums", &row_sums, "seed"_a, "rows"_a);
  m.def("column_sums", &column_sums, "seed"_a, "columns"_a);
  m.def("other_sums", &other_sums, "seed"_a, "rows"_a, "columns"_a, "at"_a, "may_lack"_a = false);

  m.def("roaring_of", &roaring_of, "flags"_a);
  m.def("spread_bitmap", &spread_bitmap, "serialised"_a, "words"_a);
  nb::class_<PyAmong>(m, "Among")
      .def(nb::init<size_t, const In1<uint32_t>&, const In1<uint64_t>&,
                    const std::optional<In1<uint64_t>>&, const std::optional<In1<uint32_t>>&,
                    size_t>(),
           "n"_a, "numbers"_a, "points"_a, "live"_a.none(), "row_of"_a.none(), "base"_a)
      .def("rows", &PyAmong::rows, "out"_a, NoGil())
      .def(
          "estimate",
          [](const PyAmong& among, size_t tested) { return among.among.estimate(tested); },
          "tested"_a);

  nb::class_<PySegment>(m, "Segment")
      .def(nb::init<size_t, size_t, const std::string&, const PyEncoder*,
                    const std::optional<In2<uint8_t>>&, float, const PyGraph*,
                    const std::optional<Kept>&>(),
           "n"_a, "size"_a, "metric"_a, "encoder"_a.none(), "codes"_a.none(), "error_scale"_a,
           "graph"_a.none(), "kept"_a.none(), nb::keep_alive<1, 5>(), nb::keep_alive<1, 8>())
      .def("search", &PySegment::search, "query"_a, "k"_a, "ef"_a, "rescored"_a, "allowed"_a.none(),
           "rows"_a, "distances"_a, "factors"_a.none() = nb::none(), "shift"_a = 0.0f,
           "every"_a = false, "sure"_a = 0, "usual"_a = -std::numeric_limits<float>::infinity(),
           NoGil())
      .def("search_many", &PySegment::search_many, "queries"_a, "k"_a, "ef"_a, "rescored"_a,
           "allowed"_a.none(), "rows"_a, "distances"_a, "counts"_a, NoGil())
      .def("scan", &PySegment::scan, "query"_a, "n"_a, "k"_a, "rescored"_a, "allowed"_a.none(),
           "rows"_a, "distances"_a, "factors"_a.none() = nb::none(), "shift"_a = 0.0f,
           "every"_a = false, "sure"_a = 0, NoGil())
      .def("exact", &PySegment::exact, "query"_a, "n"_a, "k"_a, "allowed"_a.none(), "rows"_a,
           "distances"_a, "factors"_a.none() = nb::none(), "shift"_a = 0.0f, NoGil())
      .def("search_among", &PySegment::search_among, "query"_a, "k"_a, "ef"_a, "rescored"_a,
           "among"_a, "two_hops"_a, "most_scored"_a, "frontier"_a, "least_share"_a, "rows"_a,
           "distances"_a, "factors"_a.none() = nb::none(), "shift"_a = 0.0f, "every"_a = false,
           "sure"_a = 0, NoGil())
      .def("scan_among", &PySegment::scan_among, "query"_a, "k"_a, "rescored"_a, "among"_a,
           "rows"_a, "distances"_a, "factors"_a.none() = nb::none(), "shift"_a = 0.0f,
           "every"_a = false, "sure"_a = 0, NoGil())
      .def("exact_among", &PySegment::exact_among, "query"_a, "k"_a, "among"_a, "rows"_a,
           "distances"_a, "factors"_a.none() = nb::none(), "shift"_a = 0.0f, NoGil())
      .def("score", &PySegment::score, "queries"_a, "rows"_a, "by_codes"_a, "out"_a, NoGil());

  m.def("invert_rows", &invert_rows, "indptr"_a, "first_row"_a, "indices"_a, "values"_a);
  nb::class_<PyPostings>(m, "Postings")
      .def(nb::init<const In1<uint32_t>&, const In1<float>&, uint32_t, uint32_t>(), "rows"_a,
           "values"_a, "first"_a, "last"_a, nb::keep_alive<1, 2>(), nb::keep_alive<1, 3>())
      .def("best", &PyPostings::best, "starts"_a, "stops"_a, "weights"_a, "k"_a, "alive"_a.none(),
           "numbers"_a.none(), "chosen"_a.none())
      .def("sums", &PyPostings::sums, "starts"_a, "stops"_a, "weights"_a, "out"_a, NoGil())
      .def("counts", &PyPostings::counts, "starts"_a, "stops"_a, "alive"_a.none(),
           "numbers"_a.none(), "chosen"_a.none(), "out"_a, NoGil());

  m.def("parse_floats_into", &parse_floats_into, "text"_a, "out"_a);
  m.def("parse_rows_into", &parse_rows_into, "texts"_a, "out"_a);
  m.def("format_row", &format_row, "values"_a);

  m.def("kernel_dot", &kernel_dot, "level"_a, "bits"_a, "codes"_a, "query"_a, "padded"_a, "out"_a);
  m.def("kernel_rotate", &kernel_rotate, "level"_a, "v"_a, "signs"_a, "inverse"_a);
  m.def("kernel_encode", &kernel_encode, "level"_a, "residual"_a, "bits"_a, "scale"_a, "code"_a);
  m.def("kernel_distance", &kernel_distance, "level"_a, "metric"_a, "type"_a, "a"_a, "b"_a);
}
