#include "supervisor/agent/message.hpp"

#include "supervisor/agent/wire.hpp"

#include <doctest/doctest.h>

using namespace livesock;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

RequestKind kind_of_frame(const std::string& frame) {
    return kind_of(Message(frame));
}

RequestKind kind_of_extension(std::string_view contents) {
    return kind_of_frame(make_frame(MessageType::extension, contents));
}

} // namespace

TEST_CASE("a frame is the length, the type and the contents") {
    CHECK(make_frame(MessageType::failure) == "\0\0\0\1\5"s);
    CHECK(make_frame(MessageType::sign_request, "ab") == "\0\0\0\3\15ab"s);
}

TEST_CASE("a message shows the type and the contents of its frame") {
    const std::string frame = "\0\0\0\4\13\0xy"s;
    const Message message(frame);
    CHECK(message.type() == MessageType::request_identities);
    CHECK(message.contents() == "\0xy"sv);
    CHECK(message.frame() == frame);
    CHECK(Message("\0\0\0\1\13"sv).contents().empty());
}

TEST_CASE("of all message numbers only list, sign and extension are more than other") {
    for (int number = 0; number < 256; ++number) {
        CAPTURE(number);
        const RequestKind kind = kind_of_frame(make_frame(static_cast<MessageType>(number)));
        if (number == 11)
            CHECK(kind == RequestKind::list);
        else if (number == 13)
            CHECK(kind == RequestKind::sign);
        else
            CHECK(kind == RequestKind::other);
    }
}

TEST_CASE("an extension is told by its whole name") {
    CHECK(kind_of_extension(WireWriter().string("query").bytes()) == RequestKind::query);
    CHECK(kind_of_extension(WireWriter().string("query").string("more").bytes()) ==
          RequestKind::query);
    CHECK(kind_of_extension(WireWriter().string("session-bind@openssh.com").string("k").bytes()) ==
          RequestKind::session_bind);
    for (const std::string_view name :
         {""sv, "quer"sv, "query "sv, "query\0"sv, "QUERY"sv, "session-bind"sv,
          "session-bind@openssh.com\0"sv, "session-bind@openssh.co"sv})
        CHECK(kind_of_extension(WireWriter().string(name).bytes()) == RequestKind::other);
}

TEST_CASE("an extension whose name is malformed is other, which is never repeated") {
    for (const std::string_view contents :
         {""sv, "\0"sv, "\0\0\0"sv, "\0\0\0\5"sv, "\0\0\0\5quer"sv, "\0\0\0\6query"sv,
          "\xff\xff\xff\xffquery"sv, "query"sv})
        CHECK(kind_of_extension(contents) == RequestKind::other);
}

TEST_CASE("a sign request names its key; a malformed one names none") {
    const auto key_in = [](std::string_view contents) {
        const std::string frame = make_frame(MessageType::sign_request, contents);
        return std::string(signing_key(Message(frame)));
    };
    CHECK(key_in(WireWriter().string("blob").string("data").uint32(0).bytes()) == "blob");
    CHECK(key_in("") == "");
    CHECK(key_in("\0\0\0\5blob"sv) == "");
    CHECK(key_in("\0\0"sv) == "");
}

TEST_CASE("our own questions and answers are those of RFC 9987") {
    CHECK(request_identities_frame() == "\0\0\0\1\13"s);
    CHECK(query_frame() == "\0\0\0\12\33\0\0\0\5query"s);
    CHECK(failure_frame() == "\0\0\0\1\5"s);
    CHECK(kind_of_frame(request_identities_frame()) == RequestKind::list);
    CHECK(kind_of_frame(query_frame()) == RequestKind::query);
}

TEST_CASE("every kind of request has a name for the log") {
    CHECK(name_of(RequestKind::list) == "list");
    CHECK(name_of(RequestKind::sign) == "sign");
    CHECK(name_of(RequestKind::session_bind) == "session-bind");
    CHECK(name_of(RequestKind::query) == "query");
    CHECK(name_of(RequestKind::other) == "other");
    CHECK(phrase_of(RequestKind::list) == "a list request");
    CHECK(phrase_of(RequestKind::other) == "a request of another kind");
}
