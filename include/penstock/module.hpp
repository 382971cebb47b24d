// The interface for modules (penstock/module.h) for C++17 and later; only headers, no library.
// penstock/module_text.hpp is a part of it; penstock/module_html.hpp stands beside it.
//
// A module is a class derived from Instance, made once for each [module.NAME] of the configuration,
// and, where it has something to remember of a transaction, one derived from Transaction:
//
//   class Hello : public penstock::Instance {
//    public:
//     explicit Hello(const penstock::Config& config)
//         : Instance(config), greeting_(config.text("greeting")) {}
//     int response_head(penstock::Call& call) override {
//       call.response().set("X-Greeting", greeting_);
//       return PENSTOCK_DONE;
//     }
//
//    private:
//     std::string greeting_;
//   };
//
//   constexpr penstock_setting kSettings[] = {
//       penstock::setting("greeting", PENSTOCK_SETTING_STRING, "\"hello\"", "What is said."),
//   };
//   constexpr penstock_module kModule =
//       penstock::module<Hello>("hello", "1.0", "Greets in a field.", kSettings);
//   PENSTOCK_MODULE(kModule);
//
// What comes from module.h keeps its meaning, its return codes and its rules for threads: the
// events of an Instance are called from several threads at the same time, those of a Transaction
// never are.
//
// Events that a class does not override do not exist for the proxy, and cost nothing.
//
// Texts are std::string_view. What a function gives is valid until the event's function returns, or
// until the thing it was read from is changed; what lasts longer is said to be copied.
//
// Exceptions. What reads gives something empty where there is nothing. What changes throws Error
// where the proxy refuses. An exception that leaves an event becomes a line in the log and
// PENSTOCK_ERROR; one that leaves another function of the module, a line in the log. So an Error
// need only be caught where the module can do better.
#ifndef PENSTOCK_MODULE_HPP
#define PENSTOCK_MODULE_HPP

#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

#include "penstock/module_call.hpp"
#include "penstock/module_instance.hpp"
#include "penstock/module_text.hpp"

namespace penstock {

// -- The module itself ------------------------------------------------------------------------

namespace detail {

class NoTransaction : public Transaction {};

// The callbacks of a struct penstock_module, for an Instance and a Transaction.
template <class I, class T>
struct Glue {
  static_assert(std::is_base_of_v<Instance, I>, "derive it from penstock::Instance");
  static_assert(std::is_base_of_v<Transaction, T>, "derive it from penstock::Transaction");

  // Runs f, an event; what it throws is a failure of the module.
  template <class F>
  static int guard(penstock_call* raw, const F& f) noexcept {
    int result = PENSTOCK_ERROR;
    guarded(raw->api, raw->instance, [&] { result = f(); });
    return result;
  }

  static I& instance_of(penstock_call* raw) { return *static_cast<I*>(raw->data); }

  // Made when it is first asked for.
  static T& transaction_of(penstock_call* raw) {
    if (raw->opaque == nullptr) {
      I& instance = instance_of(raw);
      Call call(raw);
      std::unique_ptr<T> made;
      if constexpr (std::is_constructible_v<T, I&, Call&>) {
        made = std::make_unique<T>(instance, call);
      } else if constexpr (std::is_constructible_v<T, I&>) {
        made = std::make_unique<T>(instance);
      } else {
        made = std::make_unique<T>();
      }
      raw->opaque = made.release();  // until `free`
    }
    return *static_cast<T*>(raw->opaque);
  }

  template <auto Event, bool OfTransaction, class... Arguments>
  static int on(penstock_call* raw, Arguments... arguments) noexcept {
    return guard(raw, [&] {
      Call call(raw);
      if constexpr (OfTransaction) {
        return (transaction_of(raw).*Event)(call, arguments...);
      } else {
        return (instance_of(raw).*Event)(call, arguments...);
      }
    });
  }
  template <auto Event, bool OfTransaction>
  static int on_content(penstock_call* raw, const char* bytes, std::size_t size) noexcept {
    return on<Event, OfTransaction>(raw, std::string_view(bytes, size));
  }

  // Which class overrides an event: a pointer to a member has the type of the class that declares
  // it last.
  enum class Owner { none, instance, transaction };
  template <auto Untouched, auto OfI, auto OfT>
  static constexpr Owner owner() {
    constexpr bool in_i = !std::is_same_v<decltype(OfI), decltype(Untouched)>;
    constexpr bool in_t = !std::is_same_v<decltype(OfT), decltype(Untouched)>;
    static_assert(!(in_i && in_t), "an event belongs to the Instance or the Transaction, not both");
    return in_t ? Owner::transaction : in_i ? Owner::instance : Owner::none;
  }

