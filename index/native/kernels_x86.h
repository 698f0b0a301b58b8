// What the AVX2 and AVX-512 levels share; compiled once for each by including this file inside a
// namespace. Needs kernels.h and immintrin.h.

namespace {

// Codes x_u of `n` dimensions, a multiple of 64, of 2 or 4 bits, as bytes.
template <int bits>
inline void unpack_below_byte(const uint8_t* code, size_t n, uint8_t* out) {
  static_assert(bits == 2 || bits == 4);
  for (size_t at = 0; at < n; at += kBlock) {
    const uint8_t* from = code + at * bits / 8;
    // There is no shift of bytes: what comes over from the neighbour is masked away.
    if constexpr (bits == 4) {
      const __m256i low = _mm256_set1_epi8(15);
      const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
      __m256i* to = reinterpret_cast<__m256i*>(out + at);
      _mm256_storeu_si256(to, _mm256_and_si256(x, low));
      _mm256_storeu_si256(to + 1, _mm256_and_si256(_mm256_srli_epi16(x, 4), low));
    } else {
      const __m128i low = _mm_set1_epi8(3);
      const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
      __m128i* to = reinterpret_cast<__m128i*>(out + at);
      _mm_storeu_si128(to, _mm_and_si128(x, low));
      _mm_storeu_si128(to + 1, _mm_and_si128(_mm_srli_epi16(x, 2), low));
      _mm_storeu_si128(to + 2, _mm_and_si128(_mm_srli_epi16(x, 4), low));
      _mm_storeu_si128(to + 3, _mm_and_si128(_mm_srli_epi16(x, 6), low));
    }
  }
}

}  // namespace
