// `livesock restart`: a running supervisor starts its successor, which serves the same sockets.
//
//   running one                     its successor, a child of it
//   -----------                     ----------------------------
//   estate, lock, both sockets  ->  reads the configuration, finds and asks the agents
//                               <-  failed (why), or its end: the running one goes on as before
//                               <-  take: both accept, from one and the same listening socket
//   accepts no more;
//   listener (a socket)         ->  will accept from it; one message each, both sockets included:
//                                   one may have been deleted, and made again
//   released                    ->  publishes
//   client, control (a socket)  ->  serves it; any number of times, each as soon as nothing is owed
//   ends when no client is left, and no predecessor of its own that could send one
//
// The lock is a duplicate of the same open file: it is held by one of them at every moment, and by
// the successor alone if the running one is killed.
#pragma once

#include "supervisor/daemon/hand_over_channel.hpp"
#include "supervisor/loop/event_loop.hpp"
#include "supervisor/proxy/session.hpp"
#include "supervisor/upstream/pin.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

namespace livesock {

/// What a successor goes on with.
struct Estate {
    std::string directory;
    std::string log_file;                ///< empty if the log goes to standard error
    bool agent_socket_is_passed = false; ///< by the service manager
    Pin pinned = {};
    std::vector<std::string> registered = {}; ///< paths
};

[[nodiscard]] std::vector<std::string> fields_of(const Estate& estate);
/// Error: the program that wrote them is of another kind than this one.
[[nodiscard]] Result<Estate> read_estate(const HandOverMessage& message);

/// A client's bindings, as fields, and back; an odd rest is passed over.
[[nodiscard]] std::vector<std::string> fields_of(std::span<const SessionBinding> bindings);
[[nodiscard]] std::vector<SessionBinding> read_bindings(const HandOverMessage& message);

/// The path of this process's program, or of what has been installed in its place.
[[nodiscard]] std::string own_program();

/// The running supervisor's end.
class Successor {
  public:
    struct Callbacks {
        std::function<void()> take; ///< it accepts: accept no more, and release() it
        std::function<void(const std::string& why)>
            failed; ///< it has ended; release() was not called
    };
    /// Starts `program` with `words` and the option that says where to listen for `estate`.
    /// `sockets` are the lock, the agent socket and the control socket.
    static Result<std::unique_ptr<Successor>>
    start(EventLoop& loop, const std::string& program, std::vector<std::string> words,
          const Estate& estate, std::span<const int> sockets, Callbacks callbacks);
    /// One that was not released is killed.
    ~Successor();

    /// Lets it publish. It is the supervisor from now on.
    void release(const Estate& estate);
    /// Has it go on with the listener that is called `address`; to be called before release().
    void take_listener(const std::string& address, int fd) const;
    /// Whether it has taken a client. If not, it may take it later.
    bool take_client(int fd, std::span<const SessionBinding> bindings) const;
    /// The same for a connection to the control socket on which `line` is to be answered, if it is
    /// not empty.
    bool take_control(int fd, const std::string& line) const;

    pid_t pid() const { return pid_; }

  private:
    Successor(EventLoop& loop, HandOverChannel channel, pid_t pid, Callbacks callbacks);
    void on_readable();
    void fail(const std::string& why);
    void end();

    HandOverChannel channel_;
    pid_t pid_;
    Callbacks callbacks_;
    Watch readable_;
    Watch patience_;
    bool is_released_ = false;
};

/// The successor's end.
class Predecessor {
  public:
    struct Callbacks {
        std::function<void(const std::string& address, UniqueFd)> listener;
        std::function<void(const Estate&)>
            released; ///< publish; called once, even if it was killed
        std::function<void(UniqueFd, std::vector<SessionBinding>)> client;
        std::function<void(UniqueFd, std::string line)> control;
    };
    /// Waits for the estate on the channel `fd` that the running supervisor has left open for us.
    static Result<std::unique_ptr<Predecessor>> meet(int fd);

    /// Tells it, on its channel, why we cannot take its place.
    static void refuse(const HandOverChannel& channel, const std::string& why);
    const HandOverChannel& channel() const { return channel_; }
    /// Says that we accept from its sockets, and calls back from now on.
    void take(EventLoop& loop, Callbacks callbacks);

    /// Whether we are the supervisor.
    bool has_released() const { return has_released_; }
    /// Whether it has ended: no further client comes from it.
    bool is_over() const { return is_over_; }

    Estate estate;
    UniqueFd lock;
    UniqueFd agent_socket;
    UniqueFd control_socket;

  private:
    explicit Predecessor(HandOverChannel channel)
        : channel_(std::move(channel)) {}
    void on_readable();
    void on_message(HandOverMessage& message);

    HandOverChannel channel_;
    Callbacks callbacks_;
    Watch readable_;
    bool has_released_ = false;
    bool is_over_ = false;
};

} // namespace livesock
