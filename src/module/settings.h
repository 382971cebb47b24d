// What configuration sets in this room: modules, each with a table of settings of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/time.h"

namespace penstock {

struct ModuleEntry;

// A value of a module's table, with the place where it stands in the file, for messages: only the
// module can say what is wrong with it.
struct ModuleValue {
  using List = std::vector<ModuleValue>;
  using Table = std::vector<ModuleEntry>;  // in the order of the file

  std::variant<std::string, std::int64_t, double, bool, List, Table> value;
  std::size_t line = 0;  // both from 1; 0: unknown
  std::size_t column = 0;
};

// A key of such a table, with its own place.
struct ModuleEntry {
  std::string name;
  ModuleValue value;
  std::size_t line = 0;
  std::size_t column = 0;
};

// Where the callbacks of a module run.
enum class Isolation : std::uint8_t {
  in_line,  // on the worker's thread, between its other work
  thread,   // on threads beside the workers
  process,  // in a helper process
};

// A [module.NAME].
struct ModuleSettings {
  std::string name;
  std::string file;  // the shared object
  Isolation isolation = Isolation::in_line;
  std::uint32_t threads = 2;  // of `thread`
  // An inline callback that takes longer is reported.
  Duration watchdog = std::chrono::milliseconds(50);
  std::uint64_t hold_limit = std::uint64_t{16} * 1024 * 1024;  // of content, a transaction
  ModuleValue config;                                          // a table
  // Places of the table's header and of `file`.
  std::size_t line = 0;
  std::size_t column = 0;
  std::size_t file_line = 0;
  std::size_t file_column = 0;
};

struct ModulesSettings {
  std::vector<ModuleSettings> modules;
  std::string metrics_file;  // empty: not written
  Duration metrics_interval = std::chrono::seconds(15);
};

}  // namespace penstock
