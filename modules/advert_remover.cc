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

namespace {

using View = std::string_view;
constexpr std::size_t kLongestTag = 16384;
constexpr View kBlank = " \t\r\n\f";
// A transparent point.
constexpr View kImage(
    "GIF89a\1\0\1\0\x80\0\0\0\0\0\0\0\0!\xf9\4\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;", 43);

std::string lower(View text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  return out;
}

// Whether the text is what the pattern says.
bool matches(View pattern, View text) {
  std::size_t p = 0, t = 0, star = View::npos, from = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      from = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p, ++t;
    } else if (star != View::npos) {
      p = star + 1;
      t = ++from;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == View::npos;
}

// "<div" or "</div", in lower case, of a whole tag; empty where it is none.
std::string name_of(View tag) {
  const std::size_t letter = tag.size() > 1 && tag[1] == '/' ? 2 : 1;
  const bool is_name = tag.size() > letter && lower(tag.substr(letter, 1)) >= "a" &&
                       lower(tag.substr(letter, 1)) <= "z";
  return is_name ? lower(tag.substr(0, tag.find_first_of(" \t\r\n\f/>", letter))) : "";
}

// Calls f with the name and value of each attribute of a start tag.
template <class F>
void for_attributes(View tag, const F& f) {
  std::size_t at = std::min(tag.find_first_of(" \t\r\n\f/>", 1), tag.size());
  while ((at = tag.find_first_not_of(" \t\r\n\f/>", at)) != View::npos) {
    const std::size_t name_end = std::min(tag.find_first_of(" \t\r\n\f/>=", at + 1), tag.size());
    const std::string name = lower(tag.substr(at, name_end - at));
    at = std::min(tag.find_first_not_of(kBlank, name_end), tag.size());
    if (at == tag.size() || tag[at] != '=') {
      f(name, View());
      continue;
    }
    at = std::min(tag.find_first_not_of(kBlank, at + 1), tag.size());
    const bool quoted = at < tag.size() && (tag[at] == '"' || tag[at] == '\'');
    const View ends = quoted ? tag.substr(at++, 1) : View(" \t\r\n\f>");
    const std::size_t end = std::min(tag.find_first_of(ends, at), tag.size());
    f(name, tag.substr(at, end - at));
    at = std::min(end + (quoted ? 1 : 0), tag.size());
  }
}

// What `block` is about.
std::string place_of(const penstock::Call& call) {
  std::string host = lower(call.host());
  const std::size_t colon = host.rfind(':');
  if (colon != View::npos && host.find(']', colon) == View::npos) host.resize(colon);
  if (!host.empty() && host.back() == '.') host.pop_back();  // the same name
  return host.append(call.path().substr(0, 1) == "/" ? call.path() : "/");
}

struct Rule {
  std::string tag, mark, source;

  bool takes(View element) const {
    if (!tag.empty() && name_of(element) != "<" + tag) return false;
    bool marked = mark.empty(), sourced = source.empty();
    for_attributes(element, [&](const std::string& name, View value) {
      if (name == "class" || name == "id") marked |= lower(value).find(mark) != View::npos;
      if (name == "src" || name == "data" || name == "href") sourced |= matches(source, value);
    });
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
      rules.push_back({lower(table.text("tag")), lower(table.text("mark")), table.text("source")});
      const Rule& rule = rules.back();
      if (rule.tag.empty() && rule.mark.empty() && rule.source.empty()) {
        table.fail("tag", "one of tag, mark and source must be given");
      }
    }
  }

