// One event of a transaction, as an instance of a module is called for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapt/adaptation.h"
#include "adapt/filter.h"
#include "async/event.h"
#include "base/arena.h"
#include "base/copied_bytes.h"
#include "base/slab.h"
#include "module/call.h"
#include "module/event.h"

namespace penstock {

[[nodiscard]] constexpr bool is_head(ModuleEvent event) {
  return event == ModuleEvent::request_head || event == ModuleEvent::response_head;
}

class ModuleTransaction;

// An event under way, and what the functions of the interface do to the transaction meanwhile. A
// transaction has several, as its request may still be under way when a server is chosen, and when
// the response comes.
class Moment final : public CallFace, public Pooled {
 public:
  explicit Moment(ModuleTransaction& of) : of_(&of) {}

  // -- What the event is about; set before a call. Null where it does not belong to the event.
  ModuleEvent event = ModuleEvent::request_head;
  AdaptedMessage* message = nullptr;
  ConnectChoice* choice = nullptr;
  const RecordView* record = nullptr;
  Slice content;                     // of a _body event
  FieldSection* trailers = nullptr;  // of a _complete event
  // The head can still be changed, in an event that is not its own: PENSTOCK_HOLD_HEAD. `message`
  // is there then.
  bool head_held = false;
  bool may_write = false;

  // -- What it has left. ----------------------------------------------------------------
  Slices written;                       // content, in its order
  std::optional<std::uint64_t> length;  // content_length()
  std::unique_ptr<FilterAnswer> answered;
  bool answer_streams = false;
  // What resume() sets; null until a waiter was asked for. The waiter keeps it, too.
  struct WaitPoint {
    Event event;
  };
  std::shared_ptr<WaitPoint> waiting;

  // For the next call; and for the first one about another message. What was there of the one
  // before is gone.
  void begin(ModuleEvent next) {
    event = next;
    message = nullptr;
    choice = nullptr;
    record = nullptr;
    trailers = nullptr;
    head_held = false;
    may_write = false;
    if (!content.empty() || waiting || !texts_.empty()) forget();
  }
  void begin_message(ModuleEvent next) {
    begin(next);
    length.reset();
    answer_streams = false;
    if (!written.empty() || answered) drop_results();
  }

  FieldSection* fields(int section, bool change) override;
  int get_text(int text, penstock_str& value) override;
  int set_text(int text, penstock_str value) override;
  int get_number(int number, std::int64_t& value) override;
  int set_number(int number, std::int64_t value) override;
  int content_write(const void* bytes, std::size_t size) override;
  int content_pass(std::size_t offset, std::size_t size) override;
  int content_hold(std::size_t offset, std::size_t size, penstock_held** held) override;
  int content_emit(penstock_held* held) override;
  int content_drop(penstock_held* held) override;
  int content_length(std::uint64_t wanted) override;
  int answer(int status, const char* reason, const void* bytes, std::size_t size) override;
  int answer_stream(int status, const char* reason) override;
  penstock_waiter* waiter() override;
  std::size_t address_count() override;
  int address_at(std::size_t index, penstock_str& address) override;
  int address_set(const penstock_str* addresses, std::size_t count) override;
  int record_get(penstock_str name, penstock_str& value) override;
  int record_add(penstock_str name, penstock_str value) override;

 private:
  void forget();
  void drop_results();
  [[nodiscard]] bool may_change_head() const;
  int release(const penstock_held* held, bool write);
  bool begin_answer(int status, const char* reason);
  [[nodiscard]] std::string_view text_of(int text);
  [[nodiscard]] std::string_view request_text(int text);
  int set_choice_text(int text, std::string_view value);

  ModuleTransaction* of_;
  CopiedBytes copied_;
  Arena texts_;  // what views that were given out during the call point into
};

}  // namespace penstock
