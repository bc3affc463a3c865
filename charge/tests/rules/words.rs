//! Explanations as people read them.

use crate::script::Run;
use charge::catalog::Language;
use charge::explain::summary;

fn told(setup: &str, script: &str, language: Language) -> Vec<String> {
    let mut run = Run::new(setup);
    for statement in script.split(';') {
        run.statement(statement.trim());
    }
    let zone = &run.world.catalog.zone;
    let of_account = |event: &&charge::Event| matches!(event.key, charge::EntityKey::Account(_));
    let mut events = run.world.journal.iter();
    let event = events.rfind(of_account).expect("something happened");
    let explanation = charge::explain(event, language, zone);
    let mut out = vec![explanation.title];
    out.extend(explanation.lines.into_iter().map(|line| line.text));
    out.push(summary(event, language, zone));
    out.into_iter()
        .map(|text| {
            text.chars()
                .filter(|c| !('\u{2066}'..='\u{2069}').contains(c))
                .collect()
        })
        .collect()
}

fn check(setup: &str, script: &str, language: Language, expected: &str) {
    let expected: Vec<&str> = expected
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(told(setup, script, language), expected);
}

#[test]
fn a_call_from_a_bundle_and_from_money() {
    let setup = "row local voice 0.10/1 intax setup=0.01 setup-intax; voice 40 step=20 src=talk; money 1.00; set region=PK-PB";
    let script = "I v1 ask=60; T v1 used=49";
    check(
        setup,
        script,
        Language::En,
        "
        Call
        Set-up fee, once for each session (tariff local): Rs 0.01, with Rs 0.00 (exactly 0.001632) tax in it.
        Taken from lot 2 (paid): Rs 0.01.
        You used 49 s.
        40 s came from your bundle talk: 2 × 20 s.
        Taken from lot 1 (bundle): 40 s.
        9 s at tariff local (version 5): 9 × 1 s at Rs 0.10 = Rs 0.90.
        This holds Rs 0.15 (exactly 0.146862) tax (19.5 %, rounded to the nearest for each pulse).
        Taken from lot 2 (paid): Rs 0.90.
        Taken from your balance: Rs 0.91.
        The session has ended; what was set aside is yours again.
        Balance left: Rs 0.09.
        Call: 49 s, Rs 0.91. Balance Rs 0.09.
    ",
    );
    check(
        setup,
        script,
        Language::Ur,
        "
        کال
        سیٹ اپ فیس، ہر سیشن پر ایک بار (ٹیرف local): 0.01 روپے، جس میں ٹیکس 0.00 روپے (ٹھیک 0.001632) ہے۔
        حصہ 2 (ادا شدہ) سے لیا گیا: 0.01 روپے۔
        آپ کا استعمال: 49 سیکنڈ۔
        آپ کے بنڈل talk سے: 40 سیکنڈ (2 × 20 سیکنڈ)۔
        حصہ 1 (بنڈل) سے لیا گیا: 40 سیکنڈ۔
        9 سیکنڈ بحساب ٹیرف local (ورژن 5): 9 × 1 سیکنڈ، فی پلس 0.10 روپے = 0.90 روپے۔
        اس میں 0.15 روپے (ٹھیک 0.146862) ٹیکس شامل ہے (19.5 %، ہر پلس پر قریب ترین عدد تک)۔
        حصہ 2 (ادا شدہ) سے لیا گیا: 0.90 روپے۔
        آپ کے بیلنس سے لیے گئے: 0.91 روپے۔
        سیشن ختم ہو گیا؛ جو مختص تھا وہ دوبارہ آپ کا ہے۔
        باقی بیلنس: 0.09 روپے۔
        کال: 49 سیکنڈ، 0.91 روپے۔ بیلنس 0.09 روپے۔
    ",
    );
    check(
        setup,
        script,
        Language::Zh,
        "
        通话
        接续费，每次会话收取一次（资费 local）：0.01 卢比，其中含税 0.00 卢比（精确值 0.001632）。
        从第 2 笔（充值）扣除：0.01 卢比。
        您使用了 49 秒。
        其中 40 秒 来自您的套餐 talk：2 × 20 秒。
        从第 1 笔（套餐）扣除：40 秒。
        9 秒 按资费 local（版本 5）计费：9 × 1 秒，每次 0.10 卢比，共 0.90 卢比。
        其中含税 0.15 卢比（精确值 0.146862）（税率 19.5 %，每次计费四舍五入）。
        从第 2 笔（充值）扣除：0.90 卢比。
        从您的余额扣除：0.91 卢比。
        会话已结束，预留的部分已退还给您。
        剩余余额：0.09 卢比。
        通话：49 秒，0.91 卢比。余额 0.09 卢比。
    ",
    );
}

#[test]
fn a_recharge_with_a_gift() {
    let setup = "promo first data=1073741824 min=50; set region=PK-PB";
    check(
        setup,
        "tend; recharge 100",
        Language::En,
        "
        Recharge
        You paid Rs 100.00 through card.
        Tax taken from it: Rs 13.04 (exactly 13.043478) (15 %, rounded to the nearest; region PK-PB).
        Added to your balance: Rs 86.96 (exactly 86.956522) (lot 1).
        A gift from first: 1 GB, until 2026-12-20 00:00.
        Balance left: Rs 86.96 (exactly 86.956522).
        Your balance is valid until 2026-12-20 12:00.
        Receipt R7-2, reference ref.
        Recharge of Rs 100.00: tax Rs 13.04, added Rs 86.96. Balance Rs 86.96, valid until 2026-12-20 12:00.
    ",
    );
}

#[test]
fn data_that_went_beyond_and_what_comes_next() {
    let setup = "row net data 1/1048576; money 3; grant data 2097152 1048576 2097152";
    check(
        setup,
        "I d1 rg=10 ask; U d1 rg=10 used=1572864 ask",
        Language::En,
        "
        Mobile data
        Service group 10:
        You used 1.5 MB.
        1.5 MB at tariff net (version 5): 2 × 1 MB at Rs 1.00 = Rs 2.00.
        No tax on this.
        Taken from lot 1 (paid): Rs 2.00.
        512 KB of the last pulse is paid for and waits for you.
        1.5 MB is set aside for what comes next.
        Held for it in lot 1 (paid): Rs 1.00.
        This is the last part that your balance allows.
        Taken from your balance: Rs 2.00.
        Balance left: Rs 0.00.
        Mobile data: 1.5 MB, Rs 2.00. Balance Rs 0.00.
    ",
    );
    check(
        setup,
        "I d1 ask; T d1 used=4194304",
        Language::En,
        "
        Mobile data
        You used 4 MB.
        3 MB at tariff net (version 5): 3 × 1 MB at Rs 1.00 = Rs 3.00.
        No tax on this.
        Taken from lot 1 (paid): Rs 3.00.
        1 MB went beyond your balance. It would have cost Rs 1.00; you were not charged for it.
        Taken from your balance: Rs 3.00.
        The session has ended; what was set aside is yours again.
        Balance left: Rs 0.00.
        Mobile data: 4 MB, Rs 3.00. Balance Rs 0.00.
    ",
    );
}
