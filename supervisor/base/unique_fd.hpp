// A file descriptor with one owner.
#pragma once

#include <utility>

#include <unistd.h>

namespace livesock {

/// Owns at most one file descriptor and closes it when destroyed.
class [[nodiscard]] UniqueFd {
  public:
    UniqueFd() = default;
    /// Takes ownership of `fd`; a negative one means "none".
    explicit UniqueFd(int fd)
        : fd_(fd) {}
    UniqueFd(UniqueFd&& other) noexcept
        : fd_(other.release()) {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        reset(other.release());
        return *this;
    }
    ~UniqueFd() { reset(); }

    /// The descriptor, still owned; -1 if there is none.
    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }

    /// Hands the descriptor to the caller, who closes it.
    [[nodiscard]] int release() { return std::exchange(fd_, -1); }

    /// Closes what is owned and takes `fd` in its place. errno is kept.
    void reset(int fd = -1);

  private:
    int fd_ = -1;
};

/// Opens /dev/null for each of the three standard descriptors that is closed, so that nothing else
/// gets their numbers and is then taken for them. To be called first of all.
void open_standard_fds();

} // namespace livesock
