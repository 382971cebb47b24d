/*
 * privacy_filter: takes out of requests and responses what tells too much of the client.
 *
 *   [module.privacy]
 *   file = "build/release/modules/privacy_filter.so"
 *   config = { cookies = ["_ga*", "_fbp"], referer = "origin", user_agent = "Mozilla/5.0" }
 *
 *   [[filter]]
 *   module = "privacy"
 *
 * Keys of config:
 *   cookies          names of cookies that are dropped both ways, "*" at the end for any text
 *   referer          "keep" (default), "origin": nothing but scheme and host stays, "remove"
 *   user_agent       stands in for every client's; "" (default): the client's own
 *   request_remove   further fields that requests, and
 *   response_remove  responses do not have; not those that the proxy writes itself, such as Host
 *
 * Tunnels (CONNECT) show only the request for the tunnel itself.
 *
 * Written in C, on penstock/module.h alone.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "penstock/module.h"

/* A list of texts, in one block of memory. */
struct texts {
  size_t count;
  penstock_str* items;
};

struct privacy {
  struct texts cookies;
  struct texts request_remove;
  struct texts response_remove;
  penstock_str user_agent;
  int cut_referer;
  int remove_referer;
};

/* -- Settings ---------------------------------------------------------------------------------- */

/* A copy that lasts; its data is null where there is no memory. */
static penstock_str keep(penstock_str text) {
  char* const bytes = malloc(text.size + 1);
  if (bytes != NULL) memcpy(bytes, text.data, text.size);
  return (penstock_str){bytes, text.size};
}

static int keep_list(const penstock_api* api, const penstock_config* config, const char* name,
                     struct texts* out) {
  const size_t count = api->setting_count(config, name);
  out->items = calloc(count + 1, sizeof *out->items);
  if (out->items == NULL) return 0;
  for (; out->count < count; ++out->count) {
    out->items[out->count] = keep(api->setting_text_at(config, name, out->count));
    if (out->items[out->count].data == NULL) return 0;
  }
  return 1;
}

static void free_str(penstock_str text) { free((void*)text.data); }

static void free_list(struct texts* list) {
  for (size_t i = 0; i < list->count; ++i) free_str(list->items[i]);
  free(list->items);
}

static void end(penstock_instance* instance, void* data) {
  struct privacy* const privacy = data;
  (void)instance;
  free_list(&privacy->cookies);
  free_list(&privacy->request_remove);
  free_list(&privacy->response_remove);
  free_str(privacy->user_agent);
  free(privacy);
}

static int is(penstock_str text, const char* what) {
  return text.size == strlen(what) && memcmp(text.data, what, text.size) == 0;
}

/* Whether a field is the proxy's own business, and so cannot be removed. */
static int is_of_proxy(penstock_str name) {
  static const char* const kNames[] = {"host",
                                       "content-length",
                                       "connection",
                                       "keep-alive",
                                       "proxy-connection",
                                       "te",
                                       "trailer",
                                       "transfer-encoding",
                                       "upgrade",
                                       "proxy-authenticate",
                                       "proxy-authentication-info",
                                       "proxy-authorization",
                                       "proxy-support"};
  for (size_t i = 0; i < sizeof kNames / sizeof kNames[0]; ++i) {
    size_t same = 0;
    while (same < name.size && kNames[i][same] != 0 &&
           tolower((unsigned char)name.data[same]) == kNames[i][same]) {
      ++same;
    }
    if (same == name.size && kNames[i][same] == 0) return 1;
  }
  return 0;
}

/* Refuses such names in a list. */
static int check_names(const penstock_api* api, const penstock_config* config, const char* setting,
                       const struct texts* names) {
  for (size_t i = 0; i < names->count; ++i) {
    char message[200];
    if (!is_of_proxy(names->items[i])) continue;
    snprintf(message, sizeof message, "%.*s is written by the proxy itself, and stays",
             (int)names->items[i].size, names->items[i].data);
    api->setting_error(config, setting, message);
    return 0;
  }
  return 1;
}

