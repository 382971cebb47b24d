// What is written is parsed to the same head, for heads made at random.
#include <cstddef>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "http1/head_parser.h"
#include "http1/head_writer.h"

namespace penstock::http1 {
namespace {

constexpr HeadLimits kLimits{.head = 1 << 20, .start_line = 1 << 14, .fields = 200};

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(engine_()) % n; }
  bool one_in(std::size_t n) { return below(n) == 0; }
  std::string text(std::string_view letters, std::size_t shortest, std::size_t longest) {
    std::string result(shortest + below(longest - shortest + 1), '\0');
    for (char& c : result) c = letters[below(letters.size())];
    return result;
  }
  std::string token() { return text("abcXYZ019-_!#$%&'*+.^`|~", 1, 12); }
  std::string value() {
    std::string result = text("abc XYZ\t019,;=\"\\:()\xe4\xff", 0, one_in(10) ? 300 : 30);
    while (!result.empty() && (result.front() == ' ' || result.front() == '\t')) result.erase(0, 1);
    while (!result.empty() && (result.back() == ' ' || result.back() == '\t')) result.pop_back();
    return result;
  }
  std::string authority() {
    std::string host = one_in(4) ? "[2001:db8::" + text("0123456789abcdef", 1, 4) + "]"
                                 : text("abcXYZ019-._~", 1, 20);
    if (one_in(2)) host += ":" + std::to_string(1 + below(65535));
    return host;
  }

 private:
  std::mt19937 engine_;
};

void add_random_fields(Random& random, FieldSection& fields) {
  for (std::size_t n = random.below(40); n > 0; --n) {
    const auto id = static_cast<FieldId>(random.below(static_cast<std::size_t>(FieldId::count_)));
    if (id == FieldId::host || id == FieldId::content_length || id == FieldId::transfer_encoding) {
      continue;
    }
    const std::string_view name =
        id == FieldId::other ? fields.keep("x-" + random.token()) : field_name(id);
    fields.add(id, name, fields.keep(random.value()));
  }
}

std::string text_of(const FieldSection& fields) {
  std::string text;
  for (const Field& field : fields) {
    text += std::to_string(static_cast<int>(field.id));
    text.append(" ").append(field.name).append(": ").append(field.value).append("\n");
  }
  return text;
}

template <class Write>
std::string to_exact_size(std::size_t bound, Write write) {
  std::string to(bound, '\0');
  to.resize(write(to));
  return to;
}

// Finds the head's end with the bytes arriving in random pieces.
void expect_found(Random& random, const std::string& bytes, HeadKind kind) {
  HeadScanner scanner(kLimits, kind);
  Progress progress = Progress::need_more;
  for (std::size_t end = 0; progress == Progress::need_more && end < bytes.size();) {
    end = std::min(bytes.size(), end + 1 + random.below(60));
    progress = scanner.scan(std::string_view(bytes).substr(0, end));
  }
  ASSERT_EQ(progress, Progress::done) << bytes;
  EXPECT_EQ(scanner.size(), bytes.size());
}

TEST(RoundTrip, Requests) {
  for (unsigned seed = 0; seed < 2000; ++seed) {
    Random random(seed);
    RequestHead head;
    const std::string method = random.one_in(2) ? "GET" : random.token() + "x";
    const std::string authority = random.authority();
    const std::string path = "/" + random.text("abc019-._~:/?@!$&'()*+,;=%|^`{}\"[]\\", 0, 60);
    const bool absolute = random.one_in(3);
    std::string target = path;
    if (absolute) target.insert(0, "http://" + authority);
    head.method_text = method;
    head.method = method_of(method);
    const auto parsed_target = parse_target(method, target);
    ASSERT_TRUE(parsed_target) << target;
    head.target = *parsed_target;
    head.fields.add(FieldId::host, authority);
    add_random_fields(random, head.fields);

    const WireFraming framing;
    const RequestForm form = absolute ? RequestForm::absolute : RequestForm::origin;
    const std::string bytes = to_exact_size(wire_size_bound(head, framing), [&](std::string& to) {
      return write_request_head(head, form, framing, to);
    });
    expect_found(random, bytes, HeadKind::request);
    RequestHead again;
    ASSERT_EQ(parse_request_head(bytes, kLimits, again), Refusal::none) << bytes;
    EXPECT_EQ(again.method_text, method);
    EXPECT_EQ(again.method, head.method);
    EXPECT_EQ(again.target_text, target);
    EXPECT_EQ(again.target.path_and_query, path);
    EXPECT_EQ(text_of(again.fields), text_of(head.fields));
  }
}

TEST(RoundTrip, Responses) {
  for (unsigned seed = 0; seed < 2000; ++seed) {
    Random random(seed);
    ResponseHead head;
    head.status = static_cast<int>(100 + random.below(500));
    const std::string reason = random.text("abc XYZ\t\xff", 0, 20);
    head.reason = reason;
    add_random_fields(random, head.fields);

    const WireFraming framing;
    const std::string bytes = to_exact_size(wire_size_bound(head, framing), [&](std::string& to) {
      return write_response_head(head, framing, to);
    });
    expect_found(random, bytes, HeadKind::response);
    ResponseHead again;
    ASSERT_EQ(parse_response_head(bytes, kLimits, again), Refusal::none) << bytes;
    EXPECT_EQ(again.status, head.status);
    EXPECT_EQ(again.reason, reason);
    EXPECT_EQ(text_of(again.fields), text_of(head.fields));
  }
}

// The framing written is the framing read.
TEST(RoundTrip, Framing) {
  for (const Framing framing :
       {Framing{BodyKind::none, 0}, Framing{BodyKind::chunked, 0}, Framing{BodyKind::length, 1},
        Framing{BodyKind::length, 1U << 31}, Framing{BodyKind::length, 9223372036854775807U}}) {
    RequestHead head;
    head.method_text = "GET";
    head.target = *parse_target("GET", "/");
    head.fields.add(FieldId::host, "a");
    const WireFraming wire{.body = framing, .connection = {}};
    const std::string bytes = to_exact_size(wire_size_bound(head, wire), [&](std::string& to) {
      return write_request_head(head, RequestForm::origin, wire, to);
    });
    RequestHead again;
    ASSERT_EQ(parse_request_head(bytes, kLimits, again), Refusal::none);
    EXPECT_EQ(request_framing(again), framing);
  }
}

}  // namespace
}  // namespace penstock::http1
