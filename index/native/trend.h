// What is told of scores that are not known yet, by values that are: a line through the ones that
// are, and how far off it they lie.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

namespace palimpsest {

// Least squares, by means and sums about them that each pair is added to (Welford, Technometrics
// 4(3), 1962), so that nothing is lost where scores are large and alike.
class Trend {
 public:
  // The k largest scores are remembered.
  explicit Trend(size_t k) : k_(k) {}

  void add(double value, double score) {
    pairs_.push_back({value, score});
    const double n = static_cast<double>(pairs_.size());
    const double dx = value - mean_x_, dy = score - mean_y_;
    mean_x_ += dx / n;
    mean_y_ += dy / n;
    xx_ += dx * (value - mean_x_);
    xy_ += dx * (score - mean_y_);
    yy_ += dy * (score - mean_y_);
    if (best_.size() == k_) {
      if (k_ == 0 || !(score > best_.front())) return;
      std::pop_heap(best_.begin(), best_.end(), std::greater<double>());
      best_.pop_back();
    }
    best_.push_back(score);
    std::push_heap(best_.begin(), best_.end(), std::greater<double>());
  }

  // The k-th largest score; minus infinity while there are fewer.
  double limit() const {
    return k_ > 0 && best_.size() == k_ ? best_.front() : -std::numeric_limits<double>::infinity();
  }

  // What a score at `value` hardly exceeds: so many deviations above the line, or as far above it
  // as any that is known, where these have a long tail. The line is level where it would fall, for
  // more is never worse. Infinity where too few are known.
  double most(double value, double deviations) const {
    if (pairs_.size() < 3) return std::numeric_limits<double>::infinity();
    const double slope = xx_ > 0.0 ? std::max(xy_ / xx_, 0.0) : 0.0;
    const double off = yy_ + slope * (slope * xx_ - 2.0 * xy_);
    const double deviation = std::sqrt(std::max(off, 0.0) / static_cast<double>(pairs_.size() - 2));
    double above = deviations * deviation;
    for (const Pair& one : pairs_) {
      above = std::max(above, one.score - mean_y_ - slope * (one.value - mean_x_));
    }
    return mean_y_ + slope * (value - mean_x_) + above;
  }

 private:
  struct Pair {
    double value, score;
  };
  size_t k_;
  double mean_x_ = 0.0, mean_y_ = 0.0, xx_ = 0.0, xy_ = 0.0, yy_ = 0.0;
  std::vector<Pair> pairs_;
  std::vector<double> best_;  // a heap, the least on top
};

}  // namespace palimpsest
