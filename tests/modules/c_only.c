/* A module in C11, for the tests of the interface: uses each group of its functions, and answers
 * /report with what it has found. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "penstock/module.h"

struct instance {
  const penstock_api* ps;
  penstock_instance* self;
  penstock_metric* requests;
  penstock_log_file* file;
  penstock_timer* timer;
  char greeting[64];
};
struct transaction {
  int events;
  uint64_t bytes;
  penstock_held* held;
};

static int configure(penstock_instance* self, const penstock_api* ps, const penstock_config* config,
                     void** data) {
  struct instance* instance = calloc(1, sizeof *instance);
  const penstock_str greeting = ps->setting_text(config, "greeting");
  if (instance == NULL) return PENSTOCK_FAILED;
  if (greeting.size >= sizeof instance->greeting) {
    ps->setting_error(config, "greeting", "is too long");
    free(instance);
    return PENSTOCK_ERROR;
  }
  memcpy(instance->greeting, greeting.data, greeting.size);
  instance->ps = ps;
  instance->self = self;
  instance->requests = ps->metric(self, "c_requests", "Requests that were seen.");
  *data = instance;
  ps->log(self, PENSTOCK_LOG_INFO, "configured");
  return PENSTOCK_OK;
}

static void close_instance(penstock_instance* self, void* data) {
  struct instance* instance = data;
  instance->ps->log(self, PENSTOCK_LOG_INFO, "closed");
  free(instance);
}

static int connection(penstock_call* call) {
  call->opaque = malloc(1);
  return PENSTOCK_CONTINUE;
}
static void connection_free(penstock_call* call) { free(call->opaque); }

static int request_head(penstock_call* call) {
  const struct instance* instance = call->data;
  const penstock_api* ps = call->api;
  penstock_str path;
  struct transaction* transaction = calloc(1, sizeof *transaction);
  call->opaque = transaction;
  if (transaction == NULL) return PENSTOCK_ERROR;
  ++transaction->events;
  ps->metric_add(instance->requests, 1);
  if (ps->get_text(call, PENSTOCK_PATH, &path) != PENSTOCK_OK) return PENSTOCK_ERROR;
  if (path.size == 7 && memcmp(path.data, "/report", 7) == 0) {
    char text[256];
    const int size = snprintf(
        text, sizeof text, "abi %u, family %d, connection opaque %d, cache %d, bad field %d\n",
        ps->abi, (int)call->client->sa_family, call->connection_opaque != NULL,
        ps->cache_expire(call->instance, PENSTOCK_STR("http://a/")),
        ps->field_set(call, PENSTOCK_REQUEST, PENSTOCK_STR("Connection"), PENSTOCK_STR("close")));
    if (ps->answer(call, 200, NULL, text, (size_t)size) != PENSTOCK_OK) return PENSTOCK_ERROR;
    ps->field_add(call, PENSTOCK_ANSWER_FIELDS, PENSTOCK_STR("Content-Type"),
                  PENSTOCK_STR("text/plain"));
    return PENSTOCK_ANSWER;
  }
  ps->field_set(call, PENSTOCK_REQUEST, PENSTOCK_STR("X-From-C"), PENSTOCK_STR("yes"));
  return PENSTOCK_CONTINUE;
}

static int request_body(penstock_call* call, const char* bytes, size_t size) {
  struct transaction* transaction = call->opaque;
  (void)bytes;
  transaction->bytes += size;
  return PENSTOCK_CONTINUE;
}

static int response_head(penstock_call* call) {
  const struct instance* instance = call->data;
  penstock_str greeting = {instance->greeting, strlen(instance->greeting)};
  int64_t status = 0;
  if (call->api->get_number(call, PENSTOCK_STATUS, &status) != PENSTOCK_OK) return PENSTOCK_ERROR;
  call->api->field_set(call, PENSTOCK_RESPONSE, PENSTOCK_STR("X-Greeting"), greeting);
  return status == 200 ? PENSTOCK_CHANGED : PENSTOCK_CONTINUE;
}

/* The first byte is kept back until the end. */
static int response_body(penstock_call* call, const char* bytes, size_t size) {
  struct transaction* transaction = call->opaque;
  (void)bytes;
  if (transaction->held != NULL) return PENSTOCK_CONTINUE;
  if (call->api->content_hold(call, 0, 1, &transaction->held) != PENSTOCK_OK) return PENSTOCK_ERROR;
  if (call->api->content_pass(call, 1, size - 1) != PENSTOCK_OK) return PENSTOCK_ERROR;
  return PENSTOCK_CHANGED;
}

static int response_complete(penstock_call* call) {
  struct transaction* transaction = call->opaque;
  if (transaction->held != NULL) call->api->content_emit(call, transaction->held);
  call->api->content_write(call, "!", 1);
  return PENSTOCK_CONTINUE;
}

static int logged(penstock_call* call) {
  struct transaction* transaction = call->opaque;
  char text[32];
  penstock_str status;
  if (transaction == NULL) return PENSTOCK_CONTINUE;
  if (call->api->record_get(call, PENSTOCK_STR("status"), &status) == PENSTOCK_OK) {
    const int size = snprintf(text, sizeof text, "%.*s/%" PRIu64, (int)status.size, status.data,
                              transaction->bytes);
    call->api->record_add(call, PENSTOCK_STR("from_c"), (penstock_str){text, (size_t)size});
  }
  return PENSTOCK_CONTINUE;
}

static void free_transaction(penstock_call* call) { free(call->opaque); }

static const penstock_setting settings[] = {
    {.name = "greeting",
     .type = PENSTOCK_SETTING_STRING,
     .standard = "\"hello\"",
     .meaning = "What X-Greeting says."},
};
static const penstock_module module = {
    .abi = PENSTOCK_ABI,
    .size = sizeof(penstock_module),
    .name = "c_only",
    .version = "1.0",
    .summary = "For the tests of the interface.",
    .settings = settings,
    .setting_count = sizeof settings / sizeof *settings,
    .configure = configure,
    .close = close_instance,
    .connection = connection,
    .connection_free = connection_free,
    .request_head = request_head,
    .request_body = request_body,
    .response_head = response_head,
    .response_body = response_body,
    .response_complete = response_complete,
    .logged = logged,
    .free = free_transaction,
};
PENSTOCK_MODULE(module);
