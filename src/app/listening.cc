#include "app/listening.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

namespace penstock {
namespace {

constexpr std::string_view kSystemd = "systemd:";

// What can be done about it, if that is known.
std::string_view remedy(int error, const Address& address, const ListenerSettings& listener) {
  switch (error) {
    case EACCES:
      if (address.is_unix()) return "; its folder must be writable for this user";
      return address.port() < 1024
                 ? "; ports below 1024 need root, CAP_NET_BIND_SERVICE, or a socket that systemd "
                   "opens"
                 : "";
    case EPERM:
      return listener.interception == Interception::tproxy
                 ? R"(; intercept = "tproxy" needs root, CAP_NET_ADMIN or CAP_NET_RAW)"
                 : "";
    case EADDRINUSE:
      return address.is_unix() ? "; another process listens there, or it is no socket's file"
                               : "; another process or listener has it";
    case EADDRNOTAVAIL:
      return "; no interface of this machine has this address";
    case ENOENT:
      return "; its folder does not exist";
    default:
      return "";
  }
}

// Opens sockets one by one; stops at the first failure.
class Opener {
 public:
  Opener(unsigned workers, std::vector<PassedSocket> passed) : passed_(std::move(passed)) {
    out_.sockets.resize(workers);
  }

  std::expected<Listening, std::string> open(std::span<const ListenerSettings> listeners) {
    for (std::size_t i = 0; i < listeners.size(); ++i) {
      for (const std::string& address : listeners[i].addresses) {
        listener_ = &listeners[i];
        number_ = i;
        const bool opened = address.starts_with(kSystemd)
                                ? take_passed(address.substr(kSystemd.size()))
                                : open_one(Address::parse(address).value_or(Address()));
        if (!opened) return std::unexpected(std::move(problem_));
      }
    }
    for (const PassedSocket& left : passed_) {
      out_.warnings.push_back(
          fmt::format("nobody wants the socket {} ({}) that the service manager passed: no "
                      "listener has address = \"systemd:{}\"",
                      quoted(left.name), local_address_of(left.socket).to_string(), left.name));
    }
    return std::move(out_);
  }

 private:
  static std::string quoted(std::string_view text) { return fmt::format("\"{}\"", text); }

  bool fail_with(std::string_view what) {
    problem_ = listener_->name.empty()
                   ? std::string(what)
                   : fmt::format("listener {}: {}", quoted(listener_->name), what);
    return false;
  }
  bool fail_on(const Address& address, int error) {
    return fail_with(fmt::format("can't listen on {}: {}{}", address.to_string(),
                                 std::strerror(error), remedy(error, address, *listener_)));
  }

  [[nodiscard]] AcceptOptions accept_options(bool shared) const {
    using Local = AcceptOptions::Local;
    switch (listener_->interception) {
      case Interception::none:
        return {.local = Local::listener, .shared = shared};
      case Interception::redirect:
        return {.local = Local::netfilter, .shared = shared};
      case Interception::tproxy:
        return {.local = Local::socket, .shared = shared};
    }
    return {};
  }

  void give(unsigned worker, Fd socket, bool shared) {
    out_.sockets[worker].push_back(
        {.listener = number_, .socket = std::move(socket), .options = accept_options(shared)});
  }

  void note(const Address& address, std::string_view origin) {
    std::vector<std::string> facts{std::string(to_string(listener_->mode))};
    if (!listener_->name.empty()) facts.push_back(quoted(listener_->name));
    if (listener_->interception == Interception::redirect) facts.emplace_back("redirect");
    if (listener_->interception == Interception::tproxy) facts.emplace_back("tproxy");
    if (listener_->tls) facts.emplace_back("tls");
    if (!listener_->proxy_protocol_from.empty()) facts.emplace_back("PROXY protocol");
    if (!origin.empty()) facts.emplace_back(origin);
    out_.addresses.push_back(address);
    out_.lines.push_back(
        fmt::format("listening on {} ({})", address.to_string(), fmt::join(facts, ", ")));
  }

