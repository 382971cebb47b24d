// Whether the files of keys and certificates that a configuration names can be used.
#pragma once

#include <string>
#include <vector>

#include "config/snapshot.h"
#include "server/settings.h"

namespace penstock {

// As lines begin that are about a listener: by its name, else by its first address.
[[nodiscard]] std::string label_of(const ListenerSettings& listener);

// Sentences on what keeps run from serving with these files; it reads them all. What is only odd,
// such as a certificate that has expired, is not among them.
[[nodiscard]] std::vector<std::string> problems_of_files(const Snapshot& snapshot);

}  // namespace penstock
