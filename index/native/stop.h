// How work is asked to stop: a flag that any thread may set, looked at by every loop that can run
// longer than some milliseconds.
//
// The flag of a thread is kept beside its scratch: whatever search runs there looks at the one that
// was made current (python/stops.cpp), so no loop can be called without it. Work of threads without
// one (writes, seals, builds) cannot be stopped by it.
#pragma once

#include <atomic>
#include <exception>

namespace palimpsest {

class Stop {
 public:
  void set() { set_.store(true, std::memory_order_relaxed); }
  bool is_set() const { return set_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> set_{false};
};

struct Stopped : std::exception {
  const char* what() const noexcept override { return "Stopped: nobody waits for the answer"; }
};

// Null where the work of this thread is not to be stopped.
inline const Stop*& current_stop() {
  static thread_local const Stop* current = nullptr;
  return current;
}

// Taken before a loop and called in it, at least once in some thousand rows. What is thrown leaves
// scratch as it is, which every search sets anew.
class Poll {
 public:
  void operator()() const {
    if (stop_ != nullptr && stop_->is_set()) [[unlikely]]
      throw Stopped();
  }

 private:
  const Stop* stop_ = current_stop();
};

}  // namespace palimpsest
