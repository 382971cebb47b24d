#include "adapt/decompress_filter.h"

#include <ranges>
#include <string>

#include "adapt/built_in.h"
#include "adapt/content_fields.h"
#include "adapt/decompress_body.h"
#include "message/characters.h"

namespace penstock {
namespace {

constexpr std::string_view kAcceptEncoding = "Accept-Encoding";
constexpr std::string_view kAll = "gzip, deflate, br, zstd";
constexpr std::string_view kNone = "identity";

// The elements that name a coding which is known here.
std::string known_codings(std::string_view accepted) {
  std::string known;
  for_each_element(accepted, [&known](std::string_view element) {
    if (!content_coding(trim_whitespace(element.substr(0, element.find(';'))))) return;
    if (!known.empty()) known += ", ";
    known += element;
  });
  return known;
}

}  // namespace

DecompressFilter::DecompressFilter(const DecompressFilterSettings& settings, FilterSide side)
    : settings_(&settings) {
  interests_ = interest(request_point(side));
  if (settings.responses) interests_ |= interest(response_point(side));
}

std::optional<FilterOutcome> DecompressFilter::start(AdaptedMessage& message,
                                                     std::unique_ptr<FilterState>& /*state*/) {
  if (message.response() != nullptr) {
    weaken_as_asked(message);
    decode(message);
    return kGoOn;
  }
  if (settings_->responses) ask_server(message);
  if (settings_->requests) decode(message);
  return kGoOn;
}

// Parts of coded content cannot be decoded, so ranges are asked for of plain content.
void DecompressFilter::ask_server(AdaptedMessage& message) const {
  FieldSection& fields = message.fields();
  if (forbids_transform(fields)) return;
  const std::string_view accepted = keep_accepted_codings(message);
  if (fields.has(FieldId::range) || settings_->ask == AskedCodings::none) {
    fields.set(kAcceptEncoding, kNone);
  } else if (settings_->ask == AskedCodings::all) {
    fields.set(kAcceptEncoding, kAll);
  } else if (!accepted.empty()) {
    const std::string known = known_codings(accepted);
    fields.set(kAcceptEncoding, known.empty() ? kNone : fields.keep(known));
  }
}

void DecompressFilter::decode(AdaptedMessage& message) const {
  FieldSection& fields = message.fields();
  const auto codings = parse_content_encoding(fields);
  if (!codings || codings->empty() || !may_change_content(message)) return;
  fields.remove(FieldId::content_encoding);
  note_changed_content(fields);
  if (!message.has_content()) {
    message.content_would_change();
    return;
  }
  const Side side = message.response() != nullptr ? Side::server : Side::client;
  for (const ContentCoding coding : std::views::reverse(codings->in_order())) {
    message.replace(std::make_unique<ChangedBody<DecompressBody>>(message.body(), coding,
                                                                  settings_->limits, side),
                    std::nullopt);
  }
}

}  // namespace penstock
