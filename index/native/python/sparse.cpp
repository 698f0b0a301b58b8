// Posting lists of sparse rows.
#include "bindings.h"

#include "sparse.h"

namespace palimpsest {
namespace {

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
  // Bounds are checked here once a call; the loops of sparse.h trust them.
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
    // The row's number is looked up in `chosen`, which may be shorter: points later than the
    // filter.
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

}  // namespace

void bind_sparse(nb::module_& m) {
  m.def("invert_rows", &invert_rows, "indptr"_a, "first_row"_a, "indices"_a, "values"_a);
  nb::class_<PyPostings>(m, "Postings")
      .def(nb::init<const In1<uint32_t>&, const In1<float>&, uint32_t, uint32_t>(), "rows"_a,
           "values"_a, "first"_a, "last"_a, nb::keep_alive<1, 2>(), nb::keep_alive<1, 3>())
      .def("best", &PyPostings::best, "starts"_a, "stops"_a, "weights"_a, "k"_a, "alive"_a.none(),
           "numbers"_a.none(), "chosen"_a.none())
      .def("sums", &PyPostings::sums, "starts"_a, "stops"_a, "weights"_a, "out"_a.noconvert(),
           NoGil())
      .def("counts", &PyPostings::counts, "starts"_a, "stops"_a, "alive"_a.none(),
           "numbers"_a.none(), "chosen"_a.none(), "out"_a.noconvert(), NoGil());
}

}  // namespace palimpsest
