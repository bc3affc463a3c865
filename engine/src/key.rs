//! From the key of a snapshot row back to the entity's key.

use charge::payment::PaymentId;
use charge::{AccountId, Code, EntityKey, Imsi, Msisdn, OperatorId, PartnerId};

const ACCOUNT: u8 = 1;
const NUMBER: u8 = 2;
const IMSI: u8 = 3;
const PARTNER: u8 = 4;
const TOP_UP: u8 = 5;
const IDEMPOTENCY: u8 = 6;
const CATALOG: u8 = 7;
const PAYMENT: u8 = 8;
const BUDGET: u8 = 20;
const SHARES: u8 = 21;
const TERMS: u8 = 30;
const AUTO: u8 = 40;
const BUDGET_TOLD: u8 = 41;
const SELLER: u8 = 70;
const SALE: u8 = 71;
const MOVE: u8 = 72;
const CARD_REGISTER: u8 = 90;
const CARD_BATCH: u8 = 91;
const CARD_COPY: u8 = 92;
const CARD_SHELF: u8 = 93;
const CARD_GUARD: u8 = 94;

/// The entity of a snapshot key; `None` for bytes that [`EntityKey::to_key_bytes`] cannot have made.
pub fn key_of_bytes(bytes: &[u8]) -> Option<EntityKey> {
    let (tag, rest) = bytes.split_first()?;
    let number = || Some(u64::from_be_bytes(rest.try_into().ok()?));
    let digest = || {
        let (partner, digest) = rest.split_first_chunk::<4>()?;
        let digest = u128::from_be_bytes(digest.try_into().ok()?);
        Some((PartnerId(u32::from_be_bytes(*partner)), digest))
    };
    Some(match *tag {
        ACCOUNT => EntityKey::Account(AccountId(number()?)),
        NUMBER => EntityKey::Number(Msisdn::new(number()?).ok()?),
        IMSI => EntityKey::Imsi(Imsi::from_packed(number()?).ok()?),
        PARTNER => EntityKey::Partner(PartnerId(u32::from_be_bytes(rest.try_into().ok()?))),
        TOP_UP => {
            let (partner, digest) = digest()?;
            EntityKey::TopUp(partner, digest)
        }
        IDEMPOTENCY => {
            let (partner, digest) = digest()?;
            EntityKey::Idempotency(partner, digest)
        }
        CATALOG => EntityKey::Catalog(OperatorId(u16::from_be_bytes(rest.try_into().ok()?))),
        PAYMENT => EntityKey::Payment(PaymentId::from_bits(u128::from_be_bytes(rest.try_into().ok()?))?),
        BUDGET => {
            let (operator, promotion) = rest.split_first_chunk::<2>()?;
            let promotion = std::str::from_utf8(promotion).ok().and_then(Code::new)?;
            EntityKey::Budget(OperatorId(u16::from_be_bytes(*operator)), promotion)
        }
        SHARES => {
            let (operator, home) = rest.split_first_chunk::<2>()?;
            let home = u16::from_be_bytes(home.try_into().ok()?);
            EntityKey::Shares(OperatorId(u16::from_be_bytes(*operator)), home)
        }
        SELLER => EntityKey::Seller(PartnerId(u32::from_be_bytes(rest.try_into().ok()?))),
        SALE => {
            let (partner, digest) = digest()?;
            EntityKey::Sale(partner, digest)
        }
        MOVE => {
            let (partner, digest) = digest()?;
            EntityKey::Move(partner, digest)
        }
        TERMS => {
            let (partner, test) = rest.split_first_chunk::<4>()?;
            let test = match test {
                [0] => false,
                [1] => true,
                _ => return None,
            };
            EntityKey::Terms(PartnerId(u32::from_be_bytes(*partner)), test)
        }
        AUTO => EntityKey::Auto(AccountId(number()?)),
        BUDGET_TOLD => EntityKey::BudgetTold(AccountId(number()?)),
        CARD_REGISTER => rest.is_empty().then_some(EntityKey::CardRegister)?,
        CARD_BATCH => EntityKey::CardBatch(u32::from_be_bytes(rest.try_into().ok()?)),
        CARD_COPY => {
            let (batch, home) = rest.split_first_chunk::<4>()?;
            let home = u16::from_be_bytes(home.try_into().ok()?);
            EntityKey::CardCopy(u32::from_be_bytes(*batch), home)
        }
        CARD_SHELF => {
            let (operator, shelf) = rest.split_first_chunk::<2>()?;
            let shelf = u16::from_be_bytes(shelf.try_into().ok()?);
            EntityKey::CardShelf(OperatorId(u16::from_be_bytes(*operator)), shelf)
        }
        CARD_GUARD => {
            let (account, own) = rest.split_first_chunk::<8>()?;
            let own = match own {
                [0] => false,
                [1] => true,
                _ => return None,
            };
            EntityKey::CardGuard(AccountId(u64::from_be_bytes(*account)), own)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<EntityKey> {
        let mut keys = vec![
            EntityKey::Account(AccountId(1)),
            EntityKey::Account(AccountId(255)),
            EntityKey::Account(AccountId(256)),
            EntityKey::Account(AccountId(u64::MAX)),
            EntityKey::Number(Msisdn::parse("923001234567").unwrap()),
            EntityKey::Number(Msisdn::parse("9230012345678").unwrap()),
            EntityKey::Imsi(Imsi::parse("001010000000001").unwrap()),
            EntityKey::Partner(PartnerId(7)),
            EntityKey::TopUp(PartnerId(7), 0),
            EntityKey::TopUp(PartnerId(7), u128::MAX),
            EntityKey::TopUp(PartnerId(8), 1),
            EntityKey::Idempotency(PartnerId(7), 1),
            EntityKey::Catalog(OperatorId(1)),
            EntityKey::Terms(PartnerId(7), false),
            EntityKey::Terms(PartnerId(7), true),
            PaymentId::new(1, 7).unwrap().key(),
            PaymentId::new(923_001_234_567, u64::MAX).unwrap().key(),
            EntityKey::Budget(OperatorId(1), Code::new("first-recharge").unwrap()),
            EntityKey::Budget(OperatorId(2), Code::new("eid").unwrap()),
            EntityKey::Shares(OperatorId(1), 3),
            EntityKey::Auto(AccountId(7)),
            EntityKey::BudgetTold(AccountId(7)),
            EntityKey::Seller(PartnerId(7)),
            EntityKey::Sale(PartnerId(7), 1),
            EntityKey::Move(PartnerId(7), u128::MAX),
            EntityKey::CardRegister,
            EntityKey::CardBatch(7),
            EntityKey::CardCopy(7, 3),
            EntityKey::CardShelf(OperatorId(1), 65_535),
            EntityKey::CardGuard(AccountId(7), false),
            EntityKey::CardGuard(AccountId(7), true),
        ];
        keys.sort_unstable();
        keys
    }

    #[test]
    fn bytes_keep_the_order_and_come_back() {
        let keys = samples();
        for pair in keys.windows(2) {
            assert!(pair[0].to_key_bytes() < pair[1].to_key_bytes(), "{pair:?}");
        }
        for key in keys {
            assert_eq!(key_of_bytes(&key.to_key_bytes()), Some(key));
        }
    }

    #[test]
    fn foreign_bytes_are_refused() {
        for bytes in [
            &[][..],
            &[1],
            &[1, 2, 3],
            &[9; 9],
            &[4, 0, 0, 0, 0, 0],
            &[2; 9],
            &[5; 20],
        ] {
            assert_eq!(key_of_bytes(bytes), None, "{bytes:?}");
        }
    }
}
