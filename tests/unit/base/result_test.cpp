#include "supervisor/base/result.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <memory>

using namespace livesock;

TEST_CASE("a result holds its value") {
    Result<std::string> result(std::string("live"));
    CHECK(result.ok());
    CHECK(*result == "live");
    CHECK(result->size() == 4);
    result.value() += "sock";
    CHECK(*std::as_const(result) == "livesock");
}

TEST_CASE("a result holds why there is none") {
    const Result<int> result(Error{"no agent", ENOENT});
    CHECK_FALSE(result);
    CHECK(result.error().message == "no agent");
    CHECK(result.error().code == ENOENT);
}

TEST_CASE("a value that can only be moved is moved out") {
    Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
    const std::unique_ptr<int> value = *std::move(result);
    CHECK(*value == 7);
}

TEST_CASE("a result without a value is success or an error") {
    CHECK(Result<void>().ok());
    const Result<void> failed(Error{"no", 3});
    CHECK_FALSE(failed);
    CHECK(failed.error().code == 3);
}

TEST_CASE("an error of the system says what it means") {
    const Error error = system_error("cannot open 'x'", ENOENT);
    CHECK(error.message == "cannot open 'x': No such file or directory");
    CHECK(error.code == ENOENT);
}
