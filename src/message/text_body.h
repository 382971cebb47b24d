// Bodies that are there already.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "message/body.h"

namespace penstock {

// The bytes of a text that must outlive it.
class TextBody final : public BodySource {
 public:
  explicit TextBody(std::string_view text = {}) : rest_(text) {}
  Slice take_ready() override { return Slice(std::exchange(rest_, {})); }
  Task<Result<Slice>> next() override { co_return take_ready(); }
  [[nodiscard]] bool at_end() const override { return rest_.empty(); }
  [[nodiscard]] std::optional<std::uint64_t> remaining() const override { return rest_.size(); }

 private:
  std::string_view rest_;
};

}  // namespace penstock
