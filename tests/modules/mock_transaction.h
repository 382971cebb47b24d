// One transaction of the mock host, and the functions that modules get.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/modules/mock_host.h"

// What modules have as handles.
struct penstock_instance {
  penstock::test::Host* host;
};
struct penstock_config {
  penstock::test::Host* host;
  penstock::test::SettingTable* table;
};
struct penstock_metric {
  penstock::test::Host* host;
  std::string name;
};
struct penstock_log_file {
  penstock::test::Host* host;
  std::string path;
};
struct penstock_timer {
  void (*f)(penstock_instance*, void*);
  void* data;
};
struct penstock_watch {
  void (*f)(penstock_instance*, void*, short);
  void* data;
};
struct penstock_held {
  std::string bytes;
};
struct penstock_waiter {
  penstock::test::Host* host;
  std::shared_ptr<bool> resumed;  // under the host's lock
};

namespace penstock::test {

[[nodiscard]] bool same_name(std::string_view a, std::string_view b);

class MockTransaction {
 public:
  MockTransaction(Host& host, const Request& request, std::uint64_t id);

  Outcome run(const Server& server, const Cuts& request_cuts, const Cuts& response_cuts);

 private:
  friend struct Api;
  enum class Event {
    none,
    request_head,
    request_body,
    request_complete,
    before_connect,
    response_head,
    response_body,
    response_complete,
    answer_body,
    logged,
    free,
  };
  using Callback = int (*)(penstock_call*);
  using ContentCallback = int (*)(penstock_call*, const char*, std::size_t);

  // Calls it, again after each wait. What it returned.
  int call(Event event, Callback callback);
  int call(Event event, ContentCallback callback, std::string_view piece);
  template <class F>
  int call_until_done(Event event, const F& f);

  // One message's way through the module.
  struct Passage {
    Event head, body, complete;
    Callback on_head;
    ContentCallback on_body;
    Callback on_complete;
    Message* message;
    bool has_content;
  };
  void pass(const Passage& passage, const Cuts& cuts, std::vector<std::string>& pieces);
  void pass_content(const Passage& passage, const Cuts& cuts, std::vector<std::string>& pieces,
                    bool may_change);
  void stream_answer();
  void fail(const std::string& why);

  [[nodiscard]] FieldList* section(int which);
  [[nodiscard]] bool may_change(int which) const;

  struct Call : penstock_call {
    MockTransaction* owner;
  };
  Host& host_;
  Call call_{};
  sockaddr_storage client_{};
  Request request_;
  Response response_;
  Response answer_;
  Outcome outcome_;
  Event event_ = Event::none;
  bool held_head_ = false;  // PENSTOCK_HOLD_HEAD, and nothing has passed yet
  bool answer_begun_ = false;
  bool answer_streams_ = false;
  bool answering_ = false;
  bool done_ = false;
  std::int64_t expected_length_ = -1;  // content_length()
  bool content_may_be_written_ = false;
  std::string_view piece_;
  std::string written_;
  std::string url_;
  std::vector<std::unique_ptr<penstock_held>> held_;
  std::shared_ptr<bool> resumed_;  // of the waiter of this call
};

[[nodiscard]] penstock_api mock_api();

}  // namespace penstock::test
