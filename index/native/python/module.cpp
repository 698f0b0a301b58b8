// The module _native: what it holds, by the files that bind it.
#include "bindings.h"

NB_MODULE(_native, m) {
  namespace p = palimpsest;
  nanobind::set_leak_warnings(false);  // an open database at exit is no leak
  p::kernels();  // a wrong PALIMPSEST_SIMD fails the import, not the first search
  m.def("simd_level", [] { return p::kernels().name; });
  p::bind_stops(m);
  p::bind_encoder(m);
  p::bind_fde(m);
  p::bind_graphs(m);
  p::bind_allowed(m);
  p::bind_segment(m);
  p::bind_ready(m);
  p::bind_sparse(m);
  p::bind_ranked(m);
  p::bind_maxsim(m);
  p::bind_lists(m);
  p::bind_sums(m);
  p::bind_text(m);
  p::bind_sets(m);
}
