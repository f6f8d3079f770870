#include "supervisor/agent/message.hpp"

#include "supervisor/agent/wire.hpp"

namespace livesock {

std::string make_frame(MessageType type, std::string_view contents) {
    WireWriter frame;
    frame.uint32(static_cast<std::uint32_t>(contents.size() + 1));
    frame.byte(static_cast<std::uint8_t>(type));
    return frame.bytes() + std::string(contents);
}

RequestKind kind_of(const Message& request) {
    if (request.type() == MessageType::request_identities)
        return RequestKind::list;
    if (request.type() == MessageType::sign_request)
        return RequestKind::sign;
    if (request.type() != MessageType::extension)
        return RequestKind::other;
    const std::string_view name = WireReader(request.contents()).string().value_or("");
    if (name == "session-bind@openssh.com")
        return RequestKind::session_bind;
    return name == "query" ? RequestKind::query : RequestKind::other;
}

std::string_view name_of(RequestKind kind) {
    switch (kind) {
    case RequestKind::list:
        return "list";
    case RequestKind::sign:
        return "sign";
    case RequestKind::session_bind:
        return "session-bind";
    case RequestKind::query:
        return "query";
    case RequestKind::other:
        return "other";
    }
    return {};
}

std::string phrase_of(RequestKind kind) {
    return kind == RequestKind::other ? "a request of another kind"
                                      : "a " + std::string(name_of(kind)) + " request";
}

std::string_view signing_key(const Message& sign_request) {
    return WireReader(sign_request.contents()).string().value_or("");
}

const std::string& query_frame() {
    static const std::string frame =
        make_frame(MessageType::extension, WireWriter().string("query").bytes());
    return frame;
}

const std::string& request_identities_frame() {
    static const std::string frame = make_frame(MessageType::request_identities);
    return frame;
}

const std::string& failure_frame() {
    static const std::string frame = make_frame(MessageType::failure);
    return frame;
}

} // namespace livesock
