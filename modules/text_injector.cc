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
// does not. Nothing is kept back but the first bytes of a tag in which a piece of content ends.
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "penstock/module.hpp"

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  return out;
}

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
    const std::string accept = lower(call.request().list("Accept"));
    const bool may_be_page = accept.empty() || accept.find("text/html") != std::string::npos ||
                             accept.find("*/*") != std::string::npos;
    if (identity_ && may_be_page && call.method() == "GET") {
      call.request().set("Accept-Encoding", "identity");
    }
    return PENSTOCK_CONTINUE;
  }

  // Whether the response is a page that can be changed.
  bool wants(const penstock::Call& call) const {
    const std::string_view type = call.response().get("Content-Type").value_or("");
    const std::string bare = lower(type.substr(0, type.find_first_of("; \t")));
    const std::string coding = lower(call.response().list("Content-Encoding"));
    return call.status() == 200 && call.number(PENSTOCK_NO_TRANSFORM, 0) == 0 &&
           (coding.empty() || coding == "identity") &&
           std::find(types_.begin(), types_.end(), bare) != types_.end();
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
    if (inserted_) return PENSTOCK_DONE;
    const std::string kept = std::exchange(kept_, {});  // comes before the piece
    const std::size_t end = kept.size() + piece.size();
    const auto at = [&](std::size_t i) {
      return i < kept.size() ? kept[i] : piece[i - kept.size()];
    };
    const auto emit = [&](std::size_t from, std::size_t to) {
      const std::size_t middle = std::clamp(kept.size(), from, to);
      if (from < middle) call.write(std::string_view(kept).substr(from, middle - from));
      if (middle < to) call.pass(middle - kept.size(), to - middle);
    };

    std::size_t i = 0;
    for (; i < end && !inserted_; ++i) {
      std::size_t place = std::string::npos;
      if (in_ != In::text) {
        if (step(at(i)) && std::exchange(is_place_, false)) place = i + 1;
      } else if (at(i) == '<') {
        std::string word;
        for (std::size_t j = i;
             j < end && word.size() < kLongest && (j <= i + 1 || !ends(at(j)));) {
          word += at(j++);
        }
        if (i + word.size() == end && word.size() < kLongest) break;  // more of it comes
        if (begin(lower(word)) && !injector_.at_head) place = i;
      }
      if (place == std::string::npos) continue;
      emit(0, place);
      call.write(injector_.text);
      emit(place, end);
      inserted_ = true;
    }
    if (inserted_) return PENSTOCK_CHANGED;
    emit(0, i);
    for (; i < end; ++i) kept_ += at(i);
    return PENSTOCK_CHANGED;
  }

  int response_complete(penstock::Call& call) override {
    if (call.method() == "HEAD") return PENSTOCK_CONTINUE;
    call.write(kept_);
    if (!inserted_ && !injector_.at_head) call.write(injector_.text);
    return PENSTOCK_CONTINUE;
  }

 private:
  enum class In { text, tag, comment };
  static constexpr std::size_t kLongest = 11;  // one more than "</textarea"

  static bool ends(char c) { return std::string_view(" \t\r\n\f/>").find(c) != std::string::npos; }

  // A "<" with what follows it. True: it is the tag that is looked for.
  bool begin(const std::string& word) {
    const std::size_t letter = word.find_first_of("abcdefghijklmnopqrstuvwxyz!");
    const bool is_tag = letter == 1 || (letter == 2 && word[1] == '/');
    if (raw_.empty() ? !is_tag : word != raw_) return false;
    dashes_ = 0;
    quote_ = 0;
    in_ = word.compare(0, 4, "<!--") == 0 ? In::comment : In::tag;
    const bool is_raw =
        word == "<script" || word == "<style" || word == "<textarea" || word == "<title";
    raw_ = is_raw ? "</" + word.substr(1) : "";
    is_place_ = injector_.at_head && word == "<head";
    return word == "</body" || is_place_;
  }

  // A byte of a tag or comment, its "<" left out. True: it is the last one.
  bool step(char c) {
    if (in_ == In::tag && quote_ != 0) {
      if (c == quote_) quote_ = 0;
    } else if (in_ == In::tag && (c == '"' || c == '\'')) {
      quote_ = c;
    } else if (c == '>' && (in_ == In::tag || dashes_ >= 2)) {
      in_ = In::text;
      return true;
    }
    dashes_ = c == '-' ? dashes_ + 1 : 0;
    return false;
  }

  const Injector& injector_;
  In in_ = In::text;
  std::string kept_;  // what may be the beginning of a tag
  std::string raw_;   // the end of the present script or the like
  char quote_ = 0;
  int dashes_ = 0;         // of "-->"
  bool is_place_ = false;  // the text comes behind the present tag
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
