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

// What went wrong with content, for the log.
std::string_view reason_of(const Error& error) {
  switch (error.kind) {
    case ErrorKind::limit:
      return "the content comes to more than most or ratio allow";
    case ErrorKind::protocol:
      return "the content is not what Content-Encoding says";
    default:
      return to_string(error.kind);
  }
}

// Content out of a coding. Says so when it ends that content with an error.
class DecodedBody final : public ChangedBody<DecompressBody> {
 public:
  // The filter must outlive it.
  DecodedBody(const AdaptedMessage& message, const Filter& filter, ContentCoding coding,
              const DecompressLimits& limits)
      : ChangedBody(message.body(), coding, limits,
                    message.response() != nullptr ? Side::server : Side::client),
        adaptation_(&message.adaptation()),
        filter_(&filter),
        point_(message.point()) {}

  Task<Result<Slice>> next() override {
    auto slice = co_await ChangedBody::next();
    if (!slice && !noted_ && body().failure()) {
      noted_ = true;
      adaptation_->note_failure(*filter_, point_, reason_of(*body().failure()));
    }
    co_return slice;
  }

 private:
  Adaptation* adaptation_;
  const Filter* filter_;
  AdaptPoint point_;
  bool noted_ = false;
};

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
  for (const ContentCoding coding : std::views::reverse(codings->in_order())) {
    message.replace(std::make_unique<DecodedBody>(message, *this, coding, settings_->limits),
                    std::nullopt);
  }
}

}  // namespace penstock