static int configure(penstock_instance* instance, const penstock_api* api,
                     const penstock_config* config, void** data) {
  struct privacy* const privacy = calloc(1, sizeof *privacy);
  if (privacy == NULL) return PENSTOCK_ERROR;
  const penstock_str referer = api->setting_text(config, "referer");
  privacy->cut_referer = is(referer, "origin");
  privacy->remove_referer = is(referer, "remove");
  privacy->user_agent = keep(api->setting_text(config, "user_agent"));
  if (!privacy->cut_referer && !privacy->remove_referer && !is(referer, "keep")) {
    api->setting_error(config, "referer", "it is \"keep\", \"origin\" or \"remove\"");
  } else if (privacy->user_agent.data != NULL &&
             keep_list(api, config, "cookies", &privacy->cookies) &&
             keep_list(api, config, "request_remove", &privacy->request_remove) &&
             keep_list(api, config, "response_remove", &privacy->response_remove) &&
             check_names(api, config, "request_remove", &privacy->request_remove) &&
             check_names(api, config, "response_remove", &privacy->response_remove)) {
    *data = privacy;
    return PENSTOCK_OK;
  }
  end(instance, privacy);
  return PENSTOCK_ERROR;
}

/* -- Cookies ----------------------------------------------------------------------------------- */

/* Whether a cookie of that name is to be dropped. */
static int is_dropped(const struct privacy* privacy, penstock_str name) {
  for (size_t i = 0; i < privacy->cookies.count; ++i) {
    const penstock_str one = privacy->cookies.items[i];
    const int open = one.size > 0 && one.data[one.size - 1] == '*';
    const size_t size = open ? one.size - 1 : one.size;
    const int fits = open ? name.size >= size : name.size == size;
    if (fits && memcmp(name.data, one.data, size) == 0) return 1;
  }
  return 0;
}

/* The name in "name=value" or "name=value; Path=/". */
static penstock_str name_of(penstock_str cookie) {
  size_t end_of_name = 0;
  while (end_of_name < cookie.size && cookie.data[end_of_name] != '=' &&
         cookie.data[end_of_name] != ';') {
    ++end_of_name;
  }
  return (penstock_str){cookie.data, end_of_name};
}

/* Copies the cookies of a Cookie line that may stay to `out`, which has twice as much room as the
 * line: each ";" may become "; ". Gives how many bytes they are; sets `dropped` if one was. */
static size_t filter_line(const struct privacy* privacy, penstock_str line, char* out,
                          int* dropped) {
  size_t size = 0;
  while (line.size > 0) {
    const char* const semicolon = memchr(line.data, ';', line.size);
    penstock_str cookie = {line.data, semicolon ? (size_t)(semicolon - line.data) : line.size};
    const size_t step = cookie.size < line.size ? cookie.size + 1 : cookie.size;
    line.data += step;
    line.size -= step;
    while (cookie.size > 0 && *cookie.data == ' ') {
      ++cookie.data;
      --cookie.size;
    }
    if (cookie.size == 0) continue;
    if (is_dropped(privacy, name_of(cookie))) {
      *dropped = 1;
      continue;
    }
    if (size > 0) {
      out[size++] = ';';
      out[size++] = ' ';
    }
    memcpy(out + size, cookie.data, cookie.size);
    size += cookie.size;
  }
  return size;
}

/* Writes the lines of Cookie or Set-Cookie anew without what is to be dropped, if there is any.
 * Lines are kept one behind the other, as writing changes what views point into. */
static int filter_cookies(penstock_call* call, int section, penstock_str name) {
  const struct privacy* const privacy = call->data;
  const penstock_api* const api = call->api;
  penstock_str line;
  size_t lines = 0;
  size_t room = 0;
  for (; api->field_get(call, section, name, lines, &line) >= 0; ++lines) room += 2 * line.size;
  if (lines == 0) return PENSTOCK_CONTINUE;
  char* const kept = malloc(room + 1);
  penstock_str* const views = calloc(lines, sizeof *views);
  size_t size = 0;
  int changed = 0;
  for (size_t i = 0; kept != NULL && views != NULL && i < lines; ++i) {
    api->field_get(call, section, name, i, &line);
    views[i] = (penstock_str){kept + size, 0};
    if (section == PENSTOCK_REQUEST) {
      views[i].size = filter_line(privacy, line, kept + size, &changed);
    } else if (is_dropped(privacy, name_of(line))) {
      changed = 1;
    } else {
      memcpy(kept + size, line.data, line.size);
      views[i].size = line.size;
    }
    size += views[i].size;
  }
  int result = kept != NULL && views != NULL ? PENSTOCK_CONTINUE : PENSTOCK_ERROR;
  if (changed) api->field_remove(call, section, name);
  for (size_t i = 0; changed && i < lines; ++i) {
    if (views[i].size == 0) continue;
    if (api->field_add(call, section, name, views[i]) < 0) result = PENSTOCK_ERROR;
  }
  free(views);
  free(kept);
  return result;
}

