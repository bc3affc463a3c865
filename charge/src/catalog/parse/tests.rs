//! Bad files and what is said about them: one line per mistake.

use super::*;

const COUNTRY: &str = r#"kind = "country"
schema = 1
code = "PK"
name = { en = "Pakistan", ur = "پاکستان", zh = "巴基斯坦" }
as_of = "2026-11-21"
currency = "PKR"
zone = "Asia/Karachi"
numbering = { country = "92", trunk = "0", national_digits = 10, as_of = "2026", source = ["S01"] }
[tax]
recharge_name = { en = "Income tax", ur = "انکم ٹیکس", zh = "所得税" }
usage_name = { en = "Sales tax", ur = "سیلز ٹیکس", zh = "销售税" }
default_region = "PK-PB"
listed_non_filer = "75"
recharge_rounding = "half-up"
usage_rounding = "down"
as_of = "2026"
source = ["S01"]
[[tax.region]]
code = "PK-PB"
name = { en = "Punjab", ur = "پنجاب", zh = "旁遮普省" }
recharge = "15"
usage = "19.5"
areas = ["1000-1999", "7"]
as_of = "2026"
source = ["S01"]
[[tax.region]]
code = "PK-GB"
name = { en = "Gilgit", ur = "گلگت", zh = "吉尔吉特" }
recharge = "0"
usage = "0"
areas = ["3000-3999"]
as_of = "2026"
source = ["S01"]
[sources]
S01 = "a list"
"#;

const OPERATOR: &str = r#"kind = "operator"
schema = 1
code = "mini"
id = 7
name = { en = "Mini", ur = "منی", zh = "迷你" }
version = 1
country = "PK"
as_of = "2026-11-21"
source = ["S01"]
numbering = { prefixes = ["30", "331"], plmns = ["41001"], as_of = "2026", source = ["S01"] }
contact = { sms_sender = "Mini", helpline = "111", balance_dial = "*111#", as_of = "2026", source = ["S01"] }
steps = { data = "512 KB", voice = "60 s" }
[recharge]
minimum = "50"
maximum = "10000"
rule = "later"
maximum_days = 365
as_of = "2026"
source = ["S01"]
band = [
  { from = "50", days = 30 },
  { from = "100", days = 60 },
]
[policy]
data = { default = "10 MB", minimum = "1 MB", maximum = "100 MB", validity = "1 h", threshold_percent = 10, holding = "300 s" }
voice = { default = "60 s", minimum = "1 s", maximum = "600 s", validity = "1 h", threshold_percent = 10, holding = "0 s" }
sms = { default = "1 SMS", minimum = "1 SMS", maximum = "10 SMS", validity = "1 h", threshold_percent = 0, holding = "0 s" }
final_action = "terminate"
low_balance = "15"
supervision = "1 h"
duplicates_for = "1 h"
duplicates_count = 64
as_of = "2026"
source = ["S01"]
[[tariff]]
code = "voice"
name = { en = "Calls", ur = "کال", zh = "通话" }
service = "voice"
place = "anywhere"
price = "3.50"
per = "60 s"
setup = "0.15"
tax = "exclusive"
as_of = "2026"
source = ["S01"]
[[tariff]]
code = "received-abroad"
name = { en = "Received", ur = "موصول", zh = "接听" }
service = "voice"
to = ["incoming"]
place = "roaming"
price = "40"
per = "60 s"
tax = "untaxed"
as_of = "2026"
source = ["S01"]
[[tariff]]
code = "sms"
name = { en = "Messages", ur = "پیغام", zh = "短信" }
service = "sms"
place = "anywhere"
price = "1"
per = "1 SMS"
tax = "exclusive"
as_of = "2026"
source = ["S01"]
[[tariff]]
code = "data"
name = { en = "Data", ur = "ڈیٹا", zh = "流量" }
service = "data"
place = "anywhere"
price = "5"
per = "1 MB"
pulse = "512 KB"
tax = "inclusive"
as_of = "2026"
source = ["S01"]
[[offer]]
code = "weekly"
name = { en = "Weekly", ur = "ہفتہ", zh = "每周" }
period = "weekly"
weight = "heavy"
price = "320"
tax = "inclusive"
valid = "7 calendar days"
bucket = [
  { for = "data", amount = "1.5 GB", window = "23:00-08:00" },
  { for = "voice", to = ["on-net"], amount = "100 min" },
]
as_of = "2026"
source = ["S01"]
[[promotion]]
code = "first"
name = { en = "Gift", ur = "تحفہ", zh = "礼包" }
trigger = "first-recharge"
minimum = "50"
valid = "24 hours"
from = "2026-01-01"
until = "2027-01-01"
bucket = [{ for = "money", services = ["sms"], amount = "5" }]
as_of = "2026"
source = ["S01"]
budget = "1000"
"#;

