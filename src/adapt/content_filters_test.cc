// The filters that change content: what they change, what they leave, and what they say of it.
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "adapt/compress_body.h"
#include "adapt/compress_filter.h"
#include "adapt/decompress_body.h"
#include "adapt/decompress_filter.h"
#include "adapt/filter_test.h"
#include "adapt/substitute_filter.h"

namespace penstock {
namespace {

std::string coded(std::string_view text, ContentCoding coding) {
  TextBody source(text);
  CompressBody body(source, coding, level_range(coding).usual, FlushPolicy::at_end);
  return pull_all(body).text;
}

std::string decoded(std::string_view text, ContentCoding coding) {
  TextBody source(text);
  DecompressBody body(source, coding, {}, Side::server);
  return pull_all(body).text;
}

const CompressFilterSettings kCompress;
const std::string kText = sample_text(5000);

class CompressTest : public testing::Test {
 protected:
  CompressTest() {
    transaction.emplace(std::make_unique<CompressFilter>(kCompress, FilterSide::client));
    request("Accept-Encoding", "gzip");
    response("Content-Type", "text/html; charset=utf-8");
  }
  void request(std::string_view name, std::string_view value) {
    FilteredTransaction::add(transaction->request.fields, name, value);
  }
  void response(std::string_view name, std::string_view value) {
    FilteredTransaction::add(transaction->response.fields, name, value);
  }
  [[nodiscard]] std::string fields() const {
    return FilteredTransaction::all(transaction->response.fields);
  }
  std::optional<FilteredTransaction> transaction;
};

TEST_F(CompressTest, ForClientsThatTakeIt) {
  response("Content-Length", "5000");
  response("ETag", "\"x\"");
  response("Accept-Ranges", "bytes");
  response("Content-Digest", "sha-256=:x:");
  response("Content-MD5", "x");
  response("Vary", "Cookie");
  EXPECT_EQ(transaction->respond(kText), AdaptResult::go_on);
  EXPECT_EQ(decoded(transaction->text, ContentCoding::gzip), kText);
  EXPECT_EQ(fields(),
            "Content-Type: text/html; charset=utf-8\nETag: W/\"x\"\nVary: Cookie\n"
            "Vary: Accept-Encoding\nContent-Encoding: gzip\n");
  EXPECT_EQ(transaction->framing.kind, BodyKind::chunked);
}

TEST_F(CompressTest, NotForOthersButTheyAreTold) {
  transaction->request.fields.set("Accept-Encoding", "deflate");
  response("Vary", "accept-encoding");
  transaction->respond(kText);
  EXPECT_EQ(transaction->text, kText);
  EXPECT_FALSE(transaction->wrapped);
  EXPECT_EQ(fields(), "Content-Type: text/html; charset=utf-8\nVary: accept-encoding\n");
}

TEST_F(CompressTest, TheFirstOfThoseWantedAlike) {
  transaction->request.fields.set("Accept-Encoding", "gzip, br, zstd;q=0.5");
  transaction->respond(kText);
  EXPECT_EQ(transaction->response.fields.value(FieldId::content_encoding), "br");
  EXPECT_EQ(decoded(transaction->text, ContentCoding::br), kText);
}

TEST_F(CompressTest, WhatStaysAsItIs) {
  struct Row {
    int status;
    std::string_view name, value;
    std::size_t size = 5000;
  };
  const Row rows[] = {{200, "Content-Encoding", "br"},
                      {200, "Content-Encoding", "unknown"},
                      {200, "Cache-Control", "max-age=1, no-transform"},
                      {206, "Content-Range", "bytes 0-4999/9999"},
                      {200, "Content-Type", "image/png"},
                      {200, "X", "small", 1023},
                      {200, "X", "none", 0}};
  for (const Row& row : rows) {
    FilteredTransaction t(std::make_unique<CompressFilter>(kCompress, FilterSide::client));
    FilteredTransaction::add(t.request.fields, "Accept-Encoding", "gzip");
    FilteredTransaction::add(t.response.fields, "Content-Type", "text/html");
    t.response.fields.set(row.name, row.value);
    t.response.status = row.status;
    const std::string before = FilteredTransaction::all(t.response.fields);
    t.respond(std::string_view(kText).substr(0, row.size));
    EXPECT_FALSE(t.wrapped) << row.value;
    EXPECT_EQ(FilteredTransaction::all(t.response.fields), before);
  }
  request("Cache-Control", "no-transform");
  transaction->respond(kText);
  EXPECT_FALSE(transaction->wrapped);
}

TEST_F(CompressTest, WhatIsNotKnownToBeSmallIsCompressed) {
  transaction->respond("x", BodyKind::chunked);
  EXPECT_EQ(decoded(transaction->text, ContentCoding::gzip), "x");
}

TEST_F(CompressTest, HeadIsDescribedAsGetWouldBe) {
  transaction->method("HEAD");
  response("Content-Length", "5000");
  transaction->respond("", BodyKind::none);
  EXPECT_EQ(fields(),
            "Content-Type: text/html; charset=utf-8\nVary: Accept-Encoding\n"
            "Content-Encoding: gzip\n");
  transaction->response.fields.clear();
  response("Content-Type", "text/html");
  response("Content-Length", "1023");
  transaction->respond("", BodyKind::none);
  EXPECT_EQ(fields(), "Content-Type: text/html\nContent-Length: 1023\n");
}

TEST_F(CompressTest, NotModifiedNamesTheTagThatTheClientHas) {
  request("If-None-Match", "\"z\", W/\"x\"");
  transaction->response.status = 304;
  response("ETag", "\"x\"");
  transaction->respond("", BodyKind::none);
  EXPECT_EQ(transaction->response.fields.value(FieldId::etag), "W/\"x\"");
  transaction->response.fields.set(FieldId::etag, "\"z\"");
  transaction->respond("", BodyKind::none);
  EXPECT_EQ(transaction->response.fields.value(FieldId::etag), "\"z\"");
}

TEST_F(CompressTest, NotModifiedVariesAsTheContentWould) {
  struct Row {
    std::string_view name, value, vary;
  };
  const Row rows[] = {
      {"X", "", "Accept-Encoding"},          {"Content-Type", "text/css", "Accept-Encoding"},
      {"Content-Type", "image/png", ""},     {"Content-Encoding", "br", ""},
      {"Cache-Control", "no-transform", ""}, {"Vary", "X, accept-encoding", "X, accept-encoding"}};
  for (const Row& row : rows) {
    FilteredTransaction t(std::make_unique<CompressFilter>(kCompress, FilterSide::client));
    t.response.status = 304;
    t.response.fields.set(row.name, row.value);
    FilteredTransaction::add(t.response.fields, "ETag", "\"x\"");
    FilteredTransaction::add(t.request.fields, "If-None-Match", "\"x\"");
    t.respond("", BodyKind::none);
    EXPECT_EQ(t.response.fields.value(FieldId::vary), row.vary) << row.value;
    EXPECT_EQ(t.response.fields.value(FieldId::etag), "\"x\"");
  }
}

const DecompressFilterSettings kDecompress;

class DecompressTest : public testing::Test {
 protected:
  void use(const DecompressFilterSettings& settings) {
    transaction.emplace(std::make_unique<DecompressFilter>(settings, FilterSide::client));
  }
  std::string asks(const DecompressFilterSettings& settings, std::string_view accepted,
                   bool range = false) {
    use(settings);
    FieldSection& fields = transaction->request.fields;
    if (!accepted.empty()) FilteredTransaction::add(fields, "Accept-Encoding", accepted);
    if (range) FilteredTransaction::add(fields, "Range", "bytes=0-1");
    transaction->ask();
    return std::string(accept_encoding(fields));
  }
  std::optional<FilteredTransaction> transaction;
};

TEST_F(DecompressTest, WhatServersAreAskedFor) {
  EXPECT_EQ(asks(kDecompress, "gzip;q=0.5, compress, *, br"), "gzip;q=0.5, br");
  EXPECT_EQ(asks(kDecompress, "compress"), "identity");
  EXPECT_EQ(asks(kDecompress, ""), "");
  EXPECT_EQ(asks(kDecompress, "gzip", true), "identity");
  EXPECT_EQ(asks({.ask = AskedCodings::none}, "gzip"), "identity");
  EXPECT_EQ(asks({.ask = AskedCodings::all}, ""), "gzip, deflate, br, zstd");
}

TEST_F(DecompressTest, Responses) {
  use(kDecompress);
  FieldSection& fields = transaction->response.fields;
  FilteredTransaction::add(fields, "Content-Encoding", "gzip, br");
  FilteredTransaction::add(fields, "Content-Length", "1");
  FilteredTransaction::add(fields, "ETag", "\"x\"");
  const std::string content = coded(coded(kText, ContentCoding::gzip), ContentCoding::br);
  transaction->respond(content);
  EXPECT_EQ(transaction->text, kText);
  EXPECT_EQ(FilteredTransaction::all(fields), "ETag: W/\"x\"\n");
  EXPECT_EQ(transaction->decided_by(), "");
}

TEST_F(DecompressTest, WhatStaysAsItIs) {
  struct Row {
    int status;
    std::string_view coding, name, value;
  };
  const Row rows[] = {{200, "unknown", "X", ""},
                      {200, "gzip, unknown", "X", ""},
                      {206, "gzip", "Content-Range", "bytes 0-1/2"},
                      {200, "gzip", "Cache-Control", "no-transform"}};
  for (const Row& row : rows) {
    use(kDecompress);
    transaction->response.status = row.status;
    FilteredTransaction::add(transaction->response.fields, "Content-Encoding", row.coding);
    FilteredTransaction::add(transaction->response.fields, row.name, row.value);
    transaction->respond("content");
    EXPECT_FALSE(transaction->wrapped) << row.coding;
    EXPECT_EQ(transaction->response.fields.value(FieldId::content_encoding), row.coding);
  }
}

TEST_F(DecompressTest, HeadAndWhatIsBroken) {
  use(kDecompress);
  transaction->method("HEAD");
  FilteredTransaction::add(transaction->response.fields, "Content-Encoding", "gzip");
  FilteredTransaction::add(transaction->response.fields, "Content-Length", "100");
  transaction->respond("", BodyKind::none);
  EXPECT_EQ(FilteredTransaction::all(transaction->response.fields), "");
  use(kDecompress);
  FilteredTransaction::add(transaction->response.fields, "Content-Encoding", "gzip");
  transaction->respond("not gzip");
  ASSERT_TRUE(transaction->error.has_value());
  EXPECT_EQ(transaction->error->kind, ErrorKind::protocol);
  EXPECT_EQ(transaction->error->side, Side::server);
  EXPECT_EQ(transaction->decided_by(), "tested");
}

TEST_F(DecompressTest, RequestsAndLimits) {
  const DecompressFilterSettings settings{
      .responses = false, .requests = true, .limits = {.output = 4999}};
  use(settings);
  FilteredTransaction::add(transaction->request.fields, "Content-Encoding", "gzip");
  FilteredTransaction::add(transaction->request.fields, "Accept-Encoding", "x");
  transaction->ask(coded(kText, ContentCoding::gzip));
  EXPECT_EQ(FilteredTransaction::all(transaction->request.fields), "Accept-Encoding: x\n");
  ASSERT_TRUE(transaction->error.has_value());
  EXPECT_EQ(transaction->decided_by(), "tested");
  EXPECT_EQ(transaction->error->kind, ErrorKind::limit);
  EXPECT_EQ(transaction->error->side, Side::client);
}

class SubstituteTest : public testing::Test {
 protected:
  void use() {
    transaction.emplace(std::make_unique<SubstituteFilter>(settings, FilterSide::client));
    FilteredTransaction::add(transaction->response.fields, "Content-Type", "text/html");
  }
  SubstituteFilterSettings settings{.rules = {{.pattern = "cat", .replacement = "dog"}}};
  std::optional<FilteredTransaction> transaction;
};

TEST_F(SubstituteTest, Responses) {
  use();
  FilteredTransaction::add(transaction->response.fields, "ETag", "\"x\"");
  FilteredTransaction::add(transaction->response.fields, "Content-Length", "11");
  transaction->respond("a cat, cats");
  EXPECT_EQ(transaction->text, "a dog, dogs");
  EXPECT_EQ(FilteredTransaction::all(transaction->response.fields),
            "Content-Type: text/html\nETag: W/\"x\"\n");
  EXPECT_EQ(transaction->framing.kind, BodyKind::chunked);
}

TEST_F(SubstituteTest, WhatStaysAsItIs) {
  struct Row {
    int status;
    std::string_view name, value;
  };
  const Row rows[] = {{200, "Content-Encoding", "gzip"},
                      {200, "Cache-Control", "no-transform"},
                      {206, "Content-Range", "bytes 0-1/2"},
                      {200, "Content-Type", "image/png"}};
  for (const Row& row : rows) {
    use();
    transaction->response.status = row.status;
    transaction->response.fields.set(row.name, row.value);
    transaction->respond("a cat");
    EXPECT_FALSE(transaction->wrapped) << row.value;
  }
}

TEST_F(SubstituteTest, RangesAndRequests) {
  use();
  EXPECT_EQ(std::make_unique<SubstituteFilter>(settings, FilterSide::client)->interests(),
            interest(AdaptPoint::client_response));
  settings.whole = true;
  use();
  FilteredTransaction::add(transaction->request.fields, "Range", "bytes=0-1");
  FilteredTransaction::add(transaction->request.fields, "If-Range", "\"x\"");
  transaction->ask();
  EXPECT_EQ(FilteredTransaction::all(transaction->request.fields), "");
  settings.requests = true;
  use();
  FilteredTransaction::add(transaction->request.fields, "Content-Type", "text/plain");
  FilteredTransaction::add(transaction->request.fields, "Range", "bytes=0-1");
  transaction->ask("cat");
  EXPECT_EQ(transaction->text, "dog");
  EXPECT_TRUE(transaction->request.fields.has(FieldId::range));
}

}  // namespace
}  // namespace penstock
