//! Sessions, menu and core together: what gateways call.

use crate::limits::{BEGINS_PER_MINUTE, INPUT_CHARACTERS_MAX, PAGES_MAX, STEPS_MAX};
use crate::menu::{self, Action, Secret, Stage, Step, View};
use crate::say::{Say, isolated};
use crate::sessions::{Session, SessionKey, Sessions};
use crate::shop::{By, Order};
use charge::catalog::keypad::{Dialled, Function};
use charge::catalog::{Catalog, Language};
use charge::command::{Buy, UpdateAccount};
use charge::ids::digest128;
use charge::{Account, Command, Entity, EntityKey, Imsi, Msisdn, Reply, SourceId, Timestamp};
use people::consents::Notice;
use people::sessions::Place;
use std::sync::Arc;
use web::Web;
use web::cards::{CardChannel, NotRedeemed};
use web::core::{CoreError, Pending};
use web::problem::Fault;
use web::rate::Rate;
use web::text::Value;
use wire::ussd::PageSize;

/// Whose phone it is, as far as the gateway knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// By number.
    Number(Msisdn),
    /// By SIM.
    Sim(Imsi),
}

/// A page for the phone: it fits (see [`wire::ussd::fits`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The text.
    pub text: String,
    /// True when the session is over with it.
    pub last: bool,
}

impl Answer {
    /// A last page.
    pub fn last(text: String) -> Answer {
        Answer { text, last: true }
    }
}

/// How something is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What names it: the same again does nothing twice.
    pub source: SourceId,
    /// Names of the last messages with the same words that were answered.
    pub before: Vec<SourceId>,
    /// By which way.
    pub by: By,
}

/// Who sells for shops.
pub trait Shop: Send + Sync {
    /// Does what a seller asks from a number. The same source again gets the same answer and moves nothing.
    fn order(&self, from: Msisdn, order: Order, asked: Asked, language: Language) -> Pending<String>;
}

/// What a keypad needs beside the web's parts.
#[derive(Default)]
pub struct Parts {
    /// Sells; `None`: not here.
    pub shop: Option<Arc<dyn Shop>>,
    /// Speaks to phones whose subscriber is not known.
    pub language: Language,
}

/// The keypad of all operators. Cheap to clone.
#[derive(Clone)]
pub struct Keypad(Arc<Inner>);

struct Inner {
    web: Web,
    parts: Parts,
    sessions: Sessions,
    begins: Rate,
}

impl Keypad {
    /// Over the web's parts.
    pub fn new(web: Web, parts: Parts) -> Keypad {
        Keypad(Arc::new(Inner {
            web,
            parts,
            sessions: Sessions::default(),
            begins: Rate::per_minute(BEGINS_PER_MINUTE),
        }))
    }

    /// The key of a gateway's session.
    pub fn key(gateway: &str, session: &str) -> SessionKey {
        digest128("ussd", &[gateway.as_bytes(), session.as_bytes()])
    }

    /// What the web knows.
    pub fn web(&self) -> &Web {
        &self.0.web
    }

    /// What it was made of.
    pub fn parts(&self) -> &Parts {
        &self.0.parts
    }

    /// Open sessions.
    pub fn sessions(&self) -> usize {
        self.0.sessions.count()
    }

    /// A phone dialled. An open session of that name is forgotten.
    pub async fn begin(&self, key: SessionKey, who: Who, dialled: &str, size: PageSize) -> Answer {
        let now = self.0.web.now();
        // Never given twice: time and key, and a session that begins anew has another time.
        let nonce = format!("{key:032x}/{}", now.0);
        self.begin_as(key, who, dialled, (&nonce, size)).await
    }

