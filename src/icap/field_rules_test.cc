#include "icap/field_rules.h"

#include <gtest/gtest.h>

namespace penstock::icap {
namespace {

TEST(IcapFieldRules, WhatSaysOfWhatARequestConsistsIsTheProtocols) {
  for (const char* const name : {"Host", "Allow", "Preview", "Encapsulated", "Transfer-Encoding",
                                 "Content-Length", "encapsulated", "PREVIEW"}) {
    EXPECT_TRUE(is_protocol_field(name)) << name;
  }
  for (const char* const name :
       {"X-Client-IP", "Connection", "Proxy-Authorization", "Authorization", "Previews", ""}) {
    EXPECT_FALSE(is_protocol_field(name)) << name;
  }
}

}  // namespace
}  // namespace penstock::icap
