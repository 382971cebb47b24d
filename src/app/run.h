// `penstock run`: from a configuration to serving, and to an orderly end.
#pragma once

#include "app/command_line.h"

namespace penstock {

// Serves until SIGTERM or SIGINT and the drain after it; a second signal ends it at once. The
// process's exit status.
int run_command(const RunCommand& command);

}  // namespace penstock
