// For tests: the other side of an HTTP/2 connection, frame by frame, right or wrong.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include "async/scope.h"
#include "async/sleep.h"
#include "async/stream.h"
#include "http2/connection.h"
#include "sim/peer.h"
#include "sim/stream.h"
#include "sim/world.h"

namespace penstock::http2 {

using Lines = std::vector<std::pair<std::string, std::string>>;

struct Frame {
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::int32_t id = 0;
  std::string payload;
};

inline std::string big_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text.push_back(static_cast<char>(value >> (8 * i) & 0xff));
  return text;
}
inline std::uint32_t number_at(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char c : bytes.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

inline std::string frame(std::uint8_t type, std::uint8_t flags, std::int32_t id,
                         std::string_view payload) {
  return big_endian(payload.size(), 3) + static_cast<char>(type) + static_cast<char>(flags) +
         big_endian(static_cast<std::uint32_t>(id), 4) + std::string(payload);
}

// HPACK literals without indexing and without Huffman (RFC 7541 section 6.2.2).
inline std::string hpack_text(std::string_view text) {
  std::string out;
  if (text.size() < 127) {
    out.push_back(static_cast<char>(text.size()));
  } else {
    out.push_back(127);
    std::size_t rest = text.size() - 127;
    for (; rest >= 128; rest /= 128) out.push_back(static_cast<char>(rest % 128 + 128));
    out.push_back(static_cast<char>(rest));
  }
  return out.append(text);
}
inline std::string hpack(const Lines& lines) {
  std::string block;
  for (const auto& [name, value] : lines) {
    block.push_back('\0');
    block += hpack_text(name) + hpack_text(value);
  }
  return block;
}

// What a stream has brought.
struct Received {
  std::vector<Lines> heads;  // 1xx, final, trailers
  std::string content;
  bool ended = false;
  std::optional<std::uint32_t> reset;

  [[nodiscard]] std::string field(std::string_view name, std::size_t head = 0) const {
    if (head >= heads.size()) return "(none)";
    for (const auto& [n, value] : heads[head]) {
      if (n == name) return value;
    }
    return {};
  }
  [[nodiscard]] std::string status(std::size_t head = 0) const { return field(":status", head); }
};

// Sends what it is told, answers SETTINGS, keeps what comes.
class RawPeer {
 public:
  // `role` is the peer's own.
  RawPeer(SimWorld& world, std::unique_ptr<ByteStream> stream, Role role)
      : world_(&world), stream_(std::move(stream)), role_(role), scope_(world.executor()) {
    nghttp2_hd_inflate_new(&inflater_);
    scope_.spawn(receive(*this));
  }
  ~RawPeer() {
    close();
    nghttp2_hd_inflate_del(inflater_);
  }
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;

  void close() {
    scope_.cancel();
    world_->run_for({});
    stream_.reset();
  }

  // Preface and SETTINGS, with windows of that size.
  void begin(std::uint32_t window = 1 << 30) {
    std::string text = role_ == Role::client ? std::string(kPreface) : std::string();
    text += frame(NGHTTP2_SETTINGS, 0, 0,
                  big_endian(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 2) + big_endian(window, 4));
    if (window > 65535) text += window_update(0, window - 65535);
    send(text);
  }
  static std::string window_update(std::int32_t id, std::uint32_t size) {
    return frame(NGHTTP2_WINDOW_UPDATE, 0, id, big_endian(size, 4));
  }
  static std::string headers(std::int32_t id, const Lines& lines, bool end) {
    const int flags = NGHTTP2_FLAG_END_HEADERS | (end ? NGHTTP2_FLAG_END_STREAM : 0);
    return frame(NGHTTP2_HEADERS, static_cast<std::uint8_t>(flags), id, hpack(lines));
  }
  static std::string data(std::int32_t id, std::string_view content, bool end) {
    return frame(NGHTTP2_DATA, end ? NGHTTP2_FLAG_END_STREAM : 0, id, content);
  }
  static std::string reset_frame(std::int32_t id, std::uint32_t code) {
    return frame(NGHTTP2_RST_STREAM, 0, id, big_endian(code, 4));
  }
  static Lines request(std::string_view method, std::string_view path, const Lines& more = {}) {
    Lines lines{{":method", std::string(method)},
                {":scheme", "https"},
                {":authority", "example.com"},
                {":path", std::string(path)}};
    lines.insert(lines.end(), more.begin(), more.end());
    return lines;
  }

  // And lets so much time pass.
  void send(std::string bytes, Duration wait = std::chrono::milliseconds(10)) {
    outgoing_ += bytes;
    if (!sending_) scope_.spawn(send_all(*this));
    world_->run_for(wait);
  }
  // A byte at a time; answers of our own wait until the end.
  void drip(const std::string& bytes) {
    dripping_ = true;
    for (const char c : bytes) send(std::string(1, c), std::chrono::milliseconds(2));
    dripping_ = false;
    send(std::exchange(answers_, {}));
  }
  void end() { stream_->shutdown_write(); }

  Received& operator[](std::int32_t id) { return streams[id]; }

  std::map<std::int32_t, Received> streams;
  std::vector<Frame> frames;
  std::vector<std::uint32_t> goaways;             // codes
  std::uint32_t last_stream = 0;                  // of the last GOAWAY
  std::map<std::int32_t, std::uint64_t> windows;  // what WINDOW_UPDATE gave
  std::map<std::uint16_t, std::uint32_t> settings;
  bool closed = false;
  bool answer_pings = true;
  bool answer_settings = true;
  bool reading = true;

 private:
  static Task<void> send_all(RawPeer& self) {
    self.sending_ = true;
    while (!self.outgoing_.empty()) {
      static_cast<void>(co_await send_text(*self.stream_, std::exchange(self.outgoing_, {})));
    }
    self.sending_ = false;
  }
  static Task<void> receive(RawPeer& self) {
    InputBuffer input;
    while (true) {
      while (!self.reading) {
        const Executor& executor = (co_await this_context()).executor();
        const bool slept = co_await sleep_until(executor.now() + std::chrono::milliseconds(10));
        if (!slept) co_return;
      }
      const auto got = co_await read_some(*self.stream_, input, kNever);
      if (!got && got.error().kind == ErrorKind::cancelled) co_return;
      if (!got || *got == 0) break;
      self.bytes_ += input.unread();
      input.consume(input.size());
      self.parse();
    }
    self.closed = true;
  }
  void parse() {
    if (role_ == Role::server && !preface_seen_) {
      if (bytes_.size() < kPreface.size()) return;
      EXPECT_TRUE(bytes_.starts_with(kPreface));
      bytes_.erase(0, kPreface.size());
      preface_seen_ = true;
    }
    while (bytes_.size() >= 9) {
      const std::size_t size = number_at(std::string(1, '\0') + bytes_.substr(0, 3));
      if (bytes_.size() < 9 + size) return;
      Frame got{.type = static_cast<std::uint8_t>(bytes_[3]),
                .flags = static_cast<std::uint8_t>(bytes_[4]),
                .id = static_cast<std::int32_t>(number_at(bytes_.substr(5, 4))),
                .payload = bytes_.substr(9, size)};
      bytes_.erase(0, 9 + size);
      take(got);
      frames.push_back(std::move(got));
    }
  }
  void take(const Frame& got) {
    Received& stream = streams[got.id];
    const bool end = (got.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (got.type) {
      case NGHTTP2_HEADERS:
      case NGHTTP2_CONTINUATION:
        block_ += got.payload;
        if (got.type == NGHTTP2_HEADERS && end) stream.ended = true;
        if ((got.flags & NGHTTP2_FLAG_END_HEADERS) != 0) stream.heads.push_back(inflate());
        break;
      case NGHTTP2_DATA:
        stream.content += got.payload;
        stream.ended = stream.ended || end;
        break;
      case NGHTTP2_RST_STREAM:
        stream.reset = number_at(got.payload);
        break;
      case NGHTTP2_GOAWAY:
        last_stream = number_at(got.payload);
        goaways.push_back(number_at(got.payload.substr(4)));
        break;
      case NGHTTP2_WINDOW_UPDATE:
        windows[got.id] += number_at(got.payload);
        break;
      case NGHTTP2_PING:
        if ((got.flags & NGHTTP2_FLAG_ACK) == 0 && answer_pings) {
          post(frame(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, got.payload));
        }
        break;
      case NGHTTP2_SETTINGS:
        for (std::size_t at = 0; at + 6 <= got.payload.size(); at += 6) {
          settings[static_cast<std::uint16_t>(
              number_at(std::string(2, '\0') + got.payload.substr(at, 2)))] =
              number_at(std::string_view(got.payload).substr(at + 2));
        }
        if ((got.flags & NGHTTP2_FLAG_ACK) == 0 && answer_settings) {
          post(frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, {}));
        }
        break;
      default:
        break;
    }
  }
  void post(const std::string& bytes) {
    (dripping_ ? answers_ : outgoing_) += bytes;
    if (!sending_) scope_.spawn(send_all(*this));
  }
  Lines inflate() {
    Lines lines;
    const std::string block = std::exchange(block_, {});
    const auto* at = reinterpret_cast<const std::uint8_t*>(block.data());
    std::size_t left = block.size();
    while (true) {
      nghttp2_nv line;
      int flags = 0;
      const ssize_t used = nghttp2_hd_inflate_hd2(inflater_, &line, &flags, at, left, 1);
      EXPECT_GE(used, 0);
      if (used < 0) break;
      at += used;
      left -= static_cast<std::size_t>(used);
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
        lines.emplace_back(std::string(reinterpret_cast<char*>(line.name), line.namelen),
                           std::string(reinterpret_cast<char*>(line.value), line.valuelen));
      }
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
    return lines;
  }

  SimWorld* world_;
  std::unique_ptr<ByteStream> stream_;
  Role role_;
  Scope scope_;
  nghttp2_hd_inflater* inflater_ = nullptr;
  std::string outgoing_;
  std::string answers_;
  bool dripping_ = false;
  bool sending_ = false;
  bool preface_seen_ = false;
  std::string bytes_;
  std::string block_;
};

}  // namespace penstock::http2
