// What a module for C++ has in its events and in its constructor. Part of penstock/module.hpp,
// which is what to include and where to begin reading.
#ifndef PENSTOCK_MODULE_CALL_HPP
#define PENSTOCK_MODULE_CALL_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "penstock/module.h"
#include "penstock/module_text.hpp"

namespace penstock {

[[nodiscard]] inline std::string_view view(penstock_str text) { return {text.data, text.size}; }
[[nodiscard]] inline penstock_str str(std::string_view text) { return {text.data(), text.size()}; }

// The proxy has refused; code(): why, as PENSTOCK_INVALID.
class Error : public std::runtime_error {
 public:
  Error(int code, const std::string& what) : std::runtime_error(what), code_(code) {}
  [[nodiscard]] int code() const { return code_; }

 private:
  int code_;
};

namespace detail {

// "there is no such thing": what a negative code of penstock_api means.
[[nodiscard]] inline const char* meaning(int code) {
  switch (code) {
    case PENSTOCK_NOT_FOUND:
      return "there is no such thing";
    case PENSTOCK_NOT_NOW:
      return "not in this event, or not any more";
    case PENSTOCK_INVALID:
      return "an argument that cannot be";
    case PENSTOCK_LIMIT:
      return "a limit is reached";
    case PENSTOCK_UNSUPPORTED:
      return "not supported with this isolation or build";
    case PENSTOCK_NO_CACHE:
      return "there is no cache";
    case PENSTOCK_FAILED:
      return "the system refused";
    default:
      return "refused";
  }
}

inline void check(int code, const char* what, std::string_view about = {}) {
  if (code >= 0) return;
  std::string text = what;
  if (!about.empty()) text.append(" ").append(about);
  throw Error(code, text + ": " + meaning(code));
}

}  // namespace detail

// -- Settings ---------------------------------------------------------------------------------

// An element of a module's table of settings. `standard`: the default as written in the file
// ("\"text\"", "10", "[]", "\"30s\""); null: it must be given.
[[nodiscard]] constexpr penstock_setting setting(const char* name, int type, const char* standard,
                                                 const char* meaning, double least = 0,
                                                 double most = 0) {
  return {name, type, standard, meaning, least, most, nullptr, 0};
}

// One for a list of tables (PENSTOCK_SETTING_TABLES) with these settings in each.
template <std::size_t N>
[[nodiscard]] constexpr penstock_setting setting_tables(const char* name, const char* standard,
                                                        const char* meaning,
                                                        const penstock_setting (&inner)[N]) {
  return {name, PENSTOCK_SETTING_TABLES, standard, meaning, 0, 0, inner, N};
}

// What is wrong with a setting; thrown by Config::fail().
class ConfigError : public std::runtime_error {
 public:
  ConfigError(const penstock_config* table, std::string name, const std::string& what)
      : std::runtime_error(what), table_(table), name_(std::move(name)) {}
  [[nodiscard]] const penstock_config* table() const { return table_; }
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  const penstock_config* table_;
  std::string name_;
};

// The settings of an instance, or of a table in them. For the constructor of an Instance, and only
// there. The proxy has checked types and limits. What is read is copied.
class Config {
 public:
  Config(penstock_instance* instance, const penstock_api* api, const penstock_config* table)
      : instance_(instance), api_(api), table_(table) {}

  [[nodiscard]] std::string text(const char* name) const {
    return std::string(view(api_->setting_text(table_, name)));
  }
  [[nodiscard]] std::int64_t integer(const char* name) const {
    return api_->setting_integer(table_, name);
  }
  [[nodiscard]] double number(const char* name) const { return api_->setting_number(table_, name); }
  [[nodiscard]] bool boolean(const char* name) const { return integer(name) != 0; }
  [[nodiscard]] std::chrono::milliseconds duration(const char* name) const {
    return std::chrono::milliseconds(integer(name));
  }
  // Bytes.
  [[nodiscard]] std::size_t size(const char* name) const {
    return static_cast<std::size_t>(integer(name));
  }
  [[nodiscard]] std::vector<std::string> texts(const char* name) const {
    std::vector<std::string> out(api_->setting_count(table_, name));
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = view(api_->setting_text_at(table_, name, i));
    }
    return out;
  }
  [[nodiscard]] std::vector<Config> tables(const char* name) const {
    std::vector<Config> out;
    for (std::size_t i = 0; i < api_->setting_count(table_, name); ++i) {
      out.emplace_back(instance_, api_, api_->setting_table_at(table_, name, i));
    }
    return out;
  }
  // The configuration is refused with this sentence, and the place of the setting. An empty name:
  // with the table as a whole. Any other exception that leaves the constructor does that as well.
  [[noreturn]] void fail(const char* name, const std::string& what) const {
    throw ConfigError(table_, name, what);
  }

