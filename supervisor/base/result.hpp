// What can fail at run time returns a Result: a value, or an Error worded for the reader of the log.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace livesock {

/// Why something failed, as a sentence for a person: what was attempted on which path, why it
/// failed and, where it can be said, what to do. `code` is the errno behind it, 0 if there is none.
struct Error {
    std::string message;
    int code = 0;
};

/// An Error that says "`what`: <strerror(code)>", keeping `code`.
[[nodiscard]] Error system_error(const std::string& what, int code);

/// Either a T or the Error that prevented it. Asking a failed Result for its value is a bug.
template <class T>
class [[nodiscard]] Result {
  public:
    Result(T value)
        : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error)
        : state_(std::in_place_index<1>, std::move(error)) {}

    bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }

    T& value() & {
        assert(ok());
        return std::get<0>(state_);
    }
    const T& value() const& {
        assert(ok());
        return std::get<0>(state_);
    }
    T&& value() && {
        assert(ok());
        return std::get<0>(std::move(state_));
    }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

    T value_or(T other) && { return ok() ? std::get<0>(std::move(state_)) : std::move(other); }

    const Error& error() const {
        assert(!ok());
        return std::get<1>(state_);
    }

  private:
    std::variant<T, Error> state_;
};

/// Success without a value, or the Error that prevented it.
template <>
class [[nodiscard]] Result<void> {
  public:
    Result() = default;
    Result(Error error)
        : error_(std::move(error)) {}

    bool ok() const { return !error_; }
    explicit operator bool() const { return ok(); }
    const Error& error() const {
        assert(!ok());
        return *error_;
    }

  private:
    std::optional<Error> error_;
};

} // namespace livesock
