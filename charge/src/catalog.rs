//! What an operator sells and by which rules: tariffs, bundles, taxes, promotions, policies.
//!
//! A catalog is a value. It is read from files by [`parse`], checked there, and handed to [`crate::decide`]; events carry
//! everything that was taken from it, so that replay never needs yesterday's catalog.

pub mod chain;
pub mod keypad;
pub mod parse;
mod promotion;

pub use promotion::{
    Discount, LimitPeriod, PercentBonus, PersonLimit, Promotion, PromotionTrigger, Weekdays,
};

use crate::ids::{Code, Msisdn, OperatorId};
use crate::money::{Money, Rounding};
use crate::tax::{Rate, RegionCode, TaxClass, TaxMode, TaxedPrice};
use crate::time::{Timestamp, Zone};
use crate::unit::{Amount, Service, Unit};
use smallvec::SmallVec;
use std::sync::{Arc, LazyLock};

/// The catalogs of all operators of this system.
#[derive(Clone, Debug, Default)]
pub struct Catalogs {
    by_id: Vec<Option<Arc<Catalog>>>,
    chain: Option<Arc<chain::Chain>>,
}

impl Catalogs {
    /// Adds or replaces one operator's catalog.
    pub fn insert(&mut self, catalog: Arc<Catalog>) {
        let index = usize::from(catalog.operator.0);
        if self.by_id.len() <= index {
            self.by_id.resize(index + 1, None);
        }
        self.by_id[index] = Some(catalog);
    }

    /// Sets the rules of the selling chain.
    pub fn set_chain(&mut self, chain: Arc<chain::Chain>) {
        self.chain = Some(chain);
    }

    /// The rules of the selling chain; those that ship with Raseed when there are no others.
    pub fn chain(&self) -> &chain::Chain {
        self.chain.as_deref().unwrap_or_else(|| chain::Chain::shipped())
    }

    /// The catalog of an operator.
    pub fn get(&self, operator: OperatorId) -> Option<&Arc<Catalog>> {
        self.by_id.get(usize::from(operator.0))?.as_ref()
    }

    /// The catalog with that code (`jazz`).
    pub fn by_code(&self, code: &str) -> Option<&Arc<Catalog>> {
        self.iter().find(|c| c.code.as_str() == code)
    }

    /// Every catalog, by operator id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Catalog>> {
        self.by_id.iter().flatten()
    }

    /// The operator whose number range holds this number: the longest matching prefix. Portability overrides are the
    /// directory's business.
    pub fn operator_by_prefix(&self, number: Msisdn) -> Option<&Arc<Catalog>> {
        self.iter()
            .filter_map(|c| c.numbering.own_prefix(number).map(|prefix| (prefix.digits, c)))
            .max_by_key(|(digits, _)| *digits)
            .map(|(_, c)| c)
    }
}

/// Text in the three languages of the house.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// English.
    pub en: String,
    /// Urdu.
    pub ur: String,
    /// Chinese (simplified).
    pub zh: String,
}

/// A language of the house.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Language {
    /// English.
    #[default]
    En = 0,
    /// Urdu, right to left.
    Ur = 1,
    /// Chinese, simplified.
    Zh = 2,
}

impl Language {
    /// Every language.
    pub const ALL: [Language; 3] = [Language::En, Language::Ur, Language::Zh];

    /// BCP 47 tag.
    pub fn tag(self) -> &'static str {
        match self {
            Language::En => "en",
            Language::Ur => "ur",
            Language::Zh => "zh",
        }
    }

    /// The language of a tag, by its first subtag.
    pub fn from_tag(tag: &str) -> Option<Language> {
        let first = tag.split(['-', '_']).next().unwrap_or("");
        Language::ALL
            .into_iter()
            .find(|l| l.tag().eq_ignore_ascii_case(first))
    }
}
crate::codec::codec_enum!(Language { En = 0, Ur = 1, Zh = 2 });

impl Text {
    /// The text in a language; English where it is missing.
    pub fn get(&self, language: Language) -> &str {
        let text = match language {
            Language::En => &self.en,
            Language::Ur => &self.ur,
            Language::Zh => &self.zh,
        };
        if text.is_empty() { &self.en } else { text }
    }
}

