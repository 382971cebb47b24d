// For tests: a whole proxy on the simulated network with modules that are part of the test.
#pragma once

#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "proxy/proxy_test.h"
#include "tests/module_host.h"
#include "tests/module_recorder.h"

namespace penstock::module_test {

class ModuleTest : public ProxyTest {
 protected:
  // For what is asked afterwards: a filter that is this module.
  void add(Recorder& recorder, FilterSettings filter = {}) {
    host.add(recorder.module(), &recorder, std::move(filter), hold_limit);
    filters.current = host.make_set();
  }

  // Before the modules go.
  void TearDown() override {
    stop();
    filters.current.reset();
  }

  std::uint64_t hold_limit = std::uint64_t{16} * 1024 * 1024;
  ModuleHost host{world};
};

inline const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

}  // namespace penstock::module_test
