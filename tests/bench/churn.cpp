#include "tests/bench/churn.hpp"

#include "tests/bench/statistics.hpp"

#include <csignal>

#include <fcntl.h>
#include <unistd.h>

namespace livesock::bench {

Churn::Churn(std::string directory, int files_a_second) {
    sigset_t all, before;
    sigfillset(&all); // signals are the main thread's
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this, directory, files_a_second] { work(directory, files_a_second); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Churn::~Churn() {
    stopping_ = true;
    thread_.join();
}

void Churn::work(const std::string& directory, int files_a_second) {
    const double begin = now_ns();
    while (!stopping_) {
        const double due = (now_ns() - begin) * 1e-9 * files_a_second;
        while (static_cast<double>(files_) < due) {
            const std::string path = directory + "/cc" + std::to_string(files_) + ".o";
            close(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
            unlink(path.c_str());
            ++files_;
        }
        usleep(500);
    }
}

} // namespace livesock::bench
