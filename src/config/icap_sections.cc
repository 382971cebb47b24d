// [icap.NAME], but for the tables it shares with groups of servers, and [filter.icap].
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ranges>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "config/field_rules.h"
#include "config/match_rules.h"
#include "config/sections.h"
#include "config/values.h"
#include "icap/service_uri.h"
#include "message/fields.h"

namespace penstock::config {
namespace {

using icap::IcapBreakerSettings;
using icap::IcapFieldSettings;
using icap::KeepLimits;
using icap::OverloadPolicy;
using icap::ServiceSettings;
using icap::SizePolicy;
using icap::TrickleSettings;
using icap::UserCoding;

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;
constexpr std::uint64_t kGiB = 1024 * kMiB;
constexpr std::uint64_t kMostConnections = 10'000'000;

Complaint check_service_url(std::string_view text) {
  const auto uri = icap::parse_service_uri(text);
  if (uri) return {};
  return fmt::format("{} is not the URL of an ICAP service: {}", quoted(text), uri.error());
}

Complaint check_folder(std::string_view text) {
  if (text.empty()) return "expected the path of a folder, found an empty text";
  return text.find('\0') == std::string_view::npos ? Complaint{}
                                                   : "a path cannot contain a zero byte";
}

constexpr TextRule kUrl{.type = "URL", .plural = {}, .check = &check_service_url};
constexpr TextRule kServerAddress{.type = "server address with a port",
                                  .plural = "server addresses with a port",
                                  .check = &check_icap_server};
constexpr TextRule kFieldName{
    .type = "field name", .plural = "field names", .check = &check_icap_field};
constexpr TextRule kFolder{.type = "path of a folder", .plural = {}, .check = &check_folder};
constexpr TextRule kServiceName{.type = "name of an ICAP service",
                                .plural = "names of ICAP services",
                                .check = &check_icap_name};

constexpr std::array kOverloads{
    std::pair{std::string_view("wait"), OverloadPolicy::wait},
    std::pair{std::string_view("bypass"), OverloadPolicy::bypass},
    std::pair{std::string_view("refuse"), OverloadPolicy::refuse},
    std::pair{std::string_view("force"), OverloadPolicy::force},
};
constexpr std::array kOverSizes{
    std::pair{std::string_view("bypass"), SizePolicy::bypass},
    std::pair{std::string_view("block"), SizePolicy::block},
};
constexpr std::array kUserCodings{
    std::pair{std::string_view("plain"), UserCoding::plain},
    std::pair{std::string_view("base64"), UserCoding::base64},
};

// Of which a service has one or both.
constexpr std::array<std::string_view, 2> kMethods{"reqmod", "respmod"};
constexpr std::array kMethodMembers{&ServiceSettings::reqmod, &ServiceSettings::respmod};

void read_methods(const toml::node& node, Report& report, ServiceSettings& service) {
  const toml::array* const list = read_list(node, report, "methods");
  if (list == nullptr) return;
  if (list->empty()) {
    report.error(place_of(node),
                 fmt::format("expected at least one of {}",
                             fmt::join(kMethods | std::views::transform(quoted), " and ")));
  }
  for (const auto member : kMethodMembers) service.*member = false;
  for (const toml::node& element : *list) {
    const auto index = read_word(element, report, kMethods);
    if (index) service.*kMethodMembers[*index] = true;
  }
}

std::string show_methods(const ServiceSettings& service) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < kMethods.size(); ++i) {
    if (service.*kMethodMembers[i]) out.push_back(quoted(kMethods[i]));
  }
  return fmt::format("[{}]", fmt::join(out, ", "));
}

// A size or a word: two members, so it reads itself.
using PreviewSize = SizeValue<0, kMiB>;
constexpr std::string_view kOff = "off";

void read_preview(const toml::node& node, Report& report, ServiceSettings& service) {
  const auto* const text = node.as_string();
  service.previews = text == nullptr || text->get() != kOff;
  if (!service.previews) return;
  if (text == nullptr && !node.is_integer()) {
    report.error(
        place_of(node),
        fmt::format(R"(expected a size such as "4KiB", or "off", found {})", kind_of(node)));
  } else if (const auto size = PreviewSize::read(node, report)) {
    service.preview = *size;
  }
}

std::string show_preview(const ServiceSettings& service) {
  return service.previews ? PreviewSize::show(service.preview) : quoted(kOff);
}

