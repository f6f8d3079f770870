#include "supervisor/broker/broker.hpp"

#include "supervisor/base/log.hpp"
#include "supervisor/http/client_tokens.hpp"

#include <algorithm>

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// Longer than any connection of a listener that has gone may last.
constexpr auto retirement = 5min;

std::string handed_name(const BrokerListenSettings& settings) {
    return std::string(Broker::hand_over_prefix) + settings.address;
}

/// A file that lets nobody in is told before somebody tries.
void check_tokens(const BrokerListenSettings& settings) {
    const Result<std::vector<TokenEntry>> tokens = ClientTokens(settings.token_file).list();
    if (!tokens)
        log::warning("nobody is let in at {} by a token: {}", settings.address,
                     tokens.error().message);
    else if (tokens->empty())
        log::warning("nobody is let in at {} by a token before one is made: livesock signing token "
                     "{} --listener {}",
                     settings.address, settings.guest.name, settings.guest.name);
}

} // namespace

Broker::Broker(EventLoop& loop, Children& children, HostAgents agents, std::string default_audit)
    : loop_(loop)
    , default_audit_(std::move(default_audit))
    , host_(loop, children, std::move(agents), default_audit_)
    , server_(loop)
    , again_(loop.timer([this] { try_again(); }))
    , sweep_(loop.timer([this] { sweep(); })) {}

Broker::~Broker() {
    for (Entry& entry : entries_)
        entry.socket.remove_name();
}

void Broker::apply(const BrokerSettings& settings) {
    host_.apply(settings, settings.audit.empty() ? default_audit_ : settings.audit);
    if (!settings.server.empty() || !settings.listens.empty())
        host_.check_audit();
    apply_bus(settings);
    apply_listens(settings.listens);
    settings_ = settings;
}

void Broker::apply_bus(const BrokerSettings& settings) {
    const bool is_same = bus_ && settings.server == settings_.server &&
                         settings.server_uids == settings_.server_uids &&
                         settings.guests == settings_.guests && settings.others == settings_.others;
    if (is_same)
        return;
    retire_bus();
    if (settings.server.empty())
        return;
    const bool is_any_named = std::any_of(settings.guests.begin(), settings.guests.end(),
                                          [](const auto& guest) { return !guest.keys.empty(); });
    if (settings.others.keys.empty() && !is_any_named)
        log::warning("guests of the bus get nothing before keys are named for them: set "
                     "broker.keys, or those of [[broker.guest]], to fingerprints that 'livesock "
                     "list' shows");
    // The configuration has been read, so this is right.
    Result<HttpUrl> server = parse_http_url(settings.server);
    if (!server)
        return;
    if (!is_loopback(server->endpoint))
        log::warning("what passes between here and {} is not encrypted: whoever can change it on "
                     "its way can ask for what guests of the bus may have",
                     server->endpoint.text);
    bus_ = std::make_unique<BusSubscription>(
        loop_, host_, std::move(*server), settings.server_uids,
        BusSubscription::Guests{settings.guests, settings.others});
}

void Broker::retire_bus() {
    if (!bus_)
        return;
    bus_->retire();
    former_buses_.push_back(std::move(bus_));
    sweep_.start(retirement);
}

bool Broker::former_buses_are_quiet() const {
    return std::all_of(former_buses_.begin(), former_buses_.end(),
                       [](const auto& bus) { return bus->is_quiet(); });
}

void Broker::apply_listens(const std::vector<BrokerListenSettings>& settings) {
    std::vector<Entry> former = std::exchange(entries_, {});
    for (Entry& entry : former) {
        const bool stays =
            std::find(settings.begin(), settings.end(), entry.settings) != settings.end();
        const bool address_stays =
            std::any_of(settings.begin(), settings.end(), [&](const BrokerListenSettings& wanted) {
                return wanted.address == entry.settings.address;
            });
        if (!stays && entry.listener)
            entry.listener->outdate();
        if (!stays)
            retire(entry);
        if (!stays && !address_stays) {
            entry.socket.remove_name();
            // Nobody can reach it any more.
            static_cast<void>(inherited_.take(handed_name(entry.settings)));
        }
    }
    for (const BrokerListenSettings& wanted : settings) {
        const auto known = std::find_if(former.begin(), former.end(), [&](const Entry& entry) {
            return entry.settings == wanted;
        });
        entries_.push_back(known == former.end() ? Entry{wanted, nullptr, {}} : std::move(*known));
        if (!entries_.back().listener)
            open(entries_.back());
    }
    inherited_.clear();
}

