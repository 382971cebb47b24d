// The content of a stored response, or a range of it, as a body that is pulled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "cache/stored_response.h"
#include "cache/waiting.h"
#include "message/body.h"

namespace penstock {

// Hands out the bytes where they lie: its slices keep the response alive. Of content that is still
// growing it waits for what is to come; content that fails ends it with an error of the server's
// side (`closed`). Belongs to one thread.
class StoredBody final : public BodySource {
 public:
  // The bytes of the representation from `first` on, `length` of them, or all that there will be;
  // the response must have them. The gate leads to the calling thread; it may be null for content
  // that is complete.
  StoredBody(std::shared_ptr<const StoredResponse> response, std::shared_ptr<WorkerGate> gate,
             std::uint64_t first = 0, std::optional<std::uint64_t> length = std::nullopt);

  Slice take_ready() override;
  Task<Result<Slice>> next() override;
  [[nodiscard]] bool at_end() const override;
  [[nodiscard]] std::optional<std::uint64_t> remaining() const override;

 private:
  [[nodiscard]] Content* content() const;

  std::shared_ptr<const StoredResponse> response_;
  std::shared_ptr<WorkerGate> gate_;
  SlabRef keeper_;  // of the response, for the slices
  std::size_t part_ = 0;
  std::uint64_t position_;
  std::optional<std::uint64_t> end_;
};

}  // namespace penstock
