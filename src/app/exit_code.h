// How the program ends.
#pragma once

namespace penstock {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;      // a bad configuration, or it could not be done
inline constexpr int kExitUsage = 2;       // a command line that was not understood
inline constexpr int kExitBadStatus = 22;  // `fetch --fail`: a final status of 400 or more

}  // namespace penstock
