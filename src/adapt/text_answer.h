// Answers of filters whose content is a text that is there already.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "adapt/filter.h"

namespace penstock {

// The bytes of a text of its own.
class AnswerText final : public OwnBody {
 public:
  explicit AnswerText(std::string text) : text_(std::move(text)), rest_(text_) {}
  AnswerText(const AnswerText&) = delete;
  AnswerText& operator=(const AnswerText&) = delete;
  Slice take_ready() override { return Slice(std::exchange(rest_, {})); }
  Task<Result<Slice>> next() override { co_return take_ready(); }
  [[nodiscard]] bool at_end() const override { return rest_.empty(); }
  [[nodiscard]] std::optional<std::uint64_t> remaining() const override { return rest_.size(); }

 private:
  std::string text_;
  std::string_view rest_;
};

// Makes that the answer to the message: the fields that `head` has, and the text, whose type is
// `type` (static, or of the head's arena). Without any text there is no Content-Type.
void answer_with_text(AdaptedMessage& message, ResponseHead head, std::string_view type,
                      std::string text);

}  // namespace penstock
