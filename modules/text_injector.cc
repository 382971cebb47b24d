// text_injector: inserts a text into HTML pages, while they pass.
//
//   [module.banner]
//   file = "build/release/modules/text_injector.so"
//   config = { text = "<script src=/hello.js></script>", place = "head" }
//
//   [[filter]]
//   module = "banner"
//   at = "server"   # so that compression on the client's side still knows what the client takes
//
// Keys of config:
//   text      what is inserted: HTML in the encoding of the pages
//   place     "body_end" (default): before </body>, or at the end of a page without it;
//             "head": behind <head>; a page without that tag stays as it is
//   types     media types of pages; ["text/html"]
//   identity  true (default): servers are asked not to compress what may be a page. False where a
//             filter before this one decompresses: decompress = {}
//
// Only whole responses (status 200) are changed that are not compressed and may be transformed.
// What looks like a tag in a comment, script or the like is none. Conditions of the filter on
// content_type or status would leave requests out, and with them the question for identity; `types`
// does not. Nothing is kept back but a tag in which a piece of content ends.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "penstock/module.hpp"
#include "penstock/module_html.hpp"

namespace {

class Injector : public penstock::Instance {
 public:
  explicit Injector(const penstock::Config& config)
      : Instance(config),
        text(config.text("text")),
        at_head(config.text("place") == "head"),
        types_(config.texts("types")),
        identity_(config.boolean("identity")) {
    if (!at_head && config.text("place") != "body_end") {
      config.fail("place", "it is \"head\" or \"body_end\"");
    }
  }

  int request_head(penstock::Call& call) override {
    const std::string accept = call.request().list("Accept");
    if (identity_ && call.method() == "GET" && penstock::weight_of_type(accept, "text/html") > 0) {
      call.request().set("Accept-Encoding", "identity");
    }
    return PENSTOCK_CONTINUE;
  }

  // Whether the response is a page that can be changed.
  bool wants(const penstock::Call& call) const {
    return call.status() == 200 && call.is_transformable() &&
           penstock::is_one_of(types_, call.response().media_type());
  }

  const std::string text;
  const bool at_head;

 private:
  const std::vector<std::string> types_;
  const bool identity_;
};

// A page that passes.
class Page : public penstock::Transaction {
 public:
  explicit Page(const Injector& injector) : injector_(injector) {}

  int response_head(penstock::Call& call) override {
    return injector_.wants(call) ? call.changed_response() : PENSTOCK_DONE;
  }

  int response_body(penstock::Call& call, std::string_view piece) override {
    if (!inserted_) return page_.read(call, piece, [this](const auto& tag) { return see(tag); });
    page_.end(call);
    return PENSTOCK_DONE;
  }

  int response_complete(penstock::Call& call) override {
    if (call.method() == "HEAD") return PENSTOCK_CONTINUE;
    page_.end(call);
    if (!inserted_ && !injector_.at_head) call.write(injector_.text);
    return PENSTOCK_CONTINUE;
  }

 private:
  bool see(const penstock::HtmlTag& tag) {
    const bool is_place = injector_.at_head ? tag.name() == "head" && !tag.is_end()
                                            : tag.name() == "body" && tag.is_end();
    if (!is_place || std::exchange(inserted_, true)) return true;
    if (injector_.at_head) {
      page_.insert_behind(injector_.text);
    } else {
      page_.insert_before(injector_.text);
    }
    return true;
  }

  const Injector& injector_;
  penstock::HtmlPage page_;
  bool inserted_ = false;
};

constexpr penstock_setting kSettings[] = {
    penstock::setting("text", PENSTOCK_SETTING_STRING, nullptr, "What is inserted."),
    penstock::setting("place", PENSTOCK_SETTING_STRING, R"("body_end")",
                      R"("head": behind <head>; "body_end": before </body>.)"),
    penstock::setting("types", PENSTOCK_SETTING_STRINGS, R"(["text/html"])", "What is a page."),
    penstock::setting("identity", PENSTOCK_SETTING_BOOLEAN, "true",
                      "Asks servers not to compress what may be a page."),
};
constexpr penstock_module kModule = penstock::module<Injector, Page>(
    "text_injector", "1.0", "Inserts a text into HTML pages.", kSettings);

}  // namespace

PENSTOCK_MODULE(kModule);
