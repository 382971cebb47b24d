#include "http1/head_reader.h"

#include <utility>

namespace penstock::http1 {
namespace {

// A slab for `size` bytes, or none if there is no such slab.
SlabRef slab_for(std::size_t size) {
  SlabRef slab = SlabPool::take(SlabPool::fitting(size));
  return slab->capacity() >= size ? slab : SlabRef();
}

}  // namespace

Task<Result<void>> read_head(ByteStream& stream, InputBuffer& input, HeadScanner& scanner,
                             TimePoint deadline) {
  while (true) {
    if (!input.empty()) {
      const Progress progress = scanner.scan(input.unread());
      if (progress == Progress::done) co_return Result<void>{};
      if (progress == Progress::refused) {
        co_return fail(ErrorKind::protocol, static_cast<int>(scanner.refusal()));
      }
    }
    const auto got = co_await read_some(stream, input, deadline);
    if (!got) co_return fail(got.error());
    if (*got == 0) co_return fail(ErrorKind::closed);
  }
}

Result<Slice> serialise(const RequestHead& head, RequestForm form, const WireFraming& framing) {
  SlabRef slab = slab_for(wire_size_bound(head, framing));
  if (!slab) return fail(ErrorKind::limit);
  const std::size_t size =
      write_request_head(head, form, framing, {slab->data(), slab->capacity()});
  const std::string_view bytes(slab->data(), size);
  return Slice(std::move(slab), bytes);
}

Result<Slice> serialise(const ResponseHead& head, const WireFraming& framing) {
  SlabRef slab = slab_for(wire_size_bound(head, framing));
  if (!slab) return fail(ErrorKind::limit);
  const std::size_t size = write_response_head(head, framing, {slab->data(), slab->capacity()});
  const std::string_view bytes(slab->data(), size);
  return Slice(std::move(slab), bytes);
}

}  // namespace penstock::http1
