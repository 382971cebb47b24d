#include "module/waiter.h"

#include <utility>

namespace penstock {
namespace {

class LocalWaiter final : public penstock_waiter {
 public:
  LocalWaiter(std::shared_ptr<WorkerGate> gate, std::shared_ptr<Moment::WaitPoint> point)
      : gate_(std::move(gate)), point_(std::move(point)) {}
  void resume() override {
    gate_->call([point = std::move(point_)] { point->event.set(); });
  }

 private:
  std::shared_ptr<WorkerGate> gate_;
  std::shared_ptr<Moment::WaitPoint> point_;
};

}  // namespace

std::unique_ptr<penstock_waiter> make_waiter(std::shared_ptr<WorkerGate> gate,
                                             std::shared_ptr<Moment::WaitPoint> point) {
  return std::make_unique<LocalWaiter>(std::move(gate), std::move(point));
}

}  // namespace penstock
