/* Reads every byte of the responses' content. */
#include "bench.h"

static uint64_t sum; /* so that nothing is optimised away; one worker only */

static int response_body(penstock_call* call, const char* bytes, size_t size) {
  (void)call;
  for (size_t i = 0; i < size; ++i) sum += (unsigned char)bytes[i];
  return PENSTOCK_CONTINUE;
}

static const penstock_module module = {
    .abi = PENSTOCK_ABI,
    .size = sizeof(penstock_module),
    .name = "read",
    .version = "1.0",
    .summary = "For the benchmarks.",
    .response_body = response_body,
};
PENSTOCK_MODULE(module);
