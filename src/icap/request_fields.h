// What a service is told of who asks: the fields of the ICAP request beyond the protocol's own.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "adapt/filter.h"
#include "adapt/variables.h"
#include "base/arena.h"
#include "base/frame_pool.h"
#include "icap/settings.h"
#include "message/fields.h"

namespace penstock::icap {

// The settings, taken apart once.
class FieldTexts {
 public:
  // The settings must outlive it.
  explicit FieldTexts(const IcapFieldSettings& settings);

 private:
  friend class RequestFields;
  struct Text {
    std::string_view name;
    TextTemplate value;
  };
  const IcapFieldSettings* settings_;
  TextTemplate user_;
  TextTemplate groups_;
  std::vector<Text> set_;
};

class RequestFields {
 public:
  // The texts must outlive it, and so must the message's facts.
  RequestFields(const FieldTexts& texts, const AdaptedMessage& message);

  [[nodiscard]] std::span<const Field> all() const { return fields_; }

 private:
  void add(std::string_view name, std::string_view value);
  void add_addresses(const IcapFieldSettings& settings, const AdaptedMessage& message);
  void add_user(std::string_view name, const TextTemplate& text, const VariableContext& context,
                UserCoding coding);
  void add_logins(const AdaptedMessage& message);

  Arena arena_;
  std::vector<Field, PoolAllocator<Field>> fields_;
};

}  // namespace penstock::icap
