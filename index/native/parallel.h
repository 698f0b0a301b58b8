// Threads for long background work: started once, run loops in chunks, leave the cores to others.
//
// On Linux niceness belongs to the thread, and without rights it only ever rises: a thread that
// gave way cannot be brought back. So there are two kinds, and a share says how many of each work:
// the first `share` of the slots are worked by threads of the caller's own priority, the caller's
// among them, which get their part of the cores however busy these are; the others by threads that
// give way to everything (niceness 19), for cores that are idle. The share may change between two
// loops, so that work speeds up while it is under way.
//
// A loop ends when its last chunk has: a thread that gives way, and was given no core in the middle
// of a chunk, would keep all others waiting. One that finds that it starves leaves the work to
// threads of the other kind, for twenty times as long as it kept them waiting.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
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
#include <time.h>
#include <unistd.h>
#endif

namespace palimpsest {

// On Linux niceness belongs to the thread: searches on other threads go first.
inline void lower_priority_of_this_thread() {
#if defined(__linux__)
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), 19);
#endif
}

// Since it began: whether this thread was kept from the cores for most of the time.
class Lap {
 public:
  using Clock = std::chrono::steady_clock;

  // The time it took where it starved, else 0.
  Clock::duration starved() const {
    const auto wall = Clock::now() - begun_;
    return wall > kShort && wall > 3 * (worked() - worked_) ? wall : Clock::duration::zero();
  }

 private:
  static constexpr std::chrono::milliseconds kShort{3};

  static std::chrono::nanoseconds worked() {
#if defined(__linux__)
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
#else
    return Clock::now().time_since_epoch();  // niceness is the program's: no thread starves
#endif
  }

  Clock::time_point begun_ = Clock::now();
  std::chrono::nanoseconds worked_ = worked();
};

class Threads {
 public:
  using Loop = std::function<void(size_t from, size_t to, size_t thread)>;

  // `share` may be changed by other threads; without one all threads give way. With one there may
  // be none that do.
  explicit Threads(size_t count, const std::atomic<size_t>* share = nullptr, bool some_yield = true)
      : count_(std::max<size_t>(count, 1)), share_(share) {
    while (some_yield && yielding_ < count_ && start(yielding_, true)) ++yielding_;
  }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
  ~Threads() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    wake_yielding_.notify_all();
    for (std::thread& t : threads_) t.join();
  }

  // Slots: the numbers of threads that a loop is called with are below it.
  size_t count() const { return count_; }

  // Calls loop(from, to, thread) for chunks of [0, n), each once, and waits. What a loop throws is
  // thrown again here once all threads have stopped; chunks may then be left out.
  void run(size_t n, size_t chunk, const Loop& loop) {
    if (n == 0) return;
    const size_t firm = firm_now();
    std::unique_lock lock(mutex_);
    loop_ = &loop;
    n_ = n;
    chunk_ = chunk;
    firm_ = firm;
    next_.store(0, std::memory_order_relaxed);
    ++round_;
    // One chunk needs no other thread.
    if (firm > 1 && n > chunk) wake_.notify_all();
    // Not even woken while they rest: to look what there is to do they would hold the lock.
    if (firm == 0 || (n > chunk && Clock::now() >= rests_until_)) wake_yielding_.notify_all();
    if (firm > 0) take_part(lock, 0, false);
    done_.wait(lock, [this] { return inside_ == 0 && is_given_out(); });
    if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr int kRests = 20;  // times what the others waited

  bool start(size_t slot, bool yields) {
    try {
      threads_.emplace_back([this, slot, yields] {
        if (yields) lower_priority_of_this_thread();
        work(slot, yields);
      });
    } catch (const std::system_error&) {  // a limit on threads: work with those there are
      return false;
    }
    return true;
  }

  // How many slots threads of the caller's priority work now; the first of them is the caller's.
  size_t firm_now() {
    const size_t share = share_ == nullptr ? 0 : share_->load(std::memory_order_relaxed);
    const size_t wanted = std::clamp<size_t>(share, yielding_ == 0 ? 1 : 0, count_);
    while (started_ < wanted && start(started_, false)) ++started_;
    return std::min(wanted, started_);
  }

  bool is_given_out() const { return next_.load(std::memory_order_relaxed) >= n_; }

  bool is_due(size_t slot, bool yields) const {
    if (!yields) return slot < firm_;
    return slot >= firm_ && (firm_ == 0 || Clock::now() >= rests_until_);
  }

  void work(size_t slot, bool yields) {
    std::unique_lock lock(mutex_);
    for (uint64_t seen = 0;;) {
      (yields ? wake_yielding_ : wake_).wait(lock, [&] {
        return stopping_ || (round_ != seen && is_due(slot, yields));
      });
      if (stopping_) return;
      seen = round_;
      take_part(lock, slot, yields);
    }
  }

  // Works on what is left of the loop; a loop is over only when all have left it.
  void take_part(std::unique_lock<std::mutex>& lock, size_t slot, bool yields) {
    if (is_given_out()) return;
    ++inside_;
    lock.unlock();
    std::exception_ptr thrown;
    Clock::duration starved{};
    try {
      for (size_t from; starved == Clock::duration::zero() &&
                        (from = next_.fetch_add(chunk_, std::memory_order_relaxed)) < n_;) {
        const Lap lap;
        (*loop_)(from, std::min(from + chunk_, n_), slot);
        if (yields && firm_ > 0) starved = lap.starved();
      }
    } catch (...) {
      thrown = std::current_exception();
      // No further chunks: the first exception is what the caller gets.
      next_.store(n_, std::memory_order_relaxed);
    }
    lock.lock();
    if (starved > Clock::duration::zero()) rests_until_ = Clock::now() + kRests * starved;
    if (thrown && !thrown_) thrown_ = thrown;
    if (--inside_ == 0) done_.notify_one();
  }

  size_t count_;
  const std::atomic<size_t>* share_;
  size_t yielding_ = 0, started_ = 1;  // threads of either kind, the caller's among the latter
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable wake_, wake_yielding_, done_;
  std::atomic<size_t> next_{0};
  const Loop* loop_ = nullptr;
  size_t n_ = 0, chunk_ = 1, firm_ = 0, inside_ = 0;
  uint64_t round_ = 0;
  Clock::time_point rests_until_{};
  bool stopping_ = false;
  std::exception_ptr thrown_;
};

// Threads of the caller's own priority for several short searches at once. Whoever calls while they
// are at work for another does all of it alone: to wait would take as long.
class SearchThreads {
 public:
  explicit SearchThreads(size_t count) : share_(count), threads_(count, &share_, false) {}

  size_t count() const { return threads_.count(); }

  void run(size_t n, const Threads::Loop& loop) {
    const std::unique_lock lock(in_use_, std::try_to_lock);
    if (n > 1 && lock.owns_lock()) {
      threads_.run(n, 1, loop);
    } else {
      loop(0, n, 0);
    }
  }

 private:
  const std::atomic<size_t> share_;
  Threads threads_;
  std::mutex in_use_;
};

}  // namespace palimpsest
