/* All callbacks of a transaction are there, and none does anything. */
#include "bench.h"

static void free_nothing(penstock_call* call) { (void)call; }

static const penstock_module module = {
    .abi = PENSTOCK_ABI,
    .size = sizeof(penstock_module),
    .name = "empty",
    .version = "1.0",
    .summary = "For the benchmarks.",
    .request_head = go_on,
    .request_body = pass,
    .request_complete = go_on,
    .cache_lookup = go_on,
    .before_connect = go_on,
    .response_head = go_on,
    .response_body = pass,
    .response_complete = go_on,
    .logged = go_on,
    .free = free_nothing,
};
PENSTOCK_MODULE(module);