/// `operator | old -> new | problems`: the mini catalog with one replacement says exactly this. `~` breaks a line.
const MISTAKES: &str = r#"
# keys and types
price = "3.50" | pirce = "3.50" | mini.toml:35:1: the tariff has no `price` ~ mini.toml:40:1: the tariff has no key `pirce`; did you mean `price`?
price = "3.50" | price = 3.50 | mini.toml:40:9: `price` must be text in quotes, like "3.50"; this is a number
id = 7 | id = "7" | mini.toml:4:6: `id` must be a whole number from 1 to 9999, without quotes
id = 7 | id = 0 | mini.toml:4:6: `id` must be a whole number from 1 to 9999, without quotes
id = 7~name = { en = "Mini" | id = = 7~name = { en = "Mini" | mini.toml:4:6: not valid TOML: extra `=`, expected nothing ~ mini.toml:4:8: not valid TOML: unexpected key or value, expected newline, `#`
kind = "operator" | kind = "tariff" | mini.toml:1:8: `tariff` is not a kind of file; write "country", "operator" or "chain"
schema = 1~code = "mini" | schema = 2~code = "mini" | mini.toml:2:10: `schema` must be 1
[recharge]~minimum = "50" | [recharges]~minimum = "50" | mini.toml:1:1: the file has no `recharge` ~ mini.toml:13:2: the file has no key `recharges`; did you mean `recharge`?
code = "mini" | name2 = "mini" | mini.toml:1:1: the file has no `code` ~ mini.toml:3:1: the file has no key `name2`
# money
price = "320" | price = "3,20" | mini.toml:83:9: "3,20" is not an amount of money; write digits with at most six decimals, like "3.50"
price = "320" | price = "-320" | mini.toml:83:9: -320 is negative; an amount here is 0 or more
price = "320" | price = "1000000.01" | mini.toml:83:9: 1000000.01 is absurdly high; the highest amount here is 1000000
price = "320" | price = "0" | mini.toml:83:9: the price of an offer for sale is above zero; an offer that is given says `for_sale = false`
price = "5"~per = "1 MB" | price = "0.000001"~per = "1 MB" | mini.toml:72:9: the price of one pulse is not a whole number of millionths; choose `price`, `per` and `pulse` that divide
low_balance = "15" | low_balance = "15"~session_notice = { cost = "much" } | mini.toml:30:27: "much" is not an amount of money; write digits with at most six decimals, like "3.50"
low_balance = "15" | low_balance = "15"~session_notice = { data = "10 min" } | mini.toml:30:27: "10 min" is not a quantity of octets; write it like "512 KB"
low_balance = "15" | low_balance = "15"~session_notice = {} | mini.toml:30:18: `session_notice` needs one of `cost`, `data` and `voice`; without it nobody is told
low_balance = "15" | low_balance = "lots" | mini.toml:29:15: "lots" is not an amount of money; write digits with at most six decimals, like "3.50"
# quantities, steps, pulses
pulse = "512 KB" | pulse = "0 KB" | mini.toml:74:9: 0 KB is zero; an amount, pulse or step here must be above zero
pulse = "512 KB" | pulse = "512" | mini.toml:74:9: "512" is not a quantity of octets; write it like "512 KB"
per = "60 s" | per = "1 MB" | mini.toml:41:7: "1 MB" is not a quantity of seconds; write it like "60 min"
per = "1 SMS" | per = "0.5 SMS" | mini.toml:63:7: "0.5 SMS" is not a quantity of messages; write it like "500 SMS"
amount = "1.5 GB" | amount = "unlimited" | mini.toml:87:28: unlimited is not an amount; write the fair-use amount and `synthetic = true`
amount = "1.5 GB" | amount = "9000000 TB" | mini.toml:87:28: 9000000 TB is absurdly much
amount = "100 min" | amount = "100 min", step = "0 s" | mini.toml:88:64: 0 s is zero; an amount, pulse or step here must be above zero
steps = { data = "512 KB" | steps = { data = "512KB" | mini.toml:12:18: "512KB" is not a quantity of octets; write it like "512 KB"
supervision = "1 h" | supervision = "400 days" | mini.toml:30:15: 400 days is longer than a year
# codes and names
code = "weekly" | code = "weekly-all-in-one-for-you" | mini.toml:79:8: the code "weekly-all-in-one-for-you" has 25 bytes; at most 23 fit
code = "weekly" | code = "Weekly AIO" | mini.toml:79:8: "Weekly AIO" is not a code; use lower case letters, digits and hyphens
code = "sms" | code = "voice" | mini.toml:58:8: there is already a tariff row with the code "voice"
name = { en = "Weekly", ur = "ہفتہ", zh = "每周" } | name = { en = "Weekly", zh = "" } | mini.toml:80:8: the name has no `ur` ~ mini.toml:80:30: the text is empty
ur = "ہفتہ", zh = "每周" } | ur = "ہفتہ", zh = "" } | mini.toml:80:43: the text is empty
# windows and life times
window = "23:00-08:00" | window = "23:00-8:00" | mini.toml:87:47: "23:00-8:00" is not a time window; write hours and minutes, like "01:00-09:00"
window = "23:00-08:00" | window = "24:00-08:00" | mini.toml:87:47: "24:00-08:00" is not a time window; write hours and minutes, like "01:00-09:00"
window = "23:00-08:00" | window = "08:00-08:00" | mini.toml:87:47: the window 08:00-08:00 is empty: it ends where it begins
window = "23:00-08:00" | window = "08:00-٠٩:٠٠" | mini.toml:87:47: "08:00-٠٩:٠٠" is not a time window; write hours and minutes, like "01:00-09:00"
valid = "7 calendar days" | valid = "7 days" | mini.toml:85:9: "7 days" is not a life time; write "7 calendar days" (including today) or "24 hours"
valid = "7 calendar days" | valid = "30 calendar days" | mini.toml:85:9: the life time does not fit `period`: daily is up to 3 days, weekly 4 to 10, monthly 28 to 31; else "one-off"
valid = "7 calendar days" | valid = "9999 calendar days" | mini.toml:85:9: 9999 calendar days is longer than 3660 days
# where values come from
as_of = "2026-11-21"~source | as_of = "21 Nov 2026"~source | mini.toml:8:9: "21 Nov 2026" is not a date; write the day of the source, like "2024-09-02", "2024-09" or "2024"
as_of = "2026-11-21"~source | as_of = "2026-02-30"~source | mini.toml:8:9: "2026-02-30" is not a date; write the day of the source, like "2024-09-02", "2024-09" or "2024"
as_of = "2026-11-21"~source | source | mini.toml:1:1: the file has no `as_of`
source = ["S01"]~[[promotion]] | [[promotion]] | mini.toml:78:1: no `source`: name one from [sources], or say `synthetic = true` and what is invented in `note`
source = ["S01"]~[[promotion]] | synthetic = true~[[promotion]] | mini.toml:91:13: `synthetic = true` needs a `note` that says what is invented
source = ["S01"]~[[promotion]] | source = ["S99"]~[[promotion]] | mini.toml:91:11: source "S99" is not in [sources] of the country's file
# recharge, policy, contact
{ from = "100", days = 60 } | { from = "50", days = 60 } | mini.toml:22:12: the bands are out of order: 50.00 does not come after 50.00
{ from = "50", days = 30 } | { from = "60", days = 30 } | mini.toml:21:12: the first band must begin at or below the smallest recharge
days = 60 | days = 600 | mini.toml:22:26: 600 days are more than `maximum_days`
minimum = "50"~maximum | minimum = "20000"~maximum | mini.toml:14:11: the smallest recharge must be above zero and not above `maximum`
rule = "later" | rule = "sooner" | mini.toml:16:8: "sooner" is not a rule; write "later" or "add"
default = "10 MB" | default = "101 MB" | mini.toml:25:40: a grant needs minimum <= default <= maximum
final_action = "terminate" | final_action = "redirect" | mini.toml:28:16: "redirect" needs `redirect_to`, the page to send people to
helpline = "111" | helpline = "call us" | mini.toml:11:45: "call us" cannot be dialled; write at most 24 digits
# numbers and networks
prefixes = ["30", "331"] | prefixes = ["30", "0331"] | mini.toml:10:33: "0331" is not a number prefix; write 1 to 15 digits, not beginning with 0
prefixes = ["30", "331"] | prefixes = ["3012345678"] | mini.toml:10:27: the prefix 3012345678 is as long as a whole number; write its first digits
plmns = ["41001"] | group = ["other"], plmns = ["410-01"] | mini.toml:10:50: there is no file of the operator "other" ~ mini.toml:10:69: "410-01" is not a network; write MCC and MNC as 5 or 6 digits, like "41001"
country = "PK" | country = "IN" | mini.toml:7:11: there is no file of the country "IN"
# what is sold
{ for = "voice", to = ["on-net"], amount | { for = "voice", amount | mini.toml:88:3: a bucket of voice or messages says where `to`, like ["on-net", "off-net"]
to = ["on-net"] | to = ["onnet"] | mini.toml:88:26: "onnet" is not a destination; write "on-net", "off-net", "international", "special" or "incoming"
for = "voice" | for = "talk" | mini.toml:88:11: "talk" is not what a bucket can be for; write "data", "voice", "sms" or "money"
bucket = [{ for = "money", services = ["sms"], amount = "5" }] | bucket = [] | mini.toml:100:10: the promotion has no bucket; write `bucket = [ { for = "data", amount = "1 GB" } ]`
until = "2027-01-01" | until = "2026-01-01" | mini.toml:99:9: the promotion ends before it begins; `until` is the first day without it
until = "2027-01-01" | until = "2027-02-29" | mini.toml:99:9: 2027-02-29 is not a day of the calendar
trigger = "first-recharge" | trigger = "birthday" | mini.toml:95:11: "birthday" is not a trigger; write "first-recharge", "recharge" or "purchase"
budget = "1000" | budget = "4" | mini.toml:103:10: the budget does not suffice for one award, which costs 5.00
budget = "1000" |  | mini.toml:92:1: the promotion has no `budget`
budget = "1000" | budget = "1000"~cost = "5" | mini.toml:104:8: `cost` is for units; bonus money and discounts cost what they are worth
budget = "1000" | budget = "1000"~chance = "1/100" | mini.toml:104:10: `chance`: an award by chance is a lottery, which is not allowed; write what everybody gets who meets the conditions
budget = "1000" | budget = "1000"~campaign = "eid" | mini.toml:104:12: "eid" is not a campaign code; use 3 to 16 capital letters and digits
budget = "1000" | budget = "1000"~weekdays = ["friday"] | mini.toml:104:13: "friday" is not a weekday; there are mon, tue, wed, thu, fri, sat, sun
budget = "1000" | budget = "1000"~channel_classes = ["moon"] | mini.toml:104:20: "moon" is not a kind of channel; there are shop, kiosk, atm, web, app, wallet, bank, card, ussd, sms, voucher, auto
budget = "1000" | budget = "1000"~per = "year" | mini.toml:104:7: "year" is not a period; write "campaign", "day", "week" or "month"
budget = "1000" | budget = "1000"~offers = ["weekly"] | mini.toml:104:10: `offers` is for promotions with the trigger "purchase"
budget = "1000" | budget = "1000"~discount = "20 %" | mini.toml:92:1: `discount` is for promotions with the trigger "purchase"
trigger = "first-recharge" | trigger = "purchase" | mini.toml:92:1: a promotion of purchases has a `discount`, and nothing else
budget = "1000" | budget = "1000"~percent = { rate = "150", maximum = "10" } | mini.toml:104:20: "150" is not a percentage from 0 to 100; write it like "19.5", without the sign
bucket = [{ for = "money", services = ["sms"], amount = "5" }] | bucket = [{ for = "data", amount = "1 GB" }] | mini.toml:92:1: `cost` says what the budget pays for the units of one award; write it like "35"
# every use has a price
place = "anywhere"~price = "1" | place = "roaming"~price = "1" | mini.toml:57:1: no tariff row prices sms to on-net numbers at home at 00:00; add one without `windows`, `prefixes` and `rating_groups` ~ ... and 3 more
setup = "0.15" | windows = ["08:00-23:00", "23:00-07:00"] | mini.toml:35:1: no tariff row prices voice to on-net numbers at home at 07:00; add one without `windows`, `prefixes` and `rating_groups` ~ ... and 5 more
setup = "0.15" | to = ["on-net", "special", "international"] | mini.toml:35:1: no tariff row prices voice to off-net numbers at home at 00:00; add one without `windows`, `prefixes` and `rating_groups` ~ mini.toml:35:1: warning: no tariff row prices voice to off-net numbers while roaming at 00:00: it will be refused
place = "anywhere"~price = "5" | place = "home"~price = "5" | mini.toml:67:1: warning: no tariff row prices data while roaming at 00:00: it will be refused
pulse = "512 KB" | rating_groups = [10] | mini.toml:67:1: no tariff row prices data at home at 00:00; add one without `windows`, `prefixes` and `rating_groups` ~ mini.toml:67:1: warning: no tariff row prices data while roaming at 00:00: it will be refused
# the country
zone = "Asia/Karachi" | zone = "Asia/Karatschi" | pakistan.toml:7:8: "Asia/Karatschi" is not a known time zone; write one like "Asia/Karachi"
default_region = "PK-PB" | default_region = "PK-XX" | pakistan.toml:12:18: the default region PK-XX is unknown; the regions are PK-PB, PK-GB
usage = "19.5" | usage = "19.5 %" | pakistan.toml:22:9: "19.5 %" is not a percentage from 0 to 100; write it like "19.5", without the sign
usage = "19.5" | usage = "195" | pakistan.toml:22:9: "195" is not a percentage from 0 to 100; write it like "19.5", without the sign
code = "PK-GB" | code = "PK-PB" | pakistan.toml:26:1: the region PK-PB stands here twice
areas = ["3000-3999"] | areas = ["1999-2000"] | pakistan.toml:26:1: cell areas of PK-GB are also areas of PK-PB
areas = ["3000-3999"] | areas = ["3999-3000"] | pakistan.toml:31:10: "3999-3000" is not a range of area codes; write it like "1000-1999", below 16777216
usage_rounding = "down" | usage_rounding = "bankers" | pakistan.toml:15:18: "bankers" is not a rounding; write "half-up", "half-even", "down" or "up"
currency = "PKR" | currency = "Rs" | pakistan.toml:6:12: "Rs" is not a code of 3 capital letters
"#;

fn zones(name: &str) -> Option<Zone> {
    (name == "Asia/Karachi").then(|| Zone::fixed(name, 5 * 3_600))
}

fn lines(country: &str, operators: &[(&str, &str)]) -> Vec<String> {
    let mut files = vec![SourceFile {
        name: "pakistan.toml",
        text: country,
    }];
    files.extend(operators.iter().map(|(name, text)| SourceFile { name, text }));
    let (catalogs, problems) = check(&files, &zones);
    let any_error = problems.iter().any(|problem| problem.severity == Severity::Error);
    assert_eq!(catalogs.is_none(), any_error);
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn the_mini_catalog_is_sound() {
    assert_eq!(lines(COUNTRY, &[("mini.toml", OPERATOR)]), Vec::<String>::new());
    let files = [
        SourceFile {
            name: "mini.toml",
            text: OPERATOR,
        },
        SourceFile {
            name: "pakistan.toml",
            text: COUNTRY,
        },
    ];
    let catalog = parse_catalog(&files, &zones).unwrap();
    let gift = &catalog.promotions[0];
    assert_eq!(gift.from.to_string(), "2025-12-31T19:00:00Z");
    let scope = gift.buckets[0].scope;
    assert_eq!(
        (gift.buckets[0].unit, scope.services, scope.window),
        (crate::Unit::Money, 4, None)
    );
    let night = catalog.offers[0].buckets[0];
    assert_eq!(
        (night.scope.window, night.amount.0),
        (Some((1_380, 480)), 1_536 << 20)
    );
    assert_eq!((night.priority, catalog.offers[0].buckets[1].priority), (25, 30));
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let mut count = 0;
    for rule in MISTAKES
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let parts: Vec<&str> = rule.split(" | ").collect();
        let [old, new, expected] = parts[..] else {
            panic!("{rule}")
        };
        let (old, new) = (old.replace('~', "\n"), new.replace('~', "\n"));
        let in_country = expected.starts_with("pakistan");
        let base = if in_country { COUNTRY } else { OPERATOR };
        assert!(base.contains(&old), "{rule}");
        let changed = base.replacen(&old, &new, 1);
        let found = if in_country {
            lines(&changed, &[])
        } else {
            lines(COUNTRY, &[("mini.toml", changed.as_str())])
        };
        let shown = match found.as_slice() {
            [first, _, _, ..] => format!("{first} ~ ... and {} more", found.len() - 1),
            few => few.join(" ~ "),
        };
        assert_eq!(shown, expected, "{rule}");
        count += 1;
    }
    assert!(count > 60);
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once() {
    let bad = OPERATOR
        .replacen("price = \"3.50\"", "price = \"x\"", 1)
        .replacen("weight = \"heavy\"", "weight = \"fat\"", 1)
        .replacen("id = 7", "id = -7", 1);
    let found = lines(COUNTRY, &[("mini.toml", &bad)]);
    let places: Vec<&str> = found
        .iter()
        .map(|line| &line[..line.find(": ").unwrap()])
        .collect();
    assert_eq!(places, ["mini.toml:4:6", "mini.toml:40:9", "mini.toml:82:10"]);
}

#[test]
fn operators_do_not_share_numbers() {
    let other = OPERATOR
        .replacen("[\"30\", \"331\"]", "[\"3\", \"34\"]", 1)
        .replacen("id = 7", "id = 8", 1)
        .replacen("code = \"mini\"", "code = \"other\"", 1);
    assert_eq!(
        lines(COUNTRY, &[("mini.toml", OPERATOR), ("other.toml", &other)]),
        [
            "other.toml:10:27: numbers of this prefix belong to mini, which has 30",
            "other.toml:10:48: the network 41001 is already that of mini",
        ]
    );
    let twice = lines(COUNTRY, &[("mini.toml", OPERATOR), ("again.toml", OPERATOR)]);
    assert_eq!(
        twice[0],
        "again.toml:3:8: there is already an operator with the code \"mini\""
    );
    assert_eq!(twice[1], "again.toml:4:6: the id 7 is already that of mini");
}

#[test]
fn a_network_group_counts_as_on_net() {
    let plmns = "plmns = [\"41001\"]";
    let first = OPERATOR.replacen(plmns, &format!("group = [\"other\"], {plmns}"), 1);
    let other = OPERATOR
        .replacen("[\"30\", \"331\"]", "[\"34\"]", 1)
        .replacen(plmns, "plmns = [\"41006\"]", 1)
        .replacen("id = 7", "id = 8", 1)
        .replacen("code = \"mini\"", "code = \"other\"", 1);
    let files = [
        SourceFile {
            name: "pakistan.toml",
            text: COUNTRY,
        },
        SourceFile {
            name: "mini.toml",
            text: &first,
        },
        SourceFile {
            name: "other.toml",
            text: &other,
        },
    ];
    let catalogs = parse_all(&files, &zones).unwrap();
    let called = crate::catalog::Called::Number(crate::Msisdn::parse("923451234567").unwrap());
    let class = |code| catalogs.by_code(code).unwrap().classify(called, None);
    assert_eq!(class("mini"), crate::catalog::DestinationClass::OnNet);
    assert!(
        parse_catalog(&files, &zones).is_err(),
        "two operators are not one"
    );
}

#[test]
fn a_row_behind_one_that_takes_all_is_pointed_out() {
    let start = OPERATOR.find("[[tariff]]\ncode = \"sms\"").unwrap();
    let late = "[[tariff]]\ncode = \"voice-abroad\"\nname = { en = \"a\", ur = \"b\", zh = \"c\" }\nservice = \"voice\"\nto = [\"international\"]\nprefixes = [\"966\"]\nprice = \"9\"\nper = \"60 s\"\ntax = \"exclusive\"\nas_of = \"2026\"\nsource = [\"S01\"]\n";
    let text = format!("{}{late}{}", &OPERATOR[..start], &OPERATOR[start..]);
    assert_eq!(
        lines(COUNTRY, &[("mini.toml", &text)]),
        ["mini.toml:57:1: warning: this row never applies: \"voice\" above it matches first"]
    );
}

#[test]
fn hostile_files_end_in_a_problem() {
    let deep = format!("a = {}", "[".repeat(100_000));
    let large = " ".repeat(limits::FILE_BYTES_MAX + 1);
    for text in ["", "\u{0}", "kind", deep.as_str(), large.as_str()] {
        assert!(!lines(COUNTRY, &[("mini.toml", text)]).is_empty());
    }
    let unknown: String = (0..10_000).map(|key| format!("k{key} = 1\n")).collect();
    let found = lines(COUNTRY, &[("mini.toml", &format!("{unknown}{OPERATOR}"))]);
    assert_eq!(found.len(), limits::PROBLEMS_MAX);
    assert!(check(&[], &zones).0.is_none());
    let many = [SourceFile {
        name: "pakistan.toml",
        text: COUNTRY,
    }; limits::FILES_MAX + 1];
    assert!(check(&many, &zones).0.is_none());
}

proptest::proptest! {
    /// Any damage to a file is a problem or a catalog, never a panic.
    #[test]
    fn damage_never_panics(at in 0..OPERATOR.len(), length in 0usize..40, with in "\\PC{0,12}") {
        let start = (0..=at).rev().find(|at| OPERATOR.is_char_boundary(*at)).unwrap_or(0);
        let end = (at + length..=OPERATOR.len()).find(|at| OPERATOR.is_char_boundary(*at)).unwrap_or(OPERATOR.len());
        let text = format!("{}{with}{}", &OPERATOR[..start], &OPERATOR[end..]);
        lines(COUNTRY, &[("mini.toml", &text)]);
    }
}
