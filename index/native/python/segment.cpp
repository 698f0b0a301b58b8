// Searches of a segment: by a walk of its graph, by a scan of its codes, by one of its kept rows.
//
// What a search is to do comes as values, checked and made once for many calls.
#include "segment.h"

#include <utility>

#include "bindings.h"
#include "parallel.h"
#include "stop.h"

namespace palimpsest {
namespace {

using Kept = nb::ndarray<nb::ro, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// hits, visited, scored, rescored, extended, scanned
using Counts = std::tuple<size_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t>;

struct BoundScaling {
  Scaling scaling;
  size_t n;
  nb::object factors;  // keeps them alive
};

void make_scaling(BoundScaling* self, const nb::object& factors, float shift) {
  require(std::isfinite(shift), "shift must be finite");
  const auto values = nb::cast<nb::ndarray<nb::ro, nb::device::cpu>>(factors);
  require(values.dtype() == nb::dtype<float>() && values.ndim() == 1 &&
              (values.shape(0) <= 1 || values.stride(0) == 1),
          "factors must be one contiguous row of float32");
  const Scaling scaling{static_cast<const float*>(values.data()), shift};
  new (self) BoundScaling{scaling, values.shape(0), factors};
}

void make_walk(Walk* self, size_t ef, bool two_hops, size_t most_scored, size_t frontier,
               float least_share) {
  require(frontier >= 1, "frontier must be at least 1");
  new (self) Walk{ef, two_hops, most_scored, frontier, least_share};
}

void make_rescoring(Depth* self, size_t most, bool every, size_t sure) {
  new (self) Depth{most, every ? Ending::last : Ending::early, sure};
}

// Where a search writes its hits, the closest first.
struct Places {
  const Out1<uint32_t>& rows;
  const Out1<float>& distances;

  bool hold(size_t k) const { return k >= 1 && rows.shape(0) >= k && distances.shape(0) >= k; }

  Counts take(const std::vector<Candidate>& hits, const SearchCounts& counts) const {
    for (size_t i = 0; i < hits.size(); ++i) {
      rows.data()[i] = hits[i].row;
      distances.data()[i] = hits[i].distance;
    }
    return {hits.size(),     counts.visited,  counts.scored,
            counts.rescored, counts.extended, counts.scanned};
  }
};

class PySegment : public BoundSegment {
 public:
  PySegment(size_t n, size_t size, const std::string& metric, const Encoder* encoder,
            const std::optional<In2<uint8_t>>& codes, float error_scale, const BoundGraph* graph,
            const std::optional<Kept>& kept)
      : codes_(codes), kept_(kept) {
    view.n = n;
    view.size = size;
    view.metric = metric_of(metric);
    view.error_scale = error_scale;
    if (encoder != nullptr) {
      require(codes.has_value() && codes->shape(0) >= n && codes->shape(1) == encoder->row_bytes(),
              "codes do not fit the encoder");
      require(encoder->size() == size && encoder->metric() == view.metric,
              "the encoder is of another space");
      view.encoder = encoder;
      view.codes = codes->data();
    }
    if (graph != nullptr) {
      require(graph->graph.n == n, "the graph has another number of rows");
      view.graph = &graph->graph;
    }
    if (kept) set_kept(*kept);
    require(view.encoder != nullptr || view.kept.rows != nullptr, "neither codes nor kept rows");
  }

  Counts walk(const In1<float>& query, size_t k, const Walk& how, const Depth& rescoring,
              const BoundRows& among, const BoundScaling* scaling, float usual,
              const Out1<uint32_t>& rows, const Out1<float>& distances) const {
    require(view.graph != nullptr, "this segment has no graph");
    require(among.first.n == view.n, "a walk of the graph needs all rows");
    const auto [walk, depth] = fitted(how, rescoring, k, usual);
    return search(query, k, among, scaling, {rows, distances},
                  [&](const auto& some, const auto& scale, SearchCounts& counts) {
                    return palimpsest::walk(view, query.data(), some, k, walk, depth, scale,
                                            counts);
                  });
  }

