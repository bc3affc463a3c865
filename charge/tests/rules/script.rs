//! The language of the tables: a set-up and a script, both lists of statements parted by `;`.
//!
//! Set-up: `money 1.00`, `voice 40 step=20`, `row v voice 0.10/1 setup=0.01`, `offer`, `promo`, `grant`, `set`.
//! Script: `I v1 ask=60 -> 2001 grant=49 final`. The first letter of a session's name is its service: `v`, `d` or `m`.
//! Parts of a request are parted by `|`. Numbers may end in `k`, `M`, `G` (powers of a thousand). See [`Outcome`].

use crate::world::{ACCOUNT, DAY_0, OPERATOR, PARTNER, World, code, left, life_cycle, tell};
use charge::account::Origin;
use charge::catalog::{
    AfterMaximum, BucketGrant, Called, Classes, Discount, FinalAction, GrantPolicy, LimitPeriod, Offer,
    PercentBonus, Period, PersonLimit, Place, Prefix, Promotion, PromotionTrigger, Scope, TariffRow, Text,
    TimeWindow, Validity, ValidityRule, Weekdays, Weight,
};
use charge::codec::Codec;
use charge::command::{
    Buy, ChargeKind, ChargePart, ChargeRequest, Funding, OpenPartner, PeerTraits, Recharge, TopUpRequest,
    UpdateAccount, Used, UsedPeriod,
};
use charge::ids::digest128;
use charge::ledger::LedgerAccount;
use charge::promotion::{ChannelClass, Channels};
use charge::reply::{ChargeReply, ChargeResult};
use charge::session::{Draw, ElementKey};
use charge::tax::{Rate, TaxClass, TaxMode};
use charge::time::{DAY, HOUR, MINUTE, SECOND};
use charge::unit::{Amount, Service};
use charge::{
    Code, Command, Entity, EntityKey, Event, EventBody, Money, Msisdn, Refusal, Reply, Timestamp, Unit,
    postings,
};
use charge::{SourceId, ids::SessionKey};
use std::collections::BTreeMap;

/// Runs a section of a table: one rule a line, `set-up => script`. `name = text` is said once and written `{name}` after that;
/// `[70: text]` is the text seventy times with `#` as its number. Every line that does not hold is reported.
pub fn rules(table: &str, section: &str) {
    let (_, rest) = table
        .split_once(&format!("== {section} =="))
        .expect("the section is there");
    let table = rest.split("\n== ").next().unwrap_or("");
    let mut names: Vec<(String, &str)> = Vec::new();
    let mut broken = 0;
    for line in table.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((setup, script)) = line.split_once("=>") else {
            let (name, text) = line
                .split_once(" = ")
                .expect("`name = text` or `set-up => script`");
            names.push((format!("{{{name}}}"), text));
            continue;
        };
        let expand = |text: &str| {
            let named = names
                .iter()
                .fold(text.to_owned(), |all, (name, text)| all.replace(name, text));
            repeated(&named)
        };
        let (setup, script) = (expand(setup), expand(script));
        if std::panic::catch_unwind(|| check(&setup, &script)).is_err() {
            eprintln!("the rule was: {line}\n");
            broken += 1;
        }
    }
    assert_eq!(broken, 0, "rules that do not hold");
}

fn repeated(text: &str) -> String {
    let Some((before, rest)) = text.split_once('[') else {
        return text.to_owned();
    };
    let (body, after) = rest.split_once(']').expect("[70: text]");
    let (count, body) = body.split_once(':').expect("[70: text]");
    let count: usize = count.parse().expect("digits");
    let bodies = (1..=count).map(|n| body.replace('#', &n.to_string()));
    format!("{before}{}{after}", bodies.collect::<String>())
}

/// Runs one rule: the set-up, then the script with its expectations.
fn check(setup: &str, script: &str) {
    let mut run = Run::new(setup);
    for statement in script.split(';').map(str::trim).filter(|s| !s.is_empty()) {
        run.statement(statement);
    }
    run.world.check_replay();
}

/// A world and what the script has said so far.
pub struct Run {
    pub world: World,
    numbers: BTreeMap<String, u32>,
    last: Option<Result<Reply, Refusal>>,
}

impl Run {
    pub fn new(setup: &str) -> Run {
        let mut world = World::new();
        for statement in setup.split(';').map(str::trim).filter(|s| !s.is_empty()) {
            prepare(&mut world, statement);
        }
        world.seal();
        Run {
            world,
            numbers: BTreeMap::new(),
            last: None,
        }
    }

