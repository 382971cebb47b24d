// [[filter]].
#include <array>
#include <cstddef>
#include <string>
#include <utility>
#include <variant>

#include "config/filter_conditions.h"
#include "config/match_rules.h"
#include "config/sections.h"
#include "config/values.h"

namespace penstock::config {
namespace {

constexpr TextRule kName{.type = "name", .plural = {}, .check = &check_given_name};
constexpr TextRule kModuleName{
    .type = "name of a module", .plural = {}, .check = &check_module_name};

constexpr std::array kSides{
    std::pair{std::string_view("client"), FilterSide::client},
    std::pair{std::string_view("server"), FilterSide::server},
};
constexpr std::array kPolicies{
    std::pair{std::string_view("open"), FailurePolicy::open},
    std::pair{std::string_view("closed"), FailurePolicy::closed},
    std::pair{std::string_view("skip"), FailurePolicy::skip},
};

constexpr auto kNameKey = key<FilterSettings, OptionalTextValue<kName>>(
    "name", R"("")",
    "What logs call it; when left out the name of its module or of its first ICAP service, or "
    "the kind of its work.",
    [](auto& f) { return std::tie(f.name); });

constexpr auto kConditions = []<std::size_t... kIndex>(std::index_sequence<kIndex...>) {
  return std::array{condition_key<kIndex>()...};
}(std::make_index_sequence<kConditionKeys.size()>());

constexpr std::array kFilterOwnKeys{
    table_key<FilterSettings, kFilterUnless>("unless", "Exceptions; see `[filter.unless]`.",
                                             [](auto& f) { return std::tie(f.unless); }),
    key<FilterSettings, ChoiceValue<kSides>>(
        "at", R"("client")",
        "`\"client\"`: requests as the client sent them, responses as it is going to get them. "
        "`\"server\"`: requests as they are going to the server, responses as it sent them. Where "
        "a "
        "filter leads a request elsewhere, the conditions of those that follow, and of all at the "
        "server, are about where it goes then; `route` is the new one at the server only.",
        [](auto& f) { return std::tie(f.at); }),
    key<FilterSettings, ChoiceValue<kPolicies>>(
        "on_failure", R"("closed")",
        "What becomes of a transaction in which the filter fails or takes too long. `\"closed\"`: "
        "the client gets an error. `\"open\"`: it goes on as if the filter had said nothing this "
        "time. `\"skip\"`: as `\"open\"`, and the filter is left out of the rest of it.",
        [](auto& f) { return std::tie(f.on_failure); }),
    key<FilterSettings, CountValue<400, 599>>("failure_status", "502", "The status of that error.",
                                              [](auto& f) { return std::tie(f.failure_status); }),
    key<FilterSettings, DurationValue>(
        "timeout", R"("10s")", "How long the filter may take for a head or a piece of content.",
        [](auto& f) { return std::tie(f.timeout); }),
    key<FilterSettings, FlagValue>(
        "own_responses", "false",
        "With `at = \"client\"`: the filter also sees responses that the proxy makes itself, error "
        "pages and what other filters answer.",
        [](auto& f) { return std::tie(f.own_responses); }),
};

// Declares a kind of work that is a table, with the variant's alternative that it fills.
template <class Work, const Section<Work>& kSection>
constexpr Key<FilterSettings> work_table(std::string_view name, std::string_view meaning) {
  return {.name = name,
          .standard = "none",
          .meaning = meaning,
          .type = [] { return std::string("table"); },
          .read =
              [](const toml::node& node, Report& report, FilterSettings& filter) {
                read_table(node, kSection, report, filter.work.emplace<Work>());
              },
          .show =
              [](const FilterSettings& filter) {
                const Work* const work = std::get_if<Work>(&filter.work);
                return work != nullptr ? show_table(kSection, *work) : std::string("none");
              }};
}

void read_module_work(const toml::node& node, Report& report, FilterSettings& filter) {
  if (auto name = read_checked(node, report, kModuleName)) {
    filter.work = ModuleFilterSettings{.module = std::move(*name)};
  }
}

std::string show_module_work(const FilterSettings& filter) {
  const auto* const work = std::get_if<ModuleFilterSettings>(&filter.work);
  return quoted(work != nullptr ? work->module : "");
}

// The names alone, or a table where there is more to say.
void read_icap_work(const toml::node& node, Report& report, FilterSettings& filter) {
  auto& work = filter.work.emplace<IcapFilterSettings>();
  if (const auto* table = node.as_table()) {
    read_table(*table, kFilterIcap, report, work);
  } else {
    kFilterIcap.find("services")->read(node, report, work);
  }
}

std::string show_icap_work(const FilterSettings& filter) {
  const auto* const work = std::get_if<IcapFilterSettings>(&filter.work);
  if (work == nullptr) return "[]";
  return work->next_services ? show_table(kFilterIcap, *work)
                             : kFilterIcap.find("services")->show(*work);
}

// In the order of the variant's alternatives.
constexpr std::array kWorkKeys{
    Key<FilterSettings>{.name = "module",
                        .standard = R"("")",
                        .meaning = "The `[module.NAME]` that does the work.",
                        .type = [] { return std::string(kModuleName.type); },
                        .read = &read_module_work,
                        .show = &show_module_work},
    Key<FilterSettings>{.name = "icap",
                        .standard = "[]",
                        .meaning = "The `[icap.NAME]` that messages are sent to; of a list the "
                                   "first one that works. Or a table, see `[filter.icap]`.",
                        .type = [] { return kFilterIcap.find("services")->type() + ", or table"; },
                        .read = &read_icap_work,
                        .show = &show_icap_work},
    work_table<FieldsFilterSettings, kFilterFields>(
        "fields", "Changes to header fields; see `[filter.fields]`."),
    work_table<AnswerFilterSettings, kFilterAnswer>(
        "answer", "A response in place of a server's; see `[filter.answer]`."),
    work_table<CompressFilterSettings, kFilterCompress>(
        "compress", "Responses compressed for clients that take it; see `[filter.compress]`."),
    work_table<DecompressFilterSettings, kFilterDecompress>(
        "decompress", "Content taken out of its codings; see `[filter.decompress]`."),
    work_table<SubstituteFilterSettings, kFilterSubstitute>(
        "substitute", "Text in content replaced; see `[filter.substitute]`."),
    work_table<RewriteFilterSettings, kFilterRewrite>(
        "rewrite", "Requests sent elsewhere; see `[filter.rewrite]`."),
    work_table<RedirectFilterSettings, kFilterRedirect>(
        "redirect", "Clients sent elsewhere; see `[filter.redirect]`."),
    work_table<CookiesFilterSettings, kFilterCookies>(
        "cookies", "Cookies taken away or made safer; see `[filter.cookies]`."),
    work_table<PrivacyFilterSettings, kFilterPrivacy>(
        "privacy", "What requests tell of who makes them; see `[filter.privacy]`."),
};
static_assert(kWorkKeys.size() == std::variant_size_v<decltype(FilterSettings::work)>);

constexpr auto kWorkNames = [] {
  std::array<std::string_view, kWorkKeys.size()> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = kWorkKeys[i].name;
  return names;
}();

constexpr auto kFilterKeys = [] {
  std::array<Key<FilterSettings>, 1 + kConditions.size() + kFilterOwnKeys.size() + kWorkKeys.size()>
      keys{kNameKey};
  std::size_t at = 1;
  for (const auto& key : kConditions) keys[at++] = key;
  for (const auto& key : kFilterOwnKeys) keys[at++] = key;
  for (const auto& key : kWorkKeys) keys[at++] = key;
  return keys;
}();

// Whether work has something to do with requests that it cannot leave out.
struct NeedsRequests {
  template <class Work>
  bool operator()(const Work& /*work*/) const {
    return false;
  }
  bool operator()(const FieldsFilterSettings& work) const { return !work.request.empty(); }
  bool operator()(const DecompressFilterSettings& work) const {
    return work.requests || work.ask != AskedCodings::client;
  }
  bool operator()(const SubstituteFilterSettings& work) const {
    return work.requests || work.whole;
  }
  bool operator()(const RewriteFilterSettings& /*work*/) const { return true; }
  bool operator()(const RedirectFilterSettings& /*work*/) const { return true; }
  bool operator()(const CookiesFilterSettings& work) const { return !work.remove.empty(); }
  bool operator()(const PrivacyFilterSettings& /*work*/) const { return true; }
};

void check_filter(const toml::table& table, Report& report, const FilterSettings& filter) {
  std::string_view first;
  for (const std::string_view name : kWorkNames) {
    if (!table.contains(name)) continue;
    if (!first.empty()) {
      report.error(
          place_in(table, name),
          fmt::format("a filter does one thing, and this one has {}, too: make it two", first));
    }
    first = name;
  }
  if (first.empty()) {
    report.error(place_of(table),
                 fmt::format("[[filter]] lacks what it does: {}", fmt::join(kWorkNames, " or ")));
  }
  if (filter.conditions.need_response() && std::visit(NeedsRequests(), filter.work)) {
    report.error(place_in(table, first),
                 "what this does to requests is never done: with status or content_type the filter "
                 "sees none; make it two");
  }
  if (table.contains("timeout") && table.contains("icap")) {
    report.warning(place_in(table, "timeout"),
                   "timeout does not count with icap: its services have their own");
  }
  if (table.contains("failure_status") && filter.on_failure != FailurePolicy::closed) {
    report.warning(place_in(table, "failure_status"),
                   "failure_status counts only with on_failure = \"closed\"");
  }
}

}  // namespace

constexpr Section<FilterConditions> kFilterUnless{
    .name = "filter.unless", .title = "[filter.unless]", .keys = kConditionKeys};
constexpr Section<FilterSettings> kFilter{
    .name = "filter", .title = "[[filter]]", .keys = kFilterKeys, .check = &check_filter};

std::span<const std::string_view> filter_works() { return kWorkNames; }

}  // namespace penstock::config