  // Walks for queries (m, size) at once, on several threads; `counts` (m, 6) tells of each what
  // `walk` returns.
  void walk_each(const In2<float>& queries, size_t k, const Walk& how, const Depth& rescoring,
                 const BoundRows& among, float usual, SearchThreads& threads,
                 const Out2<uint32_t>& rows, const Out2<float>& distances,
                 const Out2<uint64_t>& counts) const {
    const size_t m = queries.shape(0);
    require(view.graph != nullptr && view.n > 0, "this segment has no graph, or no rows");
    require(among.first.n == view.n && among.among == nullptr, "a walk needs all rows");
    require(queries.shape(1) == view.size, "queries have the wrong length");
    require(k >= 1 && rows.shape(0) == m && rows.shape(1) == k && distances.shape(0) == m &&
                distances.shape(1) == k && counts.shape(0) == m && counts.shape(1) == 6,
            "outputs have the wrong shape");
    const auto [walk, depth] = fitted(how, rescoring, k, usual);
    const Stop* stop = current_stop();
    threads.run(m, [&, &walk = walk, &depth = depth](size_t from, size_t to, size_t) {
      const Stop* before = std::exchange(current_stop(), stop);
      try {
        for (size_t i = from; i < to; ++i) {
          SearchCounts done;
          const auto hits = palimpsest::walk(view, queries.data() + i * view.size, among.first, k,
                                             walk, depth, Unscaled{}, done);
          uint64_t* told = counts.data() + 6 * i;
          const uint64_t found[] = {hits ? hits->size() : 0, done.visited,  done.scored,
                                    done.rescored,           done.extended, done.scanned};
          std::copy_n(found, 6, told);
          for (size_t h = 0; hits && h < hits->size(); ++h) {
            rows.data()[i * k + h] = (*hits)[h].row;
            distances.data()[i * k + h] = (*hits)[h].distance;
          }
        }
      } catch (...) {
        current_stop() = before;
        throw;
      }
      current_stop() = before;
    });
  }

  Counts scan(const In1<float>& query, size_t k, const Depth& rescoring, const BoundRows& among,
              const BoundScaling* scaling, const Out1<uint32_t>& rows,
              const Out1<float>& distances) const {
    require(view.encoder != nullptr, "this segment has no codes");
    return search(query, k, among, scaling, {rows, distances},
                  [&](const auto& some, const auto& scale, SearchCounts& counts) {
                    return std::optional(
                        palimpsest::scan(view, query.data(), some, k, rescoring, scale, counts));
                  });
  }

  Counts exact(const In1<float>& query, size_t k, const BoundRows& among,
               const BoundScaling* scaling, const Out1<uint32_t>& rows,
               const Out1<float>& distances) const {
    require(view.kept.rows != nullptr, "this segment keeps no originals");
    return search(
        query, k, among, scaling, {rows, distances},
        [&](const auto& some, const auto& scale, SearchCounts& counts) {
          return std::optional(palimpsest::exact(view, query.data(), some, k, scale, counts));
        });
  }

  // Distances (q, m) of queries (q, size) to rows (m): estimated by code, or from kept rows.
  void score(const In2<float>& queries, const In1<uint32_t>& rows, bool by_codes,
             const Out2<float>& out) const {
    const size_t q = queries.shape(0), m = rows.shape(0);
    require(queries.shape(1) == view.size, "queries have the wrong length");
    require(by_codes ? view.encoder != nullptr : view.kept.rows != nullptr,
            "this segment has no such rows");
    require(out.shape(0) == q && out.shape(1) == m, "output has the wrong shape");
    for (size_t i = 0; i < m; ++i) require(rows(i) < view.n, "a row is outside the segment");
    for (size_t i = 0; i < q; ++i) {
      score_rows(view, queries.data() + i * view.size, rows.data(), m, by_codes,
                 out.data() + i * m);
    }
  }

 private:
  void set_kept(const Kept& kept) {
    const size_t columns = kept.shape(1);
    view.kept.rows = kept.data();
    if (kept.dtype() == nb::dtype<float>()) {
      view.kept.type = RowType::float32;
    } else if (kept.dtype() ==
               nb::dlpack::dtype{static_cast<uint8_t>(nb::dlpack::dtype_code::Float), 16, 1}) {
      view.kept.type = RowType::float16;
    } else {
      require(kept.dtype() == nb::dtype<uint8_t>(),
              "kept rows must be float32, float16 or uint8 (int8 rows)");
      view.kept.type = RowType::int8;
    }
    const size_t expected = view.kept.type == RowType::int8 ? view.size + 4 : view.size;
    require(columns == expected && kept.shape(0) >= view.n, "kept rows have the wrong shape");
  }