    /// Does an action, and says what it gave.
    pub fn act(&mut self, action: &str) -> (Result<Reply, Refusal>, Vec<Event>) {
        let words: Vec<&str> = action.split_whitespace().collect();
        match words[0] {
            "at" => {
                self.world.now = moment(&self.world, words[1]);
                (Ok(Reply::Done), Vec::new())
            }
            "due" => self.all_due(),
            _ => {
                let command = self.command(&words);
                self.world.run(&command)
            }
        }
    }

    pub fn statement(&mut self, statement: &str) {
        let (action, expected) = statement.split_once("->").unwrap_or((statement, ""));
        let (result, events) = self.act(action);
        let outcome = Outcome {
            statement,
            world: &self.world,
            result: &result,
            events: &events,
            last: self.last.as_ref(),
        };
        for word in expected.split_whitespace() {
            outcome.expect(word);
        }
        let silent = result.is_err() && !expected.contains("refused=");
        assert!(!silent, "{statement}: {result:?}");
        self.last = Some(result);
    }

    /// Ticks until nothing is due any more.
    fn all_due(&mut self) -> (Result<Reply, Refusal>, Vec<Event>) {
        let mut all = Vec::new();
        for _ in 0..50 {
            let due = self.world.account().next_due();
            if due.is_none_or(|due| due > self.world.now) {
                return (Ok(Reply::Done), all);
            }
            let (reply, events) = self.world.run(&Command::Tick(ACCOUNT));
            reply.expect("a tick is not refused");
            assert!(!events.is_empty(), "something was due");
            all.extend(events);
        }
        panic!("the account stays due");
    }

    /// The command of an action.
    pub fn command(&mut self, words: &[&str]) -> Command {
        let option = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
        let source = |default: &str| SourceId::of_reference("test", option("id=").unwrap_or(default));
        let count = self.world.journal.len().to_string();
        match words[0] {
            "I" | "U" | "T" | "D" | "R" | "B" | "P" => self.charge(words),
            "recharge" => Command::Recharge(Recharge {
                account: ACCOUNT,
                source: source(&count),
                reference: "ref".into(),
                funding: Funding::Rail(code(option("via=").unwrap_or("card"))),
                gross: Money::parse(words[1]).expect("money"),
                region: code(option("region=").unwrap_or("")),
                campaign: option("campaign=").map_or(Code::EMPTY, code),
                class: class_of(option("class=")),
            }),
            "buy" => Command::Buy(Buy {
                account: ACCOUNT,
                offer: code(words[1]),
                source: source(&count),
                renew: words.contains(&"renew"),
                at_most: option("atmost=").map(|text| Money::parse(text).expect("money")),
            }),
            "tend" => Command::TendShares {
                operator: OPERATOR,
                home: 0,
            },
            "renewal" => Command::SetRenewal {
                account: ACCOUNT,
                offer: code(words[1]),
                on: words[2] == "on",
            },
            "tick" => Command::Tick(ACCOUNT),
            "state" => Command::UpdateAccount(UpdateAccount {
                account: ACCOUNT,
                state: Some(life_cycle(words[1])),
                ..UpdateAccount::default()
            }),
            "partner" => {
                let mut open = OpenPartner::named(PARTNER, "Shop", code("shop"));
                let limit = |key| option(key).map_or(Money::ZERO, |text| Money::parse(text).expect("money"));
                open.maximum = limit("max=");
                open.per_day = limit("perday=");
                Command::OpenPartner(Box::new(open))
            }
            "float" => Command::FundFloat {
                partner: PARTNER,
                amount: Money::parse(words[1]).expect("money"),
                source: source(&count),
                reference: "bank".into(),
            },
            "topup" => {
                let external = option("ext=").unwrap_or("x1");
                Command::TopUp(Box::new(TopUpRequest {
                    id: digest128("test", &[count.as_bytes()]),
                    partner: PARTNER,
                    external_id: external.to_owned(),
                    idempotency_key: digest128("key", &[option("key=").unwrap_or(external).as_bytes()]),
                    msisdn: self.world.account().msisdn,
                    account: ACCOUNT,
                    operator: OPERATOR,
                    gross: Money::parse(words[1]).expect("money"),
                    campaign: option("campaign=").map_or(Code::EMPTY, code),
                    class: class_of(option("class=")),
                    callback_url: String::new(),
                    test: false,
                    connector: Code::EMPTY,
                    by: Default::default(),
                }))
            }
            other => panic!("no such action: {other}"),
        }
    }