  [[nodiscard]] penstock_instance* instance() const { return instance_; }
  [[nodiscard]] const penstock_api* api() const { return api_; }

 private:
  penstock_instance* instance_;
  const penstock_api* api_;
  const penstock_config* table_;
};

// -- In an event ------------------------------------------------------------------------------

struct Field {
  std::string_view name;
  std::string_view value;
};

// The fields of a section, by lines. Valid as long as the call.
class Fields {
 public:
  Fields(penstock_call* call, int section) : call_(call), section_(section) {}

  // The line of that name, in any case; the first one, or the one that `index` counts.
  [[nodiscard]] std::optional<std::string_view> get(std::string_view name,
                                                    std::size_t index = 0) const {
    penstock_str value{};
    const int code = call_->api->field_get(call_, section_, str(name), index, &value);
    return code < 0 ? std::nullopt : std::optional(view(value));
  }
  [[nodiscard]] bool has(std::string_view name) const { return get(name).has_value(); }
  // All lines of that name as one list (RFC 9110 section 5.2); empty where there is none. Copied.
  [[nodiscard]] std::string list(std::string_view name) const {
    std::string out;
    std::size_t index = 0;
    for (auto line = get(name); line; line = get(name, ++index)) {
      if (index != 0) out += ", ";
      out += *line;
    }
    return out;
  }
  // All lines of that name, one by one. Copied.
  [[nodiscard]] std::vector<std::string> lines(std::string_view name) const {
    std::vector<std::string> out;
    for (auto line = get(name); line; line = get(name, out.size())) out.emplace_back(*line);
    return out;
  }
  // What is before the parameters of Content-Type, in lower case: "text/html"; or nothing.
  [[nodiscard]] std::string media_type() const {
    return lower(without_parameters(get("Content-Type").value_or("")));
  }
  // The cookies of a request (RFC 6265 section 4.2).
  [[nodiscard]] std::vector<Field> cookies() const {
    std::vector<Field> out;
    std::size_t index = 0;
    for (auto line = get("Cookie"); line; line = get("Cookie", ++index)) {
      for (const std::string_view pair : split(*line, ';')) {
        const std::size_t equals = pair.find('=');
        if (equals == std::string_view::npos) continue;
        out.push_back({pair.substr(0, equals), pair.substr(equals + 1)});
      }
    }
    return out;
  }
  // All lines of all names, in their order.
  [[nodiscard]] std::size_t size() const { return call_->api->field_count(call_, section_); }
  [[nodiscard]] Field operator[](std::size_t index) const {
    penstock_field field{};
    detail::check(call_->api->field_at(call_, section_, index, &field), "field_at");
    return {view(field.name), view(field.value)};
  }

  // One line in place of all of that name; one more line; none any more, which gives how many there
  // were. What is refused stands in module.h at field_set().
  void set(std::string_view name, std::string_view value) const {
    detail::check(call_->api->field_set(call_, section_, str(name), str(value)), "setting", name);
  }
  void add(std::string_view name, std::string_view value) const {
    detail::check(call_->api->field_add(call_, section_, str(name), str(value)), "adding", name);
  }
  int remove(std::string_view name) const {
    const int code = call_->api->field_remove(call_, section_, str(name));
    if (code == PENSTOCK_NOT_FOUND) return 0;
    detail::check(code, "removing", name);
    return code;
  }
  // These lines in place of all of that name.
  void set_lines(std::string_view name, const std::vector<std::string>& lines) const {
    remove(name);
    for (const std::string& line : lines) add(name, line);
  }

 private:
  penstock_call* call_;
  int section_;
};

// Stands for a call that has returned PENSTOCK_WAIT, which goes on when resume() is called, at the
// latest when this object ends. From any thread, also when the transaction is over. One that is
// shared by several (std::shared_ptr) goes on with the last of them.
class Waiter {
 public:
  Waiter(const penstock_api* api, penstock_waiter* waiter) : api_(api), waiter_(waiter) {}
  Waiter(Waiter&& other) noexcept
      : api_(other.api_), waiter_(std::exchange(other.waiter_, nullptr)) {}
  Waiter& operator=(Waiter&& other) noexcept {
    resume();
    api_ = other.api_;
    waiter_ = std::exchange(other.waiter_, nullptr);
    return *this;
  }
  ~Waiter() { resume(); }

  void resume() {
    if (waiter_ != nullptr) api_->resume(std::exchange(waiter_, nullptr));
  }

