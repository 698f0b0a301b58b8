// Graphs: checked when they are taken in, and built.
#include "bindings.h"

#include "freeze.h"

namespace palimpsest {
namespace {

void make_graph(BoundGraph* self, const In1<uint32_t>& offsets, const In1<uint8_t>& links,
                size_t width, size_t top_level, uint32_t entry_row, const In1<uint32_t>& upper_rows,
                const In1<uint32_t>& upper_down, const In1<uint32_t>& upper_offsets,
                const In1<uint32_t>& upper_links) {
  require(offsets.shape(0) >= 1, "offsets must have at least one value");
  const size_t upper_n = upper_rows.shape(0);
  require(upper_down.shape(0) == upper_n && (upper_n == 0 || upper_offsets.shape(0) == upper_n + 1),
          "graph arrays do not fit together: upper lengths");
  FrozenGraph graph{offsets.shape(0) - 1,
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
  // Arrays may be mapped from a file: everything is checked once, and walks check nothing.
  check_graph(graph, links.shape(0), upper_links.shape(0));
  graph.has_copies = any_copies(graph);
  new (self) BoundGraph{
      graph, nb::make_tuple(offsets, links, upper_rows, upper_down, upper_offsets, upper_links)};
}

// One build, which another thread may cancel or speed up while it runs: both are atomics that the
// builder looks at while it works.
struct Build {
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
    // A key has 31 bits for a row (pool.h).
    require(n < (size_t{1} << 31), "a segment holds fewer than 2^31 rows");
    // The neighbours of a row are scored as one batch.
    require(M >= 2 && 2 * M <= kBatch && ef_construction >= 1, "M or ef_construction out of range");
    // Offsets are 32 bits.
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
    // Arrays are moved out, so a second call has nothing to give.
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

}  // namespace

void bind_graphs(nb::module_& m) {
  nb::class_<BoundGraph>(m, "Graph")
      .def("__init__", &make_graph, "offsets"_a, "links"_a, "width"_a, "top_level"_a, "entry_row"_a,
           "upper_rows"_a, "upper_down"_a, "upper_offsets"_a, "upper_links"_a)
      .def(
          "unreachable", [](const BoundGraph& self) { return unreachable_rows(self.graph); },
          NoGil())
      .def_prop_ro("has_copies", [](const BoundGraph& self) { return self.graph.has_copies; });

  nb::class_<Build>(m, "GraphBuild")
      .def(nb::init<>())
      .def("cancel", &Build::cancel)
      .def("share", &Build::share, "threads"_a)
      .def("run", &Build::run, "vectors"_a, "metric"_a, "order"_a, "M"_a, "ef_construction"_a,
           "seed"_a, "threads"_a, NoGil())
      .def("take", &Build::take);
}

}  // namespace palimpsest
