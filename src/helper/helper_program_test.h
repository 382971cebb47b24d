// For tests: what this program does when it is its own helper.
#pragma once

#include <string>
#include <vector>

#include "helper/helper_process.h"

namespace penstock {

// The first argument of such a program, which main() of the tests looks for.
inline constexpr char kHelperArgument[] = "--as-helper";

// The arguments that start it; `mode` is one of those in helper_program_test.cc.
inline std::vector<std::string> helper_arguments(const std::string& mode = "serve") {
  return {"module_test", kHelperArgument, mode};
}

// Runs it; the exit status.
int run_helper_program(const std::string& mode);

}  // namespace penstock
