// What a 304, or a 200 to HEAD, tells about stored responses (RFC 9111 sections 4.3.3 to 4.3.5),
// and how its fields come into them (section 3.2).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "cache/rfc9111/validators.h"
#include "message/fields.h"
#include "message/head.h"

namespace penstock::rfc9111 {

// --- 304 (section 4.3.4) ---

// By what a 304 names the responses it freshens.
enum class Freshening : std::uint8_t {
  strong,        // all those with its strong validator
  weak,          // the most recent one with its weak validator, or with its tag but for the "W/"
  asked,         // it has no validator, and one response was asked about: that one
  contradicted,  // see below
  none           // none of ours: a tag of the client's own list, or nothing to go by
};

// A token: "strong", "weak", "asked", "contradicted", "none".
[[nodiscard]] std::string_view to_string(Freshening freshening);

// A stored response that the request could have selected.
struct FreshenCandidate {
  Validators validators;
  std::chrono::sys_seconds date;  // of its Date, or when it was received: which is the most recent
  bool freshened = false;         // set by choose_freshened()
};

// Marks the stored responses that the 304 freshens. `candidates`: those whose validators the
// request had, or, if it had none of ours, the one response there is.
//
// `contradicted`: the 304 has a validator that differs, though a single response was asked about
// and no tag of the client's (`client_tags_sent`). The letter of section 4.3.4 is that nothing is
// updated then, and the request has to be sent again without conditions. That response is marked
// all the same: whoever takes the origin at its word that the condition held (as most caches do)
// updates it; merge_fields() leaves its validators as they are.
[[nodiscard]] Freshening choose_freshened(std::span<FreshenCandidate> candidates,
                                          const Validators& answer, bool client_tags_sent = false);

// --- 200 to HEAD (section 4.3.5) ---

enum class HeadEffect : std::uint8_t {
  none,       // another status: nothing is known
  update,     // nothing speaks against its being the same: its fields are merged
  make_stale  // validators or length differ, or validators are gone: to be validated before use
};

// What the response to HEAD means for a stored response to GET that its request could have
// selected. `stored_length`: the complete length of its content, if known.
[[nodiscard]] HeadEffect effect_of_head(const Validators& stored,
                                        std::optional<std::uint64_t> stored_length,
                                        const ResponseHead& answer);

// --- Merging (section 3.2) ---

// True for fields that stay as they are stored, whatever a later answer says: those about the
// stored octets (Content-Length, Content-Encoding, Content-Range, Content-MD5, Digest,
// Content-Digest, Repr-Digest), and hop-by-hop fields. ETag and Last-Modified: see merge_fields().
[[nodiscard]] bool stays_as_stored(const Field& field);

struct MergedFields {
  FieldSection fields;        // views into both inputs, which must outlive it
  bool vary_changed = false;  // the key of the variant has to be made anew, or the response dropped
};

// The stored fields, in their order, with those of the answer in place of lines of the same name
// and further ones at the end.
//
// - Fields that stays_as_stored() do; so do ETag and Last-Modified where the answer's ETag is
// another
//   one, as the content is the stored one still.
// - Fields that Connection of the answer names are not taken.
// - Age and Date of the stored response go: how old it is is now told by those of the answer. An
//   answer without Date has to be given one before (RFC 9110 section 6.6.1).
[[nodiscard]] MergedFields merge_fields(const FieldSection& stored, const FieldSection& answer);

}  // namespace penstock::rfc9111
