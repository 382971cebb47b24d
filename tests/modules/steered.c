/* A module that does what requests tell it to, and writes down what it is called for.
 *
 *   X-Do: request_head=changed,request_complete=add
 *
 * says for each event what to do there (act()). Each call is a line of JSON in the file `log`,
 * written before anything is done; "bad" lines say what the proxy must not have done. With
 * -DNO_RESPONSE_HEAD there is no callback for that event. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "penstock/module.h"

static const penstock_api* api;

/* Kept until the instance ends, so that what is used too late is seen and not a matter of luck. */
struct kept {
  struct kept* next;
};
struct instance {
  int log;
  int connection_kills;
  char ask[200];
  pthread_mutex_t mutex;
  struct kept* kept;
  atomic_int serial;
};
struct connection {
  struct kept kept;
  int serial;
  uint64_t id;
  atomic_int transactions; /* that are there now */
  atomic_int over;
};
struct transaction {
  struct kept kept;
  int serial;
  uint64_t id;
  struct connection* connection;
  atomic_int inside;
  atomic_int over;
  atomic_int answer;
  char orders[300];
  penstock_held** held;
  size_t held_count;
};
struct question {
  struct kept kept;
  penstock_waiter* waiter;
  struct transaction* transaction;
};

static void* keep(struct instance* instance, size_t size) {
  struct kept* made = calloc(1, size);
  if (made == NULL) abort();
  pthread_mutex_lock(&instance->mutex);
  made->next = instance->kept;
  instance->kept = made;
  pthread_mutex_unlock(&instance->mutex);
  return made;
}

__attribute__((format(printf, 2, 3))) static void say(const struct instance* instance,
                                                      const char* format, ...) {
  char line[1000];
  va_list arguments;
  va_start(arguments, format);
  int size = vsnprintf(line, sizeof line - 1, format, arguments);
  va_end(arguments);
  if (size < 0 || size > (int)sizeof line - 2) abort();
  line[size] = '\n';
  if (write(instance->log, line, (size_t)size + 1) != size + 1) abort();
}

static void bad(const struct instance* instance, const char* event, const char* what) {
  say(instance, "{\"event\": \"bad\", \"in\": \"%s\", \"what\": \"%s\"}", event, what);
}

/* -- The instance ------------------------------------------------------------------------------ */

static int configure(penstock_instance* self, const penstock_api* ps, const penstock_config* config,
                     void** data) {
  char path[300];
  (void)self;
  const penstock_str log = ps->setting_text(config, "log");
  const penstock_str ask = ps->setting_text(config, "ask");
  if (ps->setting_integer(config, "refuse") != 0) {
    ps->setting_error(config, "refuse", "is not to my liking");
    return PENSTOCK_ERROR;
  }
  struct instance* instance = calloc(1, sizeof *instance);
  if (instance == NULL || log.size >= sizeof path || ask.size >= sizeof instance->ask) abort();
  memcpy(path, log.data, log.size);
  path[log.size] = 0;
  memcpy(instance->ask, ask.data, ask.size);
  instance->connection_kills = ps->setting_integer(config, "connection_kills") != 0;
  instance->log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (instance->log < 0) return PENSTOCK_ERROR;
  pthread_mutex_init(&instance->mutex, NULL);
  say(instance, "{\"event\": \"configure\", \"process\": %d}", (int)getpid());
  *data = instance;
  return PENSTOCK_OK;
}

static void close_instance(penstock_instance* self, void* data) {
  struct instance* instance = data;
  (void)self;
  say(instance, "{\"event\": \"close\"}");
  while (instance->kept != NULL) {
    struct kept* next = instance->kept->next;
    free(instance->kept);
    instance->kept = next;
  }
  close(instance->log);
  pthread_mutex_destroy(&instance->mutex);
  free(instance);
}

/* -- Connections ------------------------------------------------------------------------------- */

static int connection(penstock_call* call) {
  struct instance* instance = call->data;
  struct connection* made = keep(instance, sizeof *made);
  made->serial = atomic_fetch_add(&instance->serial, 1) + 1;
  made->id = call->connection;
  say(instance, "{\"event\": \"connection\", \"connection\": %d}", made->serial);
  if (instance->connection_kills) raise(SIGKILL);
  call->opaque = made;
  return PENSTOCK_CONTINUE;
}

