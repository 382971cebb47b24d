#include "tests/simulation_icap.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "async/sleep.h"
#include "tests/simulation_icap_plan.h"

namespace penstock::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Duration kPatience = minutes(10);
// Requests may have to wait for each other before anybody takes what they have become.
constexpr Duration kLongPatience = std::chrono::hours(3);
constexpr BodyFraming kChunked{.framing = Framing::chunked};
constexpr std::string_view kContinue = "ICAP/1.0 100 Continue\r\n\r\n";

struct Part {
  std::string name;
  std::uint64_t offset;
};

// The parts of an Encapsulated field as it has to be written.
std::vector<Part> parts_of(std::string_view value) {
  std::vector<Part> parts;
  while (!value.empty()) {
    const std::size_t comma = std::min(value.find(", "), value.size());
    const std::string_view part = value.substr(0, comma);
    const std::size_t equals = std::min(part.find('='), part.size() - 1);
    const int offset = to_number(part.substr(equals + 1));
    if (offset < 0) return {};
    parts.push_back({std::string(part.substr(0, equals)), static_cast<std::uint64_t>(offset)});
    value.remove_prefix(std::min(comma + 2, value.size()));
  }
  return parts;
}

void approve(const IcapMessage& message, std::size_t service) {
  const Approval approval{service, message.which(), message.attempt};
  auto& all = message.exchange->approvals;
  if (std::ranges::find(all, approval) == all.end()) all.push_back(approval);
}

// Ends a connection in that way; the rest is its destruction.
Task<bool> stop(ByteStream& stream, IcapPlan::Stop how) {
  const TaskContext& context = co_await this_context();
  if (how == IcapPlan::Stop::silence) co_await sleep_until(context.executor().now() + kPatience);
  if (how != IcapPlan::Stop::close) stream.set_abortive();
  co_return false;
}

}  // namespace

IcapServer::IcapServer(SimNetwork& network, const Address& address, const IcapService& service,
                       Ledger& ledger, Random random, IcapCounts& counts)
    : network_(&network),
      address_(address),
      service_(&service),
      ledger_(&ledger),
      random_(random),
      counts_(&counts),
      scope_(std::make_unique<Scope>(network.executor())),
      listener_(network.listen(address, *this)) {}

void IcapServer::on_accept(std::unique_ptr<ByteStream> stream, const Address& /*peer*/,
                           const Address& /*local*/) {
  scope_->spawn(serve(*this, std::move(stream), random_.fork()));
}

Task<void> IcapServer::keep_restarting(IcapServer& server, Random random) {
  const TaskContext& context = co_await this_context();
  while (true) {
    const TimePoint when = context.executor().now() + random.between(seconds(1), minutes(1));
    if (!co_await sleep_until(when) || server.listener_ == nullptr) co_return;
    server.count("restart");
    server.listener_.reset();
    server.scope_->cancel();
    co_await server.scope_->join();
    server.scope_ = std::make_unique<Scope>(server.network_->executor());
    ++server.incarnation_;
    const TimePoint back = context.executor().now() + random.between(Duration{}, seconds(5));
    if (!co_await sleep_until(back)) co_return;
    server.listener_ = server.network_->listen(server.address_, server);
  }
}

Task<void> IcapServer::serve(IcapServer& server, std::unique_ptr<ByteStream> stream,
                             Random random) {
  ++server.connections_;
  Expected expected;
  if (server.service_->tls) expected.tls = icap_tls();
  auto taken = co_await take_connection(std::move(stream), expected, *server.ledger_);
  if (taken) {
    Wire wire(*taken->stream, random, server.service_->reliable ? kLongPatience : kPatience);
    wire.give(taken->input);
    while (co_await server.serve_one(*taken->stream, wire, random)) {
    }
    taken->stream.reset();
  }
  --server.connections_;
}

