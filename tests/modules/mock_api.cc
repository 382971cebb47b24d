// The functions of struct penstock_api, as the mock host has them.
#include <algorithm>
#include <array>
#include <utility>

#include "tests/modules/mock_transaction.h"

namespace penstock::test {

namespace {

std::string text_of(penstock_str text) { return {text.data, text.size}; }
std::string_view view_of(penstock_str text) { return {text.data, text.size}; }
penstock_str str_of(std::string_view text) { return {text.data(), text.size()}; }

bool is_name(std::string_view name) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kOthers.find(c) != std::string_view::npos;
  });
}

bool is_of_the_proxy(std::string_view name) {
  constexpr std::array<std::string_view, 7> kNames = {
      "Connection", "Transfer-Encoding", "Content-Length", "Keep-Alive",
      "TE",         "Upgrade",           "Trailer"};
  return std::any_of(kNames.begin(), kNames.end(),
                     [&](std::string_view own) { return same_name(own, name); });
}

// The value of a setting, of the type that is asked for.
template <class T>
const T& value_of(const penstock_config* config, const char* name) {
  return std::get<T>(config->table->at(name).value);
}

}  // namespace

// Static functions, and a friend of the transaction.
struct Api {
  static MockTransaction& of(penstock_call* call) {
    return *static_cast<MockTransaction::Call*>(call)->owner;
  }
  using Event = MockTransaction::Event;

  // Settings.
  static penstock_str setting_text(const penstock_config* config, const char* name) {
    return str_of(value_of<std::string>(config, name));
  }
  static std::int64_t setting_integer(const penstock_config* config, const char* name) {
    const auto& value = config->table->at(name).value;
    if (const bool* const flag = std::get_if<bool>(&value)) return *flag ? 1 : 0;
    return std::get<std::int64_t>(value);
  }
  static double setting_number(const penstock_config* config, const char* name) {
    return value_of<double>(config, name);
  }
  static std::size_t setting_count(const penstock_config* config, const char* name) {
    const auto& value = config->table->at(name).value;
    const auto* const texts = std::get_if<std::vector<std::string>>(&value);
    return texts != nullptr ? texts->size() : std::get<std::vector<SettingTable>>(value).size();
  }
  static penstock_str setting_text_at(const penstock_config* config, const char* name,
                                      std::size_t index) {
    return str_of(value_of<std::vector<std::string>>(config, name).at(index));
  }
  static const penstock_config* setting_table_at(const penstock_config* config, const char* name,
                                                 std::size_t index) {
    auto& tables = std::get<std::vector<SettingTable>>(config->table->at(name).value);
    config->host->tables_.push_back(
        std::make_unique<penstock_config>(penstock_config{config->host, &tables.at(index)}));
    return config->host->tables_.back().get();
  }
  static void setting_error(const penstock_config* config, const char* name, const char* text) {
    config->host->refused = (name != nullptr ? std::string(name) + ": " : std::string()) + text;
  }
  static penstock_str instance_name(const penstock_instance* /*instance*/) {
    return PENSTOCK_STR("mock");
  }

