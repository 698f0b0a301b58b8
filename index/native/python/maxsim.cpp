// Codes of tokens, MaxSim over them or over raw rows, and clusters of the vectors of a set.
#include "maxsim.h"

#include "bindings.h"
#include "starts.h"
#include "ward.h"

namespace palimpsest {
namespace {

void make_coder(TokenCoder* self, size_t size, int bits, const In2<int8_t>& signs) {
  require(size > 0 && signs.shape(0) == 4 && signs.shape(1) == padded_size(size),
          "signs must be 4 rows of the padded size");
  new (self) TokenCoder(size, bits, signs.data());
}

void encode(const TokenCoder& coder, const In2<float>& vectors, const Out2<uint8_t>& rows,
            const std::optional<Out1<float>>& errors) {
  const size_t n = vectors.shape(0);
  require(vectors.shape(1) == coder.size(), "vectors have the wrong length");
  require(rows.shape(0) == n && rows.shape(1) == coder.row_bytes(), "rows have the wrong shape");
  require(!errors || errors->shape(0) == n, "errors have the wrong length");
  std::vector<float> scratch(coder.padded());
  for (size_t i = 0; i < n; ++i) {
    const float error = coder.encode(vectors.data() + i * coder.size(),
                                     rows.data() + i * coder.row_bytes(), scratch.data());
    if (errors) errors->data()[i] = error;
  }
}

void decode(const TokenCoder& coder, const In2<uint8_t>& rows, const Out2<float>& vectors) {
  require(rows.shape(1) == coder.row_bytes(), "rows have the wrong length");
  require(vectors.shape(0) == rows.shape(0) && vectors.shape(1) == coder.size(),
          "vectors have the wrong shape");
  const Poll poll;
  std::vector<float> scratch(coder.padded());
  for (size_t i = 0; i < rows.shape(0); ++i) {
    poll();
    coder.decode(rows.data() + i * coder.row_bytes(), vectors.data() + i * coder.size(),
                 scratch.data());
  }
}

template <typename Query>
void scores(const Query& query, const In2<uint8_t>& rows, const In1<int64_t>& starts,
            const In1<uint32_t>& candidates, const Out1<double>& out) {
  require(rows.shape(1) == query.row_bytes(), "rows have the wrong length");
  require(out.shape(0) == candidates.shape(0), "output length");
  for (size_t i = 0; i < candidates.shape(0); ++i) {
    check_set(starts, candidates(i), rows.shape(0));
  }
  max_sims(query, {rows.data(), starts.data(), query.row_bytes()}, candidates.data(),
           candidates.shape(0), out.data());
}

template <typename Query>
size_t parts_of(const Query& query, const In2<uint8_t>& rows, const In1<int64_t>& starts,
                uint32_t set, const Out1<int64_t>& part, const Out1<double>& similarity) {
  require(rows.shape(1) == query.row_bytes(), "rows have the wrong length");
  require(part.shape(0) == query.tokens() && similarity.shape(0) == query.tokens(),
          "output length");
  check_set(starts, set, rows.shape(0));
  require(starts(set) < starts(set + 1), "the set has no vectors");
  const Sets sets{rows.data(), starts.data(), query.row_bytes()};
  return parts(query, sets.of(set), part.data(), similarity.data());
}

void make_coded(CodedQuery* self, const TokenCoder& coder, const In2<float>& tokens) {
  require(tokens.shape(1) == coder.size(), "query tokens have the wrong length");
  new (self) CodedQuery(coder, tokens.data(), tokens.shape(0));
}

void make_exact(ExactQuery* self, const In2<float>& tokens, const std::string& metric,
                bool halves) {
  new (self) ExactQuery(tokens.data(), tokens.shape(0), tokens.shape(1),
                        halves ? RowType::float16 : RowType::float32, metric_of(metric));
}

void ward_clusters(const In2<float>& vectors, size_t clusters, const Out1<uint32_t>& labels) {
  const size_t n = vectors.shape(0);
  require(clusters >= 1 && clusters <= n, "clusters must be from 1 to the number of vectors");
  require(labels.shape(0) == n, "labels have the wrong length");
  WardTree(vectors.data(), n, vectors.shape(1)).cut(clusters, labels.data());
}

template <typename Query, typename Class>
void bind_query(Class& bound) {
  bound
      .def("scores", &scores<Query>, "rows"_a, "starts"_a, "candidates"_a, "out"_a.noconvert(),
           NoGil())
      .def("parts", &parts_of<Query>, "rows"_a, "starts"_a, "row"_a, "part"_a.noconvert(),
           "similarity"_a.noconvert(), NoGil());
}

}  // namespace

void bind_maxsim(nb::module_& m) {
  nb::class_<TokenCoder>(m, "TokenCoder")
      .def("__init__", &make_coder, "size"_a, "bits"_a, "signs"_a)
      .def_prop_ro("row_bytes", &TokenCoder::row_bytes)
      .def("encode", &encode, "vectors"_a, "rows"_a.noconvert(), "errors"_a.noconvert().none(),
           NoGil())
      .def("decode", &decode, "rows"_a, "vectors"_a.noconvert(), NoGil());
  nb::class_<CodedQuery> coded(m, "CodedQuery");
  coded.def("__init__", &make_coded, "coder"_a, "tokens"_a);
  bind_query<CodedQuery>(coded);
  nb::class_<ExactQuery> exact(m, "ExactQuery");
  exact.def("__init__", &make_exact, "tokens"_a, "metric"_a, "halves"_a);
  bind_query<ExactQuery>(exact);
  m.def("ward_clusters", &ward_clusters, "vectors"_a, "clusters"_a, "labels"_a.noconvert(),
        NoGil());
}

}  // namespace palimpsest