Task<bool> IcapServer::serve_one(ByteStream& stream, Wire& wire, Random& random) {
  const bool impatient = !service_->reliable && random.chance(0.1);
  const Duration idle = impatient ? random.between(milliseconds(1), seconds(5)) : kPatience;
  wire.dawdle(random.chance(0.1) ? 0.3 : 0, kMostDawdles);
  Result<Head> head = co_await wire.read_head(idle);
  if (!head) {
    if (head.error().kind == ErrorKind::protocol) ledger_->violation(0, "malformed ICAP head");
    const bool says_so = head.error().kind == ErrorKind::timed_out && random.chance(0.5);
    if (says_so) {
      co_await wire.write("ICAP/1.0 408 Request Timeout\r\nConnection: close\r\n\r\n");
    }
    co_return false;
  }
  const std::string& method = head->line[0];
  if (head->line[1] != service_->settings.url || head->line[2] != "ICAP/1.0") {
    ledger_->violation(0, "request to " + head->line[1] + " " + head->line[2]);
  }
  if (method == "OPTIONS") co_return co_await answer_options(stream, wire, random);
  if (method == "REQMOD" || method == "RESPMOD") {
    co_return co_await adapt(stream, wire, random, std::move(*head));
  }
  ledger_->violation(0, "ICAP method " + method);
  co_return false;
}

// ---- OPTIONS.

Task<bool> IcapServer::answer_options(ByteStream& stream, Wire& wire, Random& random) {
  const TaskContext& context = co_await this_context();
  count("OPTIONS");
  if (!service_->reliable && random.chance(0.1)) {
    constexpr std::array<int, 6> kStatuses = {404, 405, 500, 503, 0, 0};
    const int status = random.pick(kStatuses);
    const std::string text = status != 0 ? icap_error(status) : garbage(random);
    const Result<void> sent = co_await wire.write(text);
    if (status != 0) co_return sent.has_value();
    constexpr std::array<IcapPlan::Stop, 3> kStops = {IcapPlan::Stop::close, IcapPlan::Stop::reset,
                                                      IcapPlan::Stop::silence};
    co_return co_await stop(stream, random.pick(kStops));
  }
  const Duration thought = random.chance(0.5) ? Duration{} : random.between({}, seconds(1));
  co_await sleep_until(context.executor().now() + thought);
  const Result<void> sent = co_await wire.write(options_answer(*service_, incarnation_));
  co_return sent.has_value();
}

// ---- What is sent to it.

Task<bool> IcapServer::read_heads(Wire& wire, IcapMessage& message) {
  message.respmod = message.icap.line[0] == "RESPMOD";
  const std::vector<Part> parts = parts_of(message.icap.value("encapsulated"));
  const std::size_t heads = message.respmod ? 2 : 1;
  const std::string_view body = message.respmod ? "res-body" : "req-body";
  const bool right = parts.size() == heads + 1 && parts[0].name == "req-hdr" &&
                     parts[0].offset == 0 && (heads == 1 || parts[1].name == "res-hdr") &&
                     (parts[heads].name == body || parts[heads].name == "null-body");
  if (!right) {
    ledger_->violation(0, "Encapsulated: " + message.icap.value("encapsulated"));
    co_return false;
  }
  message.has_body = parts[heads].name == body;
  for (std::size_t i = 0; i < heads; ++i) {
    const std::uint64_t before = wire.used();
    Result<Head> head = co_await wire.read_head(kPatience);
    if (!head) {
      if (head.error().kind == ErrorKind::protocol) ledger_->violation(0, "malformed head in ICAP");
      co_return false;
    }
    if (wire.used() - before != parts[i + 1].offset - parts[i].offset) {
      ledger_->violation(0, "a head is not as long as Encapsulated says");
      co_return false;
    }
    (i == 0 ? message.request : message.response) = std::move(*head);
  }
  co_return check_heads(message);
}

