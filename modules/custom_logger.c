/*
 * custom_logger: writes a log file of its own, by a pattern.
 *
 *   [module.audit]
 *   file = "build/release/modules/custom_logger.so"
 *   [module.audit.config]
 *   file = "/var/log/penstock/audit.log"
 *   pattern = '${record.time} ${client} "${method} ${url}" ${record.status}'
 *
 *   [[filter]]
 *   module = "audit"
 *   path = "/account/"
 *
 * Keys of config:
 *   file     is appended to, and opened anew with the proxy's own logs (SIGUSR1)
 *   pattern  of a line, with
 *     ${method} ${scheme} ${host} ${path} ${url} ${version} ${client} ${listener} ${route} of the
 *                       request, ${tls} the version of TLS
 *     ${request.NAME}   a field of the request, as it was sent on; ${response.NAME}
 *     ${record.NAME}    a field of the access log, by its name in JSON (docs/access-log.md)
 *     $$                a dollar sign
 *
 * What is not there is "-". Of values everything but printable ASCII, quotes and backslashes is
 * written as \xNN, so that nobody can forge lines. A line has at most 8 KiB, the rest is left out.
 *
 * Written in C, on penstock/module.h alone.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "penstock/module.h"

enum { MOST_PARTS = 64, LONGEST_LINE = 8192, LONGEST_MESSAGE = 200 };

enum kind { LITERAL, TEXT, FIELD, RECORD };

struct part {
  enum kind kind;
  int which;         /* PENSTOCK_METHOD ..., or PENSTOCK_REQUEST ... */
  penstock_str text; /* the literal, or a name; in `pattern` */
};

struct logger {
  penstock_log_file* file;
  char* pattern;
  size_t count;
  struct part parts[MOST_PARTS];
};

static const struct {
  const char* name;
  int text;
} kTexts[] = {
    {"method", PENSTOCK_METHOD},    {"scheme", PENSTOCK_SCHEME},     {"host", PENSTOCK_HOST},
    {"path", PENSTOCK_PATH},        {"url", PENSTOCK_URL},           {"version", PENSTOCK_VERSION},
    {"client", PENSTOCK_CLIENT_IP}, {"listener", PENSTOCK_LISTENER}, {"route", PENSTOCK_ROUTE},
    {"tls", PENSTOCK_TLS_VERSION},
};

/* -- The pattern ------------------------------------------------------------------------------- */

static int starts_with(penstock_str text, const char* begin) {
  return text.size > strlen(begin) && memcmp(text.data, begin, strlen(begin)) == 0;
}

static penstock_str behind(penstock_str text, const char* begin) {
  penstock_str rest = {text.data + strlen(begin), text.size - strlen(begin)};
  return rest;
}

/* The part that ${name} stands for; 0: none. */
static int parse_variable(penstock_str name, struct part* part) {
  if (starts_with(name, "request.")) {
    *part = (struct part){FIELD, PENSTOCK_REQUEST, behind(name, "request.")};
    return 1;
  }
  if (starts_with(name, "response.")) {
    *part = (struct part){FIELD, PENSTOCK_RESPONSE, behind(name, "response.")};
    return 1;
  }
  if (starts_with(name, "record.")) {
    *part = (struct part){RECORD, 0, behind(name, "record.")};
    return 1;
  }
  for (size_t i = 0; i < sizeof kTexts / sizeof kTexts[0]; ++i) {
    if (name.size == strlen(kTexts[i].name) && memcmp(name.data, kTexts[i].name, name.size) == 0) {
      *part = (struct part){TEXT, kTexts[i].text, {NULL, 0}};
      return 1;
    }
  }
  return 0;
}

/* Takes the pattern apart. Null, or what is wrong with it; for that it may use `message`. */
static const char* parse_pattern(struct logger* logger, const char* at, char* message) {
  const char* const end = at + strlen(at);
  while (at < end) {
    if (logger->count == MOST_PARTS) return "it has more than 64 parts";
    struct part* const part = &logger->parts[logger->count++];
    const char* const dollar = strchr(at, '$');
    if (dollar == NULL || dollar > at || dollar[1] == '$') {
      /* Up to the next dollar sign; or a doubled one, of which one is meant. */
      const char* const stop = dollar == at ? at + 1 : (dollar != NULL ? dollar : end);
      *part = (struct part){LITERAL, 0, {at, (size_t)(stop - at)}};
      at = dollar == at ? at + 2 : stop;
      continue;
    }
    const char* const close = strchr(at, '}');
    if (at[1] != '{' || close == NULL) return "behind a dollar sign comes {name} or another one";
    const penstock_str name = {at + 2, (size_t)(close - at) - 2};
    if (!parse_variable(name, part)) {
      snprintf(message, LONGEST_MESSAGE, "there is no variable \"%.*s\"",
               (int)(name.size < 100 ? name.size : 100), name.data);
      return message;
    }
    at = close + 1;
  }
  return NULL;
}