  // Calls `find` for the rows and the scale that a search is for; it answers hits, or nothing where
  // it gave up, which are no hits.
  template <typename Find>
  Counts search(const In1<float>& query, size_t k, const BoundRows& among,
                const BoundScaling* scaling, const Places& places, Find find) const {
    require(query.shape(0) == view.size, "query has the wrong length");
    require(among.first.n <= view.n, "more rows than the segment has");
    require(places.hold(k), "output shorter than k");
    if (scaling != nullptr) {
      require(view.metric == Metric::inner_product, "only inner products are scaled");
      require(scaling->n >= among.first.n, "factors are fewer than the rows");
    }
    // A graph without rows has no entry to start from.
    if (view.n == 0) return {0, 0, 0, 0, 0, 0};
    SearchCounts counts;
    const auto find_scaled = [&](const auto& rows) {
      return scaling == nullptr ? find(rows, Unscaled{}, counts)
                                : find(rows, scaling->scaling, counts);
    };
    const auto hits =
        among.among == nullptr ? find_scaled(among.first) : find_scaled(AmongRows{*among.among});
    if (!hits) return {0, counts.visited, counts.scored, 0, 0, 0};
    return places.take(*hits, counts);
  }

  std::optional<In2<uint8_t>> codes_;  // with kept_, the arrays the view points into
  std::optional<Kept> kept_;
};

}  // namespace

void bind_segment(nb::module_& m) {
  nb::class_<BoundScaling>(m, "Scaling")
      .def("__init__", &make_scaling, "factors"_a, "shift"_a)
      .def_ro("factors", &BoundScaling::factors)
      .def_prop_ro("shift", [](const BoundScaling& self) { return self.scaling.shift; });
  nb::class_<Walk>(m, "Walk")
      .def("__init__", &make_walk, "ef"_a, "two_hops"_a = false, "most_scored"_a = kNoLimit,
           "frontier"_a = kNoLimit, "least_share"_a = 0.0f)
      .def_ro("ef", &Walk::ef)
      .def_ro("two_hops", &Walk::two_hops)
      .def_ro("most_scored", &Walk::most_scored)
      .def_ro("frontier", &Walk::frontier)
      .def_ro("least_share", &Walk::least_share);
  nb::class_<Depth>(m, "Rescoring")
      .def("__init__", &make_rescoring, "most"_a, "every"_a = false, "sure"_a = 0)
      .def_ro("most", &Depth::limit)
      .def_prop_ro("every", [](const Depth& self) { return self.ending == Ending::last; })
      .def_ro("sure", &Depth::sure);
  nb::class_<SearchThreads>(m, "SearchThreads")
      .def(nb::init<size_t>(), "count"_a)
      .def_prop_ro("count", &SearchThreads::count);
  nb::class_<BoundSegment>(m, "SegmentRows");
  nb::class_<PySegment, BoundSegment>(m, "Segment")
      .def(nb::init<size_t, size_t, const std::string&, const Encoder*,
                    const std::optional<In2<uint8_t>>&, float, const BoundGraph*,
                    const std::optional<Kept>&>(),
           "n"_a, "size"_a, "metric"_a, "encoder"_a.none(), "codes"_a.none(), "error_scale"_a,
           "graph"_a.none(), "kept"_a.none(), nb::keep_alive<1, 5>(), nb::keep_alive<1, 8>())
      .def("walk", &PySegment::walk, "query"_a, "k"_a, "walk"_a, "rescoring"_a, "among"_a,
           "scaling"_a.none(), "usual"_a, "rows"_a.noconvert(), "distances"_a.noconvert(), NoGil())
      .def("walk_each", &PySegment::walk_each, "queries"_a, "k"_a, "walk"_a, "rescoring"_a,
           "among"_a, "usual"_a, "threads"_a, "rows"_a.noconvert(), "distances"_a.noconvert(),
           "counts"_a.noconvert(), NoGil())
      .def("scan", &PySegment::scan, "query"_a, "k"_a, "rescoring"_a, "among"_a, "scaling"_a.none(),
           "rows"_a.noconvert(), "distances"_a.noconvert(), NoGil())
      .def("exact", &PySegment::exact, "query"_a, "k"_a, "among"_a, "scaling"_a.none(),
           "rows"_a.noconvert(), "distances"_a.noconvert(), NoGil())
      .def("score", &PySegment::score, "queries"_a, "rows"_a, "by_codes"_a, "out"_a.noconvert(),
           NoGil());
}

}  // namespace palimpsest
