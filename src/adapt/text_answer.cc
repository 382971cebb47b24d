#include "adapt/text_answer.h"

#include "message/status.h"

namespace penstock {

void answer_with_text(AdaptedMessage& message, ResponseHead head, std::string_view type,
                      std::string text) {
  if (head.reason.empty()) head.reason = reason_phrase(head.status);
  const std::size_t size = text.size();
  if (!text.empty() && !never_has_content(head.status)) {
    if (!type.empty()) head.fields.set(FieldId::content_type, type);
    if (message.request().method == Method::head) set_content_length(head.fields, size);
  }
  message.answer_with({.head = std::move(head),
                       .body = std::make_unique<AnswerText>(std::move(text)),
                       .framing = {.kind = BodyKind::length, .length = size}});
}

}  // namespace penstock
