#include "supervisor/http/http_exchange.hpp"

#include "supervisor/base/tcp_peer.hpp"
#include "supervisor/base/unix_socket.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <sys/socket.h>

namespace livesock {
namespace {

constexpr std::size_t answer_read_size = 16 * 1024;

std::string request_of(const HttpUrl& url, const HttpCall& call) {
    std::string text =
        fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: livesock\r\nConnection: close\r\n",
                    call.method, call.path.empty() ? url.path : call.path, url.host);
    if (!call.token.empty())
        text += fmt::format("Authorization: Bearer {}\r\n", call.token);
    if (call.method == "POST")
        text += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n",
                            call.body.size());
    else
        text += "Accept: text/event-stream\r\nCache-Control: no-cache\r\n";
    return text + "\r\n" + call.body;
}

std::string no_connection(const std::string& name, int code) {
    return fmt::format("cannot connect to {}: {}", name, std::strerror(code));
}

} // namespace

HttpExchange::HttpExchange(EventLoop& loop, const HttpUrl& url, const HttpCall& call,
                           Duration limit, bool is_bounded, Callbacks callbacks)
    : name_(url.endpoint.text)
    , server_uids_(call.server_uids)
    , limit_(limit)
    , is_bounded_(is_bounded)
    , callbacks_(std::move(callbacks))
    , unwritten_(request_of(url, call))
    , deadline_(loop.timer([this] {
        finish(fmt::format("{} does not answer within {}", name_, format_duration(limit_)));
    }))
    , told_(loop.on_demand([this] { finish(early_trouble_); })) {
    Result<UniqueFd> fd = begin_connect(url.endpoint);
    if (!fd) {
        early_trouble_ = fd.error().message;
        told_.trigger();
        return;
    }
    fd_ = std::move(*fd);
    readable_ = loop.on_readable(fd_.get(), [this] { on_readable(); });
    writable_ = loop.on_writable(fd_.get(), [this] { on_writable(); });
    writable_.resume();
    deadline_.start(limit);
}

void HttpExchange::on_writable() {
    if (!std::exchange(is_connected_, true)) {
        if (const int code = connect_error(fd_.get()); code != 0) {
            finish(no_connection(name_, code));
            return;
        }
        if (const Result<void> checked = check_server(fd_.get(), server_uids_, name_); !checked) {
            is_distrusted_ = true;
            finish(checked.error().message);
            return;
        }
        readable_.resume();
    }
    const ssize_t count =
        ::send(fd_.get(), unwritten_.data() + written_, unwritten_.size() - written_, MSG_NOSIGNAL);
    if (count < 0 && would_block(errno))
        return;
    written_ += count > 0 ? static_cast<std::size_t>(count) : 0;
    // A server that refuses may have answered and closed before it has read all: what it said is
    // there to be read.
    if (count < 0 || written_ == unwritten_.size())
        writable_.pause();
}

void HttpExchange::on_readable() {
    char buffer[answer_read_size];
    const ssize_t count = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (count < 0 && would_block(errno))
        return;
    if (count > 0)
        take({buffer, static_cast<std::size_t>(count)});
    else if (count == 0 && parser_.at_end())
        finish({});
    else
        finish(fmt::format("{} closed the connection {}", name_,
                           has_head_ ? "within its response" : "without a response"));
}

void HttpExchange::take(std::string_view input) {
    while (!is_over_) {
        switch (parser_.next(input)) {
        case ResponseParser::Step::more:
            return;
        case ResponseParser::Step::head:
            has_head_ = true;
            if (!is_bounded_)
                deadline_.pause();
            callbacks_.head(parser_.status(), parser_.type());
            break;
        case ResponseParser::Step::body:
            callbacks_.piece(parser_.piece());
            break;
        case ResponseParser::Step::complete:
            finish({});
            return;
        case ResponseParser::Step::malformed:
            finish(fmt::format("{} does not speak HTTP/1.1", name_));
            return;
        }
    }
}

void HttpExchange::cancel() {
    is_over_ = true;
    readable_.pause();
    writable_.pause();
    deadline_.pause();
    told_.pause();
    fd_.reset();
}

void HttpExchange::finish(const std::string& trouble) {
    if (is_over_)
        return;
    cancel();
    callbacks_.end(trouble);
}

} // namespace livesock