    /// As [`Keypad::begin`], for a gateway whose names of sessions never come again: the ids of commands are made of it.
    pub async fn begin_as(
        &self,
        key: SessionKey,
        who: Who,
        dialled: &str,
        (nonce, size): (&str, PageSize),
    ) -> Answer {
        let now = self.0.web.now();
        let caller = match who {
            Who::Number(number) => number.number(),
            Who::Sim(sim) => sim.packed(),
        };
        if self.0.begins.check(caller).is_err() || dialled.chars().count() > INPUT_CHARACTERS_MAX {
            self.0.sessions.end(key);
            return Answer::last(self.strange("keypad-too-many"));
        }
        let session = Session::new(who, nonce.to_owned(), size);
        let Some(shared) = self.0.sessions.begin(key, session, now) else {
            return Answer::last(self.strange("keypad-busy"));
        };
        let mut session = shared.lock().await;
        let step = |view: View<'_>| menu::dial(dialled.trim(), view);
        let answer = self.advance(&mut session, step).await;
        self.finish(key, &answer);
        session.last = None;
        answer
    }

    /// A phone answered a page. `number`: which input of the session it is, where the gateway counts; the same one again
    /// gets the same answer.
    pub async fn typed(&self, key: SessionKey, input: &str, number: Option<u32>) -> Answer {
        let now = self.0.web.now();
        let Some(shared) = self.0.sessions.find(key, now) else {
            return Answer::last(self.strange("keypad-session-over"));
        };
        let mut session = shared.lock().await;
        let digest = number.map(|number| digest128("ussd/input", &[&number.to_be_bytes(), input.as_bytes()]));
        if let (Some(digest), Some((known, answer))) = (digest, &session.last)
            && *known == digest
        {
            return answer.clone();
        }
        session.steps += 1;
        let answer = if session.steps > STEPS_MAX || input.chars().count() > INPUT_CHARACTERS_MAX {
            Answer::last(self.strange("keypad-session-over"))
        } else if let Some(page) = next_page(&mut session, input) {
            page
        } else if let Some(stage) = session.stage {
            self.advance(&mut session, |view| menu::typed(stage, input, view))
                .await
        } else {
            Answer::last(self.strange("keypad-session-over"))
        };
        session.last = digest.map(|digest| (digest, answer.clone()));
        // A gateway that counts may ask for the last page again; it is forgotten with time.
        if digest.is_none() {
            self.finish(key, &answer);
        }
        answer
    }

    /// The phone hung up.
    pub fn ended(&self, key: SessionKey) {
        self.0.sessions.end(key);
    }

    /// Whether all of what was dialled is one input: a code of its own, or one that takes what stands behind it.
    pub(crate) async fn takes_whole(&self, who: Who, dialled: &str) -> bool {
        let Ok(Some(account)) = self.account(who).await else {
            return false;
        };
        let web = &self.0.web;
        web.catalog(account.operator)
            .is_some_and(|catalog| match catalog.dialled(dialled) {
                Dialled::Offer(_) => true,
                Dialled::Function(Function::Recharge | Function::Sell | Function::Share, _) => true,
                Dialled::Function(_, parts) => parts.is_empty(),
                Dialled::Unknown => false,
            })
    }

    /// What a session was fed with.
    pub(crate) async fn fed(&self, key: SessionKey) -> Option<(usize, u128)> {
        let shared = self.0.sessions.find(key, self.0.web.now())?;
        Some(shared.lock().await.fed)
    }

    /// Keeps what a session was fed with, and the answer to it.
    pub(crate) async fn feed(&self, key: SessionKey, fed: (usize, u128), answer: &Answer) {
        if let Some(shared) = self.0.sessions.find(key, self.0.web.now()) {
            let mut session = shared.lock().await;
            session.fed = fed;
            session.last = Some((fed.1, answer.clone()));
        }
    }

    /// The last answer of a session that was fed.
    pub(crate) async fn last(&self, key: SessionKey) -> Option<Answer> {
        let shared = self.0.sessions.find(key, self.0.web.now())?;
        let session = shared.lock().await;
        session.last.as_ref().map(|(_, answer)| answer.clone())
    }

    /// The end of a session that cannot go on.
    pub(crate) fn over(&self) -> Answer {
        Answer::last(self.strange("keypad-session-over"))
    }

    fn finish(&self, key: SessionKey, answer: &Answer) {
        if answer.last {
            self.0.sessions.end(key);
        }
    }

