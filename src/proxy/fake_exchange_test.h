// For tests: an exchange without a connection, whose request and traffic the test writes down.
#pragma once

#include <cstdlib>
#include <string_view>

#include "message/text_body.h"
#include "server/exchange.h"

namespace penstock {

class FakeExchange final : public Exchange, private ClientControl {
 public:
  explicit FakeExchange(const ClientInfo& client) : Exchange(client, *this) {}
  void end_if_idle() override {}

  using Exchange::fate_;
  using Exchange::request_;
  using Exchange::traffic_;

  BodySource& body() override { return no_body_; }
  Task<Result<void>> inform(ResponseHead& /*head*/) override { co_return Result<void>{}; }
  Task<Result<void>> respond(ResponseHead& /*head*/, BodySource& /*body*/,
                             const Framing& /*framing*/) override {
    co_return Result<void>{};
  }
  Task<Result<void>> open_tunnel(ResponseHead& /*head*/, std::string_view /*upgrade*/) override {
    co_return Result<void>{};
  }
  ByteStream& tunnel_stream() override { std::abort(); }
  InputBuffer& tunnel_input() override { std::abort(); }

 private:
  TextBody no_body_;
};

}  // namespace penstock
