// Reading files of keys and certificates: what is wrong with one becomes a sentence.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace penstock {

// The last thing OpenSSL complained about as the end of a sentence, ": bad decrypt", or nothing;
// empties its queue of errors.
[[nodiscard]] std::string openssl_reason();

// The sentence names the file as `what`. What OpenSSL says of files that can't be read is hard to
// understand.
[[nodiscard]] std::expected<void, std::string> check_readable(std::string_view what,
                                                              const std::string& path);

// For OpenSSL's pem_password_cb: nobody is there to be asked for a passphrase.
int no_passphrase(char* buffer, int size, int writing, void* data);

}  // namespace penstock
