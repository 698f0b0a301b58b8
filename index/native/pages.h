// Huge pages under large arrays that are read at random.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace palimpsest {

// Asks for huge pages under reserved memory that was not touched yet; advice, and no more. Of 4 kB
// a processor remembers where a few thousand lie, less than the codes of 48,000 rows.
inline void prefer_huge_pages([[maybe_unused]] const void* from, [[maybe_unused]] size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  constexpr uintptr_t kHuge = size_t{2} << 20;
  const auto begin = reinterpret_cast<uintptr_t>(from);
  // Whole ones alone: what lies around the array is left as it is.
  const uintptr_t first = (begin + kHuge - 1) / kHuge * kHuge,
                  last = (begin + bytes) / kHuge * kHuge;
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#endif
}

}  // namespace palimpsest
