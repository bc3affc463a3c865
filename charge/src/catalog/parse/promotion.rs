//! Promotions: `[[promotion]]`.

use super::country::Country;
use super::reader::{Fields, Report, read_word, shorten};
use super::sale::{Codes, Purpose, Steps, base_priority, read_buckets, read_scope, read_windows};
use super::value;
use crate::catalog::{
    BucketGrant, Discount, LimitPeriod, Offer, PercentBonus, PersonLimit, Promotion, PromotionTrigger,
    Weekdays,
};
use crate::ids::Code;
use crate::money::Money;
use crate::promotion::{CAMPAIGN_MAX, ChannelClass, Channels, campaign_code};
use crate::unit::{Amount, Unit};

/// Reads every `[[promotion]]`.
pub(super) fn read_promotions(
    file: &mut Fields<'_>,
    report: &mut Report<'_>,
    country: &Country,
    (steps, offers): (Option<Steps>, Option<&[Offer]>),
) -> Option<Vec<Promotion>> {
    let tables = file.tables(report, "promotion");
    let count = tables.len();
    let mut codes = Codes::default();
    let mut promotions = Vec::new();
    for table in tables {
        codes.see(&table, report, "promotion");
        promotions.extend(read_promotion(table, report, country, (steps, offers)));
    }
    (promotions.len() == count).then_some(promotions)
}

/// Keys that only a lottery would have.
const CHANCE: [&str; 9] = [
    "chance",
    "draw",
    "lottery",
    "odds",
    "prize",
    "probability",
    "random",
    "raffle",
    "winners",
];

fn read_promotion(
    mut fields: Fields<'_>,
    report: &mut Report<'_>,
    country: &Country,
    (steps, offers): (Option<Steps>, Option<&[Offer]>),
) -> Option<Promotion> {
    let at = fields.at;
    refuse_chance(&mut fields, report);
    let code: Option<Code> = fields.required(report, "code", "first-recharge", value::code);
    let name = fields.text(report, "name");
    let trigger = fields.required(report, "trigger", "recharge", read_trigger);
    let minimum = fields.required(report, "minimum", "70", value::money);
    let maximum = fields.default(report, "maximum", "5000", Money::ZERO, value::money);
    let (channels, classes) = read_channels(&mut fields, report)?;
    let campaign = fields.default(report, "campaign", "EID500", Code::EMPTY, read_campaign);
    let weekdays = read_weekdays(&mut fields, report);
    let windows = read_windows(&mut fields, report);
    let wanted_at = fields.position("offers");
    let wanted = read_wanted(&mut fields, report, offers);
    let validity = fields.required(report, "valid", "7 calendar days", value::validity);
    let until_at = fields.position("until");
    let from = fields.required(report, "from", "2026-01-01", value::date);
    let until = fields.required(report, "until", "2027-01-01", value::date);
    let gifts = Gifts::read(&mut fields, report, steps);
    let (budget_at, cost_at) = (fields.position("budget"), fields.position("cost"));
    let budget = fields.required(report, "budget", "500000", value::budget);
    let has_cost = fields.has("cost");
    let cost = fields.default(report, "cost", "35", Money::ZERO, value::money);
    let times = fields.integer(report, "limit", 0..=1_000, Some(0));
    let per = fields.default(report, "per", "campaign", LimitPeriod::Campaign, read_period);
    let priority = fields.integer(report, "priority", 0..=255, Some(100));
    let group = fields.default(report, "group", "recharge-gift", Code::EMPTY, value::code);
    let stacks = fields.flag(report, "stacks", true);
    let listed = fields.flag(report, "listed", true);
    let provenance = country.provenance(&mut fields, report);
    fields.finish(report);
    let (from, until) = (from?, until?);
    if from >= until {
        let message = "the promotion ends before it begins; `until` is the first day without it";
        report.error(until_at, message.to_owned());
    }
    let (trigger, gifts) = (trigger?, gifts?);
    gifts.check(trigger, at, report);
    if !wanted.as_ref().is_some_and(Vec::is_empty) && trigger != PromotionTrigger::Purchase {
        report.error(
            wanted_at,
            "`offers` is for promotions with the trigger \"purchase\"".to_owned(),
        );
    }
    let units = gifts.buckets.iter().any(|bucket| bucket.unit != Unit::Money);
    if units && !cost?.is_positive() {
        let message = "`cost` says what the budget pays for the units of one award; write it like \"35\"";
        report.error(cost_at, message.to_owned());
    } else if has_cost && !units {
        let message = "`cost` is for units; bonus money and discounts cost what they are worth";
        report.error(cost_at, message.to_owned());
    }
    let money = gifts.buckets.iter().filter(|bucket| bucket.unit == Unit::Money);
    let one = cost? + money.map(|bucket| Money(bucket.amount.0)).sum::<Money>();
    if budget? < one {
        let message = format!(
            "the budget does not suffice for one award, which costs {}",
            one.exact()
        );
        report.error(budget_at, message);
    }
    let provenance = provenance?;
    let zone = country.zone.as_ref()?;
    Some(Promotion {
        code: code?,
        name: name?,
        trigger,
        minimum: minimum?,
        maximum: maximum?,
        channels,
        classes,
        campaign: campaign?,
        weekdays: weekdays?,
        windows: windows?,
        offers: wanted?,
        buckets: gifts.buckets,
        percent: gifts.percent,
        discount: gifts.discount,
        validity: validity?,
        from: zone.day_start(from),
        until: zone.day_start(until),
        budget: budget?,
        cost: cost?,
        limit: PersonLimit {
            times: u16::try_from(times?).ok()?,
            per: per?,
        },
        priority: u8::try_from(priority?).ok()?,
        group: group?,
        stacks: stacks?,
        listed: listed?,
        as_of: provenance.as_of,
        synthetic: provenance.synthetic,
    })
}