    fn charge(&mut self, words: &[&str]) -> Command {
        let option = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
        let name = words[1];
        let kind = match words[0] {
            "I" => ChargeKind::Initial,
            "U" => ChargeKind::Update,
            "T" => ChargeKind::Terminate,
            "D" => ChargeKind::Debit,
            "R" => ChargeKind::Refund,
            "B" => ChargeKind::BalanceCheck,
            _ => ChargeKind::PriceEnquiry,
        };
        let next = self.numbers.entry(name.to_owned()).or_default();
        let number = option("n=").map_or(*next, |text| text.parse().expect("a number"));
        *next = number + 1;
        let parts = words[2..].split(|word| *word == "|").filter_map(part).collect();
        let to = option("to=").unwrap_or("");
        let called = match to {
            "" => Called::Nobody,
            "me" => Called::Incoming,
            short if short.len() < 7 => Called::Short(short.parse().expect("a short code")),
            number => Called::Number(Msisdn::parse(number).expect("a number")),
        };
        Command::Charge(Box::new(ChargeRequest {
            account: ACCOUNT,
            session: SessionKey::of(name.as_bytes()),
            session_id: name.into(),
            peer: "gw.example".into(),
            kind,
            number,
            service: service_of(name),
            called,
            called_operator: None,
            plmn: option("plmn=").map_or(0, |text| text.parse().expect("digits")),
            area: option("area=").map(|text| text.parse().expect("digits")),
            traits: PeerTraits {
                ignores_reauth: words.contains(&"deaf"),
                splits_tariff_change: !words.contains(&"nosplit"),
                grant_max: option("cap=").map_or(Amount::ZERO, |text| Amount(number_of(text))),
            },
            parts,
            money: option("money=").map(|text| Money::parse(text).expect("money")),
        }))
    }
}

fn part(words: &[&str]) -> Option<ChargePart> {
    let mut part = ChargePart::default();
    let mut named = words.is_empty();
    for word in words {
        if let Some(group) = word.strip_prefix("rg=") {
            part.key = ElementKey {
                rating_group: Some(group.parse().expect("digits")),
                service_id: None,
            };
        } else if *word == "ask" {
            part.requested = Some(None);
        } else if let Some(asked) = word.strip_prefix("ask=") {
            part.requested = Some(Some(Amount(number_of(asked))));
        } else if let Some(used) = word.strip_prefix("used=") {
            let (text, period) = match (used.strip_suffix('<'), used.strip_suffix('>')) {
                (Some(text), _) => (text, UsedPeriod::Before),
                (_, Some(text)) => (text, UsedPeriod::After),
                _ => (used, UsedPeriod::NotTold),
            };
            let amount = Amount(number_of(text));
            part.used.push(Used { amount, period });
        } else {
            continue;
        }
        named = true;
    }
    named.then_some(part)
}

/// What one statement did, and the words that can be expected of it.
struct Outcome<'a> {
    statement: &'a str,
    world: &'a World,
    result: &'a Result<Reply, Refusal>,
    events: &'a [Event],
    last: Option<&'a Result<Reply, Refusal>>,
}

