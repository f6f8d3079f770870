// Whatever is sent to the control socket: each answer is one line of JSON that says whether it is
// well, and the server goes on.
#include "supervisor/base/runtime_dir.hpp"
#include "supervisor/base/unix_socket.hpp"
#include "supervisor/control/server.hpp"
#include "tests/support/far_end.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/temp_dir.hpp"

#include <cstdint>
#include <cstdlib>
#include <sstream>

#include <nlohmann/json.hpp>

using namespace livesock;

namespace {

void require(bool claim) {
    if (!claim)
        std::abort();
}

struct Controlled final : ControlHost {
    TempDir temp;
    EventLoop event_loop = make_loop();
    RuntimeDir directory = std::move(*RuntimeDir::make(temp.entry("r")));
    ReportPublisher publisher{directory};
    AgentPool pool{event_loop, ProbeSettings{}, publisher};
    StandIns standing{
        event_loop, pool,
        StandInFiles({.tmp = temp.path(), .home = {}, .runtime = {}}, temp.entry("r/agent.sock")),
        StandInMode::hung};
    FailureLog failed;
    RequestLog watched;
    std::string path = directory.entry("control.sock");
    std::unique_ptr<ControlServer> server;

    Controlled() {
        ControlHost& host = *this;
        server = std::make_unique<ControlServer>(host, std::move(*listen_at(path)));
    }
    EventLoop& loop() override { return event_loop; }
    AgentPool& agents() override { return pool; }
    StandIns& stand_ins() override { return standing; }
    SupervisorFacts facts() const override { return {}; }
    const FailureLog& failures() const override { return failed; }
    Result<ClientTokens> client_tokens(const std::string&) override { return Error{"none"}; }
    RequestLog& requests() override { return watched; }
    std::vector<ClientUse> uses() const override { return {}; }
    Result<void> reload() override { return Error{"x:1:1: no"}; }
    void restart(std::function<void(const Result<pid_t>&)> done) override { done(Error{"no"}); }
    void stop() override {}
};

void check_answers(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const nlohmann::json answer = nlohmann::json::parse(line, nullptr, false);
        require(answer.is_object() && answer.at("ok").is_boolean());
        require(answer.at("ok").get<bool>() != answer.contains("error"));
    }
    require(text.empty() || text.back() == '\n');
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static Controlled controlled;
    FarEnd client(controlled.path);
    require(client.is_open());
    client.send(std::string_view(reinterpret_cast<const char*>(data), size));
    settle(controlled.event_loop);
    check_answers(client.take());
    client.close();
    settle(controlled.event_loop);

    FarEnd other(controlled.path);
    other.send("{\"command\":\"ping\"}\n");
    require(run_until(controlled.event_loop, [&] { return !other.received().empty(); }));
    require(other.take().starts_with("{\"ok\":true"));
    return 0;
}
