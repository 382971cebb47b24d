/* What the modules of the benchmarks have in common: nothing but their names differ. */
#ifndef PENSTOCK_BENCH_MODULE_H
#define PENSTOCK_BENCH_MODULE_H

#include "penstock/module.h"

/* Callbacks that do nothing, and say so. */
static inline int go_on(penstock_call* call) {
  (void)call;
  return PENSTOCK_CONTINUE;
}
static inline int pass(penstock_call* call, const char* bytes, size_t size) {
  (void)call;
  (void)bytes;
  (void)size;
  return PENSTOCK_CONTINUE;
}

#endif
