// For tests: one filter, and messages that are shown to it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "adapt/adaptation.h"
#include "adapt/filter.h"
#include "adapt/pull_body_test.h"
#include "async/virtual_time_test.h"
#include "base/check.h"
#include "message/text_body.h"

namespace penstock {

// A transaction with one filter. The heads may be filled before they are shown to it.
class FilteredTransaction {
 public:
  explicit FilteredTransaction(std::unique_ptr<Filter> filter) {
    std::vector<FilterPlace> places;
    places.push_back({.filter = std::move(filter), .settings = &settings_});
    set_ = std::make_shared<FilterSet>(nullptr, std::move(places), 0, time_.executor, nullptr);
    client_.listener = &listener_;
    request.method = Method::get;
    request.method_text = "GET";
    response.status = 200;
    target("/");
  }

  void target(std::string_view asked) {
    request.target_text = asked;
    request.target = parse_target(request.method_text, asked).value();
  }
  void method(std::string_view name) {
    request.method_text = name;
    request.method = method_of(name);
  }
  // "Name: value" lines.
  static void add(FieldSection& fields, std::string_view name, std::string_view value) {
    fields.add(field_id(name), name, value);
  }
  static std::string all(const FieldSection& fields) {
    std::string out;
    for (const Field& field : fields) {
      out.append(field.name).append(": ").append(field.value).append("\n");
    }
    return out;
  }

  // What the filter has come to about the request.
  AdaptResult ask(std::string_view content = {}, AdaptPoint point = AdaptPoint::client_request) {
    begin();
    source_ = TextBody(content);
    const Framing given{.kind = content.empty() ? BodyKind::none : BodyKind::length,
                        .length = content.size()};
    AdaptedMessage message(*adaptation_, point, request, nullptr, source_, given);
    return show(message);
  }
  // The same about the response; its content as the client gets it is then in `text`.
  AdaptResult respond(std::string_view content, BodyKind kind = BodyKind::length,
                      AdaptPoint point = AdaptPoint::client_response) {
    begin();
    source_ = TextBody(content);
    const Framing given{.kind = kind, .length = kind == BodyKind::length ? content.size() : 0};
    AdaptedMessage message(*adaptation_, point, request, &response, source_, given);
    return show(message);
  }

  RequestHead request;
  ResponseHead response;
  std::string text;
  Framing framing;
  bool retargeted = false;
  bool wrapped = false;
  std::optional<Error> error;

  [[nodiscard]] FilterAnswer& answer() { return adaptation_->answer(); }
  // The name of the filter where it has decided something, or has failed.
  [[nodiscard]] std::string_view decided_by() const { return adaptation_->decided_by(); }

 private:
  void begin() {
    if (adaptation_) return;
    const TransactionFacts facts{.request = 1, .client = &client_, .route = "inner"};
    const auto host = parse_authority(request.fields.value(FieldId::host));
    host_ = host ? std::string(host->host) : "";
    adaptation_ = Adaptation::begin(set_, facts, request, host_, "/");
    PENSTOCK_CHECK(adaptation_ != nullptr);
  }
  AdaptResult show(AdaptedMessage& message) {
    AdaptResult result{};
    time_.spawn(run(*adaptation_, message, result));
    time_.advance(std::chrono::seconds(60));
    retargeted = message.retargeted();
    wrapped = &message.body() != &source_;
    framing = message.framing();
    if (result == AdaptResult::go_on) {
      PulledBody pulled = pull_all(message.body());
      text = std::move(pulled.text);
      error = pulled.error;
    }
    return result;
  }
  static Task<void> run(Adaptation& adaptation, AdaptedMessage& message, AdaptResult& result) {
    result = co_await adaptation.run(message);
  }

  VirtualTime time_;
  FilterSettings settings_{.name = "tested"};
  ListenerSettings listener_;
  ClientInfo client_;
  std::shared_ptr<FilterSet> set_;
  TextBody source_;
  std::string host_;
  std::unique_ptr<Adaptation> adaptation_;
};

}  // namespace penstock