/// Every award is certain: who meets the conditions gets it while funds last.
fn refuse_chance(fields: &mut Fields<'_>, report: &mut Report<'_>) {
    for key in CHANCE.into_iter().filter(|key| fields.has(key)) {
        let message = format!(
            "`{key}`: an award by chance is a lottery, which is not allowed; write what everybody gets who meets the conditions"
        );
        report.error(fields.position(key), message);
    }
    fields.skip(&CHANCE);
}

fn read_trigger(text: &str) -> Result<PromotionTrigger, String> {
    use PromotionTrigger::{FirstRecharge, Purchase, Recharge};
    let found = [FirstRecharge, Recharge, Purchase]
        .into_iter()
        .find(|trigger| trigger.name() == text);
    found.ok_or_else(|| {
        format!(
            "\"{}\" is not a trigger; write \"first-recharge\", \"recharge\" or \"purchase\"",
            shorten(text)
        )
    })
}

fn read_period(text: &str) -> Result<LimitPeriod, String> {
    use LimitPeriod::{Campaign, Day, Month, Week};
    let found = [Campaign, Day, Week, Month]
        .into_iter()
        .find(|per| per.name() == text);
    found.ok_or_else(|| {
        format!(
            "\"{}\" is not a period; write \"campaign\", \"day\", \"week\" or \"month\"",
            shorten(text)
        )
    })
}

/// As people type it, but written here in one way.
fn read_campaign(text: &str) -> Result<Code, String> {
    let code = campaign_code(text).filter(|code| code.as_str() == text);
    code.ok_or_else(|| {
        format!(
            "\"{}\" is not a campaign code; use 3 to {CAMPAIGN_MAX} capital letters and digits",
            shorten(text)
        )
    })
}

