#include "tls/files.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include <fmt/format.h>
#include <openssl/err.h>

namespace penstock {

std::string openssl_reason() {
  const unsigned long code = ERR_peek_last_error();
  const char* const text = code != 0 ? ERR_reason_error_string(code) : nullptr;
  ERR_clear_error();
  return text != nullptr ? std::string(": ") + text : std::string();
}

std::expected<void, std::string> check_readable(std::string_view what, const std::string& path) {
  std::array<char, 1> byte{};
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             std::fclose);
  if (!file || (std::fread(byte.data(), 1, 1, file.get()) != 1 && std::ferror(file.get()) != 0)) {
    return std::unexpected(
        fmt::format("The {} {} can't be read: {}", what, path, std::strerror(errno)));
  }
  return {};
}

int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*data*/) { return -1; }

}  // namespace penstock
