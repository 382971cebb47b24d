// Services by their names.
#pragma once

#include <string_view>

namespace penstock::icap {

class Service;

class ServiceDirectory {
 public:
  // Null: there is none of that name.
  [[nodiscard]] virtual Service* find(std::string_view name) = 0;

 protected:
  ~ServiceDirectory() = default;
};

}  // namespace penstock::icap
