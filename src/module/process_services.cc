#include "module/process_services.h"

#include <utility>
#include <vector>

#include "module/wire.h"

namespace penstock {
namespace {

enum class Service : std::uint8_t { subrequest, metric };

using Fields = std::vector<std::pair<std::string, std::string>>;

void put(WireWriter& out, const Fields& fields) {
  out.put(static_cast<std::uint32_t>(fields.size()));
  for (const auto& [name, value] : fields) out.put_text(name).put_text(value);
}

Fields take_fields(WireReader& in) {
  Fields fields;
  const auto count = in.take<std::uint32_t>();
  for (std::uint32_t i = 0; in.good() && i < count; ++i) {
    std::string name(in.take_text());
    fields.emplace_back(std::move(name), in.take_text());
  }
  return fields;
}

std::string result_message(std::uint64_t id, const SubrequestResult& result) {
  WireWriter out;
  out.put(WireKind::service_result).put(id).put(static_cast<std::int32_t>(result.status));
  out.put_text(result.error);
  put(out, result.fields);
  // One message has to hold it.
  const bool fits = out.bytes().size() + result.content.size() < kMaxChannelMessage - 64;
  if (fits) return out.put_text(result.content).take();
  SubrequestResult large;
  large.error = "too_large";
  return result_message(id, large);
}

}  // namespace

void ProxyLink::start(const void* owner, SubrequestJob job, Done done) {
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    id = ++last_id_;
    under_way_.emplace(id, UnderWay{owner, std::move(done)});
  }
  WireWriter out;
  out.put(WireKind::service).put(Service::subrequest).put(id);
  out.put_text(job.method).put_text(job.url).put_text(job.upstream);
  put(out, job.fields);
  out.put(job.timeout_ms).put(job.max_content).put_text(job.content);
  if (path_->send(Payload(out.take()))) return;
  // As if the proxy had said so.
  SubrequestResult failed;
  failed.error = "unavailable";
  on_message(result_message(id, failed));
}

// The proxy goes on with them; nobody hears of that any more.
void ProxyLink::cancel(const void* owner) {
  std::vector<Done> ended;
  {
    const std::lock_guard lock(mutex_);
    for (auto at = under_way_.begin(); at != under_way_.end();) {
      if (at->second.owner != owner) {
        ++at;
        continue;
      }
      ended.push_back(std::move(at->second.done));
      at = under_way_.erase(at);
    }
  }
  for (Done& done : ended) {
    gate_->call([done = std::move(done)] {
      SubrequestResult result;
      result.error = "cancelled";
      done(std::move(result));
    });
  }
}

void ProxyLink::on_message(std::string_view bytes) {
  WireReader in(bytes);
  if (in.take<WireKind>() != WireKind::service_result) return;
  const auto id = in.take<std::uint64_t>();
  SubrequestResult result;
  result.status = in.take<std::int32_t>();
  result.error = in.take_text();
  result.fields = take_fields(in);
  result.content = in.take_text();
  Done done;
  {
    const std::lock_guard lock(mutex_);
    const auto node = under_way_.extract(id);
    if (!node || !in.good()) return;
    done = std::move(node.mapped().done);
  }
  gate_->call([done = std::move(done), result = std::move(result)] { done(result); });
}

void ProxyLink::tell_metrics(const ModuleMetrics& metrics) {
  metrics.visit([this](std::string_view name, std::string_view help, const ModuleMetric& metric) {
    const std::int64_t value = metric.value();
    const bool gauge = metric.is_gauge();
    const auto [at, is_new] = told_.try_emplace(std::string(name), 0);
    std::int64_t& told = at->second;
    if (value == told && !is_new) return;
    WireWriter out;
    out.put(WireKind::service).put(Service::metric).put_text(name).put_text(help);
    out.put(static_cast<std::uint8_t>(gauge ? 1 : 0)).put(gauge ? value : value - told);
    if (path_->send(Payload(out.take()))) told = value;
  });
}

HelperRequests::HelperRequests(ModuleServices& services, std::shared_ptr<WorkerGate> gate,
                               Send send)
    : services_(&services), gate_(std::move(gate)), send_(std::move(send)) {}

void HelperRequests::begin_subrequest(std::uint64_t id, SubrequestJob job) {
  // Called on a thread of the services', and when this may have gone.
  const auto answer = [this, id, gate = gate_, alive = alive_](const SubrequestResult& result) {
    gate->call([this, alive, message = result_message(id, result)] {
      if (*alive) send_(message);
    });
  };
  if (services_->subrequest(std::move(job), answer)) return;
  SubrequestResult refused;
  refused.error = "limit";
  answer(refused);
}

void HelperRequests::on_message(std::string_view bytes) {
  WireReader in(bytes);
  if (in.take<WireKind>() != WireKind::service) return;
  if (in.take<Service>() == Service::subrequest) {
    const auto id = in.take<std::uint64_t>();
    SubrequestJob job;
    job.method = in.take_text();
    job.url = in.take_text();
    job.upstream = in.take_text();
    job.fields = take_fields(in);
    job.timeout_ms = in.take<std::uint64_t>();
    job.max_content = in.take<std::uint64_t>();
    job.content = in.take_text();
    if (in.good()) begin_subrequest(id, std::move(job));
    return;
  }
  const std::string_view name = in.take_text();
  const std::string_view help = in.take_text();
  const bool gauge = in.take<std::uint8_t>() != 0;
  const auto value = in.take<std::int64_t>();
  if (!in.good()) return;
  const std::uint64_t metric = services_->metric(name, help);
  if (metric == 0) return;
  if (gauge) {
    services_->set_metric(metric, value);
  } else {
    services_->add_to_metric(metric, value);
  }
}

}  // namespace penstock
