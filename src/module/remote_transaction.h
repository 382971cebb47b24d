// A transaction as callbacks beside the worker see it: a copy of its heads, and a list of what they
// have done, which the worker then does to the real one.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/socket.h>

#include "helper/channel.h"
#include "message/fields.h"
#include "module/call.h"
#include "module/event.h"
#include "module/instance.h"
#include "module/wire.h"

namespace penstock {

// Texts and numbers of the interface by their number; what is not there has no value.
struct RemoteFacts {
  static constexpr std::size_t kTexts = 18;
  static constexpr std::size_t kNumbers = 8;
  std::array<std::optional<std::string>, kTexts> texts;
  std::array<std::optional<std::int64_t>, kNumbers> numbers;
};

// Writes those that `face` has.
void put_facts(WireWriter& out, CallFace& face);
// Changes those that are there; false: that is none.
bool take_facts(WireReader& in, RemoteFacts& facts);

// Lives with the helpers from the first call of a transaction to its end. Used by one thread at a
// time.
class RemoteTransaction final : public CallFace {
 public:
  RemoteTransaction(ModuleInstance& instance, std::uint64_t hold_limit);
  ~RemoteTransaction();
  RemoteTransaction(const RemoteTransaction&) = delete;
  RemoteTransaction& operator=(const RemoteTransaction&) = delete;

  // Reads a call, runs its callback, and writes what has come of it: the result, then the edits.
  // Nothing: the call can't be understood.
  std::optional<std::string> handle(WireReader& in, const std::shared_ptr<ReturnPath>& path,
                                    void* connection_opaque);
  // The last call, if there is something to free.
  void free();

  FieldSection* fields(int section, bool change) override;
  void on_edit(int section, Edit done, penstock_str name, penstock_str value) override;
  int get_text(int text, penstock_str& value) override;
  int set_text(int text, penstock_str value) override;
  int get_number(int number, std::int64_t& value) override;
  int set_number(int number, std::int64_t value) override;
  int content_write(const void* bytes, std::size_t size) override;
  int content_pass(std::size_t offset, std::size_t size) override;
  int content_hold(std::size_t offset, std::size_t size, penstock_held** held) override;
  int content_emit(penstock_held* held) override;
  int content_drop(penstock_held* held) override;
  int content_length(std::uint64_t length) override;
  int answer(int status, const char* reason, const void* content, std::size_t size) override;
  int answer_stream(int status, const char* reason) override;
  penstock_waiter* waiter() override;
  std::size_t address_count() override;
  int address_at(std::size_t index, penstock_str& address) override;
  int address_set(const penstock_str* addresses, std::size_t count) override;
  int record_get(penstock_str name, penstock_str& value) override;
  int record_add(penstock_str name, penstock_str value) override;

 private:
  struct Held;
  bool read(WireReader& in);
  int run();
  [[nodiscard]] bool may_change_head() const { return is_head_event_ || head_held_; }
  // The request has path and host of its own: it is not CONNECT or "*".
  [[nodiscard]] bool has_parts() const;
  [[nodiscard]] bool can_be(int text, std::string_view value) const;
  WireWriter& edit(WireEdit kind) { return edits_.put(kind); }
  int release(const penstock_held* held, WireEdit how);

  ModuleInstance* instance_;
  std::uint64_t hold_limit_;
  ModuleCall call_;
  sockaddr_storage client_{};
  RemoteFacts facts_;
  FieldSection request_;
  std::optional<FieldSection> response_;
  std::optional<FieldSection> trailers_;
  std::optional<FieldSection> answer_fields_;
  std::list<std::unique_ptr<Held>> held_;
  std::uint64_t held_bytes_ = 0;
  std::uint64_t last_held_ = 0;

  // Of the present call.
  ModuleEvent event_ = ModuleEvent::request_head;
  bool is_head_event_ = false;
  bool head_held_ = false;
  bool may_write_ = false;
  bool of_request_ = true;
  bool has_choice_ = false;
  std::uint64_t wait_id_ = 0;
  std::shared_ptr<ReturnPath> path_;
  std::string_view content_;
  std::string_view record_;
  std::vector<std::string> addresses_;
  WireWriter edits_;
  std::string scratch_;
};

}  // namespace penstock
