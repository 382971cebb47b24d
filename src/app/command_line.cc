#include "app/command_line.h"

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "app/adapt_host.h"
#include "app/tls_files.h"
#include "app/version.h"
#include "base/wording.h"
#include "config/load.h"
#include "config/summary.h"
#include "module/helpers.h"
#include "module/idle_services.h"

namespace penstock {
namespace {

constexpr std::string_view kCommands[] = {"run", "check", "fetch", "module", "version"};

// "unknown command "chek": did you mean "check"?", or the library's own words.
std::string complaint(const CLI::ParseError& error, int argc, const char* const* argv) {
  const std::string_view word = argc > 1 ? argv[1] : "";
  const bool is_command = std::ranges::find(kCommands, word) != std::end(kCommands);
  if (!word.empty() && !word.starts_with('-') && !is_command) {
    return fmt::format("unknown command {}: {}", penstock::quoted(word), hint(word, kCommands));
  }
  if (word.starts_with('-')) return fmt::format("unknown option {}", penstock::quoted(word));
  if (word.empty()) return "no command given";
  return error.what();
}

void print(std::FILE* to, std::string_view text) {
  static_cast<void>(std::fwrite(text.data(), 1, text.size(), to));
}

// Makes and closes an instance of each module, as run would; prints what is wrong.
bool check_modules(const std::shared_ptr<const Snapshot>& snapshot, const std::string& path) {
  AdaptHost host([](const ModuleSettings& /*of*/,
                    ModuleInstance& /*instance*/) { return std::make_unique<IdleServices>(); },
                 0, nullptr);
  // Here, wherever they would run.
  Snapshot here = *snapshot;
  for (ModuleSettings& module : here.modules.modules) module.isolation = Isolation::in_line;
  const auto made = host.make(std::make_shared<const Snapshot>(std::move(here)), path);
  if (!made) print_diagnostics(made.error());
  return made.has_value();
}

}  // namespace

Command parse_command_line(int argc, const char* const* argv) {
  // Not for people: how the proxy starts helper processes.
  if (argc == 3 && argv[1] == kHelperCommand) return ModuleHelperCommand{argv[2]};
  const auto not_empty = [](const std::string& path) {
    return path.empty() ? std::string("the file's name is empty") : std::string();
  };
  CLI::App app("Penstock, an HTTP proxy.", "penstock");
  app.require_subcommand(1);
  app.get_formatter()->column_width(24);
  bool version_flag = false;
  app.add_flag("--version", version_flag, "Print the version");
  app.set_help_flag("-h,--help", "Print this help");
  RunCommand run_values;
  auto* const run = app.add_subcommand("run", "Serve until SIGTERM or SIGINT");
  run->add_option("-c,--config", run_values.config,
                  "Configuration file; without one, a forward proxy on 127.0.0.1:3128")
      ->type_name("FILE")
      ->check(not_empty);
  CheckCommand check_values;
  auto* const check =
      app.add_subcommand("check", "Read a configuration file and say what is wrong");
  check->add_option("-c,--config", check_values.config, "Configuration file")
      ->type_name("FILE")
      ->check(not_empty)
      ->required();
  const FetchOptions fetch(app);
  const ModuleOptions module(app);
  app.add_subcommand("version", "Print the version");

  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return Exit{.code = kExitOk, .text = app.help(), .to_stderr = false};
  } catch (const CLI::ParseError& error) {
    if (version_flag) return VersionCommand{};
    return Exit{.code = kExitUsage,
                .text = fmt::format("penstock: {}\n\n{}", complaint(error, argc, argv), app.help()),
                .to_stderr = true};
  }
  if (run->parsed()) return run_values;
  if (fetch.given()) {
    auto command = fetch.command();
    if (command) return std::move(*command);
    return Exit{.code = kExitUsage,
                .text = fmt::format("penstock: {}\n", command.error()),
                .to_stderr = true};
  }
  if (module.given()) {
    auto command = module.command();
    if (!command) {
      return Exit{.code = kExitUsage,
                  .text = fmt::format("penstock: {}\n", command.error()),
                  .to_stderr = true};
    }
    return std::visit([](auto& one) -> Command { return std::move(one); }, *command);
  }
  if (check->parsed()) return check_values;
  return VersionCommand{};
}

int check_command(const CheckCommand& command) {
  const auto loaded = config::load_file(command.config);
  print_diagnostics(loaded ? loaded->warnings : loaded.error());
  if (!loaded) return kExitFailed;
  print(stdout, config::summary(*loaded->snapshot));
  const auto problems = problems_of_files(*loaded->snapshot);
  for (const std::string& problem : problems) print(stderr, fmt::format("error: {}\n", problem));
  const bool modules_are_good = check_modules(loaded->snapshot, command.config);
  return problems.empty() && modules_are_good ? kExitOk : kExitFailed;
}

void version_command() { print(stdout, fmt::format("penstock {}\n", version())); }

void print_diagnostics(const std::vector<config::Diagnostic>& diagnostics) {
  const char* const no_color = std::getenv("NO_COLOR");
  const bool color = isatty(STDERR_FILENO) == 1 && (no_color == nullptr || *no_color == '\0');
  for (const config::Diagnostic& diagnostic : diagnostics) print(stderr, render(diagnostic, color));
}

}  // namespace penstock
