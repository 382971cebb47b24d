/*
 * The interface for modules as it was first released, kept as it is for ever: modules built with
 * this file have to go on working (tests/e2e/test_module_interface.py). Not to be changed, and not
 * to be used by anything else.
 *
 * The interface between Penstock and its modules: shared objects that see and change requests and
 * responses, answer them, choose servers, write logs, run timers.
 *
 * Plain C (C11 and later, C++ as well). A module fills a struct penstock_module with callbacks and
 * exports it by PENSTOCK_MODULE(). What a callback needs of the proxy it gets through the functions
 * of struct penstock_api. docs/modules.md is the tutorial; this file is the reference.
 *
 * Compatibility. Structures only ever grow at their end, enumerations only get new values, and no
 * meaning changes. Each structure says its size, so that either side knows what the other has: a
 * module that was built with this file goes on working with later versions of the proxy. One that
 * uses what came later asks PENSTOCK_HAS() whether the proxy has it.
 *
 * Threads. A module's `load`, `configure`, `close` and `unload` are called from one thread. What
 * is called for a transaction is called for one event at a time, but from whichever thread serves
 * it, and for other transactions from other threads at the same time: data that transactions share
 * needs a lock, or atomics. By the configuration (`isolation`) these threads are the proxy's own
 * ("inline": a callback must not block, or all other connections of that thread wait), threads
 * beside them ("thread"), or those of another process ("process"); a module does not have to know.
 */
#ifndef PENSTOCK_MODULE_H
#define PENSTOCK_MODULE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The generation of this interface. Another one means that old modules cannot work. */
#define PENSTOCK_ABI 1u

/* Whether a structure of the other side is new enough to have that member. */
#define PENSTOCK_HAS(structure, member) \
  ((structure)->size >= offsetof(__typeof__(*(structure)), member) + sizeof((structure)->member))

/* Bytes; not zero-terminated. What a function gives back stays valid until the callback returns,
 * or until the thing it was read from is changed. */
typedef struct penstock_str {
  const char* data;
  size_t size;
} penstock_str;

/* A penstock_str of a string literal. */
#ifdef __cplusplus
#define PENSTOCK_STR(literal) (penstock_str{(literal), sizeof(literal) - 1})
#else
#define PENSTOCK_STR(literal) ((penstock_str){(literal), sizeof(literal) - 1})
#endif

/* What a callback returns. */
enum {
  /* Go on. At a head: the content is not going to be changed, only looked at. With content: it
   * passes as it is, after whatever was written by content_write(). */
  PENSTOCK_CONTINUE = 0,
  /* Go on with changes. At a head: the content is going to be changed, so that its length is not
   * known any more (see content_length()). With content: only what was written by content_write(),
   * content_pass() and content_emit() passes; nothing of it: it is dropped. */
  PENSTOCK_CHANGED = 1,
  /* The client gets the answer that was begun with answer() or answer_stream(). At a head of a
   * request: no server is asked. At one of a response: the answer takes its place. */
  PENSTOCK_ANSWER = 2,
  /* Not yet: the same callback is called again, with `resumed` set, after resume() was called for
   * the waiter of this call. Meanwhile nothing more is read of the message. */
  PENSTOCK_WAIT = 3,
  /* Go on, and call nothing more for this transaction but `free`. What is still to come of content
   * passes as it is; what is held of it does not. */
  PENSTOCK_DONE = 4,
  /* From answer_body: that was the last of the content. */
  PENSTOCK_END = 5,
  /* At a head: go on, nothing of this message's content is wanted. With content: what was written
   * by content_write() passes, then this piece and all the rest as it is. Neither _body nor
   * _complete is called any more for this message; later events are. */
  PENSTOCK_SKIP_CONTENT = 6,
  /* At a head: as PENSTOCK_CHANGED, and the head itself is kept back until the first content is
   * written, passed or emitted, or the _complete callback has returned. Until then, that is in
   * _body and _complete, fields, texts and numbers may still be set as in the event of the head,
   * content_length() may be called, and PENSTOCK_ANSWER be returned. For who must see content
   * before it can say what becomes of the message. */
  PENSTOCK_HOLD_HEAD = 7,
  /* The module has failed. What becomes of the transaction is the configuration's choice
   * (`on_failure`). */
  PENSTOCK_ERROR = -1,

