//! Announcements: from a campaign to one letter for each person who agreed, in steps that a restart continues.

use crate::node::desk::Desk;
use crate::notify::by;
use crate::notify::matter::{Matter, Offer};
use charge::announce::{may_earn, outside};
use charge::catalog::{Catalog, Promotion, TimeWindow};
use charge::time::{DAY, SECOND};
use charge::{Account, AccountId, Code, Entity, EntityKey, Msisdn, OperatorId, Timestamp};
use people::PersonId;
use people::consents::Notice;
use people::ways::{Addressee, Way};
use std::sync::Arc;
use std::time::Duration;
use store::{Campaign, CampaignStep, LetterWay, NewLetter, StoreError};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use web::state::{Announcement, Announcements};

/// People of one step.
const PAGE: i64 = 200;
/// Campaigns are looked at so often even when nobody says that one was started.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often old letters are forgotten.
const PURGE_EVERY: Duration = Duration::from_secs(3_600);
/// Letters that are done are kept for so long.
const KEPT: i64 = 30 * DAY;
/// Rows that are forgotten in one step, and the rest after it.
const FORGET_SLICE: u32 = 500;
const FORGET_REST: Duration = Duration::from_millis(20);
/// Most browsers that one message goes to.
const BROWSERS_MAX: usize = 10;

/// The running announcer.
pub struct Announcer {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Announcer {
    /// Starts. Within a tokio runtime.
    pub fn start(desk: Arc<Desk>, quiet: TimeWindow) -> Announcer {
        let (stop, stopped) = watch::channel(false);
        Announcer {
            stop,
            task: tokio::spawn(run(desk, quiet, stopped)),
        }
    }

    /// Ends; a campaign goes on after the next start.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the announcer failed");
        }
    }
}

/// Where the API starts campaigns and looks at them.
pub struct Board(pub Arc<Desk>);

impl Board {
    fn name_of(&self, operator: OperatorId, promotion: Code) -> Option<(String, String)> {
        let catalog = self.0.around().catalogs.get(operator)?;
        Some((catalog.code.to_string(), format!("{}/{promotion}", catalog.code)))
    }
}

impl Announcements for Board {
    fn start(
        &self,
        operator: OperatorId,
        promotion: Code,
        pace: (u32, &str),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if let Some((_, name)) = self.name_of(operator, promotion) {
            let mut outbox = self.0.outbox().lock();
            outbox.start_campaign(&name, (operator, promotion), pace, now.0)?;
        }
        self.0.wake();
        Ok(())
    }

    fn find(&self, operator: OperatorId, promotion: Code) -> Result<Option<Announcement>, StoreError> {
        let Some((code, name)) = self.name_of(operator, promotion) else {
            return Ok(None);
        };
        let found = self.0.outbox().lock().campaign(&name)?;
        Ok(found.map(|(campaign, counts)| Announcement {
            operator: code,
            promotion: promotion.to_string(),
            started_at: Timestamp(campaign.started_at),
            reached_all: campaign.done,
            told: campaign.told,
            left_out: campaign.left_out,
            waiting: counts.pending,
            sent: counts.sent + counts.delivered,
            failed: counts.failed,
        }))
    }
}

async fn run(desk: Arc<Desk>, quiet: TimeWindow, mut stopped: watch::Receiver<bool>) {
    let mut purge = tokio::time::interval(PURGE_EVERY);
    loop {
        let at_work = Arc::clone(&desk);
        let stepped = tokio::task::spawn_blocking(move || step_all(&at_work, quiet)).await;
        let more = match stepped {
            Ok(Ok(more)) => more,
            Ok(Err(error)) => {
                tracing::error!(error = format!("{error:#}"), "a campaign cannot go on");
                false
            }
            Err(error) => {
                tracing::error!(%error, "a campaign failed");
                false
            }
        };
        let rest = if more { Duration::ZERO } else { LOOK_EVERY };
        tokio::select! {
            _ = stopped.changed() => return,
            () = desk.woken(), if !more => {}
            _ = purge.tick() => {
                let before = Timestamp(crate::node::now().0 - KEPT);
                tokio::select! {
                    _ = stopped.changed() => return,
                    _ = forget_old(&desk, before) => {}
                }
            }
            () = tokio::time::sleep(rest) => {}
        }
    }
}

/// Notifications and letters that are done are forgotten after a while: they are about people. A slice at a time, so that
/// what is to be sent finds the outbox free in between.
pub async fn forget_old(desk: &Desk, before: Timestamp) -> usize {
    let before = before.0;
    let mut forgotten = 0;
    loop {
        let slice = desk.ask(move |outbox| {
            Ok(outbox.purge(before, FORGET_SLICE)? + outbox.purge_letters(before, FORGET_SLICE)?)
        });
        match slice.await {
            Ok(0) => return forgotten,
            Ok(rows) => forgotten += rows,
            Err(error) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "what is old in the outbox was not forgotten; tried again in an hour"
                );
                return forgotten;
            }
        }
        tokio::time::sleep(FORGET_REST).await;
    }
}

