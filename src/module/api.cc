// The functions that modules call: each hands on to who stands behind its call or instance.
#include <algorithm>
#include <memory>

#include "message/characters.h"
#include "module/call.h"
#include "module/config_access.h"
#include "module/instance_functions.h"
#include "module/waiter.h"

namespace penstock {
namespace {

constexpr std::size_t kLongestName = 256;
constexpr std::size_t kLongestValue = std::size_t{64} * 1024;
constexpr std::size_t kMostFields = 1000;

CallFace& face_of(penstock_call* call) { return *static_cast<ModuleCall*>(call)->face; }

std::string_view view_of(penstock_str text) { return {text.data, text.size}; }

penstock_str str_of(std::string_view text) { return {text.data(), text.size()}; }

// Framing and what ends at this hop is not theirs (RFC 9110 section 7.6.1, RFC 9112 section 6);
// Host is part of the target.
bool is_editable(int section, std::string_view name) {
  if (name.empty() || name.size() > kLongestName) return false;
  if (!std::ranges::all_of(name, is_token_char)) return false;
  const FieldId id = field_id(name);
  const bool trailer =
      section == PENSTOCK_REQUEST_TRAILERS || section == PENSTOCK_RESPONSE_TRAILERS;
  if (trailer && is_forbidden_in_trailers(id)) return false;
  return !is_hop_by_hop(id) && id != FieldId::content_length && id != FieldId::host;
}

bool is_value(std::string_view value) {
  if (value.size() > kLongestValue) return false;
  return std::ranges::all_of(value, [](char c) { return !has_class(c, characters::kControl); });
}

std::string_view trimmed(std::string_view value) {
  while (!value.empty() && is_whitespace(value.front())) value.remove_prefix(1);
  while (!value.empty() && is_whitespace(value.back())) value.remove_suffix(1);
  return value;
}

// -- Fields -----------------------------------------------------------------------------

int field_get(penstock_call* call, int section, penstock_str name, std::size_t index,
              penstock_str* value) {
  const FieldSection* const fields = face_of(call).fields(section, false);
  if (fields == nullptr) return PENSTOCK_NOT_NOW;
  const FieldId id = field_id(view_of(name));
  for (const Field& field : *fields) {
    const bool same = id != FieldId::other
                          ? field.id == id
                          : field.id == id && equals_ignoring_case(field.name, view_of(name));
    if (!same || index-- > 0) continue;
    *value = str_of(field.value);
    return PENSTOCK_OK;
  }
  return PENSTOCK_NOT_FOUND;
}

std::size_t field_count(penstock_call* call, int section) {
  const FieldSection* const fields = face_of(call).fields(section, false);
  return fields != nullptr ? fields->size() : 0;
}

int field_at(penstock_call* call, int section, std::size_t index, penstock_field* field) {
  const FieldSection* const fields = face_of(call).fields(section, false);
  if (fields == nullptr) return PENSTOCK_NOT_NOW;
  if (index >= fields->size()) return PENSTOCK_NOT_FOUND;
  const Field& found = *(fields->begin() + static_cast<std::ptrdiff_t>(index));
  *field = {str_of(found.name), str_of(found.value)};
  return PENSTOCK_OK;
}

int field_set(penstock_call* call, int section, penstock_str name, penstock_str value) {
  if (!is_editable(section, view_of(name)) || !is_value(view_of(value))) return PENSTOCK_INVALID;
  FieldSection* const fields = face_of(call).fields(section, true);
  if (fields == nullptr) return PENSTOCK_NOT_NOW;
  if (fields->size() >= kMostFields) return PENSTOCK_LIMIT;
  const FieldId id = field_id(view_of(name));
  const std::string_view kept = fields->keep(trimmed(view_of(value)));
  if (id != FieldId::other) {
    fields->set(id, kept);
  } else {
    fields->set(fields->keep(view_of(name)), kept);
  }
  face_of(call).on_edit(section, CallFace::Edit::set, name, value);
  return PENSTOCK_OK;
}

int field_add(penstock_call* call, int section, penstock_str name, penstock_str value) {
  if (!is_editable(section, view_of(name)) || !is_value(view_of(value))) return PENSTOCK_INVALID;
  FieldSection* const fields = face_of(call).fields(section, true);
  if (fields == nullptr) return PENSTOCK_NOT_NOW;
  if (fields->size() >= kMostFields) return PENSTOCK_LIMIT;
  const std::string_view kept = fields->keep(view_of(name));
  fields->add(field_id(kept), kept, fields->keep(trimmed(view_of(value))));
  face_of(call).on_edit(section, CallFace::Edit::add, name, value);
  return PENSTOCK_OK;
}

int field_remove(penstock_call* call, int section, penstock_str name) {
  if (!is_editable(section, view_of(name))) return PENSTOCK_INVALID;
  FieldSection* const fields = face_of(call).fields(section, true);
  if (fields == nullptr) return PENSTOCK_NOT_NOW;
  const FieldId id = field_id(view_of(name));
  const std::size_t removed =
      id != FieldId::other ? fields->remove(id) : fields->remove(view_of(name));
  if (removed > 0) face_of(call).on_edit(section, CallFace::Edit::remove, name, {});
  return static_cast<int>(removed);
}

// -- Whatever the call itself knows -----------------------------------------------------

int get_text(penstock_call* call, int text, penstock_str* value) {
  return face_of(call).get_text(text, *value);
}
int set_text(penstock_call* call, int text, penstock_str value) {
  return face_of(call).set_text(text, value);
}
int get_number(penstock_call* call, int number, std::int64_t* value) {
  return face_of(call).get_number(number, *value);
}
int set_number(penstock_call* call, int number, std::int64_t value) {
  return face_of(call).set_number(number, value);
}
int content_write(penstock_call* call, const void* bytes, std::size_t size) {
  return face_of(call).content_write(bytes, size);
}
int content_pass(penstock_call* call, std::size_t offset, std::size_t size) {
  return face_of(call).content_pass(offset, size);
}
int content_hold(penstock_call* call, std::size_t offset, std::size_t size, penstock_held** held) {
  return face_of(call).content_hold(offset, size, held);
}
int content_emit(penstock_call* call, penstock_held* held) {
  return face_of(call).content_emit(held);
}
int content_drop(penstock_call* call, penstock_held* held) {
  return face_of(call).content_drop(held);
}
int content_length(penstock_call* call, std::uint64_t length) {
  return face_of(call).content_length(length);
}
int answer(penstock_call* call, int status, const char* reason, const void* content,
           std::size_t size) {
  return face_of(call).answer(status, reason, content, size);
}
int answer_stream(penstock_call* call, int status, const char* reason) {
  return face_of(call).answer_stream(status, reason);
}
penstock_waiter* waiter(penstock_call* call) { return face_of(call).waiter(); }
void resume(penstock_waiter* waiting) {
  const std::unique_ptr<penstock_waiter> owned(waiting);
  if (owned) owned->resume();
}
std::size_t address_count(penstock_call* call) { return face_of(call).address_count(); }
int address_at(penstock_call* call, std::size_t index, penstock_str* address) {
  return face_of(call).address_at(index, *address);
}
int address_set(penstock_call* call, const penstock_str* addresses, std::size_t count) {
  return face_of(call).address_set(addresses, count);
}
int record_get(penstock_call* call, penstock_str name, penstock_str* value) {
  return face_of(call).record_get(name, *value);
}
int record_add(penstock_call* call, penstock_str name, penstock_str value) {
  return face_of(call).record_add(name, value);
}

}  // namespace

const penstock_api& module_api() {
  static const penstock_api kApi = [] {
    penstock_api api{};
    api.size = sizeof api;
    api.abi = PENSTOCK_ABI;
    api.version = "0.1.0";
    api.setting_text = &setting_text;
    api.setting_integer = &setting_integer;
    api.setting_number = &setting_number;
    api.setting_count = &setting_count;
    api.setting_text_at = &setting_text_at;
    api.setting_table_at = &setting_table_at;
    api.setting_error = &setting_error;
    api.field_get = &field_get;
    api.field_count = &field_count;
    api.field_at = &field_at;
    api.field_set = &field_set;
    api.field_add = &field_add;
    api.field_remove = &field_remove;
    api.get_text = &get_text;
    api.set_text = &set_text;
    api.get_number = &get_number;
    api.set_number = &set_number;
    api.content_write = &content_write;
    api.content_pass = &content_pass;
    api.content_hold = &content_hold;
    api.content_emit = &content_emit;
    api.content_drop = &content_drop;
    api.content_length = &content_length;
    api.answer = &answer;
    api.answer_stream = &answer_stream;
    api.waiter = &waiter;
    api.resume = &resume;
    api.address_count = &address_count;
    api.address_at = &address_at;
    api.address_set = &address_set;
    api.record_get = &record_get;
    api.record_add = &record_add;
    add_instance_functions(api);
    return api;
  }();
  return kApi;
}

}  // namespace penstock