  int request_head(penstock::Call& call) override {
    const std::string place = place_of(call);
    const auto meant = [&](const std::string& pattern) { return matches(pattern, place); };
    const std::string accept = lower(call.request().list("Accept"));
    if (std::any_of(block_.begin(), block_.end(), meant)) {
      blocked_.add();
      if (call.method() == "CONNECT") return call.answer(403);
      const bool image = accept.compare(0, 6, "image/") == 0 ||
                         call.request().get("Sec-Fetch-Dest").value_or("") == "image";
      return image ? call.answer(200, kImage, "image/gif") : call.answer(204);
    }
    const bool may_be_page = accept.empty() || accept.find("text/html") != std::string::npos ||
                             accept.find("*/*") != std::string::npos;
    if (identity_ && !rules.empty() && may_be_page && call.method() == "GET") {
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
    const std::string type = lower(call.response().get("Content-Type").value_or(""));
    const std::string coding = lower(call.response().list("Content-Encoding"));
    const bool wanted = type.substr(0, type.find_first_of("; \t")) == "text/html" &&
                        (coding.empty() || coding == "identity") && call.status() == 200 &&
                        call.number(PENSTOCK_NO_TRANSFORM, 0) == 0 && !remover_.rules.empty();
    return wanted ? call.changed_response() : PENSTOCK_DONE;
  }

  int response_body(penstock::Call& call, View piece) override {
    begin_ = 0;
    tag_at_ = kBefore;
    for (std::size_t i = 0; i < piece.size(); ++i) {
      const char c = piece[i];
      if (in_comment_) {
        in_comment_ = c != '>' || dashes_ < 2;
        dashes_ = c == '-' ? dashes_ + 1 : 0;
        continue;
      }
      if (!tag_.empty() && !fits(c)) keep(call, i);  // it was none
      if (!tag_.empty() || c == '<') add(call, c, i);
    }
    pass(call, tag_.empty() ? piece.size() : tag_begin());
    return PENSTOCK_CHANGED;
  }

  int response_complete(penstock::Call& call) override {
    if (hidden_.empty() && !tag_.empty()) call.write(tag_);
    return PENSTOCK_CONTINUE;
  }

 private:
  static constexpr std::size_t kBefore = View::npos;

  // Whether the byte can belong to the tag. In a script or the like, only its end is one.
  bool fits(char c) const {
    const std::string next = lower(View(&c, 1));
    const std::size_t size = tag_.size();
    if (size < raw_.size()) return next[0] == raw_[size];
    if (!raw_.empty() && size == raw_.size()) return View(" \t\r\n\f/>").find(c) != View::npos;
    return size == 1 ? next[0] == '/' || next[0] == '!' || (next >= "a" && next <= "z")
                     : size < kLongestTag;
  }

  // The byte with the number i is one of a tag.
  void add(const penstock::Call& call, char c, std::size_t i) {
    if (tag_.empty()) {
      tag_at_ = i;
      quote_ = 0;
    }
    tag_ += c;
    if (tag_ == "<!--") {
      in_comment_ = true;
      dashes_ = 2;
      keep(call, i + 1);
    } else if (quote_ != 0) {
      if (c == quote_) quote_ = 0;
    } else if (c == '"' || c == '\'') {
      quote_ = c;
    } else if (c == '>') {
      end_tag(call, i + 1);
    }
  }

  // The tag is whole; `end` is behind it.
  void end_tag(const penstock::Call& call, std::size_t end) {
    const std::string name = name_of(tag_);
    const bool is_raw = name == "<script" || name == "<style" || name == "<textarea" ||
                        name == "<title" || name == "<iframe";
    raw_ = is_raw ? "</" + name.substr(1) : "";
    const auto taken = [&](const Rule& rule) { return rule.takes(tag_); };
    const auto& rules = remover_.rules;
    if (!hidden_.empty()) {
      if (name == hidden_) ++depth_;
      const bool ends = name == "</" + hidden_.substr(1) && --depth_ == 0;
      if (name == "</body" || name == "</html") {
        pass(call, tag_begin());
        hidden_.clear();
        keep(call, end);
        return;
      }
      if (ends) hidden_.clear();
    } else if (name.size() > 1 && name[1] != '/' &&
               std::any_of(rules.begin(), rules.end(), taken)) {
      remover_.removed.add();
      pass(call, tag_begin());
      const bool is_empty =
          View("<img <embed <input <link <source <track <base <meta <area <wbr <hr <br <col ")
              .find(name + " ") != View::npos;
      if (!is_empty) hidden_ = name;
      depth_ = 1;
    } else {
      keep(call, end);
      return;
    }
    tag_.clear();
    begin_ = end;
  }

  // The tag, or what is there of it, stays; it ends before `end`.
  void keep(const penstock::Call& call, std::size_t end) {
    if (tag_at_ == kBefore) {
      if (hidden_.empty()) call.write(tag_);
      begin_ = end;
    }
    tag_.clear();
  }

  // Where it begins in the present piece.
  std::size_t tag_begin() const { return tag_at_ == kBefore ? 0 : tag_at_; }

  // Passes the piece up to there, if it is to be seen.
  void pass(const penstock::Call& call, std::size_t end) {
    if (hidden_.empty() && begin_ < end) call.pass(begin_, end - begin_);
    begin_ = end;
  }

  const Remover& remover_;
  std::string tag_;     // as much as there is of a tag
  std::string raw_;     // what ends the present script or the like
  std::string hidden_;  // "<div": the element that is being left out
  int depth_ = 0;       // of elements of that name in it
  char quote_ = 0;
  bool in_comment_ = false;
  int dashes_ = 0;
  // Of the present piece: what has not passed yet, and where the tag begins.
  std::size_t begin_ = 0;
  std::size_t tag_at_ = kBefore;
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
