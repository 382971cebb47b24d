// One configured credential and its secret.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "upstream/credential_settings.h"
#include "upstream/secret_file.h"

namespace penstock {

// Shared by the Authenticators of all origins it is for. Belongs to one thread.
class Credential {
 public:
  explicit Credential(CredentialSettings settings);
  ~Credential();
  Credential(const Credential&) = delete;
  Credential& operator=(const Credential&) = delete;

  [[nodiscard]] const CredentialSettings& settings() const { return settings_; }
  // The password or the token, valid until the next call; none when its file never had a good one,
  // or when it is a token that can't be sent.
  [[nodiscard]] std::optional<std::string_view> secret(TimePoint now);
  // Another number where secret() has changed since.
  [[nodiscard]] std::uint64_t version() const { return file_ ? file_->version() : 0; }
  // What is wrong with the secret, for the log, once; mostly empty. See SecretFile.
  [[nodiscard]] std::string take_problem();

 private:
  CredentialSettings settings_;
  std::optional<SecretFile> file_;
  // Whether the text of this version of the file can't be sent; and whether that was told.
  std::uint64_t checked_version_ = 0;
  bool bad_token_ = false;
  bool told_ = true;
};

}  // namespace penstock
