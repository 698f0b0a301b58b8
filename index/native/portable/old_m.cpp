// For the linker alone: the functions whose default version in libm is newer than glibc 2.28, as
// that of log is 2.29, which sets no errno. See portable.cmake.
extern "C" {
void exp() {}
void log() {}
void log2() {}
void pow() {}
}