 private:
  const penstock_api* api_;
  penstock_waiter* waiter_;
};

// A part of the content that was kept back, for Call::emit() or Call::drop(). It is the
// transaction's: what was not given to either is freed with that, not with this object.
class Held {
 public:
  Held() = default;
  explicit Held(penstock_held* held) : held_(held) {}
  Held(Held&& other) noexcept : held_(other.release()) {}
  Held& operator=(Held&& other) noexcept {
    held_ = other.release();
    return *this;
  }
  [[nodiscard]] explicit operator bool() const { return held_ != nullptr; }
  [[nodiscard]] penstock_held* release() { return std::exchange(held_, nullptr); }

 private:
  penstock_held* held_ = nullptr;
};

// A request of the module's own.
struct Subrequest {
  std::string url;  // "http://host:port/path"
  std::string method = "GET";
  std::string content;
  std::vector<std::pair<std::string, std::string>> fields;
  std::string upstream;                  // a group of servers to ask; empty: the URL's host
  std::chrono::milliseconds timeout{0};  // for all of it; 0: 30 seconds
  std::uint64_t max_content = 0;         // of the response; 0: 1 MiB
};

// What came of it.
struct Subresponse {
  int status = 0;     // 0: there was no response
  std::string error;  // why, in a word
  std::vector<std::pair<std::string, std::string>> fields;
  std::string content;
};

namespace detail {
int send(const penstock_api* api, penstock_instance* instance, const Subrequest& request,
         std::function<void(const Subresponse&)> done);
int run_blocking(const penstock_api* api, penstock_instance* instance, std::function<void()> work,
                 std::function<void()> done);
}  // namespace detail

// What an event is about. Only for the time of the event's function.
class Call {
 public:
  explicit Call(penstock_call* call) : call_(call) {}

  [[nodiscard]] penstock_call* raw() const { return call_; }
  [[nodiscard]] const penstock_api& api() const { return *call_->api; }
  // Whether this is the same event again, after it had returned PENSTOCK_WAIT.
  [[nodiscard]] bool resumed() const { return call_->resumed != 0; }
  [[nodiscard]] std::uint64_t transaction() const { return call_->transaction; }
  [[nodiscard]] std::uint64_t connection() const { return call_->connection; }
  [[nodiscard]] const sockaddr* client() const { return call_->client; }

  [[nodiscard]] Fields request() const { return {call_, PENSTOCK_REQUEST}; }
  [[nodiscard]] Fields response() const { return {call_, PENSTOCK_RESPONSE}; }
  [[nodiscard]] Fields request_trailers() const { return {call_, PENSTOCK_REQUEST_TRAILERS}; }
  [[nodiscard]] Fields response_trailers() const { return {call_, PENSTOCK_RESPONSE_TRAILERS}; }
  // Of the answer that answer() or answer_stream() has begun.
  [[nodiscard]] Fields answer_fields() const { return {call_, PENSTOCK_ANSWER_FIELDS}; }

  // One of PENSTOCK_METHOD ...; empty where there is none.
  [[nodiscard]] std::string_view text(int what) const {
    penstock_str value{};
    return api().get_text(call_, what, &value) < 0 ? std::string_view() : view(value);
  }
  void set_text(int what, std::string_view value) const {
    detail::check(api().set_text(call_, what, str(value)), "set_text", value);
  }
  // One of PENSTOCK_STATUS ...; `otherwise` where there is none.
  [[nodiscard]] std::int64_t number(int what, std::int64_t otherwise = -1) const {
    std::int64_t value = 0;
    return api().get_number(call_, what, &value) < 0 ? otherwise : value;
  }
  void set_number(int what, std::int64_t value) const {
    detail::check(api().set_number(call_, what, value), "set_number");
  }
  [[nodiscard]] std::string_view method() const { return text(PENSTOCK_METHOD); }
  [[nodiscard]] std::string_view host() const { return text(PENSTOCK_HOST); }
  [[nodiscard]] std::string_view path() const { return text(PENSTOCK_PATH); }
  [[nodiscard]] std::string_view url() const { return text(PENSTOCK_URL); }
  [[nodiscard]] std::string_view client_ip() const { return text(PENSTOCK_CLIENT_IP); }
  [[nodiscard]] int status() const { return static_cast<int>(number(PENSTOCK_STATUS, 0)); }

