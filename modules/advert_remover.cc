// advert_remover: takes elements out of HTML pages while they pass, and answers requests for
// advertisements itself.
//
//   [module.adverts]
//   file = "build/release/modules/advert_remover.so"
//   [module.adverts.config]
//   block = ["ads.example.com/*", "*.tracker.example/*", "*/banners/*"]
//   [[module.adverts.config.remove]]
//   tag = "div"
//   mark = "advert"
//   [[module.adverts.config.remove]]
//   tag = "iframe"
//   source = "*//ads.example.com/*"
//
//   [[filter]]
//   module = "adverts"
//   at = "server"   # so that compression on the client's side still knows what the client takes
//
// Keys of config:
//   block     patterns of "host/path?query", "*" for any text: these requests are answered with an
//             empty image where an image is wanted, else with 204. Hosts in lower case, and without
//             a port: all of them are meant. Of what clients ask for by https only the host is
//             known, and the path is "/": "ads.example.com/*" refuses the tunnel (403)
//   remove    tables, each with one or more of
//     tag     name of the element; any where it is left out
//     mark    a part of its class or id
//     source  a pattern, "*" for any text, of its src, data or href
//   identity  true (default): servers are asked not to compress what may be a page; without that,
//             put decompress = {} before this filter
//
// An element goes with all that is in it, up to its end tag; one without an end tag goes up to the
// end of the body. Scripts and comments are not looked into. A start tag of more than 16 KiB stays.
// Only whole pages (status 200, text/html) are changed that are not compressed and may be
// transformed.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/module.hpp"
#include "penstock/module_html.hpp"

namespace {

using View = std::string_view;
// A transparent point.
constexpr View kImage(
    "GIF89a\1\0\1\0\x80\0\0\0\0\0\0\0\0!\xf9\4\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;", 43);

// What `block` is about.
std::string place_of(const penstock::Call& call) {
  std::string host = penstock::lower(penstock::split_authority(call.host()).host);
  if (!host.empty() && host.back() == '.') host.pop_back();  // the same name
  return host.append(call.path().substr(0, 1) == "/" ? call.path() : "/");
}

struct Rule {
  std::string tag, mark, source;

  bool takes(const penstock::HtmlTag& element) const {
    if (!tag.empty() && element.name() != tag) return false;
    bool marked = mark.empty(), sourced = source.empty();
    for (const auto& [name, value] : element.attributes()) {
      const bool is_source = name == "src" || name == "data" || name == "href";
      if (is_source && penstock::matches(source, value)) sourced = true;
      if (name != "class" && name != "id") continue;
      if (penstock::lower(value).find(mark) != View::npos) marked = true;
    }
    return marked && sourced;
  }
};

class Remover : public penstock::Instance {
 public:
  explicit Remover(const penstock::Config& config)
      : Instance(config),
        removed(metric("adverts_removed_total", "Elements that were taken out of pages.")),
        block_(config.texts("block")),
        identity_(config.boolean("identity")),
        blocked_(metric("adverts_blocked_total", "Requests that were answered with nothing.")) {
    for (const penstock::Config& table : config.tables("remove")) {
      rules.push_back({penstock::lower(table.text("tag")), penstock::lower(table.text("mark")),
                       table.text("source")});
      const Rule& rule = rules.back();
      if (rule.tag.empty() && rule.mark.empty() && rule.source.empty()) {
        table.fail("tag", "one of tag, mark and source must be given");
      }
    }
  }

  int request_head(penstock::Call& call) override {
    const std::string accept = penstock::lower(call.request().list("Accept"));
    if (penstock::matches_any(block_, place_of(call))) {
      blocked_.add();
      if (call.method() == "CONNECT") return call.answer(403);
      const bool image = penstock::starts_with(accept, "image/") ||
                         call.request().get("Sec-Fetch-Dest").value_or("") == "image";
      return image ? call.answer(200, kImage, "image/gif") : call.answer(204);
    }
    if (identity_ && !rules.empty() && call.method() == "GET" &&
        penstock::weight_of_type(accept, "text/html") > 0) {
      call.request().set("Accept-Encoding", "identity");
    }
    return PENSTOCK_CONTINUE;
  }

  std::vector<Rule> rules;
  const penstock::Metric removed;

 private:
  const std::vector<std::string> block_;
  const bool identity_;
  const penstock::Metric blocked_;
};

// A page that passes.
class Page : public penstock::Transaction {
 public:
  explicit Page(const Remover& remover) : remover_(remover) {}

  int response_head(penstock::Call& call) override {
    const bool wanted = call.response().media_type() == "text/html" && call.status() == 200 &&
                        call.is_transformable() && !remover_.rules.empty();
    return wanted ? call.changed_response() : PENSTOCK_DONE;
  }

  int response_body(penstock::Call& call, View piece) override {
    return page_.read(call, piece, [this](const penstock::HtmlTag& tag) { return stays(tag); });
  }

  int response_complete(penstock::Call& call) override { return page_.end(call); }

 private:
  bool stays(const penstock::HtmlTag& tag) {
    if (!hidden_.empty()) {
      const bool is_last = tag.is_end() && (tag.name() == "body" || tag.name() == "html");
      if (tag.name() == hidden_) depth_ += tag.is_end() ? -1 : 1;
      if (is_last || depth_ == 0) show();
      return is_last;
    }
    const auto& rules = remover_.rules;
    const bool taken =
        !tag.is_end() && !tag.name().empty() &&
        std::any_of(rules.begin(), rules.end(), [&](const Rule& rule) { return rule.takes(tag); });
    if (!taken) return true;
    remover_.removed.add();
    if (tag.is_void()) return false;
    hidden_ = tag.name();
    depth_ = 1;
    page_.hide(true);
    return false;
  }

  void show() {
    hidden_.clear();
    page_.hide(false);
  }

  const Remover& remover_;
  penstock::HtmlPage page_;
  std::string hidden_;  // "div": the element that is being left out
  int depth_ = 0;       // of elements of that name in it
};

constexpr penstock_setting kRule[] = {
    penstock::setting("tag", PENSTOCK_SETTING_STRING, R"("")", "Name of the element."),
    penstock::setting("mark", PENSTOCK_SETTING_STRING, R"("")", "A part of its class or id."),
    penstock::setting("source", PENSTOCK_SETTING_STRING, R"("")", "A pattern of its src."),
};
constexpr penstock_setting kSettings[] = {
    penstock::setting("block", PENSTOCK_SETTING_STRINGS, "[]", "Patterns of requests to answer."),
    penstock::setting_tables("remove", "[]", "Elements to take out.", kRule),
    penstock::setting("identity", PENSTOCK_SETTING_BOOLEAN, "true",
                      "Asks servers not to compress what may be a page."),
};
constexpr penstock_module kModule = penstock::module<Remover, Page>(
    "advert_remover", "1.0", "Takes advertisements out of pages, and answers for them.", kSettings);

}  // namespace

PENSTOCK_MODULE(kModule);
