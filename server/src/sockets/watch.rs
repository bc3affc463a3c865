//! Who hears of durable events: the charging front (new money) and the payment desk.

use super::charging::RechargeWatch;
use crate::payments::desk::PaymentWatch;
use charge::Event;
use engine::Observer;

/// All watchers in one, because the engine knows one.
#[derive(Default)]
pub struct Watch {
    /// Tells open sessions of new money.
    pub recharges: RechargeWatch,
    /// Tells the payment desk of payments.
    pub payments: PaymentWatch,
}

impl Observer for Watch {
    fn wants(&self, event: &Event) -> bool {
        self.recharges.wants(event) || self.payments.wants(event)
    }

    fn committed(&self, partition: store::Partition, seq: store::Seq, events: &[Event]) {
        self.recharges.committed(partition, seq, events);
        self.payments.committed(partition, seq, events);
    }
}
