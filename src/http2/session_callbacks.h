// What nghttp2 tells a connection.
#pragma once

#include <cstddef>
#include <cstdint>

#include <nghttp2/nghttp2.h>

namespace penstock::http2 {

class Connection;
class Stream;

// nghttp2 calls these from its functions for received and for outgoing bytes. None of them runs
// tasks: they note, wake, and submit what is to be sent.
struct SessionCallbacks {
  // Of a session with all of these and the options of the house. Its user data is the connection.
  static nghttp2_session* make_session(Connection& connection);
  // Asks the stream of a DATA frame for its content.
  static nghttp2_data_provider provider();

  static int on_begin_frame(nghttp2_session* session, const nghttp2_frame_hd* head, void* user);
  static int on_begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* user);
  static int on_header(nghttp2_session* session, const nghttp2_frame* frame,
                       const std::uint8_t* name, std::size_t name_size, const std::uint8_t* value,
                       std::size_t value_size, std::uint8_t flags, void* user);
  static int on_data_chunk(nghttp2_session* session, std::uint8_t flags, std::int32_t id,
                           const std::uint8_t* data, std::size_t size, void* user);
  static int on_frame_recv(nghttp2_session* session, const nghttp2_frame* frame, void* user);
  static int on_frame_send(nghttp2_session* session, const nghttp2_frame* frame, void* user);
  static int on_frame_not_send(nghttp2_session* session, const nghttp2_frame* frame, int error,
                               void* user);
  static int on_stream_close(nghttp2_session* session, std::int32_t id, std::uint32_t code,
                             void* user);
  static ssize_t read_data(nghttp2_session* session, std::int32_t id, std::uint8_t* buffer,
                           std::size_t limit, std::uint32_t* flags, nghttp2_data_source* source,
                           void* user);
  static int send_data(nghttp2_session* session, nghttp2_frame* frame, const std::uint8_t* head,
                       std::size_t size, nghttp2_data_source* source, void* user);

 private:
  static void on_headers_complete(Connection& connection, const nghttp2_frame& frame);
  static void on_request_complete(Connection& connection, Stream& stream);
  static void set_priority(Connection& connection, Stream& stream);
  static void on_settings(Connection& connection, const nghttp2_frame& frame);
  static void on_goaway(Connection& connection, const nghttp2_frame& frame);
  static void note_priority_update(Connection& connection, const nghttp2_frame& frame);
  static int flooded(Connection& connection);
  static int check_number(Connection& connection, const nghttp2_frame_hd& head);
};

}  // namespace penstock::http2