  // Fields.
  static int field_get(penstock_call* call, int section, penstock_str name, std::size_t index,
                       penstock_str* value) {
    const FieldList* const fields = of(call).section(section);
    if (fields == nullptr) return PENSTOCK_NOT_NOW;
    for (const auto& [its_name, its_value] : *fields) {
      if (same_name(its_name, view_of(name)) && index-- == 0) {
        *value = str_of(its_value);
        return PENSTOCK_OK;
      }
    }
    return PENSTOCK_NOT_FOUND;
  }
  static std::size_t field_count(penstock_call* call, int section) {
    const FieldList* const fields = of(call).section(section);
    return fields == nullptr ? 0 : fields->size();
  }
  static int field_at(penstock_call* call, int section, std::size_t index, penstock_field* field) {
    const FieldList* const fields = of(call).section(section);
    if (fields == nullptr || index >= fields->size()) return PENSTOCK_NOT_FOUND;
    *field = {str_of((*fields)[index].first), str_of((*fields)[index].second)};
    return PENSTOCK_OK;
  }
  static int change_fields(penstock_call* call, int section, penstock_str name, penstock_str value,
                           FieldList** fields) {
    MockTransaction& mine = of(call);
    *fields = mine.section(section);
    if (*fields == nullptr || !mine.may_change(section)) return PENSTOCK_NOT_NOW;
    const bool breaks =
        view_of(value).find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
    const bool wrong = !is_name(view_of(name)) || is_of_the_proxy(view_of(name)) || breaks;
    return wrong ? PENSTOCK_INVALID : PENSTOCK_OK;
  }
  static int field_set(penstock_call* call, int section, penstock_str name, penstock_str value) {
    const std::string copy = text_of(value);  // may be that of the line that goes
    FieldList* fields = nullptr;
    const int code = change_fields(call, section, name, value, &fields);
    if (code != PENSTOCK_OK) return code;
    const std::string its_name = text_of(name);
    std::erase_if(*fields, [&](const auto& line) { return same_name(line.first, its_name); });
    fields->emplace_back(its_name, copy);
    return PENSTOCK_OK;
  }
  static int field_add(penstock_call* call, int section, penstock_str name, penstock_str value) {
    FieldList* fields = nullptr;
    const int code = change_fields(call, section, name, value, &fields);
    if (code != PENSTOCK_OK) return code;
    fields->emplace_back(text_of(name), text_of(value));
    return PENSTOCK_OK;
  }
  static int field_remove(penstock_call* call, int section, penstock_str name) {
    FieldList* fields = nullptr;
    const int code = change_fields(call, section, name, {nullptr, 0}, &fields);
    if (code != PENSTOCK_OK) return code;
    const std::string its_name = text_of(name);
    return static_cast<int>(
        std::erase_if(*fields, [&](const auto& line) { return same_name(line.first, its_name); }));
  }

  // Texts and numbers.
  static int get_text(penstock_call* call, int text, penstock_str* value) {
    MockTransaction& mine = of(call);
    const auto give = [&](const std::string& what) {
      *value = str_of(what);
      return what.empty() ? PENSTOCK_NOT_FOUND : PENSTOCK_OK;
    };
    static const std::string kVersion = "HTTP/1.1";
    switch (text) {
      case PENSTOCK_METHOD:
        return give(mine.request_.method);
      case PENSTOCK_SCHEME:
        return give(mine.request_.scheme);
      case PENSTOCK_HOST:
        return give(mine.request_.host);
      case PENSTOCK_PATH:
        return give(mine.request_.path);
      case PENSTOCK_URL:
        return give(mine.url_);
      case PENSTOCK_VERSION:
        return give(kVersion);
      case PENSTOCK_CLIENT_IP:
        return give(mine.request_.client);
      case PENSTOCK_UPSTREAM:
        return give(mine.outcome_.upstream);
      case PENSTOCK_SERVER:
        return give(mine.outcome_.server);
      default:
        return PENSTOCK_NOT_FOUND;
    }
  }
  static int set_text(penstock_call* call, int text, penstock_str value) {
    MockTransaction& mine = of(call);
    std::string* target = nullptr;
    const bool is_choice =
        text == PENSTOCK_UPSTREAM || text == PENSTOCK_SERVER || text == PENSTOCK_TARGET_HOST;
    if (mine.event_ != (is_choice ? Event::before_connect : Event::request_head)) {
      return PENSTOCK_NOT_NOW;
    }
    if (text == PENSTOCK_UPSTREAM) target = &mine.outcome_.upstream;
    if (text == PENSTOCK_SERVER) target = &mine.outcome_.server;
    if (text == PENSTOCK_TARGET_HOST) target = &mine.outcome_.target;
    if (text == PENSTOCK_METHOD) target = &mine.request_.method;
    if (text == PENSTOCK_HOST) target = &mine.request_.host;
    if (text == PENSTOCK_PATH) target = &mine.request_.path;
    if (target == nullptr) return PENSTOCK_INVALID;
    *target = text_of(value);
    return PENSTOCK_OK;
  }
  static int get_number(penstock_call* call, int number, std::int64_t* value) {
    MockTransaction& mine = of(call);
    const auto length = [](const Message& message) {
      const bool known = message.length_known || message.content.empty();
      return known ? static_cast<std::int64_t>(message.content.size()) : -1;
    };
    const bool responded = mine.event_ >= Event::response_head;
    const FieldList& fields = responded ? mine.response_.fields : mine.request_.fields;
    switch (number) {
      case PENSTOCK_STATUS:
        *value = mine.response_.status;
        break;
      case PENSTOCK_REQUEST_LENGTH:
        *value = length(mine.request_);
        break;
      case PENSTOCK_RESPONSE_LENGTH:
        *value = length(mine.response_);
        break;
      case PENSTOCK_TARGET_PORT:
        *value = 80;
        break;
      case PENSTOCK_NO_TRANSFORM:
        *value = field(fields, "Cache-Control").find("no-transform") != std::string::npos ? 1 : 0;
        break;
      default:
        return PENSTOCK_NOT_FOUND;
    }
    const bool of_response = number == PENSTOCK_STATUS || number == PENSTOCK_RESPONSE_LENGTH;
    return of_response && !responded ? PENSTOCK_NOT_NOW : PENSTOCK_OK;
  }
  static int set_number(penstock_call* call, int number, std::int64_t value) {
    MockTransaction& mine = of(call);
    if (number == PENSTOCK_STATUS) {
      if (!mine.may_change(PENSTOCK_RESPONSE)) return PENSTOCK_NOT_NOW;
      mine.response_.status = static_cast<int>(value);
    } else if (number == PENSTOCK_TARGET_PORT && mine.event_ == Event::before_connect) {
      mine.outcome_.target += ":" + std::to_string(value);
    } else {
      return PENSTOCK_INVALID;
    }
    return PENSTOCK_OK;
  }