static void end(penstock_instance* instance, void* data) {
  struct logger* const logger = data;
  (void)instance;
  free(logger->pattern);
  free(logger);
}

static int configure(penstock_instance* instance, const penstock_api* api,
                     const penstock_config* config, void** data) {
  struct logger* const logger = calloc(1, sizeof *logger);
  const penstock_str pattern = api->setting_text(config, "pattern");
  const penstock_str file = api->setting_text(config, "file");
  char* const path = malloc(file.size + 1);
  const char* wrong = "out of memory";
  const char* where = NULL;
  char message[LONGEST_MESSAGE];
  if (logger != NULL && path != NULL) logger->pattern = malloc(pattern.size + 1);
  if (logger != NULL && logger->pattern != NULL) {
    memcpy(logger->pattern, pattern.data, pattern.size);
    logger->pattern[pattern.size] = 0;
    memcpy(path, file.data, file.size);
    path[file.size] = 0;
    where = "pattern";
    wrong = parse_pattern(logger, logger->pattern, message);
  }
  if (wrong == NULL) {
    logger->file = api->log_file_open(instance, path);
    if (logger->file == NULL) {
      snprintf(message, sizeof message, "it cannot be opened: %s", strerror(errno));
      where = "file";
      wrong = message;
    }
  }
  free(path);
  if (wrong == NULL) {
    *data = logger;
    return PENSTOCK_OK;
  }
  api->setting_error(config, where, wrong);
  if (logger != NULL) end(instance, logger);
  return PENSTOCK_ERROR;
}

/* -- A line ------------------------------------------------------------------------------------ */

struct line {
  char bytes[LONGEST_LINE];
  size_t size;
};

static void put(struct line* line, const char* bytes, size_t size) {
  const size_t room = sizeof line->bytes - line->size;
  const size_t fits = size < room ? size : room;
  memcpy(line->bytes + line->size, bytes, fits);
  line->size += fits;
}

static void put_value(struct line* line, penstock_str value) {
  static const char kDigits[] = "0123456789abcdef";
  for (size_t i = 0; i < value.size; ++i) {
    const unsigned char byte = (unsigned char)value.data[i];
    if (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\') {
      put(line, value.data + i, 1);
    } else {
      const char code[4] = {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
      put(line, code, sizeof code);
    }
  }
}

static int logged(penstock_call* call) {
  const struct logger* const logger = call->data;
  const penstock_api* const api = call->api;
  struct line line;
  line.size = 0;
  for (size_t i = 0; i < logger->count; ++i) {
    const struct part* const part = &logger->parts[i];
    penstock_str value = {NULL, 0};
    int found = PENSTOCK_OK;
    switch (part->kind) {
      case LITERAL:
        put(&line, part->text.data, part->text.size);
        continue;
      case TEXT:
        found = api->get_text(call, part->which, &value);
        break;
      case FIELD:
        found = api->field_get(call, part->which, part->text, 0, &value);
        break;
      case RECORD:
        found = api->record_get(call, part->text, &value);
        break;
    }
    put_value(&line, found < 0 || value.size == 0 ? PENSTOCK_STR("-") : value);
  }
  const penstock_str text = {line.bytes, line.size};
  api->log_file_write(logger->file, text);
  return PENSTOCK_CONTINUE;
}

static const penstock_setting kSettings[] = {
    {.name = "file", .type = PENSTOCK_SETTING_STRING, .meaning = "Is appended to."},
    {.name = "pattern",
     .type = PENSTOCK_SETTING_STRING,
     .standard = "\"${record.time} ${client} ${method} ${url} ${record.status} "
                 "${record.bytes_out} ${record.total_us}\"",
     .meaning = "Of a line."},
};

static const penstock_module kModule = {
    .abi = PENSTOCK_ABI,
    .size = sizeof(penstock_module),
    .name = "custom_logger",
    .version = "1.0",
    .summary = "Writes a log file by a pattern.",
    .settings = kSettings,
    .setting_count = sizeof kSettings / sizeof kSettings[0],
    .configure = configure,
    .close = end,
    .logged = logged,
};

PENSTOCK_MODULE(kModule);
