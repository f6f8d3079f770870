#include "supervisor/agent/token_file.hpp"

#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace livesock;

namespace {

Result<std::string> token_of(const TempDir& temp, const std::string& text, mode_t mode = 0600) {
    const std::string path = temp.write("token", text);
    ::chmod(path.c_str(), mode);
    return read_token(path);
}

} // namespace

TEST_CASE("a token is the one line of its file") {
    const TempDir temp;
    const std::string token(44, 'a');
    CHECK(*token_of(temp, token) == token);
    CHECK(*token_of(temp, token + "\n") == token);
    CHECK(*token_of(temp, token + " \r\n\n") == token);
    CHECK(*token_of(temp, token, 0400) == token);
}

TEST_CASE("what is no token is refused, with what to do") {
    const TempDir temp;
    for (const std::string& wrong :
         {std::string(), std::string(31, 'a'), std::string(1025, 'a'), std::string(40, '\0'),
          std::string(20, 'a') + "\n" + std::string(20, 'a'), std::string(40, '\xff')}) {
        const Result<std::string> token = token_of(temp, wrong);
        REQUIRE(!token);
        CHECK(token.error().message.find("openssl rand") != std::string::npos);
    }
}

TEST_CASE("a token that others can read is none") {
    const TempDir temp;
    for (const mode_t mode : {0640U, 0604U, 0620U, 0666U}) {
        const Result<std::string> token = token_of(temp, std::string(40, 'a'), mode);
        REQUIRE(!token);
        CHECK(token.error().message.find("chmod 600") != std::string::npos);
    }
}

TEST_CASE("a token file that is no file is not waited for") {
    const TempDir temp;
    CHECK(!read_token(temp.path()));
    CHECK(!read_token(temp.entry("nothing")));
    REQUIRE(::mkfifo(temp.entry("fifo").c_str(), 0600) == 0);
    CHECK(!read_token(temp.entry("fifo")));
}