  // Content.
  static int content_write(penstock_call* call, const void* bytes, std::size_t size) {
    MockTransaction& mine = of(call);
    const bool now = mine.event_ == Event::request_body || mine.event_ == Event::request_complete ||
                     mine.event_ == Event::response_body ||
                     mine.event_ == Event::response_complete || mine.event_ == Event::answer_body;
    if (!now || !mine.content_may_be_written_) return PENSTOCK_NOT_NOW;
    mine.written_.append(static_cast<const char*>(bytes), size);
    return PENSTOCK_OK;
  }
  static int content_pass(penstock_call* call, std::size_t offset, std::size_t size) {
    MockTransaction& mine = of(call);
    if (mine.piece_.empty()) return PENSTOCK_NOT_NOW;
    if (offset > mine.piece_.size() || size > mine.piece_.size() - offset) return PENSTOCK_INVALID;
    mine.written_.append(mine.piece_.substr(offset, size));
    return PENSTOCK_OK;
  }
  static int content_hold(penstock_call* call, std::size_t offset, std::size_t size,
                          penstock_held** held) {
    MockTransaction& mine = of(call);
    if (mine.piece_.empty()) return PENSTOCK_NOT_NOW;
    if (offset > mine.piece_.size() || size > mine.piece_.size() - offset) return PENSTOCK_INVALID;
    std::size_t total = size;
    for (const auto& other : mine.held_) total += other->bytes.size();
    if (total > mine.host_.hold_limit) return PENSTOCK_LIMIT;
    mine.held_.push_back(std::make_unique<penstock_held>(
        penstock_held{std::string(mine.piece_.substr(offset, size))}));
    *held = mine.held_.back().get();
    return PENSTOCK_OK;
  }
  static int content_drop(penstock_call* call, penstock_held* held) {
    auto& all = of(call).held_;
    const auto mine =
        std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.get() == held; });
    if (mine == all.end()) return PENSTOCK_INVALID;
    all.erase(mine);
    return PENSTOCK_OK;
  }
  static int content_emit(penstock_call* call, penstock_held* held) {
    const int code = content_write(call, held->bytes.data(), held->bytes.size());
    return code != PENSTOCK_OK ? code : content_drop(call, held);
  }
  static int content_length(penstock_call* call, std::uint64_t length) {
    of(call).expected_length_ = static_cast<std::int64_t>(length);
    return PENSTOCK_OK;
  }

  // Answers.
  static int answer_stream(penstock_call* call, int status, const char* /*reason*/) {
    MockTransaction& mine = of(call);
    if (mine.event_ != Event::request_head && mine.event_ != Event::response_head &&
        !mine.held_head_) {
      return PENSTOCK_NOT_NOW;
    }
    mine.answer_ = Response{};
    mine.answer_.status = status;
    mine.answer_begun_ = true;
    mine.answer_streams_ = true;
    return PENSTOCK_OK;
  }
  static int answer(penstock_call* call, int status, const char* reason, const void* content,
                    std::size_t size) {
    const int code = answer_stream(call, status, reason);
    if (code != PENSTOCK_OK) return code;
    of(call).answer_streams_ = false;
    of(call).answer_.content.assign(static_cast<const char*>(content), size);
    return PENSTOCK_OK;
  }

  // Waiting.
  static penstock_waiter* waiter(penstock_call* call) {
    MockTransaction& mine = of(call);
    mine.resumed_ = std::make_shared<bool>(false);
    const std::lock_guard lock(mine.host_.mutex_);
    ++mine.host_.waiters_;
    return std::make_unique<penstock_waiter>(penstock_waiter{&mine.host_, mine.resumed_}).release();
  }
  static void resume(penstock_waiter* waiter) {
    const std::unique_ptr<penstock_waiter> mine(waiter);
    const std::lock_guard lock(mine->host->mutex_);
    --mine->host->waiters_;
    *mine->resumed = true;
    mine->host->changed_.notify_all();
  }

  // Addresses, records.
  static std::size_t address_count(penstock_call* call) {
    return of(call).outcome_.addresses.size();
  }
  static int address_at(penstock_call* call, std::size_t index, penstock_str* address) {
    const auto& all = of(call).outcome_.addresses;
    if (index >= all.size()) return PENSTOCK_NOT_FOUND;
    *address = str_of(all[index]);
    return PENSTOCK_OK;
  }
  static int address_set(penstock_call* call, const penstock_str* addresses, std::size_t count) {
    MockTransaction& mine = of(call);
    if (mine.event_ != Event::before_connect) return PENSTOCK_NOT_NOW;
    mine.outcome_.addresses.clear();
    for (std::size_t i = 0; i < count; ++i) {
      mine.outcome_.addresses.push_back(text_of(addresses[i]));
    }
    return PENSTOCK_OK;
  }
  static int record_get(penstock_call* call, penstock_str name, penstock_str* value) {
    if (of(call).event_ != Event::logged) return PENSTOCK_NOT_NOW;
    const auto& record = of(call).host_.record;
    const auto entry = record.find(text_of(name));
    if (entry == record.end()) return PENSTOCK_NOT_FOUND;
    *value = str_of(entry->second);
    return PENSTOCK_OK;
  }
  static int record_add(penstock_call* call, penstock_str name, penstock_str value) {
    of(call).outcome_.record.emplace_back(text_of(name), text_of(value));
    return PENSTOCK_OK;
  }

  // Logs and metrics.
  static void log(penstock_instance* instance, int /*level*/, const char* text) {
    const std::lock_guard lock(instance->host->mutex_);
    instance->host->log.emplace_back(text);
  }
  static penstock_log_file* log_file_open(penstock_instance* instance, const char* path) {
    Host& host = *instance->host;
    if (std::string_view(path).empty()) return nullptr;
    host.open_files_.push_back(std::make_unique<penstock_log_file>(penstock_log_file{&host, path}));
    return host.open_files_.back().get();
  }
  static void log_file_write(penstock_log_file* file, penstock_str line) {
    const std::lock_guard lock(file->host->mutex_);
    file->host->files[file->path].push_back(text_of(line));
  }
  static penstock_metric* metric(penstock_instance* instance, const char* name,
                                 const char* /*help*/) {
    Host& host = *instance->host;
    host.handles_.push_back(std::make_unique<penstock_metric>(penstock_metric{&host, name}));
    return host.handles_.back().get();
  }
  static void metric_add(penstock_metric* metric, std::int64_t n) {
    const std::lock_guard lock(metric->host->mutex_);
    metric->host->metrics[metric->name] += n;
  }
  static void metric_set(penstock_metric* metric, std::int64_t n) {
    const std::lock_guard lock(metric->host->mutex_);
    metric->host->metrics[metric->name] = n;
  }

  // Time, descriptors, threads.
  static penstock_timer* timer_start(penstock_instance* instance, std::uint64_t /*period_ms*/,
                                     void (*f)(penstock_instance*, void*), void* data) {
    auto& timers = instance->host->timers_;
    timers.push_back(std::make_unique<penstock_timer>(penstock_timer{f, data}));
    return timers.back().get();
  }
  static void timer_stop(penstock_timer* timer) { timer->f = nullptr; }
  static penstock_watch* watch_start(penstock_instance* instance, int descriptor, short /*events*/,
                                     void (*f)(penstock_instance*, void*, short), void* data) {
    if (descriptor < 0) return nullptr;
    auto& watches = instance->host->watches_;
    watches.push_back(std::make_unique<penstock_watch>(penstock_watch{f, data}));
    return watches.back().get();
  }
  static void watch_stop(penstock_watch* watch) { watch->f = nullptr; }
  static int run_blocking(penstock_instance* instance, void (*work)(void*),
                          void (*done)(penstock_instance*, void*), void* data) {
    instance->host->later([=] {
      work(data);
      if (done != nullptr) done(instance, data);
    });
    return PENSTOCK_OK;
  }
  static int subrequest(penstock_instance* instance, const penstock_subrequest* raw,
                        penstock_subrequest_done done, void* data) {
    Host& host = *instance->host;
    if (host.subrequests_full) return PENSTOCK_LIMIT;
    Request request;
    request.method = raw->method.size == 0 ? "GET" : text_of(raw->method);
    request.path = text_of(raw->url);
    request.content = text_of(raw->content);
    for (std::size_t i = 0; i < raw->field_count; ++i) {
      request.fields.emplace_back(text_of(raw->fields[i].name), text_of(raw->fields[i].value));
    }
    host.later([&host, instance, done, data, request] {
      host.subrequests.push_back(request);
      const Response response = host.subrequest_server(request);
      std::vector<penstock_field> fields;
      for (const auto& [name, value] : response.fields) {
        fields.push_back({str_of(name), str_of(value)});
      }
      const bool failed = response.status == 0;
      const penstock_subresponse given{
          sizeof(given), response.status, failed ? PENSTOCK_STR("timed_out") : PENSTOCK_STR(""),
          fields.data(), fields.size(),   str_of(response.content)};
      done(instance, data, &given);
    });
    return PENSTOCK_OK;
  }

  // The cache: URLs and sizes.
  static int begin_cache(penstock_instance* instance, const char* what, penstock_str url) {
    Host& host = *instance->host;
    if (!host.has_cache) return PENSTOCK_NO_CACHE;
    host.cache_calls.push_back(std::string(what) + " " + text_of(url));
    return PENSTOCK_OK;
  }
  static void tell(penstock_instance* instance, penstock_cache_done done, void* data,
                   const std::string& url) {
    const auto& cache = instance->host->cache;
    const auto entry = cache.find(url);
    penstock_cache_object object{};
    object.size = sizeof object;
    object.result = entry == cache.end() ? PENSTOCK_NOT_FOUND : PENSTOCK_OK;
    object.url = str_of(url);
    object.status = 200;
    object.age_s = 5;
    object.fresh_s = 55;
    object.content_size = entry == cache.end() ? 0 : static_cast<std::uint64_t>(entry->second);
    done(instance, data, &object);
  }
  static int cache_query(penstock_instance* instance, penstock_str url, penstock_cache_done done,
                         void* data) {
    const int code = begin_cache(instance, "query", url);
    if (code != PENSTOCK_OK) return code;
    instance->host->later([=, copy = text_of(url)] { tell(instance, done, data, copy); });
    return code;
  }
  static int cache_prefetch(penstock_instance* instance, penstock_str url) {
    return begin_cache(instance, "prefetch", url);
  }
  static int cache_expire(penstock_instance* instance, penstock_str url) {
    return begin_cache(instance, "expire", url);
  }
  static int cache_remove(penstock_instance* instance, penstock_str url) {
    const int code = begin_cache(instance, "remove", url);
    if (code != PENSTOCK_OK) return code;
    return instance->host->cache.erase(text_of(url)) != 0 ? PENSTOCK_OK : PENSTOCK_NOT_FOUND;
  }
  static int cache_enumerate(penstock_instance* instance, penstock_str prefix,
                             penstock_cache_done each, void* data) {
    const int code = begin_cache(instance, "enumerate", prefix);
    if (code != PENSTOCK_OK) return code;
    instance->host->later([=, wanted = text_of(prefix)] {
      for (const auto& [url, size] : instance->host->cache) {
        if (url.starts_with(wanted)) tell(instance, each, data, url);
      }
      tell(instance, each, data, "");
    });
    return code;
  }
};

