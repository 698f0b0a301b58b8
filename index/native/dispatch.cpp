// Chooses the kernel level once: the best this CPU has, or the one PALIMPSEST_SIMD names.
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "kernels.h"

namespace palimpsest {

const Kernels* kernels_by_name(const char* name) {
  for (const Kernels* k : {kernels_scalar(), kernels_avx2(), kernels_avx512(), kernels_neon()}) {
    if (k != nullptr && std::strcmp(k->name, name) == 0) return k;
  }
  return nullptr;
}

namespace {

const Kernels& choose() {
  if (const char* wanted = std::getenv("PALIMPSEST_SIMD"); wanted != nullptr && *wanted != '\0') {
    if (const Kernels* k = kernels_by_name(wanted)) return *k;
    throw std::runtime_error(std::string("PALIMPSEST_SIMD=") + wanted +
                             " is not a level of this build on this CPU; choose one of scalar, "
                             "avx2, avx512, neon that it has, or unset it");
  }
  // Best first. A level that this CPU lacks is null, so one build runs on every CPU of its family.
  for (const Kernels* k : {kernels_avx512(), kernels_avx2(), kernels_neon()}) {
    if (k != nullptr) return *k;
  }
  return *kernels_scalar();
}

}  // namespace

const Kernels& kernels() {
  // C++ makes one choice however many threads come first.
  static const Kernels& chosen = choose();
  return chosen;
}

}  // namespace palimpsest