bool IcapServer::check_heads(IcapMessage& message) {
  message.exchange = find_exchange(*ledger_, message.request);
  if (message.exchange == nullptr) return false;
  const Exchange& exchange = *message.exchange;
  const auto wrong = [&](std::string what) {
    ledger_->violation(exchange.token, "sent to a service: " + std::move(what));
  };
  const auto due = message.respmod ? expect_response(*ledger_, exchange, message.response)
                                   : expect_request(*ledger_, exchange, message.request);
  if (!due) return false;
  message.due = *due;
  if (message.respmod) {
    message.attempt = to_number(message.response.value("x-attempt"));
    if (to_number(message.response.line[1]) != due->status) wrong("another status");
    if (message.response.count("x-response-hop") > 0) wrong("hop-by-hop field");
  }
  const Head& head = message.head();
  if (head.count("connection") + head.count("transfer-encoding") > 0) wrong("hop-by-hop field");
  if (message.has_body && !message.may_have_body()) wrong("a body that is none");
  if (!message.has_body && message.may_have_body() && length_of(due->text) > 0) wrong("no body");
  message.check.emplace(check_body(*ledger_, exchange.token, message.which(), head));
  message.read = !message.has_body;
  const auto& settings = service_->settings;
  const Head& icap = message.icap;
  message.allow_204 = icap.lists("allow", "204");
  message.allow_206 = icap.lists("allow", "206");
  if (message.allow_204 && !(settings.allow_204 && service_->allow_204)) wrong("Allow: 204");
  if (message.allow_206 && !(settings.allow_206 && service_->allow_206)) wrong("Allow: 206");
  if (icap.count("preview") > 0) {
    message.preview = static_cast<std::uint64_t>(to_number(icap.value("preview")));
    const std::uint64_t most = std::min(service_->preview.value_or(0), settings.preview);
    const bool wanted = service_->preview && settings.previews && message.has_body;
    if (!wanted || *message.preview > most) wrong("Preview: " + icap.value("preview"));
  }
  if (icap.count("host") != 1) wrong("no Host");
  if (icap.value("x-policy") != settings.name) wrong("fields of another service");
  if (!exchange.client.starts_with(icap.value("x-client-ip"))) wrong("another client's address");
  const std::string shared = icap.value("x-share");
  if (!shared.empty() && shared != to_text(exchange.token)) wrong("what another exchange shared");
  return true;
}

Task<bool> IcapServer::read_chunks(Wire& wire, IcapMessage& message) {
  const Result<void> got = co_await wire.read_body(kChunked, *message.check, message.trailers);
  const Token token = message.exchange->token;
  if (!message.check->right()) ledger_->violation(token, "sent to a service: not its own body");
  if (!got && got.error().kind == ErrorKind::protocol) {
    ledger_->violation(token, "sent to a service: malformed body");
  }
  if (!got) message.broken = true;
  co_return got.has_value();
}

Task<bool> IcapServer::read_preview(Wire& wire, IcapMessage& message) {
  if (!co_await read_chunks(wire, message)) co_return false;
  const std::string& end = wire.last_extensions();
  const std::uint64_t seen = message.check->seen();
  message.read = end == "; ieof";
  const bool right = message.read ? seen <= *message.preview : seen == *message.preview;
  if (!right || (!message.read && !end.empty())) {
    ledger_->violation(message.exchange->token,
                       fmt::format("preview of {} bytes that ends with '{}'", seen, end));
  }
  if (message.read) check_whole(message);
  co_return true;
}

Task<void> IcapServer::read_rest(IcapServer& server, Wire& wire, IcapMessage& message) {
  if (!co_await server.read_chunks(wire, message)) co_return;
  message.read = true;
  const std::string& end = wire.last_extensions();
  if (!end.empty()) server.ledger_->violation(message.exchange->token, "body that ends: " + end);
  server.check_whole(message);
}

void IcapServer::check_whole(const IcapMessage& message) {
  const Exchange& exchange = *message.exchange;
  // What services before have made of it is known now.
  const auto due = message.respmod ? expect_response(*ledger_, exchange, message.response)
                                   : expect_request(*ledger_, exchange, message.request);
  const std::uint64_t seen = message.check->seen();
  if (due && !due->cut && length_of(due->text) == seen) return;
  ledger_->violation(exchange.token,
                     fmt::format("sent to a service: a part of {} bytes as a whole", seen));
}

Task<bool> IcapServer::hears_nothing(Wire& wire, Duration time, const IcapMessage& message) {
  const Result<Head> head = co_await wire.read_head(std::max<Duration>(time, milliseconds(1)));
  if (!wire.begun()) co_return !head && head.error().kind == ErrorKind::timed_out;
  ledger_->violation(message.exchange->token, "more was sent to a service than it asked for");
  co_return false;
}

// ---- What it does about it.

Task<bool> IcapServer::fails(ByteStream& stream, const IcapPlan& plan, IcapPlan::Moment moment) {
  if (plan.fails_at != moment) co_return false;
  count("failure");
  co_await stop(stream, plan.stop);
  co_return true;
}