  // All workers get a descriptor of the one socket.
  bool share(const Address& address, Fd socket) {
    const bool several = out_.sockets.size() > 1;
    for (unsigned i = 1; i < out_.sockets.size(); ++i) {
      auto copy = duplicate(socket);
      if (!copy) return fail_on(address, copy.error().cause);
      give(i, std::move(*copy), several);
    }
    give(0, std::move(socket), several);
    return true;
  }

  bool open_one(const Address& address) {
    ListenOptions options{.address = address,
                          .backlog = listener_->backlog,
                          .unix_mode = listener_->unix_mode,
                          .transparent = listener_->interception == Interception::tproxy};
    // Workers share a port by SO_REUSEPORT, which another process of this user's could have, too.
    if (is_taken(address)) return fail_on(address, EADDRINUSE);
    auto first = open_listening_socket(options);
    if (!first) return fail_on(address, first.error().cause);
    if (address.is_unix()) {
      out_.files.emplace_back(address.path());
      note(address, "");
      return share(address, std::move(*first));
    }
    // The system may have chosen the port; the other workers take the same.
    options.address = local_address_of(*first);
    note(options.address, "");
    give(0, std::move(*first), false);
    for (unsigned i = 1; i < out_.sockets.size(); ++i) {
      auto socket = open_listening_socket(options);
      if (!socket) return fail_on(options.address, socket.error().cause);
      give(i, std::move(*socket), false);
    }
    return true;
  }

  // All sockets of the name.
  bool take_passed(const std::string& name) {
    std::vector<Fd> found;
    for (PassedSocket& one : passed_) {
      if (one.name == name) found.push_back(std::move(one.socket));
    }
    if (found.empty()) return fail_with(lacking(name));
    std::erase_if(passed_, [&name](const PassedSocket& one) { return one.name == name; });
    return std::ranges::all_of(found, [&](Fd& socket) { return adopt(name, std::move(socket)); });
  }

  bool adopt(const std::string& name, Fd socket) {
    const bool transparent = listener_->interception == Interception::tproxy;
    if (const auto adopted = adopt_listening_socket(socket, transparent); !adopted) {
      const int error = adopted.error().cause;
      return fail_with(fmt::format("can't listen on systemd:{}: {}{}", name, what_is_wrong(error),
                                   remedy(error, Address(), *listener_)));
    }
    const Address address = local_address_of(socket);
    if (listener_->interception != Interception::none && address.is_unix()) {
      return fail_with(fmt::format(
          "systemd:{} is a unix socket, and connections to these are never intercepted", name));
    }
    note(address, "systemd:" + name);
    return share(address, std::move(socket));
  }

  static std::string_view what_is_wrong(int error) {
    switch (error) {
      case ENOTSOCK:
        return "it is no socket";
      case EINVAL:
        return "it does not listen for streams (ListenStream= with Accept=no)";
      default:
        return std::strerror(error);
    }
  }

  [[nodiscard]] std::string lacking(const std::string& name) const {
    if (passed_.empty()) {
      return fmt::format("can't listen on systemd:{}: the service manager passed no{} sockets",
                         name, out_.addresses.empty() ? "" : " more");
    }
    std::vector<std::string> names;
    for (const PassedSocket& one : passed_) names.push_back(quoted(one.name));
    return fmt::format("can't listen on systemd:{}: the service manager passed only {}", name,
                       fmt::join(names, ", "));
  }

  std::vector<PassedSocket> passed_;
  Listening out_;
  const ListenerSettings* listener_ = nullptr;
  std::size_t number_ = 0;
  std::string problem_;
};

}  // namespace

SocketFile::SocketFile(std::string path) : path_(std::move(path)) {
  struct stat status{};
  if (::stat(path_.c_str(), &status) != 0) path_.clear();
  device_ = status.st_dev;
  inode_ = status.st_ino;
}

SocketFile::~SocketFile() {
  struct stat status{};
  if (path_.empty() || ::stat(path_.c_str(), &status) != 0) return;
  if (status.st_dev == device_ && status.st_ino == inode_) ::unlink(path_.c_str());
}

std::expected<Listening, std::string> open_listeners(std::span<const ListenerSettings> listeners,
                                                     unsigned workers,
                                                     std::vector<PassedSocket> passed) {
  return Opener(workers, std::move(passed)).open(listeners);
}

}  // namespace penstock
