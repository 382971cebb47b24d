#include "tests/simulation_icap_plan.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/simulation_beginning.h"

namespace penstock::simulation {
namespace {

using Lie = IcapPlan::Lie;
using Moment = IcapPlan::Moment;
using Stop = IcapPlan::Stop;
using Verdict = IcapPlan::Verdict;
using When = IcapPlan::When;

constexpr std::size_t kMostContent = 200 * 1024;
constexpr double kFailures = 0.12;
// What an adapted head does not take over.
constexpr std::array<std::string_view, 4> kLeftOut = {"content-length", "x-adapted", "connection",
                                                      "transfer-encoding"};

// ---- What it is going to do.

void draw_failure(IcapPlan& plan, Random& random) {
  constexpr std::array<Stop, 3> kStops = {Stop::close, Stop::reset, Stop::silence};
  constexpr std::array<Moment, 3> kMoments = {Moment::heads, Moment::preview,
                                              Moment::told_to_go_on};
  constexpr std::array<Lie, 3> kLies = {Lie::shorter, Lie::longer, Lie::wrong_offset};
  plan.stop = random.pick(kStops);
  switch (random.below(5)) {
    case 0:
      plan.fails_at = random.pick(kMoments);
      return;
    case 1:
      plan.verdict = Verdict::error;
      return;
    case 2:
      plan.lie = random.pick(kLies);
      plan.stop = Stop::none;
      return;
    case 3:  // whether it may say so or not
      plan.verdict = Verdict::unmodified;
      plan.stop = Stop::none;
      return;
    default:
      plan.stops_in_answer = true;
  }
}

void draw_verdict(IcapPlan& plan, const IcapMessage& message, Random& random) {
  const bool at_preview = plan.when == When::at_preview;
  const bool any_body = message.has_body;
  std::vector<Verdict> verdicts = {Verdict::echo, Verdict::adapted};
  if (at_preview || message.allow_204) {
    verdicts.insert(verdicts.end(), 2, Verdict::unmodified);
  }
  const bool partial = message.allow_206 && (at_preview || message.allow_204);
  if (partial && any_body) verdicts.insert(verdicts.end(), 2, Verdict::partial);
  if (!message.respmod && random.chance(0.3)) verdicts.push_back(Verdict::satisfied);
  plan.verdict = verdicts[random.below(verdicts.size())];
}

// ---- What it says.

std::string istag(std::uint64_t incarnation, Random& random) {
  const std::string tag = "i" + std::to_string(incarnation);
  return random.chance(0.1) ? "ISTag: " + tag + "\r\n" : "ISTag: \"" + tag + "\"\r\n";
}

std::string icap_head(int status, const IcapPlan& plan, std::uint64_t incarnation,
                      const IcapMessage& message, std::string_view encapsulated, Random& random) {
  std::string text = fmt::format("ICAP/1.0 {} Some Reason\r\n", status);
  text += istag(incarnation, random);
  if (plan.closes) text += "Connection: close\r\n";
  if (random.chance(0.3)) text += "X-Share: " + to_text(message.exchange->token) + "\r\n";
  if (random.chance(0.1)) text += "X-Violations-Found: 1\r\n\t-\r\n";
  if (!encapsulated.empty()) text += fmt::format("Encapsulated: {}\r\n", encapsulated);
  return text + "\r\n";
}

std::string chunks(std::string_view body, Random& random) {
  const std::size_t largest = random.skewed(1, 20'000) + body.size() / 200;
  std::string text;
  while (!body.empty()) {
    const std::size_t size = std::min<std::size_t>(body.size(), random.between(1, largest));
    text += chunk_of(body.substr(0, size));
    body.remove_prefix(size);
  }
  return text;
}

// The target in absolute form, or another one.
std::string target_of(const IcapMessage& message, Random& random) {
  std::string target = message.request.line[1];
  if (random.chance(0.2)) target += target.contains('?') ? "&icap=1" : "/icap";
  return target;
}

void add_hop(std::string& text, const IcapMessage& message, Verdict verdict, Random& random) {
  if (!random.chance(0.2)) return;
  const bool response = message.respmod || verdict == Verdict::satisfied;
  text += response ? "Connection: close, x-response-hop\r\nX-Response-Hop: 1\r\n"
                   : "Connection: X-Hop\r\nX-Hop: 1\r\n";
}

std::string adapted_head(const IcapPlan& plan, const IcapMessage& message,
                         const std::string& length, Random& random) {
  const bool satisfied = plan.verdict == Verdict::satisfied;
  const std::string version = random.chance(0.1) ? "HTTP/1.0" : "HTTP/1.1";
  std::string text;
  if (satisfied || message.respmod) {
    text = fmt::format("{} {} Adapted\r\n", version, plan.adapted->status);
  } else {
    text =
        fmt::format("{} {} {}\r\n", message.request.line[0], target_of(message, random), version);
  }
  if (satisfied) {
    text += "X-Token: " + to_text(message.exchange->token) + "\r\n";
  } else {
    for (const auto& [name, value] : message.head().fields) {
      if (std::ranges::find(kLeftOut, name) == kLeftOut.end())
        text += fmt::format("{}: {}\r\n", name, value);
    }
  }
  text += "X-Adapted: " + to_text(plan.number) + "\r\n";
  if (!length.empty()) text += "Content-Length: " + length + "\r\n";
  add_hop(text, message, plan.verdict, random);
  return text + "\r\n";
}

// What the message becomes, as far as that can be said before it is written.
Adapted draw_adapted(const IcapPlan& plan, const IcapMessage& message, bool has_body,
                     Random& random) {
  const bool satisfied = plan.verdict == Verdict::satisfied;
  Adapted adapted{.token = message.exchange->token,
                  .which = satisfied ? Body::response : message.which(),
                  .text = message.due.text,
                  .status = message.due.status,
                  .satisfies = satisfied,
                  .cut = false};
  const std::uint64_t length = random.chance(0.1) ? 0 : random.skewed(1, kMostContent);
  const BodyPart made{.key = plan.number, .from = 0, .length = length};
  if (satisfied) {
    constexpr std::array<int, 4> kStatuses = {200, 302, 403, 404};
    adapted.status = random.pick(kStatuses);
    adapted.text = BodyText{made};
  } else if (plan.verdict == Verdict::adapted && message.may_have_body()) {
    if (message.respmod && random.chance(0.2)) adapted.status = 403;
    adapted.text = BodyText{made};
  } else if (plan.verdict == Verdict::partial) {
    const std::uint64_t from = random.between(0, message.check->seen());
    adapted.part_of = message.head().value(kAdaptedField);
    if (adapted.part_of.empty()) adapted.cut = message.due.cut;
    adapted.text = part_of(message.due.text, from, ~std::uint64_t{0});
    adapted.text.insert(adapted.text.begin(), made);
  }
  if (!has_body && message.may_have_body()) adapted.text.clear();
  return adapted;
}

// The length that the adapted head tells; nothing: none.
std::string draw_length(IcapPlan& plan, const IcapMessage& message, bool has_body, Random& random) {
  const bool satisfied = plan.verdict == Verdict::satisfied;
  if (!satisfied && !message.may_have_body()) return message.head().value("content-length");
  Adapted& adapted = *plan.adapted;
  const std::uint64_t length = length_of(adapted.text);
  if (!has_body) return random.chance(0.5) && !satisfied ? "0" : "";
  if (plan.lie == Lie::shorter) {
    adapted.cut = true;
    return std::to_string(length + random.skewed(1, 1000));
  }
  if (plan.lie == Lie::longer && length > 0) {
    // Who gets so much can't know that there is more.
    const std::uint64_t told = length - random.between(1, std::min<std::uint64_t>(length, 1000));
    adapted.text = part_of(adapted.text, 0, told);
    return std::to_string(told);
  }
  // Of what comes yet it knows the length where it was told, and that was true.
  const bool of_original = plan.streams || plan.verdict == Verdict::partial;
  const bool told =
      message.head().value("content-length") == std::to_string(length_of(message.due.text));
  const bool known = !of_original || message.read || told;
  plan.length_told = known && random.chance(0.5);
  return plan.length_told ? std::to_string(length) : "";
}

// The content as the server sends it; `text` is what the message becomes.
void add_content(IcapPlan& plan, const IcapMessage& message, const BodyText& text, Random& random) {
  if (plan.verdict == Verdict::partial) {
    const std::uint64_t made = text.front().length;
    const std::uint64_t rest = length_of(text) - made;
    plan.text += chunks(make_body({text.front()}), random);
    plan.text += fmt::format("0; use-original-body={}\r\n\r\n", length_of(message.due.text) - rest);
    return;
  }
  const std::string body = make_body(text);
  if (!plan.length_told && random.chance(0.5)) {
    plan.text += encode_chunked(random, body, message.exchange->token);
  } else {
    plan.text += chunks(body, random) + "0\r\n\r\n";
  }
}

void draw_stop(IcapPlan& plan, Random& random) {
  // With all that was told the message is complete, whatever comes after it; with a length of 0
  // that is the head.
  std::size_t most = plan.text.size() - 1;
  if (plan.length_told) {
    const bool none = length_of(plan.adapted->text) == 0 || plan.verdict == Verdict::partial;
    most = none ? plan.heads_end - 1 : most - std::string_view("\r\n0\r\n\r\n").size();
  }
  plan.stop_at =
      random.chance(0.3) ? random.between(0, plan.heads_end - 1) : random.between(0, most);
  if (plan.adapted) plan.adapted->cut = true;
}

void write_adapted(IcapPlan& plan, std::uint64_t incarnation, const IcapMessage& message,
                   Random& random) {
  const bool satisfied = plan.verdict == Verdict::satisfied;
  plan.streams = plan.verdict == Verdict::echo && plan.when == When::early && !message.read;
  bool has_body = satisfied ? message.exchange->method != "HEAD" : message.may_have_body();
  if (plan.verdict == Verdict::adapted || satisfied) has_body = has_body && !random.chance(0.1);
  if (plan.verdict == Verdict::echo) has_body = message.has_body;
  plan.number = random.next();
  plan.adapted = draw_adapted(plan, message, has_body, random);
  const BodyText text = plan.adapted->text;
  const std::string length = draw_length(plan, message, has_body, random);
  const std::string head = adapted_head(plan, message, length, random);
  const bool response = message.respmod || satisfied;
  std::size_t offset = head.size();
  if (plan.lie == Lie::wrong_offset) {
    offset = random.chance(0.5) ? offset + random.skewed(1, 100)
                                : offset - random.between(1, offset - 1);
    plan.wrong = plan.adapted->cut = true;
  }
  const std::string encapsulated = fmt::format("{0}-hdr=0, {1}-body={2}", response ? "res" : "req",
                                               !has_body  ? "null"
                                               : response ? "res"
                                                          : "req",
                                               offset);
  int status = plan.verdict == Verdict::partial ? 206 : 200;
  if (status == 200 && random.chance(0.05)) status = 201;
  plan.text += icap_head(status, plan, incarnation, message, encapsulated, random) + head;
  plan.heads_end = plan.text.size();
  if (has_body && !plan.streams) add_content(plan, message, text, random);
}

}  // namespace

std::string to_string(Verdict verdict) {
  constexpr std::array<const char*, 6> kNames = {"204",     "echo",      "adapted",
                                                 "partial", "satisfied", "error"};
  return kNames[static_cast<std::size_t>(verdict)];
}

IcapPlan draw_plan(const IcapService& service, const IcapMessage& message, Random& random,
                   bool too_many) {
  IcapPlan plan;
  plan.thought = random.chance(0.5) ? Duration{}
                                    : Duration(std::chrono::milliseconds(random.skewed(1, 2'000)));
  plan.closes = random.chance(0.1);
  plan.stray_continue = random.chance(0.05);
  if (message.has_body) plan.when = random.chance(0.5) ? When::early : When::late;
  if (message.preview && random.chance(0.4)) plan.when = When::at_preview;
  draw_verdict(plan, message, random);
  if (plan.verdict == Verdict::echo && plan.when == When::at_preview) plan.when = When::late;
  if (service.reliable) return plan;
  if (random.chance(kFailures)) draw_failure(plan, random);
  // Who lies about the length has all of it.
  if (plan.lie != Lie::none && plan.when == When::early) plan.when = When::late;
  if (too_many) plan.verdict = Verdict::error;
  return plan;
}

void write_answer(IcapPlan& plan, std::uint64_t incarnation, const IcapMessage& message,
                  Random& random) {
  // Nothing of the body is read where the server had not to.
  if (plan.stray_continue && (!message.preview || message.read)) {
    plan.text = "ICAP/1.0 100 Continue\r\n\r\n";
  }
  if (plan.verdict == Verdict::error) {
    constexpr std::array<int, 12> kStatuses = {100, 204, 302, 400, 403, 404,
                                               408, 418, 500, 503, 505, 0};
    int status = random.pick(kStatuses);
    if (status == 204) status = 0;
    plan.text += status != 0 ? icap_error(status) : garbage(random);
    plan.wrong = true;
    plan.closes = true;
    plan.heads_end = plan.text.size();
    return;
  }
  if (plan.verdict == Verdict::unmodified) {
    const bool as_empty = random.chance(0.1);
    const std::string_view encapsulated =
        as_empty || random.chance(0.5) ? std::string_view("null-body=0") : std::string_view();
    plan.text += icap_head(as_empty ? 200 : 204, plan, incarnation, message, encapsulated, random);
    plan.heads_end = plan.text.size();
  } else {
    write_adapted(plan, incarnation, message, random);
  }
  if (plan.stops_in_answer) draw_stop(plan, random);
}

std::string options_answer(const IcapService& service, std::uint64_t incarnation) {
  std::string text = fmt::format("ICAP/1.0 200 OK\r\nISTag: \"i{}\"\r\n", incarnation);
  text +=
      fmt::format("Methods: {}{}{}\r\n", service.reqmod ? "REQMOD" : "",
                  service.reqmod && service.respmod ? ", " : "", service.respmod ? "RESPMOD" : "");
  if (service.preview) {
    text += fmt::format("Preview: {}\r\nTransfer-Preview: *\r\n", *service.preview);
  }
  if (service.allow_204 || service.allow_206) {
    text += fmt::format("Allow: {}{}\r\n", service.allow_204 ? "204, " : "",
                        service.allow_206 ? "206" : "x");
  }
  if (service.max_connections > 0) {
    text += fmt::format("Max-Connections: {}\r\n", service.max_connections);
  }
  if (service.ttl > 0) text += fmt::format("Options-TTL: {}\r\n", service.ttl);
  return text + "Encapsulated: null-body=0\r\n\r\n";
}

std::string icap_error(int status) {
  return fmt::format("ICAP/1.0 {} An Error\r\nISTag: \"e\"\r\n\r\n", status);
}

std::string garbage(Random& random) {
  constexpr std::array<std::string_view, 6> kNonsense = {
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
      "ICAP/1.0 200 OK\r\nISTag: a\r\n\r\n",
      "ICAP/1.0 200 OK\r\nISTag: a\r\nEncapsulated: res-body=0\r\n\r\n0\r\n\r\n",
      "ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=99999999\r\n\r\n",
      "ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=19\r\n\r\nHTTP/1.1 2OO "
      "OK\r\n\r\nxyz\r\n",
      "\r\n\r\n\r\n\r\n"};
  if (random.chance(0.7)) return std::string(random.pick(kNonsense));
  std::string bytes(random.skewed(1, 100'000), '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.next());
  return bytes;
}

std::string chunk_of(std::string_view bytes) {
  return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
}

std::shared_ptr<const TlsServerContext> icap_tls() {
  static const std::shared_ptr<const TlsServerContext> kTls = [] {
    const TlsServerSettings settings = tls_server_settings();
    auto made = TlsServerContext::create(settings);
    EXPECT_TRUE(made) << made.error();
    return std::move(*made);
  }();
  return kTls;
}

}  // namespace penstock::simulation
