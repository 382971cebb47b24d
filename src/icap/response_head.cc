#include "icap/response_head.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "message/characters.h"
#include "message/framing.h"

namespace penstock::icap {
namespace {

using http1::Progress;
using std::unexpected;

constexpr std::string_view kProtocol = "ICAP/";
constexpr std::string_view kIstag = "ISTag";
constexpr std::string_view kEncapsulated = "Encapsulated";

// The lines of a head that a scanner has found: each ends in LF, and CR stands in front of LF only.
class Lines {
 public:
  explicit Lines(std::string_view head) : rest_(head) {}

  // The next line, without its end. There must be one.
  std::string_view next(Quirks& quirks) {
    const std::size_t lf = rest_.find('\n');
    PENSTOCK_CHECK(lf != std::string_view::npos);
    std::string_view line = rest_.substr(0, lf);
    rest_.remove_prefix(lf + 1);
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    } else {
      quirks.add(Quirk::bare_lf);
    }
    return line;
  }
  // Whether the next line goes on with the one before.
  [[nodiscard]] bool folded() const { return !rest_.empty() && is_whitespace(rest_.front()); }
  [[nodiscard]] bool empty() const { return rest_.empty(); }
  [[nodiscard]] const char* at() const { return rest_.data(); }

 private:
  std::string_view rest_;
};

// Appends texts to memory that is large enough for all of them, with a space between.
class Joined {
 public:
  explicit Joined(char* to) : begin_(to), at_(to) {}
  void add(std::string_view text) {
    if (text.empty()) return;
    if (at_ != begin_) *at_++ = ' ';
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  [[nodiscard]] std::string_view text() const {
    return {begin_, static_cast<std::size_t>(at_ - begin_)};
  }

 private:
  char* begin_;
  char* at_;
};

Problem parse_status_line(std::string_view line, IcapResponse& response) {
  PENSTOCK_CHECK(line.starts_with(kProtocol));
  line.remove_prefix(kProtocol.size());
  if (line.size() < 3 || !is_digit(line[0]) || line[1] != '.' || !is_digit(line[2])) {
    return Problem::status_line_malformed;
  }
  if (line[0] != '1') return Problem::version_not_supported;
  if (line[2] != '0') response.quirks.add(Quirk::other_version);
  line.remove_prefix(3);

  const std::size_t spaces = std::min(line.find_first_not_of(" \t"), line.size());
  const std::string_view code = line.substr(spaces, 3);
  if (spaces == 0 || code.size() != 3 || !all_of_class(code, characters::kDigit)) {
    return Problem::status_line_malformed;
  }
  if (line.substr(0, spaces) != " ") response.quirks.add(Quirk::status_line_spaces);
  response.status = (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');
  if (response.status < 100 || response.status > 599) return Problem::status_line_malformed;
  line.remove_prefix(spaces + 3);
  if (!line.empty() && !is_whitespace(line.front())) return Problem::status_line_malformed;
  response.reason = trim_whitespace(line);
  return Problem::none;
}

// The value of which `first` is the part in its first line, when more lines follow.
std::string_view unfold(std::string_view first, Lines& lines, IcapResponse& response) {
  response.quirks.add(Quirk::folded_field);
  Lines ahead = lines;
  while (ahead.folded()) ahead.next(response.quirks);
  // What is left out, a line end and whitespace, is longer than the space in its place.
  const std::size_t bound = static_cast<std::size_t>(ahead.at() - first.data());
  Joined value(response.fields.arena().allocate(bound));
  value.add(trim_whitespace(first));
  while (lines.folded()) value.add(trim_whitespace(lines.next(response.quirks)));
  return value.text();
}

Problem parse_fields(Lines lines, std::size_t limit, IcapResponse& response) {
  for (std::size_t count = 0;; ++count) {
    if (lines.folded()) return Problem::fold_without_field;
    const std::string_view line = lines.next(response.quirks);
    if (line.empty()) break;
    if (count == limit) return Problem::too_many_fields;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return Problem::field_line_malformed;
    const std::string_view name = trim_whitespace(line.substr(0, colon));
    if (!is_token(name)) return Problem::field_line_malformed;
    if (name.size() != colon) response.quirks.add(Quirk::space_before_colon);
    const std::string_view value = line.substr(colon + 1);
    response.fields.add(field_id(name), name,
                        lines.folded() ? unfold(value, lines, response) : trim_whitespace(value));
  }
  PENSTOCK_CHECK(lines.empty());
  return Problem::none;
}

void settle_istag(IcapResponse& response) {
  const Field* const field = response.fields.find(kIstag);
  std::string_view tag = field != nullptr ? field->value : std::string_view{};
  const bool quoted = tag.size() >= 2 && tag.starts_with('"') && tag.ends_with('"');
  if (quoted) tag = tag.substr(1, tag.size() - 2);
  response.istag = tag;
  if (tag.empty()) {
    if (response.status / 100 == 2) response.quirks.add(Quirk::istag_missing);
  } else if (!quoted) {
    response.quirks.add(Quirk::istag_unquoted);
  }
}

Problem settle_encapsulated(IcapResponse& response) {
  const Field* found = nullptr;
  for (const Field& field : response.fields) {
    if (field.id != FieldId::other || !equals_ignoring_case(field.name, kEncapsulated)) continue;
    if (found != nullptr) return Problem::encapsulated_repeated;
    found = &field;
  }
  if (found == nullptr) {
    if (response.status == 204) response.quirks.add(Quirk::encapsulated_missing);
    return Problem::none;
  }
  const auto parsed = parse_encapsulated(found->value);
  if (!parsed) return parsed.error();
  response.encapsulated = *parsed;
  return Problem::none;
}

}  // namespace

Progress ResponseScanner::refuse(Problem problem) {
  problem_ = problem;
  return Progress::refused;
}

Progress ResponseScanner::scan(std::string_view bytes) {
  if (problem_ != Problem::none) return Progress::refused;
  // Bytes beyond the limit are not looked at, so that their arriving together with others or later
  // makes no difference.
  const std::string_view seen = bytes.substr(0, limits_->head);
  if (line_ == 0) {
    const std::string_view begin = seen.substr(0, kProtocol.size());
    if (!kProtocol.starts_with(begin)) return refuse(Problem::not_icap);
  }
  const char* const begin = seen.data();
  while (scanned_ < seen.size()) {
    const char* const found = find_control(begin + scanned_, begin + seen.size());
    scanned_ = static_cast<std::size_t>(found - begin);
    if (scanned_ == seen.size()) break;
    const bool empty = scanned_ == line_;
    if (*found == '\r') {
      if (scanned_ + 1 == seen.size()) break;
      if (found[1] != '\n') return refuse(Problem::bare_cr);
      ++scanned_;
    } else if (*found != '\n') {
      return refuse(Problem::control_byte);
    }
    ++scanned_;
    if (empty) return Progress::done;
    line_ = scanned_;
  }
  if (bytes.size() >= limits_->head) return refuse(Problem::head_too_large);
  return Progress::need_more;
}

std::string_view IcapResponse::service_id() const {
  const Field* const field = fields.find("Service-ID");
  return field != nullptr ? field->value : std::string_view{};
}

std::optional<std::vector<std::string_view>> IcapResponse::next_services() const {
  std::optional<std::vector<std::string_view>> services;
  for (const Field& field : fields) {
    if (!equals_ignoring_case(field.name, "X-Next-Services")) continue;
    if (!services) services.emplace();
    for_each_element(field.value, [&](std::string_view element) { services->push_back(element); });
  }
  return services;
}

std::expected<IcapResponse, Problem> parse_response_head(std::string_view bytes,
                                                         const http1::HeadLimits& limits) {
  if (bytes.size() > limits.head) return unexpected(Problem::head_too_large);
  IcapResponse response;
  Lines lines(bytes);
  Problem problem = parse_status_line(lines.next(response.quirks), response);
  if (problem == Problem::none) problem = parse_fields(lines, limits.fields, response);
  if (problem == Problem::none) problem = settle_encapsulated(response);
  if (problem != Problem::none) return unexpected(problem);

  settle_istag(response);
  if (response.status == 201) response.quirks.add(Quirk::created);
  response.close = connection_options(response.fields).close;
  return response;
}

}  // namespace penstock::icap