/// One operator's catalog, checked.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// The operator.
    pub operator: OperatorId,
    /// Short name used in commands and files: `jazz`.
    pub code: Code,
    /// Name for people.
    pub name: Text,
    /// Version number, raised with each publication; recorded in events.
    pub version: u32,
    /// Where the content comes from and of which day, for people; demo data says so.
    pub as_of: String,
    /// ISO 4217 code.
    pub currency: String,
    /// Time zone of windows, calendar days and totals.
    pub zone: Zone,
    /// Number ranges and networks.
    pub numbering: Numbering,
    /// Taxes.
    pub tax: TaxRules,
    /// Recharge limits and validity.
    pub recharge: RechargeRules,
    /// Scratch cards.
    pub cards: CardRules,
    /// Tariff rows; the first that matches wins.
    pub tariffs: Vec<TariffRow>,
    /// Bundles for sale.
    pub offers: Vec<Offer>,
    /// Promotions.
    pub promotions: Vec<Promotion>,
    /// Grants and thresholds.
    pub policy: Policy,
    /// Short codes and sender names shown to people.
    pub contact: Contact,
    /// What people dial, and where keywords go.
    pub keypad: keypad::Keypad,
}

impl Catalog {
    /// The offer of that code.
    pub fn offer(&self, code: &str) -> Option<&Offer> {
        self.offers.iter().find(|o| o.code.as_str() == code)
    }

    /// The promotion of that code.
    pub fn promotion(&self, code: Code) -> Option<&Promotion> {
        self.promotions.iter().find(|promotion| promotion.code == code)
    }

    /// The tariff row for a use: first match in file order.
    pub fn tariff(&self, query: &TariffQuery) -> Option<&TariffRow> {
        self.tariff_at(query, self.zone.second_of_day(query.at)).0
    }

    /// The same with the local second of the day known; and whether the row would be the same at every time.
    pub(crate) fn tariff_at(&self, query: &TariffQuery, second: u32) -> (Option<&TariffRow>, bool) {
        let mut timeless = true;
        for row in self.tariffs.iter().filter(|row| row.matches_but_time(query)) {
            timeless &= row.windows.is_empty();
            if row.matches_time(second) {
                return (Some(row), timeless);
            }
        }
        let received = INCOMING.matches_but_time(query) && INCOMING.matches_time(second);
        (received.then(|| &*INCOMING), timeless)
    }

    /// The next moment after `at` (at most a day ahead) when a different row would apply to the same use.
    pub fn next_tariff_change(&self, query: &TariffQuery) -> Option<Timestamp> {
        let mut edges: SmallVec<[u32; 8]> = SmallVec::new();
        for row in self.tariffs.iter().filter(|row| row.service == query.service) {
            for window in &row.windows {
                edges.extend([window.from_s, window.to_s % 86_400]);
            }
        }
        if edges.is_empty() {
            return None;
        }
        let second = self.zone.second_of_day(query.at);
        let now = self.tariff(query).map(|row| row.code);
        edges.sort_unstable_by_key(|edge| (edge + 86_400 - second - 1) % 86_400);
        edges.into_iter().find_map(|edge| {
            let ahead = i64::from((edge + 86_400 - second - 1) % 86_400) + 1;
            let at = Timestamp::from_seconds(query.at.seconds() + ahead);
            let then = self
                .tariff(&TariffQuery { at, ..query.clone() })
                .map(|row| row.code);
            (then != now).then_some(at)
        })
    }

    /// Which class a called number falls in. `operator` is known when the directory knows the number.
    pub fn classify(&self, called: Called, operator: Option<OperatorId>) -> DestinationClass {
        let number = match called {
            Called::Number(number) => number,
            Called::Incoming => return DestinationClass::Incoming,
            Called::Nobody | Called::Short(_) => return DestinationClass::Special,
        };
        if let Some(operator) = operator {
            return if self.numbering.is_on_net(operator) {
                DestinationClass::OnNet
            } else {
                DestinationClass::OffNet
            };
        }
        if self.numbering.on_net_prefix(number).is_some() {
            DestinationClass::OnNet
        } else if self.numbering.country.matches(number.number()) {
            DestinationClass::OffNet
        } else {
            DestinationClass::International
        }
    }
}

/// A called party: a full number or a short code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Called {
    /// Nobody: data, or not told.
    #[default]
    Nobody,
    /// A full international number.
    Number(Msisdn),
    /// A short or service code, as dialled (at most 19 digits).
    Short(u64),
    /// The subscriber is the called party (terminating leg).
    Incoming,
}

impl Called {
    /// The dialled digits as an integer, 0 for nobody.
    pub fn digits(self) -> u64 {
        match self {
            Called::Nobody | Called::Incoming => 0,
            Called::Number(number) => number.number(),
            Called::Short(code) => code,
        }
    }
}

