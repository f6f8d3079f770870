// A private directory for one test, and its environment.
#pragma once

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>

namespace livesock {

/// A new directory (mode 0700) with a short absolute path; removed with all that is in it.
class TempDir {
  public:
    TempDir() {
        std::string name = "/tmp/livesock-test-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr)
            throw std::system_error(errno, std::generic_category(), "mkdtemp");
        path_ = name;
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    const std::string& path() const { return path_; }

    /// The absolute path of the entry `name`, which may not exist.
    std::string entry(std::string_view name) const { return path_ + '/' + std::string(name); }

    /// Makes the file `name` with `text` in it, in place of what it had. Returns its path.
    std::string write(std::string_view name, std::string_view text) const {
        const std::string path = entry(name);
        std::ofstream(path, std::ios::binary) << text;
        return path;
    }

    /// What is in the file `name`.
    std::string read(std::string_view name) const {
        std::ostringstream text;
        text << std::ifstream(entry(name), std::ios::binary).rdbuf();
        return text.str();
    }

  private:
    std::string path_;
};

/// Sets an environment variable (nullptr: unsets it) until it is destroyed.
class ScopedVariable {
  public:
    ScopedVariable(const char* name, const char* value)
        : name_(name) {
        if (const char* const old = std::getenv(name))
            old_ = old;
        assign(value);
    }
    ScopedVariable(const ScopedVariable&) = delete;
    ScopedVariable& operator=(const ScopedVariable&) = delete;
    ~ScopedVariable() { assign(old_ ? old_->c_str() : nullptr); }

  private:
    void assign(const char* value) {
        if (value == nullptr)
            ::unsetenv(name_);
        else
            ::setenv(name_, value, 1);
    }

    const char* name_;
    std::optional<std::string> old_;
};

} // namespace livesock
