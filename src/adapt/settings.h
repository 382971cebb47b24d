// What configuration sets in this room: the filters, their conditions, and what each does.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "adapt/work_settings.h"
#include "base/time.h"

namespace penstock {

// When a filter has a say. What is left empty is no condition; of a list one has to match.
struct FilterConditions {
  std::vector<std::string> listeners;  // names
  std::vector<std::string> routes;     // names
  std::vector<std::string> hosts;      // as a route's host: exact, "*.example.com"
  std::vector<std::string> paths;      // prefixes, as a route's path
  std::vector<std::string> methods;
  std::vector<std::string> clients;  // networks: "192.0.2.0/24", an address, "unix"
  std::vector<std::string> users;    // that the client says it is; "*" stands for any text
  // What ICAP services have answered before: names of fields, and their values with "*" for any
  // text. One has to match.
  std::vector<std::pair<std::string, std::string>> noted;
  std::uint64_t size_over = 0;  // content that is known to have more bytes; 0: no condition
  // Of the response; a filter with these is not asked about requests.
  std::vector<std::string> statuses;       // "404", "5xx", "200-299"
  std::vector<std::string> content_types;  // "text/html", "text/*"

  [[nodiscard]] bool need_response() const { return !statuses.empty() || !content_types.empty(); }
};

// What becomes of a transaction when a filter of it fails.
enum class FailurePolicy : std::uint8_t {
  open,    // it goes on as if the filter had nothing to say this time
  closed,  // the client gets an error response
  skip,    // as open, and the filter is left out for the rest of the transaction
};

// At which two of the four points a filter works: before the cache on requests and after it on
// responses (`client`), or between cache and server (`server`).
enum class FilterSide : std::uint8_t { client, server };

// Work that an instance of a module does: the NAME of [module.NAME].
struct ModuleFilterSettings {
  std::string module;
};

// Stands for what the filter finds best, if it says.
inline constexpr int kUsualFailureStatus = 502;

// A [[filter]].
struct FilterSettings {
  // In logs; where the file gives none that of the module or the first ICAP service, or the kind of
  // work.
  std::string name;
  FilterConditions conditions;
  FilterConditions unless;  // one of these is met: it has no say
  FilterSide at = FilterSide::client;
  FailurePolicy on_failure = FailurePolicy::closed;
  int failure_status = kUsualFailureStatus;
  Duration timeout = std::chrono::seconds(10);  // for a head, or for one piece of content
  bool own_responses = false;  // also asked about those that the proxy makes itself
  std::variant<ModuleFilterSettings, IcapFilterSettings, FieldsFilterSettings, AnswerFilterSettings,
               CompressFilterSettings, DecompressFilterSettings, SubstituteFilterSettings,
               RewriteFilterSettings, RedirectFilterSettings, CookiesFilterSettings,
               PrivacyFilterSettings>
      work;
};

struct AdaptSettings {
  std::vector<FilterSettings> filters;  // in the order in which they work
};

}  // namespace penstock
