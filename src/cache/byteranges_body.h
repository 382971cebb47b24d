// The content of a 206 with several ranges.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/worker_gate.h"
#include "cache/rfc9111/byteranges.h"
#include "cache/stored_body.h"
#include "message/body.h"

namespace penstock {

// multipart/byteranges of a stored response (RFC 9110 section 14.6), of which all the bytes named
// are there or coming. Belongs to one thread.
class ByterangesBody final : public BodySource {
 public:
  // `length`: of the whole representation. `type`: its Content-Type, a view into the response.
  ByterangesBody(std::shared_ptr<const StoredResponse> response, std::shared_ptr<WorkerGate> gate,
                 std::vector<rfc9111::ByteSpan> spans, std::string_view type, std::uint64_t length,
                 std::array<std::uint64_t, 2> random);
  ByterangesBody(const ByterangesBody&) = delete;
  ByterangesBody& operator=(const ByterangesBody&) = delete;

  // Content-Type and Content-Length of the 206.
  [[nodiscard]] std::string content_type() const { return frame_.content_type(); }
  [[nodiscard]] std::uint64_t size() const { return frame_.total_size(); }

  Slice take_ready() override;
  Task<Result<Slice>> next() override;
  [[nodiscard]] bool at_end() const override { return ended_; }
  [[nodiscard]] std::optional<std::uint64_t> remaining() const override { return remaining_; }

 private:
  Slice text(std::string text);
  Slice count(Slice slice);

  std::shared_ptr<const StoredResponse> response_;
  std::shared_ptr<WorkerGate> gate_;
  std::vector<rfc9111::ByteSpan> spans_;
  rfc9111::ByterangesFrame frame_;
  std::uint64_t remaining_;
  std::size_t part_ = 0;
  std::optional<StoredBody> content_;  // of the part; none: its head comes next
  bool ended_ = false;
};

}  // namespace penstock