Task<bool> IcapServer::adapt(ByteStream& stream, Wire& wire, Random& random, Head head) {
  IcapMessage message;
  message.icap = std::move(head);
  if (!co_await read_heads(wire, message)) co_return false;
  const bool too_many =
      service_->max_connections != 0 && connections_ > 2 * service_->max_connections;
  IcapPlan plan = draw_plan(*service_, message, random, too_many);
  if (co_await fails(stream, plan, IcapPlan::Moment::heads)) co_return false;
  if (message.preview) {
    if (!co_await read_preview(wire, message)) co_return false;
    if (co_await fails(stream, plan, IcapPlan::Moment::preview)) co_return false;
    if (!message.read && plan.when != IcapPlan::When::at_preview) {
      if (!co_await hears_nothing(wire, plan.thought, message)) co_return false;
      if (!co_await wire.write(kContinue)) co_return false;
      if (co_await fails(stream, plan, IcapPlan::Moment::told_to_go_on)) co_return false;
    }
  }
  Scope reading(co_await this_context());
  const bool rest = !message.read && plan.when != IcapPlan::When::at_preview;
  const bool early = rest && plan.when == IcapPlan::When::early;
  if (early) {
    reading.spawn(read_rest(*this, wire, message));
  } else if (rest) {
    co_await read_rest(*this, wire, message);
    if (!message.read) co_return false;
  }
  const bool sent = co_await think_and_answer(stream, wire, message, plan, random, early);
  if (!sent) reading.cancel();
  co_await reading.join();
  if (sent && plan.closes && (service_->reliable || random.chance(0.5))) {
    stream.shutdown_write();
    co_await wire.drain(kPatience);
  }
  co_return sent && !plan.closes && (message.read || !rest);
}

Task<bool> IcapServer::think_and_answer(ByteStream& stream, Wire& wire, IcapMessage& message,
                                        IcapPlan& plan, Random& random, bool early) {
  const TaskContext& context = co_await this_context();
  if (early) {
    co_await sleep_until(context.executor().now() + plan.thought);
  } else if (!co_await hears_nothing(wire, plan.thought, message)) {
    co_return false;
  }
  write_answer(plan, incarnation_, message, random);
  count(to_string(plan.verdict));
  if (plan.wrong) count("wrong");
  const bool heads_come = plan.stop_at >= plan.heads_end;
  if (!plan.wrong && plan.verdict != IcapPlan::Verdict::error && heads_come) {
    approve(message, service_->number);
  }
  if (plan.verdict == IcapPlan::Verdict::satisfied) message.exchange->satisfied = true;
  if (plan.adapted) ledger_->adapt(plan.number, *plan.adapted);
  const bool sent =
      plan.streams ? co_await echo(wire, random, message, plan) : co_await answer(wire, plan);
  const bool broke_off = plan.streams && !sent;
  if (plan.stop_at >= plan.text.size() && !broke_off) co_return sent;
  count("failure");
  co_return co_await stop(stream, plan.stop);
}

Task<bool> IcapServer::answer(Wire& wire, const IcapPlan& plan) {
  const std::string_view text = std::string_view(plan.text).substr(0, plan.stop_at);
  const Result<void> sent = co_await wire.write(text);
  co_return sent.has_value();
}

Task<bool> IcapServer::echo(Wire& wire, Random& random, IcapMessage& message, IcapPlan& plan) {
  const TaskContext& context = co_await this_context();
  Adapted& adapted = *ledger_->find_adapted(to_text(plan.number));
  // With the length that was told it is complete.
  adapted.cut = !plan.length_told || length_of(adapted.text) > 0;
  count("echo while it comes");
  if (!co_await wire.write(std::string_view(plan.text).substr(0, plan.stop_at))) co_return false;
  const bool stops = plan.stop != IcapPlan::Stop::none;
  std::uint64_t passed = 0;
  Duration wait = milliseconds(5);
  while (true) {
    if (stops && random.chance(0.3)) co_return false;
    const std::uint64_t seen = message.check->seen();
    const bool last = message.read;
    std::string piece;
    if (seen > passed) {
      const BodyText text = part_of(adapted.text, passed, seen - passed);
      piece = chunk_of(make_body(text));
      if (plan.length_told && seen == length_of(adapted.text)) adapted.cut = false;
      passed = seen;
      wait = milliseconds(5);
    }
    if (last) {
      if (stops) co_return false;
      adapted.cut = false;
      piece += "0\r\n\r\n";
    }
    if (!piece.empty() && !co_await wire.write(piece)) co_return false;
    if (last) co_return true;
    if (message.broken) co_return false;
    if (!co_await sleep_until(context.executor().now() + wait)) co_return false;
    wait = std::min<Duration>(2 * wait, seconds(1));
  }
}

}  // namespace penstock::simulation
