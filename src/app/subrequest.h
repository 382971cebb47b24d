// Requests that modules make themselves, on the server side of one worker.
#pragma once

#include <string>

#include "async/scope.h"
#include "async/task.h"
#include "base/intrusive_list.h"
#include "module/subrequest_runner.h"
#include "upstream/server_side.h"

namespace penstock {

// Each request is delivered as a transaction's would be: retries, logins and limits of the group or
// target are the configuration's. What differs: no redirect is followed; the module's fields of
// this hop (RFC 9110 section 7.6.1), Content-Length and Expect are left out; Via names this proxy,
// so that a request that comes back to it is refused as a loop (508); nothing else is added but
// Host, where the module gives none. Addresses that a forward proxy may not reach are not kept from
// it.
//
// The result has a status, or an error:
// - invalid_url, invalid_method, invalid_field: cannot be sent (a URL with a login, CONNECT, a line
//   break in a field)
// - no_such_upstream, tls_unavailable: there is no such group, no TLS to targets
// - timed_out, cancelled: the time for all of it is over; the instance or the worker ends
// - too_large: the content is more than was to be kept
// - http_response_incomplete: the content was cut
// - or what Proxy-Status would say (RFC 9209 section 2.3): dns_error, connection_refused ...
// Fields of the response are those that are not of this hop only; interim responses and trailers
// are left out.
//
// Belongs to the worker's thread.
class Subrequests final : public SubrequestRunner {
 public:
  // `servers` must outlive it. `pseudonym`: this proxy's name in Via.
  Subrequests(ServerSide& servers, std::string pseudonym);
  // stop() must have been awaited, if anything was started.
  ~Subrequests() = default;
  Subrequests(const Subrequests&) = delete;
  Subrequests& operator=(const Subrequests&) = delete;

  void start(const void* owner, SubrequestJob job, Done done) override;
  void cancel(const void* owner) override;
  // Ends all that is under way, with "cancelled"; their `done` has been called when this returns.
  // What is started later fails so at once, from inside start().
  Task<void> stop();

 private:
  struct UnderWay;
  static Task<void> run(Subrequests& self, const void* owner, SubrequestJob job, Done done);

  ServerSide& servers_;
  const std::string pseudonym_;
  IntrusiveList<UnderWay> under_way_;
  Scope scope_;
};

}  // namespace penstock
