// The command line: what was asked for, as plain values, and the commands that need no proxy.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "app/exit_code.h"
#include "app/fetch_command.h"
#include "app/module_command.h"
#include "app/module_helper.h"
#include "config/diagnostic.h"

namespace penstock {

// `penstock run [-c FILE]`
struct RunCommand {
  std::string config;  // empty: without a file, on built-in defaults
};
// `penstock check -c FILE`
struct CheckCommand {
  std::string config;
};
// `penstock version`
struct VersionCommand {};
// Nothing to run: print the text (help, or what was wrong) and leave.
struct Exit {
  int code = kExitOk;
  std::string text;  // ends in a newline
  bool to_stderr = false;
};

using Command = std::variant<RunCommand, CheckCommand, FetchCommand, ModuleNewCommand,
                             ModuleShowCommand, ModuleHelperCommand, VersionCommand, Exit>;

// argv as main got it.
[[nodiscard]] Command parse_command_line(int argc, const char* const* argv);

// Reads the file; prints a summary of it to stdout, and what is wrong with it to stderr. Returns an
// exit code.
[[nodiscard]] int check_command(const CheckCommand& command);

// Prints "penstock 0.1.0".
void version_command();

// Prints what is wrong with a configuration to stderr; in colour if that is a terminal and NO_COLOR
// is not set.
void print_diagnostics(const std::vector<config::Diagnostic>& diagnostics);

}  // namespace penstock
