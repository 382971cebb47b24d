// What can be said about the work of the filters that are built in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "adapt/body_settings.h"
#include "adapt/edit_settings.h"

namespace penstock {

// Changes to header fields.
struct FieldsFilterSettings {
  FieldEdits request;
  FieldEdits response;
};

// A response in place of a server's. Texts may have variables.
struct AnswerFilterSettings {
  int status = 403;
  std::string type = "text/plain; charset=utf-8";
  std::string content;
  std::vector<std::pair<std::string, std::string>> fields;
};

// Responses compressed for clients that take it.
struct CompressFilterSettings {
  std::vector<ContentCoding> codings = {ContentCoding::zstd, ContentCoding::br,
                                        ContentCoding::gzip};  // the most wanted first
  std::vector<std::string> types = {"text/*",
                                    "application/javascript",
                                    "application/json",
                                    "application/ld+json",
                                    "application/manifest+json",
                                    "application/wasm",
                                    "application/xhtml+xml",
                                    "application/xml",
                                    "application/rss+xml",
                                    "application/atom+xml",
                                    "font/otf",
                                    "font/ttf",
                                    "image/bmp",
                                    "image/svg+xml"};
  std::uint64_t least = 1024;  // bytes of content, where their number is known beforehand
  int gzip_level = level_range(ContentCoding::gzip).usual;  // of deflate, too
  int br_level = level_range(ContentCoding::br).usual;
  int zstd_level = level_range(ContentCoding::zstd).usual;
  FlushPolicy flush = FlushPolicy::when_idle;
};

// What servers are told to send.
enum class AskedCodings : std::uint8_t {
  client,  // what the client takes, as far as it can be undone here
  none,    // nothing but identity
  all,     // all that can be undone here
};

// Content taken out of its codings.
struct DecompressFilterSettings {
  bool responses = true;
  bool requests = false;
  AskedCodings ask = AskedCodings::client;
  DecompressLimits limits;
};

// Text in content replaced.
struct SubstituteFilterSettings {
  bool requests = false;  // of requests, in place of responses
  std::vector<std::string> types = {"text/*", "application/javascript", "application/json",
                                    "application/xhtml+xml", "application/xml"};
  std::vector<SubstitutionRule> rules;
  std::size_t longest = kUsualLongestMatch;
  bool whole = false;  // servers are not asked for ranges
};

// Requests sent elsewhere.
struct RewriteFilterSettings {
  std::string pattern;  // of RE2
  std::string with;     // with \0 to \9
  bool url = false;     // of the whole URL, else of path and query
};

// Clients sent elsewhere.
struct RedirectFilterSettings {
  std::string pattern;  // of RE2, on the URL; empty: any
  std::string to;       // with variables and \0 to \9
  int status = 302;
};

enum class SameSite : std::uint8_t { keep, none, lax, strict };

// Cookies taken away or made safer. Names are patterns in which "*" stands for any text.
struct CookiesFilterSettings {
  std::vector<std::string> remove;      // of requests
  std::vector<std::string> remove_set;  // of responses
  std::vector<std::string> keep;        // whatever the others say
  std::vector<std::string> harden = {"*"};
  bool secure = false;
  bool http_only = false;
  SameSite same_site = SameSite::keep;
};

enum class RefererPolicy : std::uint8_t { keep, remove, origin, same_origin };

// ICAP services: the NAMEs of [icap.NAME], in the order in which they are tried. The next one is
// asked where one fails and the message is still whole.
struct IcapFilterSettings {
  std::vector<std::string> services;
  bool next_services = false;  // those that an answer names (X-Next-Services) are asked after it
};

// What requests tell of who makes them.
struct PrivacyFilterSettings {
  RefererPolicy referer = RefererPolicy::origin;
  std::string user_agent;  // empty: the client's own
  bool do_not_track = true;
  bool forwarding = true;           // fields that say who the client is are removed
  bool third_party_cookies = true;  // are let through
};

}  // namespace penstock
