// What the simulated clients and origins of HTTP/2 have in common.
#pragma once

#include <algorithm>
#include <string>

#include "base/random.h"
#include "http2/settings.h"
#include "message/head.h"
#include "tests/simulation_wire.h"

namespace penstock::simulation {

// Down to windows that a single piece of content fills, and to one stream at a time.
[[nodiscard]] inline http2::Settings draw_http2_settings(Random& random) {
  http2::Settings settings;
  if (random.chance(0.5)) {
    settings.stream_window = static_cast<std::uint32_t>(random.skewed(100, 256 * 1024));
    settings.connection_window = 2 * settings.stream_window;
  }
  settings.max_streams = static_cast<std::uint32_t>(random.skewed(1, 100));
  return settings;
}

// Lines of a section, in the simulation's own terms.
inline void add_lines(Head& head, const FieldSection& fields) {
  for (const Field& field : fields) {
    std::string name(field.name);
    std::ranges::transform(name, name.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    });
    head.fields.emplace_back(std::move(name), std::string(field.value));
  }
}

inline void add_trailers(Head& head, const FieldSection* trailers) {
  if (trailers != nullptr) add_lines(head, *trailers);
}

[[nodiscard]] inline Head plain_response(const ResponseHead& response) {
  Head head{.line = {"HTTP/2", std::to_string(response.status), ""}, .fields = {}};
  add_lines(head, response.fields);
  return head;
}

[[nodiscard]] inline Head plain_request(const RequestHead& request) {
  Head head{.line = {std::string(request.method_text), std::string(request.target_text), "HTTP/2"},
            .fields = {}};
  add_lines(head, request.fields);
  return head;
}

}  // namespace penstock::simulation
