#include "app/module_skeleton.h"

#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include "base/wording.h"

namespace penstock {
namespace {

// @WORDS@ are replaced.
constexpr std::string_view kC = R"(/*
 * @NAME@, a module for Penstock: it says hello in a header field of each response.
 * What else a module can do stands in penstock/module.h.
 */
#include <penstock/module.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is kept for one [module.NAME] of the configuration. */
struct greeter {
  size_t size;
  char greeting[];
};

/* The keys of [module.NAME.config]. */
static const penstock_setting settings[] = {
    {.name = "greeting",
     .type = PENSTOCK_SETTING_STRING,
     .standard = "\"hello\"",
     .meaning = "What is said."},
};

/* Called once for each [module.NAME], when the configuration is read. */
static int configure(penstock_instance* instance, const penstock_api* api,
                     const penstock_config* config, void** data) {
  const penstock_str greeting = api->setting_text(config, "greeting");
  struct greeter* greeter;
  char line[256];

  if (greeting.size == 0 || greeting.size > 200) {
    api->setting_error(config, "greeting", "a greeting has 1 to 200 bytes");
    return PENSTOCK_ERROR;
  }
  greeter = malloc(sizeof(*greeter) + greeting.size);
  if (greeter == NULL) return PENSTOCK_ERROR;
  greeter->size = greeting.size;
  memcpy(greeter->greeting, greeting.data, greeting.size);
  snprintf(line, sizeof(line), "greets with \"%.*s\"", (int)greeting.size, greeting.data);
  api->log(instance, PENSTOCK_LOG_INFO, line);
  *data = greeter;
  return PENSTOCK_OK;
}

static void close_instance(penstock_instance* instance, void* data) {
  (void)instance;
  free(data);
}

/* Called for each response: by several threads, for different transactions. */
static int response_head(penstock_call* call) {
  const struct greeter* greeter = call->data;
  const penstock_str value = {greeter->greeting, greeter->size};
  if (call->api->field_set(call, PENSTOCK_RESPONSE, PENSTOCK_STR("X-Greeting"), value) < 0) {
    return PENSTOCK_ERROR;
  }
  return PENSTOCK_DONE;
}

static const penstock_module module = {
    .abi = PENSTOCK_ABI,
    .size = sizeof(module),
    .name = "@NAME@",
    .version = "0.1",
    .summary = "Says hello in a header field of each response.",
    .settings = settings,
    .setting_count = sizeof(settings) / sizeof(settings[0]),
    .configure = configure,
    .close = close_instance,
    .response_head = response_head,
};

PENSTOCK_MODULE(module);
)";

constexpr std::string_view kCpp =
    R"(// @NAME@, a module for Penstock: it says hello in a header field of each response.
// What else a module can do stands in penstock/module.hpp and penstock/module.h.
#include <penstock/module.hpp>

#include <string>

namespace {

// One for each [module.NAME] of the configuration.
class Greeter : public penstock::Instance {
 public:
  // Called when the configuration is read.
  explicit Greeter(const penstock::Config& config)
      : Instance(config), greeting_(config.text("greeting")) {
    if (greeting_.empty()) config.fail("greeting", "a greeting has at least 1 byte");
    log(PENSTOCK_LOG_INFO, "greets with \"" + greeting_ + "\"");
  }

  // Called for each response: by several threads, for different transactions.
  int response_head(penstock::Call& call) override {
    call.response().set("X-Greeting", greeting_);
    return PENSTOCK_DONE;
  }

 private:
  const std::string greeting_;
};

// The keys of [module.NAME.config].
constexpr penstock_setting kSettings[] = {
    penstock::setting("greeting", PENSTOCK_SETTING_STRING, "\"hello\"", "What is said."),
};

constexpr penstock_module kModule = penstock::module<Greeter>(
    "@NAME@", "0.1", "Says hello in a header field of each response.", kSettings);

}  // namespace

PENSTOCK_MODULE(kModule);
)";

constexpr std::string_view kMakefile =
    R"make(# Where penstock/module.h is, and the program.
PENSTOCK_INCLUDE ?= @INCLUDE@
PENSTOCK ?= @PROGRAM@

@FLAGS@ ?= -O2 -g

@NAME@.so: @SOURCE@
	$(@COMPILER@) $(@FLAGS@) @STANDARD@ -Wall -Wextra -fPIC -fvisibility=hidden \
	  -I"$(PENSTOCK_INCLUDE)" -shared -o $@ $<
	@chmod go-w $@  # the proxy trusts no module that others can change

check: @NAME@.so
	"$(PENSTOCK)" module show $<
	"$(PENSTOCK)" check -c @NAME@.toml

run: @NAME@.so
	"$(PENSTOCK)" run -c @NAME@.toml

clean:
	rm -f @NAME@.so

.PHONY: check run clean
)make";

constexpr std::string_view kToml =
    R"(# A forward proxy with the module @NAME@. docs/configuration.md has all keys.

[[listener]]
address = "127.0.0.1:3128"

[[filter]]
module = "@NAME@"

[module.@NAME@]
file = @FILE@

[module.@NAME@.config]
greeting = "hello"
)";

constexpr std::string_view kReadme = R"(# @NAME@

A module for Penstock. `@SOURCE@` is all of it.

    make          # builds @NAME@.so
    make check    # says what the proxy knows of it, and whether @NAME@.toml is in order
    make run      # a proxy with the module, on 127.0.0.1:3128

    curl -ix http://127.0.0.1:3128 http://example.com/    # look for X-Greeting
)";

using Words = std::vector<std::pair<std::string_view, std::string>>;

std::string filled(std::string_view pattern, const Words& words) {
  std::string out;
  while (!pattern.empty()) {
    const std::size_t at = pattern.find('@');
    out += pattern.substr(0, at);
    if (at == std::string_view::npos) break;
    pattern.remove_prefix(at + 1);
    const std::string_view rest = pattern;
    bool is_word = false;
    for (const auto& [word, text] : words) {
      if (!rest.starts_with(word) || !rest.substr(word.size()).starts_with('@')) continue;
      out += text;
      pattern.remove_prefix(word.size() + 1);
      is_word = true;
      break;
    }
    if (!is_word) out += '@';
  }
  return out;
}

// Of a path in a Makefile's variable.
std::string for_make(std::string_view path) {
  std::string out;
  for (const char c : path) {
    if (c == '$') out += '$';
    if (c == '#') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

std::vector<SkeletonFile> skeleton_files(const ModuleSkeleton& skeleton) {
  const bool c = skeleton.language == ModuleLanguage::c;
  const std::string source = skeleton.name + (c ? ".c" : ".cc");
  const Words words = {
      {"NAME", skeleton.name},
      {"SOURCE", source},
      {"FILE", penstock::quoted(skeleton.folder + "/" + skeleton.name + ".so")},
      {"INCLUDE", for_make(skeleton.include)},
      {"PROGRAM", for_make(skeleton.program)},
      {"COMPILER", c ? "CC" : "CXX"},
      {"FLAGS", c ? "CFLAGS" : "CXXFLAGS"},
      {"STANDARD", c ? "-std=c11" : "-std=c++17"},
  };
  return {{.name = source, .text = filled(c ? kC : kCpp, words)},
          {.name = "Makefile", .text = filled(kMakefile, words)},
          {.name = skeleton.name + ".toml", .text = filled(kToml, words)},
          {.name = "README.md", .text = filled(kReadme, words)}};
}

}  // namespace penstock