// The path of a folder. A warning says when no files can be made in it.
struct FolderValue {
  static std::string type() { return std::string(kFolder.type); }
  static std::optional<std::string> read(const toml::node& node, Report& report) {
    auto path = read_checked(node, report, kFolder);
    if (!path) return std::nullopt;
    struct stat status{};
    if (::stat(path->c_str(), &status) == 0 && !S_ISDIR(status.st_mode)) {
      report.warning(place_of(node), fmt::format("{} is not a folder", quoted(*path)));
    } else if (::access(path->c_str(), W_OK | X_OK) != 0) {
      report.warning(place_of(node), fmt::format("no files can be made in {}: {}", quoted(*path),
                                                 std::strerror(errno)));
    }
    return path;
  }
  static std::string show(std::string_view value) { return quoted(value); }
};

constexpr std::array kKeepKeys{
    key<KeepLimits, SizeValue<0, kGiB>>("memory", R"("1MiB")",
                                        "How much of a message's content is kept in memory; what "
                                        "is beyond that goes into a file.",
                                        [](auto& k) { return std::tie(k.memory); }),
    key<KeepLimits, SizeValue<0, 1024 * kGiB>>(
        "total", R"("256MiB")", "How much of a message's content is kept altogether.",
        [](auto& k) { return std::tie(k.total); }),
    key<KeepLimits, FolderValue>(
        "folder", R"("/var/tmp")",
        "Where that file is. It has no name, and is gone with the message.",
        [](auto& k) { return std::tie(k.folder); }),
};

void check_keep(const toml::table& table, Report& report, const KeepLimits& keep) {
  if (keep.memory <= keep.total) return;
  report.error(place_in(table, table.contains("memory") ? "memory" : "total"),
               fmt::format("memory ({}) is more than total ({})", format_size(keep.memory),
                           format_size(keep.total)));
}

constexpr std::array kBreakerKeys{
    key<IcapBreakerSettings, CountValue<0, 1'000'000>>(
        "failures", "10",
        "Failures within `window` after which the service is left alone. `0`: it never is.",
        [](auto& b) { return std::tie(b.failures); }),
    key<IcapBreakerSettings, DurationValue>("window", R"("10s")", "The time in which they count.",
                                            [](auto& b) { return std::tie(b.window); }),
    key<IcapBreakerSettings, DurationValue>(
        "retry_after", R"("1s")",
        "The time until it is asked whether it works again; doubled each time that it does not.",
        [](auto& b) { return std::tie(b.retry_after); }),
    key<IcapBreakerSettings, DurationValue>("max_retry_after", R"("1m")",
                                            "But not longer than this.",
                                            [](auto& b) { return std::tie(b.max_retry_after); }),
};

void check_breaker(const toml::table& table, Report& report, const IcapBreakerSettings& breaker) {
  if (breaker.retry_after <= breaker.max_retry_after) return;
  report.error(
      place_in(table, table.contains("max_retry_after") ? "max_retry_after" : "retry_after"),
      fmt::format("max_retry_after ({}) is less than retry_after ({})",
                  format_duration(breaker.max_retry_after), format_duration(breaker.retry_after)));
}

constexpr FieldLinesRule kSetFields{.check_name = &check_icap_field,
                                    .check_value = &check_field_value};
constexpr TextRule kVariables{.type = "text", .plural = {}, .check = &check_field_value};

constexpr std::array kTrickles{
    std::pair{std::string_view("nothing"), TrickleSettings::From::nothing},
    std::pair{std::string_view("beginning"), TrickleSettings::From::beginning},
    std::pair{std::string_view("all"), TrickleSettings::From::all},
};

constexpr std::array kTrickleKeys{
    key<TrickleSettings, ChoiceValue<kTrickles>>(
        "from", R"("nothing")",
        "`\"nothing\"`: the client waits. `\"beginning\"`: it gets a little now and then, from the "
        "beginning on. `\"all\"`: it gets what there is, but for the last of it.",
        [](auto& t) { return std::tie(t.from); }),
    key<TrickleSettings, DurationValue>(
        "after", R"("10s")", "How long it waits first. Until then it can still get another answer.",
        [](auto& t) { return std::tie(t.after); }),
    key<TrickleSettings, SizeValue<1, kGiB>>(
        "rate", R"("1KiB")", "With `from = \"beginning\"`: how much it gets in a second.",
        [](auto& t) { return std::tie(t.rate); }),
    key<TrickleSettings, SizeValue<1, kGiB>>(
        "held", R"("16KiB")", "With `from = \"all\"`: how much of the end it does not get.",
        [](auto& t) { return std::tie(t.held); }),
};

