#include "upstream/credential.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <openssl/crypto.h>

namespace penstock {
namespace {

using Scheme = CredentialSettings::Scheme;

// RFC 6750 section 2.1 is stricter; servers are not.
bool can_be_token(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f' && c != ','; });
}

}  // namespace

Credential::Credential(CredentialSettings settings) : settings_(std::move(settings)) {
  const std::string& path =
      settings_.scheme == Scheme::bearer ? settings_.token_file : settings_.password_file;
  if (!path.empty()) file_.emplace(path);
}

Credential::~Credential() { OPENSSL_cleanse(settings_.password.data(), settings_.password.size()); }

std::optional<std::string_view> Credential::secret(TimePoint now) {
  if (!file_) {
    if (settings_.scheme == Scheme::bearer) return std::nullopt;
    return settings_.password;
  }
  const std::optional<std::string_view> text = file_->text(now);
  if (!text || settings_.scheme != Scheme::bearer) return text;
  if (checked_version_ != file_->version()) {
    checked_version_ = file_->version();
    bad_token_ = !can_be_token(*text);
    told_ = !bad_token_;
  }
  return bad_token_ ? std::nullopt : text;
}

std::string Credential::take_problem() {
  if (!std::exchange(told_, true)) {
    return fmt::format(
        "can't use the token in {}: it contains blanks or other characters that no "
        "token has",
        settings_.token_file);
  }
  return file_ ? file_->take_problem() : std::string{};
}

}  // namespace penstock