/// Where a call or message goes, as far as the price cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DestinationClass {
    /// Same operator or network group.
    OnNet = 1,
    /// Another network in the country.
    OffNet = 2,
    /// Another country.
    International = 4,
    /// Short codes, and use without a called party.
    Special = 8,
    /// Calls received: free at home; abroad a row must name them.
    Incoming = 16,
}

/// What a received call costs at home.
static INCOMING: LazyLock<TariffRow> = LazyLock::new(|| TariffRow {
    code: Code::new("incoming").unwrap_or_default(),
    name: Text {
        en: "Received".into(),
        ur: "موصول".into(),
        zh: "接听".into(),
    },
    service: Service::Voice,
    classes: Classes(DestinationClass::Incoming as u8),
    prefixes: Vec::new(),
    rating_groups: Vec::new(),
    place: Some(Place::Home),
    windows: Vec::new(),
    price: Money::ZERO,
    pulse: Amount(1),
    setup: Money::ZERO,
    setup_tax: TaxMode::Untaxed,
    tax: TaxMode::Untaxed,
    maximum: None,
    as_of: String::new(),
    synthetic: false,
});

/// A set of destination classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Classes(pub u8);

impl Classes {
    /// Every class.
    pub const ANY: Classes = Classes(15);

    /// True when the class is in the set.
    pub fn contains(self, class: DestinationClass) -> bool {
        self.0 & class as u8 != 0
    }
}

/// A number prefix as digits and their count; no digits match everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    /// The digits as an integer.
    pub value: u64,
    /// How many digits.
    pub digits: u8,
}

impl Prefix {
    /// Reads 1 to 15 digits.
    pub fn parse(text: &str) -> Option<Prefix> {
        let valid = (1..=15).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        let digits = u8::try_from(text.len()).ok()?;
        if valid {
            Some(Prefix {
                value: text.parse().ok()?,
                digits,
            })
        } else {
            None
        }
    }

    /// True when a called party begins with these digits; a short code must be exactly these digits.
    pub fn matches_called(self, called: Called) -> bool {
        match called {
            Called::Short(code) if self.digits > 0 => code == self.value,
            _ => self.matches(called.digits()),
        }
    }

    /// True when the number begins with these digits.
    pub fn matches(self, number: u64) -> bool {
        if self.digits == 0 {
            return true;
        }
        let length = number.checked_ilog10().map_or(1, |log| log + 1);
        let digits = u32::from(self.digits);
        length >= digits && number / 10u64.pow(length - digits) == self.value
    }
}

/// Number ranges and networks of an operator.
#[derive(Clone, Debug, Default)]
pub struct Numbering {
    /// Country code, for example 92.
    pub country: Prefix,
    /// Trunk prefix typed at home, for example `0`.
    pub trunk: String,
    /// Digits of a mobile number after the country code.
    pub national_digits: u8,
    /// Number ranges of this operator, with the country code.
    pub prefixes: Vec<Prefix>,
    /// Ranges that count as on-net beside its own (network group).
    pub group_prefixes: Vec<Prefix>,
    /// Operators that count as on-net beside this one.
    pub group: Vec<OperatorId>,
    /// Home networks as MCC-MNC digits (`41001`).
    pub plmns: Vec<u32>,
    /// This operator's own id, so that [`Numbering::is_on_net`] can answer.
    pub operator: OperatorId,
}

impl Numbering {
    /// The range of this operator that holds the number.
    pub fn own_prefix(&self, number: Msisdn) -> Option<Prefix> {
        let length_fits =
            number.number().ilog10() + 1 == u32::from(self.country.digits) + u32::from(self.national_digits);
        let mut ranges = self.prefixes.iter().copied();
        if length_fits {
            ranges.find(|p| p.matches(number.number()))
        } else {
            None
        }
    }

    fn on_net_prefix(&self, number: Msisdn) -> Option<Prefix> {
        let mut ranges = self.prefixes.iter().chain(&self.group_prefixes).copied();
        ranges.find(|p| p.matches(number.number()))
    }

    fn is_on_net(&self, operator: OperatorId) -> bool {
        operator == self.operator || self.group.contains(&operator)
    }
}

