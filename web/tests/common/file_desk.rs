//! A payment desk whose rail is the test's own.

use charge::payment::{PaymentAction, PaymentId, PaymentReply, Statement};
use charge::{Code, Command, Entity, Money, Refusal, Reply};
use rails::{Begun, HttpAnswer, HttpRequest, RailError, SettlementLine};
use std::sync::{Arc, Mutex};
use web::bind::EngineCore;
use web::core::{Core, CoreError, Pending};
use web::payments::{PaymentDesk, Priced, RailInfo, Start, StartError};

/// A desk whose rail has files of our profile, and says what the test says.
pub struct FileDesk {
    pub core: Arc<EngineCore>,
    pub said: Mutex<Option<Statement>>,
}

impl FileDesk {
    async fn tell(
        core: Arc<EngineCore>,
        id: PaymentId,
        action: PaymentAction,
    ) -> Result<PaymentReply, CoreError> {
        let Some(Entity::Payment(payment)) = core.read(id.key()).await? else {
            return Err(CoreError::Refused(Refusal::NoSuchPayment));
        };
        let account = payment.account();
        match core.call(Command::Payment { id, account, action }).await? {
            Reply::Payment(reply) => Ok(reply),
            _ => Err(CoreError::Unavailable),
        }
    }
}

impl PaymentDesk for FileDesk {
    fn rails(&self) -> Vec<RailInfo> {
        Vec::new()
    }
    fn price(&self, _: Code, _: Money) -> Result<Priced, StartError> {
        Err(StartError::NoSuchRail)
    }
    fn start(&self, _: Start) -> Pending<Result<Begun, StartError>> {
        Box::pin(async { Err(StartError::NoSuchRail) })
    }
    fn hear(&self, _: Code, _: String, _: HttpRequest) -> Pending<HttpAnswer> {
        Box::pin(async {
            HttpAnswer {
                status: 404,
                headers: Vec::new(),
                body: Vec::new(),
            }
        })
    }
    fn returned(&self, _: Code, _: HttpRequest) -> Pending<Option<PaymentId>> {
        Box::pin(async { None })
    }
    fn act(&self, id: PaymentId, action: PaymentAction) -> Pending<Result<PaymentReply, CoreError>> {
        Box::pin(FileDesk::tell(Arc::clone(&self.core), id, action))
    }
    fn look(&self, _: PaymentId) {}
    fn settlement(&self, asked: Code, file: &[u8]) -> Result<(Vec<SettlementLine>, Vec<Code>), RailError> {
        if asked != Code::new("bank").unwrap() {
            return Err(RailError::Unsupported);
        }
        let lines = rails::settlement::Profile::default().read(file)?;
        Ok((lines, vec![asked]))
    }
    fn ask(&self, id: PaymentId) -> Pending<Option<Statement>> {
        let (core, said) = (Arc::clone(&self.core), self.said.lock().unwrap().clone());
        Box::pin(async move {
            let said = said?;
            FileDesk::tell(core, id, PaymentAction::State(said.clone()))
                .await
                .ok()?;
            Some(said)
        })
    }
}
