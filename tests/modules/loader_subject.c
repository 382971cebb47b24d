/* A module for tests of loading, built several times: a definition says what is the matter with
 * each. To a proxy that is a test (by its version) it tells of what happens, by log(). */
#include <penstock/module.h>
#include <string.h>

static const penstock_api* api;

static void tell(const char* what) {
  if (strcmp(api->version, "test") == 0) api->log(NULL, PENSTOCK_LOG_INFO, what);
}

static int load(const penstock_api* given) {
  api = given;
  tell("load");
#ifdef SUBJECT_LOAD_FAILS
  return PENSTOCK_FAILED;
#else
  return PENSTOCK_OK;
#endif
}

static void unload(void) { tell("unload"); }

static int configure(penstock_instance* instance, const penstock_api* given,
                     const penstock_config* config, void** data) {
  const int64_t level = given->setting_integer(config, "level");
  (void)instance;
  *data = NULL;
  if (level == 4) given->setting_error(config, "level", "4 brings bad luck");
  return level == 4 || level == 5 ? PENSTOCK_ERROR : PENSTOCK_OK;
}

static int request_head(penstock_call* call) {
  (void)call;
#ifdef SUBJECT_OTHER
  return PENSTOCK_DONE;
#else
  return PENSTOCK_CONTINUE;
#endif
}

static const penstock_setting settings[] = {
    {.name = "level",
     .type = PENSTOCK_SETTING_INTEGER,
     .standard = "3",
     .meaning = "How much.",
     .least = 1,
     .most = 9},
#ifdef SUBJECT_BAD_SETTING
    {.name = "time", .type = PENSTOCK_SETTING_DURATION, .standard = "\"soon\""},
#endif
};

/* A proxy of a later version knows more callbacks. */
struct later {
  penstock_module known;
  int (*unknown)(penstock_call* call);
};

static const struct later subject = {
    .known =
        {
#ifdef SUBJECT_WRONG_ABI
            .abi = PENSTOCK_ABI + 1,
#else
            .abi = PENSTOCK_ABI,
#endif
#ifdef SUBJECT_SMALL
            .size = offsetof(penstock_module, timer_ms),
#elif defined(SUBJECT_NEWER)
            .size = sizeof(struct later),
#else
            .size = sizeof(penstock_module),
#endif
#ifdef SUBJECT_BAD_NAME
            .name = "a b",
#else
            .name = "subject",
#endif
#ifndef SUBJECT_NO_VERSION
            .version = "1.2.3",
#endif
            .summary = "Tells what happens to it.",
            .settings = settings,
            .setting_count = sizeof(settings) / sizeof(settings[0]),
            .load = load,
            .configure = configure,
            .unload = unload,
            .request_head = request_head,
        },
    .unknown = request_head,
};

#ifdef SUBJECT_NULL_ENTRY
__attribute__((visibility("default"))) const struct penstock_module* penstock_module_entry(void) {
  return NULL;
}
#elif !defined(SUBJECT_NO_SYMBOL)
PENSTOCK_MODULE(subject.known);
#else
const struct later* subject_of_no_symbol(void) { return &subject; }
#endif
