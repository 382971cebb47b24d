#include "module/instance_functions.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "module/instance.h"

// What C code holds stands for something of the instance's services.
struct penstock_timer final : penstock::ServiceHandle {};
struct penstock_watch final : penstock::ServiceHandle {};
struct penstock_metric final : penstock::ServiceHandle {};
struct penstock_log_file final : penstock::ServiceHandle {};

namespace penstock {
namespace {

std::string text_of(penstock_str text) { return {text.data, text.size}; }

std::string_view view_of(const char* text) {
  return text != nullptr ? std::string_view(text) : std::string_view();
}

penstock_str str_of(const std::string& text) { return {text.data(), text.size()}; }

std::vector<penstock_field> fields_of(
    const std::vector<std::pair<std::string, std::string>>& fields) {
  std::vector<penstock_field> list;
  for (const auto& [name, value] : fields) list.push_back({str_of(name), str_of(value)});
  return list;
}

penstock_str instance_name(const penstock_instance* instance) { return str_of(instance->name); }

void log(penstock_instance* instance, int level, const char* text) {
  instance->services->log(level, view_of(text));
}

penstock_log_file* log_file_open(penstock_instance* instance, const char* path) {
  const std::uint64_t id = instance->services->open_log_file(std::string(view_of(path)));
  return instance->keep_one<penstock_log_file>(id);
}

void log_file_write(penstock_log_file* file, penstock_str line) {
  if (file != nullptr) file->instance->services->write_log_file(file->id, {line.data, line.size});
}

penstock_metric* metric(penstock_instance* instance, const char* name, const char* help) {
  const std::uint64_t id = instance->services->metric(view_of(name), view_of(help));
  return instance->keep_one<penstock_metric>(id);
}

void metric_add(penstock_metric* one, std::int64_t n) {
  if (one != nullptr) one->instance->services->add_to_metric(one->id, n);
}

void metric_set(penstock_metric* one, std::int64_t n) {
  if (one != nullptr) one->instance->services->set_metric(one->id, n);
}

penstock_timer* timer_start(penstock_instance* instance, std::uint64_t period_ms,
                            void (*f)(penstock_instance*, void*), void* data) {
  if (f == nullptr || period_ms == 0) return nullptr;
  const std::uint64_t id =
      instance->services->start_timer(period_ms, [instance, f, data] { f(instance, data); });
  return instance->keep<penstock_timer>(id);
}

void timer_stop(penstock_timer* timer) {
  if (timer == nullptr) return;
  timer->instance->services->stop_timer(timer->id);
  timer->instance->drop(*timer);
}

penstock_watch* watch_start(penstock_instance* instance, int descriptor, short events,
                            void (*f)(penstock_instance*, void*, short), void* data) {
  if (f == nullptr || descriptor < 0) return nullptr;
  const std::uint64_t id = instance->services->start_watch(
      descriptor, events, [instance, f, data](short seen) { f(instance, data, seen); });
  return instance->keep<penstock_watch>(id);
}

void watch_stop(penstock_watch* watch) {
  if (watch == nullptr) return;
  watch->instance->services->stop_watch(watch->id);
  watch->instance->drop(*watch);
}

int run_blocking(penstock_instance* instance, void (*work)(void*),
                 void (*done)(penstock_instance*, void*), void* data) {
  if (work == nullptr) return PENSTOCK_INVALID;
  std::function<void()> after;
  if (done != nullptr) after = [instance, done, data] { done(instance, data); };
  const bool taken =
      instance->services->run_blocking([work, data] { work(data); }, std::move(after));
  return taken ? PENSTOCK_OK : PENSTOCK_LIMIT;
}

void hand_over(penstock_instance* instance, penstock_subrequest_done done, void* data,
               const SubrequestResult& result) {
  const std::vector<penstock_field> fields = fields_of(result.fields);
  const penstock_subresponse response{.size = sizeof response,
                                      .status = result.status,
                                      .error = str_of(result.error),
                                      .fields = fields.data(),
                                      .field_count = fields.size(),
                                      .content = str_of(result.content)};
  done(instance, data, &response);
}

int subrequest(penstock_instance* instance, const penstock_subrequest* request,
               penstock_subrequest_done done, void* data) {
  // The first version has all that is read here; what later ones add comes behind that.
  constexpr std::size_t kLeastSize =
      offsetof(penstock_subrequest, max_content) + sizeof(penstock_subrequest::max_content);
  if (request == nullptr || done == nullptr) return PENSTOCK_INVALID;
  if (request->size < kLeastSize || request->url.size == 0) return PENSTOCK_INVALID;
  SubrequestJob job;
  job.method = request->method.size > 0 ? text_of(request->method) : "GET";
  job.url = text_of(request->url);
  job.upstream = text_of(request->upstream);
  for (std::size_t i = 0; i < request->field_count; ++i) {
    job.fields.emplace_back(text_of(request->fields[i].name), text_of(request->fields[i].value));
  }
  job.content = text_of(request->content);
  if (request->timeout_ms > 0) job.timeout_ms = request->timeout_ms;
  if (request->max_content > 0) job.max_content = request->max_content;
  const bool taken = instance->services->subrequest(
      std::move(job), [instance, done, data](const SubrequestResult& result) {
        hand_over(instance, done, data, result);
      });
  return taken ? PENSTOCK_OK : PENSTOCK_LIMIT;
}

// -- There is no cache. -----------------------------------------------------------------

int no_cache_ask(penstock_instance* /*instance*/, penstock_str /*url*/,
                 penstock_cache_done /*done*/, void* /*data*/) {
  return PENSTOCK_NO_CACHE;
}
int no_cache_do(penstock_instance* /*instance*/, penstock_str /*url*/) { return PENSTOCK_NO_CACHE; }
int no_cache_pin(penstock_instance* /*instance*/, penstock_str /*url*/, int /*pinned*/) {
  return PENSTOCK_NO_CACHE;
}
int no_cache_inject(penstock_instance* /*instance*/, penstock_str /*url*/, int /*status*/,
                    const penstock_field* /*fields*/, std::size_t /*field_count*/,
                    penstock_injection** /*injection*/) {
  return PENSTOCK_NO_CACHE;
}
int no_cache_inject_body(penstock_injection* /*injection*/, const void* /*bytes*/,
                         std::size_t /*size*/) {
  return PENSTOCK_NO_CACHE;
}
int no_cache_inject_done(penstock_injection* /*injection*/, int /*complete*/) {
  return PENSTOCK_NO_CACHE;
}

}  // namespace

void add_instance_functions(penstock_api& api) {
  api.instance_name = &instance_name;
  api.log = &log;
  api.log_file_open = &log_file_open;
  api.log_file_write = &log_file_write;
  api.metric = &metric;
  api.metric_add = &metric_add;
  api.metric_set = &metric_set;
  api.timer_start = &timer_start;
  api.timer_stop = &timer_stop;
  api.watch_start = &watch_start;
  api.watch_stop = &watch_stop;
  api.run_blocking = &run_blocking;
  api.subrequest = &subrequest;
  api.cache_query = &no_cache_ask;
  api.cache_read = &no_cache_ask;
  api.cache_fetch = &no_cache_ask;
  api.cache_prefetch = &no_cache_do;
  api.cache_validate = &no_cache_ask;
  api.cache_expire = &no_cache_do;
  api.cache_remove = &no_cache_do;
  api.cache_pin = &no_cache_pin;
  api.cache_enumerate = &no_cache_ask;
  api.cache_inject = &no_cache_inject;
  api.cache_inject_body = &no_cache_inject_body;
  api.cache_inject_done = &no_cache_inject_done;
}

}  // namespace penstock
