// One request through the proxy and its answer, whatever HTTP is spoken on either side. The client
// is a server side of ours, the origin a server of ours, so that both speak all of it; the network
// is simulated.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "message/timed_body_test.h"
#include "proxy/proxy.h"
#include "server/server.h"
#include "sim/network.h"
#include "upstream/delivery.h"

namespace penstock {

enum class Speech : std::uint8_t { http1, http1_tls, http2, http2_tls };
inline constexpr Speech kSpeeches[] = {Speech::http1, Speech::http1_tls, Speech::http2,
                                       Speech::http2_tls};
[[nodiscard]] std::string_view to_string(Speech speech);
[[nodiscard]] inline bool is_http2(Speech speech) { return speech >= Speech::http2; }
[[nodiscard]] inline bool is_tls(Speech speech) {
  return speech == Speech::http1_tls || speech == Speech::http2_tls;
}

using FieldLines = std::vector<std::pair<std::string, std::string>>;

// Messages to be sent. Content has a length beforehand, unless it is `chunked`.
struct Request {
  std::string method = "GET";
  std::string path = "/x";
  FieldLines fields = {};
  std::vector<BodyPiece> content = {};
  FieldLines trailers = {};
  bool chunked = false;
  // The client leaves after so long.
  std::optional<Duration> leave_after = {};
};

struct Answer {
  int status = 200;
  FieldLines fields = {};
  std::vector<BodyPiece> content = {};
  FieldLines trailers = {};
  bool chunked = false;
  std::vector<int> inform = {};
  Duration after = {};
  bool read_request = true;
};

// A message as it arrived. Field names are in lower case, lines of one name joined by "|".
struct Arrived {
  int status = 0;
  std::string method = {};
  std::string target = {};
  std::map<std::string, std::string> fields = {};
  std::string content = {};
  std::map<std::string, std::string> trailers = {};
  std::vector<int> informed = {};
  std::optional<Error> error = {};  // of its content, or why there is none of it
  bool handler_cancelled = false;   // at the origin: told that nobody waits any more
};

// A client, the proxy and an origin.
class VersionsWorld {
 public:
  VersionsWorld(Speech client, Speech server, std::uint64_t seed = 1);
  ~VersionsWorld();
  VersionsWorld(const VersionsWorld&) = delete;
  VersionsWorld& operator=(const VersionsWorld&) = delete;

  // What the origin answers from now on.
  void answer(Answer answer);
  // What the client gets; lets as much time pass as that takes, at most `limit`.
  Arrived ask(Request request, Duration limit = std::chrono::seconds(30));
  // The same of several at once.
  std::vector<Arrived> ask(std::vector<Request> requests,
                           Duration limit = std::chrono::seconds(30));
  // What has arrived at the origin.
  [[nodiscard]] const std::vector<std::unique_ptr<Arrived>>& seen() const;
  // Connections the origin has at present.
  [[nodiscard]] std::size_t origin_connections() const;
  // Ends all; false when something is left.
  [[nodiscard]] bool stop();
  [[nodiscard]] SimWorld& world() { return world_; }

 private:
  struct Origin;
  struct Middle;
  struct Asker;

  SimWorld world_;
  std::unique_ptr<Origin> origin_;
  std::unique_ptr<Middle> middle_;
  std::unique_ptr<Asker> asker_;
};

}  // namespace penstock
