//! Threads that can wait: projections and snapshots must not take the processor from charges.

/// How much nicer a background thread is: it gets about a tenth of what a charging thread gets when both want the processor.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Lowers the priority of the calling thread for good. Where the system has no priorities of single threads, nothing
/// happens.
pub fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE) {
        tracing::debug!(%error, "cannot lower the priority of a background thread");
    }
}
