// Preloaded into a server: makes one sync of a file under $FAILING_FOLDER fail.
//
// $FAILING_SYNC is a file of 16 bytes, shared with the test: how many syncs from now the failing
// one is (1 the next, 0 none, -1 all of them), and the error it fails with. As on Linux, the one
// after it succeeds.

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

struct Failing {
  std::atomic<int64_t> left;
  std::atomic<int64_t> error;
};

Failing* map_failing() {
  const int file = open(std::getenv("FAILING_SYNC"), O_RDWR | O_CLOEXEC);
  void* mapped = mmap(nullptr, sizeof(Failing), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (mapped == MAP_FAILED) std::abort();
  close(file);
  return static_cast<Failing*>(mapped);
}

bool is_under_test(int file) {
  static const char* folder = std::getenv("FAILING_FOLDER");
  char link[64], path[4096];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const ssize_t length = readlink(link, path, sizeof path);
  const size_t wanted = std::strlen(folder);
  return length > 0 && size_t(length) > wanted && std::memcmp(path, folder, wanted) == 0;
}

int sync(int file, const char* name) {
  static Failing* failing = map_failing();
  const int64_t left = is_under_test(file) ? failing->left.load() : 0;
  if (left > 0) --failing->left;
  if (left == 1 || left < 0) {
    errno = int(failing->error);
    return -1;
  }
  return reinterpret_cast<int (*)(int)>(dlsym(RTLD_NEXT, name))(file);
}

}  // namespace

extern "C" int fsync(int file) { return sync(file, "fsync"); }

extern "C" int fdatasync(int file) { return sync(file, "fdatasync"); }
