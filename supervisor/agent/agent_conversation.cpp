#include "supervisor/agent/agent_conversation.hpp"

#include "supervisor/agent/wire.hpp"

#include <cassert>

namespace livesock {

AgentConversation::AgentConversation(EventLoop& loop, UniqueFd fd)
    : stream_(loop, std::move(fd),
              {.message = [this](const Message& message) { on_message(message); },
               .end = [this](MessageStream::End) { finish({}); },
               .drained = [] {}})
    , deadline_(loop.timer([this] { finish({.kind = AgentAnswer::Kind::late}); })) {
    stream_.start();
}

void AgentConversation::ask(std::string_view frame, Duration limit, Done done) {
    assert(!done_);
    done_ = std::move(done);
    // On a closed stream nothing comes any more: that is told from the loop, like all else.
    deadline_.start(stream_.is_open() ? limit : Duration::zero());
    stream_.send(frame);
}

void AgentConversation::on_message(const Message& message) {
    if (!done_) {
        stream_.close(); // nobody asked: nothing on this connection can be believed any more
        return;
    }
    const bool is_refusal = message.type() == MessageType::failure;
    finish({.kind = is_refusal ? AgentAnswer::Kind::refused : AgentAnswer::Kind::answered,
            .message = message});
}

void AgentConversation::finish(const AgentAnswer& answer) {
    deadline_.pause();
    AgentAnswer told = answer;
    if (told.kind == AgentAnswer::Kind::late && !stream_.is_open())
        told.kind = AgentAnswer::Kind::broken;
    if (!told.message)
        stream_.close();
    if (const Done done = std::exchange(done_, nullptr))
        done(told);
}

std::string sign_request_frame(std::string_view key_blob, std::string_view data,
                               std::uint32_t flags) {
    return make_frame(MessageType::sign_request,
                      WireWriter().string(key_blob).string(data).uint32(flags).bytes());
}

std::optional<std::string_view> parse_signature(const Message& answer) {
    if (answer.type() != MessageType::sign_response)
        return std::nullopt;
    WireReader reader(answer.contents());
    const std::optional<std::string_view> signature = reader.string();
    if (!signature || !reader.at_end())
        return std::nullopt;
    return signature;
}

} // namespace livesock
