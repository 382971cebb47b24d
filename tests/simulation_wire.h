// HTTP/1 as the simulated clients and origins speak it: plain and strict, and on purpose without a
// line of the product's own codec, which it checks.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async/stream.h"
#include "async/task.h"
#include "base/error.h"
#include "base/random.h"
#include "tests/simulation_ledger.h"

namespace penstock::simulation {

enum class Framing : std::uint8_t { none, length, chunked, until_close };

struct Head {
  std::array<std::string, 3> line;                          // the words of the first line
  std::vector<std::pair<std::string, std::string>> fields;  // names in lower case

  // The value of the first field line of that name; empty when there is none.
  [[nodiscard]] std::string value(std::string_view name) const;
  [[nodiscard]] std::size_t count(std::string_view name) const;
  // Whether a comma-separated list contains that item, in any case.
  [[nodiscard]] bool lists(std::string_view name, std::string_view item) const;
};

// How the fields say that the body is framed; protocol error when they contradict each other.
// `otherwise` is for a head that says nothing.
struct BodyFraming {
  Framing framing = Framing::none;
  std::uint64_t length = 0;
};
[[nodiscard]] Result<BodyFraming> framing_of(const Head& head, Framing otherwise);

// A body in chunks of random sizes, with extensions and a trailer now and then. The trailer
// repeats the token.
[[nodiscard]] std::string encode_chunked(Random& random, std::string_view body, Token token);

// Reads messages from a stream, and writes to it.
class Wire {
 public:
  // `patience`: how long to wait for the next byte, and for one to be taken.
  Wire(ByteStream& stream, Random& random, Duration patience)
      : stream_(&stream), random_(&random), patience_(patience) {}

  // Bytes that were read before; takes them.
  void give(InputBuffer& input);
  // A head. Errors: those of the stream, `closed` at its end, `protocol` when it is malformed.
  // begun() tells whether any byte of it was there.
  Task<Result<Head>> read_head(Duration first_byte_patience);
  [[nodiscard]] bool begun() const { return begun_; }
  // A body, fed to `check`; success only when it is whole by its framing. Trailer fields are added
  // to the head.
  Task<Result<void>> read_body(BodyFraming framing, BodyCheck& check, Head& head);
  // Reads and drops bytes until the stream ends, or for that long; how many there were.
  Task<std::uint64_t> drain(Duration limit);
  // How many bytes of messages were read.
  [[nodiscard]] std::uint64_t used() const { return used_ + begin_; }
  // What the last chunk of the last body had behind its size.
  [[nodiscard]] const std::string& last_extensions() const { return last_extensions_; }
  // Stops so many times at most, with that probability each time, before it reads on.
  void dawdle(double chance, int times) { dawdles_ = {.chance = chance, .left = times}; }
  // Whether bytes were read that no message has used yet.
  [[nodiscard]] bool has_surplus() const { return begin_ < buffer_.size(); }

  // Writes everything, now and then in several pieces with pauses between them.
  Task<Result<void>> write(std::string_view bytes);

 private:
  Task<Result<void>> fill(Duration patience);
  Task<Result<std::string>> read_line(Duration patience);
  Task<Result<void>> read_fields(Head& head);
  Task<Result<void>> read_counted(std::uint64_t length, BodyCheck& check);
  Task<Result<void>> read_chunks(BodyCheck& check, Head& head);

  ByteStream* stream_;
  Random* random_;
  Duration patience_;
  std::string buffer_;
  std::size_t begin_ = 0;
  std::uint64_t used_ = 0;  // of those that are not in the buffer any more
  std::string last_extensions_;
  struct {
    double chance = 0;
    int left = 0;
  } dawdles_;
  bool begun_ = false;
};

}  // namespace penstock::simulation