impl Outcome<'_> {
    fn expect(&self, word: &str) {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let actual = self.actual(key, value);
        let amounts = Money::parse(value).ok().zip(Money::parse(&actual).ok());
        let equal = actual == value || amounts.is_some_and(|(a, b)| a == b);
        assert!(
            equal,
            "{}: {key} is {actual}, not {value}\n{:#?}",
            self.statement, self.events
        );
    }

    fn actual(&self, key: &str, value: &str) -> String {
        let account = self.world.account();
        let now = self.world.now;
        let units = |unit: Unit| -> String {
            let lots = account.lots.iter().filter(|lot| lot.unit == unit);
            spell(value, lots.map(|lot| lot.available(now).0).sum())
        };
        let flag = |given: bool| if given { String::new() } else { "not so".to_owned() };
        match key {
            "2001" | "4010" | "4012" | "5002" | "5030" | "5031" => {
                flag(result_code(self.charge().result) == key)
            }
            "results" => self.parts(|part| result_code(part.result).to_owned()),
            "grant" => self.parts(|part| part.granted.map_or("-".into(), |granted| spell(value, granted.0))),
            "final" => flag(self.charge().parts.iter().all(|part| part.final_action.is_some())),
            "more" => flag(self.charge().parts.iter().all(|part| part.final_action.is_none())),
            "action" => self.parts(|part| match &part.final_action {
                None => "-".into(),
                Some(FinalAction::Terminate) => "terminate".into(),
                Some(FinalAction::Redirect(url)) => url.to_string(),
                Some(FinalAction::Restrict(filter)) => filter.to_string(),
            }),
            "validity" => self.parts(|part| part.validity_s.to_string()),
            "threshold" => self.parts(|part| part.threshold.to_string()),
            "holding" => self.parts(|part| part.holding_s.to_string()),
            "change" => self.parts(|part| part.tariff_change.map_or("-".into(), |at| self.clock(at))),
            "price" => match self.result {
                Ok(Reply::Bought(bought)) => bought.price.exact(),
                _ => self.charge().cost.map_or("-".into(), Money::exact),
            },
            "told" => self.charge().balance.exact(),
            "low" => flag(self.charge().low_balance),
            "notlow" => flag(!self.charge().low_balance),
            "notice" => flag(self.charged().any(|charged| charged.low_balance_crossed)),
            "nonotice" => flag(!self.charged().any(|charged| charged.low_balance_crossed)),
            "left" => left(self.events),
            "cost" => self.events.iter().map(Event::money_drawn).sum::<Money>().exact(),
            "tax" => self.posted(|ledger| *ledger == LedgerAccount::UsageTax),
            "rtax" => self.posted(|ledger| *ledger == LedgerAccount::RechargeTax),
            "setup" => self.posted(|ledger| *ledger == LedgerAccount::SetupRevenue),
            "over" => self.posted(|ledger| *ledger == LedgerAccount::OverrunUsage),
            "broken" => self.posted(|ledger| *ledger == LedgerAccount::Breakage),
            "transit" => self.book(LedgerAccount::InTransit),
            "float" => self.book(LedgerAccount::Float(PARTNER)),
            "money" => account.main_balance(now).exact(),
            "total" => account.main_total(now).exact(),
            "voice" => units(Unit::Seconds),
            "data" => units(Unit::Octets),
            "sms" => units(Unit::Messages),
            "held" => account
                .lots
                .iter()
                .map(|lot| lot.reserved.0)
                .sum::<i64>()
                .to_string(),
            "lots" => account.lots.len().to_string(),
            "sessions" => account
                .sessions
                .iter()
                .filter(|session| !session.closed)
                .count()
                .to_string(),
            "draws" => self.draws(),
            "by" => self.ways(),
            "units" => self.charges(|charge| charge.units.to_string()),
            "pulses" => self.charges(|charge| charge.pulses.to_string()),
            "events" => self.events.len().to_string(),
            "state" => account.state.name().to_owned(),
            "until" => self.clock(account.valid_until),
            "due" => account.next_due().map_or("-".into(), |at| self.clock(at)),
            "region" => account.region.to_string(),
            "renewals" => account.renewals.len().to_string(),
            "promotion" => match self.result {
                Ok(Reply::Recharged(outcome)) => outcome.promotion.to_string(),
                other => format!("{other:?}"),
            },
            "earned" => match self.result {
                Ok(Reply::Recharged(outcome)) => {
                    let each = outcome.earned.iter();
                    let each = each.map(|earned| format!("{}:{}", earned.promotion, earned.status.name()));
                    each.collect::<Vec<_>>().join(",")
                }
                other => format!("{other:?}"),
            },
            "share" => self.share(value),
            "topup" => self.top_up_state(value),
            "refused" => match self.result {
                Err(refusal) => format!("{refusal:?}"),
                Ok(reply) => format!("{reply:?}"),
            },
            "same" => {
                let bytes = |result: &Result<Reply, Refusal>| result.as_ref().ok().map(Codec::to_bytes);
                flag(self.events.is_empty() && self.last.map(bytes) == Some(bytes(self.result)))
            }
            other => panic!("nothing is called {other}: {}", self.statement),
        }
    }

    fn charge(&self) -> &ChargeReply {
        match self.result {
            Ok(Reply::Charge(reply)) => reply,
            other => panic!("{}: not a charge: {other:?}", self.statement),
        }
    }

    fn parts(&self, word: impl Fn(&charge::reply::PartReply) -> String) -> String {
        let words: Vec<String> = self.charge().parts.iter().map(word).collect();
        words.join(",")
    }

    fn charged(&self) -> impl Iterator<Item = &charge::event::Charged> {
        self.events.iter().filter_map(|event| match &event.body {
            EventBody::Charged(charged) => Some(&**charged),
            _ => None,
        })
    }

    fn charges(&self, word: impl Fn(&charge::event::Charge) -> String) -> String {
        let charges = self
            .charged()
            .flat_map(|charged| &charged.parts)
            .flat_map(|part| &part.charges);
        charges.map(word).collect::<Vec<_>>().join(",")
    }

    fn ways(&self) -> String {
        use charge::event::ChargedBy;
        self.charges(|charge| match &charge.by {
            ChargedBy::PaidAhead => "ahead".into(),
            ChargedBy::Bucket { source, .. } => source.to_string(),
            ChargedBy::Tariff(priced) => priced.tariff.to_string(),
            ChargedBy::Free(_) => "free".into(),
            ChargedBy::Uncovered(_) => "uncovered".into(),
        })
    }

    fn draws(&self) -> String {
        let text = |draw: &Draw| format!("{}:{}", draw.lot.0, draw.amount);
        let mut out: Vec<String> = Vec::new();
        for charged in self.charged() {
            out.extend(charged.setup.iter().flat_map(|setup| &setup.draws).map(text));
            let charges = charged.parts.iter().flat_map(|part| &part.charges);
            out.extend(charges.flat_map(|charge| &charge.draws).map(text));
        }
        out.join(",")
    }

    fn posted(&self, ledger: impl Fn(&LedgerAccount) -> bool) -> String {
        let all = self.events.iter().flat_map(postings);
        let money = all
            .filter(|p| p.unit == Unit::Money && ledger(&p.account))
            .map(|p| Money(p.amount.0));
        money.sum::<Money>().exact()
    }

    fn book(&self, ledger: LedgerAccount) -> String {
        let amount = self.world.books.get(&(ledger, Unit::Money)).copied().unwrap_or(0);
        Money(i64::try_from(amount).expect("small")).exact()
    }

    /// `share=CODE:LEFT`.
    fn share(&self, value: &str) -> String {
        let (promotion, expected) = value.split_once(':').expect("share=CODE:LEFT");
        let shares = self.world.entities.0.get(&EntityKey::Shares(OPERATOR, 0));
        let share = shares
            .and_then(Entity::shares)
            .and_then(|shares| shares.share(code(promotion)));
        let left = share.map_or(Money::ZERO, |share| share.left);
        if Money::parse(expected) == Ok(left) {
            return value.to_owned();
        }
        format!("{promotion}:{}", left.exact())
    }

    fn top_up_state(&self, value: &str) -> String {
        let (external, _) = value.split_once(':').expect("topup=EXT:STATE");
        let key = EntityKey::TopUp(PARTNER, digest128("external_id", &[external.as_bytes()]));
        let top_up = self.world.entities.0.get(&key).and_then(Entity::top_up);
        format!(
            "{external}:{}",
            top_up.map_or("none", |top_up| top_up.state.name())
        )
    }

    fn clock(&self, at: Timestamp) -> String {
        let zone = &self.world.catalog.zone;
        let day = zone.day_number(at) - zone.day_number(DAY_0);
        let civil = zone.civil(at).to_string();
        let time = civil.split('T').nth(1).unwrap_or("").to_owned();
        if day == 0 { time } else { format!("d{day}/{time}") }
    }
}

