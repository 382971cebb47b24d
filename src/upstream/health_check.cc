#include "upstream/health_check.h"

#include <algorithm>
#include <string>

#include "async/scope.h"
#include "async/sleep.h"
#include "message/text_body.h"

namespace penstock {
namespace {

// Of an answer's content so much is looked through.
constexpr std::size_t kMaxContent = 64UL * 1024;

bool is_good_status(const CheckSettings& settings, int status) {
  if (settings.status.empty()) return status >= 200 && status < 400;
  return std::ranges::find(settings.status, status) != settings.status.end();
}

Task<bool> content_has(BodySource& body, const std::string& wanted) {
  std::string content;
  while (!body.at_end() && content.size() < kMaxContent) {
    const auto slice = co_await body.next();
    if (!slice) break;
    content += slice->view();
  }
  co_return content.find(wanted) != std::string::npos;
}

Task<bool> ask(Lease& lease, const NextHop& hop, const CheckSettings& settings) {
  RequestHead head;
  head.method_text = settings.method;
  head.method = method_of(settings.method);
  head.target.path_and_query = settings.path;
  head.fields.add(FieldId::host,
                  settings.host.empty() ? hop.host_field() : std::string_view(settings.host));
  head.fields.add(FieldId::user_agent, "Penstock health check");
  TextBody body("");
  IgnoredInformational unheard;
  const ServerRequest request{.head = &head, .body = &body, .framing = {}, .connection = "close"};
  ResponseHead response;
  const auto answered = co_await lease.exchange(request, response, unheard);
  bool good = answered && is_good_status(settings, response.status);
  if (good && !settings.body.empty()) {
    good = co_await content_has(lease.response_body(), settings.body);
  }
  co_await lease.settle(Settlement::close);
  co_return good;
}

Task<void> check(ServerPool& pool, const NextHop& hop, const CheckSettings& settings, bool& good) {
  auto lease = co_await pool.open(hop.endpoint, ConnectionPlace());
  if (!lease) co_return;
  good = settings.kind == CheckKind::tcp || co_await ask(*lease, hop, settings);
}

}  // namespace

Task<bool> check_health(ServerPool& pool, const NextHop& hop, const CheckSettings& settings) {
  bool good = false;
  Scope scope(co_await this_context());
  const CancelAt limit(scope.context(), pool.executor().now() + settings.timeout);
  scope.spawn(check(pool, hop, settings, good));
  co_await scope.join();
  co_return good && !limit.fired();
}

}  // namespace penstock
