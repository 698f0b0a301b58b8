// Stops: the flag that tells the searches of a thread to end.
#include "bindings.h"

namespace palimpsest {
namespace {

// Makes a stop current in this thread, none where it is none; the caller keeps it alive, and what
// it replaces.
void make_current(const Stop* stop) { current_stop() = stop; }

bool is_stopped() { return current_stop() != nullptr && current_stop()->is_set(); }

void require(bool ok, const std::string& what) {
  if (!ok) throw std::invalid_argument(what);
}

}  // namespace

void bind_stops(nb::module_& m) {
  nb::class_<Stop>(m, "Stop").def(nb::init<>()).def("set", &Stop::set).def("is_set", &Stop::is_set);
  nb::exception<Stopped>(m, "Stopped");
  m.def("make_current", &make_current, "stop"_a.none());
  m.def("is_stopped", &is_stopped);
}

}  // namespace palimpsest
