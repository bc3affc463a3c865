//! The engine with a key of the desk that is written nowhere: for commands with `--data`.

use charge::partner::ApiKey;
use charge::{AccountId, Command, Entity, EntityKey, Reply};
use web::bind::EngineCore;
use web::core::{Core, CoreError, Gauge, Pending};

/// As [`EngineCore`], but the desk has one more key as long as this process lives.
pub struct PassingKey {
    /// The engine.
    pub core: EngineCore,
    /// The key.
    pub key: ApiKey,
}

impl Core for PassingKey {
    fn call(&self, command: Command) -> Pending<Result<Reply, CoreError>> {
        self.core.call(command)
    }

    fn read(&self, key: EntityKey) -> Pending<Result<Option<Entity>, CoreError>> {
        let entity = self.core.read(key);
        if key != EntityKey::Partner(super::DESK) {
            return entity;
        }
        let key = self.key.clone();
        Box::pin(async move {
            let mut entity = entity.await?;
            if let Some(Entity::Partner(partner)) = &mut entity {
                partner.keys.push(key);
            }
            Ok(entity)
        })
    }

    fn new_account(&self) -> AccountId {
        self.core.new_account()
    }

    fn gauges(&self) -> Vec<Gauge> {
        self.core.gauges()
    }
}
