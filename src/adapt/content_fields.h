// What has to be done about a message whose content is changed: what its fields say of it.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "adapt/filter.h"
#include "adapt/withholding_body.h"

namespace penstock {

// Digests of content, in header sections and trailers (RFC 9530, and older ones).
inline constexpr std::array<std::string_view, 4> kDigestFields = {"Content-Digest", "Repr-Digest",
                                                                  "Digest", "Content-MD5"};

// Cache-Control says no-transform (RFC 9111 section 5.2.1.6 and 5.2.2.6).
[[nodiscard]] bool forbids_transform(const FieldSection& fields);

// The content, or that which the response to a GET would have (HEAD), is all of a representation,
// and neither side has forbidden to change it. False where there is none, and for 206.
[[nodiscard]] bool may_change_content(const AdaptedMessage& message);

// The media type of the message's content is in one of the ranges: "text/html", "text/*".
[[nodiscard]] bool has_type_in(const FieldSection& fields, std::span<const std::string> ranges);

// Takes back what fields say about the bytes of content that is changed: digests go, ranges are not
// offered any more, and an entity tag becomes a weak one (RFC 9110 section 8.8.1), as the same
// content is not made of the same bytes each time. The length is the business of AdaptedMessage.
void note_changed_content(FieldSection& fields);

// A 304 to a client that asked by the weak tag which it was given here names that tag, so that the
// client finds its stored response (RFC 9111 section 4.3.4). True: so it is.
bool weaken_as_asked(const AdaptedMessage& message);

// Adds the name to Vary, where it does not stand there yet.
void add_to_vary(FieldSection& fields, std::string_view name);

// The same for trailer fields, null where there are none.
void note_changed_trailers(FieldSection* trailers);

// A body that makes other content of its source: as filters own it, and with trailers that do not
// speak of the bytes of the source.
template <class Body>
class ChangedBody : public OwnBody {
 public:
  template <class... Arguments>
  explicit ChangedBody(BodySource& source, Arguments&&... arguments)
      : body_(source, std::forward<Arguments>(arguments)...) {}

  Slice take_ready() override { return body_.take_ready(); }
  Task<Result<Slice>> next() override { return body_.next(); }
  [[nodiscard]] bool at_end() const override { return body_.at_end(); }
  [[nodiscard]] std::optional<std::uint64_t> remaining() const override {
    return body_.remaining();
  }
  [[nodiscard]] FieldSection* trailers() override {
    FieldSection* const trailers = body_.trailers();
    note_changed_trailers(trailers);
    return trailers;
  }

 protected:
  [[nodiscard]] const Body& body() const { return body_; }

 private:
  Body body_;
};

}  // namespace penstock
