#include "supervisor/broker/approver.hpp"

#include "supervisor/base/log.hpp"
#include "supervisor/base/spawn.hpp"

#include <algorithm>
#include <csignal>

#include <fmt/format.h>

namespace livesock {

Approver::Approver(EventLoop& loop, Children& children)
    : loop_(loop)
    , children_(children)
    , sweep_(loop.on_demand([this] { sweep(); })) {}

Approver::~Approver() {
    for (const auto& question : questions_)
        if (!question->is_over)
            children_.end(question->pid);
}

void Approver::apply(std::vector<std::string> command, Duration limit) {
    command_ = std::move(command);
    limit_ = limit;
    remembered_.clear();
    for (const auto& question : questions_) {
        if (question->is_over)
            continue;
        children_.end(question->pid);
        finish(*question, {false, "refused", "the configuration was read again meanwhile"});
    }
}

Approver::Id Approver::ask(const GuestSettings& guest, const std::string& key, Decide decide) {
    const Id id = next_id_++;
    const std::pair about(guest.name, key);
    if (guest.approve == Approval::never) {
        decide({true, "none", {}});
        return id;
    }
    const bool is_for_session = guest.approve == Approval::session;
    if (is_for_session && remembered_.contains(about)) {
        decide({true, "remembered", {}});
        return id;
    }
    // One question is enough for all that it will answer.
    const auto same = std::find_if(questions_.begin(), questions_.end(), [&](const auto& other) {
        return !other->is_over && other->is_for_session && is_for_session && other->about == about;
    });
    if (same != questions_.end()) {
        (*same)->waiting.emplace_back(id, std::move(decide));
        return id;
    }
    const auto of_guest = std::count_if(questions_.begin(), questions_.end(), [&](const auto& one) {
        return !one->is_over && one->about.first == guest.name;
    });
    if (questions_.size() >= most_questions ||
        of_guest >= static_cast<std::ptrdiff_t>(most_guest_questions)) {
        decide({false, "refused", "too many questions wait for the user already"});
        return id;
    }
    auto question = std::make_unique<Question>();
    question->about = about;
    question->is_for_session = is_for_session;
    question->waiting.emplace_back(id, std::move(decide));
    start(std::move(question));
    return id;
}

void Approver::start(std::unique_ptr<Question> question) {
    Question& asked = *question;
    questions_.push_back(std::move(question));
    std::vector<std::string> words = command_;
    words.push_back(asked.about.first);
    words.push_back(asked.about.second);
    const Result<pid_t> pid = children_.start(
        {.words = std::move(words),
         .environment = environment_of_children(),
         .death_signal = SIGTERM},
        [this, &asked](int status) {
            if (status == 0)
                finish(asked, {true, "asked", {}});
            else
                finish(asked,
                       {false, "refused", fmt::format("approve_command {}", describe_end(status))});
        });
    if (!pid) {
        log::warning("nobody can be asked about '{}': {}", asked.about.first, pid.error().message);
        finish(asked, {false, "refused", "approve_command cannot be started"});
        return;
    }
    asked.pid = *pid;
    asked.too_slow = loop_.timer([this, &asked] {
        children_.end(asked.pid);
        finish(asked, {false, "refused",
                       fmt::format("nobody has answered within {}", format_duration(limit_))});
    });
    asked.too_slow.start(limit_);
}

void Approver::finish(Question& question, const Decision& decision) {
    if (std::exchange(question.is_over, true))
        return;
    question.too_slow.pause();
    if (decision.is_approved && question.is_for_session)
        remembered_.insert(question.about);
    sweep_.trigger();
    for (const auto& [id, decide] : std::exchange(question.waiting, {}))
        decide(decision);
}

void Approver::cancel(Id id) {
    for (const auto& question : questions_) {
        const auto erased =
            std::erase_if(question->waiting, [id](const auto& one) { return one.first == id; });
        if (erased == 0 || !question->waiting.empty() || question->is_over)
            continue;
        question->is_over = true;
        question->too_slow.pause();
        children_.end(question->pid);
        sweep_.trigger();
    }
}

void Approver::sweep() {
    std::erase_if(questions_, [](const auto& question) { return question->is_over; });
}

} // namespace livesock
