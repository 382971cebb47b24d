#include "adapt/retarget.h"

#include <algorithm>

#include "message/characters.h"
#include "message/target.h"

namespace penstock {
namespace {

bool has_parts(const RequestHead& head) {
  return head.target.form == TargetForm::origin || head.target.form == TargetForm::absolute;
}

}  // namespace

bool is_path(std::string_view path_and_query) {
  if (!path_and_query.starts_with('/')) return false;
  const auto parsed = parse_target("GET", path_and_query);
  return parsed && parsed->form == TargetForm::origin;
}

bool is_authority(std::string_view authority) { return parse_authority(authority).has_value(); }

bool can_become(std::string_view method, std::string_view wanted) {
  if (wanted.empty() || !std::ranges::all_of(wanted, is_token_char)) return false;
  const auto is_bound = [](std::string_view one) { return one == "CONNECT" || one == "HEAD"; };
  return method == wanted || (!is_bound(method) && !is_bound(wanted));
}

bool set_path(RequestHead& head, std::string_view path_and_query) {
  if (!has_parts(head) || !is_path(path_and_query)) return false;
  head.target.path_and_query = head.fields.keep(path_and_query);
  head.target.needs_slash = false;
  return true;
}

bool set_authority(RequestHead& head, std::string_view authority) {
  if (!has_parts(head) || !is_authority(authority)) return false;
  const std::string_view kept = head.fields.keep(authority);
  head.fields.set(FieldId::host, kept);
  if (head.target.form == TargetForm::origin) return true;
  head.target.authority = kept;
  head.target.host = *parse_authority(kept);
  return true;
}

bool set_method(RequestHead& head, std::string_view method) {
  if (!can_become(head.method_text, method)) return false;
  head.method_text = head.fields.keep(method);
  head.method = method_of(method);
  return true;
}

std::string_view host_of(const RequestHead& head) {
  if (!head.target.authority.empty()) return head.target.host.host;
  const auto authority = parse_authority(head.fields.value(FieldId::host));
  return authority ? authority->host : std::string_view();
}

std::string_view path_of(const RequestHead& head) {
  const Target& target = head.target;
  if (target.needs_slash || target.path_and_query.empty()) return "/";
  return target.path_and_query;
}

std::string url_of(const RequestHead& head, bool secure) {
  const Target& target = head.target;
  if (target.form == TargetForm::authority) return std::string(target.authority);
  std::string url(!target.scheme.empty() ? target.scheme : secure ? "https" : "http");
  url += "://";
  url += target.authority.empty() ? head.fields.value(FieldId::host) : target.authority;
  if (target.needs_slash || target.path_and_query.empty()) url += '/';
  if (target.path_and_query != "*") url += target.path_and_query;
  return url;
}

}  // namespace penstock
