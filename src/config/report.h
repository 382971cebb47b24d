// Collects everything that is wrong with one file while it is read and checked.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostic.h"

namespace penstock::config {

class Report {
 public:
  // `text` is the whole file, and must outlive the report.
  Report(std::string_view file, std::string_view text) : file_(file), text_(text) {}

  void error(Place place, std::string message) { add(place, std::move(message), false); }
  void warning(Place place, std::string message) { add(place, std::move(message), true); }
  // How many errors there are so far; warnings do not count.
  [[nodiscard]] std::size_t errors() const { return errors_; }
  // All of it in the order of the file. Values of passwords are painted over in the file's lines;
  // those who report keep them out of their messages.
  [[nodiscard]] std::vector<Diagnostic> take();

 private:
  void add(Place place, std::string message, bool warning);

  std::string file_;
  std::string_view text_;
  std::size_t errors_ = 0;
  std::vector<Diagnostic> found_;
};

}  // namespace penstock::config