fn prepare(world: &mut World, statement: &str) {
    let words: Vec<&str> = statement.split_whitespace().collect();
    let option = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
    match words[0] {
        "at" => world.now = moment(world, words[1]),
        "row" => {
            let row = tariff_row(&words);
            world.catalog.tariffs.push(row);
        }
        "money" | "voice" | "data" | "sms" => {
            let (unit, amount) = quantity(words[0], words[1]);
            let mut lot = world.lot(unit, amount);
            lot.scope = scope(&words, unit);
            lot.step = option("step=").map_or(lot.step, |text| Amount(number_of(text)));
            lot.priority = option("prio=").map_or(lot.priority, |text| text.parse().expect("digits"));
            lot.expires_at = option("exp=").map_or(lot.expires_at, |text| moment(world, text));
            lot.source = code(option("src=").unwrap_or(words[0]));
            lot.waives_setup = words.contains(&"waives");
            if words.contains(&"bonus") {
                lot.origin = Origin::Bonus;
            }
            world.add_lot(lot);
        }
        "grant" => {
            let number = |index: usize| Amount(number_of(words[index]));
            let seconds = |key| option(key).map_or(0, |text| text.parse().expect("digits"));
            let policy = GrantPolicy {
                default: number(2),
                minimum: number(3),
                maximum: number(4),
                validity_s: option("validity=").map_or(3600, |text| text.parse().expect("digits")),
                threshold_percent: u8::try_from(seconds("threshold=")).expect("percent"),
                holding_s: seconds("holding="),
            };
            match service_of(words[1]) {
                Service::Data => world.catalog.policy.data = policy,
                Service::Voice => world.catalog.policy.voice = policy,
                Service::Sms => world.catalog.policy.sms = policy,
            }
        }
        "offer" => {
            let offer = offer(&words);
            world.catalog.offers.push(offer);
        }
        "promo" => {
            let promotion = promotion(world, &words);
            world.catalog.promotions.push(promotion);
        }
        "set" => {
            for word in &words[1..] {
                set(world, word);
            }
        }
        other => panic!("no such set-up: {other}"),
    }
}

