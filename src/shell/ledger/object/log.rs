//! Batches of the log on their way to KV.

use std::rc::Rc;

use super::{Object, Role};
use crate::ledger::logbook::Batch;
use crate::policy::settings::Settings;
use crate::shell::now;

impl Object {
    /// Puts a batch of the log into KV.
    pub(super) async fn write_log(self: &Rc<Self>, settings: &Rc<Settings>, batch: Batch) {
        self.count(|operations| operations.kv_writes = operations.kv_writes.saturating_add(1));
        let Batch { key, value, last, label } = batch;
        let seconds = settings.log_retention_days.saturating_mul(86_400);
        let put = async {
            let put = self.env.kv("LOGS_KV")?.put(&key, value)?.metadata(&label)?;
            Ok(put.expiration_ttl(seconds).execute().await?)
        };
        let written: worker::Result<()> = put.await;
        if let Err(error) = &written {
            worker::console_error!("ledger: LOGS_KV refused log records, they are kept: {error}");
        }
        self.batch_ended(settings, last, written.is_ok());
    }

    /// Looks whether KV has a batch that was under way when the object was put away.
    pub(super) fn look_for(self: &Rc<Self>, settings: &Rc<Settings>, batch: Batch) {
        let (object, settings) = (Rc::clone(self), Rc::clone(settings));
        self.state.wait_until(async move {
            if let Ok(mut role) = object.role.try_borrow_mut()
                && let Role::Shard(shard) = &mut *role
            {
                shard.note_kv_read();
            }
            let found = async { Ok(object.env.kv("LOGS_KV")?.get(&batch.key).text().await?) };
            let found: worker::Result<Option<String>> = found.await;
            let is_there = found.ok().flatten().is_some_and(|value| value.starts_with(&batch.value));
            object.batch_ended(&settings, batch.last, is_there);
        });
    }

    fn batch_ended(self: &Rc<Self>, settings: &Rc<Settings>, last: u64, written: bool) {
        let next = self.guarded(|| {
            let mut role = self.role.try_borrow_mut().map_err(|_| "the ledger is busy")?;
            let Role::Shard(shard) = &mut *role else { return Ok(None) };
            shard.batch_ended(last, written, now());
            let step = shard.next_batch(now()).map_err(|_| "a row cannot be written")?;
            if let Some(step) = &step {
                self.write_all(&step.rows)?;
            }
            Ok(step)
        });
        if let Ok(Some(step)) = next {
            self.follow_up(settings, step);
        }
    }
}
