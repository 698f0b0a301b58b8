// Threads for long background work: started once, run loops in chunks, yield to everything else.
#pragma once

#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace palimpsest {

// On Linux niceness belongs to the thread: searches on other threads go first.
inline void lower_priority_of_this_thread() {
#if defined(__linux__)
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), 19);
#endif
}

class Threads {
 public:
  using Loop = std::function<void(size_t from, size_t to, size_t thread)>;

  explicit Threads(size_t count) {
    for (size_t i = 0; i < std::max<size_t>(count, 1); ++i) {
      try {
        threads_.emplace_back([this, i] {
          lower_priority_of_this_thread();
          work(i);
        });
      } catch (const std::system_error&) {  // a limit on threads: work with those there are
        if (threads_.empty()) throw;
        break;
      }
    }
  }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
  ~Threads() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& t : threads_) t.join();
  }

  size_t count() const { return threads_.size(); }

  // Calls loop(from, to, thread) for chunks of [0, n), each once, and waits. What a loop throws is
  // thrown again here once all threads have stopped; chunks may then be left out.
  void run(size_t n, size_t chunk, const Loop& loop) {
    std::unique_lock lock(mutex_);
    loop_ = &loop;
    n_ = n;
    chunk_ = chunk;
    next_.store(0, std::memory_order_relaxed);
    busy_ = threads_.size();
    ++round_;
    wake_.notify_all();
    done_.wait(lock, [this] { return busy_ == 0; });
    if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
  }

 private:
  void work(size_t thread) {
    for (uint64_t seen = 0;;) {
      const Loop* loop;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return stopping_ || round_ != seen; });
        if (stopping_) return;
        seen = round_;
        loop = loop_;
      }
      std::exception_ptr thrown;
      try {
        for (size_t from; (from = next_.fetch_add(chunk_, std::memory_order_relaxed)) < n_;) {
          (*loop)(from, std::min(from + chunk_, n_), thread);
        }
      } catch (...) {
        thrown = std::current_exception();
        next_.store(n_, std::memory_order_relaxed);
      }
      std::lock_guard lock(mutex_);
      if (thrown && !thrown_) thrown_ = thrown;
      if (--busy_ == 0) done_.notify_one();
    }
  }

  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::atomic<size_t> next_{0};
  const Loop* loop_ = nullptr;
  size_t n_ = 0, chunk_ = 1, busy_ = 0;
  uint64_t round_ = 0;
  bool stopping_ = false;
  std::exception_ptr thrown_;
};

}  // namespace palimpsest