fn set(world: &mut World, word: &str) {
    let (key, value) = word.split_once('=').expect("set key=value");
    let until = |world: &World| moment(world, value);
    match key {
        "low" => world.catalog.policy.low_balance = Money::parse(value).expect("money"),
        "tell" => world.catalog.policy.session_notice = Some(tell(value)),
        "supervision" => world.catalog.policy.supervision_s = value.parse().expect("digits"),
        "dup" => world.catalog.policy.duplicate_s = value.parse().expect("digits"),
        "dupcount" => world.catalog.policy.duplicate_count = value.parse().expect("digits"),
        "redirect" => world.catalog.policy.final_action = FinalAction::Redirect(value.into()),
        "restrict" => world.catalog.policy.final_action = FinalAction::Restrict(value.into()),
        "rule" => {
            world.catalog.recharge.rule = if value == "add" {
                ValidityRule::Add
            } else {
                ValidityRule::Later
            }
        }
        "maxdays" => world.catalog.recharge.maximum_days = value.parse().expect("digits"),
        "region" => world.account_mut().region = code(value),
        "class" => world.account_mut().tax_class = TaxClass::from_name(value).expect("a class"),
        "state" => world.account_mut().state = life_cycle(value),
        "recharged" => world.account_mut().recharged = value == "yes",
        "until" => world.account_mut().valid_until = until(world),
        "ptax" => {
            let rate = charge::tax::Rate::parse_percent(value).expect("percent");
            world.catalog.tax.regions[0].recharge = rate;
        }
        other => panic!("no such setting: {other}"),
    }
}

fn tariff_row(words: &[&str]) -> TariffRow {
    let option = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
    let (price, pulse) = words[3].split_once('/').expect("price/pulse");
    let mode = |on: &str, inside: &str| match (words.contains(&on), words.contains(&inside)) {
        (true, _) => TaxMode::Exclusive,
        (_, true) => TaxMode::Inclusive,
        _ => TaxMode::Untaxed,
    };
    TariffRow {
        code: code(words[1]),
        name: Text::default(),
        service: service_of(words[2]),
        classes: option("class=").map_or(Classes::ANY, |text| Classes(text.parse().expect("digits"))),
        prefixes: option("prefix=").and_then(Prefix::parse).into_iter().collect(),
        rating_groups: option("rg=")
            .map(|text| text.parse().expect("digits"))
            .into_iter()
            .collect(),
        place: option("place=").map(|text| {
            if text == "home" {
                Place::Home
            } else {
                Place::Roaming
            }
        }),
        windows: option("window=").map(window).into_iter().collect(),
        price: Money::parse(price).expect("money"),
        pulse: Amount(number_of(pulse)),
        setup: Money::parse(option("setup=").unwrap_or("0")).expect("money"),
        tax: mode("extax", "intax"),
        setup_tax: mode("setup-extax", "setup-intax"),
        maximum: option("max=").map(|text| {
            let (amount, after) = text.split_once(':').expect("max=10:cut");
            let after = if after == "cut" {
                AfterMaximum::Cut
            } else {
                AfterMaximum::Free
            };
            (Money::parse(amount).expect("money"), after)
        }),
        as_of: String::new(),
        synthetic: false,
    }
}

