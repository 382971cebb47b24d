// The program: reads the command line and does what it says.
#include <cstdio>
#include <variant>

#include "app/command_line.h"
#include "app/fetch.h"
#include "app/run.h"

namespace {

struct Dispatch {
  int operator()(const penstock::RunCommand& command) const { return run_command(command); }
  int operator()(const penstock::CheckCommand& command) const { return check_command(command); }
  int operator()(const penstock::FetchCommand& command) const { return fetch_command(command); }
  int operator()(const penstock::ModuleNewCommand& command) const {
    return module_new_command(command);
  }
  int operator()(const penstock::ModuleShowCommand& command) const {
    return module_show_command(command);
  }
  int operator()(const penstock::ModuleHelperCommand& command) const {
    return module_helper_command(command);
  }
  int operator()(const penstock::VersionCommand& /*command*/) const {
    penstock::version_command();
    return penstock::kExitOk;
  }
  int operator()(const penstock::Exit& exit) const {
    std::fputs(exit.text.c_str(), exit.to_stderr ? stderr : stdout);
    return exit.code;
  }
};

}  // namespace

int main(int argc, char** argv) {
  return std::visit(Dispatch{}, penstock::parse_command_line(argc, argv));
}
