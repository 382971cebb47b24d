// Any bytes as the memory of a ring, changed between the steps as a hostile process might do it:
// the reader and the writer on it give messages or errors, use nothing outside the memory, and an
// error is for good.
#include "helper/ring.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string_view>

#include "base/check.h"

namespace {

using namespace penstock;

// The input, taken from the front.
class Input {
 public:
  explicit Input(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  std::uint8_t byte() {
    if (bytes_.empty()) return 0;
    const std::uint8_t value = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return value;
  }
  std::uint64_t number(std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value = value << 8 | byte();
    return value;
  }
  std::string_view bytes(std::size_t most) {
    const std::size_t size = std::min(most, bytes_.size());
    const std::string_view taken(reinterpret_cast<const char*>(bytes_.data()), size);
    bytes_ = bytes_.subspan(size);
    return taken;
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

// Of exactly that size, so that a byte outside is seen.
class ExactMemory {
 public:
  explicit ExactMemory(std::size_t size) : size_(size), memory_(::operator new(size, kAligned)) {
    std::ranges::fill(bytes(), std::byte{});
  }
  [[nodiscard]] std::span<std::byte> bytes() const {
    return {static_cast<std::byte*>(memory_.get()), size_};
  }

 private:
  static constexpr std::align_val_t kAligned{alignof(RingHeader)};
  struct Free {
    void operator()(void* memory) const { ::operator delete(memory, kAligned); }
  };
  std::size_t size_;
  std::unique_ptr<void, Free> memory_;
};

class Attack {
 public:
  Attack(const Ring& ring, Input input) : ring_(ring), input_(input) {}

  void run() {
    while (!input_.empty()) {
      step();
    }
  }

 private:
  void step() {
    switch (input_.byte() % 9) {
      case 0:
        return read();
      case 1:
        return write();
      case 2:
        return flush();
      case 3:  // a little further, as a writer in order does
        ring_.header->written.fetch_add(input_.byte());
        return;
      case 4:
        ring_.header->read.fetch_add(input_.byte());
        return;
      case 5:
        ring_.header->written.store(input_.number(8));
        return;
      case 6:
        ring_.header->read.store(input_.number(8));
        return;
      case 7: {
        const std::size_t at = input_.byte() % ring_.capacity;
        std::ranges::copy(input_.bytes(std::min<std::size_t>(input_.byte(), ring_.capacity - at)),
                          ring_.bytes + at);
        return;
      }
      default:
        ring_.header->reader_waits.store(input_.byte());
        ring_.header->writer_waits.store(input_.byte());
        ring_.header->closed.store(input_.byte() % 8 == 0 ? 1 : 0);
    }
  }

  void read() {
    RingMessage message;
    const auto got = reader_.read(message);
    PENSTOCK_CHECK(!reader_broken_ || !got);
    PENSTOCK_CHECK(message.bytes.size() <= kMaxRingMessage);
    if (got) return;
    PENSTOCK_CHECK(got.error().kind == ErrorKind::protocol);
    reader_broken_ = true;
  }
  void write() {
    const std::string_view parts[] = {input_.bytes(input_.byte()), input_.bytes(input_.byte())};
    const std::size_t before = writer_.waiting();
    note(writer_.write(input_.byte(), parts));
    PENSTOCK_CHECK(writer_.waiting() <= before + kRingPrefix + parts[0].size() + parts[1].size());
  }
  void flush() {
    if (writer_.waiting() > 0) note(writer_.flush());
  }
  void note(const Result<void>& written) {
    PENSTOCK_CHECK(!writer_broken_ || !written);
    if (written || written.error().kind == ErrorKind::closed) return;
    PENSTOCK_CHECK(written.error().kind == ErrorKind::protocol);
    writer_broken_ = true;
  }

  Ring ring_;
  Input input_;
  RingReader reader_{ring_, {}};
  RingWriter writer_{ring_, {}};
  bool reader_broken_ = false;
  bool writer_broken_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input({data, size});
  const std::size_t capacity = std::size_t{1} << input.byte() % 9;
  const ExactMemory memory(Ring::memory(capacity));
  const Ring ring = Ring::in(memory.bytes());
  std::ranges::copy(input.bytes(capacity), ring.bytes);
  Attack(ring, input).run();
  return 0;
}