fn promotion(world: &World, words: &[&str]) -> Promotion {
    let option = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
    let money = |key: &str, default: &str| Money::parse(option(key).unwrap_or(default)).expect("money");
    let list = |key: &str| option(key).map_or(Vec::new(), |text| text.split(',').map(code).collect());
    let (times, per) = option("limit=").map_or((0, "campaign"), |text| {
        let (times, per) = text.split_once('/').expect("limit=1/day");
        (times.parse().expect("digits"), per)
    });
    let percent = option("percent=").map(|text| {
        let (rate, maximum) = text.split_once(':').expect("percent=10:50");
        PercentBonus {
            rate: Rate::parse_percent(rate).expect("percent"),
            maximum: Money::parse(maximum).expect("money"),
            grant: BucketGrant {
                unit: Unit::Money,
                amount: Amount::ZERO,
                scope: Scope::ANY,
                priority: 50,
                step: Amount(1),
                waives_setup: false,
            },
        }
    });
    Promotion {
        code: code(words[1]),
        name: Text::default(),
        trigger: match option("on=") {
            Some("recharge") => PromotionTrigger::Recharge,
            Some("purchase") => PromotionTrigger::Purchase,
            _ => PromotionTrigger::FirstRecharge,
        },
        minimum: money("min=", "0"),
        maximum: money("max=", "0"),
        channels: list("via="),
        classes: option("class=").map_or(Channels::default(), |name| {
            Channels::default().with(class_of(Some(name)))
        }),
        campaign: option("campaign=").map_or(Code::EMPTY, code),
        weekdays: option("days=").map_or(Weekdays::ALL, |names| {
            let bit = |name: &str| {
                Weekdays::NAMES
                    .iter()
                    .position(|known| *known == name)
                    .expect("a day")
            };
            Weekdays(names.split(',').fold(0, |set, name| set | 1 << bit(name)))
        }),
        windows: option("hours=").map(window).into_iter().collect(),
        offers: list("offers="),
        buckets: buckets(words),
        percent,
        discount: option("off=").map(|text| match text.strip_suffix('%') {
            Some(rate) => Discount::Percent(Rate::parse_percent(rate).expect("percent")),
            None => Discount::Amount(Money::parse(text).expect("money")),
        }),
        validity: Validity::CalendarDays(30),
        from: moment(world, option("from=").unwrap_or("00:00")),
        until: moment(world, option("until=").unwrap_or("d9/00:00")),
        budget: money("budget=", "1000000"),
        cost: money("cost=", if buckets(words).is_empty() { "0" } else { "1" }),
        limit: PersonLimit {
            times,
            per: match per {
                "day" => LimitPeriod::Day,
                "week" => LimitPeriod::Week,
                "month" => LimitPeriod::Month,
                _ => LimitPeriod::Campaign,
            },
        },
        priority: option("prio=").map_or(100, |text| text.parse().expect("digits")),
        group: option("group=").map_or(Code::EMPTY, code),
        stacks: !words.contains(&"alone"),
        listed: true,
        as_of: String::new(),
        synthetic: true,
    }
}

fn class_of(name: Option<&str>) -> ChannelClass {
    name.map_or(ChannelClass::Unknown, |name| {
        ChannelClass::from_name(name).expect("a kind of channel")
    })
}

fn offer(words: &[&str]) -> Offer {
    let option = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
    let days = option("days=").map(|text| Validity::CalendarDays(text.parse().expect("digits")));
    let hours = option("hours=").map(|text| Validity::Hours(text.parse().expect("digits")));
    Offer {
        code: code(words[1]),
        name: Text::default(),
        period: Period::Daily,
        weight: Weight::Light,
        price: Money::parse(words[2]).expect("money"),
        tax: if words.contains(&"extax") {
            TaxMode::Exclusive
        } else {
            TaxMode::Inclusive
        },
        validity: days.or(hours).unwrap_or(Validity::CalendarDays(1)),
        buckets: buckets(words),
        per_day: option("perday=").map_or(0, |text| text.parse().expect("digits")),
        renewable: words.contains(&"renewable"),
        dial: String::new(),
        for_sale: !words.contains(&"gift"),
        as_of: String::new(),
        synthetic: false,
    }
}

fn buckets(words: &[&str]) -> Vec<BucketGrant> {
    let mut out = Vec::new();
    for word in words {
        for kind in ["voice", "data", "sms", "bonus"] {
            if let Some(text) = word.strip_prefix(kind).and_then(|rest| rest.strip_prefix('=')) {
                let (unit, amount) = quantity(if kind == "bonus" { "money" } else { kind }, text);
                out.push(BucketGrant {
                    unit,
                    amount: Amount(amount),
                    scope: scope(words, unit),
                    priority: if unit == Unit::Money { 50 } else { 10 },
                    step: Amount(1),
                    waives_setup: words.contains(&"waives"),
                });
            }
        }
    }
    out
}