/* -- Events ------------------------------------------------------------------------------------ */

/* Leaves "https://host/" of the Referer, without user information; and none that has no host. */
static int cut_referer(penstock_call* call) {
  const penstock_str name = PENSTOCK_STR("Referer");
  penstock_str value;
  if (call->api->field_get(call, PENSTOCK_REQUEST, name, 0, &value) < 0) return PENSTOCK_OK;
  char* const origin = malloc(value.size + 1);
  if (origin == NULL) return PENSTOCK_ERROR;
  size_t from = 0; /* what is behind "://" */
  while (from < value.size && (from < 3 || memcmp(value.data + from - 3, "://", 3) != 0)) ++from;
  size_t size = from;
  if (size > 0) memcpy(origin, value.data, size);
  for (size_t i = from; i < value.size && strchr("/?#", value.data[i]) == NULL; ++i) {
    origin[size++] = value.data[i];
    if (value.data[i] == '@') size = from;
  }
  const int has_host = size > from;
  if (has_host) origin[size++] = '/';
  const int code =
      has_host ? call->api->field_set(call, PENSTOCK_REQUEST, name, (penstock_str){origin, size})
               : call->api->field_remove(call, PENSTOCK_REQUEST, name);
  free(origin);
  return code < 0 ? PENSTOCK_ERROR : PENSTOCK_OK;
}

static int request_head(penstock_call* call) {
  const struct privacy* const privacy = call->data;
  const penstock_api* const api = call->api;
  for (size_t i = 0; i < privacy->request_remove.count; ++i) {
    api->field_remove(call, PENSTOCK_REQUEST, privacy->request_remove.items[i]);
  }
  if (privacy->remove_referer) api->field_remove(call, PENSTOCK_REQUEST, PENSTOCK_STR("Referer"));
  if (privacy->cut_referer && cut_referer(call) != PENSTOCK_OK) return PENSTOCK_ERROR;
  if (privacy->user_agent.size > 0 &&
      api->field_set(call, PENSTOCK_REQUEST, PENSTOCK_STR("User-Agent"), privacy->user_agent) < 0) {
    return PENSTOCK_ERROR;
  }
  return filter_cookies(call, PENSTOCK_REQUEST, PENSTOCK_STR("Cookie"));
}

static int response_head(penstock_call* call) {
  const struct privacy* const privacy = call->data;
  for (size_t i = 0; i < privacy->response_remove.count; ++i) {
    call->api->field_remove(call, PENSTOCK_RESPONSE, privacy->response_remove.items[i]);
  }
  return filter_cookies(call, PENSTOCK_RESPONSE, PENSTOCK_STR("Set-Cookie"));
}

static const penstock_setting kSettings[] = {
    {.name = "cookies",
     .type = PENSTOCK_SETTING_STRINGS,
     .standard = "[]",
     .meaning = "Cookies that are dropped both ways."},
    {.name = "referer",
     .type = PENSTOCK_SETTING_STRING,
     .standard = "\"keep\"",
     .meaning = "\"keep\", \"origin\" or \"remove\"."},
    {.name = "user_agent",
     .type = PENSTOCK_SETTING_STRING,
     .standard = "\"\"",
     .meaning = "Stands in for every client's."},
    {.name = "request_remove",
     .type = PENSTOCK_SETTING_STRINGS,
     .standard = "[]",
     .meaning = "Fields that requests do not have."},
    {.name = "response_remove",
     .type = PENSTOCK_SETTING_STRINGS,
     .standard = "[]",
     .meaning = "Fields that responses do not have."},
};

static const penstock_module kModule = {
    .abi = PENSTOCK_ABI,
    .size = sizeof(penstock_module),
    .name = "privacy_filter",
    .version = "1.0",
    .summary = "Takes out of messages what tells too much of the client.",
    .settings = kSettings,
    .setting_count = sizeof kSettings / sizeof kSettings[0],
    .configure = configure,
    .close = end,
    .request_head = request_head,
    .response_head = response_head,
};

PENSTOCK_MODULE(kModule);
