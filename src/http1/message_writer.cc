#include "http1/message_writer.h"

#include <array>
#include <cstring>
#include <utility>

#include "async/sleep.h"
#include "base/check.h"
#include "http1/head_writer.h"

namespace penstock::http1 {
namespace {

constexpr std::size_t kMaxSlices = 12;
// After so many writes without having to wait, the others on this thread have their turn.
constexpr unsigned kPiecesATurn = 16;
constexpr std::uint64_t kWorthCopying = 2 * 1024;
// From here on moving bytes inside the kernel is cheaper than through our memory.
constexpr std::uint64_t kWorthRelaying = 128 * 1024;

// What goes out in one write: head, chunk framing, slices of the body. The iovecs point into it, so
// it stays where it is.
class Batch {
 public:
  explicit Batch(Slice head) : head_(std::move(head)) {}
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  void add(Slice slice) {
    content_ += slice.size();
    slices_[count_++] = std::move(slice);
  }
  [[nodiscard]] bool full() const { return count_ == kMaxSlices; }
  [[nodiscard]] bool has_content() const { return count_ > 0; }
  [[nodiscard]] bool has_head() const { return !head_.empty(); }
  [[nodiscard]] std::uint64_t content() const { return content_; }

  // A small body next to a head is copied behind it: one part costs the kernel less than the copy
  // costs us.
  void join_small_content() {
    if (head_.empty() || content_ == 0 || content_ > kWorthCopying) return;
    Slab& slab = *head_.owner().get();
    if (!slab.unique() ||
        static_cast<std::size_t>(head_.data() - slab.data()) + head_.size() + content_ >
            slab.capacity()) {
      return;
    }
    char* to = slab.data() + (head_.data() - slab.data()) + head_.size();
    for (std::size_t i = 0; i < count_; ++i) {
      std::memcpy(to, slices_[i].data(), slices_[i].size());
      to += slices_[i].size();
      slices_[i] = Slice();
    }
    count_ = 0;
    const std::string_view joined(head_.data(), head_.size() + content_);
    head_ = Slice(SlabRef(head_.owner()), joined);
  }

  // The parts to write. With `chunked` the slices become one chunk, and `end` closes the body.
  std::span<iovec> assemble(bool chunked, std::string_view end) {
    std::size_t parts = 0;
    const auto put = [this, &parts](std::string_view bytes) {
      if (!bytes.empty()) parts_[parts++] = to_iovec(bytes);
    };
    put(head_.view());
    if (chunked && content_ > 0) {
      put({chunk_head_.data(), write_chunk_head(content_, chunk_head_)});
    }
    for (std::size_t i = 0; i < count_; ++i) put(slices_[i].view());
    if (chunked && content_ > 0) put(kChunkEnd);
    if (chunked) put(end);
    return {parts_.data(), parts};
  }

  void clear() {
    head_ = Slice();
    for (std::size_t i = 0; i < count_; ++i) slices_[i] = Slice();
    count_ = 0;
    content_ = 0;
  }

  // Lives as long as this.
  std::string_view last_chunk(const Outgoing& to, BodySource& body) {
    if (to.last_chunk != nullptr) return to.last_chunk(body);
    const FieldSection* const trailers = body.trailers();
    if (trailers == nullptr) return kLastChunk;
    const std::size_t bound = last_chunk_size_bound(*trailers);
    char* const text = trailer_text_.allocate(bound);
    return {text, write_last_chunk(*trailers, {text, bound})};
  }