fn read_channels(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Option<(Vec<Code>, Channels)> {
    let words = fields.words(report, "channels", "jazzcash");
    let channels: Vec<Code> = words
        .iter()
        .filter_map(|word| read_word(report, *word, value::code))
        .collect();
    let kinds = fields.words(report, "channel_classes", "app");
    let classes: Vec<ChannelClass> = kinds
        .iter()
        .filter_map(|word| read_word(report, *word, read_class))
        .collect();
    let whole = channels.len() == words.len() && classes.len() == kinds.len();
    let set = classes.into_iter().fold(Channels::default(), Channels::with);
    whole.then_some((channels, set))
}

fn read_class(text: &str) -> Result<ChannelClass, String> {
    ChannelClass::from_name(text).ok_or_else(|| {
        let names = ChannelClass::NAMES.map(|(name, _)| name).join(", ");
        format!(
            "\"{}\" is not a kind of channel; there are {names}",
            shorten(text)
        )
    })
}

fn read_weekdays(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Option<Weekdays> {
    let words = fields.words(report, "weekdays", "fri");
    let days: Vec<u8> = words
        .iter()
        .filter_map(|word| {
            read_word(report, *word, |text| {
                let found = Weekdays::NAMES.iter().position(|name| *name == text);
                let found = found.and_then(|index| u8::try_from(index).ok());
                found.ok_or_else(|| {
                    let names = Weekdays::NAMES.join(", ");
                    format!("\"{}\" is not a weekday; there are {names}", shorten(text))
                })
            })
        })
        .collect();
    let set = days.iter().fold(0, |set, day| set | 1 << day);
    let weekdays = if days.is_empty() {
        Weekdays::ALL
    } else {
        Weekdays(set)
    };
    (days.len() == words.len()).then_some(weekdays)
}

/// Bundles by their codes, which must be there.
fn read_wanted(
    fields: &mut Fields<'_>,
    report: &mut Report<'_>,
    offers: Option<&[Offer]>,
) -> Option<Vec<Code>> {
    let words = fields.words(report, "offers", "weekly-all-in-one");
    let found: Vec<Code> = words
        .iter()
        .filter_map(|word| {
            read_word(report, *word, |text| {
                let code = value::code(text)?;
                let known = offers.is_none_or(|offers| offers.iter().any(|offer| offer.code == code));
                if known {
                    Ok(code)
                } else {
                    Err(format!("there is no offer with the code \"{}\"", shorten(text)))
                }
            })
        })
        .collect();
    (found.len() == words.len()).then_some(found)
}

/// What a promotion brings.
struct Gifts {
    buckets: Vec<BucketGrant>,
    percent: Option<PercentBonus>,
    discount: Option<Discount>,
}

impl Gifts {
    fn read(fields: &mut Fields<'_>, report: &mut Report<'_>, steps: Option<Steps>) -> Option<Gifts> {
        let (has_percent, has_discount) = (fields.has("percent"), fields.has("discount"));
        let buckets = if fields.has("bucket") || !(has_percent || has_discount) {
            read_buckets(fields, report, "promotion", steps, base_priority(None))
        } else {
            fields.skip(&["bucket"]);
            Some(Vec::new())
        };
        let percent = fields
            .optional_table(report, "percent")
            .map(|table| read_percent(table, report));
        let discount = fields.default(report, "discount", "20 %", None, |text| {
            read_discount(text).map(Some)
        });
        let percent = match percent {
            None if has_percent => return None,
            None => None,
            Some(percent) => Some(percent?),
        };
        Some(Gifts {
            buckets: buckets?,
            percent,
            discount: discount?,
        })
    }

    fn check(&self, trigger: PromotionTrigger, at: usize, report: &mut Report<'_>) {
        let gifts = !self.buckets.is_empty() || self.percent.is_some();
        let purchase = trigger == PromotionTrigger::Purchase;
        if purchase && (gifts || self.discount.is_none()) {
            report.error(
                at,
                "a promotion of purchases has a `discount`, and nothing else".to_owned(),
            );
        } else if !purchase && self.discount.is_some() {
            report.error(
                at,
                "`discount` is for promotions with the trigger \"purchase\"".to_owned(),
            );
        }
    }
}

/// `percent = { rate = "10", maximum = "100", services = ["voice", "sms"] }`.
fn read_percent(mut table: Fields<'_>, report: &mut Report<'_>) -> Option<PercentBonus> {
    let rate = table.required(report, "rate", "10", value::percent);
    let maximum = table.required(report, "maximum", "100", |text| value::amount(Unit::Money, text));
    let scope = read_scope(&mut table, report, Some(Purpose::Money));
    table.finish(report);
    let (scope, narrowing) = scope?;
    Some(PercentBonus {
        rate: rate?,
        maximum: Money(maximum?.0),
        grant: BucketGrant {
            unit: Unit::Money,
            amount: Amount::ZERO,
            scope,
            priority: base_priority(None) - narrowing,
            step: Amount(1),
            waives_setup: false,
        },
    })
}

/// `20 %` or an amount of money.
fn read_discount(text: &str) -> Result<Discount, String> {
    match text.strip_suffix(" %") {
        Some(percent) => value::percent(percent).map(Discount::Percent),
        None => value::amount(Unit::Money, text).map(|amount| Discount::Amount(Money(amount.0))),
    }
}
