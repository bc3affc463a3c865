//! A core in memory: the real rules without partitions, threads and disk.

use charge::catalog::Catalogs;
use charge::{AccountId, Command, Entity, EntityKey, Refusal, Reply, Timestamp, View, apply, decide};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use web::core::{Core, CoreError, Gauge, Pending};

/// Everything there is.
pub struct MemoryCore {
    catalogs: Arc<Catalogs>,
    clock: web::state::Clock,
    world: Mutex<World>,
}

#[derive(Default)]
struct World {
    entities: HashMap<EntityKey, Entity>,
    accounts: u64,
}

impl View for World {
    fn get(&self, key: EntityKey) -> Option<&Entity> {
        self.entities.get(&key)
    }
}

impl MemoryCore {
    pub fn new(catalogs: Arc<Catalogs>, clock: web::state::Clock) -> MemoryCore {
        MemoryCore {
            catalogs,
            clock,
            world: Mutex::default(),
        }
    }

    fn carry_out(&self, command: Command) -> Result<Reply, Refusal> {
        let now: Timestamp = (self.clock)();
        let mut world = self.world.lock().unwrap();
        let mut first = None;
        let mut open = VecDeque::from([command]);
        while let Some(command) = open.pop_front() {
            let decision = decide(&*world, &self.catalogs, &command, now)?;
            for event in &decision.events {
                let mut slot = world.entities.remove(&event.key);
                apply(&mut slot, event);
                world.entities.extend(slot.map(|entity| (event.key, entity)));
            }
            open.extend(decision.messages.into_iter().map(Command::Deliver));
            first.get_or_insert(decision.reply);
        }
        Ok(first.expect("the first command has a reply"))
    }
}

impl Core for MemoryCore {
    fn call(&self, command: Command) -> Pending<Result<Reply, CoreError>> {
        let result = self.carry_out(command).map_err(CoreError::from);
        Box::pin(async move { result })
    }
    fn read(&self, key: EntityKey) -> Pending<Result<Option<Entity>, CoreError>> {
        let entity = self.world.lock().unwrap().entities.get(&key).cloned();
        Box::pin(async move { Ok(entity) })
    }
    fn new_account(&self) -> AccountId {
        let mut world = self.world.lock().unwrap();
        world.accounts += 1;
        AccountId(world.accounts)
    }
    fn ready(&self) -> Result<(), String> {
        Ok(())
    }
    fn gauges(&self) -> Vec<Gauge> {
        vec![Gauge {
            name: "queue_depth_commands",
            help: "Commands waiting",
            label: None,
            value: 0,
        }]
    }
}