void Broker::retire(Entry& entry) {
    if (!entry.listener)
        return;
    inherited_.add(handed_name(entry.settings), entry.listener->retire());
    retired_.push_back({std::move(entry.listener), Clock::now()});
    sweep_.start(retirement);
}

void Broker::open(Entry& entry) {
    const BrokerListenSettings& settings = entry.settings;
    const Result<ListenAddress> address = parse_broker_address(settings.address);
    UniqueFd inherited = inherited_.take(handed_name(settings));
    Result<UniqueFd> listening = !address    ? Result<UniqueFd>(address.error())
                                 : inherited ? Result<UniqueFd>(std::move(inherited))
                                             : listen_at(*address);
    if (!listening) {
        entry.socket.failed(listening.error());
        again_.start(listen_retry_pause);
        return;
    }
    entry.listener =
        std::make_unique<PublishListener>(server_, host_, settings, std::move(*listening));
    entry.socket.opened(loop_, address->path, [this] { return restore(); });
    log::info("the guest '{}' is served at {}", settings.guest.name, settings.address);
    if (!settings.token_file.empty())
        check_tokens(settings);
    if (settings.guest.keys.empty() && !address->is_unix())
        log::warning(
            "the guest '{}' gets nothing before its keys are named: set broker.listen.keys "
            "to fingerprints that 'livesock list' shows",
            settings.guest.name);
    if (address->endpoint.is_tcp() && !is_local(*address))
        log::warning("what passes at {} is not encrypted: whoever can read it on its way sees the "
                     "token and what is signed",
                     settings.address);
}

void Broker::try_again() {
    for (Entry& entry : entries_)
        if (!entry.listener)
            open(entry);
}

/// Whether all paths are there.
bool Broker::restore() {
    bool is_complete = true;
    for (Entry& entry : entries_) {
        if (!entry.socket.is_watched() || (entry.listener && entry.socket.is_there()))
            continue;
        const bool was_open = entry.listener != nullptr;
        retire(entry);
        // Nobody can reach it any more.
        static_cast<void>(inherited_.take(handed_name(entry.settings)));
        open(entry);
        is_complete &= entry.listener != nullptr;
        if (was_open && entry.listener)
            log::warning("the socket of {} was deleted: it is made again", entry.settings.address);
    }
    return is_complete;
}

void Broker::sweep() {
    const TimePoint before = Clock::now() - retirement;
    std::erase_if(retired_, [&](const Retired& retired) {
        return retired.at <= before && retired.listener->is_quiet();
    });
    std::erase_if(former_buses_, [](const auto& bus) { return bus->is_quiet(); });
    if (!retired_.empty() || !former_buses_.empty())
        sweep_.start(retirement);
}

void Broker::give_away(const std::function<void(const std::string& name, int fd)>& give) {
    for (Entry& entry : entries_)
        if (entry.listener) {
            const UniqueFd socket = entry.listener->retire();
            give(handed_name(entry.settings), socket.get());
            retired_.push_back({std::move(entry.listener), Clock::now()});
        }
    // Not apply(): the names are another's now.
    entries_.clear();
    again_.pause();
    retire_bus();
}

std::vector<ListenerView> Broker::list() const {
    std::vector<ListenerView> views;
    if (bus_)
        views.push_back({bus_->name(), "bus", bus_->trouble()});
    for (const Entry& entry : entries_)
        views.push_back({entry.settings.address, "guest", entry.socket.reason()});
    return views;
}

} // namespace livesock