 private:
  Slice head_;
  std::array<Slice, kMaxSlices> slices_;
  std::size_t count_ = 0;
  std::uint64_t content_ = 0;
  std::array<char, kChunkHeadMax> chunk_head_{};
  std::array<iovec, kMaxSlices + 4> parts_{};
  Arena trailer_text_;
};

void gather_ready(Batch& batch, BodySource& body) {
  while (!batch.full()) {
    Slice slice = body.take_ready();
    if (slice.empty()) return;
    batch.add(std::move(slice));
  }
}

Side other_side(Side side) { return side == Side::client ? Side::server : Side::client; }

// Writes the batch; checks a body of stated length against it.
Task<Result<void>> flush(Outgoing& to, Batch& batch, BodySource& body, Framing framing) {
  Executor& executor = (co_await this_context()).executor();
  const bool last = body.at_end();
  const bool wrong_length = framing.kind == BodyKind::length &&
                            (to.content + batch.content() > framing.length ||
                             (last && to.content + batch.content() != framing.length));
  if (wrong_length) {
    co_return fail({.kind = ErrorKind::protocol, .side = other_side(to.side)});
  }
  const bool chunked = framing.kind == BodyKind::chunked;
  if (!chunked) batch.join_small_content();
  const std::string_view end = chunked && last ? batch.last_chunk(to, body) : std::string_view();
  const std::span<iovec> parts = batch.assemble(chunked, end);
  if (!parts.empty()) {
    WriteOp write = write_all(*to.stream, parts, executor.now(), to.stall);
    write.count_into(to.sent);
    const auto written = co_await write;
    if (!written) co_return fail(written.error().at(to.side));
  }
  to.content += batch.content();
  to.last_progress = executor.now();
  batch.clear();
  co_return Result<void>{};
}

// Moves a long run of bytes from connection to connection.
Task<Result<void>> relay_run(Outgoing& to, BodySource& body, BodySource::Run run) {
  Relayed relayed{.counter = &to.sent};
  const auto done = co_await run.stream->relay(*to.stream, run.length, to.stall, relayed);
  to.content += relayed.bytes;
  body.moved(relayed.bytes, relayed.source_ended);
  if (!done) {
    co_return fail(done.error().at(relayed.source_failed ? other_side(to.side) : to.side));
  }
  if (relayed.source_ended && !body.at_end()) {
    co_return fail({.kind = ErrorKind::closed, .side = other_side(to.side)});
  }
  co_return done;
}

}  // namespace

Task<Result<void>> send_head(Outgoing& to, Slice head) {
  Executor& executor = (co_await this_context()).executor();
  iovec part = to_iovec(head.view());
  WriteOp write = write_all(*to.stream, {&part, 1}, executor.now(), to.stall);
  write.count_into(to.sent);
  const auto written = co_await write;
  to.last_progress = executor.now();
  if (!written) co_return fail(written.error().at(to.side));
  co_return Result<void>{};
}

Task<Result<void>> send_message(Outgoing& to, Slice head, BodySource& body, Framing framing) {
  Executor& executor = (co_await this_context()).executor();
  Batch batch(std::move(head));
  gather_ready(batch, body);
  bool complete = false;
  bool no_pipes = false;
  for (unsigned pieces = 1; !complete; ++pieces) {
    if (pieces % kPiecesATurn == 0) co_await yield_turn();
    if (!batch.has_content() && !batch.has_head() && !body.at_end()) {
      const bool may_relay =
          !no_pipes && framing.kind != BodyKind::chunked && to.stream->native_socket() >= 0;
      const BodySource::Run run = may_relay ? body.run(kWorthRelaying) : BodySource::Run{};
      if (run.stream != nullptr) {
        const auto relayed = co_await relay_run(to, body, run);
        if (!relayed || body.at_end()) co_return relayed;
        no_pipes = true;  // the system has no pipes left: on through our memory
      }
      auto next = co_await body.next();
      if (!next) co_return fail(next.error());
      to.last_progress = executor.now();
      if (!next->empty()) batch.add(std::move(*next));
      gather_ready(batch, body);
    }
    complete = body.at_end();
    const auto flushed = co_await flush(to, batch, body, framing);
    if (!flushed) co_return flushed;
  }
  co_return Result<void>{};
}

}  // namespace penstock::http1
