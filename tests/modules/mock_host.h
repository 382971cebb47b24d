// A host for modules that is not the proxy: it does what include/penstock/module.h says, no more,
// and notices who does not keep to it. For the logic of modules, one transaction at a time; what is
// asynchronous happens on a thread of its own.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "penstock/module.h"

namespace penstock::test {

using FieldList = std::vector<std::pair<std::string, std::string>>;

// The value of the first line of that name, or "-".
[[nodiscard]] std::string field(const FieldList& fields, std::string_view name);

struct Setting;
using SettingTable = std::map<std::string, Setting>;
// A value of [module.NAME.config]: durations in ms, sizes in bytes.
struct Setting {
  std::variant<std::string, std::int64_t, double, bool, std::vector<std::string>,
               std::vector<SettingTable>>
      value;
};

struct Message {
  FieldList fields;
  std::string content;
  FieldList trailers;
  bool length_known = true;  // to the module; an empty content always is
};

struct Request : Message {
  std::string method = "GET";
  std::string scheme = "http";
  std::string host = "www.example.com";
  std::string path = "/";
  std::string client = "192.0.2.7";
};

struct Response : Message {
  int status = 200;
};

// Where content is cut into pieces, ascending.
using Cuts = std::vector<std::size_t>;

// How a server answers what has become of the request.
using Server = std::function<Response(const Request&)>;

// What a transaction has come to.
struct Outcome {
  std::optional<Request> to_server;  // as it was sent, if it was
  Response to_client;
  bool answered = false;  // by the module
  bool failed = false;    // PENSTOCK_ERROR, or something against the rules
  bool head_held = false;
  std::string upstream;
  std::string server;
  std::string target;  // "host:port"
  std::vector<std::string> addresses;
  FieldList record;
  std::vector<std::string> pieces;  // what of the response's content left after each piece
};

class Host {
 public:
  // Loads the shared object of the build, and configures an instance. A refused configuration
  // leaves `refused`.
  explicit Host(const std::string& module, SettingTable settings = {});
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  // Ends the instance when all that is asynchronous has happened.
  ~Host();

  Outcome run(const Request& request, const Server& server, const Cuts& request_cuts = {},
              const Cuts& response_cuts = {});
  Outcome run(const Request& request, const Response& response, const Cuts& response_cuts = {}) {
    return run(request, [&](const Request&) { return response; }, {}, response_cuts);
  }
  // Until all that is asynchronous has happened.
  void settle();

  // Calls what timer_start() and watch_start() were given, once each.
  void fire_timers();
  void fire_watches(short events);
  [[nodiscard]] const penstock_module& module() const { return *module_; }

  // What the module did, or is to find.
  std::string refused;  // what setting_error() was told
  std::vector<std::string> log;
  std::map<std::string, std::int64_t> metrics;
  std::map<std::string, std::vector<std::string>> files;
  std::vector<Request> subrequests;  // `path` has the whole URL
  std::function<Response(const Request&)> subrequest_server = [](const Request&) {
    return Response{};
  };
  bool subrequests_full = false;              // the next ones are refused as PENSTOCK_LIMIT
  std::map<std::string, std::string> record;  // of the access log
  std::map<std::string, std::int64_t> cache;  // URL and size; only with has_cache
  bool has_cache = false;
  // Whether _complete is called for messages without content, too.
  bool completes_empty = true;
  std::vector<std::string> cache_calls;
  std::string upstream = "app";
  std::size_t hold_limit = std::size_t{16} * 1024 * 1024;
  std::vector<std::string> violations;  // of the rules of module.h

 private:
  friend class MockTransaction;
  friend struct Api;
  // Runs it on the thread; counts as asynchronous until it has ended.
  void later(std::function<void()> work);
  void run_queue();

  const penstock_module* module_ = nullptr;
  SettingTable settings_;
  bool configured_ = false;
  void* data_ = nullptr;
  penstock_api api_{};
  std::unique_ptr<penstock_instance> instance_;
  std::vector<std::unique_ptr<penstock_timer>> timers_;
  std::vector<std::unique_ptr<penstock_watch>> watches_;
  std::vector<std::unique_ptr<penstock_metric>> handles_;
  std::vector<std::unique_ptr<penstock_log_file>> open_files_;
  std::vector<std::unique_ptr<penstock_config>> tables_;
  std::size_t waiters_ = 0;  // not resumed yet
  std::uint64_t last_transaction_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool busy_ = false;
  bool ending_ = false;
  std::thread thread_;
};

// Calls f with the cuts that matter for a content of that size: none, each single one, each pair of
// neighbours and all of them.
void for_all_cuts(std::size_t size, const std::function<void(const Cuts&)>& f);

}  // namespace penstock::test
