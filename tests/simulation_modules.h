// Modules in the proxy of a simulation: they take their time, hold and cut content, change it on
// one side of the cache and change it back on the other. Whoever talks through them should notice
// nothing.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "adapt/adaptation.h"
#include "base/random.h"
#include "sim/world.h"

namespace penstock::simulation {

// Some modules, drawn at random, for all workers of a proxy.
class Modules {
 public:
  // `reliable`: none of them fails. `log`, where failures are said, may be null. Both it and the
  // world must outlive it.
  Modules(SimWorld& world, Random random, bool reliable, Log* log);
  ~Modules();
  Modules(const Modules&) = delete;
  Modules& operator=(const Modules&) = delete;

  [[nodiscard]] std::shared_ptr<FilterSet> make_set(unsigned worker);
  // When all has ended: what they were called for and should not have been, what was not freed.
  [[nodiscard]] std::vector<std::string> problems() const;
  // What they are, for people.
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  struct Made;
  std::unique_ptr<Made> made_;
  std::string text_;
};

}  // namespace penstock::simulation
