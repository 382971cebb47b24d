// The access record of a transaction as filters read it.
#pragma once

#include <string>
#include <string_view>

#include "adapt/filter.h"
#include "proxy/access_record.h"

namespace penstock {

// Has what the JSON access log would say; written when first asked. Both must outlive it.
class RecordFields final : public RecordView {
 public:
  RecordFields(Exchange& exchange, const AccessRecord& record, const Executor& executor)
      : exchange_(&exchange), record_(&record), executor_(&executor) {}

  bool get(std::string_view name, std::string& value) const override;
  [[nodiscard]] std::string_view line() const override;

 private:
  Exchange* exchange_;
  const AccessRecord* record_;
  const Executor* executor_;
  mutable std::string line_;
};

}  // namespace penstock
