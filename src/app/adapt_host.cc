#include "app/adapt_host.h"

#include <algorithm>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "adapt/answer_filter.h"
#include "adapt/compress_filter.h"
#include "adapt/cookies_filter.h"
#include "adapt/decompress_filter.h"
#include "adapt/fields_filter.h"
#include "adapt/privacy_filter.h"
#include "adapt/redirect_filter.h"
#include "adapt/rewrite_filter.h"
#include "adapt/substitute_filter.h"
#include "app/icap_host.h"
#include "base/check.h"
#include "config/load.h"
#include "icap/filter.h"
#include "module/inline_caller.h"
#include "module/module_filter.h"
#include "module/remote_caller.h"

namespace penstock {
namespace {

std::vector<config::Diagnostic> diagnostics_of(const std::vector<ModuleProblem>& problems,
                                               const std::string& path) {
  std::vector<config::Finding> found;
  for (const ModuleProblem& problem : problems) {
    found.push_back({.place = {.line = static_cast<unsigned>(problem.line),
                               .column = static_cast<unsigned>(problem.column)},
                     .message = problem.text});
  }
  return config::diagnose(path, found);
}

// Makes the filter that does the work.
class FilterMaker {
 public:
  // `callers`: of the instances that filters before have used; in their order.
  using Callers = std::vector<std::shared_ptr<ModuleCaller>>;
  FilterMaker(const AdaptGeneration& generation, const FilterWorker& worker, Callers& callers,
              const FilterSettings& settings)
      : generation_(generation), worker_(worker), callers_(callers), settings_(settings) {}

  std::unique_ptr<Filter> operator()(const ModuleFilterSettings& work) const {
    const auto& modules = generation_.snapshot->modules.modules;
    const auto at = std::ranges::find(modules, work.module, &ModuleSettings::name);
    const auto index = static_cast<std::size_t>(at - modules.begin());
    if (!callers_[index]) callers_[index] = caller(generation_.instances[index], *at);
    return std::make_unique<ModuleFilter>(callers_[index], settings_.at);
  }

  std::unique_ptr<Filter> operator()(const IcapFilterSettings& work) const {
    std::vector<icap::Service*> services;
    for (const std::string& name : work.services) {
      icap::Service* const service = worker_.icap->find(name);
      PENSTOCK_CHECK(service != nullptr);
      services.push_back(service);
    }
    const icap::IcapFilterPlan plan{
        .side = settings_.at,
        .bypasses = settings_.on_failure != FailurePolicy::closed,
        .directory = work.next_services ? worker_.icap : nullptr,
    };
    return std::make_unique<icap::IcapFilter>(std::move(services), plan);
  }

  std::unique_ptr<Filter> operator()(const FieldsFilterSettings& work) const {
    return std::make_unique<FieldsFilter>(work, settings_.at);
  }
  std::unique_ptr<Filter> operator()(const AnswerFilterSettings& work) const {
    return std::make_unique<AnswerFilter>(work, settings_.at, settings_.conditions);
  }

  std::unique_ptr<Filter> operator()(const CompressFilterSettings& work) const {
    return std::make_unique<CompressFilter>(work, settings_.at);
  }
  std::unique_ptr<Filter> operator()(const DecompressFilterSettings& work) const {
    return std::make_unique<DecompressFilter>(work, settings_.at);
  }
  std::unique_ptr<Filter> operator()(const SubstituteFilterSettings& work) const {
    return std::make_unique<SubstituteFilter>(work, settings_.at);
  }
  std::unique_ptr<Filter> operator()(const RewriteFilterSettings& work) const {
    return std::make_unique<RewriteFilter>(work, settings_.at);
  }
  std::unique_ptr<Filter> operator()(const RedirectFilterSettings& work) const {
    return std::make_unique<RedirectFilter>(work, settings_.at);
  }
  std::unique_ptr<Filter> operator()(const CookiesFilterSettings& work) const {
    return std::make_unique<CookiesFilter>(work, settings_.at);
  }
  std::unique_ptr<Filter> operator()(const PrivacyFilterSettings& work) const {
    return std::make_unique<PrivacyFilter>(work, settings_.at);
  }

 private:
  [[nodiscard]] std::unique_ptr<ModuleCaller> caller(
      const std::shared_ptr<ModuleInstance>& instance, const ModuleSettings& settings) const {
    if (!instance->helpers) {
      return std::make_unique<InlineCaller>(instance, settings.hold_limit, worker_.gate,
                                            worker_.slot);
    }
    auto channel = instance->helpers->channel(worker_.number, *worker_.network, *worker_.loop);
    auto caller = std::make_unique<RemoteCaller>(instance, settings.hold_limit, worker_.number,
                                                 worker_.gate, std::move(channel));
    if (settings.isolation == Isolation::process) caller->serve_helper();
    return caller;
  }

  const AdaptGeneration& generation_;
  const FilterWorker& worker_;
  Callers& callers_;
  const FilterSettings& settings_;
};

}  // namespace

std::shared_ptr<FilterSet> make_filter_set(const std::shared_ptr<const AdaptGeneration>& generation,
                                           const FilterWorker& worker) {
  std::vector<FilterPlace> places;
  FilterMaker::Callers callers(generation->instances.size());
  for (const FilterSettings& settings : generation->snapshot->adapt.filters) {
    auto filter = std::visit(FilterMaker(*generation, worker, callers, settings), settings.work);
    places.push_back({.filter = std::move(filter), .settings = &settings});
  }
  if (places.empty()) return nullptr;
  auto set = std::make_shared<FilterSet>(generation, std::move(places), worker.number,
                                         *worker.executor, worker.log);
  set->continue_after(worker.last_id);
  return set;
}

std::expected<std::shared_ptr<const AdaptGeneration>, std::vector<config::Diagnostic>>
AdaptHost::make(const std::shared_ptr<const Snapshot>& snapshot, const std::string& path) {
  MadeInstances made = make_instances(snapshot->modules, loader_, reaper_, services_);
  if (!made.problems.empty()) return std::unexpected(diagnostics_of(made.problems, path));
  for (std::size_t i = 0; i < made.instances.size(); ++i) {
    const ModuleSettings& settings = snapshot->modules.modules[i];
    if (settings.isolation != Isolation::process) continue;
    made.instances[i]->helpers = make_helper_process(settings, workers_, *log_);
    if (made.instances[i]->helpers) {
      in_processes_.push_back(made.instances[i]);
      continue;
    }
    const std::string text = fmt::format(
        "[module.{}]: its helper process does not begin; the log says why", settings.name);
    made.problems.push_back({settings.line, settings.column, text});
  }
  if (!made.problems.empty()) return std::unexpected(diagnostics_of(made.problems, path));
  return std::make_shared<const AdaptGeneration>(
      AdaptGeneration{.snapshot = snapshot, .instances = std::move(made.instances)});
}

void AdaptHost::reopen_log_files() {
  std::erase_if(in_processes_, [](const auto& instance) { return instance.expired(); });
  for (const auto& instance : in_processes_) {
    if (const auto running = instance.lock()) running->helpers->reopen_log_files();
  }
}

}  // namespace penstock