static void connection_free(penstock_call* call) {
  struct connection* ended = call->opaque;
  say(call->data, "{\"event\": \"connection_free\", \"connection\": %d, \"transactions\": %d}",
      ended->serial, atomic_load(&ended->transactions));
  if (atomic_exchange(&ended->over, 1) != 0) bad(call->data, "connection_free", "the second one");
  if (ended->id != call->connection) bad(call->data, "connection_free", "of another connection");
}

/* -- What can be told to do -------------------------------------------------------------------- */

static void hold(penstock_call* call, struct transaction* transaction, size_t size) {
  penstock_held* held = NULL;
  const int result = api->content_hold(call, 0, size, &held);
  const size_t count = transaction->held_count + 1;
  if (result != PENSTOCK_OK) {
    bad(call->data, "content_hold", "refused");
    return;
  }
  transaction->held = realloc(transaction->held, count * sizeof(penstock_held*));
  if (transaction->held == NULL) abort();
  transaction->held[count - 1] = held;
  transaction->held_count = count;
}

static void emit(penstock_call* call, struct transaction* transaction) {
  for (size_t i = 0; i < transaction->held_count; ++i) {
    if (api->content_emit(call, transaction->held[i]) != PENSTOCK_OK) {
      bad(call->data, "content_emit", "refused");
    }
  }
  transaction->held_count = 0;
}

static void answered(penstock_instance* self, void* data, const penstock_subresponse* response) {
  struct question* question = data;
  (void)self;
  atomic_store(&question->transaction->answer, response->status);
  api->resume(question->waiter);
}

/* A subrequest to `ask` with the transaction's path behind it. */
static int ask(penstock_call* call, struct transaction* transaction) {
  struct instance* instance = call->data;
  penstock_str path = {"", 0};
  char url[600];
  char status[20];
  if (call->resumed) {
    const int size = snprintf(status, sizeof status, "%d", atomic_load(&transaction->answer));
    api->field_set(call, PENSTOCK_REQUEST, PENSTOCK_STR("X-Asked"),
                   (penstock_str){status, (size_t)size});
    return PENSTOCK_CONTINUE;
  }
  api->get_text(call, PENSTOCK_PATH, &path);
  const int size = snprintf(url, sizeof url, "%s%.*s", instance->ask, (int)path.size, path.data);
  struct question* question = keep(instance, sizeof *question);
  question->transaction = transaction;
  question->waiter = api->waiter(call);
  const penstock_subrequest request = {.size = sizeof request, .url = {url, (size_t)size}};
  if (api->subrequest(call->instance, &request, answered, question) != PENSTOCK_OK) {
    bad(instance, "subrequest", "refused");
    api->resume(question->waiter);
  }
  return PENSTOCK_WAIT;
}

/* One line of what setting a text or the status gives; quotes are of who calls. */
static void tell_set(penstock_call* call, const char* what, const char* to, int result,
                     const char* now) {
  penstock_str url = {"", 0};
  api->get_text(call, PENSTOCK_URL, &url);
  say(call->data,
      "{\"event\": \"set\", \"what\": \"%s\", \"to\": %s, \"result\": %d, \"now\": %s, "
      "\"url\": \"%.*s\"}",
      what, to, result, now, (int)url.size, url.data);
}

