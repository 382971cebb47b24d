#include "adapt/coding.h"

#include <string>

#include "message/characters.h"

namespace penstock {
namespace {

constexpr std::size_t kCodings = 5;
constexpr std::array<std::string_view, kCodings> kTokens = {"identity", "gzip", "deflate", "br",
                                                            "zstd"};
constexpr std::string_view kAcceptEncoding = "Accept-Encoding";

// A weight in thousandths (RFC 9110 section 12.4.2).
std::optional<int> parse_qvalue(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return {};
  if (text.size() > 1 && text[1] != '.') return {};
  int value = (text[0] - '0') * 1000;
  int unit = 100;
  for (const char c : text.substr(text.size() > 1 ? 2 : 1)) {
    if (!is_digit(c)) return {};
    value += (c - '0') * unit;
    unit /= 10;
  }
  return value <= 1000 ? std::optional(value) : std::nullopt;
}

struct Preference {
  std::string_view token;
  int weight = 1000;
};

// codings [ weight ], weight = OWS ";" OWS "q=" qvalue
std::optional<Preference> parse_preference(std::string_view element) {
  const std::size_t semicolon = element.find(';');
  Preference preference{.token = trim_whitespace(element.substr(0, semicolon))};
  if (!is_token(preference.token)) return {};
  if (semicolon == std::string_view::npos) return preference;
  const std::string_view weight = trim_whitespace(element.substr(semicolon + 1));
  if (weight.size() < 2 || to_lower(weight[0]) != 'q' || weight[1] != '=') return {};
  const auto value = parse_qvalue(weight.substr(2));
  if (!value) return {};
  preference.weight = *value;
  return preference;
}

// What the client said of each coding, and of all that it did not name.
class Weights {
 public:
  explicit Weights(const FieldSection& request) {
    for (const Field& line : request) {
      if (equals_ignoring_case(line.name, kAcceptEncoding)) add_all(line.value);
    }
  }
  explicit Weights(std::string_view accepted) { add_all(accepted); }

  // Not named: 0, but identity is always taken, if nothing else is wanted.
  [[nodiscard]] int of(ContentCoding coding) const {
    const auto& named = named_[static_cast<std::size_t>(coding)];
    if (named) return *named;
    if (others_) return *others_;
    return coding == ContentCoding::identity ? 1 : 0;
  }

 private:
  void add_all(std::string_view list) {
    for_each_element(list, [this](std::string_view element) { add(element); });
  }
  void add(std::string_view element) {
    const auto preference = parse_preference(element);
    if (!preference) return;
    if (preference->token == "*") {
      if (!others_) others_ = preference->weight;
    } else if (const auto coding = content_coding(preference->token)) {
      auto& named = named_[static_cast<std::size_t>(*coding)];
      if (!named) named = preference->weight;
    }
  }

  std::array<std::optional<int>, kCodings> named_;
  std::optional<int> others_;
};

}  // namespace

std::string_view to_string(ContentCoding coding) {
  return kTokens[static_cast<std::size_t>(coding)];
}

std::optional<ContentCoding> content_coding(std::string_view token) {
  if (equals_ignoring_case(token, "x-gzip")) return ContentCoding::gzip;
  for (std::size_t i = 0; i < kTokens.size(); ++i) {
    if (equals_ignoring_case(token, kTokens[i])) return static_cast<ContentCoding>(i);
  }
  return {};
}

std::optional<ContentCodings> parse_content_encoding(const FieldSection& fields) {
  ContentCodings codings;
  bool understood = true;
  for (const Field& line : fields) {
    if (line.id != FieldId::content_encoding) continue;
    for_each_element(line.value, [&](std::string_view element) {
      const auto coding = content_coding(element);
      if (coding == ContentCoding::identity) return;
      if (!coding || !codings.add(*coding)) understood = false;
    });
  }
  return understood ? std::optional(codings) : std::nullopt;
}

std::string_view accept_encoding(FieldSection& request) {
  std::string_view only;
  std::string joined;
  for (const Field& line : request) {
    if (!equals_ignoring_case(line.name, kAcceptEncoding)) continue;
    if (!only.empty()) joined.append(joined.empty() ? only : "").append(", ").append(line.value);
    if (only.empty()) only = line.value;
  }
  return joined.empty() ? only : request.keep(joined);
}

namespace {

std::optional<ContentCoding> choose(const Weights& weights, std::span<const ContentCoding> ours) {
  // Identity last: with equal weights the smaller message is preferred.
  std::optional<ContentCoding> best;
  int most = 0;
  const auto consider = [&](ContentCoding coding) {
    if (weights.of(coding) <= most) return;
    most = weights.of(coding);
    best = coding;
  };
  for (const ContentCoding coding : ours) consider(coding);
  consider(ContentCoding::identity);
  return best;
}

}  // namespace

std::optional<ContentCoding> choose_coding(const FieldSection& request,
                                           std::span<const ContentCoding> ours) {
  return choose(Weights(request), ours);
}

std::optional<ContentCoding> choose_coding(std::string_view accepted,
                                           std::span<const ContentCoding> ours) {
  return choose(Weights(accepted), ours);
}

}  // namespace penstock
