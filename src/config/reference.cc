#include "config/reference.h"

#include <fmt/format.h>

#include "config/sections.h"

namespace penstock::config {
namespace {

template <class Owner>
void append(const Section<Owner>& section, std::vector<KeyReference>& out) {
  const Owner untouched{};
  for (const Key<Owner>& key : section.keys) {
    out.push_back({.table = section.title,
                   .name = key.name,
                   .type = key.type(),
                   .standard = key.standard,
                   .built_in = key.standard.empty() ? "" : key.show(untouched),
                   .meaning = key.meaning});
  }
}

}  // namespace

std::vector<KeyReference> reference() {
  std::vector<KeyReference> out;
  append(kListener, out);
  append(kRoute, out);
  append(kRequestEdits, out);
  append(kResponseEdits, out);
  append(kUpstream, out);
  for (const Section<Draft>* section : single_sections()) append(*section, out);
  return out;
}

std::string markdown_row(const KeyReference& key) {
  return fmt::format("| `{}` | {} | {} | {} |", key.name, key.type,
                     key.standard.empty() ? "required" : fmt::format("`{}`", key.standard),
                     key.meaning);
}

}  // namespace penstock::config
