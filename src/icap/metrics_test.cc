#include "icap/metrics.h"

#include <array>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "icap/consulted.h"

namespace penstock::icap {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

const TimePoint kStart = TimePoint{} + seconds(1000);

class RecordTest : public testing::Test {
 protected:
  RecordTest() {
    settings.name = "av";
    settings.url = "icap://scan/av";
    consulted.service = &settings;
    consulted.method = IcapMethod::respmod;
    consulted.outcome = Outcome::unmodified;
    consulted.status = 204;
    consulted.begun = kStart;
    consulted.connected = kStart + microseconds(20);
    consulted.decided = kStart + microseconds(730);
    consulted.sent = 5310;
    consulted.received = 151;
  }

  ServiceSettings settings;
  Consulted consulted;
};

TEST_F(RecordTest, OfAMessage) {
  EXPECT_EQ(to_json(consulted),
            R"({"service":"av","method":"RESPMOD","outcome":"unmodified","status":204,)"
            R"("connect_us":20,"total_us":730,"sent":5310,"received":151,"reused":false})");
}

TEST_F(RecordTest, OfAFailure) {
  consulted.outcome = Outcome::bypassed;
  consulted.failure = {.fault = Fault::timed_out};
  consulted.has_failure = true;
  consulted.status = 0;
  consulted.reused = true;
  consulted.repeats = 2;
  append_member(consulted.fields, "X-A", "b\"c\r");
  append_member(consulted.fields, "X-D", "\xe9");
  EXPECT_EQ(
      to_json(consulted),
      R"({"service":"av","method":"RESPMOD","outcome":"bypassed","reason":"timed_out",)"
      R"("connect_us":20,"total_us":730,"sent":5310,"received":151,"reused":true,"repeats":2,)"
      R"("fields":{"X-A":"b\"c\u000d","X-D":"\u00e9"}})");
}

TEST_F(RecordTest, OfWhatWasNotSent) {
  Consulted skipped{
      .service = &settings, .method = IcapMethod::reqmod, .outcome = Outcome::skipped};
  EXPECT_EQ(to_json(skipped), R"({"service":"av","method":"REQMOD","outcome":"skipped"})");
}

TEST_F(RecordTest, Counters) {
  ServiceShare share(settings, 1);
  share.counters().count(consulted);
  consulted.reused = true;
  share.counters().count(consulted);
  consulted.method = IcapMethod::reqmod;
  consulted.outcome = Outcome::failed;
  consulted.repeats = 3;
  share.counters().count(consulted);
  const std::array<const ServiceShare*, 1> services{&share};
  const std::string text = metrics_text(services, kStart);
  const std::string respmod = R"({service="av",method="RESPMOD")";
  for (const std::string& line :
       {"messages_total" + respmod + ",outcome=\"unmodified\"} 2\n",
        "messages_total" + respmod + ",outcome=\"failed\"} 0\n",
        "sent_bytes_total" + respmod + "} 10620\n", "received_bytes_total" + respmod + "} 302\n",
        "new_connection_total" + respmod + "} 1\n", "reused_connection_total" + respmod + "} 1\n",
        "seconds_total" + respmod + "} 0.00146\n",
        std::string(R"(messages_total{service="av",method="REQMOD",outcome="failed"} 1)"),
        std::string(R"(repeats_total{service="av",method="REQMOD"} 3)"),
        std::string(R"(up{service="av"} 1)"), std::string(R"(connections{service="av"} 0)"),
        std::string("# TYPE penstock_icap_up gauge\n"),
        std::string("# TYPE penstock_icap_messages_total counter\n")}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  // Nothing is known yet.
  EXPECT_THAT(text, Not(HasSubstr("options_age_seconds{")));
  EXPECT_EQ(metrics_text({}, kStart), "");
}

}  // namespace
}  // namespace penstock::icap