    /// Reads the account, takes a step, does what it wants, and cuts the text into pages.
    async fn advance(&self, session: &mut Session, step: impl FnOnce(View<'_>) -> Step) -> Answer {
        let account = match self.account(session.who).await {
            Ok(Some(account)) => account,
            Ok(None) => return Answer::last(self.strange("problem-no-subscriber")),
            Err(error) => return Answer::last(self.strange(error_key(error))),
        };
        let web = &self.0.web;
        let Some(catalog) = web.catalog(account.operator) else {
            return Answer::last(self.strange("problem-no-subscriber"));
        };
        let view = View {
            account: &account,
            catalog,
            catalogs: web.catalogs(),
            now: web.now(),
            cards: web.parts.cards.is_some(),
        };
        let (stage, text) = match step(view) {
            Step::Ask(stage, text) => (Some(stage), text),
            Step::End(text) => (None, text),
            Step::Do(action) => {
                let asked = Asked {
                    source: SourceId::of_reference("ussd", &session.nonce),
                    before: Vec::new(),
                    by: By::Code,
                };
                (None, self.act(&account, catalog, action, asked).await)
            }
        };
        let say = view.say();
        show(session, stage, &text, &isolated(&say.p("keypad-more")))
    }

    /// Does something and says what came of it. The same source again does nothing twice.
    pub async fn act(&self, account: &Account, catalog: &Catalog, action: Action, asked: Asked) -> String {
        let say = Say {
            language: account.language,
            catalog,
        };
        let text = match action {
            Action::Buy {
                offer,
                renew,
                at_most,
            } => {
                let command = Command::Buy(Buy {
                    account: account.id,
                    offer,
                    source: asked.source,
                    renew,
                    at_most: Some(at_most),
                });
                match self.0.web.parts.core.call(command).await {
                    Ok(Reply::Bought(bought)) => {
                        let name = catalog
                            .offer(offer.as_str())
                            .map_or(offer.as_str(), |offer| offer.name.get(say.language));
                        let values = [
                            ("name", name.into()),
                            ("date", say.day(bought.expires_at.plus(-1)).into()),
                            ("price", say.money(bought.price).into()),
                            ("balance", say.money(bought.balance).into()),
                        ];
                        say.with("keypad-bought", &values)
                    }
                    Ok(_) => say.p("keypad-done"),
                    Err(error) => refused(say, error),
                }
            }
            Action::Speak(language) => {
                let command = Command::UpdateAccount(UpdateAccount {
                    account: account.id,
                    language: Some(language),
                    ..UpdateAccount::default()
                });
                match self.0.web.parts.core.call(command).await {
                    Ok(_) => Say { language, catalog }.p("keypad-language-set"),
                    Err(error) => refused(say, error),
                }
            }
            Action::StopRenewals => self.stop_renewals(account, say).await,
            Action::StopOffers => self.stop_offers(account.msisdn, say).await,
            Action::Unsubscribe => {
                let renewals = self.stop_renewals(account, say).await;
                format!("{renewals} {}", self.stop_offers(account.msisdn, say).await)
            }
            Action::Redeem(pin) => self.redeem(account, (asked.by.card_channel(), &pin), say).await,
            Action::Shop(order) => match &self.0.parts.shop {
                Some(shop) => shop.order(account.msisdn, order, asked, account.language).await,
                None => say.p("keypad-no-shop"),
            },
        };
        isolated(&text)
    }

    /// The same card for the same number again is answered with what it did.
    async fn redeem(
        &self,
        account: &Account,
        (channel, pin): (CardChannel, &Secret),
        say: Say<'_>,
    ) -> String {
        let Some(cards) = &self.0.web.parts.cards else {
            return say.p("keypad-no-cards");
        };
        let redeemed = cards.redeem_here(channel, account.msisdn, pin.reveal()).await;
        match redeemed {
            Ok(card) => match card.outcome {
                Some(outcome) => {
                    let values = [
                        ("face", say.money(card.face).into()),
                        ("credited", say.money(outcome.credited).into()),
                        ("balance", say.money(outcome.balance).into()),
                        ("date", say.day(outcome.valid_until).into()),
                    ];
                    say.with("keypad-redeemed", &values)
                }
                None => say.with("keypad-redeemed-before", &[("face", say.money(card.face).into())]),
            },
            Err(NotRedeemed::BadPin) => say.p("keypad-bad-card"),
            Err(refused) => say.p(&refused.problem(self.0.web.now()).fault.key()),
        }
    }

    async fn stop_renewals(&self, account: &Account, say: Say<'_>) -> String {
        let mut stopped = 0_i64;
        for renewal in &account.renewals {
            let command = Command::SetRenewal {
                account: account.id,
                offer: renewal.offer,
                on: false,
            };
            match self.0.web.parts.core.call(command).await {
                Ok(_) => stopped += 1,
                Err(error) => return refused(say, error),
            }
        }
        let values: [(&str, Value); 1] = [("count", stopped.into())];
        say.with("keypad-renewals-stopped", &values)
    }

    async fn stop_offers(&self, number: Msisdn, say: Say<'_>) -> String {
        let (people, now) = (self.0.web.parts.people.clone(), self.0.web.now());
        let stopped = tokio::task::spawn_blocking(move || {
            let place = Place {
                device: "keypad".to_owned(),
                address: String::new(),
            };
            people.stop(number, Notice::Offers, &place, now)
        });
        match stopped.await {
            Ok(Ok(_)) => say.p("keypad-offers-stopped"),
            Ok(Err(error)) => {
                tracing::error!(%error, "offers to a number could not be stopped");
                say.p("problem-internal")
            }
            Err(error) => {
                tracing::error!(%error, "stopping offers panicked");
                say.p("problem-internal")
            }
        }
    }

    /// The account behind a phone, if it is one of ours.
    ///
    /// # Errors
    /// [`CoreError`] when the core cannot say.
    pub async fn account(&self, who: Who) -> Result<Option<Box<Account>>, CoreError> {
        let key = match who {
            Who::Number(number) => return self.0.web.account_of(number).await,
            Who::Sim(sim) => EntityKey::Imsi(sim),
        };
        let entity = self.0.web.parts.core.read(key).await?;
        let Some(id) = entity
            .as_ref()
            .and_then(Entity::number)
            .and_then(|record| record.account)
        else {
            return Ok(None);
        };
        match self.0.web.parts.core.read(EntityKey::Account(id)).await? {
            Some(Entity::Account(account)) => Ok(Some(account)),
            _ => Ok(None),
        }
    }

    /// A sentence for somebody whom we do not know.
    pub fn strange(&self, key: &str) -> String {
        isolated(&web::text::plain(self.0.parts.language, key, &[]))
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.0.web.now()
    }
}

/// What the core's no means for somebody on a phone.
pub fn refused(say: Say<'_>, error: CoreError) -> String {
    match error {
        CoreError::Refused(refusal) => say.p(&Fault::Refused(refusal).key()),
        other => say.p(error_key(other)),
    }
}

fn error_key(error: CoreError) -> &'static str {
    match error {
        CoreError::Refused(_) | CoreError::Busy => "keypad-busy",
        CoreError::Unavailable => "keypad-unknown-outcome",
    }
}

/// The first page of a text; the others wait in the session.
fn show(session: &mut Session, stage: Option<Stage>, text: &str, more: &str) -> Answer {
    let mut pages: std::collections::VecDeque<String> = wire::ussd::pages_in(text, more, session.size)
        .into_iter()
        .take(PAGES_MAX)
        .collect();
    let first = pages.pop_front().unwrap_or_default();
    session.stage = stage;
    session.pages = pages;
    Answer {
        text: first,
        last: stage.is_none() && session.pages.is_empty(),
    }
}

/// `98`: the next page, while there is one.
fn next_page(session: &mut Session, input: &str) -> Option<Answer> {
    let latin: String = input
        .trim()
        .chars()
        .map(|c| web::number::latin_digit(c).unwrap_or(c))
        .collect();
    if latin != MORE {
        return None;
    }
    let text = session.pages.pop_front()?;
    Some(Answer {
        text,
        last: session.stage.is_none() && session.pages.is_empty(),
    })
}

/// What is typed for the next page.
pub const MORE: &str = "98";
