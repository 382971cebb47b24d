#include "app/fetch_transfer.h"

#include <utility>

#include <fmt/format.h>

#include "app/fetch_failure.h"
#include "message/text_body.h"

namespace penstock {
namespace {

// Of a redirect's content so much is read for the sake of the connection.
constexpr std::uint64_t kWorthReading = 64UL * 1024;

}  // namespace

Task<std::expected<FetchAnswer, std::string>> FetchTransfer::run() {
  parts_->trace.begin();
  FetchBody body;
  if (request_->has_body) {
    auto opened = open_fetch_body(parts_->command, parts_->loop);
    if (!opened) co_return std::unexpected(std::move(opened.error()));
    body = std::move(*opened);
  } else {
    body.source = std::make_unique<TextBody>();
  }
  fill_head(*request_, parts_->command, head_);
  const Destination destination{.secure = request_->url.secure,
                                .host = request_->url.host,
                                .port = request_->url.port,
                                .via = parts_->peers,
                                .name = head_.target.authority};
  ReplayBody replay(*body.source, 0);
  sent_ = {.head = &head_, .body = &replay, .framing = body.framing, .connection = {}};
  const auto delivered = co_await delivery_.run(destination, sent_, replay);
  auto answer = delivered ? co_await receive() : failure(delivered.error());
  const CloseReason fate = co_await delivery_.settle(answer.has_value());
  if (delivered) parts_->trace.note("connection: {}", to_string(fate));
  if (delivery_.attempts() > 1) parts_->trace.note("{} attempts", delivery_.attempts());
  parts_->trace.end();
  co_return answer;
}

FetchTransfer::Answer FetchTransfer::failure(const Error& error) const {
  const FetchCommand& command = parts_->command;
  const std::string body = command.data_file == "-" ? "stdin" : command.data_file;
  return std::unexpected(failure_text(error, delivery_.step(), body));
}

Task<FetchTransfer::Answer> FetchTransfer::receive() {
  const FetchCommand& command = parts_->command;
  const ResponseHead& response = delivery_.response();
  tell_logins();
  parts_->trace.received(response);
  // Nobody asked for it: Upgrade is not sent.
  if (response.status == 101) co_return std::unexpected("the server switches protocols unasked");
  FetchAnswer answer{.status = response.status, .location = {}};
  if (command.follow && is_redirect(response.status)) {
    answer.location = response.fields.value(FieldId::location);
  }
  const bool unwanted = command.fail && response.status >= 400;
  if (answer.location.empty() && !unwanted) parts_->output.begin();
  if (command.include) {
    auto put = put_out_head();
    if (!put) co_return std::unexpected(std::move(put.error()));
  }
  if (!answer.location.empty() || unwanted) {
    co_await read_away();
    co_return answer;
  }
  auto put = co_await put_out_content();
  if (!put) co_return std::unexpected(std::move(put.error()));
  co_return answer;
}

FetchTransfer::Done FetchTransfer::put_out_head() {
  const ResponseHead& response = delivery_.response();
  std::string text =
      fmt::format("{} {} {}\r\n", to_string(response.version), response.status, response.reason);
  for (const Field& field : response.fields) {
    text += fmt::format("{}: {}\r\n", field.name, field.value);
  }
  return parts_->output.write(text + "\r\n");
}

Task<FetchTransfer::Done> FetchTransfer::put_out_content() {
  BodySource& body = delivery_.lease().response_body();
  std::uint64_t received = 0;
  while (!body.at_end()) {
    const auto slice = co_await body.next();
    if (!slice) co_return std::unexpected(cut_text(slice.error(), received));
    received += slice->size();
    auto put = parts_->output.write(slice->view());
    if (!put) co_return put;
  }
  parts_->trace.note("{} bytes of content", received);
  if (const FieldSection* const trailers = body.trailers()) parts_->trace.trailers(*trailers);
  co_return Done{};
}

// As far as that is worth it: what is not read costs the connection, no more.
Task<void> FetchTransfer::read_away() {
  BodySource& body = delivery_.lease().response_body();
  std::uint64_t seen = 0;
  while (!body.at_end() && seen <= kWorthReading) {
    const auto slice = co_await body.next();
    if (!slice) co_return;
    seen += slice->size();
  }
}

// They were added after on_acquired().
void FetchTransfer::tell_logins() {
  for (const FieldId id : {FieldId::authorization, FieldId::proxy_authorization}) {
    const std::string_view value = head_.fields.value(id);
    if (value.empty()) continue;
    const std::string_view scheme = value.substr(0, value.find(' '));
    parts_->trace.note("sent with {}: {} ...", field_name(id), scheme);
  }
}

Task<Result<AddressList>> FetchTransfer::target_addresses() {
  Network& network = parts_->servers.network();
  const TimePoint deadline =
      deadline_after(network.executor().now(), parts_->command.connect_timeout);
  const Url& url = request_->url;
  auto resolution = co_await network.resolve(url.host, url.port, deadline);
  if (!resolution) co_return fail(resolution.error().at(Side::server));
  co_return std::move(resolution->addresses);
}

void FetchTransfer::on_acquired(const Lease& lease, const NextHop* hop) {
  parts_->trace.acquired(delivery_.lease(), hop != nullptr ? hop->host_field() : "");
  parts_->trace.sending(lease, sent_);
}

Task<Result<void>> FetchTransfer::on_informational(ResponseHead& head) {
  parts_->trace.received(head);
  co_return Result<void>{};
}

}  // namespace penstock
