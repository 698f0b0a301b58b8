// Preloaded into a server: makes the disk under $FULL_DISK_FOLDER as full as a test wants it.
//
// $FULL_DISK_ROOM is a file of 8 bytes, shared with the test: how many bytes files may still grow
// by. A write that does not fit is cut short, and fails with ENOSPC once nothing of it fits, as on
// a real disk. Bytes written in place take no room, truncating gives some back, and deleting none,
// so that the disk stays full until the test says otherwise.

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

using Room = std::atomic<int64_t>;

Room* map_room() {
  const int file = open(std::getenv("FULL_DISK_ROOM"), O_RDWR | O_CLOEXEC);
  void* mapped = mmap(nullptr, sizeof(Room), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (mapped == MAP_FAILED) std::abort();
  close(file);
  return static_cast<Room*>(mapped);
}

Room& room() {
  static Room* mapped = map_room();
  return *mapped;
}

bool is_on_disk(int file, struct stat* status) {
  if (fstat(file, status) != 0 || !S_ISREG(status->st_mode)) return false;
  static const char* folder = std::getenv("FULL_DISK_FOLDER");
  char link[64], path[4096];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const ssize_t length = readlink(link, path, sizeof path);
  const size_t wanted = std::strlen(folder);
  return length > 0 && size_t(length) > wanted && std::memcmp(path, folder, wanted) == 0;
}

// How many of the bytes fit; -1 with errno set when none does.
ssize_t fitting(int file, size_t bytes, off_t at) {
  struct stat status;
  if (bytes == 0 || !is_on_disk(file, &status)) return bytes;
  if (at < 0) at = fcntl(file, F_GETFL) & O_APPEND ? status.st_size : lseek(file, 0, SEEK_CUR);
  const int64_t growth = std::max<int64_t>(0, at + int64_t(bytes) - status.st_size);
  int64_t left = room().load();
  while (!room().compare_exchange_weak(left, left - std::min(left, growth))) {
  }
  const int64_t fit = int64_t(bytes) - std::max<int64_t>(0, growth - left);
  if (fit > 0) return fit;
  errno = ENOSPC;
  return -1;
}

template <typename Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

using Truncate = int(int, off_t);
using Write = ssize_t(int, const void*, size_t);
using WriteAt = ssize_t(int, const void*, size_t, off_t);

}  // namespace

extern "C" ssize_t write(int file, const void* bytes, size_t n) {
  static Write* call = real<Write>("write");
  const ssize_t fit = fitting(file, n, -1);
  return fit < 0 ? fit : call(file, bytes, size_t(fit));
}

extern "C" ssize_t pwrite(int file, const void* bytes, size_t n, off_t at) {
  static WriteAt* call = real<WriteAt>("pwrite");
  const ssize_t fit = fitting(file, n, at);
  return fit < 0 ? fit : call(file, bytes, size_t(fit), at);
}

extern "C" ssize_t pwrite64(int file, const void* bytes, size_t n, off64_t at) {
  return pwrite(file, bytes, n, at);
}

extern "C" int posix_fallocate(int file, off_t at, off_t length) {
  using Allocate = int(int, off_t, off_t);
  static Allocate* call = real<Allocate>("posix_fallocate");
  struct stat status;
  if (!is_on_disk(file, &status)) return call(file, at, length);
  const int64_t growth = std::max<int64_t>(0, at + length - status.st_size);
  if (room() < growth) return ENOSPC;
  room() -= growth;
  return call(file, at, length);
}

extern "C" int posix_fallocate64(int file, off64_t at, off64_t length) {
  return posix_fallocate(file, at, length);
}

extern "C" int ftruncate(int file, off_t length) {
  static Truncate* call = real<Truncate>("ftruncate");
  struct stat status;
  if (is_on_disk(file, &status)) room() += std::max<int64_t>(0, status.st_size - length);
  return call(file, length);
}

extern "C" int ftruncate64(int file, off64_t length) { return ftruncate(file, length); }
