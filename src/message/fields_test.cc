#include "message/fields.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "message/characters.h"

namespace penstock {
namespace {

std::vector<std::string> elements(std::string_view value) {
  std::vector<std::string> result;
  for_each_element(value, [&](std::string_view element) { result.emplace_back(element); });
  return result;
}

std::string text_of(const FieldSection& fields) {
  std::string text;
  for (const Field& field : fields)
    text.append(field.name).append("=").append(field.value).append(";");
  return text;
}

template <class F>
void for_each_id(F f) {
  for (int i = 1; i < static_cast<int>(FieldId::count_); ++i) f(static_cast<FieldId>(i));
}

TEST(FieldId, EveryNameIsFoundInAnyCase) {
  for_each_id([](FieldId id) {
    const std::string name(field_name(id));
    ASSERT_TRUE(is_token(name));
    std::string lower = name;
    std::string upper = name;
    for (char& c : lower) c = to_lower(c);
    for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    EXPECT_EQ(field_id(name), id) << name;
    EXPECT_EQ(field_id(lower), id) << lower;
    EXPECT_EQ(field_id(upper), id) << upper;
  });
}

// Every other byte in every place of every name: none may be taken for the name.
TEST(FieldId, NothingElseIsTakenForAName) {
  for_each_id([](FieldId id) {
    const std::string name(field_name(id));
    for (std::size_t at = 0; at < name.size(); ++at) {
      for (unsigned c = 0; c < 256; ++c) {
        std::string changed = name;
        changed[at] = static_cast<char>(c);
        const bool same = to_lower(changed[at]) == to_lower(name[at]);
        EXPECT_EQ(field_id(changed) == id, same) << name << " at " << at << " byte " << c;
      }
    }
    EXPECT_NE(field_id(name.substr(1)), id);
    EXPECT_NE(field_id(name.substr(0, name.size() - 1)), id);
    EXPECT_EQ(field_id(name + "x"), FieldId::other);
  });
  EXPECT_EQ(field_id(""), FieldId::other);
  EXPECT_EQ(field_id(std::string(300, 'a')), FieldId::other);
}

TEST(FieldId, HopByHopFieldsAreThoseOfRfc9110Section761) {
  std::string names;
  for_each_id([&](FieldId id) {
    if (is_hop_by_hop(id)) names.append(field_name(id)).append(" ");
  });
  EXPECT_EQ(names,
            "Connection Keep-Alive Proxy-Authenticate Proxy-Authentication-Info "
            "Proxy-Authorization Proxy-Connection Proxy-Support TE Trailer Transfer-Encoding "
            "Upgrade ");
}

TEST(FieldId, TrailersMayNotFrameRouteOrAuthenticate) {
  for (const FieldId id : {FieldId::content_length, FieldId::transfer_encoding, FieldId::host,
                           FieldId::authorization, FieldId::cache_control, FieldId::content_type,
                           FieldId::set_cookie, FieldId::trailer, FieldId::connection}) {
    EXPECT_TRUE(is_forbidden_in_trailers(id)) << field_name(id);
  }
  for (const FieldId id :
       {FieldId::other, FieldId::etag, FieldId::proxy_status, FieldId::authentication_info}) {
    EXPECT_FALSE(is_forbidden_in_trailers(id)) << field_name(id);
  }
}

TEST(FieldNames, AlikeForThoseWhoMakeVariablesOfThem) {
  EXPECT_TRUE(is_alike("X-Client-Cert", "x_client-CERT"));
  EXPECT_TRUE(is_alike("", ""));
  EXPECT_FALSE(is_alike("X-Client", "X-Client-"));
  EXPECT_FALSE(is_alike("X-Client", "XxClient"));
}

TEST(FieldSection, FindsByIdAndByName) {
  FieldSection fields;
  fields.add(FieldId::host, "host", "a");
  fields.add(FieldId::other, "X-Thing", "b");
  fields.add(FieldId::other, "x-thing", "c");
  EXPECT_EQ(fields.value(FieldId::host), "a");
  EXPECT_EQ(fields.find("HOST"), fields.find(FieldId::host));
  EXPECT_EQ(fields.find("x-THING")->value, "b");
  EXPECT_EQ(fields.find("x-thin"), nullptr);
  EXPECT_EQ(fields.find(FieldId::via), nullptr);
  EXPECT_EQ(fields.value(FieldId::via), "");
  EXPECT_TRUE(fields.has(FieldId::host));
  EXPECT_FALSE(fields.has(FieldId::via));
}

TEST(FieldSection, RemovesAllLinesOfAName) {
  FieldSection fields;
  fields.add(FieldId::via, "a");
  fields.add(FieldId::other, "X", "b");
  fields.add(FieldId::via, "c");
  fields.add(FieldId::other, "x", "d");
  EXPECT_EQ(fields.count(FieldId::via), 2U);
  EXPECT_EQ(fields.remove("VIA"), 2U);
  EXPECT_EQ(fields.remove(FieldId::via), 0U);
  EXPECT_EQ(text_of(fields), "X=b;x=d;");
  EXPECT_EQ(fields.remove("x"), 2U);
  EXPECT_TRUE(fields.empty());
}

TEST(FieldSection, SetKeepsOneLineInTheFirstOnesPlace) {
  FieldSection fields;
  fields.add(FieldId::via, "a");
  fields.add(FieldId::host, "h");
  fields.add(FieldId::via, "b");
  fields.set(FieldId::via, "c");
  fields.set("X-New", "d");
  EXPECT_EQ(text_of(fields), "Via=c;Host=h;X-New=d;");
  fields.set("x-new", "e");
  EXPECT_EQ(text_of(fields), "Via=c;Host=h;X-New=e;");
}

TEST(FieldSection, AnIdIsFoundAgainAfterRemoval) {
  FieldSection fields;
  fields.add(FieldId::via, "a");
  fields.clear();
  EXPECT_FALSE(fields.has(FieldId::via));
  fields.add(FieldId::via, "b");
  EXPECT_EQ(fields.remove_if([](const Field&) { return true; }), 1U);
  EXPECT_FALSE(fields.has(FieldId::via));
  fields.set(FieldId::via, "c");
  EXPECT_EQ(fields.value(FieldId::via), "c");
}

TEST(FieldSection, KeptTextSurvivesAMove) {
  FieldSection fields;
  {
    const std::string text(1000, 'v');
    fields.add(FieldId::via, fields.keep(text));
  }
  const FieldSection moved = std::move(fields);
  EXPECT_EQ(moved.value(FieldId::via), std::string(1000, 'v'));
}

TEST(ForEachElement, SplitsAtCommasOutsideQuotedStrings) {
  using List = std::vector<std::string>;
  EXPECT_EQ(elements(""), List{});
  EXPECT_EQ(elements(" , ,\t,"), List{});
  EXPECT_EQ(elements("a"), List{"a"});
  EXPECT_EQ(elements(" a ,b\t, c d "), (List{"a", "b", "c d"}));
  EXPECT_EQ(elements("a=\"x, y\", b"), (List{"a=\"x, y\"", "b"}));
  EXPECT_EQ(elements("a=\"\\\", y\", b"), (List{"a=\"\\\", y\"", "b"}));
  EXPECT_EQ(elements("a=\"open, b"), List{"a=\"open, b"});
  EXPECT_EQ(elements("a=\"open\\"), List{"a=\"open\\"});
}

}  // namespace
}  // namespace penstock