  /* What functions return. Anything negative is a failure. One enumeration with the above, as some
   * compilers warn where two meet in `? :`. */
  PENSTOCK_OK = 0,
  PENSTOCK_NOT_FOUND = -2,   /* there is no such field, attribute, setting */
  PENSTOCK_NOT_NOW = -3,     /* not in this event, or not any more */
  PENSTOCK_INVALID = -4,     /* an argument that cannot be: a name that is none, a line break */
  PENSTOCK_LIMIT = -5,       /* a limit of the configuration or of the proxy is reached */
  PENSTOCK_UNSUPPORTED = -6, /* not with this isolation, or not in this build */
  PENSTOCK_NO_CACHE = -7,    /* there is no cache */
  PENSTOCK_FAILED = -8,      /* the system said no */
};

/* A [module.NAME] of the configuration: this module with one set of settings. */
typedef struct penstock_instance penstock_instance;
/* The settings of an instance, or of a table inside them; valid during `configure`. */
typedef struct penstock_config penstock_config;
/* Stands for a call that returned PENSTOCK_WAIT. */
typedef struct penstock_waiter penstock_waiter;
/* Content that was kept back by content_hold(). Belongs to its transaction. */
typedef struct penstock_held penstock_held;
/* A counter or gauge that the proxy publishes. */
typedef struct penstock_metric penstock_metric;
/* A log file of a module's own. */
typedef struct penstock_log_file penstock_log_file;
/* A timer of timer_start(), a descriptor of watch_start(). */
typedef struct penstock_timer penstock_timer;
typedef struct penstock_watch penstock_watch;
/* An object that is being put into the cache. */
typedef struct penstock_injection penstock_injection;

/* A header or trailer field. */
typedef struct penstock_field {
  penstock_str name;
  penstock_str value;
} penstock_field;

/* What every callback of a transaction is told; also the handle that functions ask for. Valid until
 * the callback returns. */
typedef struct penstock_call {
  size_t size;
  const struct penstock_api* api;
  penstock_instance* instance;
  void* data;              /* what `configure` left in its `data` */
  void* opaque;            /* the module's own, from the call before of this transaction; at first
                              null. May be set; `free` gets the last one. */
  void* connection_opaque; /* what `connection` left in `opaque`; null where it did not, or
                              where the connection was there before the instance: after a change
                              of the configuration */
  uint64_t transaction;    /* id, unique while the proxy runs; 0 in `connection` */
  uint64_t connection;     /* id of the client's connection, as in the access log */
  const struct sockaddr* client; /* the client's address: AF_INET, AF_INET6 or AF_UNIX */
  socklen_t client_size;
  int resumed; /* 1: called again after PENSTOCK_WAIT */
} penstock_call;

/* Which field section a function is about. */
enum {
  PENSTOCK_REQUEST = 0,           /* the request's header fields */
  PENSTOCK_RESPONSE = 1,          /* the response's; from response_head on */
  PENSTOCK_REQUEST_TRAILERS = 2,  /* in request_complete; in others not there */
  PENSTOCK_RESPONSE_TRAILERS = 3, /* in response_complete */
  PENSTOCK_ANSWER_FIELDS = 4,     /* of the answer that was begun */
};

