// An HTTP server on a test's own loop, with a handler that the test scripts and that records.
#pragma once

#include "supervisor/base/unix_socket.hpp"
#include "supervisor/http/http_server.hpp"
#include "tests/support/far_end.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/temp_dir.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace livesock {

struct RecordingHandler final : HttpHandler {
    std::size_t max_body = 1024;
    std::optional<HttpAnswer> refuses;
    std::function<void(HttpRequestId)> on_complete = [](HttpRequestId) {};

    std::vector<HttpRequest> begun;
    std::map<HttpRequestId, std::string> bodies;
    std::vector<HttpRequestId> completed;
    std::vector<HttpRequestId> lost;
    std::vector<int> answers; // of the server itself

    HttpHeadVerdict begin(HttpRequestId id, const HttpRequest& request, HttpPeer&) override {
        begun.push_back(request);
        bodies[id];
        return {.refusal = refuses, .max_body = max_body};
    }
    void body(HttpRequestId id, std::string_view piece) override { bodies[id] += piece; }
    void complete(HttpRequestId id) override {
        completed.push_back(id);
        on_complete(id);
    }
    void gone(HttpRequestId id) override { lost.push_back(id); }
    void answered(int status) override { answers.push_back(status); }
};

struct Served {
    /// Nothing happens by itself while a test runs.
    static constexpr HttpLimits patient{.request = std::chrono::hours(1),
                                        .idle = std::chrono::hours(1),
                                        .answer = std::chrono::hours(1),
                                        .farewell = std::chrono::hours(1)};

    TempDir temp;
    EventLoop loop = make_loop();
    RecordingHandler handler;
    std::string path = temp.entry("s");
    std::unique_ptr<HttpServer> server;
    HttpServer::ListenerId listener;

    explicit Served(const HttpLimits& limits = patient)
        : server(std::make_unique<HttpServer>(loop, limits))
        , listener(server->add(std::move(*listen_at(path)), handler)) {}

    FarEnd connect() { return FarEnd(path); }

    /// What `client` has received when `end` is in it, or the connection is at its end.
    std::string receive(FarEnd& client, std::string_view end) {
        std::string all;
        CHECK(run_until(loop, [&] {
            all += client.take();
            return all.find(end) != std::string::npos || client.at_end();
        }));
        return all;
    }
    void wait_for(const std::function<bool()>& has_happened) {
        REQUIRE(run_until(loop, has_happened));
    }
    void wait_for_completed(std::size_t count) {
        wait_for([&] { return handler.completed.size() == count; });
    }
    void answer_at_once() {
        handler.on_complete = [this](HttpRequestId id) {
            server->answer(id, {.body = handler.bodies[id] + "\n"});
        };
    }
};

inline std::string post_of(std::string_view body, std::string_view headers = "") {
    return "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n" + std::string(headers) + "\r\n" + std::string(body);
}

} // namespace livesock