constexpr std::array kFieldsKeys{
    key<IcapFieldSettings, OptionalTextValue<kFieldName>>(
        "client_ip", R"("X-Client-IP")", "The field that has the client's address.",
        [](auto& f) { return std::tie(f.client_ip); }),
    key<IcapFieldSettings, OptionalTextValue<kFieldName>>(
        "client_port", R"("")", "That which has its port.",
        [](auto& f) { return std::tie(f.client_port); }),
    key<IcapFieldSettings, OptionalTextValue<kFieldName>>(
        "server_ip", R"("X-Server-IP")", "That which has the server's address, where it is known.",
        [](auto& f) { return std::tie(f.server_ip); }),
    key<IcapFieldSettings, OptionalTextValue<kFieldName>>(
        "user", R"("X-Authenticated-User")",
        "That which says who the user is, where there is something to say.",
        [](auto& f) { return std::tie(f.user); }),
    key<IcapFieldSettings, OptionalTextValue<kVariables>>(
        "user_is", R"("${user}")",
        "What it says; may have variables, such as `\"Local://${user}\"` or "
        "`\"${tls_client_subject}\"`. Where none of them says anything the field is left out.",
        [](auto& f) { return std::tie(f.user_is); }),
    key<IcapFieldSettings, OptionalTextValue<kFieldName>>(
        "groups", R"("X-Authenticated-Groups")", "That which says in which groups the user is.",
        [](auto& f) { return std::tie(f.groups); }),
    key<IcapFieldSettings, OptionalTextValue<kVariables>>(
        "groups_are", R"("")", "What it says, as `user_is`: `\"${field:X-Groups}\"`.",
        [](auto& f) { return std::tie(f.groups_are); }),
    key<IcapFieldSettings, ChoiceValue<kUserCodings>>(
        "user_coding", R"("plain")", "How these two are written.",
        [](auto& f) { return std::tie(f.user_coding); }),
    key<IcapFieldSettings, FieldLinesValue<true, kSetFields>>(
        "set", "{}",
        "Further fields. Values may have variables, such as `\"${field:X-Subscriber}\"`.",
        [](auto& f) { return std::tie(f.set); }),
    key<IcapFieldSettings, FlagValue>(
        "proxy_logins", "false",
        "The client's `Proxy-Authorization` and the server's `Proxy-Authenticate` are passed on. "
        "Whoever runs the service then learns passwords.",
        [](auto& f) { return std::tie(f.proxy_logins); }),
};

constexpr std::array<std::string_view, 5> kNamedFields{"client_ip", "client_port", "server_ip",
                                                       "user", "groups"};

void check_fields(const toml::table& table, Report& report, const IcapFieldSettings& fields) {
  const std::array names{&fields.client_ip, &fields.client_port, &fields.server_ip, &fields.user,
                         &fields.groups};
  const auto says_twice = [&](std::size_t at, std::string_view name) {
    return !name.empty() && equals_ignoring_case(*names[at], name);
  };
  for (std::size_t i = 0; i < names.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (!says_twice(j, *names[i])) continue;
      report.error(place_in(table, kNamedFields[table.contains(kNamedFields[i]) ? i : j]),
                   fmt::format("the field {} cannot be both {} and {}", quoted(*names[i]),
                               kNamedFields[j], kNamedFields[i]));
    }
    for (const auto& [name, value] : fields.set) {
      if (!says_twice(i, name)) continue;
      report.error(place_in(table, "set"),
                   fmt::format("the field {} is {} already: leave that out, or write {} = \"\"",
                               quoted(name), kNamedFields[i], kNamedFields[i]));
      break;
    }
  }
  if (table.contains("user_coding") && fields.user.empty()) {
    report.warning(place_in(table, "user_coding"), "user_coding counts only with user");
  }
}

