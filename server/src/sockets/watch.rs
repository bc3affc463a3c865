//! Who hears of durable events: the charging front (new money), the payment desk, auto-recharges and budgets.

use super::charging::RechargeWatch;
use crate::auto::AutoWatch;
use crate::payments::connectors::ForwardWatch;
use crate::payments::desk::PaymentWatch;
use charge::Event;
use engine::Observer;
use std::sync::Arc;

/// All watchers in one, because the engine knows one.
#[derive(Default)]
pub struct Watch {
    /// Tells open sessions of new money.
    pub recharges: RechargeWatch,
    /// Tells the payment desk of payments.
    pub payments: PaymentWatch,
    /// Tells the forwarder of sales for other operators.
    pub forwards: ForwardWatch,
    /// Hears what accounts with an auto-recharge or a budget spend.
    pub autos: Arc<AutoWatch>,
}

impl Observer for Watch {
    fn wants(&self, event: &Event) -> bool {
        self.recharges.wants(event)
            || self.payments.wants(event)
            || self.forwards.wants(event)
            || self.autos.wants(event)
    }

    fn committed(&self, partition: store::Partition, seq: store::Seq, events: &[Event]) {
        self.recharges.committed(partition, seq, events);
        self.payments.committed(partition, seq, events);
        self.forwards.committed(partition, seq, events);
        self.autos.committed(partition, seq, events);
    }
}
