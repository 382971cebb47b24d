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

/* What ${name} can be; behind those that end with a dot comes the name of a field. */
static const struct {
  const char* name;
  enum kind kind;
  int which;
} kVariables[] = {
    {"method", TEXT, PENSTOCK_METHOD},
    {"scheme", TEXT, PENSTOCK_SCHEME},
    {"host", TEXT, PENSTOCK_HOST},
    {"path", TEXT, PENSTOCK_PATH},
    {"url", TEXT, PENSTOCK_URL},
    {"version", TEXT, PENSTOCK_VERSION},
    {"client", TEXT, PENSTOCK_CLIENT_IP},
    {"listener", TEXT, PENSTOCK_LISTENER},
    {"route", TEXT, PENSTOCK_ROUTE},
    {"tls", TEXT, PENSTOCK_TLS_VERSION},
    {"request.", FIELD, PENSTOCK_REQUEST},
    {"response.", FIELD, PENSTOCK_RESPONSE},
    {"record.", RECORD, 0},
};

/* -- The pattern ------------------------------------------------------------------------------- */

/* The part that ${name} stands for; 0: none. */
static int parse_variable(penstock_str name, struct part* part) {
  for (size_t i = 0; i < sizeof kVariables / sizeof kVariables[0]; ++i) {
    const size_t size = strlen(kVariables[i].name);
    const int is_whole = kVariables[i].kind == TEXT ? name.size == size : name.size > size;
    if (is_whole && memcmp(name.data, kVariables[i].name, size) == 0) {
      const penstock_str rest = {name.data + size, name.size - size};
      *part = (struct part){kVariables[i].kind, kVariables[i].which, rest};
      return 1;
    }
  }
  return 0;
}

/* Takes the pattern apart. 0: it is wrong, and `message` says why. */
static int parse_pattern(struct logger* logger, char* message) {
  const char* at = logger->pattern;
  const char* const end = at + strlen(at);
  for (; at < end && logger->count < MOST_PARTS; ++logger->count) {
    struct part* const part = &logger->parts[logger->count];
    const char* const dollar = strchr(at, '$');
    if (dollar == NULL || dollar > at || dollar[1] == '$') {
      /* Up to the next dollar sign; or a doubled one, of which one is meant. */
      const char* const stop = dollar == at ? at + 1 : (dollar != NULL ? dollar : end);
      *part = (struct part){LITERAL, 0, {at, (size_t)(stop - at)}};
      at = dollar == at ? at + 2 : stop;
      continue;
    }
    const char* const close = strchr(at, '}');
    if (at[1] != '{' || close == NULL) {
      snprintf(message, LONGEST_MESSAGE, "behind a dollar sign comes {name} or another one");
      return 0;
    }
    const penstock_str name = {at + 2, (size_t)(close - at) - 2};
    if (!parse_variable(name, part)) {
      snprintf(message, LONGEST_MESSAGE, "there is no variable \"%.*s\"",
               (int)(name.size < 100 ? name.size : 100), name.data);
      return 0;
    }
    at = close + 1;
  }
  if (at < end) snprintf(message, LONGEST_MESSAGE, "it has more than %d parts", MOST_PARTS);
  return at == end;
}

static void end(penstock_instance* instance, void* data) {
  struct logger* const logger = data;
  (void)instance;
  free(logger->pattern);
  free(logger);
}

/* A copy with a zero byte behind it; null: there is no memory. */
static char* copy(penstock_str text) {
  char* const out = calloc(1, text.size + 1);
  if (out != NULL) memcpy(out, text.data, text.size);
  return out;
}

static int configure(penstock_instance* instance, const penstock_api* api,
                     const penstock_config* config, void** data) {
  struct logger* const logger = calloc(1, sizeof *logger);
  if (logger == NULL) return PENSTOCK_ERROR;
  *data = logger;
  logger->pattern = copy(api->setting_text(config, "pattern"));
  char* const path = copy(api->setting_text(config, "file"));
  char message[LONGEST_MESSAGE] = "out of memory";
  const char* where = "pattern"; /* what is wrong; null: nothing */
  if (logger->pattern != NULL && path != NULL && parse_pattern(logger, message)) {
    logger->file = api->log_file_open(instance, path);
    where = logger->file == NULL ? "file" : NULL;
    snprintf(message, sizeof message, "it cannot be opened: %s", strerror(errno));
  }
  free(path);
  if (where == NULL) return PENSTOCK_OK;
  api->setting_error(config, where, message);
  end(instance, logger);
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
