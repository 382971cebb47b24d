// What a service is told of who asks: the fields of the ICAP request beyond the protocol's own.
#pragma once

#include <span>
#include <vector>

#include "adapt/filter.h"
#include "base/arena.h"
#include "icap/settings.h"
#include "message/fields.h"

namespace penstock::icap {

class RequestFields {
 public:
  // The settings must outlive it, and so must the message's facts.
  RequestFields(const IcapFieldSettings& settings, const AdaptedMessage& message);

  [[nodiscard]] std::span<const Field> all() const { return fields_; }

 private:
  void add(std::string_view name, std::string_view value);

  Arena texts_;
  std::vector<Field, PoolAllocator<Field>> fields_;
};

}  // namespace penstock::icap