/* Texts of a transaction, for get_text() and set_text(). (set): in which events it may be set. */
enum {
  PENSTOCK_METHOD = 0,          /* (set: request_head) */
  PENSTOCK_SCHEME = 1,          /* "http" or "https": how the client came, or what it asked for */
  PENSTOCK_HOST = 2,            /* the authority it asked for, with a port where it gave one (set:
                                   request_head; where the request goes then depends on the new one,
                                   but not where the filter is behind the cache) */
  PENSTOCK_PATH = 3,            /* path and query (set: request_head; the same) */
  PENSTOCK_URL = 4,             /* scheme, authority, path and query in one */
  PENSTOCK_VERSION = 5,         /* the client's: "HTTP/1.0", "HTTP/1.1", "HTTP/2" */
  PENSTOCK_REASON = 6,          /* of the response; may be empty (set: response_head) */
  PENSTOCK_CLIENT_IP = 7,       /* "192.0.2.1", "2001:db8::1", "unix:/path" */
  PENSTOCK_LISTENER = 8,        /* its name in the configuration */
  PENSTOCK_ROUTE = 9,           /* the route's name; empty where it has none */
  PENSTOCK_UPSTREAM = 10,       /* name of the group of servers; empty: the target itself (set:
                                   before_connect) */
  PENSTOCK_SERVER = 11,         /* of the group, as it stands in the configuration: the one to be
                                   preferred (set: before_connect) */
  PENSTOCK_SERVER_ADDRESS = 12, /* "192.0.2.1:80": the one that was connected to; from
                                   response_head on */
  PENSTOCK_TARGET_HOST = 13,    /* without a group: the name or address that is connected to (set:
                                   before_connect) */
  PENSTOCK_TLS_VERSION = 14,    /* of the client's connection; empty without TLS */
  PENSTOCK_TLS_SERVER_NAME = 15,
  PENSTOCK_TLS_CLIENT_SUBJECT = 16, /* of the certificate that the client has shown */
  PENSTOCK_CACHE_RESULT = 17,       /* in cache_lookup and after it: "none" without a cache */
};

/* Numbers of a transaction, for get_number() and set_number(). */
enum {
  PENSTOCK_STATUS = 0,         /* of the response (set: response_head, 200 to 599) */
  PENSTOCK_REQUEST_LENGTH = 1, /* of the request's content; -1: not known beforehand */
  PENSTOCK_RESPONSE_LENGTH = 2,
  PENSTOCK_CLIENT_PORT = 3,
  PENSTOCK_TARGET_PORT = 4,    /* (set: before_connect) */
  PENSTOCK_REQUEST_NUMBER = 5, /* on its connection, from 1 */
  PENSTOCK_INTERCEPTED = 6,    /* 1: the client knows nothing of the proxy */
  PENSTOCK_NO_TRANSFORM = 7,   /* 1: Cache-Control of the present message forbids to change its
                                  content (RFC 9111 section 5.2.2.6) */
};

/* Levels of log(). */
enum {
  PENSTOCK_LOG_DEBUG = 0,
  PENSTOCK_LOG_INFO = 1,
  PENSTOCK_LOG_WARNING = 2,
  PENSTOCK_LOG_ERROR = 3,
};

/* The types of settings. */
enum {
  PENSTOCK_SETTING_STRING = 0,
  PENSTOCK_SETTING_INTEGER = 1,
  PENSTOCK_SETTING_NUMBER = 2,
  PENSTOCK_SETTING_BOOLEAN = 3,
  PENSTOCK_SETTING_DURATION = 4, /* "30s"; an integer of milliseconds */
  PENSTOCK_SETTING_SIZE = 5,     /* "64KiB"; an integer of bytes */
  PENSTOCK_SETTING_STRINGS = 6,  /* a list of strings */
  PENSTOCK_SETTING_TABLES = 7,   /* a list of tables, each with the settings of `inner` */
};

/* One key of the table [module.NAME.config]. The proxy checks the table by these, and says file,
 * line and column of what is wrong. */
typedef struct penstock_setting {
  const char* name;
  int type;
  const char* standard; /* the default as written in the file; null: it must be given */
  const char* meaning;  /* a sentence, for `penstock module show` */
  double least, most;   /* of numbers, durations (ms) and sizes (bytes); both 0: any */
  const struct penstock_setting* inner; /* of PENSTOCK_SETTING_TABLES */
  size_t inner_count;
} penstock_setting;

