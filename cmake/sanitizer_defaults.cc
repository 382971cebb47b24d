// Settings of the sanitizers, asked for by their runtimes when a program starts. The environment
// (ASAN_OPTIONS and so on) still overrides them.

#ifdef PENSTOCK_SYMBOLIZER
#define PENSTOCK_SYMBOLIZER_OPTION ":external_symbolizer_path=" PENSTOCK_SYMBOLIZER
#else
#define PENSTOCK_SYMBOLIZER_OPTION ""
#endif

extern "C" {

const char* __asan_default_options();
const char* __ubsan_default_options();
const char* __tsan_default_options();

const char* __asan_default_options() {
  return "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1"
         ":check_initialization_order=1" PENSTOCK_SYMBOLIZER_OPTION;
}

const char* __ubsan_default_options() { return "print_stacktrace=1" PENSTOCK_SYMBOLIZER_OPTION; }

const char* __tsan_default_options() {
  return "halt_on_error=1:second_deadlock_stack=1" PENSTOCK_SYMBOLIZER_OPTION;
}

}  // extern "C"
