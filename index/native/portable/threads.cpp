// What libstdc++ asks of glibc since 2.32, answered here: whether a process has one thread alone.
// It may have several, always; then reference counts are atomic, as they were before it could ask.
extern "C" __attribute__((visibility("hidden"))) char __libc_single_threaded;
char __libc_single_threaded = 0;
