/* Writes the responses' content anew: each byte is copied. */
#include "bench.h"

static int response_head(penstock_call* call) {
  int64_t length = 0;
  if (call->api->get_number(call, PENSTOCK_RESPONSE_LENGTH, &length) == PENSTOCK_OK &&
      length >= 0) {
    call->api->content_length(call, (uint64_t)length);
  }
  return PENSTOCK_CHANGED;
}

static int response_body(penstock_call* call, const char* bytes, size_t size) {
  return call->api->content_write(call, bytes, size) == PENSTOCK_OK ? PENSTOCK_CHANGED
                                                                    : PENSTOCK_ERROR;
}

static const penstock_module module = {
    .abi = PENSTOCK_ABI,
    .size = sizeof(penstock_module),
    .name = "copy",
    .version = "1.0",
    .summary = "For the benchmarks.",
    .response_head = response_head,
    .response_body = response_body,
};
PENSTOCK_MODULE(module);
