#include "adapt/compress_filter.h"

#include <span>
#include <string>

#include "adapt/built_in.h"
#include "adapt/compress_body.h"
#include "adapt/content_fields.h"

namespace penstock {
namespace {

constexpr std::string_view kAcceptEncoding = "Accept-Encoding";

// How much content there is, or would be (HEAD), where that is known.
std::optional<std::uint64_t> size_of(const AdaptedMessage& message) {
  if (message.framing().kind == BodyKind::length) return message.framing().length;
  if (message.has_content()) return std::nullopt;
  const auto described = content_length(message.fields());
  if (!described || described->kind != BodyKind::length) return std::nullopt;
  return described->length;
}

}  // namespace

CompressFilter::CompressFilter(const CompressFilterSettings& settings, FilterSide side)
    : settings_(&settings), interests_(interest(response_point(side))) {}

int CompressFilter::level_of(ContentCoding coding) const {
  switch (coding) {
    case ContentCoding::br:
      return settings_->br_level;
    case ContentCoding::zstd:
      return settings_->zstd_level;
    default:
      return settings_->gzip_level;
  }
}

// The response to the same request with content could be compressed for some, as far as a 304
// tells: most do not even say what type it would be of.
bool stands_for_meant(const AdaptedMessage& message, std::span<const std::string> types) {
  const FieldSection& fields = message.fields();
  return message.response()->status == 304 &&
         (!fields.has(FieldId::content_type) || has_type_in(fields, types)) &&
         !fields.has(FieldId::content_encoding) && !forbids_transform(fields) &&
         !forbids_transform(message.request().fields);
}

// Whoever the client is.
bool CompressFilter::is_meant(const AdaptedMessage& message) const {
  const FieldSection& fields = message.fields();
  if (!has_type_in(fields, settings_->types) || !may_change_content(message)) return false;
  const auto codings = parse_content_encoding(fields);
  if (!codings || !codings->empty()) return false;
  const auto size = size_of(message);
  return !size || *size >= settings_->least;
}

std::optional<FilterOutcome> CompressFilter::start(AdaptedMessage& message,
                                                   std::unique_ptr<FilterState>& /*state*/) {
  FieldSection& fields = message.fields();
  // What the 200 would have had (RFC 9110 section 15.4.5).
  if (weaken_as_asked(message) || stands_for_meant(message, settings_->types)) {
    add_to_vary(fields, kAcceptEncoding);
  }
  if (!is_meant(message)) return kGoOn;
  add_to_vary(fields, kAcceptEncoding);
  const auto coding = choose_coding(accepted_codings(message), settings_->codings);
  if (!coding || *coding == ContentCoding::identity) return kGoOn;
  fields.set(FieldId::content_encoding, to_string(*coding));
  note_changed_content(fields);
  if (message.has_content()) {
    message.replace(std::make_unique<ChangedBody<CompressBody>>(
                        message.body(), *coding, level_of(*coding), settings_->flush),
                    std::nullopt);
  } else {
    message.content_would_change();
  }
  return kGoOn;
}

}  // namespace penstock
