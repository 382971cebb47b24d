// Reading HTML that comes in pieces, for modules that change pages. To be included beside
// penstock/module.hpp.
#ifndef PENSTOCK_MODULE_HTML_HPP
#define PENSTOCK_MODULE_HTML_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "penstock/module_call.hpp"

namespace penstock {

// A start or end tag, from its "<" to its ">". Views point into it.
class HtmlTag {
 public:
  struct Attribute {
    std::string name;        // in lower case
    std::string_view value;  // without quotes; character references stand as they are
  };

  explicit HtmlTag(std::string_view text) : text_(text) {
    const std::size_t begin = is_end() ? 2 : 1;
    const char first = text.size() > begin ? lower(text[begin]) : ' ';
    name_end_ = std::min(text.find_first_of(kEndsName, begin), text.size());
    if (first >= 'a' && first <= 'z') name_ = lower(text.substr(begin, name_end_ - begin));
  }

  // In lower case; empty for what is neither, such as "<!doctype html>".
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool is_end() const { return text_.size() > 1 && text_[1] == '/'; }
  // Whether elements of that name have no content and no end tag.
  [[nodiscard]] bool is_void() const {
    constexpr std::array<std::string_view, 13> kNames = {
        "area",  "base", "br",   "col",    "embed", "hr", "img",
        "input", "link", "meta", "source", "track", "wbr"};
    return is_one_of(kNames, name_);
  }
  // Whether tags in an element of that name are only text.
  [[nodiscard]] bool is_raw() const {
    constexpr std::array<std::string_view, 5> kNames = {"script", "style", "textarea", "title",
                                                        "iframe"};
    return !is_end() && is_one_of(kNames, name_);
  }

  [[nodiscard]] std::vector<Attribute> attributes() const {
    std::vector<Attribute> out;
    std::size_t at = name_end_;
    while ((at = text_.find_first_not_of(kEndsName, at)) != std::string_view::npos) {
      const std::size_t end = std::min(text_.find_first_of(" \t\r\n\f/>=", at + 1), text_.size());
      out.push_back({lower(text_.substr(at, end - at)), {}});
      at = std::min(text_.find_first_not_of(kBlank, end), text_.size());
      if (at == text_.size() || text_[at] != '=') continue;
      at = std::min(text_.find_first_not_of(kBlank, at + 1), text_.size());
      const bool quoted = at < text_.size() && (text_[at] == '"' || text_[at] == '\'');
      const std::string_view ends = quoted ? text_.substr(at++, 1) : " \t\r\n\f>";
      const std::size_t value_end = std::min(text_.find_first_of(ends, at), text_.size());
      out.back().value = text_.substr(at, value_end - at);
      at = std::min(value_end + (quoted ? 1 : 0), text_.size());
    }
    return out;
  }

 private:
  static constexpr std::string_view kBlank = " \t\r\n\f";
  static constexpr std::string_view kEndsName = " \t\r\n\f/>";
  std::string_view text_;
  std::string name_;
  std::size_t name_end_ = 0;
};

// A page that passes, to be kept in a Transaction that returns PENSTOCK_CHANGED at its head:
//
//   int response_body(Call& call, std::string_view piece) override {
//     return page_.read(call, piece, [&](const HtmlTag& tag) { return tag.name() != "blink"; });
//   }
//   int response_complete(Call& call) override { return page_.end(call); }
//
// Finds tags wherever pieces are cut. What looks like one in a comment, a script or the like is
// none. Nothing is kept back but a tag in which a piece ends; one that is longer than a limit
// counts as text.
class HtmlPage {
 public:
  // Bytes.
  explicit HtmlPage(std::size_t longest_tag = 16384) : longest_tag_(longest_tag) {}

  // Calls f with each tag that ends in this piece, which says whether the tag stays. To be
  // returned.
  template <class F>
  int read(const Call& call, std::string_view piece, const F& f) {
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
      if (tag_.empty() && c != '<') continue;
      if (add(call, c, i)) end_tag(call, i + 1, f);
    }
    pass(call, tag_.empty() ? piece.size() : tag_begin());
    return PENSTOCK_CHANGED;
  }

  // At the end, or before PENSTOCK_DONE: what was kept back. To be returned in _complete.
  int end(const Call& call) {
    if (!hides_) call.write(std::exchange(tag_, {}));
    return PENSTOCK_CONTINUE;
  }

  // For f. What follows the present tag is left out (but tags that stay), or no more.
  void hide(bool hides) { hides_ = hides; }
  // Comes before the present tag, or behind it.
  void insert_before(std::string_view text) { before_ += text; }
  void insert_behind(std::string_view text) { behind_ += text; }

 private:
  static constexpr std::size_t kBefore = std::string_view::npos;

  // Whether the byte can belong to the tag. In a script or the like, only its end is one.
  [[nodiscard]] bool fits(char c) const {
    const std::size_t size = tag_.size();
    if (size < raw_.size()) return lower(c) == raw_[size];
    if (!raw_.empty() && size == raw_.size()) {
      return std::string_view(" \t\r\n\f/>").find(c) != std::string_view::npos;
    }
    if (size > 1) return size < longest_tag_;
    return c == '/' || c == '!' || (lower(c) >= 'a' && lower(c) <= 'z');
  }

  // The byte with the number i is one of a tag. True: it is the last one.
  bool add(const Call& call, char c, std::size_t i) {
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
    } else {
      return c == '>';
    }
    return false;
  }

  // The tag is whole; `end` is behind it.
  template <class F>
  void end_tag(const Call& call, std::size_t end, const F& f) {
    const HtmlTag tag(tag_);
    raw_ = tag.is_raw() ? "</" + tag.name() : "";
    const bool was_hidden = hides_;
    const bool stays = f(tag);
    if (stays && !was_hidden && !hides_ && before_.empty() && behind_.empty()) {
      keep(call, end);
      return;
    }
    if (!was_hidden && begin_ < tag_begin()) call.pass(begin_, tag_begin() - begin_);
    call.write(std::exchange(before_, {}));
    if (stays) call.write(tag_);
    call.write(std::exchange(behind_, {}));
    tag_.clear();
    begin_ = end;
  }

  // The tag, or what is there of it, passes with what is around it; it ends before `end`.
  void keep(const Call& call, std::size_t end) {
    if (tag_at_ == kBefore) {
      if (!hides_) call.write(tag_);
      begin_ = end;
    }
    tag_.clear();
  }

  // Where it begins in the present piece.
  [[nodiscard]] std::size_t tag_begin() const { return tag_at_ == kBefore ? 0 : tag_at_; }

  // Passes the piece up to there, if it is to be seen.
  void pass(const Call& call, std::size_t end) {
    if (!hides_ && begin_ < end) call.pass(begin_, end - begin_);
    begin_ = end;
  }

  std::size_t longest_tag_;
  std::string tag_;  // as much as there is of a tag
  std::string raw_;  // "</script": what ends the present script or the like
  std::string before_;
  std::string behind_;
  char quote_ = 0;
  bool hides_ = false;
  bool in_comment_ = false;
  int dashes_ = 0;  // of "-->"
  // Of the present piece: what has not passed yet, and where the tag begins.
  std::size_t begin_ = 0;
  std::size_t tag_at_ = kBefore;
};

}  // namespace penstock

#endif  // PENSTOCK_MODULE_HTML_HPP
