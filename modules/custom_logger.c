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

enum { MOST_PARTS = 64, LONGEST_LINE = 8192, LONGEST_MESSAGE = 200, OF_RECORD = -1 };

enum kind { LITERAL, TEXT, FIELD };

struct part {
  enum kind kind;
  int which;         /* PENSTOCK_METHOD ...; PENSTOCK_REQUEST ..., OF_RECORD */
  penstock_str text; /* the literal, or a name; in the pattern */
};

struct logger {
  penstock_log_file* file;
  size_t count;
  struct part parts[MOST_PARTS];
  char texts[]; /* the pattern, and behind its zero byte the name of the file */
};

/* What ${name} can be; behind those that end with a dot comes the name of a field. */
static const struct {
  const char* name;
  int which;
} kVariables[] = {
    {"method", PENSTOCK_METHOD},    {"scheme", PENSTOCK_SCHEME},
    {"host", PENSTOCK_HOST},        {"path", PENSTOCK_PATH},
    {"url", PENSTOCK_URL},          {"version", PENSTOCK_VERSION},
    {"client", PENSTOCK_CLIENT_IP}, {"listener", PENSTOCK_LISTENER},
    {"route", PENSTOCK_ROUTE},      {"tls", PENSTOCK_TLS_VERSION},
    {"request.", PENSTOCK_REQUEST}, {"response.", PENSTOCK_RESPONSE},
    {"record.", OF_RECORD},
};

/* -- The pattern ------------------------------------------------------------------------------- */

/* The part that ${name} stands for; 0: none. */
static int parse_variable(penstock_str name, struct part* part) {
  for (size_t i = 0; i < sizeof kVariables / sizeof kVariables[0]; ++i) {
    const size_t size = strlen(kVariables[i].name);
    const int is_field = kVariables[i].name[size - 1] == '.';
    const int is_whole = is_field ? name.size > size : name.size == size;
    if (is_whole && memcmp(name.data, kVariables[i].name, size) == 0) {
      const penstock_str rest = {name.data + size, name.size - size};
      *part = (struct part){is_field ? FIELD : TEXT, kVariables[i].which, rest};
      return 1;
    }
  }
  return 0;
}

/* Takes the pattern apart. 0: it is wrong, and `message` says why. */
static int parse_pattern(struct logger* logger, char* message) {
  const char* at = logger->texts;
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
  (void)instance;
  free(data);
}

static int configure(penstock_instance* instance, const penstock_api* api,
                     const penstock_config* config, void** data) {
  const penstock_str pattern = api->setting_text(config, "pattern");
  const penstock_str file = api->setting_text(config, "file");
  struct logger* const logger = calloc(1, sizeof *logger + pattern.size + file.size + 2);
  if (logger == NULL) return PENSTOCK_ERROR;
  memcpy(logger->texts, pattern.data, pattern.size);
  char* const path = logger->texts + pattern.size + 1;
  memcpy(path, file.data, file.size);
  char message[LONGEST_MESSAGE];
  const int is_parsed = parse_pattern(logger, message);
  if (is_parsed) {
    logger->file = api->log_file_open(instance, path);
    snprintf(message, sizeof message, "it cannot be opened: %s", strerror(errno));
  }
  if (logger->file != NULL) {
    *data = logger;
    return PENSTOCK_OK;
  }
  api->setting_error(config, is_parsed ? "file" : "pattern", message);
  end(instance, logger);
  return PENSTOCK_ERROR;
}

/* -- A line ------------------------------------------------------------------------------------ */

struct line {
  char bytes[LONGEST_LINE];
  size_t size;
};

/* Adds a text, as far as there is room; a value so that it cannot forge lines. */
static void put(struct line* line, penstock_str text, int is_value) {
  static const char kDigits[] = "0123456789abcdef";
  for (size_t i = 0; i < text.size; ++i) {
    const unsigned char byte = (unsigned char)text.data[i];
    const int is_plain = !is_value || (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\');
    const char code[4] = {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    const size_t size = is_plain ? 1 : sizeof code;
    const size_t room = sizeof line->bytes - line->size;
    memcpy(line->bytes + line->size, is_plain ? text.data + i : code, size < room ? size : room);
    line->size += size < room ? size : room;
  }
}

/* What a part stands for; "-": it is not there. */
static penstock_str text_of(penstock_call* call, const struct part* part) {
  penstock_str value = {NULL, 0};
  if (part->kind == LITERAL) return part->text;
  if (part->kind == TEXT) {
    call->api->get_text(call, part->which, &value);
  } else if (part->which == OF_RECORD) {
    call->api->record_get(call, part->text, &value);
  } else {
    call->api->field_get(call, part->which, part->text, 0, &value);
  }
  return value.size == 0 ? PENSTOCK_STR("-") : value;
}

static int logged(penstock_call* call) {
  const struct logger* const logger = call->data;
  struct line line;
  line.size = 0;
  for (size_t i = 0; i < logger->count; ++i) {
    const struct part* const part = &logger->parts[i];
    put(&line, text_of(call, part), part->kind != LITERAL);
  }
  call->api->log_file_write(logger->file, (penstock_str){line.bytes, line.size});
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