/// Taxes of an operator's market.
#[derive(Clone, Debug)]
pub struct TaxRules {
    /// Name of the tax at recharge, for receipts.
    pub recharge_name: Text,
    /// Name of the tax at use.
    pub usage_name: Text,
    /// Regions and their rates.
    pub regions: Vec<Region>,
    /// Used where the serving cell is not known.
    pub default_region: RegionCode,
    /// Rate at recharge of a listed non-filer.
    pub listed_non_filer: Rate,
    /// Rounding of the tax at recharge.
    pub recharge_rounding: Rounding,
    /// Rounding of the tax at use, per pulse or bundle.
    pub usage_rounding: Rounding,
}

impl TaxRules {
    /// The region of that code, else the default region.
    pub fn region(&self, code: RegionCode) -> &Region {
        let named = |code: RegionCode| self.regions.iter().find(|r| r.code == code);
        named(code)
            .or_else(|| named(self.default_region))
            .unwrap_or(&self.regions[0])
    }

    /// Rate of the tax at recharge for a class of person in a region.
    pub fn recharge_rate(&self, class: TaxClass, region: RegionCode) -> Rate {
        match class {
            TaxClass::Standard => self.region(region).recharge,
            TaxClass::ListedNonFiler => self.listed_non_filer,
            TaxClass::Exempt => Rate::ZERO,
        }
    }
}

/// A tax region.
#[derive(Clone, Debug)]
pub struct Region {
    /// Code, ISO 3166-2 where there is one.
    pub code: RegionCode,
    /// Name for people.
    pub name: Text,
    /// Tax at recharge.
    pub recharge: Rate,
    /// Tax at use.
    pub usage: Rate,
    /// Location area or tracking area codes of this region's cells, as inclusive ranges.
    pub areas: Vec<(u32, u32)>,
}

/// Recharge limits and what a recharge does to validity.
#[derive(Clone, Debug)]
pub struct RechargeRules {
    /// Smallest recharge.
    pub minimum: Money,
    /// Largest recharge.
    pub maximum: Money,
    /// Days of validity by amount: the last band whose `from` is not above the amount counts.
    pub bands: Vec<ValidityBand>,
    /// How the days meet the validity that is left.
    pub rule: ValidityRule,
    /// The longest validity that can be gathered, in days.
    pub maximum_days: u16,
}

impl RechargeRules {
    /// Days that a recharge of this amount brings.
    pub fn days(&self, gross: Money) -> u16 {
        self.bands
            .iter()
            .rev()
            .find(|band| band.from <= gross)
            .map_or(0, |band| band.days)
    }
}

/// Scratch cards of an operator. Without denominations it has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CardRules {
    /// Values that cards may have, rising.
    pub denominations: Vec<Money>,
    /// Digits of a PIN.
    pub pin_digits: u8,
}

/// From this amount on, a recharge brings that many days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidityBand {
    /// Lowest gross amount of the band.
    pub from: Money,
    /// Days.
    pub days: u16,
}

/// How new validity meets old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValidityRule {
    /// The later of "today plus days" and what there is.
    Later,
    /// Days are added to what there is.
    Add,
}

/// A time of day window in seconds after local midnight; `from > to` passes midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimeWindow {
    /// First second inside.
    pub from_s: u32,
    /// First second outside, up to 86,400.
    pub to_s: u32,
}

impl TimeWindow {
    /// True when a second of the day is inside.
    pub fn contains(self, second: u32) -> bool {
        if self.from_s <= self.to_s {
            (self.from_s..self.to_s).contains(&second)
        } else {
            second >= self.from_s || second < self.to_s
        }
    }
}

/// At home or abroad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// On a home network.
    Home,
    /// On a visited network.
    Roaming,
}

/// What a tariff row is looked up for.
#[derive(Clone, Debug)]
pub struct TariffQuery {
    /// Kind of use.
    pub service: Service,
    /// Rating group of the network, if it gave one.
    pub rating_group: Option<u32>,
    /// Class of the called party.
    pub class: DestinationClass,
    /// The called party.
    pub called: Called,
    /// At home or roaming.
    pub place: Place,
    /// When.
    pub at: Timestamp,
}