constexpr std::array kServiceOwnKeys{
    key<ServiceSettings, TextValue<kUrl>>(
        "url", "",
        "Where it is: `icap://host/path`, or `icaps://host/path` for TLS. The port is 1344 when "
        "left out, of `icaps` 11344.",
        [](auto& s) { return std::tie(s.url); }),
    key<ServiceSettings, TextsValue<kServerAddress, true>>(
        "servers", "[]",
        "Servers to connect to in place of the URL's host: a host name or IP address with a port, "
        "or `unix:` and an absolute path.",
        [](auto& s) { return std::tie(s.servers); }),
    Key<ServiceSettings>{
        .name = "methods",
        .standard = R"(["reqmod", "respmod"])",
        .meaning = "What is sent to it, as far as it takes that: requests (`\"reqmod\"`), "
                   "responses (`\"respmod\"`).",
        .type = [] { return fmt::format("list of {}", alternatives(kMethods)); },
        .read = &read_methods,
        .show = &show_methods,
    },
    key<ServiceSettings, DurationValue>(
        "timeout", R"("30s")",
        "How long nothing may move, in either direction, while a message is with the service.",
        [](auto& s) { return std::tie(s.timeout); }),
    key<ServiceSettings, DurationOrZeroValue>(
        "answer_timeout", R"("0s")",
        "How long it may think in silence, once it has what it is to get for now: a scanner may "
        "need "
        "longer than a connection may stall. `\"0s\"`: as long as `timeout`.",
        [](auto& s) { return std::tie(s.answer_timeout); }),
    key<ServiceSettings, DurationOrZeroValue>(
        "total_timeout", R"("0s")",
        "How long it may take from the first byte sent until it begins to answer with a message. "
        "`\"0s\"`: as long as something moves.",
        [](auto& s) { return std::tie(s.total_timeout); }),
    Key<ServiceSettings>{
        .name = "preview",
        .standard = R"("4KiB")",
        .meaning = "How much content at most is sent before the service has said whether it wants "
                   "the rest; less if it asks for less, and none of this if it does not ask. "
                   "`\"off\"`: it gets everything at once.",
        .type = [] { return PreviewSize::type() + R"(, or "off")"; },
        .read = &read_preview,
        .show = &show_preview,
    },
    key<ServiceSettings, FlagValue>("allow_204", "true",
                                    "Content of known length that can be kept is: after all of it "
                                    "was sent, the service may then "
                                    "say that it stays as it is, in place of sending it back.",
                                    [](auto& s) { return std::tie(s.allow_204); }),
    key<ServiceSettings, FlagValue>(
        "allow_206", "true",
        "It may send the beginning only, and say from where on content stays as it is.",
        [](auto& s) { return std::tie(s.allow_206); }),
    table_key<ServiceSettings, kIcapKeep>("keep",
                                          "How much content is kept; see `[icap.NAME.keep]`.",
                                          [](auto& s) { return std::tie(s.keep); }),
    key<ServiceSettings, UnlimitedSizeValue>(
        "size_limit", R"("unlimited")",
        "Messages of which it is known beforehand that they have more content are not sent to it. "
        "`0` is unlimited, too.",
        [](auto& s) { return std::tie(s.size_limit); }),
    key<ServiceSettings, ChoiceValue<kOverSizes>>(
        "over_size", R"("bypass")",
        "What becomes of those. `\"bypass\"`: they go on as if the service had nothing to say. "
        "`\"block\"`: the service fails for them.",
        [](auto& s) { return std::tie(s.over_size); }),
    key<ServiceSettings, CountValue<0, kMostConnections>>(
        "max_connections", "0",
        "Connections to each server at a time, over all workers. `0`: as many as the service says "
        "that it can bear, else any number.",
        [](auto& s) { return std::tie(s.max_connections); }),
    key<ServiceSettings, ChoiceValue<kOverloads>>(
        "on_overload", R"("wait")",
        "What becomes of a message when all of these are in use. `\"wait\"`: it waits in the "
        "queue. `\"bypass\"`: it goes on as if the service had nothing to say. `\"refuse\"`: the "
        "service fails for it. `\"force\"`: there is one connection more.",
        [](auto& s) { return std::tie(s.on_overload); }),
    key<ServiceSettings, CountValue<0, 20>>(
        "repeat", "0",
        "How often a message is sent again, by a new connection, when the service has failed and "
        "all of the message is still there.",
        [](auto& s) { return std::tie(s.repeat); }),
    key<ServiceSettings, DurationValue>(
        "options_ttl", R"("1m")",
        "How long what the service says of itself (OPTIONS) counts, where it does not say how "
        "long.",
        [](auto& s) { return std::tie(s.options_ttl); }),
    key<ServiceSettings, TextsValue<kFieldName, true>>(
        "share", "[]",
        "Fields of its answers that services after it are told in the same transaction.",
        [](auto& s) { return std::tie(s.share); }),
    key<ServiceSettings, TextsValue<kFieldName, true>>(
        "note",
        R"(["X-Infection-Found", "X-Violations-Found", "X-Virus-ID", "X-Response-Info", "X-Response-Desc", "X-Attribute"])",
        "Fields of its answers that are logged, and that `noted` of filters and `${noted:NAME}` in "
        "texts may use after it in the same transaction. Those of `share` are, too.",
        [](auto& s) { return std::tie(s.note); }),
    key<ServiceSettings, TextsValue<kFieldName, true>>(
        "pass", "[]", "Fields of its answers that are set in the message that goes on.",
        [](auto& s) { return std::tie(s.pass); }),
};