  // Content: bytes of one's own, which are copied; a part of the present content; a part of it
  // later.
  void write(std::string_view bytes) const {
    detail::check(api().content_write(call_, bytes.data(), bytes.size()), "content_write");
  }
  void pass(std::size_t offset, std::size_t size) const {
    detail::check(api().content_pass(call_, offset, size), "content_pass");
  }
  [[nodiscard]] Held hold(std::size_t offset, std::size_t size) const {
    penstock_held* held = nullptr;
    detail::check(api().content_hold(call_, offset, size, &held), "content_hold");
    return Held(held);
  }
  void emit(Held held) const { detail::check(api().content_emit(call_, held.release()), "emit"); }
  void drop(Held held) const { detail::check(api().content_drop(call_, held.release()), "drop"); }
  void content_length(std::uint64_t length) const {
    detail::check(api().content_length(call_, length), "content_length");
  }
  // To be returned by response_head of who changes content: takes away what the fields say of the
  // server's bytes. A strong ETag becomes a weak one (RFC 9110 section 8.8.1), parts are not
  // offered, and digests go.
  [[nodiscard]] int changed_response() const {
    const Fields fields = response();
    const std::string_view tag = fields.get("ETag").value_or("");
    if (weak_tag(tag) != tag) fields.set("ETag", weak_tag(tag));
    for (const char* name :
         {"Accept-Ranges", "Content-MD5", "Digest", "Content-Digest", "Repr-Digest"}) {
      fields.remove(name);
    }
    return PENSTOCK_CHANGED;
  }
  // In response_head: whether its content can be changed by who knows its media type. Its status
  // is one with content, it is no part (206), has no Content-Encoding, and Cache-Control does not
  // forbid it.
  [[nodiscard]] bool is_transformable() const {
    const int code = status();
    const std::string coding = response().list("Content-Encoding");
    return code >= 200 && code != 204 && code != 205 && code != 206 && code != 304 &&
           !response().has("Content-Range") && (coding.empty() || same(coding, "identity")) &&
           number(PENSTOCK_NO_TRANSFORM, 0) == 0;
  }
  // In response_head: how long the content is that the response describes, which also that to HEAD
  // does; -1: it does not say.
  [[nodiscard]] std::int64_t described_length() const {
    if (method() != "HEAD") return number(PENSTOCK_RESPONSE_LENGTH);
    const std::string length(response().get("Content-Length").value_or("-1"));
    return std::strtoll(length.c_str(), nullptr, 10);
  }
  // Says that the response depends on this field of the request (RFC 9110 section 12.5.5): adds it
  // to Vary where that does not say so already.
  void vary(std::string_view name) const {
    const std::string names = response().list("Vary");
    if (!has_element(names, name) && !has_element(names, "*")) response().add("Vary", name);
  }

  // Answers, in place of a server: `return call.answer(403, "no\n");`. An empty type: no
  // Content-Type.
  [[nodiscard]] int answer(int status, std::string_view content = {},
                           std::string_view type = "text/plain; charset=utf-8") const {
    detail::check(api().answer(call_, status, nullptr, content.data(), content.size()), "answer");
    if (!content.empty() && !type.empty()) answer_fields().set("Content-Type", type);
    return PENSTOCK_ANSWER;
  }
  // The content comes from the event answer_body.
  [[nodiscard]] int answer_stream(int status) const {
    detail::check(api().answer_stream(call_, status, nullptr), "answer_stream");
    return PENSTOCK_ANSWER;
  }

  // For who returns PENSTOCK_WAIT.
  [[nodiscard]] Waiter waiter() const {
    penstock_waiter* const waiter = api().waiter(call_);
    if (waiter == nullptr) throw Error(PENSTOCK_NOT_NOW, "this event cannot wait");
    return {call_->api, waiter};
  }
  // Sends a request; the event goes on when its response is there: keep what this gives in the
  // transaction, return PENSTOCK_WAIT, and read it when resumed() is true.
  [[nodiscard]] std::shared_ptr<const Subresponse> ask(const Subrequest& request) const {
    auto waiter = std::make_shared<Waiter>(this->waiter());
    auto response = std::make_shared<Subresponse>();
    const int code = detail::send(call_->api, call_->instance, request,
                                  [waiter, response](const Subresponse& received) {
                                    *response = received;
                                    waiter->resume();
                                  });
    detail::check(code, "subrequest");
    return response;
  }
  // Runs `work` where it may block; the event goes on when that is done. To be returned by the
  // event. `work` must not touch the transaction, which may be over before it is: let it share what
  // it works on (std::shared_ptr).
  [[nodiscard]] int run_blocking(std::function<void()> work) const {
    auto waiter = std::make_shared<Waiter>(this->waiter());
    detail::check(detail::run_blocking(call_->api, call_->instance, std::move(work),
                                       [waiter] { waiter->resume(); }),
                  "run_blocking");
    return PENSTOCK_WAIT;
  }