/// Takes every open campaign one step on; says whether there is more to do.
pub fn step_all(desk: &Desk, quiet: TimeWindow) -> anyhow::Result<bool> {
    let open = desk.outbox().lock().open_campaigns()?;
    let mut more = false;
    for campaign in &open {
        more |= !step(desk, campaign, quiet)?;
    }
    Ok(more)
}

/// One step; true: everybody was reached.
fn step(desk: &Desk, campaign: &Campaign, quiet: TimeWindow) -> anyhow::Result<bool> {
    let (around, now) = (desk.around(), crate::node::now());
    let mut step = CampaignStep {
        next_at: campaign.next_at.max(now.0),
        reached: campaign.reached,
        ..CampaignStep::default()
    };
    let catalog = around.catalogs.get(campaign.operator).map(Arc::clone);
    let running = catalog.as_ref().and_then(|catalog| {
        let promotion = catalog.promotion(campaign.promotion)?;
        (now < promotion.until).then_some((catalog, promotion))
    });
    match running {
        None => step.done = true,
        Some((catalog, promotion)) => {
            let after = Some(PersonId(campaign.reached));
            let page = around.people.people_who_agreed(Notice::Offers, after, PAGE)?;
            step.done = page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
            for person in page {
                step.reached = person.0;
                let at = outside(quiet, Timestamp(step.next_at), &catalog.zone);
                let at = at.filter(|at| *at < promotion.until);
                let found = match at {
                    Some(at) => letters_to(desk, (person, campaign), (catalog, promotion), at)?.zip(Some(at)),
                    None => None,
                };
                match found {
                    Some((letters, at)) => {
                        step.people.push((person.0, letters));
                        let gap = SECOND / i64::from(campaign.per_second.clamp(1, 1_000_000));
                        step.next_at = at.plus(gap).0;
                    }
                    None => step.left_out += 1,
                }
            }
        }
    }
    desk.outbox().lock().campaign_step(campaign, &step, now.0)?;
    desk.wake();
    Ok(step.done)
}

/// The message to one person: to their browsers, or else by SMS, or else by e-mail; `None` when they cannot earn it or
/// did not agree.
fn letters_to(
    desk: &Desk,
    (person, campaign): (PersonId, &Campaign),
    (catalog, promotion): (&Catalog, &Promotion),
    at: Timestamp,
) -> anyhow::Result<Option<Vec<NewLetter>>> {
    let Some((account, number)) = fit_number(desk, person, catalog, promotion)? else {
        return Ok(None);
    };
    let now = crate::node::now();
    let around = desk.around();
    let decision = around
        .people
        .ways_to(Addressee::Number(number), Notice::Offers, None, now)?;
    let base = NewLetter {
        origin: format!("{}{}", store::letters::origin_of(&campaign.name), person.0),
        way: LetterWay::Sms,
        recipient: 0,
        operator: campaign.operator,
        account,
        person: person.0,
        notice: Notice::Offers.name().to_owned(),
        matter: Matter::Offer(Offer {
            promotion: campaign.promotion.to_string(),
            stop: campaign.stop.clone(),
        })
        .to_bytes(),
        at: now.0,
        not_before: at.0,
        until: promotion.until.0,
    };
    let of = |wanted: fn(&Way) -> bool| decision.ways.iter().filter(move |way| wanted(way));
    let mut letters: Vec<NewLetter> = of(|way| matches!(way, Way::Push(_)))
        .take(BROWSERS_MAX)
        .map(|way| by(way, &base))
        .collect();
    if letters.is_empty() {
        let rest = of(|way| matches!(way, Way::Sms(_))).chain(of(|way| matches!(way, Way::Email(_))));
        letters.extend(rest.take(1).map(|way| by(way, &base)));
    }
    Ok(Some(letters).filter(|letters| !letters.is_empty()))
}

/// The first of somebody's numbers that can earn the promotion.
fn fit_number(
    desk: &Desk,
    person: PersonId,
    catalog: &Catalog,
    promotion: &Promotion,
) -> anyhow::Result<Option<(AccountId, Msisdn)>> {
    let around = desk.around();
    for owned in around.people.numbers_of(person)? {
        let look = |entity: Option<&Entity>, _| entity.and_then(Entity::account).cloned();
        let account = around.engine.read(EntityKey::Account(owned.account), look)?;
        let fits =
            |account: &Account| account.msisdn == owned.number && may_earn(account, catalog, promotion);
        if let Some(account) = account.filter(fits) {
            return Ok(Some((account.id, owned.number)));
        }
    }
    Ok(None)
}
