// Texts of the configuration that contain variables, and what these stand for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapt/note.h"
#include "adapt/variable_settings.h"
#include "base/arena.h"
#include "message/head.h"
#include "server/client_info.h"

namespace penstock {

// What variables are about. All of it must outlive it.
struct VariableContext {
  const ClientInfo& client;
  std::uint64_t request = 0;          // its number on the connection, from 1
  const RequestHead* head = nullptr;  // of the request
  std::string_view host = {};         // that it is for, without port or brackets
  std::string_view route = {};        // its name
  int status = 0;                     // of the response, once there is one
  std::string_view login = {};        // the client's Proxy-Authorization
  std::span<const Note> notes = {};   // of the transaction
};

// What is done with text of variables, by where it goes to.
enum class Escaping : std::uint8_t {
  none,
  html,  // markup and quotes become character references
};

// A text with variables, taken apart once. What has none costs nothing to expand.
class TextTemplate {
 public:
  // The text must have been found in order (config/field_rules.h) and must outlive the template.
  explicit TextTemplate(std::string_view text);

  // The text for that client, without surrounding white space. It lives as long as the arena, or
  // the template. Whatever a variable brings, in it are printable ASCII characters only: other
  // bytes are written as a backslash and two hex digits, as RFC 4514 does. Empty where variables
  // had nothing to say.
  [[nodiscard]] std::string_view expand(const VariableContext& context, Arena& arena) const;
  // The same as a text of its own, with white space as it is.
  [[nodiscard]] std::string fill(const VariableContext& context, Escaping escaping) const;
  // False: there are variables, and none of them has anything to say.
  [[nodiscard]] bool says_something(const VariableContext& context) const;
  [[nodiscard]] bool has_variables() const { return has_variables_; }

 private:
  struct Part {
    std::string_view text;  // where `is_variable` is not set
    NamedVariable variable{};
    bool is_variable = false;
  };
  std::string plain_;  // where there are no variables
  std::vector<Part> parts_;
  bool has_variables_ = false;
};

}  // namespace penstock
