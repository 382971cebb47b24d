// What a client gets of a stored response: all of it, a range, or that it has it already.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/worker_gate.h"
#include "cache/byteranges_body.h"
#include "cache/rfc9111/ranges.h"
#include "cache/stored_body.h"
#include "cache/stored_response.h"
#include "message/body.h"
#include "message/framing.h"
#include "message/head.h"
#include "message/text_body.h"

namespace penstock {

// A response made of a stored one for one request. Its head has views into the stored response,
// which it keeps alive; the body is part of it. Belongs to one thread and stays where it is.
class CacheAnswer {
 public:
  CacheAnswer() = default;
  CacheAnswer(const CacheAnswer&) = delete;
  CacheAnswer& operator=(const CacheAnswer&) = delete;

  // Makes it. False: of the range that is asked for bytes are missing, see missing(); there is no
  // answer then. The request's conditions and ranges are those of a client (RFC 9110 sections 13
  // and 14); a response that was found fit to be used is what they are about.
  [[nodiscard]] bool make(std::shared_ptr<StoredResponse> stored, const RequestHead& request,
                          std::chrono::sys_seconds now, const std::shared_ptr<WorkerGate>& gate);

  [[nodiscard]] ResponseHead& head() { return head_; }
  [[nodiscard]] BodySource& body() { return *body_; }
  [[nodiscard]] const Framing& framing() const { return framing_; }
  [[nodiscard]] const std::shared_ptr<StoredResponse>& stored() const { return stored_; }
  // After make() gave false: a range with the bytes that are not there.
  [[nodiscard]] const rfc9111::RangeSpec& missing() const { return missing_; }

 private:
  void take_all(const std::shared_ptr<WorkerGate>& gate);
  void take_not_modified();
  void take_unsatisfiable(std::uint64_t length);
  void take_range(const rfc9111::ByteSpan& span, const std::shared_ptr<WorkerGate>& gate);
  void take_ranges(std::vector<rfc9111::ByteSpan> spans, const std::shared_ptr<WorkerGate>& gate);
  void copy_fields();
  void set_status(int status);

  std::shared_ptr<StoredResponse> stored_;
  ResponseHead head_;
  Framing framing_;
  BodySource* body_ = &none_;
  TextBody none_;
  std::optional<StoredBody> content_;
  std::optional<ByterangesBody> ranges_;
  rfc9111::RangeSpec missing_;
};

}  // namespace penstock