fn scope(words: &[&str], unit: Unit) -> Scope {
    let option = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
    let narrow = ["prefix=", "window=", "rg="]
        .iter()
        .any(|key| option(key).is_some());
    let mut scope = match unit {
        Unit::Money => Scope::ANY,
        Unit::Octets => Scope::service(Service::Data),
        Unit::Seconds => Scope::service(Service::Voice),
        Unit::Messages => Scope::service(Service::Sms),
    };
    if narrow {
        scope.prefix = option("prefix=").and_then(Prefix::parse).unwrap_or_default();
        scope.rating_groups[0] = option("rg=").map(|text| text.parse().expect("digits"));
        scope.window = option("window=").map(window).map(|window| {
            let minutes = |seconds: u32| u16::try_from(seconds / 60).expect("minutes of a day");
            (minutes(window.from_s), minutes(window.to_s))
        });
    }
    scope.roaming |= words.contains(&"roaming");
    scope
}

fn quantity(kind: &str, text: &str) -> (Unit, i64) {
    match kind {
        "money" => (Unit::Money, Money::parse(text).expect("money").0),
        "voice" => (Unit::Seconds, number_of(text)),
        "data" => (Unit::Octets, number_of(text)),
        _ => (Unit::Messages, number_of(text)),
    }
}

fn service_of(name: &str) -> Service {
    match name.as_bytes()[0] {
        b'v' => Service::Voice,
        b'd' => Service::Data,
        _ => Service::Sms,
    }
}

/// `5`, `5k`, `5M`, `5G`.
pub fn number_of(text: &str) -> i64 {
    let (digits, scale) = match text.as_bytes().last() {
        Some(b'k') => (&text[..text.len() - 1], 1_000),
        Some(b'M') => (&text[..text.len() - 1], 1_000_000),
        Some(b'G') => (&text[..text.len() - 1], 1_000_000_000),
        _ => (text, 1),
    };
    digits.parse::<i64>().expect("digits") * scale
}

/// Writes an amount the way the expectation is written.
fn spell(like: &str, amount: i64) -> String {
    let words = like
        .split(',')
        .find(|word| *word != "-" && number_is(word, amount));
    words.map_or_else(|| amount.to_string(), str::to_owned)
}

fn number_is(word: &str, amount: i64) -> bool {
    word.bytes().all(|b| b.is_ascii_digit() || b"kMG".contains(&b))
        && !word.is_empty()
        && number_of(word) == amount
}

fn window(text: &str) -> TimeWindow {
    let (from, to) = text.split_once('-').expect("from-to");
    let seconds = |text: &str| u32::try_from(time_of_day(text) / SECOND).expect("seconds of a day");
    TimeWindow {
        from_s: seconds(from),
        to_s: seconds(to),
    }
}

/// `12:30`, `07:59:59`, `d2/09:00`, `+90s`, `+5m`, `+2h`, `+3d`.
fn moment(world: &World, text: &str) -> Timestamp {
    if let Some(ahead) = text.strip_prefix('+') {
        let (digits, unit) = ahead.split_at(ahead.len() - 1);
        let micros = match unit {
            "s" => SECOND,
            "m" => MINUTE,
            "h" => HOUR,
            _ => DAY,
        };
        return world.now.plus(digits.parse::<i64>().expect("digits") * micros);
    }
    let (day, time) = match text.split_once('/') {
        Some((day, time)) => (day.trim_start_matches('d').parse::<i64>().expect("a day"), time),
        None => (0, text),
    };
    DAY_0.plus(day * DAY + time_of_day(time))
}

fn time_of_day(text: &str) -> i64 {
    let mut fields = text.split(':').map(|field| field.parse::<i64>().expect("a time"));
    let mut next = || fields.next().unwrap_or(0);
    next() * HOUR + next() * MINUTE + next() * SECOND
}

fn result_code(result: ChargeResult) -> &'static str {
    match result {
        ChargeResult::Success => "2001",
        ChargeResult::EndUserServiceDenied => "4010",
        ChargeResult::CreditControlNotApplicable => "4011",
        ChargeResult::CreditLimitReached => "4012",
        ChargeResult::UnknownSession => "5002",
        ChargeResult::UserUnknown => "5030",
        ChargeResult::RatingFailed => "5031",
    }
}
