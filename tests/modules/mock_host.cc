#include "tests/modules/mock_host.h"

#include <algorithm>
#include <stdexcept>

#include <dlfcn.h>
#include <strings.h>

#include "tests/modules/mock_transaction.h"

namespace penstock::test {

std::string field(const FieldList& fields, std::string_view name) {
  for (const auto& [its_name, value] : fields) {
    if (same_name(its_name, name)) return value;
  }
  return "-";
}

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

namespace {

// A default, as it stands in a module's table of settings.
Setting parse_standard(const penstock_setting& setting) {
  const std::string text = setting.standard;
  const auto strings = [&] {
    std::vector<std::string> out;
    for (std::size_t at = text.find('"'); at != std::string::npos; at = text.find('"', at)) {
      std::string one;
      for (++at; text.at(at) != '"'; ++at) one += text.at(at) == '\\' ? text.at(++at) : text.at(at);
      ++at;
      out.push_back(one);
    }
    return out;
  };
  const auto quantity = [&](const std::map<std::string, std::int64_t>& units) {
    const std::string quoted = strings().at(0);
    std::size_t digits = 0;
    const std::int64_t count = std::stoll(quoted, &digits);
    return count * units.at(quoted.substr(digits));
  };
  switch (setting.type) {
    case PENSTOCK_SETTING_STRING:
      return {strings().at(0)};
    case PENSTOCK_SETTING_INTEGER:
      return {std::int64_t{std::stoll(text)}};
    case PENSTOCK_SETTING_NUMBER:
      return {std::stod(text)};
    case PENSTOCK_SETTING_BOOLEAN:
      return {text == "true"};
    case PENSTOCK_SETTING_DURATION:
      return {quantity({{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}})};
    case PENSTOCK_SETTING_SIZE:
      return {quantity({{"B", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}})};
    case PENSTOCK_SETTING_STRINGS:
      return {strings()};
    default:
      return {std::vector<SettingTable>{}};
  }
}

bool has_type(const Setting& value, int type) {
  switch (type) {
    case PENSTOCK_SETTING_STRING:
      return std::holds_alternative<std::string>(value.value);
    case PENSTOCK_SETTING_NUMBER:
      return std::holds_alternative<double>(value.value);
    case PENSTOCK_SETTING_BOOLEAN:
      return std::holds_alternative<bool>(value.value);
    case PENSTOCK_SETTING_STRINGS:
      return std::holds_alternative<std::vector<std::string>>(value.value);
    case PENSTOCK_SETTING_TABLES:
      return std::holds_alternative<std::vector<SettingTable>>(value.value);
    default:
      return std::holds_alternative<std::int64_t>(value.value);
  }
}

// Adds the defaults, and checks the rest. Throws what is wrong.
void complete(SettingTable& table, const penstock_setting* schema, std::size_t count) {
  for (const auto& [name, value] : table) {
    const auto* const known = std::find_if(
        schema, schema + count, [&](const penstock_setting& one) { return one.name == name; });
    if (known == schema + count) throw std::runtime_error("unknown key " + name);
    if (!has_type(value, known->type)) throw std::runtime_error("wrong type of " + name);
    if (const auto* const number = std::get_if<std::int64_t>(&value.value)) {
      const auto as_number = static_cast<double>(*number);
      const bool any = known->least == 0 && known->most == 0;
      if (!any && (as_number < known->least || as_number > known->most)) {
        throw std::runtime_error("out of range: " + name);
      }
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    const penstock_setting& setting = schema[i];
    if (!table.contains(setting.name)) {
      if (setting.standard == nullptr) {
        throw std::runtime_error(std::string(setting.name) + " must be given");
      }
      table[setting.name] = parse_standard(setting);
    }
    if (setting.type == PENSTOCK_SETTING_TABLES) {
      for (SettingTable& inner : std::get<std::vector<SettingTable>>(table[setting.name].value)) {
        complete(inner, setting.inner, setting.inner_count);
      }
    }
  }
}

}  // namespace

Host::Host(const std::string& module, SettingTable settings) : settings_(std::move(settings)) {
  const std::string path = std::string(PENSTOCK_MODULES) + "/" + module + ".so";
  // Never closed: reports of leaks name functions in it.
  void* const object = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (object == nullptr) throw std::runtime_error(dlerror());
  using Entry = const penstock_module* (*)();
  const auto entry = reinterpret_cast<Entry>(dlsym(object, PENSTOCK_MODULE_SYMBOL));
  if (entry == nullptr) throw std::runtime_error(path + " exports no module");
  module_ = entry();
  if (module_->abi != PENSTOCK_ABI || module_->size != sizeof(penstock_module)) {
    throw std::runtime_error(path + " has another interface");
  }
  thread_ = std::thread([this] { run_queue(); });
  api_ = mock_api();
  instance_ = std::make_unique<penstock_instance>(penstock_instance{this});
  if (module_->load != nullptr && module_->load(&api_) != PENSTOCK_OK) refused = "load";
  try {
    complete(settings_, module_->settings, module_->setting_count);
    const penstock_config config{this, &settings_};
    if (module_->configure != nullptr &&
        module_->configure(instance_.get(), &api_, &config, &data_) != PENSTOCK_OK &&
        refused.empty()) {
      refused = "without a reason";
    }
  } catch (const std::runtime_error& error) {
    refused = error.what();
  }
  configured_ = refused.empty();
}

Host::~Host() {
  settle();
  if (waiters_ != 0) violations.emplace_back("a waiter was never resumed");
  if (configured_ && module_->close != nullptr) module_->close(instance_.get(), data_);
  if (module_->unload != nullptr) module_->unload();
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Host::later(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
  }
  changed_.notify_all();
}

void Host::run_queue() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return ending_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const std::function<void()> next = std::move(queue_.front());
    queue_.pop_front();
    busy_ = true;
    lock.unlock();
    next();
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

void Host::settle() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return queue_.empty() && !busy_; });
}

void Host::fire_timers() {
  for (const auto& timer : timers_) {
    if (timer->f != nullptr) later([&] { timer->f(instance_.get(), timer->data); });
  }
  settle();
}

void Host::fire_watches(short events) {
  for (const auto& watch : watches_) {
    if (watch->f != nullptr) later([&, events] { watch->f(instance_.get(), watch->data, events); });
  }
  settle();
}

Outcome Host::run(const Request& request, const Server& server, const Cuts& request_cuts,
                  const Cuts& response_cuts) {
  MockTransaction transaction(*this, request, ++last_transaction_);
  Outcome outcome = transaction.run(server, request_cuts, response_cuts);
  if (outcome.failed) violations.emplace_back("transaction failed");
  return outcome;
}

void for_all_cuts(std::size_t size, const std::function<void(const Cuts&)>& f) {
  f({});
  Cuts all;
  for (std::size_t at = 1; at < size; ++at) {
    f({at});
    if (at + 1 < size) f({at, at + 1});
    all.push_back(at);
  }
  f(all);
}

}  // namespace penstock::test
