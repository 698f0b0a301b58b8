// Centroids of vectors, and lists of the sets that have a vector near each.
#include "lists.h"

#include "bindings.h"
#include "centroids.h"
#include "starts.h"

namespace palimpsest {
namespace {

void make_centroids(Centroids* self, const In2<float>& values, const In2<float>& heads) {
  require(values.shape(0) > 0 && values.shape(1) > 0, "there must be centroids");
  require(heads.shape(1) == values.shape(1), "heads have the wrong length");
  new (self)
      Centroids(values.data(), values.shape(0), heads.data(), heads.shape(0), values.shape(1));
}

void nearest(const Centroids& centroids, const In2<float>& rows, const Out1<uint32_t>& out) {
  require(rows.shape(1) == centroids.size(), "rows have the wrong length");
  require(out.shape(0) == rows.shape(0), "out has the wrong length");
  centroids.nearest(rows.data(), rows.shape(0), out.data());
}

// Lists with the arrays that they point into.
struct BoundLists {
  TokenLists lists;
  nb::object arrays;
};

void make_lists(BoundLists* self, const In2<uint8_t>& centroids, const In1<int64_t>& starts,
                const In1<uint32_t>& rows, size_t n) {
  const size_t k = centroids.shape(0);
  require(k > 0 && starts.shape(0) == k + 1, "starts do not fit the centroids");
  require(starts(0) == 0 && starts(k) == static_cast<int64_t>(rows.shape(0)),
          "starts do not fit the rows");
  for (size_t c = 0; c < k; ++c) require(starts(c) <= starts(c + 1), "starts must ascend");
  for (size_t i = 0; i < rows.shape(0); ++i) require(rows(i) < n, "a row is out of range");
  new (self)
      BoundLists{TokenLists(centroids.data(), k, centroids.shape(1), starts.data(), rows.data(), n),
                 nb::make_tuple(centroids, starts, rows)};
}

size_t check_query(const TokenLists& lists, const CodedQuery& query, size_t probes) {
  require(query.row_bytes() == lists.row_bytes(), "the query is of other codes");
  require(probes > 0, "probes must be at least 1");
  return lists.count();
}

std::tuple<size_t, size_t, size_t> closest(const BoundLists& bound, const CodedQuery& query,
                                           size_t probes, size_t wanted,
                                           const std::optional<In1<uint8_t>>& allowed,
                                           const Out1<uint32_t>& out) {
  const size_t n = check_query(bound.lists, query, probes);
  require(wanted > 0, "wanted must be at least 1");
  require(out.shape(0) == n && (!allowed || allowed->shape(0) == n), "output length");
  const auto found =
      bound.lists.closest(query, probes, wanted, allowed ? allowed->data() : nullptr, out.data());
  return {found.rows, found.touched, found.looked};
}

std::tuple<size_t, size_t, size_t, double> compared(
    const BoundLists& bound, const CodedQuery& query, size_t probes, size_t wanted,
    const std::optional<In1<uint8_t>>& allowed, const CodedQuery& tokens, const In2<uint8_t>& codes,
    const In1<int64_t>& starts, size_t k, double deviations, const Out1<uint32_t>& out,
    const Out1<double>& scores) {
  const size_t n = check_query(bound.lists, query, probes);
  require(wanted > 0, "wanted must be at least 1");
  require(out.shape(0) == n && scores.shape(0) == n, "output length");
  require(!allowed || allowed->shape(0) == n, "allowed have the wrong length");
  require(starts.shape(0) == n + 1, "starts do not fit the sets");
  require(codes.shape(1) == tokens.row_bytes(), "rows have the wrong length");
  const Sets sets{codes.data(), starts.data(), tokens.row_bytes()};
  const auto check = [&](uint32_t set) { check_set(starts, set, codes.shape(0)); };
  const auto found =
      bound.lists.compared(query, probes, wanted, allowed ? allowed->data() : nullptr, tokens, sets,
                           check, k, deviations, out.data(), scores.data());
  return {found.rows, found.touched, found.looked, found.seconds};
}

void gains(const BoundLists& bound, const CodedQuery& query, size_t probes,
           const Out1<float>& out) {
  require(out.shape(0) == check_query(bound.lists, query, probes), "output length");
  bound.lists.gains(query, probes, out.data());
}

}  // namespace

void bind_lists(nb::module_& m) {
  nb::class_<Centroids>(m, "Centroids")
      .def("__init__", &make_centroids, "values"_a, "heads"_a)
      .def("nearest", &nearest, "rows"_a, "out"_a.noconvert(), NoGil());
  nb::class_<BoundLists>(m, "TokenLists")
      .def("__init__", &make_lists, "centroids"_a, "starts"_a, "rows"_a, "n"_a)
      .def("closest", &closest, "query"_a, "probes"_a, "wanted"_a, "allowed"_a.none(),
           "out"_a.noconvert(), NoGil())
      .def("compared", &compared, "query"_a, "probes"_a, "wanted"_a, "allowed"_a.none(), "tokens"_a,
           "codes"_a, "starts"_a, "k"_a, "deviations"_a, "out"_a.noconvert(),
           "scores"_a.noconvert(), NoGil())
      .def("gains", &gains, "query"_a, "probes"_a, "out"_a.noconvert(), NoGil());
}

}  // namespace palimpsest
