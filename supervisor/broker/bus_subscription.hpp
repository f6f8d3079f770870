// The host's side of a bus: its requests are read from an event stream, and answered by POSTs.
#pragma once

#include "supervisor/broker/envelope.hpp"
#include "supervisor/broker/event_stream.hpp"
#include "supervisor/broker/host.hpp"
#include "supervisor/broker/reconnect_pause.hpp"
#include "supervisor/http/http_exchange.hpp"

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace livesock {

/// So many answers are on their way to the bus at once; further ones wait, so many of one guest and
/// of all.
inline constexpr std::size_t most_posts = 16;
inline constexpr std::size_t most_guest_unposted = 64;
inline constexpr std::size_t most_unposted = 256;

/// The ids of so many requests are remembered: one that comes again is not served again.
inline constexpr std::size_t most_known_ids = 1024;

/// Subscribes, and again when that ends, see ReconnectPause.
class BusSubscription {
  public:
    /// The guests that are named, and what the others are. Who they are says the server.
    struct Guests {
        std::vector<GuestSettings> named;
        GuestSettings others;
    };

    /// `host` outlives this. `server_uids`: whose process a server on this machine may be, besides
    /// this user's and root's.
    BusSubscription(EventLoop& loop, Host& host, HttpUrl server, std::vector<uid_t> server_uids,
                    Guests guests);
    ~BusSubscription();

    /// Takes no more requests: another is subscribed in its place. What is owed is answered; then
    /// it is quiet, and may be destroyed from the loop.
    void retire();
    bool is_quiet() const { return jobs_.empty() && unposted_.empty() && posts_.empty(); }

    const std::string& name() const { return server_.endpoint.text; }
    bool is_connected() const { return is_connected_; }
    /// Why it is not, and what to do; empty if it is.
    const std::string& trouble() const { return trouble_; }

  private:
    struct Answer {
        std::string guest; ///< GuestSettings::name
        std::string body;
    };
    struct Post {
        std::string body;
        bool was_tried = false;
        int status = 0;
        std::unique_ptr<HttpExchange> exchange;
        std::unique_ptr<HttpExchange> former; // may be in its callback
        bool is_over = false;
    };

    void subscribe();
    void on_head(int status, const std::string& type);
    void on_piece(std::string_view piece);
    void on_end(const std::string& trouble);
    void try_later(std::string why);
    void on_event(const std::string& data);
    void serve(const Envelope& request);
    const GuestSettings& guest_of(const Envelope& request) const;
    bool is_known(const std::string& id);
    void respond(const Envelope& request, const std::string& payload);
    void post_next();
    void send(Post& post);
    void on_posted(Post& post, const std::string& trouble);
    void sweep();

    EventLoop& loop_;
    Host& host_;
    HttpUrl server_;
    std::vector<uid_t> server_uids_;
    Guests guests_;
    std::unique_ptr<HttpExchange> stream_;
    EventStream events_;
    bool is_connected_ = false;
    bool is_retired_ = false;
    std::string trouble_;
    std::string told_;
    ReconnectPause pause_;
    TimePoint connected_at_{}; // if it is
    Watch again_;
    std::unordered_set<std::string> known_;
    std::deque<std::string> known_in_order_;
    std::unordered_map<std::uint64_t, Host::Id> jobs_; // under way
    std::uint64_t next_number_ = 1;
    std::deque<Answer> unposted_;
    std::vector<std::unique_ptr<Post>> posts_;
    LineBudget lines_;
    Watch sweep_;
};

} // namespace livesock
