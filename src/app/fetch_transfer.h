// One request of `penstock fetch` and its response.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>

#include "app/fetch_body.h"
#include "app/fetch_command.h"
#include "app/fetch_output.h"
#include "app/fetch_request.h"
#include "app/fetch_trace.h"
#include "async/task.h"
#include "net/event_loop.h"
#include "upstream/delivery.h"
#include "upstream/server_side.h"

namespace penstock {

// What transfers work with; all outlives them.
struct FetchParts {
  const FetchCommand& command;
  EventLoop& loop;
  ServerSide& servers;
  std::span<Peer* const> peers;  // null: directly
  FetchTrace& trace;
  FetchOutput& output;
};

struct FetchAnswer {
  int status = 0;
  std::string location;  // where to go on, if the answer is a redirect to be followed; else empty
};

class FetchTransfer final : private DeliveryOwner {
 public:
  FetchTransfer(const FetchParts& parts, const FetchRequest& request)
      : parts_(&parts), request_(&request), delivery_(parts.servers, *this, nullptr) {}

  // To be called once. The response, head and content, is put out as it comes, but the content of
  // a redirect that is followed, or of a status that is a failure. The error is a sentence.
  using Answer = std::expected<FetchAnswer, std::string>;
  Task<Answer> run();

 private:
  using Done = std::expected<void, std::string>;

  Task<Answer> receive();
  [[nodiscard]] Answer failure(const Error& error) const;
  Done put_out_head();
  Task<Done> put_out_content();
  Task<void> read_away();
  void tell_logins();

  Task<Result<AddressList>> target_addresses() override;
  void on_acquired(const Lease& lease, const NextHop* hop) override;
  Task<Result<void>> on_informational(ResponseHead& head) override;

  const FetchParts* parts_;
  const FetchRequest* request_;
  RequestHead head_;
  ServerRequest sent_{};
  Delivery delivery_;
};

}  // namespace penstock
