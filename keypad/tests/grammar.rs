//! The grammar of shops: what fits is understood, what does not fit is refused, and no amount is guessed.

use charge::catalog::parse::{SourceFile, parse_all};
use charge::time::Zone;
use charge::{Catalogs, Money, Msisdn};
use keypad::menu::Secret;
use keypad::shop::{Order, Wrong, exact_amount, order_of_parts, order_of_words};
use proptest::prelude::*;

fn catalogs() -> Catalogs {
    let names = ["pakistan.toml", "jazz.toml"];
    let texts = names.map(|name| {
        std::fs::read_to_string(format!("{}/../catalog/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    });
    let files: Vec<SourceFile<'_>> = names
        .iter()
        .zip(&texts)
        .map(|(name, text)| SourceFile { name, text })
        .collect();
    let zone = |name: &str| (name == "Asia/Karachi").then(|| Zone::fixed(name, 5 * 3600));
    parse_all(&files, &zone).unwrap()
}

fn load(amount: &str, again: Option<u8>) -> Order {
    Order::Load {
        number: Msisdn::parse("923001234567").unwrap(),
        amount: Money::parse(amount).unwrap(),
        pin: Secret::new("4711"),
        again,
    }
}

#[test]
fn sales_by_message_and_by_code() {
    let catalogs = catalogs();
    let words = |text: &str| {
        let words: Vec<&str> = text.split_whitespace().collect();
        order_of_words(&words, &catalogs)
    };
    for (text, order) in [
        ("LOAD 03001234567 100 4711", Ok(load("100", None))),
        ("load +923001234567 100.50 4711", Ok(load("100.50", None))),
        ("LOAD 03001234567 100 4711 AGAIN", Ok(load("100", Some(2)))),
        ("LOAD 03001234567 100 4711 3", Ok(load("100", Some(3)))),
        ("LOAD ۰۳۰۰۱۲۳۴۵۶۷ ۱۰۰ ۴۷۱۱", Ok(load("100", None))),
        ("LOAD 03001234567 1,000 4711", Err(Wrong::Amount)),
        ("LOAD 03001234567 1OO 4711", Err(Wrong::Amount)),
        ("LOAD 03001234567 1e3 4711", Err(Wrong::Amount)),
        ("LOAD 03001234567 -100 4711", Err(Wrong::Amount)),
        ("LOAD 03001234567 0 4711", Err(Wrong::Amount)),
        ("LOAD 03001234567 0100 4711", Err(Wrong::Amount)),
        ("LOAD 03001234567 100.001 4711", Err(Wrong::Amount)),
        ("LOAD 03001234567 Rs100 4711", Err(Wrong::Amount)),
        ("LOAD 03001234567 100 47", Err(Wrong::Pin)),
        ("LOAD 03001234567 100 PIN", Err(Wrong::Pin)),
        ("LOAD 0300 100 4711", Err(Wrong::Number)),
        ("LOAD 03001234567 100", Err(Wrong::Shape)),
        ("LOAD 03001234567 100 4711 YES", Err(Wrong::Shape)),
        ("LOAD 03001234567 100 4711 1", Err(Wrong::Shape)),
        ("LOAD 0300 1234567 100 4711", Err(Wrong::Shape)),
        (
            "STOCK 4711",
            Ok(Order::Stock {
                pin: Secret::new("4711"),
            }),
        ),
        (
            "LAST 4711",
            Ok(Order::Last {
                pin: Secret::new("4711"),
            }),
        ),
        (
            "PIN 4711 0815",
            Ok(Order::ChangePin {
                old: Secret::new("4711"),
                new: Secret::new("0815"),
            }),
        ),
        ("PIN 4711", Err(Wrong::Shape)),
    ] {
        assert_eq!(words(text), Some(order), "{text}");
    }
    assert_eq!(
        words("LAOD 03001234567 100 4711"),
        None,
        "a word of money is not guessed"
    );
    let parts = |text: &str| order_of_parts(&text.split('*').collect::<Vec<_>>(), &catalogs);
    for (text, order) in [
        ("03001234567*100*4711", Ok(load("100", None))),
        ("03001234567*100*4711*2", Ok(load("100", Some(2)))),
        (
            "1*4711",
            Ok(Order::Stock {
                pin: Secret::new("4711"),
            }),
        ),
        (
            "2*4711",
            Ok(Order::Last {
                pin: Secret::new("4711"),
            }),
        ),
        (
            "3*4711*0815",
            Ok(Order::ChangePin {
                old: Secret::new("4711"),
                new: Secret::new("0815"),
            }),
        ),
        ("4*03001234567*100*47", Err(Wrong::Pin)),
        ("03001234567*100", Err(Wrong::Shape)),
        ("9*4711", Err(Wrong::Shape)),
        ("", Err(Wrong::Shape)),
    ] {
        assert_eq!(parts(text), order, "{text}");
    }
    assert!(matches!(parts("4*03001234567*100*4711"), Ok(Order::Send { .. })));
}

proptest! {
    #[test]
    fn an_amount_is_what_is_written_or_nothing(text in "[0-9.,kK RsOo-]{1,8}") {
        if let Ok(amount) = exact_amount(&text) {
            prop_assert_eq!(amount, Money::parse(&text).unwrap());
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
        }
    }

    #[test]
    fn any_words_are_an_order_or_none(words in proptest::collection::vec("\\PC{0,12}", 0..7)) {
        let catalogs = Catalogs::default();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let _ = order_of_words(&words, &catalogs);
        let _ = order_of_parts(&words, &catalogs);
    }
}
