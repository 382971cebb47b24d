/* Reads all header fields of requests and responses. */
#include "bench.h"

static uint64_t seen; /* so that nothing is optimised away; one worker only */

static int read_fields(penstock_call* call, int section) {
  const penstock_api* ps = call->api;
  const size_t count = ps->field_count(call, section);
  for (size_t i = 0; i < count; ++i) {
    penstock_field field;
    if (ps->field_at(call, section, i, &field) == PENSTOCK_OK) {
      seen += field.name.size + field.value.size;
    }
  }
  return PENSTOCK_CONTINUE;
}

static int request_head(penstock_call* call) { return read_fields(call, PENSTOCK_REQUEST); }
static int response_head(penstock_call* call) { return read_fields(call, PENSTOCK_RESPONSE); }

static const penstock_module module = {
    .abi = PENSTOCK_ABI,
    .size = sizeof(penstock_module),
    .name = "headers",
    .version = "1.0",
    .summary = "For the benchmarks.",
    .request_head = request_head,
    .response_head = response_head,
};
PENSTOCK_MODULE(module);