  // The addresses of the target, in before_connect; another list in their place.
  [[nodiscard]] std::vector<std::string> addresses() const {
    std::vector<std::string> out(api().address_count(call_));
    for (std::size_t i = 0; i < out.size(); ++i) {
      penstock_str address{};
      detail::check(api().address_at(call_, i, &address), "address_at");
      out[i] = view(address);
    }
    return out;
  }
  void set_addresses(const std::vector<std::string>& addresses) const {
    std::vector<penstock_str> list;
    list.reserve(addresses.size());
    for (const std::string& address : addresses) list.push_back(str(address));
    detail::check(api().address_set(call_, list.data(), list.size()), "address_set");
  }

  // A field of the access record, by its name in the JSON log; in the event `logged`.
  [[nodiscard]] std::string_view record(std::string_view name) const {
    penstock_str value{};
    return api().record_get(call_, str(name), &value) < 0 ? std::string_view() : view(value);
  }
  // Adds one.
  void add_record(std::string_view name, std::string_view value) const {
    detail::check(api().record_add(call_, str(name), str(value)), "record_add", name);
  }

 private:
  penstock_call* call_;
};

// Collects the content of a response whose head waits for it, up to a limit. To be kept in a
// Transaction, whose events return what these give:
//
//   int response_head(Call& call) { return collected_.begin(call); }
//   int response_body(Call& call, std::string_view piece) { return collected_.add(call, piece); }
//   int response_complete(Call& call) { return collected_.end(call, other(collected_.content())); }
class Collected {
 public:
  // Bytes.
  explicit Collected(std::size_t most) : most_(most) {}

  // PENSTOCK_HOLD_HEAD; or PENSTOCK_DONE, where content is known to be longer than the limit.
  [[nodiscard]] int begin(const Call& call) const {
    const std::int64_t length = call.number(PENSTOCK_RESPONSE_LENGTH);
    return length > 0 && static_cast<std::uint64_t>(length) > most_ ? PENSTOCK_DONE
                                                                    : PENSTOCK_HOLD_HEAD;
  }
  // Where it turns out to be longer, all passes as it is, and no more is called for the
  // transaction.
  [[nodiscard]] int add(const Call& call, std::string_view piece) {
    if (piece.size() <= most_ - content_.size()) {
      content_ += piece;
      return PENSTOCK_CHANGED;
    }
    call.write(content_);
    return PENSTOCK_DONE;
  }
  // What has come.
  [[nodiscard]] const std::string& content() const { return content_; }
  // Sends this in its place, with its length. Where nothing came, nothing is sent.
  [[nodiscard]] int end(const Call& call, std::string_view content) const {
    if (content_.empty()) return PENSTOCK_CONTINUE;
    call.content_length(content.size());
    call.write(content);
    return PENSTOCK_CONTINUE;
  }

 private:
  std::size_t most_;
  std::string content_;
};

// The events of a transaction; their meaning and order stand in module.h. They return
// PENSTOCK_CONTINUE and so on. Override those that are wanted, in an Instance or in a Transaction.
class Events {
 public:
  Events() = default;
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;
  virtual ~Events() = default;

  virtual int request_head(Call& /*call*/) { return PENSTOCK_CONTINUE; }
  virtual int request_body(Call& /*call*/, std::string_view /*bytes*/) { return PENSTOCK_CONTINUE; }
  virtual int request_complete(Call& /*call*/) { return PENSTOCK_CONTINUE; }
  virtual int cache_lookup(Call& /*call*/) { return PENSTOCK_CONTINUE; }
  virtual int before_connect(Call& /*call*/) { return PENSTOCK_CONTINUE; }
  virtual int response_head(Call& /*call*/) { return PENSTOCK_CONTINUE; }
  virtual int response_body(Call& /*call*/, std::string_view /*bytes*/) {
    return PENSTOCK_CONTINUE;
  }
  virtual int response_complete(Call& /*call*/) { return PENSTOCK_CONTINUE; }
  virtual int answer_body(Call& /*call*/) { return PENSTOCK_END; }
  virtual int logged(Call& /*call*/) { return PENSTOCK_CONTINUE; }
};

// What a module remembers of one transaction. Made before the first event that the class overrides,
// destroyed when the transaction is over. Its constructor gets the Instance and the call, or the
// Instance alone, or nothing: the first of these that it takes.
class Transaction : public Events {};

}  // namespace penstock

#endif  // PENSTOCK_MODULE_CALL_HPP