static int set(penstock_call* call) {
  static const struct {
    int text;
    const char* name;
    const char* value;
    const char* json;
  } kTexts[] = {
      {PENSTOCK_HOST, "host", "a b:x", "\"a b:x\""},
      {PENSTOCK_PATH, "path", "no/slash", "\"no/slash\""},
      {PENSTOCK_PATH, "path", "/new?q", "\"/new?q\""},
      {PENSTOCK_HOST, "host", "other.test:81", "\"other.test:81\""},
      {PENSTOCK_METHOD, "method", "NO WAY", "\"NO WAY\""},
      {PENSTOCK_METHOD, "method", "PUT", "\"PUT\""},
      {PENSTOCK_REASON, "reason", "Fine", "\"Fine\""},
      {PENSTOCK_REASON, "reason", "a\nb", "\"a\\nb\""},
  };
  static const int kStatus[] = {199, 204, 304, 600, 201};
  char to[20];
  char now[100];
  for (size_t i = 0; i < sizeof kTexts / sizeof kTexts[0]; ++i) {
    const penstock_str value = {kTexts[i].value, strlen(kTexts[i].value)};
    penstock_str text = {"", 0};
    const int result = api->set_text(call, kTexts[i].text, value);
    api->get_text(call, kTexts[i].text, &text);
    snprintf(now, sizeof now, "\"%.*s\"", (int)text.size, text.data);
    tell_set(call, kTexts[i].name, kTexts[i].json, result, now);
  }
  for (size_t i = 0; i < sizeof kStatus / sizeof kStatus[0]; ++i) {
    int64_t status = -1;
    const int result = api->set_number(call, PENSTOCK_STATUS, kStatus[i]);
    api->get_number(call, PENSTOCK_STATUS, &status);
    snprintf(to, sizeof to, "%d", kStatus[i]);
    snprintf(now, sizeof now, "%d", (int)status);
    tell_set(call, "status", to, result, now);
  }
  return PENSTOCK_CONTINUE;
}

static void tell(penstock_call* call, const char* event) {
  penstock_str type = {"", 0};
  penstock_str server = {"", 0};
  int64_t status = -1;
  api->field_get(call, PENSTOCK_RESPONSE, PENSTOCK_STR("Content-Type"), 0, &type);
  api->get_text(call, PENSTOCK_SERVER_ADDRESS, &server);
  api->get_number(call, PENSTOCK_STATUS, &status);
  say(call->data,
      "{\"event\": \"tell\", \"in\": \"%s\", \"type\": \"%.*s\", \"status\": %d, "
      "\"server\": \"%.*s\"}",
      event, (int)type.size, type.data, (int)status, (int)server.size, server.data);
}

static int act(penstock_call* call, struct transaction* transaction, const char* event,
               const char* order, size_t size) {
  static const struct {
    const char* order;
    int result;
  } kResults[] = {
      {"changed", PENSTOCK_CHANGED}, {"drop", PENSTOCK_CHANGED}, {"hold", PENSTOCK_HOLD_HEAD},
      {"done", PENSTOCK_DONE},       {"error", PENSTOCK_ERROR},  {"skip", PENSTOCK_SKIP_CONTENT},
  };
  for (size_t i = 0; i < sizeof kResults / sizeof kResults[0]; ++i) {
    if (strcmp(order, kResults[i].order) == 0) return kResults[i].result;
  }
  if (strcmp(order, "die") == 0) raise(SIGKILL);
  while (strcmp(order, "hang") == 0) pause();
  if (strcmp(order, "nap") == 0) usleep(2000);
  if (strcmp(order, "add") == 0) api->content_write(call, "+", 1);
  if (strcmp(order, "emit") == 0) emit(call, transaction);
  if (strcmp(order, "tell") == 0) tell(call, event);
  if (strcmp(order, "ask") == 0) return ask(call, transaction);
  if (strcmp(order, "set") == 0) return set(call);
  if (strcmp(order, "set and drop") == 0) {
    set(call);
    return PENSTOCK_CHANGED;
  }
  if (strcmp(order, "keep") == 0) {
    hold(call, transaction, size);
    return PENSTOCK_CHANGED;
  }
  if (strcmp(order, "answer") == 0) {
    api->answer(call, 200, NULL, "answered", 8);
    return PENSTOCK_ANSWER;
  }
  return PENSTOCK_CONTINUE;
}

/* -- Transactions ------------------------------------------------------------------------------ */

static struct transaction* begin(penstock_call* call) {
  struct instance* instance = call->data;
  struct transaction* made = keep(instance, sizeof *made);
  penstock_str orders = {"", 0};
  made->serial = atomic_fetch_add(&instance->serial, 1) + 1;
  made->id = call->transaction;
  made->connection = call->connection_opaque;
  if (made->connection != NULL) atomic_fetch_add(&made->connection->transactions, 1);
  api->field_get(call, PENSTOCK_REQUEST, PENSTOCK_STR("X-Do"), 0, &orders);
  if (orders.size + 3 > sizeof made->orders) abort();
  snprintf(made->orders, sizeof made->orders, ",%.*s,", (int)orders.size, orders.data);
  return made;
}