/// A pay-as-you-go price: so much per pulse, when it applies.
#[derive(Clone, Debug)]
pub struct TariffRow {
    /// Name in events and explanations: `voice-onnet`.
    pub code: Code,
    /// Name for people.
    pub name: Text,
    /// Kind of use.
    pub service: Service,
    /// Destination classes it applies to.
    pub classes: Classes,
    /// Prefixes it applies to; empty: every number.
    pub prefixes: Vec<Prefix>,
    /// Rating groups it applies to; empty: every one.
    pub rating_groups: Vec<u32>,
    /// Where it applies; `None`: everywhere.
    pub place: Option<Place>,
    /// Times of day; empty: always.
    pub windows: Vec<TimeWindow>,
    /// Price of one pulse.
    pub price: Money,
    /// Size of a pulse in the service's unit.
    pub pulse: Amount,
    /// Charged once per session, with its first unit.
    pub setup: Money,
    /// Whether the price of a pulse holds the tax.
    pub tax: TaxMode,
    /// Whether the set-up fee holds the tax: operators print 3.50 plus tax beside 0.15 including tax.
    pub setup_tax: TaxMode,
    /// A cap on what one session can cost on this row, and what comes after it.
    pub maximum: Option<(Money, AfterMaximum)>,
    /// Source and date, for people.
    pub as_of: String,
    /// True when the value is invented for the demonstration.
    pub synthetic: bool,
}

impl TariffRow {
    fn matches_but_time(&self, query: &TariffQuery) -> bool {
        self.service == query.service
            && self.classes.contains(query.class)
            && self.place.is_none_or(|place| place == query.place)
            && (self.prefixes.is_empty() || self.prefixes.iter().any(|p| p.matches_called(query.called)))
            && (self.rating_groups.is_empty()
                || query
                    .rating_group
                    .is_some_and(|group| self.rating_groups.contains(&group)))
    }

    fn matches_time(&self, second_of_day: u32) -> bool {
        self.windows.is_empty() || self.windows.iter().any(|w| w.contains(second_of_day))
    }

    /// The price of a pulse with its tax settled.
    pub fn pulse_price(&self, rate: Rate, rounding: Rounding) -> TaxedPrice {
        TaxedPrice::of(self.price, self.tax, rate, rounding)
    }

    /// The set-up fee with its tax settled.
    pub fn setup_price(&self, rate: Rate, rounding: Rounding) -> TaxedPrice {
        TaxedPrice::of(self.setup, self.setup_tax, rate, rounding)
    }
}

/// What happens when a session has cost the row's maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AfterMaximum {
    /// The rest is free.
    Free,
    /// The session ends.
    Cut,
}

/// What a bucket can be used for. Copied into the lot, so that a later catalog cannot change a sold bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The services, as a set of `1 << Service`.
    pub services: u8,
    /// Destination classes.
    pub classes: Classes,
    /// Called numbers must begin with this.
    pub prefix: Prefix,
    /// Up to three rating groups; unused places are `None`; all `None`: every one.
    pub rating_groups: [Option<u32>; 3],
    /// Time of day in minutes after midnight, `None`: always.
    pub window: Option<(u16, u16)>,
    /// Usable while roaming.
    pub roaming: bool,
}

impl Scope {
    /// Usable for everything, everywhere: the main balance.
    pub const ANY: Scope = Scope {
        services: 7,
        classes: Classes::ANY,
        prefix: Prefix { value: 0, digits: 0 },
        rating_groups: [None; 3],
        window: None,
        roaming: true,
    };

    /// The same as comparing with [`Scope::ANY`], quicker: it is asked for every lot of every request.
    pub fn is_any(&self) -> bool {
        let Scope {
            services,
            classes,
            prefix,
            rating_groups: [first, second, third],
            window,
            roaming,
        } = self;
        *services == Scope::ANY.services
            && *classes == Classes::ANY
            && prefix.digits == 0
            && prefix.value == 0
            && *roaming
            && first.is_none()
            && second.is_none()
            && third.is_none()
            && window.is_none()
    }

    /// For one service, everywhere at home.
    pub fn service(service: Service) -> Scope {
        Scope {
            services: 1 << service as u8,
            roaming: false,
            ..Scope::ANY
        }
    }

    /// True when a use falls inside. `second_of_day` is local.
    pub fn allows(&self, query: &TariffQuery, second_of_day: u32) -> bool {
        let free = query.class == DestinationClass::Incoming && query.place == Place::Home;
        !free
            && self.services & (1 << query.service as u8) != 0
            && (self.classes == Classes::ANY || self.classes.contains(query.class))
            && self.prefix.matches(query.called.digits())
            && (self.roaming || query.place == Place::Home)
            && (self.rating_groups == [None; 3]
                || query
                    .rating_group
                    .is_some_and(|group| self.rating_groups.contains(&Some(group))))
            && self.window.is_none_or(|(from, to)| {
                TimeWindow {
                    from_s: u32::from(from) * 60,
                    to_s: u32::from(to) * 60,
                }
                .contains(second_of_day)
            })
    }
}

