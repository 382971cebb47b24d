#include "app/fetch_request.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "app/version.h"
#include "base/text.h"
#include "message/fields.h"

namespace penstock {
namespace {

bool asks_for_get(std::string_view method, int status) {
  if (status == 303) return method != "GET" && method != "HEAD";
  return (status == 301 || status == 302) && method == "POST";
}

bool is_about_content(const FetchField& field) {
  return to_lower(field.name).starts_with("content-") || field_id(field.name) == FieldId::expect;
}

bool is_for_one_origin(const FetchField& field) {
  const FieldId id = field_id(field.name);
  return id == FieldId::authorization || id == FieldId::cookie || id == FieldId::host;
}

}  // namespace

FetchRequest first_request(const FetchCommand& command, const Url& url) {
  return {.url = url,
          .method = command.method,
          .fields = command.fields,
          .has_body = command.has_body()};
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::expected<FetchRequest, std::string> redirected(const FetchRequest& request, int status,
                                                    std::string_view location) {
  auto url = resolve_reference(request.url, location);
  if (!url) {
    return std::unexpected(fmt::format("a redirect to \"{}\": {}", location, url.error()));
  }
  FetchRequest next{.url = std::move(*url),
                    .method = request.method,
                    .fields = request.fields,
                    .has_body = request.has_body};
  if (asks_for_get(request.method, status)) {
    next.method = "GET";
    next.has_body = false;
    std::erase_if(next.fields, is_about_content);
  }
  if (next.url.origin() != request.url.origin()) std::erase_if(next.fields, is_for_one_origin);
  return next;
}

void fill_head(const FetchRequest& request, const FetchCommand& command, RequestHead& head) {
  FieldSection& fields = head.fields;
  const Url& url = request.url;
  head.method = method_of(request.method);
  head.method_text = request.method;
  head.target = {.form = TargetForm::absolute,
                 .scheme = url.scheme(),
                 .authority = fields.keep(url.authority()),
                 .host = {.host = url.host, .port = url.port},
                 .path_and_query = url.path};
  fields.add(FieldId::host, head.target.authority);
  fields.add(FieldId::user_agent, fields.keep(fmt::format("penstock/{}", version())));
  fields.add(FieldId::accept, "*/*");
  if (request.has_body && command.data) {
    fields.add(FieldId::content_type, "application/x-www-form-urlencoded");
  }
  for (const FetchField& field : request.fields) {
    const FieldId id = field_id(field.name);
    const bool ours = id == FieldId::host || id == FieldId::user_agent || id == FieldId::accept ||
                      id == FieldId::content_type;
    if (field.value.empty()) {
      if (id != FieldId::host) fields.remove(field.name);
    } else if (ours) {
      fields.set(field_name(id), field.value);
    } else {
      fields.add(id, field.name, field.value);
    }
  }
}

}  // namespace penstock
