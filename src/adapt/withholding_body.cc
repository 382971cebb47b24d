#include "adapt/withholding_body.h"

#include <algorithm>

namespace penstock {
namespace {

// Another body, but for some trailer fields.
class WithholdingBody final : public OwnBody {
 public:
  WithholdingBody(BodySource& source, std::span<const std::string_view> names)
      : source_(&source), names_(names) {}

  Slice take_ready() override { return source_->take_ready(); }
  Task<Result<Slice>> next() override { return source_->next(); }
  [[nodiscard]] bool at_end() const override { return source_->at_end(); }
  [[nodiscard]] std::optional<std::uint64_t> remaining() const override {
    return source_->remaining();
  }
  [[nodiscard]] FieldSection* trailers() override {
    FieldSection* const trailers = source_->trailers();
    withhold_fields(trailers, names_);
    return trailers;
  }
  [[nodiscard]] Run run(std::uint64_t at_least) override { return source_->run(at_least); }
  void moved(std::uint64_t bytes, bool ended) override { source_->moved(bytes, ended); }

 private:
  BodySource* source_;
  std::span<const std::string_view> names_;
};

}  // namespace

void withhold_trailers(AdaptedMessage& message, std::span<const std::string_view> names) {
  if (names.empty() || message.framing().kind != BodyKind::chunked) return;
  message.wrap(std::make_unique<WithholdingBody>(message.body(), names));
}

void withhold_fields(FieldSection* trailers, std::span<const std::string_view> names) {
  if (trailers == nullptr) return;
  trailers->remove_if([names](const Field& field) {
    return std::ranges::any_of(
        names, [&field](std::string_view name) { return is_alike(field.name, name); });
  });
}

}  // namespace penstock