/* A request of a module's own, for subrequest(). Texts are copied. */
typedef struct penstock_subrequest {
  size_t size;
  penstock_str method;   /* empty: GET */
  penstock_str url;      /* "http://host:port/path" or "https://..." */
  penstock_str upstream; /* name of a group of servers to ask; empty: the host of the URL */
  const penstock_field* fields;
  size_t field_count;
  penstock_str content;
  uint64_t timeout_ms;  /* for all of it; 0: 30 seconds */
  uint64_t max_content; /* bytes of the response to keep; 0: 1 MiB. More is a failure. */
} penstock_subrequest;

/* What came of it. Valid during the call. */
typedef struct penstock_subresponse {
  size_t size;
  int status;         /* 0: there was no response, `error` says why */
  penstock_str error; /* a short name, such as "timed_out" */
  const penstock_field* fields;
  size_t field_count;
  penstock_str content;
} penstock_subresponse;

typedef void (*penstock_subrequest_done)(penstock_instance* instance, void* data,
                                         const penstock_subresponse* response);

/* An object of the cache. */
typedef struct penstock_cache_object {
  size_t size;
  int result; /* PENSTOCK_OK, or why there is none */
  penstock_str url;
  int status;
  int64_t age_s;
  int64_t fresh_s; /* how long it is still fresh; negative: since when it is not */
  uint64_t content_size;
  const penstock_field* fields; /* only for cache_read() and cache_fetch() */
  size_t field_count;
  penstock_str content; /* the same */
} penstock_cache_object;

typedef void (*penstock_cache_done)(penstock_instance* instance, void* data,
                                    const penstock_cache_object* object);

/*
 * What the proxy offers. One structure for all modules; valid as long as the module is loaded.
 * Functions that take a call are for the thread and the time of that callback; those that take an
 * instance may be called from any thread, unless they say otherwise.
 */