constexpr std::array kServiceTableKeys{
    table_key<ServiceSettings, kIcapFields>(
        "fields", "What it is told of who asks; see `[icap.NAME.fields]`.",
        [](auto& s) { return std::tie(s.fields); }),
    table_key<ServiceSettings, kIcapBreaker>("breaker",
                                             "When it is left alone; see `[icap.NAME.breaker]`.",
                                             [](auto& s) { return std::tie(s.breaker); }),
    table_key<ServiceSettings, kIcapTrickle>(
        "trickle", "What clients get while it takes its time; see `[icap.NAME.trickle]`.",
        [](auto& s) { return std::tie(s.trickle); }),
    table_key<ServiceSettings, kIcapPool>("pool",
                                          "How connections are kept; see `[icap.NAME.pool]`.",
                                          [](auto& s) { return std::tie(s.pool); }),
    table_key<ServiceSettings, kIcapQueue>(
        "queue", "Messages that wait for a connection; see `[icap.NAME.queue]`.",
        [](auto& s) { return std::tie(s.queue); }),
    table_key<ServiceSettings, kIcapTls>(
        "tls", "Of `icaps`: how TLS is spoken to the servers; see `[icap.NAME.tls]`.",
        [](auto& s) { return std::tie(s.tls); }),
};

constexpr auto kServiceKeys = [] {
  std::array<Key<ServiceSettings>, kServiceOwnKeys.size() + kServiceTableKeys.size()> keys{};
  std::ranges::copy(kServiceTableKeys, std::ranges::copy(kServiceOwnKeys, keys.begin()).out);
  return keys;
}();

void warn_of_servers(const toml::table& table, Report& report, const ServiceSettings& service) {
  const auto& servers = service.servers;
  for (auto server = servers.begin(); server != servers.end(); ++server) {
    if (std::find(servers.begin(), server, *server) == server) continue;
    report.warning(place_in(table, "servers"),
                   fmt::format("{} stands here twice", quoted(*server)));
  }
}

void check_service(const toml::table& table, Report& report, const ServiceSettings& service) {
  const auto uri = icap::parse_service_uri(service.url);
  if (service.tls && uri && !uri->secure) {
    // Not a warning: nothing would be encrypted where that was asked for.
    report.error(place_in(table, "tls"),
                 fmt::format("TLS is spoken to icaps services only: write url = {}",
                             quoted("icaps" + uri->text.substr(std::string_view("icap").size()))));
  }
  warn_of_servers(table, report, service);
  if (table.contains("over_size") && service.size_limit == 0) {
    report.warning(place_in(table, "over_size"), "over_size counts only with size_limit");
  }
  if (table.contains("queue") && service.on_overload != OverloadPolicy::wait) {
    report.warning(place_in(table, "queue"), "queue counts only with on_overload = \"wait\"");
  }
}

constexpr std::array kFilterIcapKeys{
    key<IcapFilterSettings, OneOrMoreTextsValue<kServiceName>>(
        "services", "",
        "The `[icap.NAME]` that messages are sent to. Of several the first one is asked, and the "
        "next one where that has failed and all of the message is still there.",
        [](auto& f) { return std::tie(f.services); }),
    key<IcapFilterSettings, FlagValue>(
        "next_services", "false",
        "Services that an answer names in `X-Next-Services` are asked next.",
        [](auto& f) { return std::tie(f.next_services); }),
};

}  // namespace

constexpr Section<icap::KeepLimits> kIcapKeep{
    .name = "icap.keep", .title = "[icap.NAME.keep]", .keys = kKeepKeys, .check = &check_keep};
constexpr Section<icap::IcapFieldSettings> kIcapFields{.name = "icap.fields",
                                                       .title = "[icap.NAME.fields]",
                                                       .keys = kFieldsKeys,
                                                       .check = &check_fields};
constexpr Section<icap::IcapBreakerSettings> kIcapBreaker{.name = "icap.breaker",
                                                          .title = "[icap.NAME.breaker]",
                                                          .keys = kBreakerKeys,
                                                          .check = &check_breaker};
constexpr Section<TrickleSettings> kIcapTrickle{
    .name = "icap.trickle", .title = "[icap.NAME.trickle]", .keys = kTrickleKeys};
constexpr Section<icap::ServiceSettings> kIcap{
    .name = "icap", .title = "[icap.NAME]", .keys = kServiceKeys, .check = &check_service};
constexpr Section<IcapFilterSettings> kFilterIcap{
    .name = "filter.icap", .title = "[filter.icap]", .keys = kFilterIcapKeys};

}  // namespace penstock::config
