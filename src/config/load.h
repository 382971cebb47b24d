// The way in: a configuration file, or its text, becomes a Snapshot, or a list of all that is
// wrong.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostic.h"
#include "config/snapshot.h"

namespace penstock::config {

struct Loaded {
  std::shared_ptr<const Snapshot> snapshot;
  std::vector<Diagnostic> warnings;
};

// With errors: all of them and the warnings, in the order of the file. (Of text that is not TOML
// only the first mistake is found.)
using LoadResult = std::expected<Loaded, std::vector<Diagnostic>>;

[[nodiscard]] LoadResult load_file(const std::string& path);
// `name` stands for the file in diagnostics. An empty text is a working configuration: a forward
// proxy on 127.0.0.1:3128.
[[nodiscard]] LoadResult load_text(std::string_view text, std::string_view name);

// Something that was found out about a file only after it was loaded.
struct Finding {
  Place place;
  std::string message;
};
// Those as errors, with the lines of the file as it is now, in its order.
[[nodiscard]] std::vector<Diagnostic> diagnose(const std::string& path,
                                               const std::vector<Finding>& findings);

}  // namespace penstock::config
