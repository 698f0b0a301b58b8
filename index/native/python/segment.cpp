// Searches of a segment.
#include "bindings.h"

#include "segment.h"

namespace palimpsest {
namespace {

using Kept = nb::ndarray<nb::ro, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using GivenFactors = std::optional<nb::ndarray<nb::ro, nb::device::cpu>>;

// hits, visited, scored, rescored, extended, scanned
using Counts = std::tuple<size_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t>;

class PySegment {
 public:
  PySegment(size_t n, size_t size, const std::string& metric, const Encoder* encoder,
            const std::optional<In2<uint8_t>>& codes, float error_scale, const BoundGraph* graph,
            const std::optional<Kept>& kept)
      : codes_(codes), kept_(kept) {
    view_.n = n;
    view_.size = size;
    view_.metric = metric_of(metric);
    view_.error_scale = error_scale;
    if (encoder != nullptr) {
      require(codes.has_value() && codes->shape(0) >= n && codes->shape(1) == encoder->row_bytes(),
              "codes do not fit the encoder");
      require(encoder->size() == size && encoder->metric() == view_.metric,
              "the encoder is of another space");
      view_.encoder = encoder;
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
                      const BoundAmong& among, bool two_hops, size_t most_scored, size_t frontier,
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

  Counts scan_among(const In1<float>& query, size_t k, size_t rescored, const BoundAmong& among,
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

  Counts exact_among(const In1<float>& query, size_t k, const BoundAmong& among,
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

  void check_among(const In1<float>& query, size_t k, const BoundAmong& among,
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

}  // namespace

void bind_segment(nb::module_& m) {
  nb::class_<PySegment>(m, "Segment")
      .def(nb::init<size_t, size_t, const std::string&, const Encoder*,
                    const std::optional<In2<uint8_t>>&, float, const BoundGraph*,
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
}

}  // namespace palimpsest
