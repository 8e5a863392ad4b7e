//! Which order each transaction was signed for.
//!
//! Nothing in a transaction names its order, and the same instructions with the same blockhash are the same transaction,
//! with the same signature: it lands once, and two orders would book it. So what was signed for one order is never signed
//! for another.

use std::collections::{BTreeMap, VecDeque};

use bulkhead_core::identifier::OrderId;

/// More than this are not signed while a blockhash is good.
const REMEMBERED: usize = 4_096;

/// What was signed lately.
#[derive(Debug, Default)]
pub struct SignedMessages {
    orders: BTreeMap<Vec<u8>, OrderId>,
    oldest_first: VecDeque<Vec<u8>>,
}

impl SignedMessages {
    /// Notes that these bytes are signed for an order; the other order when they were signed for that already.
    pub(crate) fn claim(&mut self, payload: Vec<u8>, order: OrderId) -> Result<(), OrderId> {
        match self.orders.get(&payload) {
            Some(known) if *known == order => return Ok(()),
            Some(known) => return Err(*known),
            None => {}
        }
        self.oldest_first.push_back(payload.clone());
        self.orders.insert(payload, order);
        if self.oldest_first.len() > REMEMBERED
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.orders.remove(&oldest);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_belongs_to_one_order_as_long_as_it_could_land() {
        let mut signed = SignedMessages::default();
        assert_eq!(signed.claim(vec![1], OrderId(1)), Ok(()));
        assert_eq!(signed.claim(vec![1], OrderId(1)), Ok(()));
        assert_eq!(signed.claim(vec![1], OrderId(2)), Err(OrderId(1)));
        for number in 0..REMEMBERED {
            signed.claim(number.to_le_bytes().to_vec(), OrderId(3)).unwrap();
        }
        assert_eq!(signed.orders.len(), signed.oldest_first.len());
        assert_eq!(signed.claim(vec![1], OrderId(2)), Ok(()));
    }
}
