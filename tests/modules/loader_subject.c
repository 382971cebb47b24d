/* A module for tests of loading, built several times: a definition says what is the matter with
 * each. What it does it tells by log(), with itself in place of the instance. */
#include <penstock/module.h>

static const penstock_api* api;
static int configured;

static int load(const penstock_api* given) {
  api = given;
  api->log(NULL, PENSTOCK_LOG_INFO, "load");
#ifdef SUBJECT_LOAD_FAILS
  return PENSTOCK_FAILED;
#else
  return PENSTOCK_OK;
#endif
}

static void unload(void) { api->log(NULL, PENSTOCK_LOG_INFO, "unload"); }

static int request_head(penstock_call* call) {
  (void)call;
#ifdef SUBJECT_OTHER
  return PENSTOCK_DONE;
#else
  return PENSTOCK_CONTINUE + configured;
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
