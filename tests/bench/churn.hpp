// A build machine's /tmp.
#pragma once

#include <atomic>
#include <string>
#include <thread>

namespace livesock::bench {

/// While it exists, a thread makes and removes `files_a_second` empty files in `directory`.
class Churn {
  public:
    Churn(std::string directory, int files_a_second);
    ~Churn();
    Churn(const Churn&) = delete;
    Churn& operator=(const Churn&) = delete;

    /// How many have come and gone.
    long files() const { return files_; }

  private:
    void work(const std::string& directory, int files_a_second);

    std::atomic<bool> stopping_ = false;
    std::atomic<long> files_ = 0;
    std::thread thread_;
};

} // namespace livesock::bench
