#include "icap/consulted.h"

#include <array>

#include <fmt/format.h>

#include "base/json_text.h"

namespace penstock::icap {
namespace {

constexpr std::array<std::string_view, kOutcomes> kOutcomeNames{
    "skipped", "unmodified", "adapted", "satisfied", "bypassed", "failed"};

std::int64_t microseconds(TimePoint from, TimePoint to) {
  if (from == TimePoint{} || to < from) return 0;
  return std::chrono::duration_cast<std::chrono::microseconds>(to - from).count();
}

}  // namespace

std::string_view to_string(Outcome outcome) {
  return kOutcomeNames[static_cast<std::size_t>(outcome)];
}

void Consulted::look_at(const Exchange& exchange) {
  status = exchange.response().status;
  reused = exchange.reused();
  sent = exchange.bytes_sent();
  received = exchange.bytes_received();
}

void Consulted::close() {
  if (body == nullptr) return;
  look_at(*body);
  if (!body->failure()) return;
  outcome = Outcome::failed;
  failure = *body->failure();
  has_failure = true;
}

void append_member(std::string& json, std::string_view name, std::string_view value) {
  if (!json.empty()) json += ',';
  json += '"';
  append_json(json, name);
  json += "\":\"";
  append_json(json, value);
  json += '"';
}

std::string to_json(const Consulted& consulted) {
  std::string out;
  append_member(out, "service", consulted.service->name);
  append_member(out, "method", to_string(consulted.method));
  append_member(out, "outcome", to_string(consulted.outcome));
  if (consulted.has_failure) append_member(out, "reason", to_string(consulted.failure));
  out = '{' + out;
  if (consulted.status != 0) out += fmt::format(",\"status\":{}", consulted.status);
  if (consulted.begun != TimePoint{}) {
    out +=
        fmt::format(",\"connect_us\":{},\"total_us\":{},\"sent\":{},\"received\":{},\"reused\":{}",
                    microseconds(consulted.begun, consulted.connected),
                    microseconds(consulted.begun, consulted.decided), consulted.sent,
                    consulted.received, consulted.reused);
  }
  if (consulted.repeats != 0) out += fmt::format(",\"repeats\":{}", consulted.repeats);
  if (!consulted.fields.empty()) out += ",\"fields\":{" + consulted.fields + '}';
  return out + '}';
}

}  // namespace penstock::icap