typedef struct penstock_api {
  size_t size;
  uint32_t abi;
  const char* version; /* of the proxy: "0.1.0" */

  /* -- Settings; in `configure` only ------------------------------------------------ */

  /* The value of a setting, its default where it is not in the file. Text: of strings. */
  penstock_str (*setting_text)(const penstock_config* config, const char* name);
  /* Of integers, durations (ms), sizes (bytes), and 0 or 1 of booleans. */
  int64_t (*setting_integer)(const penstock_config* config, const char* name);
  double (*setting_number)(const penstock_config* config, const char* name);
  /* How many elements a list has; its strings; its tables. */
  size_t (*setting_count)(const penstock_config* config, const char* name);
  penstock_str (*setting_text_at)(const penstock_config* config, const char* name, size_t index);
  const penstock_config* (*setting_table_at)(const penstock_config* config, const char* name,
                                             size_t index);
  /* Says what is wrong with a setting, in a sentence; shown with the place where it stands. For
   * `configure` to return PENSTOCK_ERROR afterwards. `name` null: with the table as a whole. */
  void (*setting_error)(const penstock_config* config, const char* name, const char* text);
  /* The NAME of [module.NAME]; valid as long as the instance. */
  penstock_str (*instance_name)(const penstock_instance* instance);

  /* -- Fields ----------------------------------------------------------------------- */

  /* The line of that name (in any case), counted from 0 by `index` among those of that name. */
  int (*field_get)(penstock_call* call, int section, penstock_str name, size_t index,
                   penstock_str* value);
  /* All lines, in their order. */
  size_t (*field_count)(penstock_call* call, int section);
  int (*field_at)(penstock_call* call, int section, size_t index, penstock_field* field);
  /* Replaces all lines of that name by one; adds one; removes all, and gives their number. Refused
   * as PENSTOCK_INVALID are names that are none, values with line breaks or zero bytes, and fields
   * that are the proxy's own business: those of this hop (Connection, Transfer-Encoding ...),
   * Content-Length, and Host, which is PENSTOCK_HOST. PENSTOCK_NOT_NOW once the head is on its
   * way. */
  int (*field_set)(penstock_call* call, int section, penstock_str name, penstock_str value);
  int (*field_add)(penstock_call* call, int section, penstock_str name, penstock_str value);
  int (*field_remove)(penstock_call* call, int section, penstock_str name);

  /* -- What else is known of the transaction ---------------------------------------- */

  /* One of PENSTOCK_METHOD and so on. PENSTOCK_NOT_NOW in events where it is not known yet, or not
   * any more, or cannot be set; PENSTOCK_INVALID where it would not be one. */
  int (*get_text)(penstock_call* call, int text, penstock_str* value);
  int (*set_text)(penstock_call* call, int text, penstock_str value);
  /* One of PENSTOCK_STATUS and so on; the same. */
  int (*get_number)(penstock_call* call, int number, int64_t* value);
  int (*set_number)(penstock_call* call, int number, int64_t value);

  /* -- Content: in request_body, response_body, answer_body and the _complete events  */

  /* Writes bytes of the module's own into the message; they are copied. Beside the workers about
   * 16 MiB in one call of a callback, and PENSTOCK_LIMIT beyond that. */
  int (*content_write)(penstock_call* call, const void* bytes, size_t size);
  /* Writes a part of the present content; it is not copied. */
  int (*content_pass)(penstock_call* call, size_t offset, size_t size);
  /* Keeps a part of the present content for later, without a copy where it is large. What is held
   * counts, each part for at least 4 KiB: beyond `hold_limit` of the configuration it is
   * PENSTOCK_LIMIT. content_emit() writes and frees it, content_drop() only frees it; the end of
   * the transaction does so as well. */
  int (*content_hold)(penstock_call* call, size_t offset, size_t size, penstock_held** held);
  int (*content_emit)(penstock_call* call, penstock_held* held);
  int (*content_drop)(penstock_call* call, penstock_held* held);
  /* How long the content is going to be in the end; at a head, by who returns PENSTOCK_CHANGED. The
   * message is cut where that proves wrong. */
  int (*content_length)(penstock_call* call, uint64_t length);

  /* -- Answers: in request_head and response_head ----------------------------------- */

  /* Begins an answer with all of its content, which is copied. Fields: PENSTOCK_ANSWER_FIELDS. A
   * null reason: the usual one. */
  int (*answer)(penstock_call* call, int status, const char* reason, const void* content,
                size_t size);
  /* Begins one whose content comes from `answer_body`. */
  int (*answer_stream)(penstock_call* call, int status, const char* reason);

  /* -- Waiting ---------------------------------------------------------------------- */

  /* Before returning PENSTOCK_WAIT: what resume() is to be called with. */
  penstock_waiter* (*waiter)(penstock_call* call);
  /* From any thread: the call goes on. To be called exactly once for each waiter, also when the
   * transaction has ended meanwhile; it frees the waiter. */
  void (*resume)(penstock_waiter* waiter);

  /* -- Choosing the server: in before_connect --------------------------------------- */

  /* The addresses of the target, in the order in which they are tried; there are none in this list
   * where a group of servers is asked. A new list takes the place of the old one: "192.0.2.1:80",
   * "[2001:db8::1]:80". What a forward proxy may not reach is left out of it afterwards, too. */
  size_t (*address_count)(penstock_call* call);
  int (*address_at)(penstock_call* call, size_t index, penstock_str* address);
  int (*address_set)(penstock_call* call, const penstock_str* addresses, size_t count);

  /* -- The access record ------------------------------------------------------------ */

  /* In `logged`: a field of the record, by its name in the JSON access log ("status", "total_us",
   * "bytes_out" ...), as text. */
  int (*record_get)(penstock_call* call, penstock_str name, penstock_str* value);
  /* In any event: adds a field to the transaction's line of the JSON log. Names: letters, digits,
   * "_"; at most 16 fields and 4 KiB a transaction. PENSTOCK_UNSUPPORTED in `logged` where
   * callbacks do not run inline: the line is written meanwhile. */
  int (*record_add)(penstock_call* call, penstock_str name, penstock_str value);

  /* -- Logs and metrics ------------------------------------------------------------- */

  /* A line in the proxy's log, with the instance's name in front. At most 100 a second of an
   * instance; how many were left out is said. */
  void (*log)(penstock_instance* instance, int level, const char* text);
  /* Opens a file to append lines to; null: that is not possible, errno says why. Writing never
   * waits for a disk. It is opened anew when the proxy is told to (SIGUSR1). Closed with the
   * instance. */
  penstock_log_file* (*log_file_open)(penstock_instance* instance, const char* path);
  /* Appends text, to which a line break is added. */
  void (*log_file_write)(penstock_log_file* file, penstock_str line);
  /* A counter, or the gauge that metric_set() makes it; the same one for the same name. Names:
   * letters, digits, "_". It is published as penstock_module_NAME{instance="..."}. */
  penstock_metric* (*metric)(penstock_instance* instance, const char* name, const char* help);
  void (*metric_add)(penstock_metric* metric, int64_t n);
  void (*metric_set)(penstock_metric* metric, int64_t n);

  /* -- Time, descriptors, threads --------------------------------------------------- */

  /* Calls `f` every `period_ms`, the first time after one period, from one thread of the proxy (or
   * of the helper process); until timer_stop() or the end of the instance. */
  penstock_timer* (*timer_start)(penstock_instance* instance, uint64_t period_ms,
                                 void (*f)(penstock_instance* instance, void* data), void* data);
  void (*timer_stop)(penstock_timer* timer);
  /* Calls `f` when the descriptor has one of the poll(2) events POLLIN, POLLOUT; the descriptor
   * stays the module's, which must stop watching before it closes it. */
  penstock_watch* (*watch_start)(penstock_instance* instance, int descriptor, short events,
                                 void (*f)(penstock_instance* instance, void* data, short events),
                                 void* data);
  void (*watch_stop)(penstock_watch* watch);
  /* Runs `work` on a thread where it may block, then `done` on a thread of the proxy; `done` may be
   * null. At most 1024 wait: more is PENSTOCK_LIMIT. Work that still waits when the instance ends
   * is left out, and its `done` called before `close`: it may free `data`. */
  int (*run_blocking)(penstock_instance* instance, void (*work)(void* data),
                      void (*done)(penstock_instance* instance, void* data), void* data);
  /* Sends a request and calls `done` with the response, on a thread of the proxy, exactly once if
   * this gives PENSTOCK_OK. What is under way when the instance ends is broken off: status 0,
   * "cancelled", before `close`. */
  int (*subrequest)(penstock_instance* instance, const penstock_subrequest* request,
                    penstock_subrequest_done done, void* data);

  /* -- The cache. Without one each of these gives PENSTOCK_NO_CACHE, and calls nothing. -- */

  /* Whether an object is there; with its content; fetched where it is not there. */
  int (*cache_query)(penstock_instance* instance, penstock_str url, penstock_cache_done done,
                     void* data);
  int (*cache_read)(penstock_instance* instance, penstock_str url, penstock_cache_done done,
                    void* data);
  int (*cache_fetch)(penstock_instance* instance, penstock_str url, penstock_cache_done done,
                     void* data);
  /* Fetches an object in the background, if it is not there. */
  int (*cache_prefetch)(penstock_instance* instance, penstock_str url);
  /* Asks the origin whether it is still valid; makes it stale; removes it. */
  int (*cache_validate)(penstock_instance* instance, penstock_str url, penstock_cache_done done,
                        void* data);
  int (*cache_expire)(penstock_instance* instance, penstock_str url);
  int (*cache_remove)(penstock_instance* instance, penstock_str url);
  /* Keeps it whatever the need for room, or lets it go again. */
  int (*cache_pin)(penstock_instance* instance, penstock_str url, int pinned);
  /* Calls `each` for all objects whose URL begins so, then once with the result PENSTOCK_NOT_FOUND.
   */
  int (*cache_enumerate)(penstock_instance* instance, penstock_str prefix, penstock_cache_done each,
                         void* data);
  /* Puts an object of the module's own in: head, content in parts, and whether it is complete. */
  int (*cache_inject)(penstock_instance* instance, penstock_str url, int status,
                      const penstock_field* fields, size_t field_count,
                      penstock_injection** injection);
  int (*cache_inject_body)(penstock_injection* injection, const void* bytes, size_t size);
  int (*cache_inject_done)(penstock_injection* injection, int complete);
} penstock_api;