FieldList* MockTransaction::section(int which) {
  const bool responded = event_ >= Event::response_head && event_ != Event::answer_body;
  if (which == PENSTOCK_REQUEST) return &request_.fields;
  if (which == PENSTOCK_RESPONSE) return responded ? &response_.fields : nullptr;
  if (which == PENSTOCK_REQUEST_TRAILERS) {
    return event_ == Event::request_complete ? &request_.trailers : nullptr;
  }
  if (which == PENSTOCK_RESPONSE_TRAILERS) {
    return event_ == Event::response_complete ? &response_.trailers : nullptr;
  }
  return answer_begun_ ? &answer_.fields : nullptr;
}

bool MockTransaction::may_change(int which) const {
  const bool in_request = event_ <= Event::request_complete;
  if (which == PENSTOCK_REQUEST) {
    return event_ == Event::request_head || (in_request && held_head_);
  }
  if (which == PENSTOCK_RESPONSE) {
    return event_ == Event::response_head || (!in_request && held_head_);
  }
  return true;
}

penstock_api mock_api() {
  penstock_api api{};
  api.size = sizeof api;
  api.abi = PENSTOCK_ABI;
  api.version = "0.0.0";
  api.setting_text = &Api::setting_text;
  api.setting_integer = &Api::setting_integer;
  api.setting_number = &Api::setting_number;
  api.setting_count = &Api::setting_count;
  api.setting_text_at = &Api::setting_text_at;
  api.setting_table_at = &Api::setting_table_at;
  api.setting_error = &Api::setting_error;
  api.instance_name = &Api::instance_name;
  api.field_get = &Api::field_get;
  api.field_count = &Api::field_count;
  api.field_at = &Api::field_at;
  api.field_set = &Api::field_set;
  api.field_add = &Api::field_add;
  api.field_remove = &Api::field_remove;
  api.get_text = &Api::get_text;
  api.set_text = &Api::set_text;
  api.get_number = &Api::get_number;
  api.set_number = &Api::set_number;
  api.content_write = &Api::content_write;
  api.content_pass = &Api::content_pass;
  api.content_hold = &Api::content_hold;
  api.content_emit = &Api::content_emit;
  api.content_drop = &Api::content_drop;
  api.content_length = &Api::content_length;
  api.answer = &Api::answer;
  api.answer_stream = &Api::answer_stream;
  api.waiter = &Api::waiter;
  api.resume = &Api::resume;
  api.address_count = &Api::address_count;
  api.address_at = &Api::address_at;
  api.address_set = &Api::address_set;
  api.record_get = &Api::record_get;
  api.record_add = &Api::record_add;
  api.log = &Api::log;
  api.log_file_open = &Api::log_file_open;
  api.log_file_write = &Api::log_file_write;
  api.metric = &Api::metric;
  api.metric_add = &Api::metric_add;
  api.metric_set = &Api::metric_set;
  api.timer_start = &Api::timer_start;
  api.timer_stop = &Api::timer_stop;
  api.watch_start = &Api::watch_start;
  api.watch_stop = &Api::watch_stop;
  api.run_blocking = &Api::run_blocking;
  api.subrequest = &Api::subrequest;
  api.cache_query = &Api::cache_query;
  api.cache_prefetch = &Api::cache_prefetch;
  api.cache_expire = &Api::cache_expire;
  api.cache_remove = &Api::cache_remove;
  api.cache_enumerate = &Api::cache_enumerate;
  return api;
}

}  // namespace penstock::test
