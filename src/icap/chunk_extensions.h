// What ICAP says by chunk extensions: the end of a body that fit into its preview (RFC 3507 section
// 4.5), and the rest of an original body (draft-icap-ext-partial-content).
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "icap/problem.h"

namespace penstock::icap {

// Ends a preview that was the whole body.
inline constexpr std::string_view kLastChunkOfWholeBody = "0; ieof\r\n\r\n";

// N of "use-original-body=N": the bytes of the original body from the Nth on follow what was sent.
// `extensions` are those of the last chunk, as http1::ChunkDecoder::last_extensions() has them.
// None where it is not among them. Malformed: no number, one beyond 64 bits, or said twice.
[[nodiscard]] std::expected<std::optional<std::uint64_t>, Problem> use_original_body(
    std::string_view extensions);

// Whether "ieof" is among them, as only a client may say.
[[nodiscard]] std::expected<bool, Problem> has_ieof(std::string_view extensions);

}  // namespace penstock::icap
