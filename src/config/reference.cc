#include "config/reference.h"

#include <algorithm>
#include <cstddef>
#include <functional>

#include <fmt/format.h>

#include "config/sections.h"

namespace penstock::config {
namespace {

template <class Owner>
void append(const Section<Owner>& section, std::vector<KeyReference>& out) {
  const Owner untouched = section.untouched != nullptr ? section.untouched() : Owner{};
  for (const Key<Owner>& key : section.keys) {
    out.push_back({.table = section.title,
                   .name = key.name,
                   .type = key.type(),
                   .standard = key.standard,
                   .built_in = key.standard.empty() ? "" : key.show(untouched),
                   .meaning = key.meaning});
  }
}

// "[[route]]": "route".
std::string_view bare(std::string_view title) {
  title.remove_prefix(std::min(title.find_first_not_of('['), title.size()));
  return title.substr(0, title.find(']'));
}

}  // namespace

std::vector<KeyReference> reference() {
  std::vector<KeyReference> out;
  const auto append_all = [&out](const auto&... sections) { (append(sections, out), ...); };
  append_all(kListener, kListenerTls, kListenerCertificate);
  append_all(kRoute, kRequestEdits, kResponseEdits);
  append_all(kUpstream, kServer, kUpstreamPool, kUpstreamQueue, kUpstreamCheck, kUpstreamEjection,
             kUpstreamBreaker, kUpstreamRetry, kUpstreamHedge, kUpstreamTls);
  append_all(kPeer, kPeerLogin, kPeerTls, kPeerPool, kPeerQueue, kPeerEjection, kPeerCheck);
  append_all(kCredentials);
  append_all(kFilter, kFilterUnless, kFilterFields, kFilterRequestEdits, kFilterResponseEdits,
             kFilterAnswer);
  append_all(kFilterCompress, kFilterDecompress, kFilterSubstitute, kFilterRule, kFilterRewrite,
             kFilterRedirect, kFilterCookies, kFilterPrivacy, kFilterIcap);
  append_all(kIcap, kIcapKeep, kIcapFields, kIcapBreaker, kIcapTrickle, kIcapPool, kIcapQueue,
             kIcapTls);
  append_all(kCacheRule);
  append_all(kModule);
  for (const Section<Draft>* section : single_sections()) append(*section, out);
  append_all(kTargetsPool, kTargetsRetry);
  return out;
}

std::string unknown_key_hint(std::string_view key, std::string_view title,
                             std::span<const std::string_view> known) {
  constexpr std::size_t kMost = 3;  // titles that help
  std::vector<std::string_view> tables;
  for (const KeyReference& candidate : reference()) {
    if (candidate.name == key) tables.push_back(candidate.table);
  }
  // One of the table's own tables is what was meant, if there is one.
  const std::string below = fmt::format("[{}.", bare(title));
  const auto is_below = [&below](std::string_view table) { return table.starts_with(below); };
  if (std::ranges::any_of(tables, is_below)) std::erase_if(tables, std::not_fn(is_below));
  if (tables.empty() || tables.size() > kMost) return hint(key, known);
  return fmt::format("it belongs to {}", fmt::join(tables, " or "));
}

std::string markdown_row(const KeyReference& key) {
  return fmt::format("| `{}` | {} | {} | {} |", key.name, key.type,
                     key.standard.empty() ? "required" : fmt::format("`{}`", key.standard),
                     key.meaning);
}

}  // namespace penstock::config