  // The callback for an event; null where nobody overrides it.
  template <auto Untouched, auto OfI, auto OfT>
  static constexpr auto slot() -> int (*)(penstock_call*) {
    constexpr Owner whose = owner<Untouched, OfI, OfT>();
    if constexpr (whose == Owner::transaction) return &on<OfT, true>;
    if constexpr (whose == Owner::instance) return &on<OfI, false>;
    return nullptr;
  }
  template <auto Untouched, auto OfI, auto OfT>
  static constexpr auto content_slot() -> int (*)(penstock_call*, const char*, std::size_t) {
    constexpr Owner whose = owner<Untouched, OfI, OfT>();
    if constexpr (whose == Owner::transaction) return &on_content<OfT, true>;
    if constexpr (whose == Owner::instance) return &on_content<OfI, false>;
    return nullptr;
  }

  static int configure(penstock_instance* instance, const penstock_api* api,
                       const penstock_config* table, void** data) noexcept {
    try {
      *data = std::make_unique<I>(Config(instance, api, table)).release();  // until `close`
      return PENSTOCK_OK;
    } catch (const ConfigError& error) {
      const std::string& name = error.name();
      api->setting_error(error.table(), name.empty() ? nullptr : name.c_str(), error.what());
    } catch (const std::exception& error) {
      api->setting_error(table, nullptr, error.what());
    } catch (...) {
      api->setting_error(table, nullptr, "an exception of an unknown type");
    }
    return PENSTOCK_ERROR;
  }
  static void close(penstock_instance* /*instance*/, void* data) noexcept {
    const std::unique_ptr<I> ends(static_cast<I*>(data));
  }
  static int connection(penstock_call* raw) noexcept { return on<&I::connection, false>(raw); }
  static void connection_free(penstock_call* raw) noexcept {
    guard(raw, [&] {
      Call call(raw);
      instance_of(raw).connection_free(call);
      return PENSTOCK_OK;
    });
  }
  static void free(penstock_call* raw) noexcept {
    const std::unique_ptr<T> ends(static_cast<T*>(raw->opaque));
  }

  static constexpr penstock_module make() {
    penstock_module out{};
    out.abi = PENSTOCK_ABI;
    out.size = sizeof(penstock_module);
    if (&I::load != &Instance::load) out.load = &I::load;
    if (&I::unload != &Instance::unload) out.unload = &I::unload;
    out.configure = &configure;
    out.close = &close;
    if constexpr (!std::is_same_v<decltype(&I::connection), decltype(&Instance::connection)>) {
      out.connection = &connection;
    }
    if constexpr (!std::is_same_v<decltype(&I::connection_free),
                                  decltype(&Instance::connection_free)>) {
      out.connection_free = &connection_free;
    }
    out.request_head = slot<&Events::request_head, &I::request_head, &T::request_head>();
    out.request_body = content_slot<&Events::request_body, &I::request_body, &T::request_body>();
    out.request_complete =
        slot<&Events::request_complete, &I::request_complete, &T::request_complete>();
    out.cache_lookup = slot<&Events::cache_lookup, &I::cache_lookup, &T::cache_lookup>();
    out.before_connect = slot<&Events::before_connect, &I::before_connect, &T::before_connect>();
    out.response_head = slot<&Events::response_head, &I::response_head, &T::response_head>();
    out.response_body =
        content_slot<&Events::response_body, &I::response_body, &T::response_body>();
    out.response_complete =
        slot<&Events::response_complete, &I::response_complete, &T::response_complete>();
    out.answer_body = slot<&Events::answer_body, &I::answer_body, &T::answer_body>();
    out.logged = slot<&Events::logged, &I::logged, &T::logged>();
    if constexpr (!std::is_same_v<T, NoTransaction>) out.free = &free;
    return out;
  }
};

}  // namespace detail

// The module that PENSTOCK_MODULE() exports: of an Instance, and of a Transaction where there is
// one. The texts and settings must last, as literals and constants do.
template <class InstanceType, class TransactionType = detail::NoTransaction>
[[nodiscard]] constexpr penstock_module module(const char* name, const char* version,
                                               const char* summary) {
  penstock_module out = detail::Glue<InstanceType, TransactionType>::make();
  out.name = name;
  out.version = version;
  out.summary = summary;
  return out;
}
template <class InstanceType, class TransactionType = detail::NoTransaction, std::size_t N>
[[nodiscard]] constexpr penstock_module module(const char* name, const char* version,
                                               const char* summary,
                                               const penstock_setting (&settings)[N]) {
  penstock_module out = module<InstanceType, TransactionType>(name, version, summary);
  out.settings = settings;
  out.setting_count = N;
  return out;
}

}  // namespace penstock

#endif  // PENSTOCK_MODULE_HPP
