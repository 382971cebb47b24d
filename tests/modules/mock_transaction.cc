#include "tests/modules/mock_transaction.h"

#include <algorithm>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace penstock::test {

MockTransaction::MockTransaction(Host& host, const Request& request, std::uint64_t id)
    : host_(host), request_(request), url_(request.scheme + "://" + request.host + request.path) {
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&client_);
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&client_);
  if (inet_pton(AF_INET, request.client.c_str(), &v4->sin_addr) == 1) {
    client_.ss_family = AF_INET;
  } else if (inet_pton(AF_INET6, request.client.c_str(), &v6->sin6_addr) == 1) {
    client_.ss_family = AF_INET6;
  } else {
    client_.ss_family = AF_UNIX;
  }
  call_.size = sizeof(penstock_call);
  call_.api = &host.api_;
  call_.instance = host.instance_.get();
  call_.data = host.data_;
  call_.transaction = id;
  call_.connection = 1;
  call_.client = reinterpret_cast<const sockaddr*>(&client_);
  call_.client_size = sizeof client_;
  call_.owner = this;
}

void MockTransaction::fail(const std::string& why) {
  host_.violations.push_back(why);
  outcome_.failed = true;
}

template <class F>
int MockTransaction::call_until_done(Event event, const F& f) {
  if (outcome_.failed || (done_ && event != Event::free)) return PENSTOCK_CONTINUE;
  event_ = event;
  int result = PENSTOCK_CONTINUE;
  call_.resumed = 0;
  while (true) {
    resumed_ = nullptr;
    result = f();
    if (result != PENSTOCK_WAIT) break;
    if (!resumed_) {
      fail("PENSTOCK_WAIT without a waiter");
      break;
    }
    std::unique_lock lock(host_.mutex_);
    host_.changed_.wait(lock, [&] { return *resumed_; });
    call_.resumed = 1;
  }
  event_ = Event::none;
  if (result == PENSTOCK_ERROR) outcome_.failed = true;
  if (result == PENSTOCK_DONE) done_ = true;
  return result;
}

int MockTransaction::call(Event event, Callback callback) {
  if (callback == nullptr) return PENSTOCK_CONTINUE;
  return call_until_done(event, [&] { return callback(&call_); });
}

int MockTransaction::call(Event event, ContentCallback callback, std::string_view piece) {
  if (callback == nullptr) return PENSTOCK_CONTINUE;
  // In memory of its own, so that nobody reads behind it, or later, unseen.
  const std::unique_ptr<char[]> copy = std::make_unique<char[]>(piece.size());
  std::copy(piece.begin(), piece.end(), copy.get());
  piece_ = {copy.get(), piece.size()};
  const int result =
      call_until_done(event, [&] { return callback(&call_, piece_.data(), piece_.size()); });
  piece_ = {};
  return result;
}

void MockTransaction::pass(const Passage& passage, const Cuts& cuts,
                           std::vector<std::string>& pieces) {
  const int result = call(passage.head, passage.on_head);
  held_head_ = result == PENSTOCK_HOLD_HEAD;
  outcome_.head_held = outcome_.head_held || held_head_;
  answering_ = result == PENSTOCK_ANSWER;
  if (answering_ && !answer_begun_) fail("PENSTOCK_ANSWER without an answer");
  const bool changed = result == PENSTOCK_CHANGED || held_head_;
  if (answering_ || result == PENSTOCK_SKIP_CONTENT || done_) {
    pieces = {passage.message->content};
    return;
  }
  pass_content(passage, cuts, pieces, changed);
  held_head_ = false;
  if (answering_) return;
  if (changed && expected_length_ >= 0) {
    std::size_t total = 0;
    for (const std::string& piece : pieces) total += piece.size();
    if (total != static_cast<std::size_t>(expected_length_)) fail("not the length it said");
  }
}

void MockTransaction::pass_content(const Passage& passage, const Cuts& cuts,
                                   std::vector<std::string>& pieces, bool may_change) {
  const std::string_view content = passage.message->content;
  const auto let_out = [&](std::string_view more) {
    if (!written_.empty() && !may_change) fail("content changed after PENSTOCK_CONTINUE");
    pieces.push_back(std::exchange(written_, {}).append(more));
    if (!pieces.back().empty()) held_head_ = false;
  };
  content_may_be_written_ = passage.has_content;
  std::size_t begin = 0;
  bool skipped = false;
  while (begin < content.size() && !skipped && !outcome_.failed) {
    const auto cut = std::upper_bound(cuts.begin(), cuts.end(), begin);
    const std::size_t end = std::min(cut == cuts.end() ? content.size() : *cut, content.size());
    const std::string_view piece = content.substr(begin, end - begin);
    begin = end;
    const int result = call(passage.body, passage.on_body, piece);
    answering_ = result == PENSTOCK_ANSWER;
    if (answering_) {
      if (!answer_begun_ || !held_head_) fail("PENSTOCK_ANSWER where there can be none");
      return;
    }
    skipped = done_ || result == PENSTOCK_SKIP_CONTENT;
    if (result == PENSTOCK_CHANGED && !may_change) fail("PENSTOCK_CHANGED after PENSTOCK_CONTINUE");
    let_out(result == PENSTOCK_CHANGED ? std::string_view() : piece);
  }
  if (skipped) {
    let_out(content.substr(begin));
  } else if (passage.has_content || host_.completes_empty) {
    answering_ = call(passage.complete, passage.on_complete) == PENSTOCK_ANSWER;
    if (!answering_) let_out({});
  }
  content_may_be_written_ = false;
}

void MockTransaction::stream_answer() {
  int result = PENSTOCK_CONTINUE;
  content_may_be_written_ = true;
  while (result == PENSTOCK_CONTINUE && !outcome_.failed) {
    result = call(Event::answer_body, host_.module_->answer_body);
    answer_.content += std::exchange(written_, {});
  }
  if (result != PENSTOCK_END) fail("answer_body returned something else than PENSTOCK_END");
  content_may_be_written_ = false;
}

Outcome MockTransaction::run(const Server& server, const Cuts& request_cuts,
                             const Cuts& response_cuts) {
  const penstock_module& module = *host_.module_;
  std::vector<std::string> sent;
  outcome_.upstream = host_.upstream;
  pass({Event::request_head, Event::request_body, Event::request_complete, module.request_head,
        module.request_body, module.request_complete, &request_, !request_.content.empty()},
       request_cuts, sent);
  if (!answering_ && !outcome_.failed) {
    request_.content.clear();
    for (const std::string& piece : sent) request_.content += piece;
    call(Event::before_connect, module.before_connect);
    outcome_.to_server = request_;
    response_ = server(request_);
    const bool bodyless =
        request_.method == "HEAD" || response_.status == 204 || response_.status == 304;
    if (bodyless) response_.content.clear();
    pass(
        {Event::response_head, Event::response_body, Event::response_complete, module.response_head,
         module.response_body, module.response_complete, &response_, !bodyless},
        response_cuts, outcome_.pieces);
    response_.content.clear();
    for (const std::string& piece : outcome_.pieces) response_.content += piece;
  }
  if (answering_) {
    if (answer_streams_) stream_answer();
    outcome_.answered = true;
    response_ = answer_;
  }
  outcome_.to_client = response_;
  call(Event::logged, module.logged);
  if (call_.opaque != nullptr && module.free != nullptr) {
    event_ = Event::free;
    module.free(&call_);
  }
  return outcome_;
}

}  // namespace penstock::test