/// A bundle for sale.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Name in commands, events and files: `weekly-aio`.
    pub code: Code,
    /// Name for people.
    pub name: Text,
    /// Daily, weekly, monthly or one-off, for lists.
    pub period: Period,
    /// For people who use little or much, for lists.
    pub weight: Weight,
    /// Price.
    pub price: Money,
    /// Whether the price holds the tax.
    pub tax: TaxMode,
    /// How long it lives.
    pub validity: Validity,
    /// What it holds.
    pub buckets: Vec<BucketGrant>,
    /// Times it may be bought on one local day; 0: no limit.
    pub per_day: u8,
    /// Can be set to renew by itself (off unless asked).
    pub renewable: bool,
    /// Subscription code shown to people (`*700#`), may be empty.
    pub dial: String,
    /// False for offers that are given, not sold.
    pub for_sale: bool,
    /// Source and date, for people.
    pub as_of: String,
    /// True when something in it is invented for the demonstration.
    pub synthetic: bool,
}

/// How often people would buy an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// Up to three days.
    Daily,
    /// About a week.
    Weekly,
    /// About a month.
    Monthly,
    /// Anything else.
    OneOff,
}

/// Whom an offer suits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Weight {
    /// Light use.
    Light,
    /// Heavy use.
    Heavy,
}

/// How long a bundle lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Validity {
    /// Calendar days including today: ends at the local midnight after the last of them.
    CalendarDays(u16),
    /// Hours from the moment of purchase.
    Hours(u16),
}

impl Validity {
    /// When a bundle bought at `at` ends (exclusive).
    pub fn end(self, at: Timestamp, zone: &Zone) -> Timestamp {
        match self {
            Validity::CalendarDays(days) => zone.day_start(zone.day_number(at) + i32::from(days)),
            Validity::Hours(hours) => at.plus(i64::from(hours) * crate::time::HOUR),
        }
    }
}

/// One bucket of a bundle or promotion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketGrant {
    /// What it is counted in.
    pub unit: Unit,
    /// How much.
    pub amount: Amount,
    /// What it can be used for.
    pub scope: Scope,
    /// Used before lots of higher numbers.
    pub priority: u8,
    /// Taken in steps of this size.
    pub step: Amount,
    /// True when calls from this bucket pay no set-up fee.
    pub waives_setup: bool,
}

/// Grants, thresholds and notices.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Data grants.
    pub data: GrantPolicy,
    /// Voice grants.
    pub voice: GrantPolicy,
    /// Message grants.
    pub sms: GrantPolicy,
    /// What the network does when the last grant is used.
    pub final_action: FinalAction,
    /// A notice is sent once when the main balance falls below this.
    pub low_balance: Money,
    /// From when on it is told after a session what is left; `None`: never.
    pub session_notice: Option<crate::left::SessionNotice>,
    /// A session that says nothing for this long after its validity is closed, in seconds.
    pub supervision_s: u32,
    /// Duplicates are remembered this long, in seconds.
    pub duplicate_s: u32,
    /// ... and at most this many per account.
    pub duplicate_count: u16,
}

impl Policy {
    /// The grant policy of a service.
    pub fn grant(&self, service: Service) -> &GrantPolicy {
        match service {
            Service::Data => &self.data,
            Service::Voice => &self.voice,
            Service::Sms => &self.sms,
        }
    }
}

/// How much is granted at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantPolicy {
    /// Granted when the network does not ask for an amount.
    pub default: Amount,
    /// Not less than this while the balance allows it and several sessions share it.
    pub minimum: Amount,
    /// Never more than this.
    pub maximum: Amount,
    /// A grant is to be reported within this time, in seconds.
    pub validity_s: u32,
    /// The network reports when this share of the grant is left, in percent; 0: no threshold.
    pub threshold_percent: u8,
    /// Unused quota comes back after this idle time, in seconds; 0: not sent.
    pub holding_s: u32,
}

/// Final-Unit-Action (RFC 8506 section 8.35).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum FinalAction {
    /// End the service.
    #[default]
    Terminate,
    /// Send the user to a page.
    Redirect(Box<str>),
    /// Allow only what a filter of the network allows.
    Restrict(Box<str>),
}

/// Names and codes that people see.
#[derive(Clone, Debug, Default)]
pub struct Contact {
    /// Sender of messages.
    pub sms_sender: String,
    /// Helpline number.
    pub helpline: String,
    /// Code that shows the balance.
    pub balance_dial: String,
}
