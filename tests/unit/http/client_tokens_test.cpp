#include "supervisor/http/client_tokens.hpp"

#include "tests/support/temp_dir.hpp"

#include <cerrno>

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace livesock;

namespace {

const std::string hash(64, 'a');

} // namespace

TEST_CASE("a token that was added is valid until it is revoked") {
    const TempDir temp;
    ClientTokens tokens(temp.entry("tokens"));
    const Result<std::string> one = tokens.add("one");
    const Result<std::string> two = tokens.add("two");
    REQUIRE(one);
    REQUIRE(two);
    CHECK(one->starts_with("lsk_"));
    CHECK(one->size() == 4 + 43);
    CHECK(*one != *two);
    ClientTokens reader(temp.entry("tokens"));
    CHECK(*reader.check(*one) == "one");
    CHECK(*reader.check(*two) == "two");
    CHECK_FALSE(*reader.check(*one + "x"));
    CHECK_FALSE(*reader.check(""));
    CHECK_FALSE(*reader.check(std::string(100'000, 'x')));
    REQUIRE(tokens.revoke("one"));
    CHECK_FALSE(*reader.check(*one));
    CHECK(*reader.check(*two) == "two");
}

TEST_CASE("the file is the user's alone, and holds no token") {
    const TempDir temp;
    ClientTokens tokens(temp.entry("tokens"));
    const Result<std::string> token = tokens.add("one");
    REQUIRE(token);
    struct stat status {};
    REQUIRE(::stat(tokens.path().c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    CHECK(temp.read("tokens").find(token->substr(4)) == std::string::npos);
    CHECK(tokens.list()->at(0).name == "one");

    REQUIRE(::chmod(tokens.path().c_str(), 0640) == 0);
    CHECK_FALSE(tokens.check(*token));
    CHECK_FALSE(tokens.add("two"));
    REQUIRE(::chmod(tokens.path().c_str(), 0600) == 0);
    CHECK(*tokens.check(*token) == "one");
}

TEST_CASE("without a file nobody gets in, and there is nothing to list") {
    const TempDir temp;
    ClientTokens tokens(temp.entry("tokens"));
    CHECK_FALSE(tokens.check("lsk_x"));
    CHECK(tokens.list()->empty());
    const Result<void> revoked = tokens.revoke("one");
    REQUIRE_FALSE(revoked);
    CHECK(revoked.error().code == ENOENT);
}

TEST_CASE("names are few characters, and each is there once") {
    const TempDir temp;
    ClientTokens tokens(temp.entry("tokens"));
    for (const char* const bad : {"", "-x", ".x", "a b", "a\nb", "a/b", "\xc3\xa4", "#a"})
        CHECK_MESSAGE(!tokens.add(bad), bad);
    CHECK_FALSE(tokens.add(std::string(65, 'a')));
    CHECK(tokens.add(std::string(64, 'a')));
    CHECK(tokens.add("ci.host_1-2"));
    CHECK_FALSE(tokens.add("ci.host_1-2"));
}

TEST_CASE("a file that is no token file is refused as a whole") {
    CHECK(parse_tokens("# text\n\n one  " + hash + " 2026-01-31\ntwo " + hash)->size() == 2);
    for (const std::string& bad : {
             std::string("one\n"),
             "one " + hash.substr(1),
             "one " + hash + "a",
             "one " + std::string(64, 'A'),
             "one " + hash + " date more",
             "o/ne " + hash,
         })
        CHECK_FALSE_MESSAGE(parse_tokens(bad), bad);
    std::string many;
    for (std::size_t i = 0; i <= most_tokens; ++i)
        many += "t" + std::to_string(i) + ' ' + hash + '\n';
    CHECK_FALSE(parse_tokens(many));
    CHECK_FALSE(parse_tokens(std::string(100'000, '\n')));
}