/*
 * A module. Callbacks that are null cost nothing; content is only shown to those who have a
 * callback for it. The events of a transaction come in this order: request_head, then request_body
 * and request_complete beside all that follows; cache_lookup; before_connect; response_head,
 * response_body, response_complete; logged; free. What does not happen (no server is asked, the
 * client leaves) is not called; `logged` is for all transactions for which the conditions of the
 * filter hold, as far as they are about the request (but not after PENSTOCK_DONE, nor after a
 * failure of the module where `on_failure` is "skip"); `free` for those that have left something.
 */
typedef struct penstock_module {
  uint32_t abi;     /* PENSTOCK_ABI */
  uint32_t size;    /* sizeof(struct penstock_module) */
  const char* name; /* letters, digits, "_", "-" */
  const char* version;
  const char* summary;              /* a sentence */
  const penstock_setting* settings; /* what [module.NAME.config] may contain */
  size_t setting_count;

  /* The shared object has been loaded. Anything but PENSTOCK_OK: it is refused. */
  int (*load)(const penstock_api* api);
  /* An instance begins. `*data` is what its callbacks get as `data`. Anything but PENSTOCK_OK: the
   * configuration is refused, with what setting_error() has said. `close` is not called then. */
  int (*configure)(penstock_instance* instance, const penstock_api* api,
                   const penstock_config* config, void** data);
  /* The instance ends; no transaction of it is left, nothing of it will be called any more. */
  void (*close)(penstock_instance* instance, void* data);
  /* The shared object is about to be unloaded. */
  void (*unload)(void);

  /* A client's connection is about to be served: its first request has begun to come, and TLS, if
   * any, has been agreed on. `opaque`: of the connection. PENSTOCK_CONTINUE, or PENSTOCK_ERROR: it
   * is closed. */
  int (*connection)(penstock_call* call);
  /* It has ended; only where its opaque is not null. */
  void (*connection_free)(penstock_call* call);

  /* The head of a request is there. */
  int (*request_head)(penstock_call* call);
  /* Some of its content: `size` is never 0. */
  int (*request_body)(penstock_call* call, const char* bytes, size_t size);
  /* All of it, trailers included; content may still be written. */
  int (*request_complete)(penstock_call* call);
  /* The result of asking the cache: PENSTOCK_CACHE_RESULT. */
  int (*cache_lookup)(penstock_call* call);
  /* A server is about to be chosen and connected to; once for a transaction. */
  int (*before_connect)(penstock_call* call);
  /* The head of the response is there. */
  int (*response_head)(penstock_call* call);
  int (*response_body)(penstock_call* call, const char* bytes, size_t size);
  int (*response_complete)(penstock_call* call);
  /* More of an answer's content is wanted (answer_stream()): write some and return
   * PENSTOCK_CONTINUE, or the last of it, or nothing, and return PENSTOCK_END. */
  int (*answer_body)(penstock_call* call);
  /* The transaction is over; what it returns makes no difference. */
  int (*logged)(penstock_call* call);
  /* The last call of a transaction, exactly once, where `opaque` is not null. */
  void (*free)(penstock_call* call);

  /* Called every `timer_ms`, if that is not 0. */
  void (*timer)(penstock_instance* instance, void* data);
  uint64_t timer_ms;
} penstock_module;

/* Exports a module: PENSTOCK_MODULE(my_module); at the end of its source file. */
#define PENSTOCK_MODULE_SYMBOL "penstock_module_entry"
#ifdef __cplusplus
#define PENSTOCK_EXTERN_C extern "C"
#else
#define PENSTOCK_EXTERN_C
#endif
#define PENSTOCK_MODULE(module)                                                          \
  PENSTOCK_EXTERN_C __attribute__((visibility("default"))) const struct penstock_module* \
  penstock_module_entry(void) {                                                          \
    return &(module);                                                                    \
  }                                                                                      \
  struct penstock_module

#ifdef __cplusplus
}
#endif

#endif /* PENSTOCK_MODULE_H */
