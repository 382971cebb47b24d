#include "icap/options.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "base/text.h"
#include "icap/decimal.h"
#include "message/characters.h"
#include "message/fields.h"

namespace penstock::icap {
namespace {

// The more careful one first.
int rank(Transfer transfer) {
  switch (transfer) {
    case Transfer::complete:
      return 0;
    case Transfer::preview:
      return 1;
    case Transfer::ignore:
      break;
  }
  return 2;
}

// The extension of the last segment of a path, without its dot; empty when there is none.
std::string_view extension_of(std::string_view path_and_query) {
  const std::string_view path =
      path_and_query.substr(0, std::min(path_and_query.find('?'), path_and_query.size()));
  const std::string_view segment = path.substr(path.rfind('/') + 1);
  const std::size_t dot = segment.rfind('.');
  return dot == std::string_view::npos ? std::string_view{} : segment.substr(dot + 1);
}

// Calls f for each element of all lines of that name.
template <class F>
void for_each_value(const FieldSection& fields, std::string_view name, F f) {
  for (const Field& field : fields) {
    if (equals_ignoring_case(field.name, name)) for_each_element(field.value, f);
  }
}

std::string_view value(const FieldSection& fields, std::string_view name) {
  const Field* const field = fields.find(name);
  return field != nullptr ? field->value : std::string_view{};
}

// The number that a field is; none, and the quirk, where it is not one or is several.
std::optional<std::uint64_t> number(const FieldSection& fields, std::string_view name, Quirk quirk,
                                    Quirks& quirks) {
  std::optional<std::uint64_t> found;
  bool valid = true;
  for (const Field& field : fields) {
    if (!equals_ignoring_case(field.name, name)) continue;
    const auto parsed = parse_decimal(field.value);
    if (!parsed || (found && found != parsed)) valid = false;
    found = parsed;
  }
  if (valid) return found;
  quirks.add(quirk);
  return std::nullopt;
}

void read_methods(const FieldSection& fields, Options& options) {
  for_each_value(fields, "Methods", [&](std::string_view method) {
    if (equals_ignoring_case(method, "REQMOD")) options.reqmod = true;
    if (equals_ignoring_case(method, "RESPMOD")) options.respmod = true;
  });
  if (!options.reqmod && !options.respmod) options.quirks.add(Quirk::methods_missing);
}

void read_numbers(const FieldSection& fields, Options& options) {
  options.preview = number(fields, "Preview", Quirk::preview_invalid, options.quirks);
  options.max_connections =
      number(fields, "Max-Connections", Quirk::max_connections_invalid, options.quirks);
  if (options.max_connections == 0) {
    options.max_connections.reset();
    options.quirks.add(Quirk::max_connections_invalid);
  }
  const auto ttl = number(fields, "Options-TTL", Quirk::options_ttl_invalid, options.quirks);
  if (ttl) {
    constexpr auto kMostSeconds = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::seconds>(kMaxOptionsTtl).count());
    options.ttl = std::chrono::seconds(std::min(*ttl, kMostSeconds));
  }
}

void read_lists(const FieldSection& fields, Options& options) {
  for_each_value(fields, "Allow", [&](std::string_view status) {
    if (status == "204") options.allow_204 = true;
    if (status == "206") options.allow_206 = true;
  });
  for_each_value(fields, "X-Include", [&](std::string_view name) {
    if (options.include.size() < kMaxIncluded && is_token(name)) options.include.emplace_back(name);
  });
  struct List {
    std::string_view name;
    Transfer transfer;
  };
  constexpr std::array<List, 3> kLists{{{"Transfer-Preview", Transfer::preview},
                                        {"Transfer-Ignore", Transfer::ignore},
                                        {"Transfer-Complete", Transfer::complete}}};
  std::vector<TransferLists::Element> elements;
  for (const List& list : kLists) {
    for_each_value(fields, list.name, [&](std::string_view extension) {
      elements.push_back({.extension = extension, .transfer = list.transfer});
    });
  }
  options.transfer = TransferLists(elements);
  const bool covers_all = elements.empty() || options.transfer.other().has_value();
  if (options.transfer.contradictory() || !covers_all) {
    options.quirks.add(Quirk::transfer_conflict);
  }
}

}  // namespace

TransferLists::TransferLists(std::span<const Element> elements) {
  for (const auto& [extension, transfer] : elements) {
    if (extension != "*") {
      extensions_.push_back({.extension = to_lower(extension), .transfer = transfer});
      continue;
    }
    if (other_ && *other_ != transfer) contradictory_ = true;
    if (!other_ || rank(transfer) < rank(*other_)) other_ = transfer;
  }
  std::ranges::sort(extensions_, [](const Entry& a, const Entry& b) {
    const int order = a.extension.compare(b.extension);
    return order != 0 ? order < 0 : rank(a.transfer) < rank(b.transfer);
  });
  const auto repeats = std::ranges::unique(extensions_, [this](const Entry& a, const Entry& b) {
    if (a.extension != b.extension) return false;
    if (a.transfer != b.transfer) contradictory_ = true;
    return true;
  });
  extensions_.erase(repeats.begin(), repeats.end());
}

std::optional<Transfer> TransferLists::find(std::string_view path_and_query) const {
  const std::string_view extension = extension_of(path_and_query);
  if (extension.empty() || extensions_.empty()) return other_;
  const auto is_before = [](std::string_view entry, std::string_view wanted) {
    return std::ranges::lexicographical_compare(entry, wanted, {}, {},
                                                [](char c) { return to_lower(c); });
  };
  const auto found = std::ranges::lower_bound(extensions_, extension, is_before, &Entry::extension);
  if (found == extensions_.end() || !equals_ignoring_case(found->extension, extension)) {
    return other_;
  }
  return found->transfer;
}

bool Options::includes(std::string_view name) const {
  return std::ranges::any_of(
      include, [name](const std::string& wanted) { return equals_ignoring_case(wanted, name); });
}

Transfer Options::transfer_for(std::string_view path_and_query) const {
  const Transfer otherwise = transfer.empty() ? Transfer::complete : Transfer::preview;
  const Transfer said = transfer.find(path_and_query).value_or(otherwise);
  return said == Transfer::preview && !preview ? Transfer::complete : said;
}

std::expected<Options, Problem> parse_options(const IcapResponse& response) {
  if (response.status != 200) return std::unexpected(Problem::options_status);
  Options options;
  options.quirks = response.quirks;
  if (!response.encapsulated) options.quirks.add(Quirk::encapsulated_missing);
  read_methods(response.fields, options);
  read_numbers(response.fields, options);
  read_lists(response.fields, options);
  options.istag = response.istag;
  options.service_id = response.service_id();
  options.service = value(response.fields, "Service");
  options.has_body = response.encapsulated && response.encapsulated->has_body();
  options.close = response.close;
  return options;
}

}  // namespace penstock::icap
