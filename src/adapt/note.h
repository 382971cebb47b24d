// What one filter of a transaction leaves for those that come after it.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "message/fields.h"

namespace penstock {

struct Note {
  std::string name;  // of a header field; not case-sensitive
  std::string text;
  bool told = false;  // services that come later are told
};

// Null: there is none of that name.
[[nodiscard]] inline const Note* find_note(std::span<const Note> notes, std::string_view name) {
  for (const Note& note : notes) {
    if (equals_ignoring_case(note.name, name)) return &note;
  }
  return nullptr;
}

}  // namespace penstock
