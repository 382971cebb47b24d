// The bodies that `penstock fetch` sends: texts, files, and what comes through a pipe.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "app/fetch_command.h"
#include "async/event.h"
#include "message/body.h"
#include "message/framing.h"
#include "net/event_loop.h"
#include "net/fd.h"

namespace penstock {

// A regular file, read piece by piece as it is sent. Its length is that at the beginning: one that
// becomes shorter meanwhile fails with `closed`, of what is added nothing is sent.
class FileBody final : public BodySource {
 public:
  FileBody(Fd file, std::uint64_t length) : file_(std::move(file)), rest_(length) {}
  Slice take_ready() override { return {}; }
  Task<Result<Slice>> next() override;
  [[nodiscard]] bool at_end() const override { return rest_ == 0; }
  [[nodiscard]] std::optional<std::uint64_t> remaining() const override { return rest_; }

 private:
  Fd file_;
  std::uint64_t rest_;
};

// What comes up to the end of a pipe, a terminal or another file, which may take its time. The
// descriptor stays as it is, blocking or not: others may have it too.
class PipeBody final : public BodySource, private EventSource {
 public:
  // `owned`: to be closed at the end.
  PipeBody(EventLoop& loop, int fd, Fd owned);
  ~PipeBody() override;
  PipeBody(const PipeBody&) = delete;
  PipeBody& operator=(const PipeBody&) = delete;

  Slice take_ready() override { return {}; }
  Task<Result<Slice>> next() override;
  [[nodiscard]] bool at_end() const override { return ended_; }
  [[nodiscard]] std::optional<std::uint64_t> remaining() const override { return std::nullopt; }

 private:
  void on_events(std::uint32_t events) override;

  EventLoop* loop_;
  int fd_;
  Fd owned_;
  bool watched_ = false;  // the loop tells when there is something to read
  bool ended_ = false;
  Event readable_;
};

struct FetchBody {
  std::unique_ptr<BodySource> source;
  Framing framing;
};

// The body that the command names, from its beginning; the command must outlive it. The error is a
// sentence.
[[nodiscard]] std::expected<FetchBody, std::string> open_fetch_body(const FetchCommand& command,
                                                                    EventLoop& loop);

}  // namespace penstock