static void check(const penstock_call* call, const struct transaction* transaction,
                  const char* event) {
  struct connection* connection = call->connection_opaque;
  if (atomic_load(&transaction->over)) bad(call->data, event, "after free");
  if (transaction->id != call->transaction) bad(call->data, event, "of another transaction");
  if (connection != transaction->connection) bad(call->data, event, "of another connection");
  if (connection != NULL && connection->id != call->connection) bad(call->data, event, "mixed up");
  if (connection != NULL && atomic_load(&connection->over)) {
    bad(call->data, event, "after connection_free");
  }
}

static void note(const penstock_call* call, const struct transaction* transaction,
                 const char* event, size_t size) {
  const struct connection* connection = call->connection_opaque;
  say(call->data,
      "{\"event\": \"%s\", \"transaction\": %llu, \"opaque\": %d, \"connection\": %d, "
      "\"resumed\": %d, \"size\": %zu}",
      event, (unsigned long long)call->transaction, transaction->serial,
      connection == NULL ? 0 : connection->serial, call->resumed, size);
}

static int happen(penstock_call* call, const char* event, size_t size) {
  if (call->opaque == NULL) call->opaque = begin(call);
  struct transaction* transaction = call->opaque;
  char order[40] = "";
  char key[40];
  if (atomic_exchange(&transaction->inside, 1) != 0) bad(call->data, event, "two at a time");
  check(call, transaction, event);
  note(call, transaction, event, size);
  snprintf(key, sizeof key, ",%s=", event);
  const char* found = strstr(transaction->orders, key);
  if (found != NULL) sscanf(found + strlen(key), "%39[^,]", order);
  const int result = act(call, transaction, event, order, size);
  atomic_store(&transaction->inside, 0);
  return result;
}

static int request_head(penstock_call* call) { return happen(call, "request_head", 0); }
static int request_body(penstock_call* call, const char* bytes, size_t size) {
  (void)bytes;
  return happen(call, "request_body", size);
}
static int request_complete(penstock_call* call) { return happen(call, "request_complete", 0); }
#ifndef NO_RESPONSE_HEAD
static int response_head(penstock_call* call) { return happen(call, "response_head", 0); }
#endif
static int response_body(penstock_call* call, const char* bytes, size_t size) {
  (void)bytes;
  return happen(call, "response_body", size);
}
static int response_complete(penstock_call* call) { return happen(call, "response_complete", 0); }
static int logged(penstock_call* call) { return happen(call, "logged", 0); }

static void free_transaction(penstock_call* call) {
  struct transaction* transaction = call->opaque;
  check(call, transaction, "free");
  if (transaction->connection != NULL) atomic_fetch_sub(&transaction->connection->transactions, 1);
  atomic_store(&transaction->over, 1);
  free(transaction->held);
  note(call, transaction, "free", 0);
}

static int load(const penstock_api* given) {
  api = given;
  return PENSTOCK_OK;
}

static const penstock_setting settings[] = {
    {.name = "log", .type = PENSTOCK_SETTING_STRING, .meaning = "Where calls are written down."},
    {.name = "ask",
     .type = PENSTOCK_SETTING_STRING,
     .standard = "\"\"",
     .meaning = "The URL that is asked."},
    {.name = "refuse",
     .type = PENSTOCK_SETTING_BOOLEAN,
     .standard = "false",
     .meaning = "Refuse these settings."},
    {.name = "connection_kills",
     .type = PENSTOCK_SETTING_BOOLEAN,
     .standard = "false",
     .meaning = "The process ends in the event `connection`."},
};
static const penstock_module module = {
    .abi = PENSTOCK_ABI,
    .size = sizeof(penstock_module),
    .name = "steered",
    .version = "1",
    .summary = "Does what requests tell it to.",
    .settings = settings,
    .setting_count = sizeof settings / sizeof settings[0],
    .load = load,
    .configure = configure,
    .close = close_instance,
    .connection = connection,
    .connection_free = connection_free,
    .request_head = request_head,
    .request_body = request_body,
    .request_complete = request_complete,
#ifndef NO_RESPONSE_HEAD
    .response_head = response_head,
#endif
    .response_body = response_body,
    .response_complete = response_complete,
    .logged = logged,
    .free = free_transaction,
};
PENSTOCK_MODULE(module);
