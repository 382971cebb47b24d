#include "proxy/error_page.h"

#include <fmt/format.h>

#include "message/status.h"

namespace penstock {
namespace {

bool prefers_html(const RequestHead& request) {
  bool html = false;
  for (const Field& field : request.fields) {
    if (field.id != FieldId::accept) continue;
    for_each_element(field.value, [&html](std::string_view range) {
      const std::string_view type = range.substr(0, range.find(';'));
      html = html || equals_ignoring_case(type, "text/html") ||
             equals_ignoring_case(type, "application/xhtml+xml");
    });
  }
  return html;
}

std::string proxy_status(const Failure& failure, std::string_view pseudonym) {
  std::string value = fmt::format("{}; error={}", pseudonym, failure.error);
  if (failure.token.empty()) return value;
  return value + fmt::format("; details=\"{}{}{}\"", failure.token,
                             failure.section.empty() ? "" : ", ", failure.section);
}

std::string html_page(const Failure& failure, std::string_view reason) {
  const std::string rule =
      failure.section.empty() ? "" : fmt::format("<p>See {}.</p>\n", failure.section);
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0} {1}</title>"
      "</head>\n<body><h1>{0} {1}</h1>\n<p>{2}</p>\n{3}</body></html>\n",
      failure.status, reason, failure.text, rule);
}

std::string text_page(const Failure& failure, std::string_view reason) {
  const std::string rule = failure.section.empty() ? "" : fmt::format("See {}.\n", failure.section);
  return fmt::format("{} {}\n{}\n{}", failure.status, reason, failure.text, rule);
}

}  // namespace

ErrorPage make_error_page(const Failure& failure, const RequestHead& request,
                          std::string_view pseudonym) {
  ErrorPage page;
  ResponseHead& head = page.head;
  head.status = failure.status;
  head.reason = reason_phrase(failure.status);
  const bool html = prefers_html(request);
  page.body = html ? html_page(failure, head.reason) : text_page(failure, head.reason);
  head.fields.add(FieldId::content_type,
                  html ? "text/html; charset=utf-8" : "text/plain; charset=utf-8");
  head.fields.add(FieldId::cache_control, "no-store");
  head.fields.add(FieldId::proxy_status, head.fields.keep(proxy_status(failure, pseudonym)));
  if (failure.status == 405) {
    head.fields.add(FieldId::other, "Allow", kAllowedMethods);
  }
  if (failure.status == 503) head.fields.add(FieldId::retry_after, "1");
  return page;
}

}  // namespace penstock
